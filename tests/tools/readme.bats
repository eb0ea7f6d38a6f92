# What the pages say holds.

@test "every command of README.md's tour works, and shows what it should" {
    cd "$BATS_TEST_TMPDIR"
    ln -s "$PROJECT/pipelines" .
    mkdir build
    sed -n '/^## A tour/,/^## The tools/s/^    //p' "$PROJECT/README.md" > tour.sh
    [ "$(wc -l < tour.sh)" -gt 20 ]
    bash -euxo pipefail tour.sh > output 2> messages || { tail -n 3 messages; return 1; }
    [ "$(ls)" = "$(printf '%s\n' build messages output pipelines tour.sh)" ]
    cd build/tour
    hash=$(pm-cat --verify text.pmt | sed 's/.*, //')
    grep -qxF '"hidden"' ../../output
    grep -qxF "\"$hash\"" ../../output
    grep -qx "text.pmt: hidden, 300 records, $hash" ../../output
    [ "$(grep -A 1 -xF '"hidden"' ../../output | tail -n 1)" = 300 ]
    grep -qx "$(zstd -dc text.pmt | wc -c)" ../../output
    [ "$(pm-cat --keys text.pmt)" = "$(pm-cat --keys sharded.pmt)" ]
    [ "$(grep -c '^[0-9]*'$'\t''0\.[0-9]*$' ../../output)" = 15 ]
    # The model has learned what popularity does not know.
    hits=$(grep -xE '0\.[0-9]+' ../../output)
    awk -v hits="$hits" 'BEGIN { exit !(hits > 0.3) }'
    grep -q 'HR@10.*0\.0900' ../../output
    [ "$(grep -cE '^u[^ ]+'$'\t''[123]'$'\t''i?[^ ]+'$'\t''-?[0-9.]+$' ../../output)" = 6 ]
    grep -q '^user_encoder\.' ../../output
    [ -s model.safetensors ]
    pm-cat --verify user.pmt
}

@test "README.md's ten lines end in the recommendations that stand below them" {
    cd "$BATS_TEST_TMPDIR"
    ln -s "$PROJECT/pipelines" .
    mkdir build
    ln -s "$(dirname "$(command -v pm-cat)")" build/bin
    sed -n '/^## Ten lines/,/^## A tour/p' "$PROJECT/README.md" > page
    sed -n 's/^    \([^ ]\)/\1/p' page > lines.sh
    [ "$(wc -l < lines.sh)" = 10 ]
    sed -n 's/^        / /p' page > rest
    [ "$(wc -l < rest)" = 1 ]
    sed -n 's/^    //p' page | bash -euo pipefail > output 2> messages || { tail -n 3 messages; return 1; }
    # Kernels of other processors round otherwise, which may swap neighbours but not the quality.
    read -r model popularity <<< "$(awk '$1 == "HR@10" { printf "%s ", $2 }' output)"
    read -r said known <<< "$(sed -n 's/^The model.s HR@10 is \([0-9.]*\), popularity.s \([0-9.]*\),.*/\1 \2/p' page)"
    awk -v a="$model" -v b="$said" 'BEGIN { exit !(a - b < 0.03 && b - a < 0.03 && b > 0.3) }'
    [ "$popularity" = "${known}00" ]
    sed -n '/^```/,/^```/p' page | sed '1d; $d' > said
    tail -n 3 output > got
    [ "$(cut -f 1,2 got)" = "$(cut -f 1,2 said)" ]
    [ "$(cut -f 3 got said | sort | uniq -d | wc -l)" -ge 1 ]
    awk -F '\t' 'NR == FNR { score[$2] = $4; next } { d = score[$2] / $4; if (d < 0.85 || d > 1.15) exit 1 }' said got
}

@test "links lead to files" {
    for page in README.md lib/model/README.md $(cd "$PROJECT" && ls formats/*.md); do
        for link in $(grep -o '](\([^)]*\))' "$PROJECT/$page" | sed 's/](//; s/)//; s/#.*//' | grep -v '^http'); do
            [ -e "$PROJECT/$(dirname "$page")/$link" ] || { echo "$page: $link"; return 1; }
        done
    done
}

@test "README.md names every tool and every setting with its default" {
    cd "$BATS_TEST_TMPDIR"
    for tool in $(cd "$PROJECT/tools" && ls pm-*.c); do
        grep -q "\`${tool%.c}\`" "$PROJECT/README.md"
    done
    pm-train-user --help | sed '1,/^settings/d; /^example/,$d' | grep -o -- '--[a-z-]* [A-Z]*\( \[[^]]*\]\)\?' > settings
    [ "$(wc -l < settings)" -gt 25 ]
    while read -r option _ value; do
        row=$(grep "^|.*\`${option#--}\`" "$PROJECT/README.md") || { echo "$option"; return 1; }
        value=$(sed 's/[][]//g; s/0\.0001/1e-4/' <<< "$value")
        [ "$option" = --tower ] || [[ "$row" == *"$value"* ]] || { echo "$option is $value: $row"; return 1; }
    done < settings
}

@test "README.md's defaults of the pipelines are those of stages.mk" {
    cd "$BATS_TEST_TMPDIR"
    touch items.tsv users.tsv
    mkdir images
    sed -n '/^| variable | default/,/^$/p' "$PROJECT/README.md" | sed '1,2d; /^$/d' > rows
    [ "$(wc -l < rows)" -gt 12 ]
    printf 'include %s/pipelines/dataset.mk\nvalue: ; @echo "$(strip $(call of,mine,$(NAME)))"\n' "$PROJECT" > ask.mk
    ask() { make --no-print-directory -f ask.mk LOCKED=out OUT=out ITEMS=items.tsv BEHAVIOURS=users.tsv IMAGES=images NAME="$1" value; }
    while IFS='|' read -r _ names defaults _; do
        read -ra names <<< "$(tr -d '`,' <<< "$names")"
        IFS=', ' read -ra values <<< "$defaults"
        case ${names[0]} in *ENCODE* | TOKENIZER | TEXT* | TOWERS | TRAIN | SETTINGS) [ "${names[0]}" = TEXT_BLOCKS ] || continue ;; esac
        [ "${#names[@]}" = "${#values[@]}" ]
        for i in "${!names[@]}"; do
            [ "$(dataset=mine ask "${names[i]}")" = "${values[i]/#OUT\//out/}" ] || { echo "${names[i]}: ${values[i]}"; return 1; }
        done
    done < rows
    [ "$(ask TOWERS)" = "modal text-only image-only" ]
}

@test "each row of faults.md is a test" {
    sed -n '/^| fault /,/^$/p' "$PROJECT/formats/faults.md" | sed '1,2d; /^$/d' > "$BATS_TEST_TMPDIR/rows"
    [ "$(wc -l < "$BATS_TEST_TMPDIR/rows")" -gt 15 ]
    while IFS= read -r row; do
        name=$(sed 's/ |$//; s/.*| //' <<< "$row")
        grep -qF "@test \"$name\"" "$PROJECT"/tests/tools/{faults*,ranks,encode-resume}.bats || { echo "$name"; return 1; }
    done < "$BATS_TEST_TMPDIR/rows"
}
