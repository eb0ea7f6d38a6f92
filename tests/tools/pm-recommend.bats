# pm-recommend: what is recommended, against numpy and by hand, in its forms; and what it refuses.

load small_data
load python

setup_file() {
    small_data
    train --threads 1 --max-seq-len 6 -o model.pmt
    items model.pmt items.pmt
    pm-export model.pmt -q -o model.npz
    pm-export items.pmt -q -o vectors.npz
    # Histories of one item, of more than the model has positions for, with repetitions.
    { cat users.tsv; printf 'one\ta0007\nlong\t%s\n' "$(seq -f 'a%04.0f' -s ' ' 30)"; printf 'same\ta0002 a0002 a0002\n'; } > histories.tsv
}

setup() {
    cd "$BATS_FILE_TMPDIR"
    rm -rf out*
}

recommend() { pm-recommend -q --model model.pmt --items items.pmt "$@"; }
by_numpy() { "$python" "$PROJECT/tests/tools/recommend_by_numpy.py" "$@"; }

# agrees GOT WANT: the same keys, ranks and items, and scores that differ by rounding.
agrees() {
    diff <(cut -f 1-3 "$1") <(cut -f 1-3 "$2")
    paste "$1" "$2" | awk -F '\t' '{ d = $4 - $8; if (d > 2e-5 || d < -2e-5) { print; bad = 1 } } END { exit bad || !NR }'
}

@test "the items and scores are those that numpy finds in the exported tensors" {
    need_python
    recommend --users histories.tsv --top 7 > out-got
    by_numpy model.npz vectors.npz vectors.keys.tsv histories.tsv 2 6 7 > out-want
    [ "$(wc -l < out-got)" -eq $((33 * 7)) ]
    agrees out-got out-want
    recommend --users histories.tsv --top 7 --keep-history > out-got
    by_numpy model.npz vectors.npz vectors.keys.tsv histories.tsv 2 6 7 keep > out-want
    agrees out-got out-want
    recommend --users histories.tsv --top 7 --max-seq-len 3 > out-got
    by_numpy model.npz vectors.npz vectors.keys.tsv histories.tsv 2 3 7 > out-want
    agrees out-got out-want
}

@test "the nearest items are those that numpy finds" {
    need_python
    pm-recommend -q --items items.pmt --similar a0001 a0040 a0001 --top 5 > out-got
    by_numpy --similar vectors.npz vectors.keys.tsv 5 a0001 a0040 a0001 > out-want
    agrees out-got out-want
    cut -f 1 items.tsv | pm-recommend -q --items items.pmt --similar - > out-got
    by_numpy --similar vectors.npz vectors.keys.tsv 10 $(cut -f 1 items.tsv) > out-want
    agrees out-got out-want
    pm-recommend -q --items items.pmt --similar a0003 --keep-history --top 1 | grep -P '^a0003\t1\ta0003\t(1|0.99999)'
    pm-recommend -q --items items.pmt --similar a0001 --top 2 --json |
        jq -e '.item == "a0001" and (.items | length) == 2 and .items[0].cosine >= .items[1].cosine'
}

@test "user vectors times item vectors are the scores" {
    need_python
    recommend --users histories.tsv --users-out out.npy --top 3 > out-got
    diff out.keys.tsv <(cut -f 1 histories.tsv)
    "$python" - > out-want <<'END'
import numpy as np
users, vectors = np.load("out.npy"), np.load("vectors.npz")["vector"]
assert users.shape == (33, 16) and users.dtype == np.float32
names = open("vectors.keys.tsv").read().split()
for line, scores in zip(open("histories.tsv"), users @ vectors.T):
    user, history = line.rstrip("\n").split("\t")
    scores[[names.index(item) for item in set(history.split())]] = -np.inf
    for rank, i in enumerate(np.argsort(-scores)[:3]):
        print(user, rank + 1, names[i], scores[i], sep="\t")
END
    agrees out-got out-want
    mv out.npy out-first.npy
    recommend --users histories.tsv --users-out out.npy --top 0 > out-got
    [ ! -s out-got ]
    cmp out.npy out-first.npy
}

@test "the same bytes from a pipe, one user at a time, and on other threads" {
    recommend --users histories.tsv > out-got
    recommend --threads 1 - < histories.tsv > out-piped
    cmp out-got out-piped
    recommend --threads 2 --users - -o out-file < histories.tsv
    cmp out-got out-file
    while IFS= read -r line; do printf '%s\n' "$line" | recommend --threads 1 -; done < <(tail -n 4 histories.tsv) > out-single
    diff <(cut -f 1-3 out-single) <(tail -n 40 out-got | cut -f 1-3)
}

@test "many users, more than fit a block, one of them twice" {
    for i in $(seq 70); do sed "s/^/$i-/" users.tsv; done > out-users.tsv
    head -n 1 users.tsv | sed 's/^/1-/' >> out-users.tsv
    recommend --users out-users.tsv --top 2 > out-got
    [ "$(wc -l < out-got)" -eq 4202 ]
    recommend --users users.tsv --top 2 > out-want
    diff <(sed -n '4141,4200p' out-got | cut -f 2-3) <(cut -f 2-3 out-want)
    diff <(head -n 2 out-got) <(tail -n 2 out-got)
}

@test "as JSON lines" {
    recommend --users histories.tsv --top 4 --json > out.json
    recommend --users histories.tsv --top 4 > out-want
    jq -r '.user as $user | .items | to_entries[] | [$user, .key + 1, .value.item, .value.score] | @tsv' out.json > out-got
    agrees out-got out-want
    printf 'u\377\ta0001\n' > out-users.tsv
    refuses out-users.tsv "not UTF-8" -- recommend --users out-users.tsv --json
    recommend --users out-users.tsv --top 1 | grep -aq "$(printf 'u\377')"
}

@test "only some items, and not others" {
    recommend --users histories.tsv --top 40 > out-all
    printf 'a0009\na0031\tof a file like items.tsv\na0012\n' > out-only
    recommend --users histories.tsv --top 40 --only out-only > out-got
    diff <(cut -f 1,3 out-got) <(grep -P '\t(a0009|a0031|a0012)\t' out-all | cut -f 1,3)
    recommend --users histories.tsv --top 40 --without out-only > out-got
    diff <(cut -f 1,3 out-got) <(grep -vP '\t(a0009|a0031|a0012)\t' out-all | cut -f 1,3)
    echo a0031 > out-one
    recommend --users histories.tsv --only out-only --without out-one | cut -f 3 | sort -u > out-got
    printf 'a0009\na0012\n' | diff out-got -
    refuses "no" "left to recommend" -- recommend --users histories.tsv --only out-one --without out-one
    printf 'a0001\nnobody\n' > out-names
    refuses out-names:2 nobody -- recommend --users histories.tsv --only out-names
}

@test "an item that was added after training is recommended" {
    pm-cat --select a0001 items.pmt -q -o out-first.pmt
    pm-cat --select '!(a0001)' items.pmt -q -o out-few.pmt
    cut -f 2- users.tsv | sed 's/a0001 \?//; s/^ *//; s/ *$//' | paste <(cut -f 1 users.tsv) - > out-users.tsv
    recommend --users out-users.tsv --top 40 > out-want
    recommend --items out-few.pmt --users out-users.tsv --top 40 > out-few
    ! cut -f 3 out-few | grep -qx a0001 || return 1
    cat out-few.pmt out-first.pmt > out-more.pmt
    recommend --items out-more.pmt --users out-users.tsv --top 40 > out-got
    diff <(cut -f 1,3 out-got) <(cut -f 1,3 out-want)
    cut -f 3 out-got | grep -qx a0001
}

@test "baselines by hand" {
    printf 'a\tA\nb\tB\nc\tC\nd\tD\n' > out-items.tsv
    printf 'u\ta b c\nv\tb c\nw\tb\n' > out-users.tsv
    baseline() { pm-recommend -q --catalog out-items.tsv --users out-users.tsv --baseline "$@"; }
    printf 'u\t1\td\t0\nv\t1\ta\t1\nv\t2\td\t0\nw\t1\tc\t2\nw\t2\ta\t1\nw\t3\td\t0\n' | diff <(baseline popularity) -
    # w(b, c) = 2/sqrt(2), w(a, c) = (1/2)/sqrt(2): b is followed by c twice, a once at two places.
    baseline co-occurrence --top 1 > out-got
    printf 'u\t1\td\t0\nv\t1\ta\t0\nw\t1\tc\t1.414214\n' | diff out-got -
    baseline popularity --top 1 --keep-history > out-got
    printf 'u\t1\tb\t3\nv\t1\tb\t3\nw\t1\tb\t3\n' | diff out-got -
}

@test "unknown items, users without any" {
    printf 'x\ta0001 nobody\ny\tnobody\nz\n' > out-users.tsv
    refuses out-users.tsv:1 nobody -- recommend --users out-users.tsv
    sed -i '$d' out-users.tsv
    printf 'z\t\n' >> out-users.tsv
    pm-recommend --model model.pmt --items items.pmt --users out-users.tsv --unknown-items drop --top 1 > out-got 2> out-said
    [[ "$(cat out-got)" == x$'\t'1$'\t'* ]]
    grep -q "1 users.*2 without a known item left out, 2 interactions of unknown items dropped" out-said
}

@test "a score that is not finite is refused" {
    need_python
    large_vectors items.pmt out-large.pmt
    refuses 'model.pmt over out-large.pmt: user "ua0001"' 'item "a0021" is not finite' -- recommend --users users.tsv --items out-large.pmt
}

@test "item vectors of another model are refused" {
    train --threads 1 --max-seq-len 6 --seed 2 -o out-model.pmt
    refuses items.pmt out-model.pmt -- recommend --model out-model.pmt --users users.tsv
    recommend --model out-model.pmt --users users.tsv --any-model | grep -q ua0001
}

@test "nothing is left behind a failure" {
    head -c 1500 items.pmt > out-cut.pmt
    refuses out-cut.pmt "cut off" -- recommend --items out-cut.pmt --users users.tsv -o out.pmt
    { cat users.tsv; echo broken; } > out-users.tsv
    refuses out-users.tsv:31 -- recommend --users out-users.tsv --users-out out.npy -o out.pmt
    { ! compgen -G 'out.npy*' && ! compgen -G 'out.keys*'; } || return 1
    refuses absent/x.npy -- recommend --users users.tsv --users-out absent/x.npy
    refuses "none of the 40 items" zz -- pm-recommend --items items.pmt --similar zz
    refuses "standard input:2" zz -- bash -c 'printf "a0001\nzz\n" | pm-recommend -q --items items.pmt --similar - -o out.pmt'
    refuses text.pmt "item vectors" -- pm-recommend --items text.pmt --similar a0001
}

@test "wrong usage exits with 2" {
    for options in "" "--model m --items i" "--model m --users u" "--items i --users u" "--users u --baseline popularity" \
        "--model m --items i --users u --users-out x.txt" "--model m --items i --users u --top 0" "--model m --items i --users u x" \
        "--similar a" "--items i --similar" "--items i --similar a --users u" "--items i --similar a --unknown-items drop" \
        "--baseline popularity --catalog c --users u --any-model" "--baseline popularity --catalog c --users u --users-out x.npy"; do
        run pm-recommend $options
        [ "$status" -eq 2 ]
        [ "${#lines[@]}" -eq 1 ]
    done
}
