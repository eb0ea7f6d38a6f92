# A training that was stopped, anyhow and anywhere, goes on to the same bytes; a checkpoint of another run is refused, and
# so is a damaged one; what is not finite ends a training, and a model that was better stays.

load small_data
load python

setup_file() {
    small_data
    run_long --log log.jsonl -o model.pmt
}

setup() {
    cd "$BATS_FILE_TMPDIR"
    rm -rf out*
}

# Eight batches an epoch, three to an update, so that most stops leave gradients that wait.
long=(pm-train-user -q --users users.tsv --text text.pmt --text-encoder text-encoder.pmt --image image.pmt
    --image-encoder image-encoder.pmt --dim 16 --fusion-heads 2 --fusion-intermediate 16 --threads 1 --batch-size 4
    --accumulate 3 --epochs 6 --schedule cosine --objective dap,nid=1)
run_long() { "${long[@]}" "$@"; }

# is_the_same NAME: model and log are those of the run that nobody stopped.
is_the_same() {
    cmp model.pmt "$1.pmt"
    cmp log.jsonl "$1.jsonl"
}

# stop SIGNAL LINES OPTION…: starts the run and stops it when the log has so many lines; the status is left in $status.
stop() {
    local signal=$1 lines=$2 i
    shift 2
    env --default-signal=INT,TERM "${long[@]}" --log out.jsonl --checkpoint out.ck "$@" -o out.pmt \
        2> out.stderr &
    for i in {1..500}; do
        [ -e out.jsonl ] && [ "$(wc -l < out.jsonl)" -ge "$lines" ] && break
        sleep 0.005
    done
    kill -s "$signal" $! 2> /dev/null || true
    status=0
    wait $! || status=$?
}

go_on() { run_long --log out.jsonl --checkpoint out.ck "$@" -o out.pmt; }

@test "killed at random instants" {
    for lines in 3 2 10 9 17 25 24 33 38 41; do
        stop KILL $lines --checkpoint-every 1
        [ $status -eq 137 ]
        [ ! -e out.pmt ]
    done
    go_on --checkpoint-every 1
    is_the_same out
    [ "$(find . -name '.out*' | wc -l)" -eq 0 ]
}

@test "asked to stop: the checkpoint is of that step, the status that of the signal" {
    for signal in TERM:143 INT:130; do
        stop ${signal%:*} 12
        [ $status -eq ${signal#*:} ]
        pm-cat --header out.ck | jq -e '.step >= 11 and .state.batch == .step - 8 * .epoch'
        go_on
        is_the_same out
        rm out*
    done
}

@test "gradients that wait are kept" {
    stop TERM 11
    [ $status -eq 143 ]
    pm-cat --header out.ck | jq -e '.state.waiting == if .state.batch == 8 then 0 else .state.batch % 3 end'
    go_on
    is_the_same out
}

@test "the last model, and more epochs" {
    train --threads 1 --keep last --epochs 4 --log out-a.jsonl -o out-a.pmt
    train --threads 1 --keep last --epochs 2 --log out-b.jsonl --checkpoint out-b --checkpoint-every 3 -o out-half.pmt
    train --threads 1 --keep last --epochs 4 --log out-b.jsonl --checkpoint out-b --checkpoint-every 3 -o out-b.pmt
    cmp out-a.pmt out-b.pmt
    cmp out-a.jsonl out-b.jsonl
}

@test "a log that is gone, or shorter than it was, or a pipe" {
    stop TERM 20
    cp out.ck out-kept
    rm out.jsonl
    go_on 2> out.stderr
    grep -q "out.jsonl is gone" out.stderr
    cmp model.pmt out.pmt
    tail -n "$(wc -l < out.jsonl)" log.jsonl | cmp - out.jsonl
    cp out-kept out.ck
    head -c 1000 log.jsonl > out.jsonl
    go_on 2> out.stderr
    grep -q "out.jsonl has 1000 bytes" out.stderr
    jq -e . out.jsonl > /dev/null
    cp out-kept out.ck
    run_long --log /dev/stdout --checkpoint out.ck -o out.pmt | cat > out.lines
    tail -n "$(wc -l < out.lines)" log.jsonl | cmp - out.lines
    [ -s out.lines ]
    rm out.ck
    run_long --log /dev/stdout --checkpoint out.ck -o out.pmt | cmp log.jsonl -
    go_on 2> out.stderr # now with a log that is a file
    grep -q "no log at the checkpoint" out.stderr
}

@test "another run's checkpoint is refused by the difference, unless one begins anew" {
    stop TERM 12
    refuses out.ck "--lr 0.0001, and here it is 0.5" --restart -- run_long --lr 0.5 --checkpoint out.ck -o out.pmt
    refuses out.ck "--text-lr nothing, and here it is 0.001" -- run_long --text-lr 1e-3 --checkpoint out.ck -o out.pmt
    refuses out.ck "--epochs 6, and here it is 7" -- run_long --epochs 7 --checkpoint out.ck -o out.pmt
    refuses out.ck '--keep "best", and here it is "last"' -- run_long --keep last --checkpoint out.ck -o out.pmt
    head -n 20 users.tsv > out-users.tsv
    refuses out.ck "another --users" -- run_long --users out-users.tsv --checkpoint out.ck -o out.pmt
    pm-encode-text --encoder text-encoder.pmt --blocks 2 -q -o out-text.pmt tokens.pmt
    refuses out.ck "another --text;" -- run_long --text out-text.pmt --checkpoint out.ck -o out.pmt
    pm-synth encoder text.json --seed 9 -q -o out-encoder.pmt
    refuses out.ck "another --text-encoder" -- \
        run_long --text-encoder out-encoder.pmt --any-model --checkpoint out.ck -o out.pmt
    refuses out.ck "another --init" -- run_long --init model.pmt --checkpoint out.ck -o out.pmt
    go_on --restart
    is_the_same out
}

@test "a checkpoint that is cut, has a tensor twice, lacks one, or has one of another shape" {
    stop TERM 12
    head -c 5000 out.ck > out-cut
    refuses out-cut -- run_long --checkpoint out-cut -o out.pmt
    one=fusion_module.MergeAtt_layers.0.self_att.self.query.weight
    pm-cat --select "!($one)" out.ck -q -o out-lacks
    refuses out-lacks "lacks the tensor $one" -- run_long --checkpoint out-lacks -o out.pmt
    pm-cat --select "$one" out.ck -q -o out-one
    cat out.ck out-one > out-twice
    refuses out-twice "$one comes twice" -- run_long --checkpoint out-twice -o out.pmt
    cat out-lacks out-one > out-whole
    run_long --checkpoint out-whole --log out.jsonl -o out.pmt
    cmp model.pmt out.pmt
    rm out.pmt
    need_python
    "$python" - <<'EOF'
import os, sys
sys.path.insert(0, os.environ["PROJECT"] + "/formats")
import pmt
def alter(name, change):
    with pmt.Reader("out.ck") as reader, pmt.Writer(name, pmt.derive(reader.header, "test")) as writer:
        for key, tensors in reader:
            writer.write(key, change(key, dict(tensors)))
def transpose(key, tensors):
    if key.endswith(b"text_proj.weight"):
        tensors["value"] = tensors["value"].T.copy()
    return tensors
def drop(key, tensors):
    tensors.pop("kept", None)
    return tensors
alter("out-transposed", transpose)
alter("out-dropped", drop)
EOF
    refuses out-transposed "text_proj.weight" "[24, 16]" -- run_long --checkpoint out-transposed -o out.pmt
    refuses out-dropped "kept" -- run_long --checkpoint out-dropped -o out.pmt
}

# A rate of decay above 1 multiplies all parameters in every step, so that they grow out of range after some epochs.
grow() {
    pm-train-user -q --users users.tsv --catalog items.tsv --dim 8 --batch-size 0 --epochs 40 --lr 1 --weight-decay 1000 \
        --threads 1 --log out.jsonl "$@"
}

@test "scores that are not finite end the training; the best or the last model is kept" {
    grow -o out-best.pmt 2> out.stderr
    [ "$(wc -l < out.stderr)" -eq 1 ]
    grep -q "in validation: .* training ends, and the model of epoch 1, the best so far, is kept" out.stderr
    jq -s -e 'last | .diverged and .epoch == 4' out.jsonl
    pm-cat --header out-best.pmt | jq -e '.epoch == 1 and .valid'
    grow --keep last -o out-last.pmt 2> out.stderr
    grep -q "the model of epoch 3, the last one, is kept" out.stderr
    pm-cat --header out-last.pmt | jq -e '.epoch == 3'
    grow --epochs 3 --keep last -o out-three.pmt
    pm-export -q out-last.pmt -o out-1.npz
    pm-export -q out-three.pmt -o out-2.npz
    cmp out-1.npz out-2.npz
}

@test "a gradient that is not finite is named, and moves nothing" {
    grow --lr 30 --user-encoder grurec -o out.pmt 2> out.stderr
    grep -q "the gradient of user_encoder.gru_layers.*at step 2 is not finite; training ends, and the model of epoch 1" \
        out.stderr
    grow --lr 30 --user-encoder grurec --epochs 1 -o out-one.pmt
    pm-export -q out.pmt -o out-1.npz
    pm-export -q out-one.pmt -o out-2.npz
    cmp out-1.npz out-2.npz
}

@test "a loss that is not finite names the part of the objective" {
    refuses "loss of step" "(dap)" "no earlier epoch" "lower --lr" -- \
        train --objective dap,nid=1 --lr 1000 --text-lr 1000 -o out.pmt
}

@test "--check-numerics names the operator, the item and the users of a value that is not finite" {
    need_python
    large_states out-text.pmt
    grep -q a0007 users.tsv
    refuses "step 1: the result of operator " "is not finite at row" "of item 'a0007', which users have: 'ua00" -- \
        train --text out-text.pmt --batch-size 0 --check-numerics -o out.pmt
    refuses "the loss of step 1 (dap) is not finite" -- train --text out-text.pmt --batch-size 0 -o out.pmt
    grow --lr 30 --user-encoder grurec --check-numerics -o out.pmt 2> out.stderr
    grep -q "step 2: the gradient of the result of .* is not finite at row .*; training ends" out.stderr
    train --threads 1 --log out.jsonl -o out-plain.pmt
    train --threads 1 --log out-checked.jsonl --check-numerics -o out-checked.pmt
    cmp out-plain.pmt out-checked.pmt
    cmp out.jsonl out-checked.jsonl
}
