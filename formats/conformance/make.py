#!/usr/bin/env python3
"""Makes the conformance streams: good/ and bad/ beside this file (or in a folder that is given), and streams.tsv,
which lists each with its verdict, its number of records where it is good, and what it is."""
import struct
import sys
from pathlib import Path

import msgpack
import numpy as np
import zstandard

sys.path.insert(0, str(Path(__file__).parents[1]))
import pmt  # noqa: E402

folder = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent)
table = []


def pack(value):
    return msgpack.packb(value, use_bin_type=True)


def compress(data, **parameters):
    parameters = {"write_checksum": True, **parameters}
    parameters = zstandard.ZstdCompressionParameters.from_level(3, **parameters)
    return zstandard.ZstdCompressor(compression_params=parameters).compress(data)


def compress_with_window(data, window_log):
    """Of unknown size, as otherwise the window shrinks to the size of the data."""
    parameters = zstandard.ZstdCompressionParameters.from_level(3, window_log=window_log)
    compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    return compressor.compress(data) + compressor.flush()


def skippable(data):
    return b"\x5a\x2a\x4d\x18" + struct.pack("<I", len(data)) + data


def end_of(body, records, **changes):
    end = {"end": True, "records": records, "hash": pmt.hash_of(body), "inputs": {}, **changes}
    return pack({key: value for key, value in end.items() if value != "absent"})


def segment(header, values, **changes):
    """The decompressed bytes of a segment whose values are msgpack already or are packed here."""
    parts = [value if isinstance(value, bytes) else pack(value) for value in [header, *values]]
    body = b"".join(parts)
    return body + end_of(body, **{"records": len(values), **changes})


def record(key=b"v1", *tensors):
    return [key, list(tensors) or [tensor()]]


def tensor(name="hidden", dtype="f32", shape=(2, 3), data=None):
    size = int(np.prod([extent for extent in shape])) * pmt.DTYPES.get(dtype, np.dtype("u1")).itemsize
    data = bytes(i % 60 for i in range(size)) if data is None else data
    return [name, dtype, list(shape), data]


def save(verdict, name, data, what, records="-"):
    path = folder / verdict / f"{name}.pmt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    table.append(f"{verdict}/{name}.pmt\t{verdict}\t{records}\t{what}\n")


def good(name, plain, what, records):
    save("good", name, plain if plain[:4] in (b"\x28\xb5\x2f\xfd", b"\x5a\x2a\x4d\x18") else compress(plain), what, records)


def bad(name, plain, what):
    save("bad", name, compress(plain), what)


def written(kind, records, keys, frame_bytes=pmt.FRAME_BYTES):
    """As the Writer writes it."""
    path = folder / "written.tmp"
    with pmt.Writer(path, pmt.sign(pmt.create_header(kind, **keys), "make.py", items=None), frame_bytes) as writer:
        for key, tensors in records:
            writer.write(key, tensors)
        writer.add_content("items", {"hash": pmt.hash_of(b"v1\ttext\n")})
    data = path.read_bytes()
    path.unlink()
    return data


rng = np.random.default_rng(1)
floats = rng.standard_normal((5, 4)).astype("<f4")
bert = {"model_type": "bert", "hidden_size": 4, "num_hidden_layers": 2, "num_attention_heads": 2}
header = pmt.create_header("hidden", modality="text", encoder=bert, blocks=2, width=3)
plain = segment(header, [record(b"v1"), record(b"v2"), record(b"v3")])
first, rest = plain[:len(pack(header))], plain[len(pack(header)):]


def make_kinds():
    ids = np.arange(7, dtype="<i4")
    good("tokens", written("tokens", [("v1", {"ids": ids}), ("v2", {"ids": ids[:2]})],
                           {"tokenizer": "sentencepiece", "vocabulary_size": 100, "max_tokens": 50}), "kind tokens", 2)
    for dtype in "f32", "bf16", "i8":
        keys = {"modality": "text", "encoder": bert, "blocks": 1, "width": 4}
        records = [("v1", pmt.hidden_tensors(floats, dtype)), ("v2", pmt.hidden_tensors(floats[:1], dtype))]
        good(f"hidden-{dtype}", written("hidden", records, keys), f"kind hidden, {dtype}", 2)
    pixels = {"channels": 3, "size": 2}
    good("pixels-f32", written("pixels", [("v1", {"pixels": floats[:3].reshape(3, 2, 2)})], pixels), "kind pixels, normalised", 1)
    good("pixels-u8", written("pixels", [("v1", {"pixels": np.arange(12, dtype="u1").reshape(2, 2, 3)})], pixels), "kind pixels, bytes", 1)
    good("items", written("items", [(f"v{i}", {"vector": floats[i]}) for i in range(5)], {"dim": 4}), "kind items", 5)
    weights = [("embeddings.LayerNorm.weight", {"value": floats[0]}), ("pooler.dense.weight", {"value": floats[:4]})]
    good("encoder", written("encoder", weights, {"modality": "text", "config": bert}), "kind encoder", 2)
    model = [("user_encoder.norm.weight", {"value": floats[0]}), ("text_encoder.pooler.weight", {"value": floats[:4]})]
    good("model", written("model", model, {"config": {"dim": 4, "lr": 0.001, "seed": 1}, "text_encoder": bert}), "kind model", 2)


def make_records():
    every = [tensor(name, name, (2,)) for name in pmt.DTYPES]
    good("dtypes", segment(header, [record(b"v1", *every)]), "a tensor of every dtype", 1)
    shapes = [tensor("scalar", "f32", ()), tensor("none", "i64", (0,)), tensor("none-of-3", "u8", (0, 3)),
              tensor("eight", "u8", (1, 2, 1, 2, 1, 2, 1, 2)), tensor("wide", "f32", (0, 2**61 - 1))]
    good("shapes", segment(header, [record(b"v1", *shapes)]), "a scalar, no elements, 8 dimensions", 1)
    good("tensors-16", segment(header, [record(b"v1", *[tensor(f"t{i}", "u8", (1,)) for i in range(16)])]), "16 tensors", 1)
    good("tensors-0", segment(header, [[b"v1", []]]), "a record without tensors", 1)
    good("records-0", segment(header, []), "no records", 0)
    good("keys", segment(header, [record(b""), record(""), record(bytes(range(256))), record("schlüssel"), record(b"k" * 65536),
                                  record(b"v1"), record(b"v1")]),
         "keys: empty, all bytes, a string, the longest, twice the same", 7)
    parts = [tensor("hidden", "f32", (2, 3), [b"abcdefg", b"", b"hijklmnopqrstuvw", b"x"]), tensor("none", "f32", (0,), []),
             tensor("empty-first", "u8", (4,), [b"", b"", b"ab", b"", b"cd", b""]), tensor("empty", "u8", (0,), [b"", b""])]
    good("parts", segment(header, [record(b"v1", *parts), record(b"v2")]), "data in parts", 2)
    good("parts-1024", segment(header, [record(b"v1", tensor("t", "u8", (1024,), [b"x"] * 1024))]), "as many parts as may be", 1)
    good("name-256", segment(header, [record(b"v1", tensor("n" * 256))]), "the longest name of a tensor", 1)


def make_headers():
    extra = {**header, "x": {"list": [None, True, -1, 2**63 - 1, -2**63, 0.5, "ü\0", ""], "map": {"": {}, "empty": ""}}, "": ""}
    good("header-unknown-keys", segment(extra, [record()]), "values of all types under unknown keys", 1)
    deep = 0
    for _ in range(30):
        deep = [deep]
    good("header-31-levels", segment({**header, "x": deep}, [record()]), "31 levels", 1)
    provenance = None
    for i in range(12):
        provenance = {"tool": f"tool-{i}", "version": "1", "options": {"seed": i}, "inputs": {"stream": provenance}}
    good("header-12-generations", segment({**header, "provenance": provenance}, [record()]), "12 generations of descent", 1)
    wide = b"\x84" + b"".join(pack(name) for name in ("format", "pmt", "version")) + b"\xcf" + struct.pack(">Q", 1)
    wide += pack("kind") + b"\xdb" + struct.pack(">I", 6) + b"hidden" + pack("scale") + b"\xca" + struct.pack(">f", 0.5)
    body = wide + b"\xdd" + struct.pack(">I", 2) + b"\xc6" + struct.pack(">I", 2) + b"v1" + pack([tensor()])
    good("wide-encodings", body + end_of(body, 1), "lengths and numbers in more bytes than they need, a float of 32 bits", 1)
    good("end-without-inputs", segment(header, [record()], inputs="absent"), "no inputs in the end record", 1)
    good("end-unknown-keys", segment(header, [record()], more=[1, "x"]), "unknown keys in the end record", 1)


def make_frames():
    good("frame-a-value", b"".join(compress(part) for part in (first, rest[:70], rest[70:])), "a frame for the header, others later", 3)
    good("frame-a-byte", b"".join(compress(plain[i:i + 1]) for i in range(len(plain))), "a frame for every byte", 3)
    good("frames-empty", compress(b"") + compress(plain) + compress(b""), "empty frames before and behind", 3)
    good("frames-skippable", skippable(b"hello") + compress(first) + skippable(b"") + compress(rest) + skippable(b"x" * 300),
         "skippable frames", 3)
    good("no-checksum", compress(plain, write_checksum=False), "no content checksum", 3)
    good("no-content-size", compress(plain, write_content_size=False), "no content size", 3)
    good("window-128m", compress_with_window(plain, 27), "the largest window", 3)
    other = {**header, "provenance": {"tool": "other", "version": "2", "options": {}, "inputs": {}}}
    more = segment(other, [record(b"v4")], inputs={"items": {"hash": "xxh3:" + "0" * 32}})
    good("segments", compress(plain) + compress(more), "two streams behind each other", 4)
    good("segments-one-frame", plain + more, "two streams in one frame", 4)
    good("segments-3", compress(plain) + skippable(b"-") + compress(more) + compress(segment(header, [])), "three streams, the last without records", 4)


class Indexed:
    """A stream in parts, so that a part can be altered: frames, then the index as its numbers and bytes."""

    def __init__(self, records=20, frame_bytes=200):
        whole = written("hidden", [(f"v{i}", {"hidden": floats[i % 5]}) for i in range(records)], {"width": 4}, frame_bytes)
        size = struct.unpack("<Q", whole[-16:-8])[0]
        self.frames, index = whole[:-size], whole[-size:]
        self.head = dict(zip(("length", "plain", "records", "frames", "keys", "end"), struct.unpack("<6Q", index[8:56])))
        at = 56 + 32 * self.head["frames"]
        self.table = [list(struct.unpack("<4Q", index[i:i + 32])) for i in range(56, at, 32)]
        self.end = index[at:at + self.head["end"]]
        keys = index[at + self.head["end"]:-24]
        self.keys = [list(struct.unpack("<QI", keys[i:i + 12])) for i in range(0, len(keys), 12)]

    def bytes(self, size=None, check=None, word=b"pmtindex"):
        body = struct.pack("<6Q", *self.head.values()) + b"".join(struct.pack("<4Q", *frame) for frame in self.table) + self.end
        keys = b"".join(struct.pack("<QI", *key) for key in self.keys)
        head = b"\x5d\x2a\x4d\x18" + struct.pack("<I", 8 + len(body) + len(keys) + 16)
        check = pmt.Hash64(head + body).intdigest() if check is None else check
        size = len(head + body + keys) + 24 if size is None else size
        return self.frames + head + body + keys + struct.pack("<2Q", check, size) + word


def make_indices():
    good("index-frames", Indexed().bytes(), "an index of many frames", 20)
    good("index-segments", Indexed().bytes() + Indexed(3).bytes(), "two streams, each with an index", 23)
    good("index-mixed", compress(segment(pmt.create_header("hidden", width=4), [])) + Indexed().bytes(), "an index behind the second stream only", 20)
    bare = Indexed()
    bare.keys, bare.head["keys"] = [], 0
    good("index-without-keys", bare.bytes(), "an index without keys", 20)
    good("index-absent", Indexed().frames, "many frames, no index", 20)
    good("index-other-word", Indexed().bytes(word=b"otherone"), "another program's skippable frame of the same number", 20)
    good("info", compress(segment({**header, "info": {"created": 1}}, [record()])) + compress(segment({**header, "info": {"by": "x"}}, [record()])),
         "notes that differ between two streams", 2)


def lie(name, what, change, **arguments):
    stream = Indexed()
    change(stream)
    save("bad", f"index-{name}", stream.bytes(**arguments), f"index: {what}")


def set_head(key, delta):
    return lambda stream: stream.head.__setitem__(key, (stream.head[key] + delta) % 2**64)


def set_frame(field, delta, number=2):
    return lambda stream: stream.table[number].__setitem__(field, (stream.table[number][field] + delta) % 2**64)


def swap_frames(stream):
    stream.table[1], stream.table[2] = stream.table[2], stream.table[1]


def drop_frame(stream):
    del stream.table[2]
    stream.head["frames"] -= 1


def rename_key(stream):
    stream.keys[3][0] ^= 1 << 20


def flip(stream):
    at = stream.table[2][0] + 30
    stream.frames = stream.frames[:at] + bytes([stream.frames[at] ^ 4]) + stream.frames[at + 1:]


def make_bad_indices():
    for key in "length", "plain", "records", "frames", "keys", "end":
        for delta, words in (1, "one more"), (-1, "one less"), (2**62, "2^62 more"):
            lie(f"{key}{delta if abs(delta) == 1 else '-huge'}".replace("-1", "-less").replace("1", "-more"),
                f"{key}: {words}", set_head(key, delta))
    for field, key in enumerate(("offset", "plain", "first", "hash")):
        lie(f"frame-{key}", f"a frame's {key} is wrong", set_frame(field, 1))
        lie(f"frame-{key}-0", f"the first frame's {key} is wrong", set_frame(field, 1, 0))
        lie(f"frame-{key}-huge", f"a frame's {key} is 2^63 more", set_frame(field, 2**63))
    lie("frames-swapped", "frames out of order", swap_frames)
    lie("frames-dropped", "a frame is left out", drop_frame)
    lie("keys-unsorted", "keys out of order", lambda stream: stream.keys.reverse())
    lie("keys-wrong", "the hash of no key", rename_key)
    lie("keys-number", "a key of a record that is not there", lambda stream: stream.keys[3].__setitem__(1, 20))
    lie("end", "another end map", lambda stream: setattr(stream, "end", stream.end.replace(b"\x14", b"\x15")))
    lie("end-long", "an end map with bytes behind it", lambda stream: (setattr(stream, "end", stream.end + b"\xc0"), set_head("end", 1)(stream)))
    lie("check", "a wrong hash of itself", lambda stream: None, check=1)
    lie("size", "a wrong size of itself", lambda stream: None, size=100)
    lie("size-huge", "a size of 2^63", lambda stream: None, size=2**63)
    lie("damage", "a frame that was damaged", flip)
    bad("info", segment({**header, "info": []}, [record()]), "header: notes that are no map")


def make_bad_files():
    save("bad", "empty", b"", "an empty file")
    save("bad", "text", b"v1\tA text about an item\n", "a text")
    save("bad", "gzip", b"\x1f\x8b\x08\0\0\0\0\0\0\xff\x03\0\0\0\0\0\0\0\0\0", "another program's file")
    save("bad", "half-magic", b"\x28\xb5", "half of what a frame starts with")
    save("bad", "only-skippable", skippable(b"hello"), "nothing but a skippable frame")
    bad("only-empty-frame", b"", "nothing but an empty frame")
    bad("compressed-text", b"v1\tA text about an item\n", "a compressed text")
    whole = compress(plain)
    save("bad", "cut-frame", whole[:-20], "cut within a frame")
    save("bad", "cut-checksum", whole[:-1], "the last byte is missing")
    save("bad", "cut-skippable", whole + skippable(b"hello")[:-2], "cut within a skippable frame")
    save("bad", "cut-frames", compress(first) + compress(rest)[:30], "cut within a second frame")
    bad("cut-header", first[:-3], "cut within the header, at the end of a frame")
    bad("cut-behind-header", first, "nothing but a header")
    bad("cut-record", first + rest[:30], "cut within a record, at the end of a frame")
    bad("cut-behind-record", first + pack(record()), "no end record")
    bad("cut-end", plain[:-3], "cut within the end record, at the end of a frame")
    save("bad", "cut-second-segment", compress(plain) + compress(first), "the second stream has no end record")
    save("bad", "garbage", whole + b"garbage", "bytes behind the end")
    save("bad", "zeros", whole + bytes(16), "zeros behind the end")
    save("bad", "garbage-2", whole + b"\x28\xb5", "two bytes behind the end")
    flipped = bytearray(whole)
    flipped[-1] ^= 1
    save("bad", "checksum", bytes(flipped), "the content checksum is wrong")
    save("bad", "window-256m", compress_with_window(plain, 28), "a window above 128 MiB")
    save("bad", "dictionary", b"\x28\xb5\x2f\xfd\x23\x05\0\0\0\x05" + whole[6:], "a frame that needs a dictionary")
    bad("garbage-in-frame", plain + b"\xc0", "a value behind the end record that is no header")


def make_bad_headers():
    body = [record()]
    for name, change, what in [
            ("version-2", {"version": 2}, "a later version"), ("version-text", {"version": "1"}, "a version that is no number"),
            ("version-float", {"version": 1.0}, "a version that is no whole number"), ("format", {"format": "xyz"}, "another format"),
            ("format-1", {"format": 1}, "a format that is no string"), ("kind-1", {"kind": 1}, "a kind that is no string"),
            ("binary", {"x": b"bytes"}, "binary data in it"), ("nan", {"x": float("nan")}, "a NaN in it"),
            ("infinity", {"x": [float("inf")]}, "an infinity in it"), ("2-63", {"x": 2**63}, "a number above 2^63 - 1"),
            ("extension", {"x": msgpack.ExtType(5, b"abcd")}, "an extension type"),
            ("timestamp", {"x": msgpack.Timestamp(1)}, "a time stamp"), ("key-int", {1: 2}, "a key that is a number"),
            ("key-binary", {b"x": 2}, "a key that is binary"), ("key-nul", {"a\0b": 2}, "a key with a NUL"),
            ("key-long", {"k" * 65537: 2}, "a key that is too long"), ("provenance", {"provenance": []}, "a provenance that is no map")]:
        bad(f"header-{name}", segment({**header, **change}, body), f"header: {what}")
    for key in "format", "version", "kind":
        bad(f"header-no-{key}", segment({k: v for k, v in header.items() if k != key}, body), f"header: no {key}")
    twice = b"\x84" + b"".join(pack(v) for v in ("format", "pmt", "version", 1, "kind", "hidden", "kind", "tokens"))
    bad("header-key-twice", segment(twice, body), "header: a key twice")
    utf8 = b"\x84" + b"".join(pack(v) for v in ("format", "pmt", "version", 1, "kind", "hidden", "x")) + b"\xa2\xff\xfe"
    bad("header-utf-8", segment(utf8, body), "header: a string that is not UTF-8")
    surrogate = utf8[:-3] + b"\xa3\xed\xa0\x80"
    bad("header-surrogate", segment(surrogate, body), "header: a string with a surrogate")
    for levels, what in (31, "32 levels"), (200, "200 levels"), (100000, "100,000 levels"):
        deep = b"\x84" + b"".join(pack(v) for v in ("format", "pmt", "version", 1, "kind", "hidden", "x")) + b"\x91" * levels + b"\xc0"
        bad(f"header-{what.split()[0].replace(',', '')}-levels", segment(deep, body), f"header: {what}")
    start = b"\x84" + b"".join(pack(v) for v in ("format", "pmt", "version", 1, "kind", "hidden", "x"))
    bad("header-claims-array", start + b"\xdd\xff\xff\xff\xff", "header: an array that claims 2^32 - 1 members")
    bad("header-claims-map", start + b"\xdf\xff\xff\xff\xff", "header: a map that claims 2^32 - 1 members")
    bad("header-claims-text", start + b"\xdb\xff\xff\xff\xff", "header: a text that claims 2^32 - 1 bytes")
    bad("header-65m", segment({**header, "x": "x" * (65 << 20)}, body), "header: larger than 64 MiB")
    bad("header-values", segment({**header, "x": [0] * (1 << 20)}, body), "header: more than 2^20 values")
    bad("header-list", segment([1, 2], body), "an array where the header should be")
    bad("header-nil", segment(None, body), "nil where the header should be")
    bad("header-missing", segment(record(), body), "a record where the header should be")
    bad("header-twice", segment(header, [header, record()]), "a second header instead of a record")
    save("bad", "segments-differ", compress(plain) + compress(segment({**header, "width": 4}, body)), "two streams whose headers differ")
    save("bad", "segments-no-header", compress(plain) + compress(pack(record())), "a record behind the end record")
    save("bad", "segments-end-twice", compress(plain) + compress(end_of(plain, 0)), "two end records")


def make_bad_ends():
    for name, change, what in [
            ("false", {"end": False}, "end is false"), ("absent", {"end": "absent"}, "no end in it"),
            ("records-less", {"records": 0}, "one record less than came"), ("records-more", {"records": 2}, "one more"),
            ("records-absent", {"records": "absent"}, "no count"), ("records-float", {"records": 1.0}, "a count that is no whole number"),
            ("hash", {"hash": "xxh3:" + "0" * 32}, "another hash"), ("hash-absent", {"hash": "absent"}, "no hash"),
            ("hash-int", {"hash": 5}, "a hash that is no string"), ("inputs", {"inputs": [1]}, "inputs that are no map"),
            ("binary", {"more": b"x"}, "binary data in it")]:
        bad(f"end-{name}", segment(header, [record()], **change), f"end record: {what}")
    altered = bytearray(plain)
    altered[len(first) + 40] ^= 1
    bad("altered", bytes(altered), "a byte of a tensor was altered and the frame written anew")


def make_bad_records():
    good_data = tensor()[3]
    cases = [
        ("int", 5, "a number instead of a record"), ("text", "x", "a string instead of a record"), ("nil", None, "nil"),
        ("empty", [], "an empty array"), ("1", [b"v1"], "no tensors"), ("3", [b"v1", [tensor()], 1], "three members"),
        ("key-int", record(7), "a key that is a number"), ("key-nil", record(None), "a key that is nil"),
        ("key-list", record([b"v1"]), "a key that is an array"), ("key-long", record(b"k" * 65537), "a key that is too long"),
        ("tensors-map", [b"v1", {"hidden": tensor()}], "tensors that are a map"), ("tensors-nil", [b"v1", None], "nil for tensors"),
        ("tensors-17", record(b"v1", *[tensor(f"t{i}", "u8", (1,)) for i in range(17)]), "17 tensors"),
        ("tensor-nil", [b"v1", [None]], "a tensor that is nil"), ("tensor-3", record(b"v1", tensor()[:3]), "a tensor without data"),
        ("tensor-5", record(b"v1", tensor() + [1]), "a tensor of five members"),
        ("name-twice", record(b"v1", tensor(), tensor()), "two tensors of one name"), ("name-empty", record(b"v1", tensor("")), "a tensor without a name"),
        ("name-nul", record(b"v1", tensor("a\0b")), "a NUL in the name of a tensor"), ("name-long", record(b"v1", tensor("n" * 257)), "a name of 257 bytes"),
        ("name-binary", record(b"v1", [b"hidden", "f32", [2, 3], good_data]), "a name that is binary"),
        ("dtype-f64", record(b"v1", ["hidden", "f64", [3], good_data]), "an unknown dtype"),
        ("bool-2", record(b"v1", tensor("mask", "bool", (3,), b"\0\2\1")), "a truth value that is 2"),
        ("dtype-empty", record(b"v1", ["hidden", "", [3], good_data]), "no dtype"), ("dtype-nil", record(b"v1", ["hidden", None, [3], good_data]), "nil for a dtype"),
        ("dtype-prefix", record(b"v1", ["hidden", "f3", [6], good_data]), "the start of a dtype's name"),
        ("shape-nil", record(b"v1", ["hidden", "f32", None, good_data]), "nil for a shape"), ("shape-int", record(b"v1", ["hidden", "f32", 6, good_data]), "a number for a shape"),
        ("shape-9", record(b"v1", tensor("hidden", "f32", (1,) * 9)), "9 dimensions"),
        ("shape-negative", record(b"v1", ["hidden", "f32", [-2, -3], good_data]), "negative dimensions"),
        ("shape-float", record(b"v1", ["hidden", "f32", [2.0, 3], good_data]), "a dimension that is no whole number"),
        ("shape-bool", record(b"v1", ["hidden", "u8", [True], b"x"]), "a dimension that is a boolean"),
        ("shape-overflow", record(b"v1", ["hidden", "f32", [2**32, 2**32, 6], good_data]), "a shape whose product overflows"),
        ("shape-overflow-to-fit", record(b"v1", ["hidden", "u8", [2**32, 2**32], b""]), "a shape whose product overflows to 0"),
        ("shape-overflow-zero", record(b"v1", ["hidden", "f32", [0, 2**62], b""]), "no elements, but a dimension that cannot be counted"),
        ("shape-2-64", record(b"v1", ["hidden", "u8", [2**64 - 1], b"x"]), "the largest dimension"),
        ("data-short", record(b"v1", ["hidden", "f32", [2, 3], good_data[:-1]]), "a byte too few"),
        ("data-long", record(b"v1", ["hidden", "f32", [2, 3], good_data + b"x"]), "a byte too many"),
        ("data-empty", record(b"v1", ["hidden", "f32", [2, 3], b""]), "no data"), ("data-scalar", record(b"v1", ["hidden", "f32", [], b""]), "a scalar without data"),
        ("data-text", record(b"v1", ["hidden", "u8", [3], "abc"]), "data that is a string"), ("data-nil", record(b"v1", ["hidden", "u8", [0], None]), "nil for data"),
        ("data-map", record(b"v1", ["hidden", "u8", [0], {}]), "a map for data"),
        ("parts-text", record(b"v1", ["hidden", "u8", [2], [b"a", "b"]]), "a part that is a string"),
        ("parts-nested", record(b"v1", ["hidden", "u8", [2], [b"a", [b"b"]]]), "a part in parts"),
        ("parts-short", record(b"v1", ["hidden", "u8", [3], [b"a", b"b"]]), "parts with a byte too few"),
        ("parts-1025", record(b"v1", ["hidden", "u8", [1025], [b"x"] * 1025]), "more parts than may be")]
    for name, value, what in cases:
        bad(f"record-{name}", segment(header, [record(b"v0"), value]), f"record: {what}")
    start = first + b"\x92\xc4\x02v1\x91\x94" + pack("hidden") + pack("u8") + pack([6])
    bad("record-type-c1", first + b"\xc1", "record: the byte that msgpack never uses")
    bad("record-claims-data", start + b"\xc6\xff\xff\xff\xff" + b"x" * 50, "record: data that claims 4 GiB")
    bad("record-claims-parts", start + b"\xdd\xff\xff\xff\xff", "record: data that claims 2^32 - 1 parts")
    bad("record-claims-tensors", first + b"\x92\xc4\x02v1\xdd\xff\xff\xff\xff", "record: claims 2^32 - 1 tensors")
    bad("record-claims-key", first + b"\x92\xc6\xff\xff\xff\xff", "record: a key that claims 4 GiB")
    claimed = first + b"\x92\xc4\x02v1\x91\x94" + pack("hidden") + pack("f32") + pack([24 << 30]) + b"\xc4\x01x"
    bad("record-claims-shape", claimed + end_of(claimed, 1), "record: a shape of 96 GiB with one byte")


make_kinds()
make_records()
make_headers()
make_frames()
make_indices()
make_bad_files()
make_bad_headers()
make_bad_ends()
make_bad_records()
make_bad_indices()
(folder / "streams.tsv").write_text("".join(["file\tverdict\trecords\twhat it is\n", *table]))
