# Sets $python to one that can read streams.
need_python() {
    local candidate
    for candidate in python3 /usr/bin/python3; do
        if "$candidate" -c 'import msgpack, zstandard, numpy' 2> /dev/null; then
            python=$candidate
            return
        fi
    done
    skip "no Python with msgpack, zstandard and numpy; sudo make deps installs them"
}

# large_states FILE: text.pmt with hidden states of item a0007 that the first product takes beyond f32.
large_states() {
    "$python" - "$1" <<'END'
import os, sys
sys.path.insert(0, os.environ["PROJECT"] + "/formats")
import pmt
with pmt.Reader("text.pmt") as reader, pmt.Writer(sys.argv[1], pmt.derive(reader.header, "test")) as writer:
    for key, tensors in reader:
        hidden = tensors["hidden"].copy()
        if key == b"a0007":
            hidden[1] = 3e38
        writer.write(key, {"hidden": hidden})
END
}

# large_vectors FROM TO: item vectors of which that of the 21st item gives scores beyond f32.
large_vectors() {
    "$python" - "$@" <<'END'
import os, sys
sys.path.insert(0, os.environ["PROJECT"] + "/formats")
import pmt
with pmt.Reader(sys.argv[1]) as reader, pmt.Writer(sys.argv[2], reader.header) as writer:
    for i, (key, tensors) in enumerate(reader):
        writer.write(key, {"vector": tensors["vector"] * (3e38 if i == 20 else 1)})
END
}
