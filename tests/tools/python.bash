# Sets $python to one that can read streams.
need_python() {
    local candidate
    for candidate in python3 /usr/bin/python3; do
        if "$candidate" -c 'import msgpack, zstandard, numpy' 2> /dev/null; then
            python=$candidate
            return
        fi
    done
    skip "no Python with msgpack, zstandard and numpy"
}
