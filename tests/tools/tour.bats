# Every command of formats/tour.md, with small stand-ins under the names of the real files.

small="--epochs 1 --dim 24 --fusion-heads 2 --fusion-intermediate 16"

# Twelve narrow blocks; what a pm-encode-text or pm-train-user of the real sizes would do all the same.
stand_ins() {
    local shape='.hidden_size = 24 | .num_hidden_layers = 12 | .num_attention_heads = 4 | .intermediate_size = 16'
    mkdir xlm-roberta-base clip-vit-base-patch32
    jq "$shape | .vocab_size = 2002" "$PROJECT/pipelines/configs/text-small.json" > xlm-roberta-base/config.json
    jq "$shape | .image_size = 224 | .patch_size = 112" "$PROJECT/pipelines/configs/image-small.json" \
        > clip-vit-base-patch32/config.json
    cp "$PROJECT/tests/golden/tokens/items2k.model" xlm-roberta-base/sentencepiece.bpe.model
    for folder in xlm-roberta-base clip-vit-base-patch32; do
        pm-synth encoder $folder/config.json -q -o made.pmt
        pm-export -q made.pmt -o $folder/model.safetensors
    done
    pm-synth data data --items 20 --users 12 --image-size 16 -q
    mv data/items.tsv data/users.tsv .
    mv data/images posters
    cp "$PROJECT/tests/golden/pickled/images.lmdb" old-images.lmdb
    printf '%s\ttext\n' v12 v3 > old-items.tsv
}

# A model of the same sizes is the released one's stand-in: what a file is, its content says, not its name.
checkpoint() {
    pm-import --encoder xlm-roberta-base -q -o t.pmt
    pm-import --encoder clip-vit-base-patch32 -q -o i.pmt
    pm-tokenize --encoder xlm-roberta-base -q -o tokens.pmt items.tsv
    pm-imgpack --images posters --items items.tsv -q -o images.lmdb
    pm-train-user -q --users users.tsv --text tokens.pmt --image images.lmdb --text-encoder t.pmt --image-encoder i.pmt \
        $small -o made.pmt
    pm-export -q made.pmt -o made.safetensors
    mv made.safetensors epoch-5.pt
    pm-encode-text --encoder t.pmt -q -o top.pmt tokens.pmt
    pm-export -q top.pmt -o vectors.npz
    rm ./*.pmt images.lmdb
}

@test "every command of formats/tour.md works" {
    local candidate python=
    for candidate in python3 /usr/bin/python3; do
        [ "$python" ] || ! "$candidate" -c 'import msgpack, zstandard, numpy' 2> /dev/null || python=$candidate
    done
    [ "$python" ] || skip "no Python with msgpack, zstandard and numpy"
    export PYTHONDONTWRITEBYTECODE=1
    cd "$BATS_TEST_TMPDIR"
    stand_ins
    checkpoint
    sed -n 's/^    //p' "$PROJECT/formats/tour.md" > tour.sh
    [ "$(grep -c '^pm-' tour.sh)" -ge 20 ]
    sed -i "s|python3 formats|$python $PROJECT/formats|; s/--epochs 5/$small/" tour.sh
    sed -i 's/"dim": 768/"dim": 24/; s/"fusion-heads": 12/"fusion-heads": 2/' tour.sh
    bash -euxo pipefail tour.sh > output 2> messages || { tail -n 5 messages; return 1; }
    # What was printed is what the streams that are there give, and they are what the page says of them.
    pm-eval --model model.pmt --users users.tsv --items vectors.pmt --split test -q > figures
    grep -qE '^ *HR@10 .*[01]\.[0-9]+|HR@10.*[01]\.[0-9]+' figures
    [ "$(grep -cxF -f figures output)" -ge "$(wc -l < figures)" ]
    for side in text image released-text released-image; do
        [ "$(pm-cat --header $side.pmt | jq -c '[.kind, .blocks, .records]')" = '["hidden",10,20]' ]
        [ "$(pm-cat --header $side.pmt | jq -r .dtype)" = "$([[ $side = released* ]] && echo f32 || echo bf16)" ]
    done
    [ "$(pm-cat --header model.pmt | jq -r .provenance.inputs.text.hash)" = "$(pm-cat --header text.pmt | jq -r .provenance.hash)" ]
    for model in model transferred text-only elsewhere trigrams; do
        pm-cat --verify $model.pmt
    done
    # The transferred model started from the released one's items: its frozen blocks are the released ones.
    for name in released transferred; do
        pm-cat --select 'text_encoder.bert_model.encoder.layer.[0-9].*' $name.pmt -q -o part.pmt
        pm-cat --verify part.pmt | sed 's/.*: //; s/, xxh3.*//' > $name.frozen
        pm-export -q part.pmt -o $name.frozen.npz
    done
    cmp released.frozen.npz transferred.frozen.npz
    grep -q '160 records' released.frozen
}
