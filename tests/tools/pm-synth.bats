# pm-synth: what it writes, and how it fails.

load full_device

setup() {
    cd "$BATS_TEST_TMPDIR"
}

@test "data writes as many items, users and images as were asked for" {
    pm-synth data d --items 40 --users 30 -q
    [ "$(wc -l < d/items.tsv)" = 40 ]
    [ "$(wc -l < d/users.tsv)" = 30 ]
    [ "$(ls d/images | wc -l)" = 40 ]
    [ "$(head -n 1 d/items.tsv | cut -f 1)" = a0001 ]
    # Every item of a user is in the catalogue, and every item has an image.
    cut -f 2 d/users.tsv | tr ' ' '\n' | sort -u > used
    cut -f 1 d/items.tsv | sort > known
    [ -z "$(comm -23 used known)" ]
    [ "$(ls d/images | sed 's/\.jpg$//' | sort)" = "$(cat known)" ]
}

@test "every word of every domain is in the vocabulary" {
    for domain in A B C; do
        pm-synth data $domain --domain $domain --items 300 --users 1 --image-size 8 -q
        cut -f 2 $domain/items.tsv | tr ' A-Z' '\na-z' | sort -u > words
        [ -z "$(comm -23 words <(sort $domain/vocab.txt))" ]
    done
    cmp A/vocab.txt B/vocab.txt
}

@test "the same seed gives the same bytes, another seed others" {
    pm-synth data one --items 20 --users 20 --seed 5 -q
    pm-synth data two --items 20 --users 20 --seed 5 -q
    pm-synth data three --items 20 --users 20 --seed 6 -q
    diff -r one two
    ! cmp -s one/users.tsv three/users.tsv || false
    ! cmp -s one/images/a0001.jpg three/images/a0001.jpg || false
}

@test "domains share no item and no user" {
    pm-synth data a --items 20 --users 20 --image-size 8 -q
    pm-synth data b --items 20 --users 20 --image-size 8 --domain B -q
    [ -z "$(comm -12 <(cut -f 1 a/items.tsv | sort) <(cut -f 1 b/items.tsv | sort))" ]
    [ -z "$(comm -12 <(cut -f 1 a/users.tsv | sort) <(cut -f 1 b/users.tsv | sort))" ]
}

@test "images are JPEG of the asked size" {
    pm-synth data d --items 1 --users 1 --image-size 40 -q
    [ "$(head -c 3 d/images/a0001.jpg | od -An -tx1)" = " ff d8 ff" ]
    # The frame header: marker ffc0, length, precision 8, height and width.
    od -An -v -tx1 d/images/a0001.jpg | tr -d ' \n' | grep -q 'ffc0001108002800280'
}

@test "a run that cannot write says where and leaves no finished data set" {
    pm-synth data d --items 5 --users 5 -q
    rm -r d/images && touch d/images
    run pm-synth data d --items 5 --users 5
    [ "$status" = 1 ]
    [[ "$output" == *"d/images"* ]]
    run pm-synth data missing/folder
    [ "$status" = 1 ]
    [[ "$output" == *"missing/folder"*"No such file"* ]]
}

@test "a full disk leaves no items.tsv" {
    mkdir -p d/images
    full_device d/images/a0003.jpg
    run pm-synth data d --items 5 --users 5
    [ "$status" = 1 ]
    [[ "$output" == *"d/images/a0003.jpg"*"No space left"* ]]
    [ ! -e d/items.tsv ] && [ ! -e d/users.tsv ]
}

@test "encoder writes a whole stream that says what it is" {
    pm-synth encoder "$PROJECT/pipelines/configs/image-small.json" -o enc.pmt
    pm-cat --verify enc.pmt
    pm-cat --header enc.pmt | grep -q '"kind": "encoder"'
    pm-cat --header enc.pmt | grep -q '"architecture": "clip-vision"'
    [ "$(pm-cat --keys enc.pmt | wc -l)" = 21 ]
}

@test "encoder gives the same bytes with any number of threads, and others with another seed" {
    config=$PROJECT/pipelines/configs/text-small.json
    pm-synth encoder "$config" --threads 1 > one.pmt
    pm-synth encoder "$config" --threads 3 > three.pmt
    pm-synth encoder "$config" --seed 2 > other.pmt
    cmp one.pmt three.pmt
    ! cmp -s one.pmt other.pmt || false
}

@test "encoder names what is wrong with a configuration, and writes nothing" {
    echo '{"model_type": "gpt2"}' > config.json
    run pm-synth encoder config.json -o enc.pmt
    [ "$status" = 1 ]
    [[ "$output" == *"config.json"*"gpt2"* ]]
    head -c 40 "$PROJECT/pipelines/configs/text-small.json" > cut.json
    run pm-synth encoder cut.json -o enc.pmt
    [ "$status" = 1 ]
    [[ "$output" == *"cut.json"* ]]
    run pm-synth encoder missing.json -o enc.pmt
    [ "$status" = 1 ]
    [[ "$output" == *"missing.json"* ]]
    [ ! -e enc.pmt ]
}

@test "an option of the other command is refused" {
    run pm-synth encoder "$PROJECT/pipelines/configs/text-small.json" --items 5
    [ "$status" = 2 ]
    [[ "$output" == *"--items"* ]]
    run pm-synth data d -o enc.pmt
    [ "$status" = 2 ]
    [ ! -e d ]
}

@test "wrong usage ends with 2" {
    run pm-synth
    [ "$status" = 2 ]
    run pm-synth data
    [ "$status" = 2 ]
    run pm-synth data d --items 0
    [ "$status" = 2 ]
    run pm-synth data d --domain AB
    [ "$status" = 2 ]
    run pm-synth colours d
    [ "$status" = 2 ]
}

@test "an absurdly large encoder is refused before any of it is written" {
    jq '.hidden_size = 65536 | .intermediate_size = 65536 | .num_attention_heads = 64' "$PROJECT/pipelines/configs/text-small.json" > wide.json
    run timeout 20 pm-synth encoder wide.json -o no.pmt
    [ "$status" -eq 1 ]
    [[ $output == *"an encoder of "*" parameters, "*" GB; is the description right? The limit is 64 GB" ]]
    [ ! -e no.pmt ]
}
