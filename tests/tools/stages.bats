# Programs in Python between the tools (formats/examples).

load small_data
load python

setup_file() { small_data; }

setup() {
    cd "$BATS_FILE_TMPDIR"
    rm -rf out*
    export PYTHONDONTWRITEBYTECODE=1
    need_python
}

stage() { "$python" "$PROJECT/formats/examples/numpy_stage.py" "$@"; }

@test "a text encoder in numpy is trained on, fused and evaluated" {
    pm-tokenize --bytes -q < items.tsv | stage > out-text.pmt
    pm-cat --header out-text.pmt > out-header
    [ "$(jq -r '.kind, .modality, .blocks, .width, .provenance.tool, .provenance.inputs.input.tool' out-header |
        paste -sd ' ')" = "hidden text last 128 numpy_stage.py pm-tokenize" ]
    [ "$(pm-cat --keys out-text.pmt | cut -f 1)" = "$(cut -f 1 items.tsv)" ]
    pm-train-user -q --users users.tsv --text out-text.pmt --dim 32 --epochs 20 --lr 1e-2 --batch-size 8 \
        --log out.jsonl -o out-model.pmt
    jq -e -s 'map(select(.step) | .loss) | .[-1] < 0.7 * .[0]' out.jsonl
    pm-fuse -q --model out-model.pmt --text out-text.pmt -o out-items.pmt
    pm-eval -q --model out-model.pmt --items out-items.pmt --users users.tsv --split valid --json > out.json
    jq -e '.users == 30 and .["HR@20"] > 0.3' out.json
}

@test "one stage of Python beside one of C" {
    pm-tokenize --bytes -q < items.tsv | stage --width 16 --seed 2 -o out-text.pmt
    pm-encode-image --encoder image-encoder.pmt -q -o out-image.pmt images.lmdb
    pm-train-user -q --users users.tsv --text out-text.pmt --image out-image.pmt --dim 16 --fusion-heads 2 \
        --fusion-intermediate 16 --epochs 1 -o out-model.pmt
    pm-fuse -q --model out-model.pmt --text out-text.pmt --image out-image.pmt -o out-items.pmt
    pm-eval -q --model out-model.pmt --items out-items.pmt --users users.tsv --json | jq -e '.users == 30'
}

@test "the pipelines take it in by one line" {
    sed "s|python3 formats|$python $PROJECT/formats|" "$PROJECT/pipelines/foreign.mk" > foreign.mk
    [ "$(wc -l < foreign.mk)" -le 10 ]
    make --no-print-directory -f "$PROJECT/pipelines/dataset.mk" OUT=out ITEMS=items.tsv BEHAVIOURS=users.tsv \
        EPOCHS=1 SETTINGS=foreign.mk > out.said 2>&1 || { cat out.said; return 1; }
    [ "$(pm-cat --header out/text-only/items.pmt | jq -r '.. | .tool? // empty' | grep -c numpy_stage)" -ge 1 ]
    [ "$(wc -l < out/results.tsv)" = 7 ]
}

@test "terms that texts share, by value" {
    # Rows of length 1, equal within a group and orthogonal to the other: the squares are 3 and 2, the components
    # 1/√3 and 1/√2 in their group, so that with the power p the states differ in length by 1.5^((p - 1) / 2).
    printf '%s\n' a$'\t'one b$'\t'one c$'\t'two d$'\t'one e$'\t'two > out.tsv
    pm-tokenize --bytes -q -o out-tokens.pmt out.tsv
    for power in 0.5 1 0; do
        "$python" "$PROJECT/formats/examples/terms_stage.py" --width 2 --power $power out-tokens.pmt -o out-terms.pmt
        pm-cat --show '*' out-terms.pmt > out-values
        awk -v power=$power '
            { x[$1] = $3; y[$1] = $4 }
            function length_of(i) { return sqrt(x[i] ^ 2 + y[i] ^ 2) }
            function near(a, b) { return a - b < 1e-5 && b - a < 1e-5 }
            END {
                ratio = length_of("a") / length_of("c")
                exit !(NR == 5 && near(x["a"], x["d"]) && near(y["a"], y["b"]) && near(y["c"], y["e"]) &&
                       near(x["a"] * x["c"] + y["a"] * y["c"], 0) && near(ratio, 1.5 ^ ((power - 1) / 2)))
            }' out-values || { cat out-values; return 1; }
    done
    pm-tokenize --bytes -q items.tsv | "$python" "$PROJECT/formats/examples/terms_stage.py" --width 16 -o out-terms.pmt
    pm-train-user -q --users users.tsv --text out-terms.pmt --dim 16 --epochs 1 -o out-model.pmt
    refuses text.pmt "kind 'hidden'" -- "$python" "$PROJECT/formats/examples/terms_stage.py" text.pmt -o out.pmt
}

@test "the same bytes again, and another seed gives others" {
    stage tokens.pmt -o out-1.pmt
    stage tokens.pmt -o out-2.pmt
    stage tokens.pmt --seed 2 -o out-3.pmt
    cmp out-1.pmt out-2.pmt
    ! cmp -s out-1.pmt out-3.pmt || return 1
}

@test "a cut or wrong stream is an error, and nothing is written" {
    head -c 500 tokens.pmt > out-cut
    refuses out-cut cut -- stage out-cut -o out.pmt
    refuses text.pmt "kind 'hidden'" -- stage text.pmt -o out.pmt
    refuses absent -- stage absent -o out.pmt
}

@test "a Python without what a program needs is told what to install, in one line" {
    local file
    for file in pmt.py examples/numpy_stage.py examples/terms_stage.py examples/nearest.py examples/transformers_stage.py; do
        run "$python" -ES "$PROJECT/formats/$file" # -S: the standard library alone
        [ "$status" -eq 1 ]
        [ "${#lines[@]}" -eq 1 ]
        [[ "$output" =~ ^${file##*/}:\ this\ python3\ has\ no\ (msgpack|numpy)\;\ (Debian\'s\ has\ it\ from\ the\ package\ python3-|pip\ install\ ) ]]
    done
    run "$python" -ES -c 'import sys; sys.path.insert(0, sys.argv[1]); import pmt' "$PROJECT/formats"
    [[ "$output" == *"ModuleNotFoundError: No module named 'msgpack'"* ]] # a program that imports it can catch that
}

@test "the stage of a whole Hugging Face model is valid Python" {
    "$python" -c 'import sys; compile(open(sys.argv[1]).read(), sys.argv[1], "exec")' \
        "$PROJECT/formats/examples/transformers_stage.py"
}

@test "approximate search finds what pm-recommend finds" {
    local library libraries=()
    for library in faiss hnswlib; do "$python" -c "import $library" 2> /dev/null && libraries+=("$library"); done
    [ "${#libraries[@]}" -gt 0 ] || skip "neither FAISS nor hnswlib is there"
    pm-tokenize --bytes items.tsv -q | stage > out-text.pmt
    pm-train-user -q --users users.tsv --text out-text.pmt --tower text-only --dim 16 --epochs 1 -o out-model.pmt
    pm-fuse -q --model out-model.pmt --text out-text.pmt -o out-items.pmt
    pm-export -q out-items.pmt -o out-items.npy
    pm-recommend -q --model out-model.pmt --items out-items.pmt --users users.tsv --users-out out-users.npy --keep-history > out-want
    for library in "${libraries[@]}"; do
        "$python" "$PROJECT/formats/examples/nearest.py" out-items.npy out-users.npy --by "$library" > out-got
        diff <(cut -f 1-2 out-got) <(cut -f 1-2 out-want)
        # Of so few items nearly all are found.
        paste out-got out-want | awk -F '\t' '$3 == $7 { same++ } END { exit same < 0.98 * NR }'
    done
}
