# What the tests of encoding, training, fusing and evaluating share: a small data set, its encoders and its streams,
# made once for a file of tests, and ways to say what a tool should do.

small_data() {
    cd "$BATS_FILE_TMPDIR" || return 1
    local configs=$PROJECT/pipelines/configs shape='.hidden_size = 24 | .num_hidden_layers = 3 | .intermediate_size = 32'
    pm-synth data data --items 40 --users 30 --image-size 16 -q
    mv data/items.tsv data/users.tsv .
    jq "$shape" "$configs/text-small.json" > text.json
    jq "$shape | .image_size = 16" "$configs/image-small.json" > image.json
    for side in text image; do pm-synth encoder $side.json -q -o $side-encoder.pmt; done
    pm-tokenize --bytes items.tsv -q -o tokens.pmt
    pm-imgpack --images data/images --items items.tsv --size 16 -q -o images.lmdb
    pm-encode-text --encoder text-encoder.pmt --blocks 1 -q -o text.pmt tokens.pmt
    pm-encode-image --encoder image-encoder.pmt --blocks 1 -q -o image.pmt images.lmdb
    head -c 3000 text.pmt > cut.pmt
    jq '.hidden_size = 32' text.json > wide.json
    jq '.vocab_size = 50' text.json > few.json
    for name in wide few; do pm-synth encoder $name.json -q -o $name.pmt; done
}

# train OPTION…: the training of these tests, on the boundary streams.
train() {
    pm-train-user -q --users users.tsv --text text.pmt --text-encoder text-encoder.pmt --image image.pmt \
        --image-encoder image-encoder.pmt --dim 16 --fusion-heads 2 --fusion-intermediate 16 --batch-size 8 \
        --epochs 2 "$@"
}

# items MODEL ITEMS: item vectors of a model, from the boundary streams through its own blocks.
items() {
    pm-encode-text --model "$1" -q -o out-text-top.pmt text.pmt
    pm-encode-image --model "$1" -q -o out-image-top.pmt image.pmt
    pm-fuse --model "$1" --text out-text-top.pmt --image out-image-top.pmt -q -o "$2"
}

# refuses TEXT… -- COMMAND…: exit 1, one line on standard error that has each text, nothing on standard output, and no
# file called out.pmt or beside it.
refuses() {
    local texts=() status=0
    while [ "$1" != -- ]; do texts+=("$1"); shift; done
    shift
    "$@" > out.stdout 2> out.stderr < /dev/null || status=$?
    if [ "$status" -ne 1 ] || [ -s out.stdout ] || [ "$(wc -l < out.stderr)" -ne 1 ] || compgen -G 'out.pmt*' > /dev/null || compgen -G '.out.pmt*' > /dev/null; then
        echo "$*: status $status; it says:"
        cat out.stderr
        return 1
    fi
    local text
    for text in "${texts[@]}"; do
        grep -qF -- "$text" out.stderr || { echo "no '$text' in: $(cat out.stderr)"; return 1; }
    done
}
