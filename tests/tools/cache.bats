# pm-train-user --cache: what a later run reads in place of the stream, and what is left when one is killed.

load faults
load small_data

setup_file() {
    small_data
    faults_shim
    train --threads 1 -o model.pmt
}

setup() {
    cd "$BATS_FILE_TMPDIR"
    rm -rf out*
}

cached() { train --threads 1 --cache out-cache "$@"; }

# train_aloud OPTION…: the same training, what it says going into the file `messages`.
train_aloud() {
    pm-train-user -v --users users.tsv --text text.pmt --text-encoder text-encoder.pmt --image image.pmt \
        --image-encoder image-encoder.pmt --dim 16 --fusion-heads 2 --fusion-intermediate 16 --batch-size 8 \
        --epochs 2 --threads 1 --cache out-cache -o out.pmt "$@" 2> messages
}

@test "the first run makes a cache of each stream, the second reads nothing else; the model is the same" {
    train_aloud
    cmp out.pmt model.pmt
    [ "$(ls out-cache | sed 's/-[0-9a-f]*\././')" = "$(printf '%s\n' image.pmt.cache text.pmt.cache)" ]
    grep -q '^pm-train-user: text.pmt: .* are kept in out-cache/text.pmt-.*\.cache$' messages
    stat -c '%i %Y %n' out-cache/* > out-before
    train_aloud
    cmp out.pmt model.pmt
    grep -q '^pm-train-user: text.pmt: the rows are those in out-cache/text.pmt-.*; the stream is not read$' messages
    grep -q '^pm-train-user: image.pmt: the rows are those in' messages
    stat -c '%i %Y %n' out-cache/* | cmp - out-before
}

@test "a stream by another way has the same cache; the cache says nothing in the model" {
    cached -o out.pmt
    ln -s "$PWD/text.pmt" out-link.pmt
    train_aloud --text "$PWD/./text.pmt"
    grep -q 'text.pmt: the rows are those in' messages
    train_aloud --text out-link.pmt
    grep -q 'out-link.pmt: the rows are those in out-cache/text.pmt-' messages
    [ "$(ls out-cache | wc -l)" = 2 ]
    ! pm-cat --header out.pmt | grep -q cache || return 1
}

@test "a stream that changed is cached anew, in place of the old" {
    cp text.pmt out-text.pmt
    cached --text out-text.pmt -o out.pmt
    pm-cat --select 'a000*' -q text.pmt -o out-text.pmt
    train --threads 1 --unknown-items drop --text out-text.pmt -o out-few.pmt
    train_aloud --unknown-items drop --text out-text.pmt
    cmp out.pmt out-few.pmt
    grep -q 'text.pmt-.*: it is of another content; it is made again' messages
    [ "$(ls out-cache | wc -l)" = 2 ]
}

@test "states in i8 and bf16 come back as they were" {
    for dtype in i8 bf16; do
        pm-encode-text --encoder text-encoder.pmt --blocks 1 --dtype $dtype -q -o out-$dtype.pmt tokens.pmt
        train --threads 1 --text out-$dtype.pmt -o out-plain.pmt
        for run in first second; do
            cached --text out-$dtype.pmt -o out.pmt
            cmp out.pmt out-plain.pmt
        done
        [ -e out-cache/out-$dtype.pmt-*.cache ]
    done
}

@test "a damaged cache is made again" {
    cached -o out.pmt
    for damage in 'head -c 70000' 'head -c 10' 'head -c 0' 'sed s/pmtcache/pmtcbche/' 'cat text.pmt'; do
        cache=$(echo out-cache/text.pmt-*)
        cp "$cache" out-copy
        $damage < out-copy > "$cache"
        train_aloud
        cmp out.pmt model.pmt
        grep -q "it is damaged; it is made again" messages
        cmp "$cache" out-copy
    done
}

@test "rows of a cache that were altered end the run, which names it and removes it" {
    cached -o out.pmt
    rm out.pmt
    cache=$(echo out-cache/text.pmt-*)
    printf '\x55' | dd of="$cache" bs=1 seek=70001 conv=notrunc status=none
    refuses "$cache: the rows of item" altered -- cached -o out.pmt
    [ ! -e "$cache" ]
    cached -o out.pmt
    cmp out.pmt model.pmt
}

@test "two runs at once make one cache, and one result" {
    cached -o out-a.pmt & first=$!
    cached -o out-b.pmt & second=$!
    wait $first
    wait $second
    cmp out-a.pmt model.pmt
    cmp out-b.pmt model.pmt
    [ "$(ls -A out-cache | wc -l)" = 2 ]
}

@test "killed at a moment of writing, it leaves nothing, or a whole cache" {
    need_shim
    for fault in write:1:kill write:2:kill write:30:kill write:60:kill sync:1:kill link:1:kill sync:2:kill; do
        rm -rf out*
        status=0
        FAULT=$fault LD_PRELOAD=$FAULTS cached -o out.pmt || status=$?
        [ "$status" = 137 ]
        [ ! -e out.pmt ]
        ! ls -A out-cache | grep -v '^text.pmt-[0-9a-f]*\.cache$' || return 1
        for cache in out-cache/*; do
            [ ! -e "$cache" ] || [ "$(head -c 8 "$cache")" = pmtcache ]
        done
        cached -o out.pmt
        cmp out.pmt model.pmt
    done
}

@test "a disk that is full says so, and leaves nothing" {
    need_shim
    for number in 1 20 100; do
        FAULT=write:$number:ENOSPC LD_PRELOAD=$FAULTS refuses "cannot write out-cache/text.pmt-" "No space left" -- \
            cached -o out.pmt
        [ -z "$(ls -A out-cache)" ]
    done
}

@test "a folder that cannot be written, standard input and a stream without an index: it works, and says so" {
    train_aloud --cache /dev/null/folder
    cmp out.pmt model.pmt
    grep -q 'cannot write /dev/null/folder/text.pmt-.*; text.pmt is read without a cache' messages
    train_aloud --text - < text.pmt
    cmp out.pmt model.pmt
    grep -q 'standard input: only a file with an index has a cache' messages
    [ "$(ls -A out-cache | wc -l)" = 1 ]
    mkfifo out-pipe
    cat text.pmt > out-pipe &
    train_aloud --text out-pipe
    cmp out.pmt model.pmt
    zstd -qdc text.pmt | zstd -qc > out-plain.pmt
    train_aloud --text out-plain.pmt
    cmp out.pmt model.pmt
    grep -q 'out-plain.pmt: only a file with an index has a cache (pm-cat --index adds one)' messages
    [ "$(ls -A out-cache | wc -l)" = 1 ]
    cached --text tokens.pmt -o out.pmt
    [ "$(ls -A out-cache | wc -l)" = 1 ]
}

@test "--memory is for all streams together" {
    local shape='.hidden_size = 24 | .num_hidden_layers = 3 | .intermediate_size = 32 | .image_size = 32 | .patch_size = 8'
    mkdir out-many
    pm-synth data out-many --items 300 --users 30 --image-size 32 -q
    jq "$shape" "$PROJECT/pipelines/configs/image-small.json" > out-image.json
    pm-synth encoder out-image.json -q -o out-encoder.pmt
    pm-tokenize --bytes --max-tokens 32 out-many/items.tsv -q | pm-encode-text --encoder text-encoder.pmt --blocks 1 -q > out-text.pmt
    pm-imgpack --images out-many/images --items out-many/items.tsv --size 32 -q -o out-images.lmdb
    pm-encode-image --encoder out-encoder.pmt --blocks 1 -q -o out-image.pmt out-images.lmdb
    few() { pm-train-user --users out-many/users.tsv --dim 8 --epochs 1 --memory 1 -v "$@" -o out.pmt 2> messages; }
    text="--text out-text.pmt --text-encoder text-encoder.pmt" image="--image out-image.pmt --image-encoder out-encoder.pmt"
    few $text
    ! grep 'scratch file' messages || return 1
    few $image
    ! grep 'scratch file' messages || return 1
    few $text $image --fusion-heads 2 --fusion-intermediate 16
    grep 'scratch file' messages
}
