# Several processes, started by mpirun, train and evaluate to what one does.

bats_require_minimum_version 1.5.0

setup_file() {
    load small_data
    small_data
    export OMPI_MCA_btl_base_warn_component_unused=0 OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_btl=self,vader
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
    train --dropout 0 -o base.pmt
    items base.pmt vectors.pmt
}

setup() {
    load small_data
    load python
    need_python
    cd "$BATS_FILE_TMPDIR"
    if [ ! -e "$(dirname "$(command -v pm-cat)")/../lib/pm-mpi.so" ]; then skip "built without MPI"; fi
}

# ranks N COMMAND…
ranks() {
    local count=$1
    shift
    mpirun -n "$count" "$@"
}

# Compares two models, relative to the largest weight, since AdamW makes as much of a gradient that is rounding alone
# as of any other; and the losses of all steps.
close() {
    "$python" - "$PROJECT" "$@" <<'END'
import json, sys
sys.path.insert(0, sys.argv[1] + "/formats")
import numpy as np, pmt
def load(path):
    return {key: {name: pmt.to_float(value).astype(float) for name, value in tensors.items() if value.dtype != np.int64}
            for key, tensors in pmt.Reader(path)}
one, many = load(sys.argv[2]), load(sys.argv[3])
assert one.keys() == many.keys()
scale = max(np.abs(value).max() for tensors in one.values() for value in tensors.values() if value.size)
for key in one:
    for name, value in one[key].items():
        worst = np.abs(value - many[key][name]).max() / scale if value.size else 0
        assert worst < 1e-5, (key, name, worst)
losses = [[json.loads(line)["loss"] for line in open(path) if '"loss"' in line] for path in sys.argv[4:6]]
assert len(losses[0]) == len(losses[1]) > 3
for a, b in zip(*losses):
    assert abs(a - b) <= 1e-5 * abs(a), (a, b)
END
}

# same COMMAND…: trains with one, two and three processes, and compares.
same() {
    "$@" --dropout 0 --threads 1 --log one.jsonl -o one.pmt
    for count in 2 3; do
        ranks $count "$@" --dropout 0 --threads 1 --log many.jsonl -o many.pmt
        close one.pmt many.pmt one.jsonl many.jsonl
        pm-cat --header many.pmt | jq -e ".ranks == $count" > /dev/null
        [ "$(jq -c 'select(.valid).valid' one.jsonl)" = "$(jq -c 'select(.valid).valid' many.jsonl)" ]
    done
}

modal() {
    echo pm-train-user -q --users users.tsv --text text.pmt --text-encoder text-encoder.pmt --image image.pmt \
        --image-encoder image-encoder.pmt --dim 16 --fusion-heads 2 --fusion-intermediate 16 --epochs 2
}

@test "all objectives, batches that no number divides" {
    same $(modal) --batch-size 7 --objective dap,nicl=0.1,nid=1,rcl=0.1
}

@test "batches smaller than the number of processes" {
    head -n 5 users.tsv > few.tsv
    same $(modal) --users few.tsv --batch-size 1 --objective dap,icl=0.1,nid=1,rcl=1 --epochs 1
}

@test "gradients of several batches, cut to a norm" {
    same $(modal) --batch-size 5 --accumulate 3 --clip 1 --objective dap,vcl
}

@test "an ID tower, and the user encoders that see padding" {
    for encoder in sasrec grurec nextit; do
        same pm-train-user -q --users users.tsv --catalog items.tsv --tower id --dim 16 --epochs 2 --batch-size 6 \
            --user-encoder $encoder
    done
}

@test "item vectors, and one modality from tokens" {
    same pm-train-user -q --users users.tsv --items vectors.pmt --epochs 2 --batch-size 6
    same pm-train-user -q --users users.tsv --tower text-only --text tokens.pmt --text-encoder text-encoder.pmt --dim 16 \
        --epochs 1 --batch-size 8
}

@test "dropout is drawn for each process, and a run repeats to the byte" {
    for run in a b; do
        ranks 2 $(modal) --dropout 0.2 --threads 1 --batch-size 8 --log $run.jsonl -o $run.pmt
    done
    cmp a.jsonl b.jsonl
    cmp a.pmt b.pmt
}

@test "resuming with another number of processes" {
    same_options="--dropout 0 --threads 1 --batch-size 5 --accumulate 3 --epochs 3"
    $(modal) $same_options --log one.jsonl -o one.pmt
    rm -f ck
    ranks 3 $(modal) $same_options --checkpoint ck --checkpoint-every 1 --log many.jsonl -o many.pmt &
    for _ in {1..200}; do
        [ ! -e ck ] || [ "$(grep -c loss many.jsonl)" -lt 4 ] || break
        sleep 0.05
    done
    pkill -9 -f "checkpoint-every 1 --log many.jsonl" || true
    wait || true
    ranks 2 $(modal) $same_options --checkpoint ck --checkpoint-every 1 --log many.jsonl -o many.pmt
    close one.pmt many.pmt one.jsonl many.jsonl
}

@test "pm-eval gives the figures and ranks of one process" {
    pm-eval -q --model base.pmt --users users.tsv --items vectors.pmt --ranks one.tsv --json > one.json
    for count in 2 3; do
        ranks $count pm-eval -q --model base.pmt --users users.tsv --items vectors.pmt --ranks many.tsv --json > many.json
        cmp one.json many.json
        cmp one.tsv many.tsv
    done
}

@test "a process that is killed ends all within ten seconds, with a whole checkpoint and no model" {
    rm -f ck out.pmt
    ranks 3 $(modal) --batch-size 2 --epochs 2000 --checkpoint ck --checkpoint-every 3 -o out.pmt > killed 2>&1 &
    job=$!
    for _ in {1..200}; do [ ! -e ck ] || break; sleep 0.05; done
    pkill -9 -n -f "epochs 2000 --checkpoint ck"
    SECONDS=0
    wait $job && return 1
    [ "$SECONDS" -lt 10 ]
    ! pgrep -f "epochs 2000 --checkpoint ck"
    pm-cat --verify -q ck
    ! compgen -G 'out.pmt*'
}

@test "a failure names rank and host in one line, and ends all" {
    run -1 --separate-stderr ranks 2 $(modal) --users absent.tsv -o out.pmt
    [ "$(grep -c '^pm-train-user (rank 0 of 2, .*): .*absent.tsv' <<< "$stderr")" = 1 ]
    ! grep -q 'rank 1 of 2' <<< "$stderr"
}

@test "processes with other options or files are told apart before they train" {
    run --separate-stderr mpirun -n 1 $(modal) -o out.pmt : -n 1 $(modal) --lr 0.5 -o out.pmt
    [ "$status" -ne 0 ]
    grep -q "pm-train-user (rank 1 of 2, .*): --lr is not rank 0's" <<< "$stderr"
    tac users.tsv > other.tsv
    run --separate-stderr mpirun -n 1 $(modal) -o out.pmt : -n 1 $(modal) --users other.tsv -o out.pmt
    grep -q "rank 1 of 2, .*): --users is not rank 0's" <<< "$stderr"
    run --separate-stderr ranks 2 $(modal) --users - -o out.pmt
    grep -q 'standard input; give a file' <<< "$stderr"
    run --separate-stderr ranks 2 $(modal) --check-numerics -o out.pmt
    grep -q 'check-numerics is for a single process' <<< "$stderr"
    [ ! -e out.pmt ]
}
