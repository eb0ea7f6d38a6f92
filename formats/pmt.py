#!/usr/bin/env python3
"""Tensor streams (.pmt, see stream.md) for Python programs. Needs msgpack, zstandard and numpy.

As a module:

    with pmt.Reader("text.pmt") as reader, pmt.Writer("out.pmt", pmt.derive(reader.header, "my-tool")) as writer:
        for key, tensors in reader:                        # key: bytes; tensors: {name: numpy array}
            hidden = pmt.hidden_states(tensors)
            writer.write(key, pmt.hidden_tensors(hidden * 2, "bf16"))
        writer.add_content("stream", reader.content)       # known when the reader is at its end

numpy has no bf16; such tensors are arrays of dtype pmt.BF16, for to_float and from_float.
"""
import argparse
import contextlib
import copy
import fcntl
import json
import math
import os
import re
import secrets
import signal
import struct
import sys

try:
    import msgpack
    import numpy as np
    import zstandard
except ModuleNotFoundError as missing:
    if __name__ != "__main__":
        raise
    sys.exit(f"pmt.py: this python3 has no {missing.name}; Debian's has it from the package python3-{missing.name}")

FORMAT, VERSION = "pmt", 1
MAX_KEY, MAX_NAME, MAX_TENSORS, MAX_DIMENSIONS, MAX_PARTS = 65536, 256, 16, 8, 1024
MAX_HEADER, MAX_VALUES, MAX_LEVELS, MAX_WINDOW = 64 << 20, 1 << 20, 31, 1 << 27
MAX_GENERATIONS = 12
MAX_SCALE = np.float32(2.0**120)
ASIDES = "provenance", "info"  # say nothing of the records, and may differ where streams join
PART_BYTES, FRAME_BYTES = 1 << 30, 4 << 20
INDEX_MAGIC, INDEX_WORD = b"\x5d\x2a\x4d\x18", b"pmtindex"
BF16 = np.dtype([("bf16", "<u2")])
DTYPES = {"f32": np.dtype("<f4"), "f16": np.dtype("<f2"), "bf16": BF16, "i32": np.dtype("<i4"),
          "i64": np.dtype("<i8"), "u8": np.dtype("u1"), "i8": np.dtype("i1"), "bool": np.dtype("?")}
NAMES = {dtype: name for name, dtype in DTYPES.items()}


class Error(Exception):
    """A stream that is not whole or not valid."""


def to_float(array):
    """A tensor of a float dtype as float32."""
    if array.dtype == BF16:
        return (array["bf16"].astype("<u4") << 16).view("<f4")
    return array.astype("<f4")


def from_float(array, dtype):
    """A float array as "f32", "f16" or "bf16" (rounded to nearest even)."""
    array = np.ascontiguousarray(array, "<f4")
    if dtype != "bf16":
        return array.astype(DTYPES[dtype])
    bits = array.view("<u4")
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16
    halves = np.where(np.isnan(array), (bits >> 16) | 0x40, rounded).astype("<u2")
    return halves.view(BF16).reshape(array.shape)


def hidden_tensors(states, dtype):
    """The tensors of a record of the kind hidden: states [T, W] as "f32", "f16", "bf16", or "i8" with a scale a row."""
    if dtype != "i8":
        return {"hidden": from_float(states, dtype)}
    states = np.asarray(states, "<f4")
    scale = np.abs(states).max(axis=1, initial=0) / np.float32(127)
    if not np.all(scale <= MAX_SCALE):
        raise Error("hidden states that are infinite, no number or too large for i8")
    steps = np.rint(np.divide(states, scale[:, None], out=np.zeros_like(states), where=scale[:, None] > 0))
    return {"hidden": np.clip(steps, -127, 127).astype("i1"), "scale": scale}


def hidden_states(tensors):
    """What they are in float32."""
    if tensors["hidden"].dtype == DTYPES["i8"]:
        return tensors["hidden"] * tensors["scale"][:, None]
    return to_float(tensors["hidden"])


def load_hashes():
    """XXH3 by the module xxhash or, where that is missing, by libxxhash: classes whose instances have update and,
    for 128 bits, hexdigest, for 64 intdigest."""
    try:
        import xxhash
        return xxhash.xxh3_128, xxhash.xxh3_64
    except ImportError:
        pass
    import ctypes
    library = ctypes.CDLL("libxxhash.so.0")

    class Value(ctypes.Structure):
        _fields_ = [("low", ctypes.c_uint64), ("high", ctypes.c_uint64)]

    library.XXH3_createState.restype = ctypes.c_void_p
    library.XXH3_128bits_digest.restype = Value
    library.XXH3_64bits_digest.restype = ctypes.c_uint64

    class State:
        def __init__(self, data=b""):
            self.state = ctypes.c_void_p(library.XXH3_createState())
            self.reset(self.state)
            self.update(data)

        def __del__(self):
            library.XXH3_freeState(self.state)

        def update(self, data):
            self.add(self.state, bytes(data), ctypes.c_size_t(len(data)))

    class Hash128(State):
        reset, add = library.XXH3_128bits_reset, library.XXH3_128bits_update

        def hexdigest(self):
            value = library.XXH3_128bits_digest(self.state)
            return f"{value.high:016x}{value.low:016x}"

    class Hash64(State):
        reset, add = library.XXH3_64bits_reset, library.XXH3_64bits_update

        def intdigest(self):
            return library.XXH3_64bits_digest(self.state)

    return Hash128, Hash64


Hash128, Hash64 = load_hashes()


class Hash:
    """What stands in end records."""

    def __init__(self):
        self._state = Hash128()
        self.update = self._state.update

    def digest(self):
        return "xxh3:" + self._state.hexdigest()


def hash_of(data):
    value = Hash()
    value.update(data)
    return value.digest()


def content_append(content, following):
    """The content of two streams that follow each other."""
    joined = {"hash": hash_of((content["hash"] + following["hash"]).encode())}
    if content.get("inputs") is None and following.get("inputs") is None:
        return joined
    inputs = dict(content.get("inputs") or {})
    for role, new in (following.get("inputs") or {}).items():
        known = inputs.get(role)
        if known is None:
            inputs[role] = new
        elif new is not None and known != new:
            inputs[role] = content_append(known, new)
    joined["inputs"] = inputs
    return joined


def prune(tree, generations=MAX_GENERATIONS):
    """A provenance or content, cut to so many generations."""
    if not isinstance(tree, dict):
        return None
    tree = dict(tree)
    if generations <= 1:
        tree.pop("inputs", None)
    elif isinstance(tree.get("inputs"), dict):
        tree["inputs"] = {role: prune(value, generations - 1) for role, value in tree["inputs"].items()}
    return tree


def create_header(kind, **keys):
    return {"format": FORMAT, "version": VERSION, "kind": kind, **keys}


def sign(header, tool, version="", options=None, **inputs):
    """Makes `tool` the producer; inputs are role=header, or None for what is no stream."""
    header["provenance"] = {
        "tool": tool, "version": version, "options": options or {},
        "inputs": {role: prune((value or {}).get("provenance")) for role, value in inputs.items()}}
    return header


def derive(header, tool, **options):
    """The header of what `tool` makes from a stream with this header, if nothing else changes in it."""
    return sign(copy.deepcopy(header), tool, options=options, stream=header)


class Index:
    """Gathers what stands behind a segment for finding: frames are (size, decompressed size, hash, records)."""

    def __init__(self):
        self.frames, self.keys = [], []

    def add_key(self, key):
        self.keys.append(Hash64(key).intdigest())

    def pack(self, end, with_keys=True):
        offset, plain, first, frames = 0, 0, 0, b""
        for size, plain_size, value, records in self.frames:
            frames += struct.pack("<4Q", offset, plain, first, value)
            offset, plain, first = offset + size, plain + plain_size, first + records
        pairs = sorted((key, number) for number, key in enumerate(self.keys)) if with_keys else []
        keys = b"".join(struct.pack("<QI", *pair) for pair in pairs)
        size = 56 + len(frames) + len(end) + len(keys) + 24
        if size >= 1 << 32:
            return self.pack(end, False) if with_keys else b""
        head = INDEX_MAGIC + struct.pack("<I6Q", size - 8, offset, plain, first, len(self.frames), len(pairs), len(end))
        return head + frames + end + keys + struct.pack("<2Q", Hash64(head + frames + end).intdigest(), size) + INDEX_WORD


class Frame:
    """Where one begins, in the file and decompressed; what is in it so far."""

    def __init__(self, offset, start):
        self.offset, self.start, self.size, self.plain, self.hash = offset, start, 0, 0, Hash64()

    def add(self, size, plain):
        self.size, self.plain = self.size + size, self.plain + len(plain)
        self.hash.update(plain)


class Input:
    """The decompressed bytes of a file of zstd frames, and what an index should say of these."""

    def __init__(self, file, check_index):
        self.file, self.bytes, self.frame, self.any = file, b"", None, False
        self.offset, self.plain, self.frames = 0, 0, []
        self.check_index = check_index

    def chunks(self):
        while True:
            if self.frame is None and not self._start_frame():
                return
            try:
                out = self.frame.decompress(self.bytes) if self.bytes else b""
            except zstandard.ZstdError as error:
                raise Error(f"damaged: {error}") from None
            used = len(self.bytes)
            self.bytes = self.frame.unused_data
            used -= len(self.bytes)
            self.offset, self.plain = self.offset + used, self.plain + len(out)
            self.last.add(used, out)
            if self.frame.eof:
                self.frame = None
            elif not self._more():
                raise Error("cut off within a zstd frame")
            if out:
                yield out

    def _more(self):
        got = self.file.read(1 << 17)
        self.bytes += got
        return bool(got)

    def _need(self, size):
        while len(self.bytes) < size and self._more():
            pass
        return len(self.bytes) >= size

    def _start_frame(self):
        while self._need(4) and self.bytes[1:4] == b"\x2a\x4d\x18" and self.bytes[0] & 0xF0 == 0x50:
            self.any = True
            self._skip_frame()
        if not self.bytes:
            return False
        if self.bytes[:4] != b"\x28\xb5\x2f\xfd":
            raise Error("bytes follow that belong to no stream" if self.any else "not a .pmt stream")
        self.any, self.last = True, Frame(self.offset, self.plain)
        self.frames.append(self.last)
        self.frame = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW).decompressobj()
        return True

    def _skip_frame(self):
        if not self._need(8):
            raise Error("cut off within a zstd frame")
        left = 8 + struct.unpack("<I", self.bytes[4:8])[0]
        self.offset += left
        if self.bytes[:4] == INDEX_MAGIC and self._need(left) and self.bytes[:left].endswith(INDEX_WORD):
            self.check_index(self.bytes[:left])
        while left > len(self.bytes):
            left -= len(self.bytes)
            self.bytes = b""
            if not self._more():
                raise Error("cut off within a zstd frame")
        self.bytes = self.bytes[left:]


def check_json(value, levels=MAX_LEVELS):
    """Is it what a header may hold? Returns how many values it has."""
    if isinstance(value, (dict, list)) and levels == 0:
        raise Error("nested too deeply")
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str) or "\0" in key or len(key.encode()) > MAX_KEY:
                raise Error("a key is not a string, has a NUL or is too long")
        count = len(value) + sum(check_json(member, levels - 1) for member in value.values())
    elif isinstance(value, list):
        count = sum(check_json(member, levels - 1) for member in value)
    elif value is None or isinstance(value, (bool, str)):
        count = len(value.encode()) * 0 if isinstance(value, str) else 0
    elif isinstance(value, int) and value < 1 << 63 or isinstance(value, float) and math.isfinite(value):
        count = 0
    else:
        raise Error("holds what a header may not")
    return count + 1


def unique(pairs):
    result = dict(pairs)
    if len(result) != len(pairs):
        raise Error("a key comes twice")
    return result


class Reader:
    """Iterates over (key, {name: array}). After the end, `content` is what add_content of a Writer takes."""

    def __init__(self, path="-"):
        self.name = "standard input" if path == "-" else str(path)
        self.file = sys.stdin.buffer if path == "-" else open(path, "rb")
        self.header, self.content, self.count = None, None, 0
        self._input = Input(self.file, self._check_index)
        self._chunks = self._input.chunks()
        # A string may be a record's key, of any bytes; surrogateescape keeps them, check_json refuses them.
        self._unpacker = msgpack.Unpacker(
            raw=False, unicode_errors="surrogateescape", object_pairs_hook=unique, strict_map_key=True,
            max_buffer_size=1 << 62, max_str_len=MAX_HEADER, max_bin_len=2**32 - 1, max_array_len=MAX_VALUES,
            max_map_len=MAX_VALUES, max_ext_len=0)
        self._raw, self._base = bytearray(), 0  # bytes not yet hashed, and where in the stream they start
        self._segment, self._hash, self._in_segment = 0, None, False
        self._index, self._end, self._firsts = Index(), b"", []  # records before each frame that a value begins
        self._objects = self._read()
        try:
            self._next_record(first=True)
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if self.file is not sys.stdin.buffer:
            self.file.close()

    def __iter__(self):
        while (record := self._next_record()) is not None:
            yield record

    def _next_record(self, first=False):
        """The next record, or None at the end; with `first`, only up to the first header."""
        try:
            for value in self._objects:
                if isinstance(value, list):
                    return self._take_record(value)
                self._take_map(value)
                if first:
                    return None
            if self._in_segment or self.header is None:
                raise Error("the stream ends here without an end record" if self.header else "empty")
            return None
        except (Error, ValueError, OverflowError, RecursionError, msgpack.UnpackException) as error:
            place = "header" if self.header is None else f"record {self.count + 1}" if self._in_segment else \
                f"behind record {self.count}"
            raise Error(f"{self.name}: {place}: {str(error) or type(error).__name__}") from None

    def _read(self):
        for chunk in self._chunks:
            self._raw += chunk
            self._unpacker.feed(chunk)
            while True:
                try:
                    value = self._unpacker.unpack()
                except msgpack.OutOfData:
                    break
                yield value
            self._check_pending()
        if self._raw:
            raise Error("the stream ends here without an end record")

    def _check_pending(self):
        """A map that goes on without end is refused before it is whole."""
        if self._raw and (self._raw[0] & 0xF0 == 0x80 or self._raw[0] in (0xDE, 0xDF)) and len(self._raw) > MAX_HEADER:
            raise Error("larger than is allowed")

    def _take_bytes(self):
        """The bytes of the value that was unpacked last."""
        end = self._unpacker.tell() - self._base
        taken = bytes(self._raw[:end])
        frames = self._input.frames
        while len(self._firsts) < len(frames) and frames[len(self._firsts)].start <= self._base:
            self._firsts.append(self._segment if frames[len(self._firsts)].start == self._base else None)
        del self._raw[:end]
        self._base += end
        return taken

    def _take_map(self, value):
        taken = self._take_bytes()
        if not isinstance(value, dict):
            raise Error("neither a record, nor a header, nor an end record")
        if len(taken) > MAX_HEADER or check_json(value) > MAX_VALUES:
            raise Error("larger than is allowed")
        if self._in_segment:
            self._take_end(value)
            self._end = taken
        else:
            self._take_header(value)
            self._hash = Hash()
            self._hash.update(taken)
            self._begin_segment(self._base - len(taken))
            self._segment, self._in_segment = 0, True

    def _begin_segment(self, start):
        """Forgets the frames before a header."""
        frames = self._input.frames
        frames[:] = [frame for frame in frames if frame.start >= start]
        self._firsts[:] = [0 if frames[0].start == start else None] if frames else []
        self._index.keys.clear()

    def _check_index(self, claimed):
        """Is it what the segment before it has? A part of a stream that has none has nothing to check."""
        frames = self._input.frames
        firsts = self._firsts + [self._segment] * (len(frames) + 1 - len(self._firsts))
        self._index.frames = [(frame.size, frame.plain, frame.hash.intdigest(), end - first) for frame, first, end
                              in zip(frames, firsts, firsts[1:]) if None not in (first, end)]
        fits = not self._in_segment and len(self._index.frames) == len(frames)
        if not fits or claimed not in (self._index.pack(self._end), self._index.pack(self._end, False)):
            raise Error("its index is damaged")
        frames.clear()
        self._firsts.clear()

    def _take_header(self, header):
        if header.get("format") != FORMAT:
            raise Error(f'not a .pmt stream (its header has no "format": "{FORMAT}")')
        if type(header.get("version")) is not int or header["version"] != VERSION:
            raise Error(f"version {header.get('version')} of the format; this reads version {VERSION}")
        if not isinstance(header.get("kind"), str):
            raise Error("it has no kind")
        if not all(isinstance(header.get(key, {}), dict) for key in ASIDES):
            raise Error("its provenance or its info is not a map")
        if self.header is None:
            self.header = header
        elif not equal(self.header, header, *ASIDES):
            raise Error("a stream follows whose header differs from the first")

    def _take_end(self, end):
        digest = self._hash.digest()
        if end.get("end") is not True:
            raise Error("neither a record nor an end record")
        if type(end.get("records")) is not int or end["records"] != self._segment:
            raise Error(f"the end record counts {end.get('records')} records, but {self._segment} came")
        if end.get("hash") != digest:
            raise Error(f"the end record has the hash {end.get('hash')}, but the content has {digest}")
        if not isinstance(end.get("inputs", {}), dict):
            raise Error("the inputs of the end record are not a map")
        content = {"hash": digest}
        if "inputs" in end:
            content["inputs"] = end["inputs"]
        self.content = content_append(self.content, content) if self.content else content
        self._in_segment = False

    def _take_record(self, value):
        taken = self._take_bytes()
        if not self._in_segment:
            raise Error("a header must come here")
        self._hash.update(taken)
        record = parse_record(value)
        self._index.add_key(record[0])
        self.count += 1
        self._segment += 1
        return record


def equal(one, two, *but):
    """Are two JSON values equal, types included (1 is not 1.0 or True)?"""
    def plain(value):
        return json.dumps({key: member for key, member in value.items() if key not in but}, sort_keys=True)
    return plain(one) == plain(two)


def parse_record(value):
    if len(value) != 2 or not isinstance(value[1], list) or len(value[1]) > MAX_TENSORS:
        raise Error(f"a record must be [key, tensors], with at most {MAX_TENSORS} tensors")
    key, tensors = value[0], {}
    if isinstance(key, str):
        key = key.encode("utf-8", "surrogateescape")
    if not isinstance(key, bytes) or len(key) > MAX_KEY:
        raise Error("its key is neither binary nor a string, or too long")
    for fields in value[1]:
        name, array = parse_tensor(fields)
        if name in tensors:
            raise Error(f"two tensors have the name '{name}'")
        tensors[name] = array
    return key, tensors


def parse_tensor(fields):
    if not isinstance(fields, list) or len(fields) != 4:
        raise Error("a tensor must be [name, dtype, shape, data]")
    name, dtype, shape, data = fields
    if not isinstance(name, str) or "\0" in name or not 1 <= len(name.encode("utf-8", "surrogateescape")) <= MAX_NAME:
        raise Error(f"a tensor's name must have 1 to {MAX_NAME} bytes, none of them NUL")
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise Error(f"tensor '{name}' has the dtype {dtype!r}, which is not known")
    size = check_shape(name, DTYPES[dtype].itemsize, shape)
    if isinstance(data, list):
        if len(data) > MAX_PARTS or not all(isinstance(part, bytes) for part in data):
            raise Error("a part of a tensor is not binary data, or there are too many")
        data = b"".join(data)
    if not isinstance(data, bytes):
        raise Error(f"the data of tensor '{name}' is not binary")
    if len(data) != size:
        raise Error(f"tensor '{name}' is {dtype} {shape}, {size} bytes, but has {len(data)} bytes of data")
    if dtype == "bool" and data.strip(b"\0\1"):
        raise Error(f"tensor '{name}' is bool, but has bytes other than 0 and 1")
    return name, np.frombuffer(data, DTYPES[dtype]).reshape(shape)


def check_shape(name, item, shape):
    if not isinstance(shape, list) or len(shape) > MAX_DIMENSIONS:
        raise Error(f"tensor '{name}' needs a shape of at most {MAX_DIMENSIONS} dimensions")
    if not all(type(extent) is int and extent >= 0 for extent in shape):
        raise Error(f"tensor '{name}' has a dimension that is not a whole number")
    if math.prod(extent for extent in shape if extent) * item >= 1 << 63:
        raise Error(f"the shape of tensor '{name}' has more elements than can be counted")
    return math.prod(shape) * item


def output_target(path):
    """Where an output goes, links followed, and whether that is a file, or none yet, which is to be replaced."""
    for _ in range(40):
        if not os.path.islink(path):
            break
        folder = os.path.dirname(path)
        if os.path.realpath(folder).startswith("/proc/"):  # leads to what is open, not to a name
            return path, False
        path = os.path.join(folder, os.readlink(path))
    return path, os.path.isfile(path) or not os.path.exists(path)


def lock(file):
    """Locks a file until it is closed; False when another writer took it for one that was left."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # no locks here: nobody else has them either
        pass
    return os.fstat(file.fileno()).st_nlink > 0


def remove_left(folder, name):
    """Removes what writers of this file had not finished when they were killed: nobody holds it locked."""
    with os.scandir(folder) as entries:
        files = [entry for entry in entries if entry.is_file(follow_symlinks=False)]
    for entry in files:
        if re.fullmatch(rf"\.{re.escape(name)}\.[0-9a-f]{{16}}", entry.name):
            with contextlib.suppress(OSError), open(entry.path, "r+b") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.unlink(entry.path)


class Output:
    """A file that appears under its name at commit, or something that is written in place: a device, a pipe, a
    descriptor (/dev/stdout), and "-", standard output."""

    def __init__(self, path):
        self._path, self._partial = None, None
        if path == "-":
            self.file = sys.stdout.buffer
            return
        target, replaced = output_target(os.fspath(path))
        if replaced:
            self._begin(target)
            return
        folder, name = os.path.split(target)
        own = os.path.realpath(folder) == f"/proc/{os.getpid()}/fd"
        self.file = open(os.dup(int(name)) if own else target, "wb")

    def _begin(self, target):
        folder, name = os.path.split(target)
        remove_left(folder or ".", name)
        self._path, self.file = target, None
        while not self.file or not lock(self.file):
            self._partial = os.path.join(folder, f".{name}.{secrets.token_hex(8)}")
            self.file = open(self._partial, "xb")
        if os.path.exists(target):
            os.chmod(self._partial, os.stat(target).st_mode & 0o7777)

    def commit(self):
        self.file.flush()
        if self._partial is None:
            return
        os.fsync(self.file.fileno())
        self.file.close()
        os.replace(self._partial, self._path)
        self._partial = None
        folder = os.open(os.path.dirname(self._path) or ".", os.O_RDONLY | os.O_DIRECTORY)
        os.fsync(folder)
        os.close(folder)

    def abandon(self):
        if self._partial is None:
            return
        try:
            self.file.close()
        finally:
            os.unlink(self._partial)


class Writer:
    """Writes a stream that appears under its name when it is complete. A frame ends with the record that makes it
    `frame_bytes` large."""

    def __init__(self, path, header, frame_bytes=FRAME_BYTES):
        self._output = Output(path)
        self._file = self._output.file
        self._compressor = zstandard.ZstdCompressor(level=3, write_checksum=True)
        self._frame, self._frame_bytes, self._frame_start, self._index = bytearray(), frame_bytes, 0, Index()
        self._packer = msgpack.Packer(use_bin_type=True)
        self._hash, self.count, self.contents = Hash(), 0, {}
        try:
            check_json(header)
            self._put(self._packer.pack(header))
        except BaseException:
            self.abandon()
            raise

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            self.close()
        else:
            self.abandon()

    def _put(self, data):
        self._hash.update(data)
        self._frame += data

    def _end_frame(self):
        packed = self._compressor.compress(self._frame)
        self._file.write(packed)
        value = Hash64(self._frame).intdigest()
        self._index.frames.append((len(packed), len(self._frame), value, self.count - self._frame_start))
        self._frame, self._frame_start = bytearray(), self.count

    def write(self, key, tensors):
        """key: bytes or str; tensors: {name: array of a dtype in DTYPES}."""
        key = key.encode() if isinstance(key, str) else bytes(key)
        fields = []
        for name, array in tensors.items():
            array = np.asarray(array)
            dtype = NAMES[array.dtype.newbyteorder("<") if array.dtype != BF16 else BF16]
            data = array.astype(DTYPES[dtype], copy=False).tobytes()
            parts = [data[at:at + PART_BYTES] for at in range(0, len(data), PART_BYTES)]
            fields.append([name, dtype, list(array.shape), data if len(data) <= PART_BYTES else parts])
        parse_record([key, fields])
        self._put(self._packer.pack([key, fields]))
        self._index.add_key(key)
        self.count += 1
        if len(self._frame) >= self._frame_bytes:
            self._end_frame()

    def add_content(self, role, content):
        """Says what the input in this role turned out to be: a Reader's content, or {"hash": hash_of(bytes)}."""
        self.contents[role] = prune(content)

    def close(self):
        end = {"end": True, "records": self.count, "hash": self._hash.digest(), "inputs": self.contents}
        try:
            end = self._packer.pack(end)
            self._put(end)
            self._end_frame()
            self._file.write(self._index.pack(end))
            self._output.commit()
        except BaseException:
            self.abandon()
            raise

    def abandon(self):
        self._output.abandon()


def copy_stream(path, output):
    with Reader(path) as reader, Writer(output, reader.header) as writer:
        for key, tensors in reader:
            writer.write(key, tensors)
        for role, content in (reader.content.get("inputs") or {}).items():
            writer.add_content(role, content)


def escape(key):
    """As pm-cat --keys prints a key: control bytes as \\t, \\n, \\xNN."""
    special = {9: b"\\t", 10: b"\\n", 92: b"\\\\"}
    return b"".join(special.get(byte, b"\\x%02x" % byte if byte < 32 or byte == 127 else bytes([byte])) for byte in key)


def print_keys(key, tensors):
    for name, array in tensors.items():
        shape = ",".join(map(str, array.shape))
        line = f"\t{name}\t{NAMES[array.dtype]}\t[{shape}]\n".encode()
        sys.stdout.buffer.write(escape(key) + line)
    if not tensors:
        sys.stdout.buffer.write(escape(key) + b"\n")


def look(command, path):
    with Reader(path) as reader:
        for key, tensors in reader:
            if command == "keys":
                print_keys(key, tensors)
        if command == "header":
            print(json.dumps({**reader.header, "content": reader.content, "records": reader.count}, indent=2))
        if command == "verify":
            print(f"{reader.name}: {reader.header['kind']}, {reader.count} records, {reader.content['hash']}")


def main():
    parser = argparse.ArgumentParser(description="Reads tensor streams (.pmt); copy writes one again.")
    parser.add_argument("command", choices=["verify", "keys", "header", "copy"])
    parser.add_argument("file", nargs="*", default=["-"])
    parser.add_argument("-o", "--output", default="-", help="of copy")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that nothing half-written is left
    failed = False
    for path in arguments.file:
        try:
            if arguments.command == "copy":
                copy_stream(path, arguments.output)
            else:
                look(arguments.command, path)
        except (Error, OSError) as error:
            print(f"pmt.py: {error}", file=sys.stderr)
            failed = True
    sys.exit(failed)


if __name__ == "__main__":
    main()
