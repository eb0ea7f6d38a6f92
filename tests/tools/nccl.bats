# Ranks whose cards exchange by NCCL, for which a library of the tests stands, train to the bytes of those that exchange
# over the host. With PM_TEST_DEVICE=cuda by NCCL itself, on the cards of this machine.

bats_require_minimum_version 1.5.0

setup_file() {
    load ranks
    load small_data
    ranks_environment
    small_data
    head -n 10 users.tsv > ten.tsv
    head -n 2 users.tsv > two.tsv
}

setup() {
    load ranks
    load small_data
    cd "$BATS_FILE_TMPDIR"
    rm -rf out*
    need_mpi
    nccl=$(realpath "$(dirname "$(command -v pm-cat)")/../unit")
    [ -e "$nccl/libnccl-on-host.so.2" ]
    device=${PM_TEST_DEVICE:-cuda-on-host} cards=3
    if [ "$device" = cuda-on-host ]; then return; fi
    cards=$(nvidia-smi -L | wc -l)
    if [ "$cards" -lt 2 ]; then skip "there are no two cards"; fi
}

need_emulation() {
    if [ "$device" != cuda-on-host ]; then skip "shown on the processor"; fi
}

# directly COMMAND…: where the library is found.
directly() {
    LD_LIBRARY_PATH=$nccl${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} "$@"
}

# ranks_with_cards N COMMAND…: each has one of its own.
ranks_with_cards() {
    directly ranks "$1" bash -c 'CUDA_VISIBLE_DEVICES=$OMPI_COMM_WORLD_LOCAL_RANK exec "$@"' ranks "${@:2}"
}

id_tower() {
    echo pm-train-user --users users.tsv --catalog items.tsv --tower id --dim 16 --user-heads 2 --epochs 2 --threads 1 \
        --device "$device"
}

modal() {
    echo pm-train-user --users users.tsv --text text.pmt --text-encoder text-encoder.pmt --image image.pmt \
        --image-encoder image-encoder.pmt --dim 16 --fusion-heads 2 --fusion-intermediate 16 --epochs 1 --threads 1 \
        --device "$device"
}

# same COMMAND…: both ways by two and three processes, to the same log, validation included, and model.
same() {
    for count in 2 3; do
        [ "$count" -le "$cards" ] || continue
        CUDA_VISIBLE_DEVICES=0 ranks $count "$@" --log out-host.jsonl -o out-host.pmt 2> out-host
        ranks_with_cards $count "$@" --log out-cards.jsonl -o out-cards.pmt 2> out-cards
        grep -q "(rank 0 of $count, .*): vectors and gradients go over the host, .*: rank [0-9]: ." out-host
        grep -q "(rank 0 of $count, .*): vectors and gradients go from card to card by NCCL 2\.[0-9.]*$" out-cards
        cmp out-host.jsonl out-cards.jsonl
        cmp out-host.pmt out-cards.pmt
        jq -se 'map(select(.valid)) | length > 0' out-cards.jsonl > /dev/null
    done
}

@test "an ID tower, whole or of which only the rows in use are moved" {
    same $(id_tower) --batch-size 15 --dropout 0.1
    same $(id_tower) --batch-size 7 --accumulate 2 --sparse-updates
}

@test "all objectives, batches that no number divides" {
    same $(modal) --users ten.tsv --batch-size 7 --objective dap,nicl=0.1,nid=1,rcl=0.1 --clip 1
}

@test "batches smaller than the number of processes" {
    same $(id_tower) --users two.tsv --batch-size 1
    same $(modal) --users two.tsv --batch-size 1 --objective dap,icl=0.1
}

@test "what goes from card to card does not come to the host" {
    need_emulation
    downloaded() { # WAY BATCH-SIZE: bytes, of rank 0
        command=$(id_tower)
        $1 mpirun -n 1 env PM_CUDA_COUNTS=1 $command --batch-size "$2" -o out.pmt : -n 1 $command --batch-size "$2" \
            -o out.pmt 2>&1 | sed -n 's/^{/{/p' | jq .downloaded
    }
    for batch in 30 3; do # of 30 users: nine steps more an epoch, and the same validation
        host[batch]=$(downloaded env $batch)
        cards[batch]=$(downloaded directly $batch)
    done
    echo "down in eighteen steps: $((host[3] - host[30])) bytes over the host, $((cards[3] - cards[30])) from card to card"
    [ $((host[3] - host[30])) -gt $((100 * (cards[3] - cards[30]))) ]
}

@test "where one process has no NCCL, or cannot connect, all go over the host, and it is said why" {
    need_emulation
    ranks 2 $(id_tower) -o out-host.pmt 2> out-host
    directly mpirun -n 1 $(id_tower) -o out.pmt : -n 1 env LD_LIBRARY_PATH= $(id_tower) -o out.pmt 2> out-missing
    grep -q "(rank 0 of 2, .*): vectors and gradients go over the host, .*: rank 1: NCCL cannot be loaded: " out-missing
    cmp out-host.pmt out.pmt
    rm out.pmt
    NCCL_FAULT=1:0 directly ranks 2 $(id_tower) -o out.pmt 2> out-refused
    grep -q "(rank 0 of 2, .*): vectors and gradients go over the host, .*: rank 1: system error: as it was asked to" \
        out-refused
    cmp out-host.pmt out.pmt
}

@test "what fails between cards ends all within ten seconds, in one line, without a model" {
    need_emulation
    SECONDS=0
    NCCL_FAULT=1:5 directly run -1 --separate-stderr ranks 3 $(id_tower) -q -o out.pmt
    [ "$SECONDS" -lt 10 ]
    echo "$stderr"
    [ "$(grep -c "^pm-train-user " <<< "$stderr")" = 1 ]
    grep -q "^pm-train-user (rank 1 of 3, .*): the exchange between cards failed: system error: as it was asked to$" \
        <<< "$stderr"
    ! compgen -G 'out.pmt*' || return 1
}

@test "a process that is killed ends all within ten seconds, with a whole checkpoint and no model" {
    ranks_with_cards 2 $(id_tower) -q --epochs 2000 --batch-size 2 --checkpoint "$PWD/out-ck" --checkpoint-every 3 \
        -o out.pmt > out-killed 2>&1 &
    job=$!
    for _ in {1..200}; do [ ! -e out-ck ] || break; sleep 0.05; done
    pkill -9 -n -f "checkpoint $PWD/out-ck"
    SECONDS=0
    wait $job && return 1
    [ "$SECONDS" -lt 10 ]
    ! pgrep -f "checkpoint $PWD/out-ck" || return 1
    [ "$(grep -c "^pm-train-user " out-killed)" -le 1 ]
    pm-cat --verify -q out-ck
    ! compgen -G 'out.pmt*' || return 1
}
