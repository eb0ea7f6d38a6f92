# pm-cat, and that C and Python agree on every stream.

load full_device
load python

setup() {
    cd "$BATS_TEST_TMPDIR"
    good=$PROJECT/formats/conformance/good
    bad=$PROJECT/formats/conformance/bad
    pmt=$PROJECT/formats/pmt.py
}

hash_of() {
    pm-cat --verify "$@" | sed 's/.*, //'
}

# make_items FILE: a stream of 1000 records
make_items() {
    cat $(yes "$good/items.pmt" | head -200) | pm-cat > "$1"
}

# fails_with STATUS TEXT COMMAND…: fails in one line that has TEXT, and says nothing on standard output
fails_with() {
    local status=0
    "${@:3}" > stdout 2> stderr || status=$?
    [ "$status" -eq "$1" ] || { echo "status $status"; cat stderr; return 1; }
    [ ! -s stdout ] && [ "$(wc -l < stderr)" -eq 1 ] && grep -qF -- "$2" stderr || { cat stderr; return 1; }
}

@test "pm-cat: every good conformance stream passes with its number of records" {
    tail -n +2 "$PROJECT/formats/conformance/streams.tsv" | awk -F'\t' '$2 == "good"' > list
    [ "$(wc -l < list)" -gt 30 ]
    while IFS=$'\t' read -r file _ records what; do
        pm-cat --verify "$PROJECT/formats/conformance/$file" | grep -q ", $records records, xxh3:" || { echo "$file: $what"; return 1; }
    done < list
}

@test "pm-cat: every bad conformance stream is refused in one line" {
    tail -n +2 "$PROJECT/formats/conformance/streams.tsv" | awk -F'\t' '$2 == "bad"' > list
    [ "$(wc -l < list)" -gt 90 ]
    while IFS=$'\t' read -r file _ _ what; do
        fails_with 1 "$file: " pm-cat --verify "$PROJECT/formats/conformance/$file" || { echo "$file: $what"; return 1; }
        if pm-cat "$PROJECT/formats/conformance/$file" -o out.pmt 2> /dev/null || [ -e out.pmt ]; then
            echo "$file leaves an output"
            return 1
        fi
    done < list
}

@test "pm-cat: Python comes to the same verdicts" {
    need_python
    "$python" "$pmt" verify "$good"/*.pmt > python
    pm-cat --verify "$good"/*.pmt > c
    diff c python
    ! "$python" "$pmt" verify "$bad"/*.pmt 2> refused > passed || return 1
    [ ! -s passed ]
    [ "$(wc -l < refused)" -eq "$(ls "$bad"/*.pmt | wc -l)" ]
}

@test "pm-cat: what C writes Python reads, and the reverse, with the same content" {
    need_python
    mkdir c python
    for file in "$good"/*.pmt; do
        pm-cat "$file" > c/"${file##*/}"
        "$python" "$pmt" copy "$file" -o python/"${file##*/}"
    done
    diff <(cd c && pm-cat --verify *.pmt) <(cd python && pm-cat --verify *.pmt)
    diff <(cd c && pm-cat --verify *.pmt) <(cd c && "$python" "$pmt" verify *.pmt)
    cmp <(pm-cat --keys python/*.pmt) <("$python" "$pmt" keys c/*.pmt)
}

@test "pm-cat: the committed streams are what make.py makes" {
    need_python
    "$python" "$PROJECT/formats/conformance/make.py" made-here 2> /dev/null || { mkdir made-here; "$python" "$PROJECT/formats/conformance/make.py" made-here; }
    diff made-here/streams.tsv "$PROJECT/formats/conformance/streams.tsv"
    for file in "$good"/*.pmt; do
        [ "$(hash_of "$file")" = "$(hash_of made-here/good/"${file##*/}")" ]
    done
}

@test "pm-cat: a Python program can be a stage" {
    need_python
    cat > stage.py <<END
import sys; sys.path.insert(0, "$PROJECT/formats")
import pmt
with pmt.Reader() as reader, pmt.Writer("-", pmt.derive(reader.header, "double", factor=2)) as writer:
    for key, tensors in reader:
        hidden = pmt.to_float(tensors["hidden"])
        writer.write(key, {"hidden": pmt.from_float(hidden * 2, "bf16")})
    writer.add_content("stream", reader.content)
END
    "$python" stage.py < "$good/hidden-bf16.pmt" | "$python" stage.py > out.pmt
    pm-cat --keys out.pmt | cmp - <(pm-cat --keys "$good/hidden-bf16.pmt")
    pm-cat --header out.pmt > header
    [ "$(grep -c '"tool": "double"' header)" -eq 2 ]
    grep -qF "$(hash_of "$good/hidden-bf16.pmt")" header
    # Doubling is exact: the exponent of every value has grown by two.
    "$python" - "$good/hidden-bf16.pmt" out.pmt <<END
import sys; sys.path.insert(0, "$PROJECT/formats")
import pmt
before, after = ([pmt.to_float(t["hidden"]) for _, t in pmt.Reader(path)] for path in sys.argv[1:])
assert len(before) == 2 and all((4 * a == b).all() for a, b in zip(before, after))
END
}

@test "pm-cat: joins files as one stream, and cat of them reads the same" {
    pm-cat "$good/hidden-f32.pmt" "$good/hidden-f32.pmt" -o joined.pmt
    cat "$good/hidden-f32.pmt" "$good/hidden-f32.pmt" > catted.pmt
    [ "$(pm-cat --keys joined.pmt)" = "$(pm-cat --keys catted.pmt)" ]
    [ "$(pm-cat --keys joined.pmt | wc -l)" -eq 4 ]
    [ "$(hash_of joined.pmt)" = "$(pm-cat catted.pmt | hash_of)" ]
}

@test "pm-cat: the same input gives the same bytes" {
    pm-cat "$good"/hidden-f32.pmt > one.pmt
    pm-cat --threads 2 - -o two.pmt < "$good"/hidden-f32.pmt
    cmp one.pmt two.pmt
}

@test "pm-cat: headers that differ are refused with both names and the keys" {
    fails_with 1 "$good/tokens.pmt and $good/items.pmt cannot be joined: kind is \"tokens\" and \"items\"" \
        pm-cat "$good/tokens.pmt" "$good/items.pmt" -o out.pmt
    [ ! -e out.pmt ]
    fails_with 1 'a stream follows that does not fit the first: kind is "tokens" and "items"' \
        pm-cat --verify <(cat "$good/tokens.pmt" "$good/items.pmt")
}

@test "pm-cat: --keys lists key, tensor, dtype and shape" {
    [ "$(pm-cat --keys "$good/tokens.pmt")" = $'v1\tids\ti32\t[7]\nv2\tids\ti32\t[2]' ]
    pm-cat --keys "$good/shapes.pmt" | grep -qxF $'v1\tscalar\tf32\t[]'
    pm-cat --keys "$good/keys.pmt" | cut -f 1 | grep -qF '\x00\x01\x02\x03\x04\x05\x06\x07\x08\t\n'
    [ "$(pm-cat --keys "$good/tensors-0.pmt")" = v1 ]
}

@test "pm-cat: --show prints values, a line a row, of every dtype" {
    [ "$(pm-cat --show '*' "$good/tokens.pmt" | head -n 1 | cut -f 1,2)" = "$(pm-cat --keys "$good/tokens.pmt" | head -n 1 | cut -f 1,2)" ]
    need_python
    "$python" - "$pmt" > /dev/null <<'END'
import os, sys
sys.path.insert(0, os.path.dirname(sys.argv[1]))
import numpy, pmt
with pmt.Writer("values.pmt", pmt.create_header("tensors")) as writer:
    writer.write("f", {"value": numpy.array([[0.1, -2.5, 3e-20], [0, 1, float("inf")]], "f4")})
    writer.write("i", {"value": numpy.array([7, -9], "i8"), "more": numpy.array([255], "u1")})
    writer.write("s", {"value": numpy.array(5, "i4")})
END
    pm-cat --show '*' values.pmt > shown
    printf 'f\tvalue\t0.100000001\t-2.5\t2.9999999e-20\nf\tvalue\t0\t1\tinf\n' > wanted
    printf 'i\tvalue\t7\t-9\ni\tmore\t255\ns\tvalue\t5\n' >> wanted
    diff shown wanted
    [ "$(pm-cat --show s values.pmt)" = "$(tail -n 1 wanted)" ]
    fails_with 2 "only one of" pm-cat --show s --keys values.pmt
}

@test "pm-cat: --header prints numbers as short as they read back the same" {
    pm-synth data data --items 10 --users 10 --image-size 8 -q
    pm-train-user --users data/users.tsv --catalog data/items.tsv --dim 8 --epochs 1 --lr 0.12345678901234567 --clip 1 -q -o m.pmt
    pm-cat --header m.pmt > header
    grep -q '"temperature": 0.1,\?$' header
    grep -q '"lr": 0.12345678901234566,\?$' header
    grep -q '"clip": 1.0,\?$' header
    jq -e '.config.lr == 0.12345678901234567' header
}

@test "pm-cat: --select keeps what matches, and a part of a model is a model" {
    pm-cat --select 'user_encoder.*' "$good/model.pmt" > user.pmt 2> report
    grep -qx 'pm-cat: kept 1 of 2 records' report
    [ "$(pm-cat --keys user.pmt | cut -f 1)" = user_encoder.norm.weight ]
    pm-cat --verify user.pmt | grep -q ': model, 1 records'
    pm-cat -q --select '!(user*)' "$good/model.pmt" -o text.pmt
    [ "$(pm-cat --keys text.pmt | cut -f 1)" = text_encoder.pooler.weight ]
    [ "$(pm-cat --keys --select 'v1,v4' "$good/items.pmt" | cut -f 1 | xargs)" = "v1 v4" ]
}

@test "pm-cat: parts of models join; a tensor that comes twice does not" {
    pm-cat -q --select 'user_encoder.*' "$good/model.pmt" -o user.pmt
    pm-cat -q --select 'text_encoder.*' "$good/model.pmt" -o text.pmt
    pm-cat user.pmt text.pmt -o joined.pmt
    [ "$(pm-cat --keys joined.pmt)" = "$(pm-cat --keys "$good/model.pmt")" ]
    fails_with 1 "model.pmt: record 1 ('user_encoder.norm.weight'): a tensor of this name came before" \
        pm-cat joined.pmt "$good/model.pmt" -o out.pmt
    [ ! -e out.pmt ]
}

@test "pm-cat: models of other settings join unless these shape the tensors" {
    need_python
    cat > make.py <<END
import sys; sys.path.insert(0, "$PROJECT/formats")
import numpy, pmt
for name, config in ("lr", {"dim": 4, "lr": 0.5}), ("dim", {"dim": 8}):
    with pmt.Writer(name + ".pmt", pmt.create_header("model", config=config)) as writer:
        writer.write("fusion." + name, {"value": numpy.zeros(3, "<f4")})
END
    "$python" make.py
    pm-cat "$good/model.pmt" lr.pmt -o out.pmt
    pm-cat --header out.pmt > header
    grep -qE '"lr": 0.001(0+[0-9]+)?' header
    [ "$(pm-cat --keys out.pmt | wc -l)" -eq 3 ]
    fails_with 1 "$good/model.pmt and dim.pmt are parts of models that do not fit together: dim is 4 and 8" \
        pm-cat "$good/model.pmt" dim.pmt
}

@test "pm-cat: --header shows the whole descent with the hash of every input" {
    pm-cat -q --select 'user_encoder.*' "$good/model.pmt" -o user.pmt
    pm-cat -q --select 'text_encoder.*' "$good/model.pmt" -o text.pmt
    pm-cat user.pmt text.pmt | pm-cat --header > header
    for hash in "$(hash_of user.pmt)" "$(hash_of text.pmt)" "$(hash_of "$good/model.pmt")"; do
        grep -qF "\"$hash\"" header || { cat header; return 1; }
    done
    grep -q '"select": "text_encoder.\*"' header
    grep -q '"records": 2' header
    # The file of texts that make.py pretends to have read
    [ "$(grep -cF "$(pm-cat --header "$good/model.pmt" | grep -A 1 '"items"' | grep -o 'xxh3:[0-9a-f]*')" header)" -eq 2 ]
}

@test "pm-cat: passing records on keeps the provenance and the inputs" {
    pm-cat --header "$good/tokens.pmt" > before
    pm-cat "$good/tokens.pmt" | pm-cat --header > after
    diff before after
}

# make_frames FILE RECORDS: records of 64 KiB, each a key of as many bytes, the number in front
make_frames() {
    need_python
    "$python" - "$@" <<END
import sys; sys.path.insert(0, "$PROJECT/formats")
import numpy, pmt
rng = numpy.random.default_rng(1)
with pmt.Writer(sys.argv[1], pmt.create_header("hidden", width=64)) as writer:
    for i in range(int(sys.argv[2])):
        writer.write(f"v{i}", {"hidden": rng.standard_normal((256, 64)).astype("<f4")})
END
}

@test "pm-cat: C and Python write the same index" {
    make_frames frames.pmt 300
    pm-cat frames.pmt > c.pmt
    "$python" "$pmt" verify c.pmt | cmp - <(pm-cat --verify c.pmt)
    tail -c $(($(tail -c 16 c.pmt | head -c 8 | od -An -t u8))) c.pmt | tail -c +17 | head -c 32 | od -An -t u8 > counts
    tail -c $(($(tail -c 16 frames.pmt | head -c 8 | od -An -t u8))) frames.pmt | tail -c +17 | head -c 32 | od -An -t u8 | cmp - counts
}

@test "pm-cat: --header and --select of a key read no more than they need" {
    make_frames frames.pmt 300
    pm-cat --header frames.pmt > header
    pm-cat --header < <(cat frames.pmt) | diff header -
    pm-cat -q --select v250 frames.pmt > selected.pmt
    cat frames.pmt | pm-cat -q --select v250 | cmp - selected.pmt
    [ "$(pm-cat --keys selected.pmt | cut -f 1)" = v250 ]
    [ "$(pm-cat --select v299,v3,v3,nothing frames.pmt 2> report | pm-cat --keys | cut -f 1 | xargs)" = "v3 v299" ]
    grep -qx 'pm-cat: kept 2 of 300 records' report
    # What is damaged elsewhere is not seen.
    size=$(stat -c %s frames.pmt)
    printf X | dd of=frames.pmt bs=1 seek=$((size / 2)) conv=notrunc 2> /dev/null
    pm-cat --header frames.pmt | cmp - header
    pm-cat -q --select v250 frames.pmt | cmp - selected.pmt
}

@test "pm-cat: damage is reported with its frame and records" {
    make_frames frames.pmt 300
    size=$(stat -c %s frames.pmt)
    printf X | dd of=frames.pmt bs=1 seek=$((size / 2)) conv=notrunc 2> /dev/null
    fails_with 1 'frames.pmt: record 129: damaged in frame 3 (bytes ' pm-cat --verify frames.pmt
    fails_with 1 ', records 129 to 192): ' pm-cat --verify frames.pmt
    fails_with 1 ', records 129 to 192): ' pm-cat --select v150 frames.pmt -o out.pmt
    fails_with 1 ': damaged in frame 3 (from byte ' pm-cat --verify < <(cat frames.pmt)
}

@test "pm-cat: shards joined in order are the whole stream" {
    make_frames frames.pmt 100
    for i in 1 2 3; do pm-cat --shard $i/3 frames.pmt -o $i.pmt; done
    [ "$(pm-cat --keys 1.pmt | wc -l)" -eq 33 ]
    cmp <(pm-cat 1.pmt 2.pmt 3.pmt | pm-cat --keys) <(pm-cat --keys frames.pmt)
    cat 1.pmt 2.pmt 3.pmt | pm-cat --header | grep -qF "$(hash_of frames.pmt)"
    # The number of records in a pipe is not known: every third.
    [ "$(cat frames.pmt | pm-cat --shard 2/3 | pm-cat --keys | head -3 | cut -f 1 | xargs)" = "v1 v4 v7" ]
    fails_with 2 '--shard takes I/N' pm-cat --shard 0/3 frames.pmt
    fails_with 2 'take one stream' pm-cat --shard 1/3 frames.pmt frames.pmt
}

@test "pm-cat: --index adds an index and changes nothing else" {
    make_frames frames.pmt 100
    pm-cat frames.pmt > want.pmt
    size=$(tail -c 16 frames.pmt | head -c 8 | od -An -t u8)
    head -c -$((size)) frames.pmt > bare.pmt
    cat bare.pmt bare.pmt > twice.pmt
    pm-cat --index bare.pmt -o new.pmt
    cmp new.pmt want.pmt
    pm-cat --index twice.pmt | cmp - <(cat want.pmt want.pmt)
    [ "$(hash_of twice.pmt)" = "$(pm-cat --index twice.pmt | hash_of)" ]
    fails_with 1 'cut off' pm-cat --index <(head -c 1000 bare.pmt) -o out.pmt
    [ ! -e out.pmt ]
}

@test "pm-cat: a record above --max-record is refused before it is there" {
    make_frames frames.pmt 3
    fails_with 1 'frames.pmt: record 1: it has more than 10737 bytes; --max-record allows larger ones' \
        pm-cat --max-record 0.00001 --verify frames.pmt
    pm-cat --max-record 0.001 --verify frames.pmt
}

@test "pm-cat: what is noted under info goes along and need not agree" {
    pm-cat "$good/info.pmt" | pm-cat --header | grep -q '"created": 1'
}

@test "pm-cat: every file is verified, whatever is wrong with those before it" {
    ! pm-cat --verify "$good/items.pmt" "$bad/checksum.pmt" "$good/tokens.pmt" > stdout 2> stderr || return 1
    [ "$(wc -l < stdout)" -eq 2 ]
    [ "$(wc -l < stderr)" -eq 1 ]
}

@test "pm-cat: what is no stream is named for what it may be" {
    printf 'v1\tA text\n' > items.tsv
    fails_with 1 'items.tsv: not a .pmt stream but a text with TABs, as items.tsv (for pm-tokenize' pm-cat items.tsv
    fails_with 1 'missing.pmt: No such file' pm-cat missing.pmt
    fails_with 1 "$PWD: cannot be read: Is a directory" pm-cat "$PWD"
    : > empty.pmt
    fails_with 1 'empty.pmt: empty' pm-cat empty.pmt
    fails_with 1 'standard input: empty' pm-cat < empty.pmt
}

@test "pm-cat: wrong usage" {
    fails_with 2 'only one of' pm-cat --keys --verify "$good/items.pmt"
    fails_with 2 '-o is for streams' pm-cat --keys -o out "$good/items.pmt"
    fails_with 2 '--select does not go with' pm-cat --verify --select x "$good/items.pmt"
    fails_with 2 'unknown option --nope' pm-cat --nope
    pm-cat --help | grep -q '^usage: pm-cat'
    [ "$(pm-cat --help | wc -l)" -le 24 ]
}

@test "pm-cat: a full disk is an error, for streams and for lists" {
    make_items items.pmt
    full_device full
    fails_with 1 'cannot write full: No space left on device' pm-cat items.pmt -o full
    fails_with 1 'cannot write standard output' bash -c 'pm-cat --keys "$1" > /dev/full' - items.pmt
    fails_with 1 'cannot write standard output' bash -c 'pm-cat "$1" > /dev/full' - items.pmt
}

@test "pm-cat: a closed pipe ends it quietly" {
    make_items items.pmt
    for options in "" --keys; do
        pm-cat $options $(yes items.pmt | head -300) 2> stderr | head -c 1 > /dev/null
        [ ! -s stderr ] || { cat stderr; return 1; }
    done
}

@test "pm-cat: does not write to a terminal" {
    command -v script > /dev/null || skip "no script(1)"
    run script -qec "pm-cat '$good/items.pmt'" /dev/null
    [ "$status" -eq 1 ]
    [[ $output == *"is a terminal"* ]]
}

@test "pm-cat: 100 times the records need no more memory" {
    [ -x /usr/bin/time ] || skip "no /usr/bin/time"
    ldd "$(command -v pm-cat)" | grep -q asan && skip "the sanitizer keeps what was freed"
    # Its records are large enough that few of them fill the windows of zstd.
    cat $(yes "$good/keys.pmt" | head -150) | pm-cat > few.pmt
    cat $(yes few.pmt | head -100) > many.pmt
    pm-cat --verify few.pmt many.pmt | grep -c -e ', 1050 records,' -e ', 105000 records,' | grep -qx 2
    for file in few many; do
        /usr/bin/time -f %M -o $file.read pm-cat --verify $file.pmt > /dev/null
        /usr/bin/time -f %M -o $file.copy pm-cat $file.pmt > /dev/null
    done
    echo "KiB: read $(cat few.read) and $(cat many.read), copied $(cat few.copy) and $(cat many.copy)"
    [ "$(cat many.read)" -le $(($(cat few.read) + 1024)) ]
    [ "$(cat many.copy)" -le $(($(cat few.copy) + 8192)) ]
}

@test "pm-cat: a claimed size costs no memory" {
    [ -x /usr/bin/time ] || skip "no /usr/bin/time"
    ldd "$(command -v pm-cat)" | grep -q asan && skip "the sanitizer keeps what was freed"
    for file in "$bad"/*claims*.pmt; do
        /usr/bin/time -q -f %M -o kib pm-cat --verify "$file" 2> /dev/null || true
        [ "$(tail -1 kib)" -le 32768 ] || { echo "$file: $(cat kib) KiB"; return 1; }
    done
}
