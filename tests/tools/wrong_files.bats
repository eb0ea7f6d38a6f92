#!/usr/bin/env bats
# A file that is given in the place of another: every kind of file to every place that takes a file.

bats_require_minimum_version 1.5.0

setup_file() {
    load small_data
    small_data
    local golden=$PROJECT/tests/golden
    train --epochs 1 -o model.pmt
    items model.pmt items.pmt
    pm-export -q items.pmt -o arrays.npz
    pm-export -q items.pmt -o array.npy
    pm-export -q model.pmt -o weights.safetensors
    cp "$golden/checkpoints/control.pt" checkpoint.pt
    cp "$golden/checkpoints/legacy-views.pt" legacy.pt
    cp "$golden/images/tiny-3x7.jpg" picture.jpg
    cp "$golden/images/tiny-1x1.png" picture.png
    cp "$golden/images/webp-lossless-61x45.webp" picture.webp
    tar -cf pictures.tar picture.jpg
    head -c 3000 /dev/urandom | gzip > packed.gz
    echo '{"a": 1}' | zstd -q > packed.zst
    printf '<!DOCTYPE html>\n<html><body>404</body></html>\n' > page.html
    printf '{"a": 1}\n' > settings.json
    printf 'GIF89a\1\2' > picture.gif
    printf 'version https://git-lfs.github.com/spec/v1\noid sha256:0\n' > pointer
}

setup() {
    cd "$BATS_FILE_TMPDIR"
}

# FILE|what every message about it says
kinds='tokens.pmt|token ids
text.pmt|hidden states
items.pmt|item vectors
text-encoder.pmt|an encoder
model.pmt|a model
images.lmdb|an LMDB file
weights.safetensors|a safetensors file
arrays.npz|a zip file
checkpoint.pt|a zip file
legacy.pt|an older checkpoint of PyTorch
array.npy|an array of NumPy
picture.jpg|a JPEG picture
picture.png|a PNG picture
picture.webp|a WebP picture
picture.gif|a GIF picture
pictures.tar|a tar file
packed.gz|a gzip file
packed.zst|a zstd file of something else
page.html|a web page
settings.json|JSON
pointer|a pointer of Git LFS
items.tsv|a text with TABs'

# tried ACCEPTED COMMAND…: the command with every file that is not ACCEPTED (a pattern) in the place of FILE.
tried() {
    local accepted=$1 file what command status bad=0
    shift
    while IFS='|' read -r file what; do
        [[ $file == @($accepted) ]] && continue
        command=("${@/#FILE/$file}")
        status=0
        timeout 20 "${command[@]}" > said 2>&1 < /dev/null || status=$?
        if [ "$status" -ne 1 ] || [ "$(wc -l < said)" -ne 1 ] || ! grep -qF "$file" said || ! grep -qF "$what" said; then
            echo "${command[*]}: status $status, without '$what': $(head -c 400 said)"
            bad=1
        fi
    done <<< "$kinds"
    return $bad
}

@test "where a stream is needed" {
    tried '*.pmt' pm-cat FILE
    tried '*.pmt|images.lmdb' pm-export FILE -o no.npz
    tried 'text-encoder.pmt' pm-encode-text --encoder FILE tokens.pmt -o no.pmt
    tried 'model.pmt' pm-encode-image --model FILE images.lmdb -o no.pmt
    tried 'tokens.pmt|text.pmt' pm-encode-text --encoder text-encoder.pmt FILE -o no.pmt
    tried 'images.lmdb|text.pmt' pm-encode-image --encoder image-encoder.pmt FILE -o no.pmt
    tried 'model.pmt' pm-fuse --model FILE --text text.pmt -o no.pmt
    tried 'model.pmt' pm-eval --model FILE --users users.tsv --items items.pmt --split test
    tried 'items.pmt' pm-eval --model model.pmt --users users.tsv --items FILE --split test
    tried 'model.pmt' pm-recommend --model FILE --users users.tsv --items items.pmt
    tried 'items.pmt' pm-recommend --model model.pmt --users users.tsv --items FILE
    tried 'items.pmt' pm-recommend --items FILE --similar i1
    tried 'text.pmt|tokens.pmt' pm-train-user --users users.tsv --text FILE --text-encoder text-encoder.pmt -o no.pmt
    tried 'items.pmt' pm-train-user --users users.tsv --items FILE -o no.pmt
    tried 'model.pmt' pm-train-user --users users.tsv --items items.pmt --init FILE -o no.pmt
    [ ! -e no.pmt ]
}

@test "where a foreign file is needed" {
    tried '*.safetensors|*.np?|*.pt|settings.json' pm-import --model FILE -o no.pmt
    tried '*.safetensors|*.np?|*.pt|settings.json' pm-import --items items.tsv --hidden x FILE -o no.pmt
    tried '' pm-import --encoder FILE -o no.pmt
    tried 'images.lmdb' pm-imgpack --pickled FILE --items items.tsv -o no.lmdb
    tried 'settings.json' pm-synth encoder FILE -o no.pmt
    tried 'settings.json|items.tsv|pointer|page.html' pm-tokenize --model FILE items.tsv -o no.pmt
    [ ! -e no.pmt ] && [ ! -e no.lmdb ]
}

@test "where a text is needed" {
    tried 'items.tsv|settings.json|packed.*' pm-tokenize --bytes FILE -o no.pmt
    tried 'items.tsv|settings.json|packed.*' pm-imgpack --images data/images --items FILE -o no.lmdb
    tried '' pm-imgpack --images FILE --items items.tsv -o no.lmdb
    tried 'items.tsv|settings.json|packed.*' pm-eval --baseline popularity --users FILE --catalog items.tsv
    tried 'items.tsv|settings.json|packed.*' pm-import --items FILE --hidden x arrays.npz -o no.pmt
    tried 'items.tsv|settings.json|packed.*' pm-recommend --model model.pmt --items items.pmt --users FILE
    [ ! -e no.pmt ] && [ ! -e no.lmdb ]
}

@test "where a run or what a page shows is needed" {
    tried '' pm-report FILE -o no.html
    mkdir -p run
    printf '{"split": "test", "users": 30, "items": 40, "HR@10": 0.4, "NDCG@10": 0.4}\n' > run/test.json
    cp model.pmt items.pmt run
    tried 'items.tsv|settings.json|packed.*' pm-report run --users users.tsv --catalog FILE -o no.html
    tried 'items.tsv|settings.json|packed.*' pm-report run --users FILE -o no.html
    tried 'images.lmdb' pm-report run --users users.tsv --images FILE -o no.html
    [ ! -e no.html ]
}
