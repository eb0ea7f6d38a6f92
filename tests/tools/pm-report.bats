# pm-report: the figures on the page and on the terminal, by value; one file; any name as text.

load small_data
load python

# Three runs: a model of two seeds, a model, a baseline; their figures are made up where they must be known.
setup_file() {
    small_data
    mkdir -p runs/two/seed-1 runs/two/seed-2 runs/other runs/popularity runs/one
    for seed in 1 2; do train --threads 1 --seed $seed --log runs/two/seed-$seed/log.jsonl -o runs/two/seed-$seed/model.pmt; done
    items runs/two/seed-1/model.pmt runs/two/seed-1/items.pmt
    # Ranks of 30 users. seed-1 hits 12, seed-2 the first 6, the other run 15, the baseline 3.
    ranks() { awk -F '\t' -v hits="$1" '{ print $1 "\t" (NR <= hits ? 1 : 11) }' users.tsv; }
    figures() { printf '{"split": "%s", "users": 30, "items": 40, "HR@10": %s, "NDCG@10": %s}\n' "$@"; }
    ranks 12 > runs/two/seed-1/ranks.tsv
    ranks 6 > runs/two/seed-2/ranks.tsv
    ranks 15 > runs/other/ranks.tsv
    ranks 3 > runs/popularity/ranks.tsv
    figures test 0.4 0.4 > runs/two/seed-1/test.json
    figures test 0.2 0.2 > runs/two/seed-2/test.json
    figures test 0.5 0.25 > runs/other/test.json
    figures test 0.1 0.1 > runs/popularity/test.json
    figures valid 0.15 0.1 > runs/popularity/valid.json
    for epoch in 1 2 3; do
        echo "{\"step\":$epoch,\"epoch\":$epoch,\"loss\":9}"
        echo "{\"epoch\":$epoch,\"mean_loss\":$((4 - epoch)).5,\"valid\":{\"HR@10\":0.$((epoch == 2 ? 4 : 3))}}"
    done > runs/other/log.jsonl
    echo '{"epoch":4,"mean_loss":0.5,"lr":1e-3}' >> runs/other/log.jsonl # not validated
    head -n 2 runs/other/log.jsonl > runs/one/log.jsonl
}

setup() {
    cd "$BATS_FILE_TMPDIR"
    rm -rf out*
}

# The page as lines of text: tags away, entities turned back, spaces joined.
words_of() {
    "$python" - "$1" <<'END'
import html.parser, sys
class Reader(html.parser.HTMLParser):
    def handle_starttag(self, tag, attributes):
        if tag in ("tr", "li", "p", "h1", "h2", "h3", "text", "summary", "article"):
            print()
    def handle_data(self, data):
        print(data.strip(), end=" " if data.strip() else "")
reader = Reader()
reader.feed(open(sys.argv[1]).read())
END
}

@test "the table on the terminal" {
    pm-report -q runs/two runs/other runs/popularity > out-got
    awk '{ print $1, $2, $3 }' out-got > out-columns
    printf 'run HR@10 NDCG@10\ntwo 0.3000 0.3000\nother 0.5000 0.2500\npopularity 0.1000 0.1000\n' | diff out-columns -
    grep -q '^two .* 0.2000-0.4000/2' out-got
    # Over two: 6 users differ by 0, 6 by 0.5, 3 by 1 and 15 by 0: mean 0.2, and its standard error by hand.
    error=$(awk 'BEGIN { s = 21 * 0.04 + 6 * 0.09 + 3 * 0.64; printf "%+.1f", 0.2 / sqrt(s / 29 / 30) }')
    grep -q "^other .* +0.2000  *$error " out-got
    grep -q '^popularity .* -0.2000' out-got
    pm-report -q runs/other runs/other | grep -q '^other .* +0.0000  *+0.0  +0.0000 .. +0.0000  1.000'
}

@test "the page says the same, and how each model came about" {
    need_python
    pm-report -q runs/two runs/other runs/popularity --title 'Films & "more" <b>' -o out.html > out-terminal
    words_of out.html > out-words
    grep -q '^Films & "more" <b> $' out-words
    grep -q '^30 users, each tested with the last item against 40 items' out-words
    grep -q '^two 2 seeds 0.3000 0.2000 … 0.4000 0.3000 0.2000 … 0.4000 – ' out-words
    grep -q '^other 0.5000 0.2500 +0.2000 .* 2 of 4 *$' out-words
    grep -q '^popularity 0.1000 0.1000 -0.2000 ' out-words
    grep -q '^Validation: Films & "more" <b>' out-words
    grep -q '^Training: Films & "more" <b>' out-words
    grep -q '^Test: Films & "more" <b>' out-words
    hash=$(pm-cat --header runs/two/seed-2/model.pmt | jq -r .provenance.hash)
    grep -q "^model.pmt by pm-train-user 1.0.0 $hash .*seed 2" out-words
    grep -q '^text by pm-encode-text ' out-words
    grep -q '^input by pm-tokenize .*bytes true' out-words
}

@test "curves have the logged values, and baselines are lines across" {
    need_python
    pm-report -q runs/other runs/popularity -o out.html > out-terminal
    # Each epoch's place in the drawing is linear in its value: 0.3, 0.4, 0.3 and the level 0.15.
    "$python" - <<'END'
import re
page = open("out.html").read()
def points(series, chart):
    svg = page.split("<svg")[chart]
    paths = re.findall(r"stroke='var\(--series-%d\)'[^>]*?d='([^']*)'" % series, svg)
    return [tuple(map(float, p)) for p in re.findall(r"[ML]([0-9.]+),([0-9.]+)", paths[0])] if paths else [
        tuple(map(float, p)) for p in re.findall(r"[ML]([0-9.]+),([0-9.]+)", re.search(r"var\(--series-%d\).*?d='([^']*)'" % series, svg, re.S)[1])]
curve, level = points(1, 1), points(2, 1)
assert len(curve) == 3, curve
assert abs(curve[0][1] - curve[2][1]) < 0.02 and curve[1][1] < curve[0][1], curve
step = (curve[0][1] - curve[1][1]) / 0.1
assert len({y for _, y in level}) == 1, level
assert abs((level[0][1] - curve[0][1]) / step - 0.15) < 0.002, (level, curve)
assert level[0][0] < curve[0][0] and level[-1][0] > curve[2][0]
loss = points(1, 2)
assert len(loss) == 4 and loss[0][1] < loss[1][1] < loss[2][1] < loss[3][1] and abs(loss[0][1] + loss[2][1] - 2 * loss[1][1]) < 0.05, loss
END
}

@test "users with what they met, titles and pictures" {
    need_python
    awk -F '\t' '{ print $1 "\tTitle <" $1 "> & co" }' items.tsv > out-items.tsv
    report() { pm-report -q runs/two runs/popularity --users users.tsv --catalog out-items.tsv --people 3 -o out.html "$@" > out-terminal; }
    report --images images.lmdb
    pm-recommend -q --model runs/two/seed-1/model.pmt --items runs/two/seed-1/items.pmt --users users.tsv --top 8 |
        awk -F '\t' '$1 == "ua0001" || $1 == "ua0011" || $1 == "ua0021" { print $3 }' > out-want
    "$python" - > out-got <<'END'
import re
page = open("out.html").read().split('id="people"')[1]
for new in re.findall(r'<ol class="items new">(.*?)</ol>', page, re.S):
    print(*re.findall(r'data-item="([^"]*)"', new), sep="\n")
END
    diff out-got out-want
    words_of out.html > out-words
    newest=$(head -n 1 users.tsv | tr ' ' '\n' | tail -n 1)
    grep -A 2 '^met, the newest first' out-words | grep -q "^Title <$newest> & co"
    [ "$(grep -o 'src="data:image/jpeg;base64,/9j/' out.html | wc -l)" -eq "$(grep -c 'class="poster"' out.html)" ]
    # A picture is the item's: red, green and blue of the first one, as the store has them.
    "$python" - <<'END'
import base64, re
page = open("out.html").read()
item, data = re.search(r'data-item="([^"]*)"><img[^>]*base64,([^"]*)"', page).groups()
assert base64.b64decode(data)[:2] == b"\xff\xd8" and base64.b64decode(data)[-2:] == b"\xff\xd9"
END
    cp out.html out-store.html
    report --images data/images
    [ "$(grep -o 'src="data:image/jpeg;base64,/9j/' out.html | wc -l)" -eq "$(grep -o 'src="data:image/jpeg;base64,/9j/' out-store.html | wc -l)" ]
}

@test "one file: nothing is loaded from elsewhere, and the bytes are the same again" {
    pm-report -q runs/two runs/other runs/popularity --users users.tsv --images images.lmdb -o out.html > out-terminal
    ! grep -Eo '(src|href)="[^"]{0,40}' out.html | grep -vE '"(data:|#)' || return 1
    ! grep -Eq '<script|<link|@import|url\(https?:' out.html || return 1
    pm-report -q --threads 1 runs/two runs/other runs/popularity --users users.tsv --images images.lmdb -o out-again.html > out-terminal-again
    cmp out.html out-again.html
    cmp out-terminal out-terminal-again
}

@test "one epoch, no test: a page without a warning" {
    pm-report runs/one -o out.html > out-terminal 2> out-said
    [ ! -s out-said ]
    grep -q 'Validation' out.html
    ! grep -qi 'warning' out.html || return 1
    grep -q '^one  *-  *-' out-terminal
}

@test "what is no run, and wrong usage" {
    mkdir -p out-empty out-bad
    refuses out-empty "neither a log.jsonl" -- pm-report out-empty
    refuses absent -- pm-report absent
    echo '{"epoch":1' > out-bad/log.jsonl
    refuses out-bad/log.jsonl:1 -- pm-report out-bad
    printf 'u\t1\nu\t2\n' > out-bad/ranks.tsv
    echo '{"epoch":1,"mean_loss":null,"valid":{"HR@10":0}}' > out-bad/log.jsonl
    refuses out-bad/ranks.tsv:2 "line 1" -- pm-report out-bad
    refuses "none of the runs" -- pm-report runs/other --users users.tsv -o out.pmt
    for options in "" "runs/one --users users.tsv" "runs/one --catalog items.tsv -o out.html" "runs/one --people 3 -o out.html"; do
        run pm-report $options
        [ "$status" -eq 2 ]
        [ "${#lines[@]}" -eq 1 ]
    done
}

@test "without gnuplot, or one that fails, there is no page and it is said" {
    mkdir out-bin
    printf '#!/bin/sh\necho no terminal; exit 1\n' > out-bin/gnuplot
    chmod +x out-bin/gnuplot
    PATH=$PWD/out-bin:$PATH refuses "gnuplot-nox" "no terminal" -- pm-report -q runs/other -o out.pmt
}
