# Every tower, fusion, user encoder and objective through the tools: what training saw in validation is what pm-fuse and
# pm-eval find, and parts of models make models.

load small_data

setup_file() {
    small_data
}

setup() {
    cd "$BATS_FILE_TMPDIR" || return 1
    rm -rf out*
}

model() {
    pm-train-user -q --users users.tsv --dim 16 --fusion-heads 2 --fusion-intermediate 16 --batch-size 8 --max-seq-len 6 \
        --lr 1e-3 --epochs 1 --keep last --log out.jsonl "$@"
}
text=(--text tokens.pmt --text-encoder text-encoder.pmt)
image=(--image images.lmdb --image-encoder image-encoder.pmt)

# agrees MODEL [text] [image]: the model's item vectors rank the validation targets as training said.
agrees() {
    local model=$1 sides=()
    shift
    for side in "$@"; do
        local input=tokens.pmt
        [ "$side" = text ] || input=images.lmdb
        pm-encode-$side --model "$model" -q -o out-$side.pmt $input
        sides+=("--$side" out-$side.pmt)
    done
    pm-fuse --model "$model" "${sides[@]}" -q -o out-items.pmt
    pm-eval --model "$model" --items out-items.pmt --users users.tsv --split valid --k 5,10,20 --json -q > out.json
    same_figures
}

# The last figures of the training log are those of the evaluation.
same_figures() {
    jq -s -e '(map(select(.valid)) | last.valid) as $said | last as $found |
        ["HR@5", "HR@10", "HR@20", "NDCG@10"] | all(($said[.] - $found[.]) | fabs < 1e-6)' out.jsonl out.json
}

@test "every fusion with every user encoder, with all objectives" {
    for fusion in merge_attn co_att sum concat film gated; do
        for user in sasrec grurec nextit; do
            model "${text[@]}" "${image[@]}" --fusion $fusion --user-encoder $user \
                --objective dap,nicl=0.1,nid=1,rcl=0.1 -o out.pmt
            agrees out.pmt text image
        done
    done
}

@test "every tower of one modality, of none, and over given vectors, with every user encoder" {
    for user in sasrec grurec nextit; do
        model "${text[@]}" --user-encoder $user -o out.pmt && agrees out.pmt text
        model "${image[@]}" --user-encoder $user -o out.pmt && agrees out.pmt image
        model --catalog items.tsv --user-encoder $user -o out.pmt && agrees out.pmt
        mv out-items.pmt out-given.pmt
        model --items out-given.pmt --user-encoder $user -o out.pmt
        pm-eval --model out.pmt --items out-given.pmt --users users.tsv --split valid --json -q > out.json
        same_figures
    done
}

@test "each objective is logged by itself, and the loss is their weighted sum" {
    model "${text[@]}" "${image[@]}" --objective dap=2,nicl=0.5,nid=0.25,rcl=0.125 -o out.pmt
    jq -s -e 'map(select(.step)) | all((2 * .dap + 0.5 * .nicl + 0.25 * .nid + 0.125 * .rcl - .loss) | fabs < 1e-4)' out.jsonl
    for ablation in vcl icl ncl; do model "${text[@]}" "${image[@]}" --objective dap,$ablation -o out-$ablation.pmt; done
    rm out.pmt
    refuses "nicl compares texts with images" -- model "${text[@]}" --objective dap,nicl -o out.pmt
}

@test "a clipped, an accumulated and a scheduled training differ; a bound that is never met does not" {
    model "${text[@]}" -o out-plain.pmt
    model "${text[@]}" --clip 1e6 -o out-unclipped.pmt
    for option in "--clip 0.01" "--accumulate 2"; do
        model "${text[@]}" $option -o out.pmt
        ! cmp -s <(pm-export out.pmt -q -o out-1.npz && cat out-1.npz) <(pm-export out-plain.pmt -q -o out-2.npz && cat out-2.npz) || return 1
    done
    pm-export -q out-plain.pmt -o out-1.npz
    pm-export -q out-unclipped.pmt -o out-2.npz
    cmp out-1.npz out-2.npz
}

@test "early stopping waits as long as it is told" {
    pm-train-user -q --users users.tsv --catalog items.tsv --tower id --dim 8 --lr 0 --epochs 20 --patience 3 \
        --log out.jsonl -o out.pmt
    [ "$(grep -c valid out.jsonl)" -eq 4 ]
}

@test "one modality of a model of two, and back" {
    model "${text[@]}" "${image[@]}" -o out-both.pmt
    model --init out-both.pmt --transfer text,user --tower text-only --text tokens.pmt -o out.pmt
    agrees out.pmt text
    model --init out.pmt --transfer text "${image[@]}" --text tokens.pmt --tower modal -o out-again.pmt
    agrees out-again.pmt text image
}

@test "selected parts are models, and two of them joined are the whole again" {
    model "${text[@]}" "${image[@]}" -o out-both.pmt
    pm-cat --select 'user_encoder.*' out-both.pmt -q -o out-user.pmt
    pm-cat --select '!(user_encoder.*)' out-both.pmt -q -o out-items.pmt
    pm-cat out-items.pmt out-user.pmt -q -o out-whole.pmt
    agrees out-whole.pmt text image
    pm-cat --select 'user_encoder.*' out-both.pmt -q |
        model --init /dev/stdin --transfer user "${text[@]}" -o out.pmt
    agrees out.pmt text
    rm out.pmt
    refuses "no tensor of it" "--transfer items" -- model --init out-user.pmt --transfer items "${text[@]}" -o out.pmt
    refuses "out-both.pmt" "text_proj.weight" "[16, 24]" "[32, 24]" -- model --init out-both.pmt --dim 32 "${text[@]}" --tower text-only -o out.pmt
}

@test "cold targets are counted by themselves" {
    model --catalog items.tsv -o out-model.pmt
    pm-fuse --model out-model.pmt -q -o out-items.pmt
    pm-eval --model out-model.pmt --items out-items.pmt --users users.tsv --cold --json -q > out.json
    jq -e '.cold.users + .warm.users == .users' out.json
    jq -e '(.cold.users * (.cold["HR@10"] // 0) + .warm.users * .warm["HR@10"] - .users * .["HR@10"]) | fabs < 1e-6' out.json
}
