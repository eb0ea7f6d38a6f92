# What is made from the tables of options: help, man pages, completion.

setup() {
    cd "$BATS_TEST_TMPDIR"
    tools=$(cd "$PROJECT/tools" && ls pm-*.c | sed 's/\.c$//')
}

# made WHAT TOOL: what tools/packaging/WHAT.awk makes of the tool's table.
made() {
    "$2" --option-table | awk -v date="November 28, 2026" -f "$PROJECT/tools/packaging/$1.awk"
}

@test "no line of help is wider than 80 columns" {
    for tool in $tools; do
        for more in "" --verbose; do
            $tool --help $more > help
            [ -z "$(grep -E '^.{81}' help)" ] || { echo "$tool:"; grep -E '^.{81}' help; return 1; }
        done
    done
}

@test "an option that is none is answered with the one that is like it" {
    said() { "$@" 2>&1 > /dev/null < /dev/null || true; }
    [ "$(said pm-cat --slect x)" = "pm-cat: unknown option --slect; did you mean --select? (see pm-cat --help)" ]
    [[ "$(said pm-eval --modle=x)" == *"unknown option --modle=x; did you mean --model?"* ]]
    [[ "$(said pm-train-user --user-enkoder x)" == *"did you mean --user-encoder?"* ]]
    [[ "$(said pm-train-user --learning-rate 1)" != *"did you mean"* ]]
    [ "$(said pm-cat --qqqqqqqq)" = "pm-cat: unknown option --qqqqqqqq (see pm-cat --help)" ]
    [ "$(said pm-cat -Z)" = "pm-cat: unknown option -Z (see pm-cat --help)" ]
    [ "$(said pm-cat --$(printf 'x%.0s' {1..100}))" != "" ]
}

@test "the table of options has every option of --help, once" {
    for tool in $tools; do
        $tool --option-table | awk -F '\t' '$1 == "option" { print "--" $2 }' | sort > table
        $tool --help --verbose | sed '/^example:/,$d' | grep -o '^  \(-., \|    \)--[a-z0-9-]*' | grep -o -- '--.*' | sort > help
        diff table help
        [ "$(awk -F '\t' '$1 == "option" && NF != 9' <($tool --option-table))" = "" ]
    done
}

@test "man pages are clean, and say what --help says" {
    for tool in $tools; do
        made manual "$tool" > "$tool.1"
        mandoc -T lint -W style "$tool.1"
        mandoc -T utf8 "$tool.1" | col -b > page
        grep -qw "$tool" page
        for option in $($tool --option-table | awk -F '\t' '$1 == "option" { print "--" $2 }'); do
            grep -q -- "$option" page || { echo "$tool: $option"; return 1; }
        done
        tail -n 1 <($tool --help) | sed 's/^ *//' > example
        grep -qF -f example page
    done
}

@test "bash completes options, choices and files" {
    complete_in() { # TOOL WORD…: what bash offers for the last word
        bash -c 'source /dev/stdin; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _${1//-/_}; echo "${COMPREPLY[*]}"' \
            complete "$@" < <(made bash "$1")
    }
    touch images.lmdb
    [ "$(complete_in pm-imgpack --mis)" = "--missing" ]
    [ "$(complete_in pm-imgpack --missing '')" = "error zero skip" ]
    [ "$(complete_in pm-imgpack --missing z)" = "zero" ]
    [ "$(complete_in pm-imgpack -o im)" = "images.lmdb" ]
    [ "$(complete_in pm-imgpack --size '')" = "" ]
    [ "$(complete_in pm-encode-image im)" = "images.lmdb" ]
    for tool in $tools; do [[ " $(complete_in "$tool" --) " == *" --version "* ]]; done
}

@test "completion in zsh is valid there and has every option" {
    for tool in $tools; do
        made zsh "$tool" > "_$tool"
        zsh -n "_$tool"
        [ "$(grep -c '^    .*\\$' "_$tool")" = "$($tool --option-table | grep -c '^option')" ]
    done
    grep -qF "'--missing[items without image\: error, zero (black), skip]:WHAT:(error zero skip)'" _pm-imgpack
}

@test "the C example recommends what pm-recommend recommends" {
    pm-synth data data --items 20 --users 15 --image-size 8 -q
    pm-tokenize --bytes -q -o tokens.pmt data/items.tsv
    jq '.hidden_size = 24 | .intermediate_size = 32' "$PROJECT/pipelines/configs/text-small.json" > text.json
    pm-synth encoder text.json -q -o encoder.pmt
    pm-encode-text --encoder encoder.pmt -q -o text.pmt tokens.pmt
    pm-train-user --users data/users.tsv --text text.pmt --dim 16 --epochs 1 -q -o model.pmt
    pm-fuse --model model.pmt --text text.pmt -q -o items.pmt
    "$(dirname "$(command -v pm-cat)")/../examples/recommend" model.pmt items.pmt data/users.tsv 3 > from-c
    pm-recommend --model model.pmt --items items.pmt --users data/users.tsv --top 3 -q > from-tool
    [ "$(wc -l < from-c)" = 45 ]
    diff from-c from-tool
    [ "$(wc -l < "$PROJECT/formats/examples/recommend.c")" -le 40 ]
}
