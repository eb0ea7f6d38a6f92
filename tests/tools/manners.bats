# What all tools have in common: help, usage, failures, full disks, closed pipes, interruptions, memory.

tools="pm-cat pm-encode-image pm-encode-text pm-eval pm-export pm-fuse pm-imgpack pm-import pm-recommend pm-report
    pm-synth pm-tokenize pm-train-user"

load full_device

# A small data set, encoders and a model, made once, under the names that the examples of --help use.
setup_file() {
    cd "$BATS_FILE_TMPDIR"
    pm-synth data data --items 40 --users 20 --image-size 16 -q
    mv data/items.tsv data/users.tsv .
    cp users.tsv u.tsv
    mv data/images posters
    mkdir -p pipelines/configs xlm-roberta-base
    jq '.hidden_size = 24 | .num_hidden_layers = 11 | .intermediate_size = 32' \
        "$PROJECT/pipelines/configs/text-small.json" > pipelines/configs/text-small.json
    jq '.hidden_size = 24 | .num_hidden_layers = 11 | .intermediate_size = 32 | .image_size = 16' \
        "$PROJECT/pipelines/configs/image-small.json" > clip.json
    cp "$PROJECT/tests/golden/tokens/items2k.model" sentencepiece.bpe.model
    pm-synth encoder pipelines/configs/text-small.json -o enc.pmt
    pm-synth encoder clip.json -o clip.pmt
    cp enc.pmt xlmr.pmt
    jq '.num_hidden_layers = 1' pipelines/configs/text-small.json > one.json
    pm-synth encoder one.json -o one.pmt
    pm-imgpack --images posters --items items.tsv --size 16 -q -o images.lmdb
    pm-tokenize --bytes items.tsv -q -o tokens.pmt
    pm-encode-text --encoder enc.pmt --blocks 10 -q -o text.pmt tokens.pmt
    pm-encode-image --encoder clip.pmt --blocks 10 -q -o image.pmt images.lmdb
    pm-train-user --users users.tsv --text text.pmt --text-encoder enc.pmt --image image.pmt \
        --image-encoder clip.pmt --dim 16 --fusion-heads 2 --fusion-intermediate 16 --epochs 1 -q -o model.pmt
    pm-encode-text --model model.pmt -q -o text-top.pmt text.pmt
    pm-encode-image --model model.pmt -q -o image-top.pmt image.pmt
    pm-fuse --model model.pmt --text text-top.pmt --image image-top.pmt -q -o items.pmt
    pm-export enc.pmt -q -o xlm-roberta-base/model.safetensors
    cp pipelines/configs/text-small.json xlm-roberta-base/config.json
    pm-export text.pmt -q -o text.npz
    cp model.pmt old.pmt
    pm-cat --select '!(user_encoder.*)' model.pmt -q -o encoders.pmt
    mkdir -p run build/demo/modal build/demo/popularity
    cp model.pmt items.pmt run
    pm-eval --model model.pmt --items items.pmt --users users.tsv --ranks run/ranks.tsv --json -q > run/test.json
    cp run/* build/demo/modal
    pm-eval --baseline popularity --catalog items.tsv --users users.tsv --json -q > build/demo/popularity/test.json
    mkfifo endless
}

setup() {
    cd "$BATS_FILE_TMPDIR"
    # What a test writes is called out*.
    rm -rf out*
}

# A command that works, and writes the file $out.
command_of() {
    case $1 in
        pm-cat) echo pm-cat tokens.pmt -o "$out" ;;
        pm-encode-image) echo pm-encode-image --encoder clip.pmt images.lmdb -o "$out" ;;
        pm-encode-text) echo pm-encode-text --encoder enc.pmt tokens.pmt -o "$out" ;;
        pm-eval) echo pm-eval --model model.pmt --items items.pmt --users users.tsv --ranks "$out" ;;
        pm-export) echo pm-export tokens.pmt -o "$out" ;;
        pm-fuse) echo pm-fuse --model model.pmt --text text-top.pmt --image image-top.pmt -o "$out" ;;
        pm-imgpack) echo pm-imgpack --images posters --items items.tsv --size 16 -o "$out" ;;
        pm-import) echo pm-import --items items.tsv --hidden hidden --mask mask text.npz -o "$out" ;;
        pm-recommend) echo pm-recommend --model model.pmt --items items.pmt --users users.tsv -o "$out" ;;
        pm-report) echo pm-report run --users users.tsv -o "$out" ;;
        pm-synth) echo pm-synth encoder pipelines/configs/text-small.json -o "$out" ;;
        pm-tokenize) echo pm-tokenize --bytes items.tsv -o "$out" ;;
        pm-train-user) echo pm-train-user --users users.tsv --text text.pmt --text-encoder enc.pmt \
            --tower text-only --dim 16 --epochs 1 -o "$out" ;;
    esac
}

# The inputs of that command, one at a time replaced by a name that is not there.
without_inputs() {
    local word words
    read -ra words <<< "$(command_of "$1")"
    for word in "${!words[@]}"; do
        case ${words[word]} in
            *.pmt | *.tsv | *.lmdb | *.npz | *.json | posters) [ "${words[word]}" != "$out" ] &&
                echo "${words[@]:0:word} absent-${words[word]} ${words[@]:word+1}" ;;
        esac
    done
    true
}

fails_with() { # STATUS TEXT COMMAND…: one line on standard error, which has TEXT; nothing on standard output
    local status=0
    "${@:3}" > out.stdout 2> out.stderr < /dev/null || status=$?
    if [ "$status" -ne "$1" ] || [ -s out.stdout ] || [ "$(wc -l < out.stderr)" -ne 1 ] ||
        ! grep -qF -- "$2" out.stderr; then
        echo "${*:3}: status $status, expected $1 and '$2'; it says:"
        cat out.stderr
        return 1
    fi
}

@test "--help fits a screen and ends with an example" {
    for tool in $tools; do
        lines=24
        [ $tool = pm-train-user ] && lines=40
        $tool --help > out.help
        [ "$(wc -l < out.help)" -le $lines ] || { echo "$tool: $(wc -l < out.help) lines"; return 1; }
        sed '1,/^example:$/d' out.help > out.example
        [ -s out.example ]
        grep -q "^  .*$tool " out.example
        ! grep -v '^  ' out.example || { echo "$tool does not end with its example"; return 1; }
    done
}

@test "the examples of --help work" {
    for tool in $tools; do
        $tool --help | sed '1,/^example:$/d' > out.example
        mkdir out
        cp -r $(ls | grep -v '^out\|^endless$') out/
        (cd out && OMP_NUM_THREADS=2 bash -euo pipefail ../out.example) > out.stdout 2> out.stderr ||
            { echo "$tool:"; cat out.example out.stderr; return 1; }
        rm -r out
    done
}

@test "--help names every option, and each of them is taken" {
    for tool in $tools; do
        $tool --help --verbose | sed '1,/^$/d; /^example:/,$d' | grep -o -- '^ *\(-., \)\?--[a-z0-9-]*\( [A-Z]\)\?' > out.options
        [ "$(wc -l < out.options)" -ge 6 ]
        $tool --help > out.help
        while read -r line; do
            option=$(grep -o -- '--[a-z0-9-]*' <<< "$line")
            grep -q -- "$option\b" out.help || { echo "$tool: $option is not in --help"; return 1; }
            if [[ $line == *" "[A-Z] ]]; then
                fails_with 2 "$option needs a value" $tool "$option"
            else
                fails_with 2 "$option takes no value" $tool "$option=1"
            fi
        done < out.options
    done
}

@test "options and their defaults are described with --help --verbose" {
    pm-train-user --verbose --help > out.help
    grep -q -- '--dim D  *width of item vectors \[768\]' out.help
    grep -q -- '-q, --quiet  *say nothing' out.help
}

@test "--version is the tool's name and version" {
    for tool in $tools; do
        [[ "$($tool --version | head -n 1)" =~ ^$tool\ [0-9]+\.[0-9]+\.[0-9]+$ ]]
        [ "$($tool -V)" = "$($tool --version)" ]
    done
}

@test "wrong usage exits with 2 and one line that names the option" {
    for tool in $tools; do
        fails_with 2 "unknown option --no-such" $tool --no-such
        fails_with 2 "unknown option -9" $tool -9
        fails_with 2 "unknown option -9" $tool -q9
        fails_with 2 "--threads takes a whole number, not 'many'" $tool --threads many
        fails_with 2 "--threads must be between 0 and 4096, not 5000" $tool --threads 5000
    done
    fails_with 2 "--lr takes a number" pm-train-user --lr fast
    fails_with 2 "--lr must be between" pm-train-user --lr nan
    fails_with 2 "--dropout must be between" pm-train-user --dropout 1
    fails_with 2 "--epochs takes a whole number, not '1e3'" pm-train-user --epochs 1e3
    fails_with 2 "--tower is one of" pm-train-user --tower none
    fails_with 2 "--fusion: there is no fusion 'mean'; known are merge_attn, " pm-train-user --fusion mean
    for tool in pm-encode-text pm-encode-image pm-fuse pm-train-user pm-eval pm-recommend; do
        fails_with 2 "--device: there is no device 'gpu'" $tool --device gpu
    done
}

@test "a missing file exits with 1 and one line that names it" {
    out=out.pmt
    for tool in $tools; do
        [ $tool != pm-export ] || out=out.npz
        without_inputs $tool > out.commands
        [ -s out.commands ]
        while read -r words; do
            fails_with 1 "$(grep -o 'absent-[^ ]*' <<< "$words")" $words -q
            [ ! -e $out ]
        done < out.commands
    done
}

@test "a full disk exits with 1 and a message, and leaves no file" {
    full_device full.npz
    out=full.npz
    for tool in $tools; do
        [ $tool != pm-imgpack ] || continue # a store is no stream
        fails_with 1 "No space left on device" $(command_of $tool) -q
    done
    for tool in pm-cat pm-encode-image pm-encode-text pm-fuse pm-tokenize; do
        out=-
        status=0
        $(command_of $tool) -q > /dev/full 2> out.stderr || status=$?
        [ $status = 1 ]
        grep -q 'standard output: No space left on device' out.stderr
    done
    for tool in $tools; do
        status=0
        $tool --help > /dev/full 2> out.stderr || status=$?
        [ $status = 1 ]
        grep -q 'No space left on device' out.stderr
    done
}

@test "a file too large for its limit leaves no file" {
    for tool in pm-cat pm-encode-text pm-export pm-imgpack pm-import pm-synth pm-tokenize; do
        out=out.npz
        (ulimit -f 1; $(command_of $tool) -q) > out.stdout 2>&1 && { echo "$tool writes over the limit"; return 1; }
        [ -z "$(ls -A | grep -F out.npz)" ] || { ls -A; return 1; }
    done
}

@test "a closed pipe downstream ends a tool quietly" {
    awk 'BEGIN { for (i = 0; i < 20000; i++) printf "i%d\tnumber %d of many %d\n", i, i, i * i }' > out.tsv
    pm-tokenize --bytes out.tsv -q -o out.pmt
    pm-tokenize --bytes out.tsv 2> out.stderr | head -c 1 > out.stdout
    pm-cat out.pmt 2>> out.stderr | head -c 1 >> out.stdout
    pm-cat --keys out.pmt 2>> out.stderr | head -c 1 >> out.stdout
    pm-encode-text --encoder enc.pmt --blocks 0 out.pmt 2>> out.stderr | head -c 1 >> out.stdout
    [ "$(wc -c < out.stdout)" = 4 ]
    [ ! -s out.stderr ] || { cat out.stderr; return 1; }
}

# interrupted SIGNAL COMMAND…: starts the command on an input that does not end, and kills it when it has begun
# to write, into a file without a name or with a hidden one. It says with which status it ended.
interrupted() {
    # A shell under nohup hands on that HUP is ignored.
    env --default-signal=HUP "${@:2}" -q < endless > out.stdout 2> out.stderr &
    local tool=$! feeder status=0
    { cat "$input"; exec sleep 60; } > endless &
    feeder=$!
    for i in {1..200}; do
        readlink /proc/$tool/fd/* 2> /dev/null | grep "$PWD/\(#.* (deleted)\|[.]out.pmt\)" > out.found && break
        sleep 0.02
    done
    cat out.found
    [ -s out.found ]
    kill -s "$1" $tool
    wait $tool || status=$?
    kill $feeder 2> /dev/null || true # it may have ended with the tool that it fed
    wait $feeder || true
    rm -f out.found
    [ $status -gt 128 ]
}

@test "a killed tool leaves nothing under the name of its output" {
    for command in "tokens.pmt pm-cat" "tokens.pmt pm-encode-text --encoder enc.pmt" "items.tsv pm-tokenize --bytes"; do
        input=${command%% *}
        for signal in TERM HUP; do # a shell has its jobs in the background ignore INT
            interrupted $signal ${command#* } -o out.pmt
            [ -z "$(ls -A | grep -F out.pmt)" ]
        done
        interrupted KILL ${command#* } -o out.pmt
        [ ! -e out.pmt ]
        [ "$(ls -A | grep -cF out.pmt)" -le 1 ] # where the file system has no files without a name
        rm -f .out.pmt*
    done
}

@test "a tool that fails does not wait for the rest of its input" {
    { cat tokens.pmt; exec sleep 60; } > endless &
    feeder=$!
    status=0
    timeout 20 pm-encode-image --encoder clip.pmt -o out.pmt < endless 2> out.stderr || status=$?
    kill $feeder 2> /dev/null || true
    wait $feeder || true
    cat out.stderr
    [ $status = 1 ]
    grep -q 'standard input: .*tokens' out.stderr
}

@test "a killed training leaves no model" {
    out=out.pmt
    for signal in TERM KILL; do
        $(command_of pm-train-user) --epochs 1000000 --log out.jsonl -q 2> out.stderr &
        tool=$!
        for i in {1..200}; do
            compgen -G 'out.jsonl*' > /dev/null && break
            sleep 0.02
        done
        kill -s $signal $tool
        status=0
        wait $tool || status=$?
        [ $status -gt 128 ]
        [ ! -e out.pmt ]
        rm -f out.*
    done
}

@test "-q silences" {
    for tool in $tools; do
        out=out.npz
        $(command_of $tool) -q > out.stdout 2> out.stderr
        [ ! -s out.stderr ] || { echo "$tool says:"; cat out.stderr; return 1; }
        [ -s out.npz ]
        rm out.npz
    done
    pm-imgpack --images posters --items items.tsv --size 16 -o out.lmdb 2> out.stderr
    [ -s out.stderr ]
}

# peak_of COMMAND…: the largest memory it takes, in KiB
peak_of() {
    command time -f %M -o out.peak "$@"
    tail -n 1 out.peak
}

# steady KIB COMMAND…: a stream of 200,000 records takes no more memory than one of 40,000, which fills the frames that
# are written at the same time, 15 MiB and KIB. Three frames of 4 MiB may be there or not, as the threads happen to meet,
# and the index takes 12 bytes a record, 1.8 MiB here. All else would be a fault, and 1 MiB is left for it.
steady() {
    local few many
    few=$(peak_of "${@:2}")
    set -- "${@//few/many}"
    many=$(peak_of "${@:2}")
    echo "$2: $few KiB, $many KiB"
    [ "$many" -le $((few + 15360 + $1)) ]
}

@test "memory does not grow with the number of records" {
    [[ "$(ldd "$(command -v pm-cat)")" != *libasan* ]] || skip "a sanitizer keeps what is freed"
    awk 'BEGIN { for (i = 0; i < 200000; i++) printf "i%d\tnumber %d\n", i, i }' > out.many.tsv
    head -n 40000 out.many.tsv > out.few.tsv
    # The names of the items are kept: one may not stand twice.
    steady 16384 pm-tokenize --bytes --max-tokens 6 out.few.tsv -q -o out.few.pmt
    steady 0 pm-encode-text --encoder enc.pmt --blocks 0 out.few.pmt -q -o out.hidden.few.pmt
    steady 0 pm-cat out.hidden.few.pmt -q -o out.pmt
    pm-encode-text --encoder one.pmt out.few.pmt -q -o out.top.few.pmt
    pm-encode-text --encoder one.pmt out.many.pmt -q -o out.top.many.pmt
    cut -f 1 out.few.tsv | paste - - - - - | awk '{ print "u" NR "\t" $1, $2, $3, $4, $5 }' | head -n 8 > out.users.tsv
    pm-train-user --users out.users.tsv --text out.top.few.pmt --text-encoder one.pmt --dim 128 --fusion-heads 2 \
        --fusion-intermediate 8 --epochs 1 -q -o out.model
    steady 0 pm-fuse --model out.model --text out.top.few.pmt -q -o out.vectors
}
