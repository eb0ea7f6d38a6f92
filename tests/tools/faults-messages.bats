# What is said about input of any kind stays on its line.

load faults
load python

setup_file() { faults_data; }
setup() { clear_outputs; }

escape=$'\033'

# plain COMMAND…: fails in one line, of UTF-8, in which there is no control character.
plain() {
    ! "$@" > printed 2> messages < /dev/null || return 1
    [ "$(wc -l < messages)" = 1 ]
    ! tr -d '\n' < messages | LC_ALL=C grep -q '[[:cntrl:]]' || { cat -v messages; return 1; }
    iconv -f UTF-8 -t UTF-8 messages > utf8 || { cat -v messages; return 1; }
}

@test "control characters and line ends of input are escaped" {
    plain pm-cat "out$escape[31m"
    grep -qF 'out\x1b[31m' messages
    plain pm-cat $'out\nabsent\r\t'
    grep -qF 'out\x0aabsent\x0d\x09' messages
    plain pm-cat $'out\u009b31m\x7f'
    grep -qF 'out\xc2\x9b31m\x7f' messages
    printf '{"a": \033]0;title\a}' > out.json
    plain pm-synth encoder out.json -o out
    jq '.model_type = "\n\t\u001b[31mred"' text.json > out.json
    plain pm-synth encoder out.json -o out
    printf 'a\033[1m\tuser of no item\n' > out.tsv
    plain pm-eval --baseline popularity --users out.tsv --catalog items.tsv
    plain pm-tokenize --bytes --no-such$'\n'option
}

@test "what is no UTF-8 is escaped, in names of files, options, items and tensors" {
    plain pm-cat $'out-\xff\xc3'
    grep -qF 'out-\xff\xc3:' messages
    plain pm-cat --threads $'1\xe4\xb8'
    grep -qF "'1\xe4\xb8'" messages
    printf 'a\xff\tone\n' > out.tsv
    pm-tokenize --bytes -q -o out.pmt out.tsv
    pm-cat out.pmt out.pmt > out-twice.pmt
    plain pm-export -q out-twice.pmt -o out.npz
    grep -qF "out-twice.pmt: record 2 ('a\xff'): an item of this name came before" messages
    printf 'user\ta\xff ä\xfe ä\xfe\n' > out-users.tsv
    plain pm-eval --baseline popularity --users out-users.tsv --catalog out.tsv
    grep -qF 'item "ä\xfe" is none' messages
    run pm-imgpack --images images --items out.tsv -o out.lmdb
    [[ "${lines[0]}" == *'item a\xff has no image'* ]]
}

@test "a tensor whose name is no UTF-8 is exported into no file, and named" {
    need_python
    "$python" - "$PROJECT/formats" <<'END'
import sys; sys.path.insert(0, sys.argv[1])
import numpy, pmt
with pmt.Writer("out-model.pmt", pmt.create_header("model")) as writer:
    writer.write(b"weight", {"value": numpy.zeros(2, "f4")})
    writer.write(b"bias\xff", {"value": numpy.zeros(2, "f4")})
END
    for file in out.safetensors out.npz; do
        plain pm-export -q out-model.pmt -o $file
        grep -qF "out-model.pmt: record 2 ('bias\xff'): a name with a NUL or that is no UTF-8" messages
    done
    nothing_left out-model.pmt
}

@test "what is not ASCII stays as it is" {
    plain pm-cat 'äöü…漢字'
    grep -qF 'äöü…漢字' messages
}

@test "a pipe where a stream is read twice is refused" {
    fails "standard input: not a regular file; it is read more than once, so a pipe will not do" \
        bash -c 'cat tokens.pmt | pm-export -q - -o out.npz'
    mkfifo out-fifo.pmt
    for tool in "pm-export out-fifo.pmt -o out.npz" "pm-import --model out-fifo.pmt -o out.pmt"; do
        fails "out-fifo.pmt: not a regular file" timeout 10 $tool
    done
    pm-export -q - -o out.npz < tokens.pmt
    pm-export -q - -o out-images.npz < images.lmdb
    pm-export -q images.lmdb -o out-want.npz
    cmp out-images.npz out-want.npz
    nothing_left out-fifo.pmt out.npz out.keys.tsv out-{images,want}.{npz,keys.tsv}
}
