# Numbers at the edge: the fewest users, items, tokens and widths, everything the same, settings at their limits. The right
# result, or one line that says what is wrong.

load small_data
load python

setup_file() {
    small_data
    need_python
    "$python" - <<'EOF'
import os, sys
sys.path.insert(0, os.environ["PROJECT"] + "/formats")
import pmt
def alter(source, target, change):
    with pmt.Reader(source) as reader, pmt.Writer(target, pmt.derive(reader.header, "test")) as writer:
        for number, (key, tensors) in enumerate(reader):
            writer.write(key, change(number, dict(tensors)))
def cut(number, tensors):
    return {name: value[:0].copy() if number in (0, 5) else value for name, value in tensors.items()}
def first(kept={}):
    return lambda number, tensors: kept if kept else kept.update(tensors) or kept
for name in ("tokens", "text", "image"):
    alter(name + ".pmt", "cut-" + name + ".pmt", cut)
    alter(name + ".pmt", "same-" + name + ".pmt", first({}))
EOF
}

setup() {
    cd "$BATS_FILE_TMPDIR"
    rm -rf out*
}

# run_id OPTION…: an ID tower; messages in out.stderr, the log in out.jsonl.
run_id() {
    pm-train-user --users users.tsv --catalog items.tsv --dim 8 --epochs 2 --threads 1 --log out.jsonl -o out.pmt "$@" \
        2> out.stderr
}

run_modal() {
    pm-train-user --users users.tsv --text text.pmt --text-encoder text-encoder.pmt --image image.pmt \
        --image-encoder image-encoder.pmt --dim 8 --fusion-heads 2 --epochs 2 --threads 1 --log out.jsonl -o out.pmt "$@" \
        2> out.stderr
}

# The log is whole, every number in it is one, and the model is one that can be used.
is_sound() {
    [ "$(jq -s 'map(select(.valid)) | length' out.jsonl)" -eq 2 ]
    ! grep -q 'nan\|inf' out.jsonl || return 1
    pm-cat --verify out.pmt -q
    ! grep -q '[^a-z]nan\|[^a-z]inf[^a-z]' out.stderr || return 1
}

@test "one user, one item: the loss is 0, and it is said that nothing can be learned" {
    printf 'u1\ta0001 a0001 a0001 a0001\n' > out-users.tsv
    run_id --users out-users.tsv
    is_sound
    jq -s -e 'map(select(.step)) | all(.loss == 0)' out.jsonl
    grep -q "warning: all gradients are 0" out.stderr
    pm-fuse -q --model out.pmt -o out-items.pmt
    pm-eval -q --model out.pmt --items out-items.pmt --users out-users.tsv --json | jq -e '.users == 1 and .items == 1 and ."HR@5" == 1'
}

@test "users with a single training item give no loss" {
    printf 'u1\ta0001 a0002 a0003\n' > out-users.tsv
    run_id --users out-users.tsv
    is_sound
    grep -q "warning: no batch gives a loss" out.stderr
    grep -q "epoch 2 of 2: loss none" out.stderr
    [ "$(jq -s 'map(select(.step)) | length' out.jsonl)" -eq 0 ]
    jq -s -e 'all(.mean_loss == null and .gradient_norm == null)' out.jsonl
}

@test "a batch of one user has no negatives; with another objective it learns" {
    run_id --batch-size 1
    is_sound
    [ "$(grep -c 'warning: all gradients are 0' out.stderr)" -eq 1 ]
    run_id --batch-size 1 --objective dap,nid=1
    is_sound
    ! grep -q warning out.stderr || return 1
    run_id --batch-size 2
    ! grep -q warning out.stderr || return 1
}

@test "all users the same, all items the same" {
    for i in 1 2 3 4 5; do printf 'u%d\ta0001 a0002 a0003 a0004 a0005\n' $i; done > out-users.tsv
    run_id --users out-users.tsv
    is_sound
    run_modal --text same-text.pmt --image same-image.pmt --objective dap,nicl=0.1,nid=1,rcl=0.1
    is_sound
    jq -s -e 'map(select(.valid)) | all(.valid["HR@10"] == 0)' out.jsonl # all 40 items share one rank, behind the tenth
}

@test "items without a token, in every fusion" {
    for fusion in merge_attn co_att sum concat film gated; do
        run_modal --text cut-text.pmt --image cut-image.pmt --fusion $fusion --objective dap,nicl=0.1,nid=1,rcl=0.1
        is_sound
    done
    pm-train-user -q --users users.tsv --text cut-tokens.pmt --text-encoder text-encoder.pmt --dim 8 --epochs 2 \
        --log out.jsonl -o out.pmt 2> out.stderr
    is_sound
}

@test "one dimension: right, or refused" {
    for user in sasrec grurec nextit; do
        run_id --dim 1 --user-heads 1 --user-encoder $user
        is_sound
    done
    run_modal --dim 1 --fusion-heads 1 --user-heads 1 --fusion-intermediate 1 --objective dap,nicl=0.1,nid=1,rcl=0.1
    is_sound
    rm out.pmt
    refuses "--dim 1 must be a multiple of --user-heads 2" -- train --dim 1 --fusion-heads 1 -o out.pmt
}

@test "settings at their limits, and beyond" {
    for options in "--temperature 0.001 --objective dap,rcl" "--temperature 1000 --objective dap,rcl" \
        "--shuffle-rate 1 --replace-rate 1 --objective dap,nid,rcl" "--shuffle-rate 0 --replace-rate 0 --objective nid" \
        "--max-seq-len 1" "--lr 0" "--dropout 0.99" "--batch-size 0" "--batch-size 10000000" "--weight-decay 0 --clip 1e-30" \
        "--warmup 1e9" "--accumulate 65536" "--seed 0" "--seed 9000000000000000"; do
        run_id $options
        is_sound || { echo "$options"; cat out.stderr; return 1; }
    done
    for option in "--temperature 0" "--temperature nan" "--temperature 2000" "--shuffle-rate 1.1" "--replace-rate -0.1" \
        "--dropout 1" "--lr -1" "--lr inf" "--dim 0" "--dim 65537" "--max-seq-len 0" "--min-seq-len 2" "--accumulate 0" \
        "--warmup -1" "--validate-every 0" "--batch-size -1"; do
        run run_id $option
        [ "$status" -eq 2 ]
        grep -q -- "${option% *} must be between" out.stderr || { cat out.stderr; return 1; }
        [ "$(wc -l < out.stderr)" -eq 1 ]
    done
}

@test "no epoch: the initial model" {
    run_id --epochs 0
    [ ! -s out.jsonl ]
    pm-cat --header out.pmt | jq -e 'has("epoch") | not'
}
