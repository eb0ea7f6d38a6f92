# An encoder with --resume that is killed, however often and wherever, goes on to the bytes of one that was not; what a
# run with other options or inputs has left is refused.

load faults

# Streams of five frames or more.
setup_file() {
    cd "$BATS_FILE_TMPDIR" || return 1
    faults_shim
    jq '.hidden_size = 256' "$PROJECT/pipelines/configs/text-small.json" > text.json
    jq '.hidden_size = 512 | .image_size = 16 | .patch_size = 4' "$PROJECT/pipelines/configs/image-small.json" > image.json
    for side in text image; do pm-synth encoder $side.json -q -o $side-encoder.pmt; done
    pm-synth encoder text.json --seed 2 -q -o other-encoder.pmt
    pm-synth data data --items 600 --users 5 --image-size 16 -q
    mv data/items.tsv .
    pm-tokenize --bytes -q items.tsv -o tokens.pmt
    sed '100s/$/!/' items.tsv | pm-tokenize --bytes -q -o changed.pmt
    zstd -dcq tokens.pmt | zstd -q -o plain.pmt
    pm-imgpack -q --images data/images --items items.tsv --size 16 -o images.lmdb
    pm-encode-text -q "${text[@]}" -o whole.pmt tokens.pmt
}

setup() {
    need_shim
    cd "$BATS_FILE_TMPDIR"
    rm -rf out*
}

text=(--threads 1 --encoder text-encoder.pmt)
image=(--threads 1 --encoder image-encoder.pmt)

# kill_at N INPUT COMMAND…: kills it when it writes for the N-th time; a frame takes three times, and the beginning two.
# The output is not there then.
kill_at() {
    local status=0
    env FAULT="write:$1:kill" LD_PRELOAD="$FAULTS" "${@:3}" --resume -o out.pmt < <(cat "$2") 2>> out.said || status=$?
    [ "$status" -eq 137 ]
    [ ! -e out.pmt ]
}

# goes_on WHOLE INPUT COMMAND…: killed four times and run once more, it makes the same and leaves nothing else.
goes_on() {
    local n
    for n in 1 6 5 4; do kill_at $n "${@:2}"; done
    "${@:3}" --resume -o out.pmt < <(cat "$2") 2>> out.said
    cat out.said
    [ "$(grep -c 'going on after [1-9]' out.said)" -eq 3 ]
    cmp "$1" out.pmt
    [ "$(echo out.pmt*)" = out.pmt ]
}

# refuses TEXT COMMAND…: it says so in one line, and what was left stays as it was.
refuses() {
    local status=0 before
    before=$(cat out.pmt.part out.pmt.part.run | cksum)
    "${@:2}" --resume -o out.pmt 2> out.stderr || status=$?
    cat out.stderr
    [ "$status" -eq 1 ]
    [ "$(wc -l < out.stderr)" -eq 1 ]
    grep -qF -- "$1" out.stderr
    [ "$before" = "$(cat out.pmt.part out.pmt.part.run | cksum)" ]
}

@test "killed at several instants: texts in a stream with an index" {
    goes_on whole.pmt /dev/null pm-encode-text "${text[@]}" tokens.pmt
}

@test "killed at several instants: texts through a pipe" {
    goes_on whole.pmt tokens.pmt pm-encode-text "${text[@]}"
}

@test "killed at several instants: texts in a stream without an index, a share of them" {
    pm-encode-text -q "${text[@]}" --shard 1/1 -o out-whole.pmt plain.pmt
    goes_on out-whole.pmt /dev/null pm-encode-text "${text[@]}" --shard 1/1 plain.pmt
}

@test "killed at several instants: a share of a stream with an index, in bf16" {
    cat tokens.pmt tokens.pmt > out-twice.pmt
    pm-encode-text -q "${text[@]}" --dtype bf16 --shard 3/3 -o out-whole.pmt out-twice.pmt
    kill_at 6 /dev/null pm-encode-text "${text[@]}" --dtype bf16 --shard 3/3 out-twice.pmt
    pm-encode-text "${text[@]}" --dtype bf16 --shard 3/3 --resume -o out.pmt out-twice.pmt
    cmp out-whole.pmt out.pmt
}

@test "killed at several instants: a store of images" {
    pm-encode-image -q "${image[@]}" -o out-whole.pmt images.lmdb
    goes_on out-whole.pmt /dev/null pm-encode-image "${image[@]}" images.lmdb
}

@test "killed at several instants: hidden states" {
    pm-encode-text -q "${text[@]}" --blocks 0 -o out-0.pmt tokens.pmt
    pm-encode-text -q "${text[@]}" -o out-whole.pmt out-0.pmt
    goes_on out-whole.pmt /dev/null pm-encode-text "${text[@]}" out-0.pmt
}

@test "another option, encoder, input or shard is refused and named" {
    kill_at 9 /dev/null pm-encode-text "${text[@]}" tokens.pmt
    refuses 'with --dtype "f32", and here it is "bf16"' pm-encode-text "${text[@]}" --dtype bf16 tokens.pmt
    refuses 'with --blocks -1, and here it is 0;' pm-encode-text "${text[@]}" --blocks 0 tokens.pmt
    refuses 'with --level 3, and here it is 9;' pm-encode-text "${text[@]}" --level 9 tokens.pmt
    refuses 'with --shard nothing, and here it is "1/2"' pm-encode-text "${text[@]}" --shard 1/2 tokens.pmt
    refuses 'with another --encoder; give the same, or remove it' pm-encode-text --encoder other-encoder.pmt tokens.pmt
    refuses 'with another input; give the same, or remove it' pm-encode-text "${text[@]}" changed.pmt
    rm out.pmt.part
    pm-encode-text -q "${text[@]}" --blocks 0 --resume -o out.pmt tokens.pmt
    pm-cat --header out.pmt | jq -e '.blocks == 0'
}

@test "another input in a pipe is refused when it is read" {
    kill_at 9 tokens.pmt pm-encode-text "${text[@]}"
    mkfifo out-pipe
    cat changed.pmt > out-pipe &
    refuses "out-pipe: its first" pm-encode-text -q "${text[@]}" out-pipe
    head -n 10 items.tsv | pm-tokenize --bytes -q > out-pipe &
    refuses "items are not those that out.pmt.part was made from" pm-encode-text -q "${text[@]}" out-pipe
    head -n 10 items.tsv | pm-tokenize --bytes --max-tokens 5 -q > out-pipe &
    refuses "begun by another version, or from inputs that were made in another way" \
        pm-encode-text -q "${text[@]}" out-pipe
}

@test "what is damaged is made again" {
    local size
    for at in '10' 'size / 2' 'size - 10'; do
        kill_at 15 /dev/null pm-encode-text "${text[@]}" tokens.pmt
        size=$(sed -n '$s/.*"bytes":\([0-9]*\).*/\1/p' out.pmt.part.run)
        printf 'damaged' | dd of=out.pmt.part bs=1 seek=$(($at)) conv=notrunc status=none
        printf '{"records":9' >> out.pmt.part.run
        pm-encode-text -q "${text[@]}" --resume -o out.pmt tokens.pmt
        cmp whole.pmt out.pmt
        rm out.pmt
    done
}

@test "what cannot be gone on with is left alone" {
    echo mine > out.pmt.part
    : > out.pmt.part.run
    refuses 'out.pmt.part: there is no out.pmt.part.run that says of which run it is' \
        pm-encode-text "${text[@]}" tokens.pmt
    run pm-encode-text "${text[@]}" --resume tokens.pmt
    [ "$status" -eq 2 ]
    [[ "$output" == *"--resume needs -o FILE"* ]]
    run pm-encode-text "${text[@]}" --resume -o /dev/null tokens.pmt
    [ "$status" -eq 1 ]
    rm out*
    head -c 500 tokens.pmt > out-cut.pmt
    run pm-encode-text "${text[@]}" --resume -o out.pmt out-cut.pmt
    [ "$status" -eq 1 ]
    [ "$(echo out.pmt*)" = 'out.pmt*' ]
}

@test "a part can be gone on with whatever the mode of what it replaces, which it gets when it is whole" {
    cp tokens.pmt out-old.pmt
    chmod 444 out-old.pmt
    env FAULT=write:9:kill LD_PRELOAD="$FAULTS" pm-encode-text "${text[@]}" --resume -o out-old.pmt tokens.pmt || true
    [ "$(stat -c %a out-old.pmt.part)" = 644 ]
    pm-encode-text "${text[@]}" --resume -o out-old.pmt tokens.pmt
    cmp whole.pmt out-old.pmt
    [ "$(stat -c %a out-old.pmt)" = 444 ]
}

@test "two at a time are refused" {
    kill_at 9 /dev/null pm-encode-text "${text[@]}" tokens.pmt
    exec 8< out.pmt.part
    flock 8
    refuses 'out.pmt.part: another program is writing it' pm-encode-text "${text[@]}" tokens.pmt
    exec 8<&-
}
