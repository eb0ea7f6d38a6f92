# Several processes, started by mpirun, train and evaluate to what one does.

bats_require_minimum_version 1.5.0

setup_file() {
    load ranks
    load small_data
    ranks_environment
    small_data
    train --dropout 0 -o base.pmt
    items base.pmt vectors.pmt
}

setup() {
    load faults
    load golden_runs
    load small_data
    load python
    load ranks
    need_python
    cd "$BATS_FILE_TMPDIR"
    need_mpi
}

# Compares two models, relative to the largest weight, and the losses of all steps. The gradient of a key's bias is 0 but
# for rounding, since softmax(q·(k + b)) is softmax(q·k); AdamW makes of it as much as of any other, but no more than
# lr·(1 − β1) / √(1 − β2) = 3.2e-4 a step.
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
losses = [[json.loads(line)["loss"] for line in open(path) if '"loss"' in line] for path in sys.argv[4:6]]
assert len(losses[0]) == len(losses[1]) > 3
scale = max(np.abs(value).max() for tensors in one.values() for value in tensors.values() if value.size)
for key in one:
    is_rounding = key.endswith((b"k_proj.bias", b"key.bias"))
    bound = 2 * 3.2e-4 * len(losses[0]) if is_rounding else 1e-5 * scale
    for name, value in one[key].items():
        worst = np.abs(value - many[key][name]).max() if value.size else 0
        assert worst < bound, (key, name, worst)
for a, b in zip(*losses):
    assert abs(a - b) <= 1e-5 * abs(a), (a, b)
END
}

# same COMMAND…: trains with one to four processes, and compares.
same() {
    "$@" --dropout 0 --threads 1 --log one.jsonl -o one.pmt
    for count in 2 3 4; do
        ranks $count "$@" --dropout 0 --threads 1 --log many.jsonl -o many.pmt
        close one.pmt many.pmt one.jsonl many.jsonl
        pm-cat --header many.pmt | jq -e ".ranks == $count" > /dev/null
        [ "$(jq -c 'select(.valid).valid' one.jsonl)" = "$(jq -c 'select(.valid).valid' many.jsonl)" ]
    done
}

# peak_of TEXT: the most memory in kB that the newest process whose command has the text has mapped; or nothing.
peak_of() {
    awk '/^VmPeak:/ { print $2 }' "/proc/$(pgrep -n -f "$1")/status" 2> /dev/null || true
}

modal() {
    echo pm-train-user -q --users users.tsv --text text.pmt --text-encoder text-encoder.pmt --image image.pmt \
        --image-encoder image-encoder.pmt --dim 16 --fusion-heads 2 --fusion-intermediate 16 --epochs 2
}

@test "all objectives, batches that no number divides, fifty steps" {
    same $(modal) --batch-size 7 --objective dap,nicl=0.1,nid=1,rcl=0.1
    same $(modal) --batch-size 7 --objective dap,nicl=0.1,nid=1,rcl=0.1 --epochs 10
    [ "$(jq 'select(.loss).step' one.jsonl | tail -n 1)" = 50 ]
}

@test "the objectives of ablations, batches smaller than the number of processes" {
    head -n 5 users.tsv > few.tsv
    for contrast in icl ncl vcl; do
        same $(modal) --users few.tsv --batch-size 1 --objective dap,$contrast=0.1,nid=1,rcl=1 --epochs 1
    done
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

@test "an ID tower of which only the rows in use are moved" {
    for encoder in sasrec grurec; do
        same pm-train-user -q --users users.tsv --catalog items.tsv --tower id --dim 16 --epochs 4 --batch-size 3 \
            --user-encoder $encoder --accumulate 2 --sparse-updates
    done
}

@test "item vectors, and one modality from tokens or from images" {
    same pm-train-user -q --users users.tsv --items vectors.pmt --epochs 2 --batch-size 6
    same pm-train-user -q --users users.tsv --tower text-only --text tokens.pmt --text-encoder text-encoder.pmt --dim 16 \
        --epochs 1 --batch-size 8
    same pm-train-user -q --users users.tsv --tower image-only --image images.lmdb --image-encoder image-encoder.pmt \
        --dim 16 --epochs 1 --batch-size 8
}

@test "a device with memory of its own" {
    same pm-train-user -q --users users.tsv --catalog items.tsv --tower id --dim 16 --epochs 4 --batch-size 15 \
        --user-heads 2 --accumulate 2 --sparse-updates --device cuda-on-host
    same pm-train-user -q --users users.tsv --tower text-only --text text.pmt --text-encoder text-encoder.pmt --dim 16 \
        --user-heads 2 --epochs 4 --batch-size 30 --device cuda-on-host
}

@test "golden runs of the released code: losses, and ranks of all users" {
    golden_options=()
    golden_runs ranks 2
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
    ranks 3 $(modal) $same_options --checkpoint ck --checkpoint-every 1 --log "$PWD/many.jsonl" -o many.pmt &
    for _ in {1..200}; do
        [ ! -e ck ] || [ "$(grep -c loss many.jsonl)" -lt 4 ] || break
        sleep 0.05
    done
    pkill -9 -f "checkpoint-every 1 --log $PWD/many.jsonl" || true
    wait || true
    ranks 2 $(modal) $same_options --checkpoint ck --checkpoint-every 1 --log many.jsonl -o many.pmt
    close one.pmt many.pmt one.jsonl many.jsonl
}

@test "pm-eval gives the figures and ranks of one process" {
    pm-eval -q --model base.pmt --users users.tsv --items vectors.pmt --ranks one.tsv --json > one.json
    for count in 2 3 4; do
        ranks $count pm-eval -q --model base.pmt --users users.tsv --items vectors.pmt --ranks many.tsv --json > many.json
        cmp one.json many.json
        cmp one.tsv many.tsv
    done
}

@test "a process that is killed ends all within ten seconds, with a whole checkpoint and no model" {
    rm -f ck out.pmt
    ranks 3 $(modal) --batch-size 2 --epochs 2000 --checkpoint "$PWD/ck" --checkpoint-every 3 -o out.pmt > killed 2>&1 &
    job=$!
    for _ in {1..200}; do [ ! -e ck ] || break; sleep 0.05; done
    pkill -9 -n -f "epochs 2000 --checkpoint $PWD/ck"
    SECONDS=0
    wait $job && return 1
    [ "$SECONDS" -lt 10 ]
    ! pgrep -f "epochs 2000 --checkpoint $PWD/ck" || return 1
    pm-cat --verify -q ck
    ! compgen -G 'out.pmt*' || return 1
}

@test "a failure names rank and host in one line, and ends all" {
    run -1 --separate-stderr ranks 2 $(modal) --users absent.tsv -o out.pmt
    [ "$(grep -c '^pm-train-user (rank 0 of 2, .*): .*absent.tsv' <<< "$stderr")" = 1 ]
    ! grep -q 'rank 1 of 2' <<< "$stderr" || return 1
}

@test "processes of another program, with other options or files are told apart before they train" {
    tac users.tsv > other.tsv
    apart() { # TEXT COMMAND…
        SECONDS=0
        run --separate-stderr mpirun -n 1 "${command[@]}" : -n 1 "${@:2}"
        [ "$status" -ne 0 ] && [ -z "$output" ] && [ "$SECONDS" -lt 10 ] && [ ! -e out.pmt ] &&
            [ "$(grep -cF "(rank " <<< "$stderr")" = 1 ] && grep -q "(rank 1 of 2, .*): $1" <<< "$stderr"
    }
    read -ra command <<< "$(modal) -o out.pmt"
    apart "--lr is not rank 0's" "${command[@]}" --lr 0.5
    apart "--epochs is not rank 0's" "${command[@]}" --epochs 3
    apart "--checkpoint is not rank 0's" "${command[@]}" --checkpoint ck-other
    apart "--users is not rank 0's" "${command[@]}" --users other.tsv
    apart "--init is not rank 0's" "${command[@]}" --init base.pmt
    read -ra command <<< "$(modal) --init base.pmt -o out.pmt"
    apart "--init is not rank 0's" $(modal) -o out.pmt
    read -ra command <<< "$(modal) -o out.pmt"
    mkdir other
    cp "$(command -v pm-train-user)" "$(dirname "$(command -v pm-cat)")/../lib/pm-mpi.so" other
    echo >> other/pm-train-user
    apart "the program is not rank 0's" other/"${command[@]}"
    read -ra command <<< "pm-eval -q --model base.pmt --users users.tsv --items vectors.pmt"
    apart "--split is not rank 0's" "${command[@]}" --split valid
    apart "--users is not rank 0's" "${command[@]}" --users other.tsv
    run --separate-stderr ranks 2 $(modal) --users - -o out.pmt
    grep -q 'standard input; give a file' <<< "$stderr"
}

# one_fails TEXT COMMAND0… : -n 1 COMMAND1…: all end within ten seconds and without a result, and one line, of rank
# $failing of 2, has the text.
one_fails() {
    SECONDS=0
    rm -f ck
    run --separate-stderr mpirun -n 1 "${@:2}"
    echo "$stderr"
    [ "$status" -ne 0 ] && [ "$SECONDS" -lt 10 ] && [ "$(grep -c "pm-train-user (rank . of 2, " <<< "$stderr")" = 1 ] &&
        grep -q "pm-train-user (rank $failing of 2, [^)]*): .*$1" <<< "$stderr" &&
        [ -z "$(ls -d out.pmt* .out.pmt* 2> /dev/null)" ]
}

@test "one that has a bad record, a full disk or no scratch file ends all in one line" {
    faults_shim
    read -ra train <<< "$(modal) --batch-size 4 -o out.pmt"
    failing=1
    head -c $(($(wc -c < text.pmt) / 2)) text.pmt > bad.pmt
    one_fails "bad.pmt" "${train[@]}" : -n 1 "${train[@]}" --text bad.pmt
    one_fails "scratch file" "${train[@]}" --memory 0 : -n 1 env TMPDIR=/absent "${train[@]}" --memory 0
    need_shim
    full="env LD_PRELOAD=$FAULTS FAULT=write:1+:ENOSPC"
    one_fails "No space left on device" "${train[@]}" --memory 0 : -n 1 $full "${train[@]}" --memory 0
    failing=0
    for option in "" "--log full.jsonl" "--checkpoint ck --checkpoint-every 1"; do
        one_fails "No space left on device" $full "${train[@]}" $option : -n 1 "${train[@]}" $option
        [ ! -e ck ]
    done
}

@test "one that is out of memory within a limit ends all in one line" {
    read -ra train <<< "pm-train-user -q --users users.tsv --catalog items.tsv --user-heads 2 --threads 1"
    ranks 2 "${train[@]}" --dim 8 --epochs 100000 --log "$PWD/memory.jsonl" -o out.pmt 2> /dev/null &
    for _ in {1..200}; do [ ! -s memory.jsonl ] || break; sleep 0.05; done
    limit=$(peak_of "epochs 100000 --log $PWD/memory.jsonl")
    pkill -9 -n -f "epochs 100000 --log $PWD/memory.jsonl"
    wait || true
    [ -n "$limit" ]
    [ "$limit" -lt 100000000 ] || skip "a sanitizer needs more"
    failing=1
    one_fails "out of memory" "${train[@]}" --dim 1024 -o out.pmt : \
        -n 1 bash -c "ulimit -v $((limit + 50000)); exec \"\$@\"" limit "${train[@]}" --dim 1024 -o out.pmt
}

@test "--check-numerics names where a value arose that is not finite, and on which rank" {
    large_states large.pmt
    run --separate-stderr ranks 3 $(modal) --text large.pmt --batch-size 0 --check-numerics -o out.pmt
    [ "$status" -ne 0 ]
    grep -q "step 1: the result of operator .* is not finite at row .*, of item 'a0007', which users have: .*(rank [0-2] of 3, .*)" \
        <<< "$stderr"
    [ "$(grep -c '^pm-train-user' <<< "$stderr")" = 1 ]
    [ ! -e out.pmt ]
    ranks 3 $(modal) --threads 1 --batch-size 8 --log plain.jsonl -o plain.pmt
    ranks 3 $(modal | sed "s, -q,,") --threads 1 --batch-size 8 --log checked.jsonl --check-numerics -v -o checked.pmt 2> said
    grep -q "3 processes, this one of 1 threads" said
    grep -q "of training [0-9.]* s went into exchanging" said
    cmp plain.jsonl checked.jsonl
    cmp plain.pmt checked.pmt
}

@test "a signal to one process puts the state away and ends all" {
    rm -f ck out.pmt
    ranks 2 $(modal) --epochs 100000 --checkpoint "$PWD/ck" --log stopped.jsonl -o out.pmt 2> stopped &
    job=$!
    for _ in {1..200}; do [ ! -s stopped.jsonl ] || break; sleep 0.05; done
    kill -TERM "$(pgrep -n -f "epochs 100000 --checkpoint $PWD/ck")"
    SECONDS=0
    wait $job && return 1
    [ "$SECONDS" -lt 10 ]
    [ ! -e out.pmt ]
    pm-cat --verify -q ck
    [ "$(jq -s 'map(select(.loss)) | length' stopped.jsonl)" -ge "$(pm-cat --header ck | jq .step)" ]
}

@test "--version names the library, and what is started without it is told" {
    [[ $(pm-cat --version | tail -n 1) =~ ^MPI:\ .*[0-9]+\.[0-9]+ ]]
    mkdir -p alone
    cp "$(command -v pm-eval)" alone
    [ "$(alone/pm-eval --version | tail -n 1)" = "MPI: no plug-in" ]
    evaluate="-q --baseline popularity --catalog items.tsv --users users.tsv"
    run --separate-stderr ranks 2 alone/pm-eval $evaluate
    [ "$status" -ne 0 ]
    grep -q "there is no plug-in pm-mpi.so in .*; make builds it where it finds MPI's mpicc" <<< "$stderr"
    run --separate-stderr env SLURM_STEP_NUM_TASKS=2 pm-eval $evaluate
    [ "$status" -eq 0 ]
    [[ $stderr == *"warning: srun started several processes"*"--mpi=pmix"* ]]
}
