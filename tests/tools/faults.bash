# What the tests of faults share: a small data set, and ways to say what a tool does when the machine fails it.

# A data set, encoders, streams and a model, made once for a file of tests, under the names that commands use.
faults_data() {
    cd "$BATS_FILE_TMPDIR" || return 1
    local configs=$PROJECT/pipelines/configs
    local shape='.hidden_size = 16 | .num_hidden_layers = 2 | .intermediate_size = 16 | .num_attention_heads = 2'
    pm-synth data data --items 12 --users 12 --image-size 8 -q
    mv data/items.tsv data/users.tsv data/images .
    jq "$shape" "$configs/text-small.json" > text.json
    jq "$shape | .image_size = 8 | .patch_size = 4" "$configs/image-small.json" > image.json
    for side in text image; do pm-synth encoder $side.json -q -o $side-encoder.pmt; done
    pm-tokenize --bytes items.tsv -q -o tokens.pmt
    pm-imgpack --images images --items items.tsv --size 8 -q -o images.lmdb
    pm-encode-text --encoder text-encoder.pmt -q -o text.pmt tokens.pmt
    pm-encode-image --encoder image-encoder.pmt -q -o image.pmt images.lmdb
    mkdir run
    pm-train-user --users users.tsv --text text.pmt --image image.pmt --dim 8 --fusion-heads 2 \
        --fusion-intermediate 8 --user-heads 2 --epochs 2 -q --log run/log.jsonl -o model.pmt
    pm-fuse --model model.pmt --text text.pmt --image image.pmt -q -o vectors.pmt
    pm-eval -q --model model.pmt --items vectors.pmt --users users.tsv --ranks run/ranks.tsv --json > run/test.json
    cp model.pmt run
    cp vectors.pmt run/items.pmt
    pm-export text.pmt -q -o text.npz
    pm-export text-encoder.pmt -q -o encoder.safetensors
}

# The path of the shim of tests/faults, in FAULTS.
faults_shim() {
    FAULTS=$(realpath "$(dirname "$(command -v pm-cat)")/../unit/faults.so")
    export FAULTS
}

need_shim() {
    [[ "$(ldd "$(command -v pm-cat)")" != *libasan* ]] || skip "a sanitizer has its own malloc"
}

tools="pm-cat pm-encode-image pm-encode-text pm-eval pm-export pm-fuse pm-imgpack pm-import pm-recommend pm-report
    pm-synth pm-tokenize pm-train-user"

# command_of TOOL OUT: a command that works, and writes the file OUT.
command_of() {
    case $1 in
        pm-cat) echo pm-cat -q tokens.pmt -o "$2" ;;
        pm-encode-image) echo pm-encode-image -q --encoder image-encoder.pmt images.lmdb -o "$2" ;;
        pm-encode-text) echo pm-encode-text -q --encoder text-encoder.pmt tokens.pmt -o "$2" ;;
        pm-eval) echo pm-eval -q --model model.pmt --items vectors.pmt --users users.tsv --ranks "$2" ;;
        pm-export) echo pm-export -q tokens.pmt -o "$2" ;;
        pm-fuse) echo pm-fuse -q --model model.pmt --text text.pmt --image image.pmt -o "$2" ;;
        pm-imgpack) echo pm-imgpack -q --images images --items items.tsv --size 8 -o "$2" ;;
        pm-import) echo pm-import -q --items items.tsv --hidden hidden --mask mask text.npz -o "$2" ;;
        pm-recommend) echo pm-recommend -q --model model.pmt --items vectors.pmt --users users.tsv -o "$2" ;;
        pm-report) echo pm-report -q run --users users.tsv --catalog items.tsv --images images -o "$2" ;;
        pm-synth) echo pm-synth -q encoder text.json -o "$2" ;;
        pm-tokenize) echo pm-tokenize -q --bytes items.tsv -o "$2" ;;
        pm-train-user) echo pm-train-user -q --users users.tsv --catalog items.tsv --dim 4 --user-heads 1 --epochs 1 -o "$2" ;;
    esac
}

# output_of TOOL: a name for its output. What a test writes is called out*, and removed before the next.
output_of() {
    [ "$1" = pm-export ] && echo out.npz || echo out
}

clear_outputs() {
    cd "$BATS_FILE_TMPDIR" || return 1
    rm -rf out* .out*
}

# nothing_left NAME…: of what a test may write there is nothing but these.
nothing_left() {
    local left
    left=$(find . -maxdepth 1 \( -name 'out*' -o -name '.out*' \) -printf '%f\n' | grep -vxF -f <(printf '%s\n' messages "$@") || true)
    [ -z "$left" ] || { echo "left over: $left"; return 1; }
}

# fails TEXT COMMAND…: exit 1, and one line on standard error that has the text.
fails() {
    local status=0
    "${@:2}" > printed 2> messages < /dev/null || status=$?
    if [ "$status" -ne 1 ] || [ "$(wc -l < messages)" -ne 1 ] || ! grep -qF -- "$1" messages; then
        echo "${*:2}: status $status, expected 1 and '$1'; it says:"
        cat messages
        return 1
    fi
}
