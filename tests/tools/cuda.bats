# --device: the kernels of a card, on the processor (cuda-on-host) or, with PM_TEST_DEVICE=cuda, on a card.

load golden_runs
load small_data
load python

setup_file() { small_data; }

setup() {
    cd "$BATS_FILE_TMPDIR"
    rm -rf out*
    device=${PM_TEST_DEVICE:-cuda-on-host}
    golden=$PROJECT/tests/golden/runs
}

@test "golden runs of the released code: losses, and ranks of all users" {
    golden_options=(--device "$device")
    golden_runs
}

# close_to LIMIT A B: two streams of hidden states differ nowhere by more.
close_to() {
    pm-export -q "$2" -o out-a.npz
    pm-export -q "$3" -o out-b.npz
    "$python" - "$1" << 'END'
import sys
import numpy as np
a, b = np.load("out-a.npz"), np.load("out-b.npz")
worst = max(float(np.abs(a[k].astype(np.float64) - b[k]).max()) for k in a)
print("largest difference", worst)
sys.exit(sorted(a) != sorted(b) or not worst <= float(sys.argv[1]))
END
}

@test "encoders give the states of the processor, in f32 and rounded to bf16" {
    need_python
    for side in text image; do
        input=$([ $side = text ] && echo tokens.pmt || echo images.lmdb)
        pm-encode-$side -q --encoder $side-encoder.pmt -o out-cpu.pmt $input
        pm-encode-$side -q --encoder $side-encoder.pmt --device "$device" -o out-device.pmt $input
        close_to 1e-4 out-device.pmt out-cpu.pmt
        pm-encode-$side -q --encoder $side-encoder.pmt --device "$device" --compute bf16 -o out-bf16.pmt $input
        close_to 0.1 out-bf16.pmt out-cpu.pmt
        ! cmp -s out-bf16.pmt out-device.pmt || return 1
        rm -f out*
    done
}

@test "training of whole encoders, with dropout, is the processor's; twice the same bytes" {
    for where in cpu "$device" "$device"; do
        train --device "$where" --dropout 0.1 --seed 3 --log out-$where.jsonl -o out-$where.pmt
        [ ! -e out-first.pmt ] || cmp out-first.pmt "out-$where.pmt"
        [ "$where" = cpu ] || cp "out-$where.pmt" out-first.pmt
        jq 'select(.step) | .loss' out-$where.jsonl > out-losses-$where
    done
    paste out-losses-cpu "out-losses-$device" | awk '{ d = $1 / $2 - 1 } d > 1e-4 || d < -1e-4 { print; wrong = 1 } END { exit wrong || !NR }'
}

@test "ranks and recommendations are the processor's, and no score comes back, but of the best" {
    train -o model.pmt
    items model.pmt items.pmt
    printf 'a0009\na0031\na0012\na0002\n' > out-some
    recommend() { pm-recommend -q --model model.pmt --items items.pmt --users users.tsv "$@"; }
    for where in cpu "$device"; do
        pm-eval -q --device "$where" --model model.pmt --items items.pmt --users users.tsv --ranks out-ranks-$where > out-figures
        recommend --device "$where" > out-best-$where
        recommend --device "$where" --top 50 --keep-history > out-all-$where
        recommend --device "$where" --top 7 --without out-some > out-but-$where
        recommend --device "$where" --only out-some > out-only-$where
        pm-recommend -q --device "$where" --items items.pmt --similar a0003 --top 5 > out-near-$where
    done
    cmp out-ranks-cpu "out-ranks-$device"
    for kind in best all but only near; do
        diff <(cut -f 1-3 out-$kind-cpu) <(cut -f 1-3 "out-$kind-$device")
        paste out-$kind-cpu "out-$kind-$device" |
            awk -F '\t' '{ d = $4 - $8 } d > 1e-4 || d < -1e-4 { print; wrong = 1 } END { exit wrong || !NR }'
    done
    [ "$device" = cuda-on-host ] || return 0
    users=$(wc -l < out-ranks-cpu)
    PM_CUDA_COUNTS=1 pm-eval -q --device cuda-on-host --model model.pmt --items items.pmt --users users.tsv 2>&1 > out-figures |
        jq -e ".downloaded == $users * 20 and .waits == 1"
    PM_CUDA_COUNTS=1 recommend --device cuda-on-host --top 3 2>&1 > out-best |
        jq -e ".downloaded == $users * (3 * 8 + 4) and .waits == 1"
}

@test "a score that is not finite is refused with the processor's message" {
    need_python
    train -o model.pmt
    items model.pmt items.pmt
    large_vectors items.pmt large.pmt
    for where in cpu "$device"; do
        refuses 'user "ua0001"' 'item "a0021" is not finite' -- \
            pm-recommend -q --device "$where" --model model.pmt --items large.pmt --users users.tsv
    done
}

@test "what is missing for a card is said in a line, and nothing is written" {
    if command -v nvidia-smi > /dev/null && nvidia-smi > /dev/null 2>&1; then skip "there is a card"; fi
    refuses '--device cuda: ' -- pm-encode-text --device cuda --encoder text-encoder.pmt -o out.pmt tokens.pmt
    grep -qE 'no plug-in pm-cuda.so in|cannot be loaded|no NVIDIA driver|driver finds no card' out.stderr
    mkdir -p out/bin
    cp "$(command -v pm-encode-text)" out/bin
    refuses 'no plug-in pm-cuda.so' -- out/bin/pm-encode-text --device cuda:1 --encoder text-encoder.pmt tokens.pmt
    PM_CUDA_CAPABILITY=7.5 refuses 'card 0 has compute capability 7.5' '8.0' -- \
        pm-encode-text --device cuda-on-host --encoder text-encoder.pmt -o out.pmt tokens.pmt
}

@test "where the card's memory ends, it is said what was asked for and what takes less, and nothing is left" {
    [ "$device" = cuda-on-host ] || skip "a card has as much as it has"
    export PM_CUDA_MEMORY=4
    refuses 'the card has no ' 'of its 4 MiB' '--batch-size' -- train --device cuda-on-host -o out.pmt
    PM_CUDA_MEMORY=1 refuses 'of its 1 MiB' '--compute bf16' -- \
        pm-encode-image -q --device cuda-on-host --encoder image-encoder.pmt -o out.pmt images.lmdb
    PM_CUDA_MEMORY=60 train --device cuda-on-host -o out-enough.pmt
}

@test "a plug-in of another build is refused" {
    mkdir -p out/bin out/lib
    cp "$(command -v pm-encode-text)" out/bin
    echo 'unsigned pm_backend_version = 1; void *pm_backend_open(void) { return 0; }' > out/plugin.c
    gcc -shared -fPIC out/plugin.c -o out/lib/pm-cuda-on-host.so
    refuses 'not of the same build' -- out/bin/pm-encode-text --device cuda-on-host --encoder text-encoder.pmt tokens.pmt
}

@test "a step waits for the card once, and all it needs goes up in one piece" {
    [ "$device" = cuda-on-host ] || skip "counted on the processor"
    counts() { # BATCH-SIZE OPTION…: of an epoch of 30 users
        PM_CUDA_COUNTS=1 train --device cuda-on-host --epochs 1 -o out-model.pmt --batch-size "$@" 2>&1
    }
    for options in '' '--objective dap,nicl=0.1,nid=1,rcl=0.1' '--accumulate 2 --clip 1'; do
        { counts 30 $options; counts 3 $options; } |
            jq -es '{waits: (.[1].waits - .[0].waits), uploads: (.[1].uploads - .[0].uploads)} | debug | .waits == 9 and .uploads == 9'
    done
}

@test "what streams do late, and in whatever order events allow, gives the same bytes" {
    [ "$device" = cuda-on-host ] || skip "a card is late by itself"
    all() { # NAME: what it makes is called so
        train --device "$device" --batch-size 6 --dropout 0.1 -o "out-$1.model"
        pm-train-user -q --device "$device" --users users.tsv --catalog items.tsv --tower id --dim 16 --user-heads 2 \
            --epochs 2 --batch-size 7 --sparse-updates -o "out-$1.id"
        pm-encode-text -q --device "$device" --encoder text-encoder.pmt -o "out-$1.text" tokens.pmt
        pm-encode-image -q --device "$device" --compute bf16 --encoder image-encoder.pmt -o "out-$1.image" images.lmdb
        pm-eval -q --device "$device" --model model.pmt --items items.pmt --users users.tsv > "out-$1.figures"
        pm-recommend -q --device "$device" --model model.pmt --items items.pmt --users users.tsv > "out-$1.best"
    }
    train -o model.pmt
    items model.pmt items.pmt
    all at-once
    PM_STREAM_SEED=1 all late
    for kind in model id text image figures best; do cmp "out-at-once.$kind" "out-late.$kind"; done
}

@test "the log and the model's choice are of the right step, however late a card tells of it" {
    for where in cpu "$device"; do
        train --device "$where" --batch-size 6 --log out-$where.jsonl -o out-model.pmt
        jq -c 'del(.loss, .mean_loss, .gradient_norm, .valid)' out-$where.jsonl > out-steps-$where
        ! train --device "$where" --batch-size 6 --lr 1e30 --log out-wild-$where.jsonl -o out-model.pmt 2> out-errors-$where || return 1
    done
    cmp out-steps-cpu "out-steps-$device"
    sed 's/-[0-9]*\.pmt//' out-errors-cpu | diff - <(sed 's/-[0-9]*\.pmt//' "out-errors-$device")
    diff <(jq -c 'del(.loss)' out-wild-cpu.jsonl) <(jq -c 'del(.loss)' "out-wild-$device.jsonl")
}

@test "the kernels for cards spill no registers" {
    shopt -s nullglob
    listed=("$(dirname "$(command -v pm-encode-text)")"/../cuda/lib/nn/backend/cuda/*.ptxas)
    [ ${#listed[@]} -gt 0 ] || skip "built without CUDA"
    grep -h -B 1 'spill stores' "${listed[@]}" | grep -B 1 '[1-9][0-9]* bytes spill' && return 1
    grep -qh ' 0 bytes spill stores' "${listed[@]}"
}
