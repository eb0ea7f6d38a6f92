# pm-eval: figures and ranks of a model and of baselines, and what it refuses.

load small_data

setup_file() {
    small_data
    train --threads 1 -o model.pmt
    items model.pmt items.pmt
}

setup() {
    cd "$BATS_FILE_TMPDIR"
    rm -rf out*
}

evaluate() { pm-eval -q --model model.pmt --items items.pmt --users users.tsv "$@"; }

@test "the figures are those of the ranks" {
    for split in valid test; do
        evaluate --split $split --k 1,5,10 --ranks out-ranks --json > out.json
        [ "$(cut -f 1 out-ranks)" = "$(cut -f 1 users.tsv)" ]
        for k in 1 5 10; do
            awk -v k=$k '{ if ($2 <= k) { hits++; gain += log(2) / log($2 + 1) } }
                END { printf "%.9f %.9f\n", hits / NR, gain / NR }' out-ranks > out-figures
            read -r hits gain < out-figures
            jq -e --arg k $k --argjson hits "$hits" --argjson gain "$gain" \
                '(.["HR@" + $k] - $hits | fabs <= 1e-6) and (.["NDCG@" + $k] - $gain | fabs <= 1e-6)' out.json
        done
        jq -e --arg split $split '.split == $split and .users == 30 and .items == 40' out.json
    done
}

@test "the same figures again, and on another number of threads" {
    evaluate --threads 1 --json --ranks out-1 > out-1.json
    evaluate --threads 1 --json --ranks out-2 > out-2.json
    cmp out-1 out-2
    cmp out-1.json out-2.json
    evaluate --threads 2 --json > out-2.json
    jq -e -s '.[0] as $a | .[1] as $b | all($a | keys[] | select(test("@")); ($a[.] - $b[.]) | fabs <= 1e-6)' \
        out-1.json out-2.json
}

@test "a table for people" {
    run evaluate --split valid --k 5
    [ "$status" -eq 0 ]
    [[ "$output" == *"valid: 30 users"*"HR@5"*"NDCG@5"* ]]
}

@test "all items as candidates, also those that no user met" {
    head -n 5 users.tsv > out-users.tsv
    evaluate --users out-users.tsv --json > out-kept.json
    evaluate --users out-users.tsv --candidates all --json > out-all.json
    jq -e -s '.[0].items < 40 and .[1].items == 40 and .[0]["HR@20"] >= .[1]["HR@20"]' out-kept.json out-all.json
}

@test "baselines need no model" {
    for baseline in popularity co-occurrence; do
        pm-eval -q --baseline $baseline --catalog items.tsv --users users.tsv --json > out.json
        jq -e --arg name $baseline '.baseline == $name and .["HR@20"] > 0.2' out.json
    done
}

@test "users: empty, unknown items" {
    : > out-empty.tsv
    refuses out-empty.tsv empty -- evaluate --users out-empty.tsv
    { cat users.tsv; printf 'ux\ta0001 a0002 nobody\n'; } > out-unknown.tsv
    refuses out-unknown.tsv:31 nobody -- evaluate --users out-unknown.tsv
    evaluate --users out-unknown.tsv --unknown-items drop --json | jq -e '.users == 30'
    pm-cat --select 'a000*' items.pmt -q -o out-few.pmt
    refuses users.tsv:1 "9 known items" -- evaluate --items out-few.pmt
    refuses users.tsv -- evaluate --min-seq-len 1000
}

@test "models and items: cut, of another kind, of another width" {
    head -c 1500 items.pmt > out-cut.pmt
    refuses out-cut.pmt "cut off" -- evaluate --items out-cut.pmt
    refuses text.pmt "item vectors" -- evaluate --items text.pmt
    refuses text-encoder.pmt "kind 'encoder'" -- evaluate --model text-encoder.pmt
    head -c 9000 model.pmt > out-cut.pmt
    refuses out-cut.pmt "cut off" -- evaluate --model out-cut.pmt
    pm-cat --select '!(user_encoder.*)' model.pmt -q -o out-part.pmt
    refuses out-part.pmt user_encoder -- evaluate --model out-part.pmt
    train --dim 24 --epochs 1 -o out-24.pmt
    refuses items.pmt "vectors of 16" 24 -- evaluate --model out-24.pmt
}

@test "cut-offs that are none; ranks that cannot be written" {
    for k in 0 5,x 5,5 "" -1; do
        run evaluate --k "$k"
        [ "$status" -eq 2 ]
        [ "${#lines[@]}" -eq 1 ]
        [[ "$output" == *--k* ]]
    done
    refuses absent/ranks -- evaluate --ranks absent/ranks
}

@test "no figures, no ranks" {
    run bash -c 'pm-eval -q --model model.pmt --items items.pmt --users users.tsv --ranks out-ranks > /dev/full'
    [ "$status" -eq 1 ]
    [[ "$output" == *"standard output"* ]]
    ! compgen -G 'out-ranks*' || return 1
}

@test "no cold target: null in JSON, no figure in the table" {
    printf 'u1\ta0001 a0002 a0001 a0001\nu2\ta0002 a0001 a0002 a0002\n' > out-users.tsv
    evaluate --users out-users.tsv --cold --json | jq -e '.cold.users == 0 and .cold["HR@10"] == null and .warm.users == 2'
    evaluate --users out-users.tsv --cold > out-table
    grep -A 1 '^cold targets: 0 users' out-table | grep '^warm targets: 2 users'
    ! grep -i nan out-table || return 1
}

@test "more inputs than the model has positions" {
    refuses "--max-seq-len 21, but the model model.pmt has 20 positions" -- evaluate --max-seq-len 21
}

@test "wrong usage exits with 2" {
    for options in "" "--model model.pmt --users users.tsv" "--model m --baseline popularity --users u --items i" \
        "--model model.pmt --items items.pmt" "--users users.tsv --items items.pmt" \
        "--model model.pmt --items items.pmt --users users.tsv --split train"; do
        run pm-eval $options
        [ "$status" -eq 2 ]
        [ "${#lines[@]}" -eq 1 ]
    done
}
