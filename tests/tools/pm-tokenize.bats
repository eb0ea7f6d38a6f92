# pm-tokenize: from items.tsv to a stream of token ids, and how it fails.

load python

setup() {
    cd "$BATS_TEST_TMPDIR"
    golden=$PROJECT/tests/golden/tokens
}

# Prints a stream as item TAB ids, separated by spaces.
ids() {
    PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$PROJECT/formats "$python" -c '
import pmt, sys
with pmt.Reader(sys.argv[1]) as reader:
    for key, tensors in reader:
        assert list(tensors) == ["ids"] and tensors["ids"].dtype == "<i4", tensors
        print(key.decode() + "\t" + " ".join(map(str, tensors["ids"])))
' "$1"
}

# Prints the expected ids in the same form: FILE KEY.
expected() {
    "$python" -c '
import json, sys
for line in open(sys.argv[1]):
    row = json.loads(line)
    print(row["id"] + "\t" + " ".join(map(str, row[sys.argv[2]])))
' "$golden/$1" "$2"
}

header() {
    PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$PROJECT/formats "$python" -c '
import pmt, sys
with pmt.Reader(sys.argv[1]) as reader:
    print(reader.header.get(sys.argv[2]))
' "$1" "$2"
}

@test "the ids of three SentencePiece models, cut to 50 and to 16" {
    need_python
    for model in test_model test_ja_model items2k; do
        for length in 50 16; do
            pm-tokenize -q --model "$golden/$model.model" --max-tokens $length < "$golden/texts.tsv" > t.pmt
            cmp <(ids t.pmt) <(expected expected-$model.jsonl ids$length)
        done
    done
    [ "$(header t.pmt kind)" = tokens ]
    [ "$(header t.pmt vocabulary_size)" = 2002 ]
    [ "$(header t.pmt max_tokens)" = 16 ]
    [[ "$(header t.pmt tokenizer)" =~ ^sentencepiece\ xxh3:[0-9a-f]{32}$ ]]
}

@test "the tokenizer of an encoder's folder, with the limits of its config.json" {
    need_python
    pm-tokenize -q --encoder "$golden/bert-uncased" --special parse "$golden/texts.tsv" -o t.pmt
    cmp <(ids t.pmt) <(expected expected-bert-uncased.jsonl ids50)
    pm-tokenize -q --encoder "$golden/roberta" --special parse --keep-case "$golden/texts.tsv" -o t.pmt
    cmp <(ids t.pmt) <(expected expected-roberta.jsonl ids50)
    pm-tokenize -q --encoder "$golden/roberta" --max-tokens 64 "$golden/texts.tsv" -o t.pmt
    run pm-tokenize --encoder "$golden/roberta" --max-tokens 65 "$golden/texts.tsv" -o none.pmt
    [ "$status" = 1 ]
    [[ "$output" = *"give --max-tokens 64 or less, not 65" ]]
    [ ! -e none.pmt ]
}

@test "bytes need no file" {
    need_python
    printf 'a\tHi\nb\t\n' | pm-tokenize -q --bytes > t.pmt
    [ "$(ids t.pmt)" = $'a\t0 108 109 2\nb\t0 2' ]
    [ "$(header t.pmt vocabulary_size)" = 260 ]
    [ "$(header t.pmt tokenizer)" = bytes ]
}

@test "one line says how many items, empty texts and texts cut" {
    need_python
    run pm-tokenize --model "$golden/items2k.model" --max-tokens 16 "$golden/texts.tsv" -o t.pmt
    [ "$status" = 0 ]
    "$python" - "$golden/expected-items2k.jsonl" > want <<'EOF'
import json, sys
rows = [json.loads(line) for line in open(sys.argv[1])]
print("pm-tokenize: %d items, %d texts empty, %d cut to 16 tokens" % (
    len(rows), sum(len(row["ids16"]) == 2 for row in rows), sum(len(row["ids50"]) > 16 for row in rows)))
EOF
    [ "$output" = "$(cat want)" ]
}

@test "any number of threads gives the same bytes" {
    need_python
    for i in $(seq 60); do sed "s/^/$i-/" "$golden/texts.tsv"; done > items.tsv
    pm-tokenize -q --threads 1 --model "$golden/test_model.model" items.tsv -o one.pmt
    pm-tokenize -q --threads 4 --model "$golden/test_model.model" items.tsv -o four.pmt
    cmp one.pmt four.pmt
    [ "$(ids one.pmt | wc -l)" = 9300 ]
    cmp <(ids one.pmt | sed -n '9146,9300s/^60-//p') <(expected expected-test_model.jsonl ids50)
}

@test "text that is not UTF-8 is refused with its place, or replaced" {
    need_python
    run pm-tokenize --model "$golden/test_model.model" "$golden/texts-invalid.tsv" -o t.pmt
    [ "$status" = 1 ]
    [[ "$output" = "pm-tokenize: $golden/texts-invalid.tsv:1:7: "* ]]
    [ "${#lines[@]}" = 1 ]
    [ ! -e t.pmt ]
    run pm-tokenize --invalid-utf8 replace --model "$golden/test_model.model" "$golden/texts-invalid.tsv" -o t.pmt
    [ "$status" = 0 ]
    [[ "$output" = *", 18 with U+FFFD for what was not UTF-8" ]]
    cmp <(ids t.pmt) <(expected expected-invalid.jsonl test_model)
}

@test "bad items name file and line, and leave no output" {
    check() {
        printf "$1" > items.tsv
        run pm-tokenize --bytes items.tsv -o t.pmt
        [ "$status" = 1 ]
        [[ "$output" = "pm-tokenize: items.tsv:$2"* ]] || { echo "$output"; false; }
        [ "${#lines[@]}" = 1 ]
        [ ! -e t.pmt ]
    }
    check '' ' no items'
    check 'a\tx\nb\n' '2: no TAB'
    check 'a\tx\n\n' '2: empty line'
    check '\tx\n' '1: no item name'
    check 'a b\tx\n' '1: a space in the item name'
    check 'a\tx\ty\n' '1: a second TAB'
    check 'a\tx\nb\t\na\ty\n' '3: item a stands on line 1 already'
    check '\xff\xfea\0\t\0' '1: this is UTF-16'
}

@test "line ends and a byte order mark are no part of the text" {
    need_python
    printf '\xef\xbb\xbfa\thi\r\nb\tyo\r\n' | pm-tokenize -q --bytes > t.pmt
    printf 'a\thi\nb\tyo' | pm-tokenize -q --bytes > u.pmt
    cmp <(ids t.pmt) <(ids u.pmt)
}

@test "damaged tokenizers end in one line" {
    for size in 0 1 1000 200000; do
        head -c $size "$golden/items2k.model" > cut.model
        run pm-tokenize --model cut.model "$golden/texts.tsv" -o t.pmt
        [ "$status" = 1 ]
        [ "${#lines[@]}" = 1 ]
        [[ "$output" = "pm-tokenize: cut.model: not a SentencePiece model: "* ]]
        [ ! -e t.pmt ]
    done
    run pm-tokenize --model . "$golden/texts.tsv" -o t.pmt
    [ "$status" = 1 ]
    [[ "$output" = *"Is a directory" ]]
}

@test "random bytes never crash it" {
    need_python
    "$python" -c '
import random
random.seed(1)
for i in range(40):
    noise = b"a\t" * (i % 2) + random.randbytes(3000)
    open("noise-%d" % i, "wb").write(noise.replace(b" ", b"\t") if i % 4 > 1 else noise)
'
    for noise in noise-*; do
        for how in error replace; do
            run pm-tokenize --invalid-utf8 $how --model "$golden/test_model.model" $noise -o t.pmt
            [ "$status" -le 1 ]
            [ "${#lines[@]}" = 1 ]
        done
    done
    # One text of all the noise, whose TABs and line ends are taken away.
    { printf 'a\t'; tr -d '\t\n' < noise-0; } > items.tsv
    pm-tokenize -q --invalid-utf8 replace --model "$golden/test_model.model" items.tsv -o t.pmt
    [ "$(ids t.pmt | wc -w)" = 51 ]
}

@test "wrong usage is exit 2" {
    for words in "" "--bytes --model x.model" "--bytes --max-tokens 1" "--bytes --special no" "--bytes a b" "--none"; do
        run pm-tokenize $words
        [ "$status" = 2 ]
        [ "${#lines[@]}" = 1 ]
    done
}

@test "a full disk is an error and a closed pipe is quiet" {
    for i in $(seq 200); do sed "s/^/$i-/" "$golden/texts.tsv"; done > items.tsv
    run bash -c 'pm-tokenize -q --bytes items.tsv > /dev/full'
    [ "$status" = 1 ]
    [[ "$output" = *"No space left on device" ]]
    run bash -c 'pm-tokenize -q --bytes items.tsv | head -c 10 > /dev/null'
    [ "$output" = "" ]
}

# folder NAME CONFIG FILE…: a Hugging Face folder of a small BERT, with changes of its config.json.
bert_folder() {
    mkdir -p "$1"
    printf '%s' '{"model_type": "bert", "vocab_size": 12, "hidden_size": 8, "num_hidden_layers": 1,
        "num_attention_heads": 2, "intermediate_size": 8, "max_position_embeddings": 64}' | jq "$2" > "$1/config.json"
}

@test "do_lower_case of tokenizer_config.json counts, and what contradicts it is reported" {
    need_python
    bert_folder cased .
    printf '%s\n' '[PAD]' '[UNK]' '[CLS]' '[SEP]' '[MASK]' Apple apple Café cafe café TV tv > cased/vocab.txt
    printf 'a\tApple TV Café\n' > k.tsv
    pm-tokenize -q --encoder cased k.tsv -o t.pmt
    [ "$(ids t.pmt)" = $'a\t2 6 11 8 3' ]
    echo '{"do_lower_case": false}' > cased/tokenizer_config.json
    pm-tokenize -q --encoder cased k.tsv -o t.pmt
    [ "$(ids t.pmt)" = $'a\t2 5 10 7 3' ]
    pm-tokenize -q --model cased/vocab.txt k.tsv -o t.pmt
    [ "$(ids t.pmt)" = $'a\t2 5 10 7 3' ]
    echo '{"normalizer": {"type": "BertNormalizer", "lowercase": true}}' > cased/tokenizer.json
    run pm-tokenize --encoder cased k.tsv -o t.pmt
    [ "$status" -eq 0 ]
    [[ ${lines[0]} == *"cased/tokenizer.json says otherwise"*"do_lower_case is false; that one counts" ]]
    [ "$(ids t.pmt)" = $'a\t2 5 10 7 3' ]
    echo '{"normalizer": {"type": "Sequence", "normalizers": [{"type": "BertNormalizer", "lowercase": false}]}}' > cased/tokenizer.json
    echo '{}' > cased/tokenizer_config.json
    run pm-tokenize --encoder cased k.tsv -o t.pmt
    [ "${#lines[@]}" -eq 1 ]
    [ "$(ids t.pmt)" = $'a\t2 5 10 7 3' ]
}

@test "a BERT with XLM-RoBERTa's tokenizer gets XLM-RoBERTa's ids" {
    need_python
    printf 'a\tred shoe\n' > m.tsv
    pm-tokenize -q --model "$golden/test_model.model" m.tsv -o want.pmt
    bert_folder mm '.vocab_size = 1040'
    cp "$golden/test_model.model" mm/sentencepiece.bpe.model
    run pm-tokenize --encoder mm m.tsv -o t.pmt
    [ "$status" -eq 1 ]
    [[ $output == *"bert encoder gives to the pieces of sentencepiece.bpe.model are not known" ]]
    echo '{"tokenizer_class": "XLMRobertaTokenizerFast"}' > mm/tokenizer_config.json
    pm-tokenize -q --encoder mm m.tsv -o t.pmt
    [ "$(ids t.pmt)" = "$(ids want.pmt)" ]
    bert_folder mm '.vocab_size = 1040 | .tokenizer_class = "BertTokenizer"'
    run pm-tokenize --encoder mm m.tsv -o t.pmt
    [[ ${lines[0]} == *"XLMRobertaTokenizerFast, config.json beside it BertTokenizer; the first counts" ]]
    bert_folder mm '.vocab_size = 1000'
    run pm-tokenize --encoder mm m.tsv -o t.pmt
    [ "$status" -eq 1 ]
    [[ $output == *"1002 ids, but the encoder's vocab_size is 1000"* ]]
}

@test "compressed texts are read, and what is cut or damaged is named" {
    printf 'a\tone\nb\ttwo\n' > items.tsv
    pm-tokenize -q --bytes items.tsv -o want.pmt
    gzip -c items.tsv > items.tsv.gz
    zstd -q -c items.tsv > items.zst
    head -n 1 items.tsv | gzip > members.gz
    tail -n 1 items.tsv | gzip >> members.gz
    for file in items.tsv.gz items.zst members.gz; do
        pm-tokenize -q --bytes $file -o got.pmt
        cmp want.pmt got.pmt
        pm-tokenize -q --bytes < $file > got.pmt
        cmp want.pmt got.pmt
    done
    head -c 20 items.tsv.gz > cut.gz
    head -c 15 items.zst > cut.zst
    for file in cut.gz cut.zst; do
        run pm-tokenize --bytes $file -o no.pmt
        [ "$status" -eq 1 ]
        [[ $output == "pm-tokenize: $file: a compressed file that cannot be read: "* ]]
    done
    : | gzip > empty.gz
    run pm-tokenize --bytes empty.gz -o no.pmt
    [ "$status" -eq 1 ]
    [[ $output == *"empty.gz: no items"* ]]
    [ ! -e no.pmt ]
}

@test "a header line is noticed" {
    printf 'item_id\ttitle\na\tone\n' > items.tsv
    run pm-tokenize --bytes items.tsv -o no.pmt
    [ "$status" -eq 1 ]
    [[ $output == *"items.tsv:1: a header line; the file has none, every line is an item: take it out (tail -n +2)" ]]
    printf 'a\tone\nitem_id\ttitle\n' > items.tsv
    pm-tokenize -q --bytes items.tsv -o yes.pmt
    printf 'user_id\titems\nu\ta a a a\n' > users.tsv
    run pm-eval --baseline popularity --users users.tsv --catalog items.tsv
    [ "$status" -eq 1 ]
    [[ $output == *"users.tsv:1: a header line; the file has none, every line is a user"* ]]
}

@test "a word of megabytes is an error of byte-level BPE, and costs no gigabytes" {
    { printf 'a\t'; head -c 20000000 /dev/zero | tr '\0' x; echo; } > items.tsv
    limit=1000000
    (ulimit -v $limit; pm-tokenize --version) > /dev/null 2>&1 || limit=unlimited # a sanitizer needs more
    run bash -c "ulimit -v $limit; exec pm-tokenize --threads 1 --encoder '$golden/roberta' items.tsv -o no.pmt"
    [ "$status" -eq 1 ]
    [[ $output == *"item a: a word of 19 MiB in its text; byte-level BPE takes one of 1 MiB at most" ]]
}

@test "shards joined in order are the whole stream" {
    awk 'BEGIN { for (i = 1; i <= 5000; i++) printf "v%d\ttext %d\n", i, i }' > many.tsv
    pm-tokenize --bytes -q many.tsv -o whole.pmt
    for i in 1 2 3; do pm-tokenize --bytes --shard $i/3 -q many.tsv -o $i.pmt; done
    cat 1.pmt 2.pmt 3.pmt | pm-cat --keys | cmp - <(pm-cat --keys whole.pmt)
    [ "$(pm-cat --keys 1.pmt | wc -l)" -eq 1666 ]
    cat 1.pmt 2.pmt 3.pmt | pm-cat --header | jq -r .provenance.inputs.items.hash > hash
    pm-cat --header whole.pmt | jq -r .provenance.inputs.items.hash | cmp - hash
    pm-cat --header 1.pmt | jq -e '.provenance.options | has("shard") | not'
    # Of a pipe the number of lines is not known: every third.
    [ "$(pm-tokenize --bytes --shard 2/3 -q < <(cat many.tsv) | pm-cat --keys | head -3 | cut -f 1 | xargs)" = "v2 v5 v8" ]
    run pm-tokenize --bytes --shard 4/3 -q many.tsv
    [ "$status" -eq 2 ]
}

@test "--level changes the size and nothing else" {
    awk 'BEGIN { for (i = 1; i <= 5000; i++) printf "v%d\ttext %d of some length\n", i, i * i }' > many.tsv
    for level in 1 19; do pm-tokenize --bytes --level $level -q many.tsv -o $level.pmt; done
    [ "$(stat -c %s 19.pmt)" -lt "$(stat -c %s 1.pmt)" ]
    [ "$(pm-cat --verify 1.pmt | sed 's/.*, //')" = "$(pm-cat --verify 19.pmt | sed 's/.*, //')" ]
}
