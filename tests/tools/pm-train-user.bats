# pm-train-user: repeated, resumed, on other numbers of threads; what it refuses, and a loss that is not finite.

load small_data

setup_file() {
    small_data
    train --threads 1 --log log.jsonl -o model.pmt
}

setup() {
    cd "$BATS_FILE_TMPDIR"
    rm -rf out*
}

# A training on the text alone.
train_text() {
    pm-train-user -q --users users.tsv --text text.pmt --text-encoder text-encoder.pmt --dim 16 --epochs 1 "$@"
}

# behind COMMAND…: in the background, where $! is pm-train-user itself and not a shell that waits for it.
behind() {
    pm-train-user() { exec env pm-train-user "$@"; }
    "$@" &
    unset -f pm-train-user
}

@test "a line a step and a line an epoch; the model says what made it" {
    [ "$(jq -r 'select(.step) | .epoch' log.jsonl | paste -sd ' ')" = "1 1 1 1 2 2 2 2" ]
    [ "$(jq -r 'select(.valid) | .epoch' log.jsonl | paste -sd ' ')" = "1 2" ]
    jq -e -s 'map(select(.step)) | all(.[]; .loss > 0 and .loss < 10)' log.jsonl
    pm-cat --header model.pmt > out-header
    [ "$(jq -r '.config | .tower, .dim, .["fusion-heads"], .["batch-size"]' out-header | paste -sd ' ')" = "modal 16 2 8" ]
    [ "$(jq -r '.text_encoder.architecture, .image_encoder.architecture' out-header | paste -sd ' ')" = "xlm-roberta clip-vision" ]
}

@test "the same command gives the same bytes, and another seed others" {
    train --threads 1 --log out.jsonl -o out-model.pmt
    cmp model.pmt out-model.pmt
    cmp log.jsonl out.jsonl
    train --threads 1 --seed 7 -o out-other.pmt
    ! cmp -s model.pmt out-other.pmt || return 1
}

@test "a training that was interrupted goes on to the same bytes" {
    for schedule in constant step; do
        train --threads 1 --schedule $schedule --epochs 4 --log out-a.jsonl --checkpoint out-a -o out-a.pmt
        train --threads 1 --schedule $schedule --epochs 2 --log out-b.jsonl --checkpoint out-b -o out-half.pmt
        head -n 4 out-a.jsonl | cmp - <(head -n 4 out-b.jsonl)
        ! cmp -s out-a.jsonl out-b.jsonl || return 1
        train --threads 1 --schedule $schedule --epochs 4 --log out-b.jsonl --checkpoint out-b -o out-b.pmt
        cmp out-a.pmt out-b.pmt
        cmp out-a.jsonl out-b.jsonl
        cmp out-a out-b
        rm out*
    done
}

@test "a killed training goes on to the same bytes" {
    train --threads 1 --schedule constant --epochs 40 --log out-a.jsonl --checkpoint out-a -o out-a.pmt
    behind train --threads 1 --schedule constant --epochs 40 --log out-b.jsonl --checkpoint out-b -o out-b.pmt
    for i in {1..500}; do
        [ -e out-b ] && break
        sleep 0.02
    done
    kill -KILL $!
    wait $! || true
    train --threads 1 --schedule constant --epochs 40 --log out-b.jsonl --checkpoint out-b -o out-b.pmt
    cmp out-a.pmt out-b.pmt
    cmp out-a.jsonl out-b.jsonl
}

@test "an ID tower of which only the rows in use are moved goes on to the same bytes" {
    by_rows() {
        pm-train-user -q --users users.tsv --catalog items.tsv --tower id --dim 16 --batch-size 2 --accumulate 2 \
            --sparse-updates --epochs 60 --threads 1 "$@"
    }
    by_rows --log out-a.jsonl --checkpoint out-a -o out-a.pmt
    behind by_rows --log out-b.jsonl --checkpoint out-b -o out-b.pmt
    for i in {1..500}; do
        [ -e out-b ] && break
        sleep 0.02
    done
    kill -TERM $!
    wait $! || true
    by_rows --log out-b.jsonl --checkpoint out-b -o out-b.pmt
    cmp out-a.pmt out-b.pmt
    cmp out-a.jsonl out-b.jsonl
    pm-train-user -q --users users.tsv --catalog items.tsv --tower id --dim 16 --batch-size 2 --accumulate 2 \
        --epochs 60 --threads 1 --log out-whole.jsonl -o out-whole.pmt
    jq -e -s '[.[] | select(.epoch == 60) | .mean_loss // empty] | (.[0] - .[1]) / .[0] | fabs < 0.02' \
        out-a.jsonl out-whole.jsonl
}

@test "another's checkpoint, or a damaged one, is refused by name" {
    train --threads 1 --checkpoint out-c -o out-a.pmt
    refuses out-c "--lr" -- train --lr 0.5 --checkpoint out-c -o out.pmt
    head -n 20 users.tsv > out-users.tsv
    refuses out-c "--users" -- train --users out-users.tsv --checkpoint out-c -o out.pmt
    head -c 5000 out-c > out-cut
    refuses out-cut -- train --checkpoint out-cut -o out.pmt
    refuses text.pmt checkpoint -- train --checkpoint text.pmt -o out.pmt
}

@test "one thread and two agree" {
    train --threads 2 -o out-two.pmt
    items model.pmt out-1.pmt
    items out-two.pmt out-2.pmt
    for split in valid test; do
        pm-eval -q --model model.pmt --items out-1.pmt --users users.tsv --split $split --json > out-1.json
        pm-eval -q --model out-two.pmt --items out-2.pmt --users users.tsv --split $split --json > out-2.json
        jq -e -s '.[0] as $a | .[1] as $b | [$a | keys[] | select(test("@"))] | length == 6 and
            all(.[]; ($a[.] - $b[.]) | fabs <= 1e-6)' out-1.json out-2.json
    done
}

@test "a stream over memory is trained on from a scratch file, to the same bytes" {
    mkdir out-scratch
    TMPDIR=$PWD/out-scratch train --threads 1 --memory 0 -o out-model.pmt
    cmp model.pmt out-model.pmt
    [ -z "$(ls out-scratch)" ]
}

@test "a loss that is not finite ends the training, and says where" {
    refuses "loss of step" "lower --lr" -- train --lr 1000 --text-lr 1000 -o out.pmt
}

@test "users: empty, too short, unknown items, twice the same" {
    : > out-empty.tsv
    refuses out-empty.tsv empty -- train_text --users out-empty.tsv -o out.pmt
    printf 'u1\ta0001 a0002\nu2\ta0003 a0004\n' > out-short.tsv
    refuses out-short.tsv "none of the 2 users" -- train_text --users out-short.tsv -o out.pmt
    { cat users.tsv; printf 'ux\ta0001 a0002 nobody\n'; } > out-unknown.tsv
    refuses out-unknown.tsv:31 nobody -- train_text --users out-unknown.tsv -o out.pmt
    train_text --users out-unknown.tsv --unknown-items drop -o out-model.pmt
    { cat users.tsv; head -n 1 users.tsv; } > out-twice.tsv
    refuses out-twice.tsv:31 -- train_text --users out-twice.tsv -o out.pmt
}

@test "streams that are cut, of another kind, or do not fit the encoder" {
    refuses cut.pmt "cut off" -- train_text --text cut.pmt -o out.pmt
    refuses image.pmt "--text" -- train_text --text image.pmt -o out.pmt
    refuses text-encoder.pmt "kind 'encoder'" -- train_text --text text-encoder.pmt -o out.pmt
    refuses text.pmt "width 24" 32 -- train_text --text-encoder wide.pmt -o out.pmt
    refuses tokens.pmt "'a0001'" "vocabulary of 50" -- train_text --text tokens.pmt --text-encoder few.pmt -o out.pmt
    refuses image-encoder.pmt "no text encoder" -- train_text --text-encoder image-encoder.pmt -o out.pmt
    refuses "--text-encoder" above -- pm-train-user -q --users users.tsv --text text.pmt --dim 16 -o out.pmt
    pm-cat --select 'zz*' image.pmt -q -o out-none.pmt
    refuses out-none.pmt "not a single item" -- train --image out-none.pmt -o out.pmt
}

@test "an output that cannot be written" {
    refuses absent/model.pmt -- train_text -o absent/model.pmt
    refuses absent/log -- train_text --log absent/log -o out.pmt
    refuses absent/check -- train_text --checkpoint absent/check -o out.pmt
}

@test "transfer takes the parts asked for, and nothing that is not there" {
    train_text --init model.pmt --transfer text --tower text-only -o out-model.pmt
    pm-cat --header out-model.pmt | jq -e '.config.tower == "text-only"'
    refuses model.pmt "--transfer id_encoder.*" -- train_text --init model.pmt --tower text-only --transfer 'id_encoder.*' -o out.pmt
    refuses model.pmt "[16, 24]" "[12, 24]" -- \
        train_text --init model.pmt --transfer text --tower text-only --dim 12 -o out.pmt
    head -c 9000 model.pmt > out-cut.pmt
    refuses out-cut.pmt "cut off" -- train_text --init out-cut.pmt -o out.pmt
}

@test "fixed item vectors train a user encoder; item names an ID tower" {
    items model.pmt out-items.pmt
    pm-train-user -q --users users.tsv --items out-items.pmt --epochs 1 -o out-users.pmt
    pm-eval -q --model out-users.pmt --items out-items.pmt --users users.tsv --json | jq -e '.users == 30'
    refuses text.pmt "--items" -- pm-train-user -q --users users.tsv --items text.pmt -o out.pmt
    pm-train-user -q --users users.tsv --catalog items.tsv --dim 16 --epochs 1 -o out-id.pmt
    pm-fuse -q --model out-id.pmt -o out-vectors.pmt
    pm-eval -q --model out-id.pmt --items out-vectors.pmt --users users.tsv --json | jq -e '.items > 0'
}

@test "settings of a file: options win; an unknown key, a wrong value" {
    echo '{"dim": 8, "fusion-heads": 2, "epochs": 1}' > out.json
    train_text --config out.json -o out-model.pmt
    pm-cat --header out-model.pmt | jq -e '.config.dim == 16'
    echo '{"dimension": 8}' > out.json
    refuses out.json dimension -- train_text --config out.json -o out.pmt
    echo '{"lr": "fast"}' > out.json
    refuses out.json lr -- train_text --config out.json -o out.pmt
    echo '{"lr": 1' > out.json
    refuses out.json -- train_text --config out.json -o out.pmt
}

@test "a name that is none is named with its option, and with its file, a model's too" {
    local key name message
    pm-export -q model.pmt -o out-tensors.safetensors
    while IFS='|' read -r key name message; do
        run pm-train-user "--$key" "$name"
        [ "$status" -eq 2 ]
        [[ "$output" == "pm-train-user: --$key: $message"* ]]
        jq -n "{\"$key\": \"$name\"}" > out.json
        refuses "pm-train-user: out.json: --$key: $message" -- train_text --config out.json -o out.pmt
        pm-import -q --model out-tensors.safetensors --config out.json -o out-model
        refuses "pm-fuse: out-model: the model's settings: --$key: $message" -- pm-fuse --model out-model -o out.pmt
    done << 'END'
fusion|mean|there is no fusion 'mean'; known are merge_attn, co_att,
user-encoder|bert4rec|there is no user encoder 'bert4rec'; known are sasrec, grurec, nextit
objective|dap,clip|there is no objective 'clip'; known are dap, nicl,
objective|dap,dap=2|dap stands twice
objective|dap=0|the weight of dap must be a number above 0, not '0'
metric|AUC@10|'AUC@10' is not HR@K or NDCG@K
metric|HR@0|'HR@0' is not HR@K or NDCG@K
device|cuda:x|there is no device 'cuda:x'; there are cpu, cuda,
END
}

train_id() {
    pm-train-user --users users.tsv --catalog items.tsv --dim 8 --batch-size 8 --threads 1 "$@"
}

@test "a line an epoch says rate and gradient norm; warm-up rises to the rate" {
    train_id -q --lr 0.01 --warmup 8 --epochs 3 --log out.jsonl -o out.pmt
    [ "$(jq -r 'select(.mean_loss) | .lr' out.jsonl | paste -sd ' ')" = "0.005 0.01 0.01" ]
    jq -s -e 'map(select(.mean_loss)) | all(.gradient_norm > 0 and .gradient_norm < 100)' out.jsonl
    train_id -q --lr 0.01 --warmup 0.5 --epochs 4 --log out-share.jsonl -o out.pmt
    [ "$(jq -r 'select(.mean_loss) | .lr' out-share.jsonl | paste -sd ' ')" = "0.005 0.01 0.01 0.01" ]
}

@test "validation by another metric, every other epoch, with a sample of the users" {
    train_id -q --lr 0.03 --epochs 5 --metric NDCG@3 --validate-every 2 --validate-users 12 --log out.jsonl -o out.pmt
    [ "$(jq -r 'select(.valid) | .epoch' out.jsonl | paste -sd ' ')" = "2 4 5" ]
    jq -s -e 'map(select(.valid)) | all(.valid.users == 12)' out.jsonl
    best=$(jq -s 'map(select(.valid)) | max_by([.valid["NDCG@3"], -.epoch]) | .epoch' out.jsonl)
    pm-cat --header out.pmt | jq -e --argjson best "$best" '.epoch == $best and .config.metric == "NDCG@3"'
    for metric in HR@0 HR10 MRR@10 NDCG@ HR@5x; do
        run pm-train-user --metric $metric
        [ "$status" -eq 2 ]
        [[ "$output" == *"--metric: '$metric' is not HR@K or NDCG@K"* ]]
    done
}

@test "a run that ends below a baseline says so" {
    train_id --lr 0 --epochs 1 -o out.pmt 2> out.stderr
    grep -q "the model ends below co-occurrence, which learns nothing: HR@10 0\.[0-9]* in validation, and 0\." out.stderr
    pm-eval -q --baseline co-occurrence --catalog items.tsv --users users.tsv --split valid --json > out.json
    grep -q "and $(jq -r '."HR@10" * 10000 | round / 10000' out.json)" out.stderr
    train_id -q --lr 0 --epochs 1 -o out.pmt 2> out.stderr
    [ ! -s out.stderr ]
}

@test "-v says how much is trained and how long it takes" {
    train_id -v --epochs 2 -o out.pmt 2> out.stderr
    grep -q "parameters in [0-9]* tensors; [0-9]* MiB" out.stderr
    [ "$(grep -c "training .* s, validation .* s; a step takes" out.stderr)" -eq 2 ]
    grep -q "epoch 2 of 2: loss" out.stderr
}

@test "wrong usage exits with 2" {
    for options in "" "--users users.tsv -o out.pmt" "--users users.tsv --text text.pmt" \
        "--text text.pmt -o out.pmt" "--users users.tsv --text text.pmt --transfer text -o out.pmt" \
        "--users users.tsv --text text.pmt -o out.pmt more"; do
        run pm-train-user $options
        [ "$status" -eq 2 ]
        [ "${#lines[@]}" -eq 1 ]
    done
}
