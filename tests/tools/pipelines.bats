# The pipelines, with scripts in place of the tools that note how they were called: what runs again, and what
# does not, after a change.

setup() {
    cd "$BATS_TEST_TMPDIR"
    export CALLS=$BATS_TEST_TMPDIR/calls
    : > calls
    mkdir bin
    cat > bin/pm-fake <<'END'
#!/bin/bash
# Notes the call and makes what the options name. FAILS names a tool that prints a part and fails; NEWER one that
# has another version; SLOW makes the encoders wait for each other, and HOLD pm-tokenize for a file called go.
tool=${0##*/}
[ "$1" != --version ] || { [ "$tool" = "${NEWER:-}" ] && echo "$tool 2" || echo "$tool 1"; exit; }
echo "$tool $*" >> "$CALLS"
checkpoint=$(sed -n 's/.*--checkpoint \([^ ]*\).*/\1/p' <<< "$*")
[ -z "$checkpoint" ] || { [ ! -e "$checkpoint" ] || echo "resumed ${checkpoint#out/}" >> "$CALLS"; echo half > "$checkpoint"; }
part=$(sed -n 's/.* --resume .*-o \([^ ]*\).*/\1.part/p' <<< " $*")
[ -z "$part" ] || { [ ! -e "$part" ] || echo "resumed ${part#out/}" >> "$CALLS"; echo half > "$part"; }
case $* in *seed-2*) hits=0.5 ;; *seed-3*) hits=0.125 ;; *) hits=0.25 ;; esac
[ "$tool" = pm-eval ] && printf '{"split": "valid", "HR@10": %s, ' $hits
[ "$tool" = "${FAILS:-}" ] && exit 1
[ "$tool" = pm-eval ] && echo '"NDCG@10": 0.125}'
[ "$tool" = pm-tokenize ] && [ -n "${HOLD:-}" ] && for i in {1..100}; do [ -e go ] && break; sleep 0.05; done
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
    [ "$1" = --ranks ] && echo made > "$2"
    [ "$1" = --log ] && printf '{"step": 1, "epoch": 0, "loss": 2.0}\n{"epoch": 0, "valid": {"HR@10": 0.2}}\n' > "$2"
    shift
done
[ -z "$part" ] || rm "$part"
exit 0
END
    chmod +x bin/pm-fake
    for tool in synth tokenize imgpack encode-text encode-image train-user fuse eval import report; do
        ln -s pm-fake bin/pm-$tool
    done
    mkdir images
    touch items.tsv users.tsv images/a.jpg images/b.jpg text.pmt image.pmt
    unset MAKEFLAGS MAKELEVEL
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
    if "$@"; then return 1; fi
}

# The tools that ran since the last call of this, each once, on one line.
ran() {
    cut -d ' ' -f 1 calls | sort -u | tr '\n' ' '
    : > calls
}

all="pm-encode-image pm-encode-text pm-eval pm-fuse pm-imgpack pm-report pm-tokenize pm-train-user "

@test "a data set runs every stage once, and then none" {
    dataset
    [ "$(grep -c '^pm-tokenize' calls)" = 1 ]
    [ "$(grep -c '^pm-train-user' calls)" = 3 ]
    [ "$(grep -c '^pm-encode-text --resume --encoder' calls)" = 1 ]
    [ "$(grep -c '^pm-encode-text --resume --model' calls)" = 2 ]
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
    # One legend: the left picture's.
    for run in modal image-only popularity co-occurrence; do [ "$(grep -c "<text>$run</text>" out/curves.svg)" = 1 ]; done
    grep -q '<text>Runs of out</text>' out/curves.svg
}

@test "the page is of all runs, those with seeds as one, with users, titles and pictures" {
    dataset
    grep -Fqx "pm-report out/modal out/text-only out/image-only out/popularity out/co-occurrence --title out\
 --users users.tsv --catalog items.tsv --images out/images.lmdb -o out/report.html" calls
    grep -q '^pm-eval --model out/modal/model.pmt .* --split test .* --ranks out/modal/ranks.tsv --json' calls
    : > calls
    dataset SEEDS="1 2" TOWERS="text-only image-only"
    grep -q '^pm-report out/text-only out/image-only out/popularity out/co-occurrence --title out' calls
}

@test "a new learning rate trains, fuses and evaluates, and encodes nothing from the start" {
    dataset LR=1e-3
    ran
    dataset LR=5e-4
    grep -q 'pm-train-user.* --lr 5e-4' calls
    not grep -q '^pm-encode.*--encoder' calls
    [ "$(ran)" = "pm-encode-image pm-encode-text pm-eval pm-fuse pm-report pm-train-user " ]
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
        "pm-encode-text pm-eval pm-eval pm-fuse pm-report pm-train-user " ]
}

@test "a changed image packs images again, and no text" {
    dataset
    ran
    sleep 0.05
    echo other > images/a.jpg
    dataset
    not grep -q '^pm-encode-text --resume --encoder\|^pm-tokenize' calls
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
    echo changed > users.tsv
    dataset
    [ "$(ran)" = "pm-encode-image pm-encode-text pm-eval pm-fuse pm-report pm-train-user " ]
}

@test "an older file under another name is noticed" {
    touch -d '2001-01-01' other.pmt
    dataset
    ran
    dataset TEXT_ENCODER=other.pmt
    grep -q 'pm-encode-text --resume --encoder other.pmt' calls
}

@test "blocks that are not frozen need no encoding before training" {
    dataset TEXT_BLOCKS=0
    not grep -q '^pm-encode-text --resume --encoder' calls
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

# What stands in a folder: names, times and content.
state() {
    find "$1" -type f -printf '%p %T@ ' -exec sha256sum {} \; | sort
}

@test "make -n and a command line that is refused change nothing" {
    dataset -n
    run dataset ITEMS=absent.tsv
    [ "$status" = 2 ]
    [ ! -e out ]
    dataset
    ran
    state out > before
    dataset -n LR=1e-3 MAX_TOKENS=7
    run dataset ITEMS=absent.tsv LR=1e-3
    [ "$status" = 2 ]
    state out > after
    cmp before after
    dataset
    [ "$(ran)" = "" ]
}

@test "inputs that are not there, and paths with spaces, are named in one line" {
    for wrong in ITEMS=absent.tsv BEHAVIOURS=absent.tsv IMAGES=absent TEXT_ENCODER=absent.pmt TOKENIZER=absent TEXT=absent.pmt; do
        run dataset "$wrong"
        [ "$status" = 2 ]
        [[ "$output" == *"${wrong%=*} is \"${wrong#*=}\": there is no such file"* ]]
        [ "$(grep -vc '^make: \*\*\* .*Error 2$' <<< "$output")" = 1 ]
    done
    mkdir "my data"
    cp items.tsv "my data"
    for wrong in "ITEMS=my data/items.tsv" "IMAGES=my data" "OUT=my out"; do
        run dataset "$wrong"
        [ "$status" = 2 ]
        [[ "$output" == *"${wrong%=*} is \"${wrong#*=}\": a path must have no spaces"* ]]
    done
    [ ! -e out ]
    [ "$(ran)" = "" ]
}

@test "two makes in one folder exclude each other" {
    HOLD=1 dataset > first 2>&1 &
    for i in {1..100}; do ! grep -q pm-tokenize calls || break; sleep 0.05; done
    run dataset LR=1e-3
    [ "$status" = 2 ]
    [[ "$output" == *"out is in use by another make"* ]]
    [ "$(grep -vc '^make: \*\*\* .*Error 99$' <<< "$output")" = 1 ]
    touch go
    wait $!
    not grep -q 1e-3 calls
    ran
    dataset
    [ "$(ran)" = "" ]
}

@test "a finished stage that is made again says why" {
    dataset > first
    not grep 'made again' first
    dataset text-only.EPOCHS=7 > second
    grep -qxF 'out/text-only/model.pmt is made again: its command has "7" where it had "10"' second
    grep -qxF 'out/text-only/text-top.pmt is made again: because of out/text-only/model.pmt' second
    echo changed > users.tsv
    dataset text-only.EPOCHS=7 > third
    grep -qxF 'out/modal/model.pmt is made again: because of users.tsv' third
}

@test "why lists what would be made, and because of what, and makes nothing" {
    dataset
    ran
    dataset -n WHY=yes > reasons
    not grep out/ reasons
    echo other > items.tsv
    dataset -n WHY=yes > reasons
    grep -qxF 'out/tokens.pmt: because of items.tsv' reasons
    grep -qxF 'out/text.pmt: because of out/tokens.pmt' reasons
    rm out/image.pmt
    dataset -n WHY=yes > reasons
    grep -qxF 'out/image.pmt: it is not there yet' reasons
    [ "$(ran)" = "" ]
}

@test "inputs that were touched or copied but hold the same run nothing again" {
    dataset
    ran
    sleep 0.05
    touch items.tsv users.tsv text.pmt image.pmt images images/*
    cp -r images copy && rm -r images && mv copy images
    dataset -n > listed
    not grep '^pm-' listed
    dataset
    [ "$(ran)" = "" ]
}

@test "another version of a tool runs its stages again" {
    dataset
    ran
    NEWER=pm-fuse dataset > said
    [ "$(ran)" = "pm-eval pm-fuse pm-report " ]
    grep -q 'modal/items.pmt is made again: its command has "2\]" where it had "1\]"' said
}

@test "an interrupted training goes on; with another command or other inputs it begins anew" {
    text() { pipeline dataset OUT=out ITEMS=items.tsv BEHAVIOURS=users.tsv "$@"; }
    FAILS=pm-train-user text || true
    [ -e out/text-only/training.pmt ]
    FAILS=pm-train-user text || true
    [ "$(grep -c '^resumed text-only/training.pmt' calls)" = 1 ]
    FAILS=pm-train-user text LR=1e-3 || true
    echo changed > users.tsv
    FAILS=pm-train-user text LR=1e-3 || true
    [ "$(grep -c '^resumed' calls)" = 1 ]
    text LR=1e-3
    [ "$(grep -c '^resumed' calls)" = 2 ]
    [ -z "$(ls out/text-only | grep training)" ]
    text LR=5e-4
    [ "$(grep -c '^resumed' calls)" = 2 ]
}

@test "interrupted packing and encoding go on; with another command they begin anew" {
    for stage in pm-imgpack:images.lmdb pm-encode-text:text.pmt pm-encode-image:image.pmt; do
        rm -rf out
        : > calls
        FAILS=${stage%:*} dataset || true
        [ -e out/${stage#*:}.part ]
        FAILS=${stage%:*} dataset || true
        [ "$(grep '^resumed' calls)" = "resumed ${stage#*:}.part" ]
        FAILS=${stage%:*} dataset DTYPE=bf16 IMAGE_SIZE=16 || true
        [ "$(grep -c '^resumed' calls)" = 1 ]
        dataset DTYPE=bf16 IMAGE_SIZE=16
        [ "$(grep -c '^resumed' calls)" = 2 ]
        [ -z "$(find out -name '*.part*')" ]
    done
}

@test "missing and broken images and unknown items are told to every stage that asks" {
    dataset MISSING=zero BROKEN=skip
    grep -q '^pm-imgpack .*--missing zero --broken skip' calls
    [ "$(grep -c '^pm-train-user.* --unknown-items drop' calls)" = 3 ]
    [ "$(grep -c '^pm-eval.* --unknown-items drop' calls)" = 10 ]
    ran
    dataset OUT=plain UNKNOWN_ITEMS=drop
    grep -q '^pm-imgpack .*--missing error --broken error' calls
    [ "$(grep -c '^pm-train-user.* --unknown-items drop' calls)" = 3 ]
    dataset OUT=strict
    [ "$(grep -c '^pm-eval.* --unknown-items error' calls)" = 10 ]
}

@test "a foreign encoder stands in for ours by one line" {
    printf '#!/bin/bash\necho "numpy $*" >> "$CALLS"\ncat > "${@: -1}"\n' > bin/encode
    chmod +x bin/encode
    echo 'ENCODE_TEXT := encode --width 64' > mine.mk
    pipeline dataset OUT=out ITEMS=items.tsv BEHAVIOURS=users.tsv SETTINGS=mine.mk
    grep -qx 'numpy --width 64 -o out/text.pmt' calls
    grep -q '^pm-train-user.*--text out/text.pmt --objective' calls
    grep -q '^pm-fuse.*--text out/text.pmt' calls
    not grep -q 'text-encoder\|^pm-encode' calls
}

@test "training keeps streams of hidden states unpacked for the next run" {
    dataset TOWERS="text-only image-only" TEXT_BLOCKS=1
    grep -q '^pm-train-user.* --text out/text.pmt .* --cache out/cache --checkpoint' calls
    not grep -q '^pm-train-user.*images.lmdb.*--cache' calls
    : > calls
    dataset TOWERS=text-only TEXT_BLOCKS=1 CACHE=
    grep -q '^pm-train-user.* --text out/text.pmt' calls
    not grep -q -- --cache calls
    dataset TOWERS=text-only TEXT_BLOCKS=1 CACHE=/scratch
    grep -q '^pm-train-user.* --cache /scratch ' calls
}

@test "a ready stream is an input" {
    echo ready > mine.pmt
    pipeline dataset OUT=out ITEMS=items.tsv BEHAVIOURS=users.tsv TEXT=mine.pmt IMAGE=image.pmt
    [ "$(grep -c '^pm-train-user' calls)" = 3 ]
    grep -q 'pm-train-user.*--tower modal --text mine.pmt --image image.pmt --fusion' calls
    grep -q 'pm-fuse --model out/modal/model.pmt --text mine.pmt --image image.pmt' calls
    [ "$(ran)" = "pm-eval pm-fuse pm-report pm-train-user " ]
    pipeline dataset OUT=above ITEMS=items.tsv BEHAVIOURS=users.tsv TEXT=mine.pmt TEXT_ENCODER=text.pmt
    grep -q 'pm-train-user.*--text mine.pmt --text-encoder text.pmt' calls
    grep -q 'pm-encode-text --resume --model above/text-only/model.pmt -o above/text-only/text-top.pmt mine.pmt' calls
}

@test "an encoder is a Hugging Face folder, whose tokenizer is used" {
    mkdir xlmr
    echo '{}' > xlmr/config.json
    echo weights > xlmr/model.safetensors
    text() { pipeline dataset OUT=out ITEMS=items.tsv BEHAVIOURS=users.tsv TEXT_ENCODER=xlmr "$@"; }
    text
    grep -q '^pm-import --encoder xlmr -o out/text-encoder.pmt' calls
    grep -q '^pm-tokenize --encoder xlmr --max-tokens 50' calls
    ran
    echo others > xlmr/model.safetensors
    text -n > listed
    grep -q '^pm-import' listed
}

@test "seeds and grids are runs of their own, and seeds one line of the table" {
    grid() { dataset TOWERS=text-only TEXT_ENCODER=c.json TEXT_BLOCKS=0 LRS="1e-3 5e-4" "$@"; }
    echo '{}' > c.json
    grid SEEDS="1 2"
    [ "$(grep -c '^pm-train-user' calls)" = 4 ]
    grep -q 'pm-train-user.*--text-encoder out/text-encoder-2.pmt.* --lr 1e-3 .* --seed 2 .*-o out/text-only-lr-1e-3/seed-2/model.pmt' calls
    ran
    grid SEEDS="1 2 3"
    [ "$(grep -c '^pm-train-user' calls)" = 2 ]
    [ "$(grep -c '^pm-synth encoder' calls)" = 1 ]
    cat > wanted <<END
run	split	HR@10	NDCG@10	HR@10_lowest	HR@10_highest	NDCG@10_lowest	NDCG@10_highest	runs
text-only-lr-1e-3	valid	0.291667	0.125	0.125	0.5	0.125	0.125	3
text-only-lr-5e-4	valid	0.291667	0.125	0.125	0.5	0.125	0.125	3
popularity	valid	0.25	0.125	0.25	0.25	0.125	0.125	1
END
    head -n 4 out/results.tsv | diff - wanted
}

@test "the figures of the README are made by one target, from what is there already" {
    figures() { make --no-print-directory -f "$PROJECT/pipelines/figures.mk" BIN=bin OUT=out SEEDS="1 2" "$@"; }
    mkdir -p films/images films/serious films/comedy
    touch films/{.,serious,comedy}/{items,users}.tsv
    figures -n > listed
    for name in demo demo-bf16 transfer ablation; do grep -q "out/$name.tsv" listed; done
    not grep -q out/films listed
    ln -s "$PROJECT/tests" tests
    mkdir -p formats/examples
    echo 'import sys; open(sys.argv[sys.argv.index("-o") + 1], "w").write("made")' > formats/examples/terms_stage.py
    figures DATA=films out/transfer.tsv out/films.tsv out/films-transfer.tsv
    [ "$(grep -c '^pm-synth data .*--seed 2' calls)" = 2 ]
    [ "$(grep -c '^pm-train-user.*out/transfer-2/.* --seed 2' calls)" = 7 ]
    [ "$(grep -c '^pm-train-user --users films/users.tsv --tower id .*--seed 2' calls)" = 2 ]
    grep -q '^pm-train-user --users films/users.tsv --tower id .*--epochs 40 .*-o out/films/id-long/seed-2/model.pmt' calls
    # Each seed of the modal tower starts from the user encoder of the same seed's ID tower, which is trained before.
    grep -q '^pm-train-user --users films/users.tsv --tower modal .*--init out/films/id/seed-2/model.pmt --transfer user .*--seed 2' calls
    grep -o '^pm-train-user --users films/users.tsv --tower [a-z-]*' calls | head -n 1 | grep -q 'id$'
    [ "$(grep -c '^pm-train-user.*--init out/films-transfer/source/pretrain/seed-2/model.pmt.*--seed 2' calls)" = 5 ]
    for name in transfer films films-transfer; do [ "$(head -n 1 out/$name.tsv | cut -f 9)" = runs ]; done
    ran
    figures DATA=films out/transfer.tsv out/films.tsv out/films-transfer.tsv
    [ "$(ran)" = "" ]
}

@test "results names a file without figures" {
    mkdir -p out/modal
    echo '{}' > out/modal/valid.json
    run "$PROJECT/pipelines/results" out modal
    [ "$status" = 1 ]
    [[ "$output" == *"out/modal/valid.json"* ]]
}
