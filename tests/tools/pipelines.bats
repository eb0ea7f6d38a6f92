# The pipelines, with scripts in place of the tools that note how they were called: what runs again, and what
# does not, after a change.

setup() {
    cd "$BATS_TEST_TMPDIR"
    export CALLS=$BATS_TEST_TMPDIR/calls
    : > calls
    mkdir bin
    cat > bin/pm-fake <<'END'
#!/bin/bash
# Notes the call and makes what the options name. FAILS names a tool that prints a part and fails; SLOW makes
# the encoders wait for each other.
tool=${0##*/}
echo "$tool $*" >> "$CALLS"
[ "$tool" = pm-eval ] && printf '{"split": "valid", "HR@10": 0.25, '
[ "$tool" = "${FAILS:-}" ] && exit 1
[ "$tool" = pm-eval ] && echo '"NDCG@10": 0.125}'
if [ "$tool $1" = "pm-synth data" ]; then
    mkdir -p "$2/images"
    touch "$2/images/a.jpg" "$2/vocab.txt" "$2/items.tsv" "$2/users.tsv"
fi
if [ -n "${SLOW:-}" ]; then
    case $tool in
        pm-encode-text) touch text-runs; for i in {1..50}; do [ -e image-runs ] && break; sleep 0.1; done ;;
        pm-encode-image) touch image-runs; for i in {1..50}; do [ -e text-runs ] && break; sleep 0.1; done ;;
    esac
    [ -e text-runs ] && [ -e image-runs ] && touch met
fi
while [ $# -gt 0 ]; do
    [ "$1" = -o ] && echo made > "$2"
    [ "$1" = --log ] && printf '{"step": 1, "epoch": 0, "loss": 2.0}\n{"epoch": 0, "valid": {"HR@10": 0.2}}\n' > "$2"
    shift
done
exit 0
END
    chmod +x bin/pm-fake
    for tool in synth tokenize imgpack encode-text encode-image train-user fuse eval import; do
        ln -s pm-fake bin/pm-$tool
    done
    mkdir images
    touch items.tsv users.tsv images/a.jpg images/b.jpg text.pmt image.pmt
}

pipeline() { # NAME ARGUMENTS…
    local name=$1
    shift
    make --no-print-directory -f "$PROJECT/pipelines/$name.mk" BIN=bin "$@"
}

dataset() {
    pipeline dataset OUT=out ITEMS=items.tsv BEHAVIOURS=users.tsv IMAGES=images \
        TEXT_ENCODER=text.pmt IMAGE_ENCODER=image.pmt TEXT_BLOCKS=10 IMAGE_BLOCKS=10 "$@"
}

# bats does not see a failure behind a "!".
not() {
    ! "$@"
}

# The tools that ran since the last call of this, each once, on one line.
ran() {
    cut -d ' ' -f 1 calls | sort -u | tr '\n' ' '
    : > calls
}

all="pm-encode-image pm-encode-text pm-eval pm-fuse pm-imgpack pm-tokenize pm-train-user "

@test "a data set runs every stage once, and then none" {
    dataset
    [ "$(grep -c '^pm-tokenize' calls)" = 1 ]
    [ "$(grep -c '^pm-train-user' calls)" = 3 ]
    [ "$(grep -c '^pm-encode-text --encoder' calls)" = 1 ]
    [ "$(grep -c '^pm-encode-text --model' calls)" = 2 ]
    [ "$(ran)" = "$all" ]
    dataset
    [ "$(ran)" = "" ]
}

@test "the results are a table with a head line, and the picture is an SVG" {
    dataset
    [ "$(head -n 1 out/results.tsv)" = "$(printf 'run\tsplit\tHR@10\tNDCG@10')" ]
    [ "$(sed -n 2p out/results.tsv)" = "$(printf 'modal\tvalid\t0.25\t0.125')" ]
    [ "$(wc -l < out/results.tsv)" = 11 ]
    grep -q '</svg>' out/curves.svg
    grep -q 'image-only' out/curves.svg
}

@test "a new learning rate trains, fuses and evaluates, and encodes nothing from the start" {
    dataset LR=1e-3
    ran
    dataset LR=5e-4
    grep -q 'pm-train-user.* --lr 5e-4' calls
    not grep -q '^pm-encode.*--encoder' calls
    [ "$(ran)" = "pm-encode-image pm-encode-text pm-eval pm-fuse pm-train-user " ]
}

@test "a setting of one run concerns that run" {
    dataset
    ran
    dataset text-only.EPOCHS=7
    [ "$(grep -c '^pm-train-user' calls)" = 1 ]
    grep -q 'pm-train-user.* --tower text-only.* --epochs 7' calls
}

@test "make -n after a change lists the stages it concerns and runs none" {
    dataset
    ran
    run dataset -n text-only.EPOCHS=7
    [ "$(ran)" = "" ]
    [ "$(grep -o '^pm-[a-z-]*' <<< "$output" | sort | tr '\n' ' ')" = \
        "pm-encode-text pm-eval pm-eval pm-fuse pm-train-user " ]
}

@test "a changed image packs images again, and no text" {
    dataset
    ran
    sleep 0.05
    echo other > images/a.jpg
    dataset
    not grep -q '^pm-encode-text --encoder\|^pm-tokenize' calls
    not grep -q 'pm-train-user.*--tower text-only' calls
    [ "$(grep -c '^pm-train-user' calls)" = 2 ]
    grep -q '^pm-imgpack' calls
}

@test "an added and a removed image pack images again" {
    dataset
    ran
    sleep 0.05
    touch -d '2001-01-01' images/c.jpg
    dataset
    grep -q '^pm-imgpack' calls
    ran
    sleep 0.05
    rm images/c.jpg
    dataset
    grep -q '^pm-imgpack' calls
}

@test "changed behaviours train and evaluate, and encode nothing from the start" {
    dataset
    ran
    sleep 0.05
    touch users.tsv
    dataset
    [ "$(ran)" = "pm-encode-image pm-encode-text pm-eval pm-fuse pm-train-user " ]
}

@test "an older file under another name is noticed" {
    touch -d '2001-01-01' other.pmt
    dataset
    ran
    dataset TEXT_ENCODER=other.pmt
    grep -q 'pm-encode-text --encoder other.pmt' calls
}

@test "blocks that are not frozen need no encoding before training" {
    dataset TEXT_BLOCKS=0
    not grep -q '^pm-encode-text --encoder' calls
    grep -q 'pm-train-user.*--text out/tokens.pmt --text-encoder text.pmt' calls
}

@test "make -j runs text and image at the same time" {
    SLOW=1 dataset -j 2 out/text.pmt out/image.pmt
    [ -e met ]
}

@test "a failed stage ends make, leaves no half file, and is made again" {
    run env FAILS=pm-eval make -f "$PROJECT/pipelines/dataset.mk" BIN=bin OUT=out ITEMS=items.tsv \
        BEHAVIOURS=users.tsv IMAGES=images
    [ "$status" = 2 ]
    [ ! -e out/results.tsv ]
    [ -z "$(find out -name valid.json)" ]
    pipeline dataset OUT=out ITEMS=items.tsv BEHAVIOURS=users.tsv IMAGES=images
    grep -q '"NDCG@10"' out/modal/valid.json
    [ "$(wc -l < out/results.tsv)" = 11 ]
}

@test "without images only texts are used" {
    pipeline dataset OUT=out ITEMS=items.tsv BEHAVIOURS=users.tsv
    [ "$(grep -c '^pm-train-user' calls)" = 1 ]
    not grep -q '^pm-imgpack\|^pm-encode-image\| --image' calls
}

@test "a data set without its files is refused with what to say" {
    run pipeline dataset OUT=out ITEMS=items.tsv
    [ "$status" = 2 ]
    [[ "$output" == *"BEHAVIOURS=users.tsv"* ]]
}

@test "the ablation leaves each objective out in turn" {
    pipeline ablation OUT=out
    [ "$(grep -c '^pm-train-user' calls)" -eq 8 ]
    grep -q -- '--objective dap,nicl=0.1,rcl=0.1 .*without-nid/model.pmt' calls
    grep -q -- '--objective dap .*dap/model.pmt' calls
    [ "$(wc -l < out/results.tsv)" -eq 17 ]
    [ -s out/curves.svg ]
}

@test "the demo trains three towers from nothing on made-up data" {
    pipeline demo OUT=out
    grep -q '^pm-synth data out/data' calls
    grep -q 'pm-train-user.*--tower modal --text out/tokens.pmt.*--image out/images.lmdb' calls
    [ "$(cut -f 1 out/results.tsv | sed 1d | sort -u | tr '\n' ' ')" = \
        "co-occurrence image-only modal popularity text-only " ]
    ran
    pipeline demo OUT=out
    [ "$(ran)" = "" ]
}

@test "transfer pre-trains once and starts each run from its part" {
    pipeline transfer OUT=out
    [ "$(grep -c '^pm-train-user.*nicl' calls)" = 1 ]
    for part in full items user text image; do
        grep -q "pm-train-user --users out/target/.* --init out/source/pretrain/model.pmt --transfer $part " calls
    done
    [ "$(grep -c '^pm-train-user --users out/target/' calls)" = 6 ]
    [ "$(grep '^pm-train-user --users out/target/' calls | grep -vc -- --init)" = 1 ]
    [ "$(wc -l < out/target/results.tsv)" = 17 ]
    ran
    pipeline transfer OUT=out PRETRAIN_EPOCHS=3
    [ "$(grep -c '^pm-train-user' calls)" = 6 ] # all but scratch, which starts from nothing
}

@test "pretrain trains the source only" {
    pipeline transfer OUT=out pretrain
    [ "$(grep -c '^pm-train-user' calls)" = 1 ]
    [ ! -e out/target/tokens.pmt ]
}

@test "results names a file without figures" {
    mkdir -p out/modal
    echo '{}' > out/modal/valid.json
    run "$PROJECT/pipelines/results" out modal
    [ "$status" = 1 ]
    [[ "$output" == *"out/modal/valid.json"* ]]
}
