# pm-import and pm-export, from foreign files to streams and back.

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
    golden=$PROJECT/tests/golden
    clip=$golden/encoders/clip-tiny-full
    checkpoints=$golden/checkpoints
    printf 'a\tone\nb\ttwo\nc\tthree\n' > items.tsv
}

# The tensors of a stream: name, dtype and shape, sorted.
tensors() {
    pm-cat --keys "$1" | sort
}

@test "the image part of a whole CLIP model, and what was left" {
    run pm-import --encoder "$clip/model.safetensors" --config "$clip/config.json" -o e.pmt
    [ "$status" -eq 0 ]
    [[ $output == *"37 tensors"*"20 text_model"*"2 post_layernorm"* ]]
    [ "$(pm-cat --keys e.pmt | wc -l)" -eq 37 ]
    pm-cat --keys e.pmt | grep -q '^encoder.layers.1.mlp.fc2.bias	'
    pm-cat --header e.pmt | grep -q '"architecture": *"clip-vision"'
}

@test "a Hugging Face folder, and the same in shards" {
    pm-import -q --encoder "$clip" -o whole.pmt
    mkdir shards
    cp "$clip/config.json" shards
    pm-cat --select 'embeddings.*' whole.pmt > one.pmt
    pm-cat --select '!(embeddings.*)' whole.pmt > two.pmt
    for part in one two; do
        pm-export -q $part.pmt -o shards/$part.safetensors
    done
    {
        printf '{"weight_map": {'
        for part in one two; do
            pm-cat --keys $part.pmt | cut -f1 | sed "s/.*/\"&\": \"$part.safetensors\"/"
        done | paste -sd,
        printf '}}'
    } > shards/model.safetensors.index.json
    pm-import -q --encoder shards -o joined.pmt
    pm-export -q whole.pmt -o whole.safetensors
    pm-export -q joined.pmt -o joined.safetensors
    cmp whole.safetensors joined.safetensors
    sed -i 's/"two.safetensors"/"..\/two.safetensors"/' shards/model.safetensors.index.json
    run pm-import --encoder shards -o refused.pmt
    [ "$status" -eq 1 ]
    [ ! -e refused.pmt ]
}

@test "encoders out of a recommender's checkpoint" {
    pm-import -q --encoder "$checkpoints/views.pt" --config "$checkpoints/text_config.json" -o text.pmt
    pm-import -q --encoder "$checkpoints/views.pt" --config "$checkpoints/vision_config.json" -o image.pmt
    pm-cat --keys text.pmt | grep -q '^embeddings.word_embeddings.weight	value	f32	\[64,16\]'
    pm-cat --keys image.pmt | grep -q '^pre_layrnorm.weight	'
    run pm-import --encoder "$clip/model.safetensors" --config "$checkpoints/vision_config.json" -o wrong.pmt
    [ "$status" -eq 1 ]
    [[ $output == *"[32]"*"[16]"* ]]
    run pm-import --encoder "$clip/model.safetensors" --config "$checkpoints/text_config.json" -o wrong.pmt
    [ "$status" -eq 1 ]
    [ ! -e wrong.pmt ]
}

@test "a model with its settings and encoders, there and back" {
    cat > config.json <<END
{"tower": "modal", "dim": 12, "text-config": "$checkpoints/text_config.json",
 "image-config": "$checkpoints/vision_config.json"}
END
    run pm-import --model "$checkpoints/views.pt" --config config.json -o model.pmt
    [ "$status" -eq 0 ]
    [[ $output == *"129 tensors"*"2 position_ids"*"optimizer"* ]]
    pm-cat --header model.pmt | tr -d ' \n' | grep -q '"config":{"tower":"modal","dim":12}'
    pm-cat --header model.pmt | grep -q '"architecture": *"xlm-roberta"'
    pm-export -q model.pmt -o model.safetensors
    pm-import -q --model model.safetensors --config config.json -o again.pmt
    pm-export -q again.pmt -o again.safetensors
    cmp model.safetensors again.safetensors
    pm-export -q model.pmt -o model.npz
    pm-import -q --model model.npz -o from-npz.pmt
    pm-export -q from-npz.pmt -o from-npz.safetensors
    cmp model.safetensors from-npz.safetensors
}

@test "a model's settings that its encoders contradict" {
    echo "{\"text-config\": \"$clip/config.json\"}" > config.json
    run pm-import --model "$checkpoints/views.pt" --config config.json -o model.pmt
    [ "$status" -eq 1 ]
    [[ $output == *"text-config"*"image encoder"* ]]
    sed 's/"hidden_size": 16/"hidden_size": 32/' "$checkpoints/text_config.json" > text.json
    echo '{"text-config": "text.json"}' > config.json
    run pm-import --model "$checkpoints/views.pt" --config config.json -o model.pmt
    [ "$status" -eq 1 ]
    [[ $output == *"word_embeddings.weight"*"[64, 16]"*"[64, 32]"* ]]
    [ ! -e model.pmt ]
}

@test "select, rename and dtype" {
    pm-import -q --model "$checkpoints/views.pt" --select 'user_encoder.*' --dtype bf16 \
        --rename 'user_encoder.transformer_encoder.=u.,u.*=v.*' -o u.pmt
    [ "$(pm-cat --keys u.pmt | wc -l)" -eq 27 ]
    [ "$(pm-cat --keys u.pmt | grep -c '^u\..*	bf16	')" -eq 27 ]
    pm-import -q --model "$checkpoints/dtypes.pt" --select '!(special)' --dtype f16 -o d.pmt
    run tensors d.pmt
    [[ $output == *"f64	value	f16"* && $output == *"i16	value	i32"* && $output == *"bool	value	bool"* ]]
    run pm-import --model "$checkpoints/views.pt" --rename '*=x*x' -o r.pmt
    [ "$status" -eq 0 ]
    run pm-import --model "$checkpoints/views.pt" --rename 'a*=b' -o r.pmt
    [ "$status" -eq 1 ]
    [[ $output == *"FROM=TO"* ]]
    run pm-import --model "$checkpoints/views.pt" --select 'nothing*' -o r.pmt
    [ "$status" -eq 1 ]
}

@test "hostile files: one line, exit 1, little memory, nothing written and nothing executed" {
    limit=400000
    (ulimit -v $limit; pm-import --version) > /dev/null 2>&1 || limit=unlimited # a sanitizer needs more
    for file in "$checkpoints"/hostile/*; do
        rc=0
        (ulimit -v $limit; exec timeout 20 pm-import --model "$file" -o h.pmt) 2> message || rc=$?
        [ "$rc" -eq 1 ] || { echo "$file: $rc"; return 1; }
        [ "$(wc -l < message)" -eq 1 ]
        grep -qF "${file##*/}" message
        [ "$(ls)" = $'items.tsv\nmessage' ]
    done
}

@test "hidden states, cut by their mask, and padded again" {
    items=$golden/arrays/items.npz
    pm-import -q --items items.tsv --hidden text_hidden --mask mask "$items" -o h.pmt
    run pm-cat --keys h.pmt
    [ "$output" = $'a\thidden\tf32\t[2,3]\nb\thidden\tf32\t[4,3]\nc\thidden\tf32\t[1,3]' ]
    header=$(pm-cat --header h.pmt | tr -d ' \n')
    [[ $header == *'"modality":"text"'* && $header == *'"blocks":"last"'* && $header == *'"width":3'* ]]
    pm-export -q h.pmt -o h.npz
    [ "$(cat h.keys.tsv)" = $'a\nb\nc' ]
    pm-import -q --items items.tsv --hidden hidden --mask mask h.npz -o again.pmt
    pm-export -q again.pmt -o again.npz
    cmp h.npz again.npz
    pm-import -q --items items.tsv --hidden text_hidden --modality image "$items" -o i.pmt
    pm-cat --header i.pmt | tr -d ' \n' | grep -q '"modality":"image"'
    pm-cat --keys i.pmt | grep -q $'^c\thidden\tf32\t\\[4,3\\]'
    pm-import -q --items items.tsv --hidden text_hidden --dtype bf16 "$items" -o b.pmt
    pm-cat --keys b.pmt | grep -q $'^c\thidden\tbf16\t\\[4,3\\]'
}

@test "token ids and pixels" {
    items=$golden/arrays/items.npz
    run pm-import --items items.tsv --tokens ids --mask mask "$items" -o t.pmt
    [ "$status" -eq 0 ]
    [[ $output == *"ids of 3 items, 5 padded tokens"* ]]
    [ "$(pm-cat --keys t.pmt | head -1)" = $'a\tids\ti32\t[2]' ]
    pm-export -q t.pmt -o t.npz
    pm-import -q --items items.tsv --tokens ids --mask mask t.npz -o u.pmt
    pm-export -q u.pmt -o u.npz
    cmp t.npz u.npz
    pm-import -q --items items.tsv --pixels pixels "$items" -o p.pmt
    [ "$(pm-cat --keys p.pmt | tail -1)" = $'c\tpixels\tf32\t[3,2,2]' ]
    pm-export -q p.pmt -o p.safetensors
    pm-import -q --items items.tsv --pixels pixels p.safetensors -o q.pmt
    pm-export -q q.pmt -o q.safetensors
    cmp p.safetensors q.safetensors
}

@test "arrays that do not fit" {
    items=$golden/arrays/items.npz
    printf 'a\tone\nb\ttwo\n' > two.tsv
    try() {
        run pm-import "$@" "$items" -o no.pmt
        [ "$status" -eq 1 ] && [ ! -e no.pmt ] && [ "${#lines[@]}" -eq 1 ]
    }
    try --items two.tsv --tokens ids
    [[ $output == *"3 rows"*"2 items"* ]]
    try --items items.tsv --tokens text_hidden
    try --items items.tsv --hidden ids
    try --items items.tsv --pixels bytes
    [[ $output == *"u8 [3, 3, 2, 2]"* ]]
    try --items items.tsv --hidden text_hidden --mask ids_short
    try --items items.tsv --hidden text_hidden --mask no_mask
    [[ $output == *"row 2, item c"* ]]
    try --items items.tsv --hidden not_finite
    [[ $output == *"row 1, item b"*"finite"* ]]
    try --items items.tsv --tokens negative
    [[ $output == *"row 0, item a"*"-2"* ]]
    try --items items.tsv --hidden absent
    [[ $output == *"no array 'absent'"* ]]
    try --items absent.tsv --hidden text_hidden
}

@test "an image store" {
    mkdir images
    for item in a b c; do
        cp "$golden/images/tiny-3x7.jpg" "images/$item.jpg"
    done
    pm-imgpack -q --images images --items items.tsv --size 8 -o images.lmdb
    pm-export -q images.lmdb -o images.npz
    [ "$(cat images.keys.tsv)" = $'a\nb\nc' ]
    run pm-import --items items.tsv --hidden pixels images.npz -o no.pmt
    [[ $output == *"pixels is u8 [3, 8, 8, 3]"* ]]
    pm-export -q images.lmdb -o images.safetensors
    tail -c 192 images.safetensors > last
    tail -c 384 images.safetensors | head -c 192 | cmp - last
}

@test "wrong usage is exit 2" {
    for options in "" "--model a --encoder b" "--model a b" "--hidden x" "--hidden x --items y" \
        "--items x --model y" "--items x --pixels y --mask z f" "--model a --dtype f64" \
        "--items x --hidden y --dtype f16 f" "--items x --tokens y --select z f"; do
        run pm-import $options
        [ "$status" -eq 2 ]
    done
    run pm-export
    [ "$status" -eq 2 ]
    run pm-export x.pmt
    [ "$status" -eq 2 ]
}

@test "exports that cannot be" {
    pm-import -q --model "$checkpoints/control.pt" -o m.pmt
    run pm-export m.pmt -o m.txt
    [ "$status" -eq 1 ]
    [[ $output == *".safetensors, .npz or .npy"* ]]
    head -c 100 m.pmt > cut.pmt
    run pm-export cut.pmt -o m.npz
    [ "$status" -eq 1 ]
    run pm-export <(cat m.pmt) -o m.npz
    [ "$status" -eq 1 ]
    [ "$(ls)" = $'cut.pmt\nitems.tsv\nm.pmt' ]
    run pm-export m.pmt -o absent/m.npz
    [ "$status" -eq 1 ]
}

@test "a full disk leaves nothing" {
    pm-import -q --model "$checkpoints/views.pt" -o m.pmt
    for ending in npz safetensors; do
        run bash -c "ulimit -f 16; trap '' XFSZ; pm-export m.pmt -o m.$ending"
        [ "$status" -eq 1 ]
        [ "$(ls)" = $'items.tsv\nm.pmt' ]
    done
}

# same A B: two encoders with the same tensors.
same() {
    pm-export -q "$1" -o same-1.safetensors
    pm-export -q "$2" -o same-2.safetensors
    cmp same-1.safetensors same-2.safetensors
}

@test "an encoder under any prefix, and beside other things" {
    for folder in xlm-roberta-tiny bert-tiny clip-vit-tiny vit-tiny; do
        config=$golden/encoders/$folder/config.json
        pm-import -q --encoder "$golden/encoders/$folder" -o plain.pmt
        pm-export -q plain.pmt -o plain.safetensors
        for prefix in roberta. bert. vit. text_encoder.bert_model. cv_encoder.image_net.vision_model. a.b.c.; do
            pm-import -q --model plain.safetensors --rename "*=$prefix*" -o prefixed.pmt
            pm-export -q prefixed.pmt -o prefixed.safetensors
            pm-import -q --encoder prefixed.safetensors --config "$config" -o again.pmt
            same plain.pmt again.pmt
        done
    done
}

@test "RoBERTa is read as XLM-RoBERTa is" {
    sed 's/"model_type": "xlm-roberta"/"model_type": "roberta"/' "$golden/encoders/xlm-roberta-tiny/config.json" > config.json
    pm-import -q --encoder "$golden/encoders/xlm-roberta-tiny/model.safetensors" --config config.json -o roberta.pmt
    pm-import -q --encoder "$golden/encoders/xlm-roberta-tiny" -o xlm.pmt
    pm-cat --header roberta.pmt | grep -q '"architecture": *"roberta"'
    same roberta.pmt xlm.pmt
}

@test "a folder with pytorch_model.bin, and older names of layer norms" {
    run pm-import --encoder "$golden/encoders/bert-tiny" -o bert.pmt
    [ "$status" -eq 0 ]
    [ "${#lines[@]}" -eq 1 ]
    [[ $output == *"(bert) of 53 tensors taken; left 4: 1 position_ids, 2 pooler, 1 cls" ]]
    pm-cat --keys bert.pmt | grep -q $'^embeddings.LayerNorm.weight\tvalue\tf32\t\\[32\\]'
    [ "$(pm-cat --keys bert.pmt | grep -c 'gamma\|beta')" -eq 0 ]
    mkdir empty
    cp "$golden/encoders/bert-tiny/config.json" empty
    run pm-import --encoder empty -o no.pmt
    [ "$status" -eq 1 ]
    [ "${#lines[@]}" -eq 1 ]
    [[ $output == *empty* ]]
    run pm-import --encoder "$golden/encoders" -o no.pmt
    [ "$status" -eq 1 ]
    [[ $output == *config.json* ]]
}

@test "weights stay in their dtype unless --dtype says another" {
    pm-import -q --encoder "$golden/encoders/vit-tiny" -o f32.pmt
    for dtype in f16 bf16; do
        pm-import -q --encoder "$golden/encoders/vit-tiny" --dtype $dtype -o rounded.pmt
        pm-export -q rounded.pmt -o rounded.safetensors
        run pm-import --encoder rounded.safetensors --config "$golden/encoders/vit-tiny/config.json" -o kept.pmt
        [[ $output != *rounded,* ]]
        [ "$(pm-cat --keys kept.pmt | cut -f 3 | sort -u)" = $dtype ]
        same rounded.pmt kept.pmt
        run pm-import --encoder rounded.safetensors --config "$golden/encoders/vit-tiny/config.json" --dtype f32 -o wide.pmt
        [[ $output == *"52 widened"* ]]
        [ "$(pm-cat --keys wide.pmt)" = "$(pm-cat --keys f32.pmt)" ]
    done
}

@test "a PMMRec checkpoint is known without options, under module. too" {
    for rename in '' 'none=none' '*=module.*' '*=module._orig_mod.*'; do
        run pm-import --model "$checkpoints/views.pt" ${rename:+--rename "$rename"} -o model.pmt
        [ "$status" -eq 0 ]
        [ "${#lines[@]}" -eq 1 ]
        [ "$(pm-cat --keys model.pmt | grep -c '^module\.\|^_orig_mod\.')" -eq 0 ]
        pm-cat --keys model.pmt | grep -q '^user_encoder.transformer_encoder.position_embedding.weight'
        pm-cat --header model.pmt > header
        [ "$(jq -r '(.header // .).config | .tower, .fusion, .["user-encoder"], .dim' header | paste -sd ' ')" = \
            "modal merge_attn sasrec 12" ]
    done
    pm-import -q --model "$checkpoints/views.pt" -o plain.pmt
    same model.pmt plain.pmt
    run pm-import --model "$checkpoints/ddp-prefix.pt" -o model.pmt
    [[ $output == *"126 tensors taken; left 2: 2 position_ids; beside them optimizer"* ]]
    [ "$(pm-cat --keys model.pmt | grep -c '^module\.')" -eq 0 ]
}

# npy FILE SHAPE VALUE…: a .npy of f32 (little-endian hexadecimal words).
npy() {
    local header
    header=$(printf "{'descr': '<f4', 'fortran_order': False, 'shape': %s, }" "$2")
    printf '\x93NUMPY\1\0\x76\0%-117s\n' "$header" > "$1"
    printf '%b' "${@:3}" >> "$1"
}

@test "a vector an item is one token, or with --vectors the item's own" {
    one='\0\0\x80\x3f' two='\0\0\0\x40'
    npy v.npy '(3, 2)' $one $two $two $two $one $one
    pm-import -q --items items.tsv --hidden arr_0 --modality image v.npy -o h.pmt
    [ "$(pm-cat --keys h.pmt)" = $'a\thidden\tf32\t[1,2]\nb\thidden\tf32\t[1,2]\nc\thidden\tf32\t[1,2]' ]
    run pm-import --items items.tsv --vectors arr_0 v.npy -o v.pmt
    [ "$status" -eq 0 ]
    [ "$output" = "pm-import: vectors of 3 items" ]
    [ "$(pm-cat --keys v.pmt | head -1)" = $'a\tvector\tf32\t[2]' ]
    [ "$(pm-cat --header v.pmt | jq -r '.kind, .dim' | paste -sd ' ')" = "items 2" ]
    run pm-export v.pmt -o again.npy
    [ "$status" -eq 0 ]
    cmp v.npy again.npy
    [ "$(cat again.keys.tsv)" = $'a\nb\nc' ]
    run pm-import --items items.tsv --vectors text_hidden "$golden/arrays/items.npz" -o no.pmt
    [ "$status" -eq 1 ]
    [[ $output == *"a float array [items, width] is needed"* ]]
    run pm-export h.pmt -o h.npy
    [ "$status" -eq 1 ]
    [[ $output == *"hidden of items come with a mask"*".npz"* ]]
    [ ! -e h.npy ] && [ ! -e h.keys.tsv ]
}

@test "keys appear after their arrays, and not without them" {
    pm-import -q --items items.tsv --tokens ids --mask mask "$golden/arrays/items.npz" -o t.pmt
    mkdir t.npz
    echo old > t.keys.tsv
    run pm-export t.pmt -o t.npz
    [ "$status" -eq 1 ]
    [ "$(cat t.keys.tsv)" = old ]
    [ "$(ls)" = $'items.tsv\nt.keys.tsv\nt.npz\nt.pmt' ]
}

@test "what is unknown beside tensors is passed over, and never executed" {
    run pm-import --model "$checkpoints/opaque.pt" -o o.pmt
    [ "$status" -eq 0 ]
    [ "$output" = "pm-import: model of 2 tensors taken; left none; beside them note, config, args, sort" ]
    run pm-import --model "$checkpoints/os-system-beside-tensors.pt" -o o.pmt
    [ "$status" -eq 0 ]
    [[ $output == *"beside them hook" ]]
    [ "$(ls)" = $'items.tsv\no.pmt' ]
    pm-import -q --model "$checkpoints/protocol5.pt" -o p.pmt
    [ "$(pm-cat --keys p.pmt)" = $'a\tvalue\tf32\t[2,2]\nb\tvalue\tf32\t[2,2]' ]
    run pm-import --model "$checkpoints/parameters-deep.pt" -o d.pmt
    [[ $output == *"model of 1 tensors taken"*"beside them deep" ]]
    run pm-import --model "$checkpoints/script.pt" -o s.pmt
    [ "$status" -eq 1 ]
    [[ $output == *"script.pt: a TorchScript program (torch.jit.save); load it in PyTorch and save its state_dict()"* ]]
}

@test "weights that are not finite, and numbers too large for their type, are named" {
    run pm-import --model "$checkpoints/nan.pt" -o no.pmt
    [ "$status" -eq 1 ]
    [[ $output == *"nan.pt: a: element 2 is not finite"* ]]
    run pm-import --model "$checkpoints/large.pt" -o no.pmt
    [ "$status" -eq 1 ]
    [[ $output == *"large.pt: a: element 3 is 1e+300, too large for f32"* ]]
    npy large.npy '(3, 1)' '\0\0\x80\x3f' '\xff\xff\x7f\x7f' '\0\0\x80\x3f' # 1, the largest f32, 1
    run pm-import --items items.tsv --hidden arr_0 --modality text --dtype bf16 large.npy -o no.pmt
    [ "$status" -eq 1 ]
    [[ $output == *"row 1, item b: element 0 is 3.40282e+38, too large for bf16" ]]
    run pm-import --model large.npy --dtype f16 -o no.pmt
    [[ $output == *"large.npy: arr_0: element 1 is 3.40282e+38, too large for f16" ]]
    npy nan.npy '(3, 1)' '\0\0\x80\x3f' '\0\0\x80\x3f' '\0\0\xc0\x7f'
    for form in hidden vectors; do
        run pm-import --items items.tsv --$form arr_0 nan.npy -o no.pmt
        [ "$status" -eq 1 ]
        [[ $output == *"row 2, item c: value 0 of it is not finite" ]]
    done
    [ ! -e no.pmt ]
}

@test "a shard that is not there is named, and the others counted" {
    mkdir shards
    cp "$clip/config.json" shards
    printf '{"weight_map": {"a": "one.safetensors", "b": "two.safetensors", "c": "three.safetensors"}}' \
        > shards/model.safetensors.index.json
    : > shards/one.safetensors
    run pm-import --encoder shards -o no.pmt
    [ "$status" -eq 1 ]
    [[ $output == *"index.json: 2 of its 3 shards are missing beside it, the first is two.safetensors" ]]
}
