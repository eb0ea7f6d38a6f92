# pm-encode-text and pm-encode-image: where they start and stop, and what they refuse.

load small_data
load python

setup_file() { small_data; }

setup() {
    cd "$BATS_FILE_TMPDIR"
    rm -rf out*
}

# The content of a stream as text, whatever its header says.
content() {
    pm-cat --verify "$1" | sed 's/.*, //'
    pm-export -q "$1" -o out-content.npz
    cksum < out-content.npz
}

same_content() {
    [ "$(content "$1" | tail -n 1)" = "$(content "$2" | tail -n 1)" ]
}

@test "from any boundary in f32, the later blocks give the same bits as in one go" {
    for side in text image; do
        input=tokens.pmt
        [ $side = text ] || input=images.lmdb
        pm-encode-$side --encoder $side-encoder.pmt -q -o out-whole.pmt $input
        for k in 0 1 2 3; do
            pm-encode-$side --encoder $side-encoder.pmt --blocks $k -q $input |
                pm-encode-$side --encoder $side-encoder.pmt -q > out-parts.pmt
            same_content out-whole.pmt out-parts.pmt
        done
    done
}

@test "the header says what was done" {
    pm-cat --header text.pmt > out-header
    [ "$(jq -r '.kind, .modality, .blocks, .width, .dtype' out-header | paste -sd ' ')" = "hidden text 1 24 f32" ]
    pm-encode-image --encoder image-encoder.pmt --dtype bf16 -q -o out-top.pmt image.pmt
    pm-cat --header out-top.pmt > out-header
    [ "$(jq -r '.modality, .blocks, .dtype' out-header | paste -sd ' ')" = "image 3 bf16" ]
    pm-cat --keys out-top.pmt | cut -f 3 | sort -u > out-dtypes
    [ "$(cat out-dtypes)" = bf16 ]
}

@test "i8 is what the specification says of f32, from every reader" {
    need_python
    for side in text image; do
        input=tokens.pmt
        [ $side = text ] || input=images.lmdb
        pm-encode-$side --encoder $side-encoder.pmt --blocks 1 --dtype i8 --compute f32 -q -o out-$side-i8.pmt $input
        [ "$(pm-cat --keys out-$side-i8.pmt | cut -f 2,3 | sort -u | paste -sd ' ')" = "hidden	i8 scale	f32" ]
        # out-$side.pmt: in f32, the values that the bytes stand for.
        "$python" - "$PROJECT/formats" $side.pmt out-$side-i8.pmt out-$side.pmt <<'END'
import sys; sys.path.insert(0, sys.argv[1])
import numpy as np, pmt
plain, rounded = pmt.Reader(sys.argv[2]), pmt.Reader(sys.argv[3])
assert rounded.header["dtype"] == "i8"
with pmt.Writer(sys.argv[4], {**rounded.header, "dtype": "f32"}) as writer:
    for (key, before), (other, after) in zip(plain, rounded):
        assert key == other
        for name, tensor in pmt.hidden_tensors(before["hidden"], "i8").items():
            assert tensor.dtype == after[name].dtype and tensor.tobytes() == after[name].tobytes(), (key, name)
        states = pmt.hidden_states(after)
        step = np.abs(before["hidden"]).max(axis=1, keepdims=True) / 127
        assert (np.abs(states - before["hidden"]) <= step / 2 * 1.0001).all()
        writer.write(key, {"hidden": states})
END
        pm-export -q out-$side-i8.pmt -o out-i8.safetensors
        pm-export -q out-$side.pmt -o out.safetensors
        cmp out-i8.safetensors out.safetensors
        pm-cat --show 'a000*' out-$side-i8.pmt | grep -v "	scale	" | cmp - <(pm-cat --show 'a000*' out-$side.pmt)
        for kind in "" -i8; do
            pm-encode-$side --encoder $side-encoder.pmt -q -o out-$side-top$kind.pmt out-$side$kind.pmt
        done
        same_content out-$side-top.pmt out-$side-top-i8.pmt
    done
    for kind in "" -i8; do
        pm-train-user -q --users users.tsv --text out-text$kind.pmt --text-encoder text-encoder.pmt \
            --image out-image$kind.pmt --image-encoder image-encoder.pmt --dim 16 --fusion-heads 2 \
            --fusion-intermediate 16 --batch-size 8 --epochs 1 -o out-model$kind.pmt
        pm-export -q out-model$kind.pmt -o out-model$kind.safetensors
    done
    cmp out-model.safetensors out-model-i8.safetensors
}

@test "pm-fuse takes i8 as the values that it stands for" {
    need_python
    pm-train-user -q --users users.tsv --text text.pmt --text-encoder text-encoder.pmt --dim 16 --epochs 1 -o out-model.pmt
    pm-encode-text --model out-model.pmt --dtype i8 -q -o out-top-i8.pmt text.pmt
    "$python" - "$PROJECT/formats" out-top-i8.pmt out-top.pmt <<'END'
import sys; sys.path.insert(0, sys.argv[1])
import pmt
reader = pmt.Reader(sys.argv[2])
with pmt.Writer(sys.argv[3], {**reader.header, "dtype": "f32"}) as writer:
    for key, tensors in reader:
        writer.write(key, {"hidden": pmt.hidden_states(tensors)})
END
    for kind in "" -i8; do
        pm-fuse --model out-model.pmt --any-model --text out-top$kind.pmt -q -o out-items$kind.pmt
        pm-export -q out-items$kind.pmt -o out-items$kind.npy
    done
    cmp out-items.npy out-items-i8.npy
}

@test "what is already at the top passes through" {
    pm-encode-text --encoder text-encoder.pmt -q -o out-top.pmt text.pmt
    pm-encode-text --encoder text-encoder.pmt -q -o out-again.pmt out-top.pmt
    same_content out-top.pmt out-again.pmt
}

@test "the same bytes again; items do not depend on those beside them" {
    pm-encode-text --encoder text-encoder.pmt --threads 1 -q -o out-1.pmt tokens.pmt
    pm-encode-text --encoder text-encoder.pmt --threads 1 -q -o out-2.pmt tokens.pmt
    cmp out-1.pmt out-2.pmt
    pm-cat --select 'a000*' tokens.pmt -q -o out-few.pmt
    pm-encode-text --encoder text-encoder.pmt -q -o out-few-top.pmt out-few.pmt
    pm-cat --select 'a000*' out-1.pmt -q -o out-top-few.pmt
    [ "$(pm-cat --keys out-few-top.pmt)" = "$(pm-cat --keys out-top-few.pmt)" ]
}

@test "an encoder in f16 or bf16 runs, and stays near the one in f32" {
    pm-export -q text-encoder.pmt -o out-e.safetensors
    for dtype in f16 bf16; do
        pm-import --encoder out-e.safetensors --config text.json --dtype $dtype -q -o out-e.pmt
        pm-cat --keys out-e.pmt | cut -f 3 | sort -u > out-dtypes
        [ "$(cat out-dtypes)" = $dtype ]
        pm-encode-text --encoder out-e.pmt --blocks 1 -q -o out-text.pmt tokens.pmt
        [ "$(pm-cat --keys out-text.pmt)" = "$(pm-cat --keys text.pmt)" ]
        ! same_content out-text.pmt text.pmt || return 1
    done
}

@test "streams that do not fit the encoder" {
    refuses tokens.pmt "record 1 ('a0001')" "vocabulary of 50" -- \
        pm-encode-text --encoder few.pmt -o out.pmt tokens.pmt
    refuses text.pmt "record 1 ('a0001')" "[31,24]" 32 -- \
        pm-encode-text --encoder wide.pmt --any-model -o out.pmt text.pmt
    refuses image.pmt image "not of text" -- pm-encode-text --encoder text-encoder.pmt -o out.pmt image.pmt
    refuses tokens.pmt "pixels|hidden" -- pm-encode-image --encoder image-encoder.pmt -o out.pmt tokens.pmt
    refuses image-encoder.pmt "no text encoder" -- pm-encode-text --encoder image-encoder.pmt -o out.pmt tokens.pmt
    refuses text.pmt "kind 'hidden'" -- pm-encode-text --encoder text.pmt -o out.pmt tokens.pmt
    jq '.max_position_embeddings = 20' text.json > out-short.json
    pm-synth encoder out-short.json -q -o out-short.pmt
    refuses tokens.pmt "record 1 ('a0001')" "--max-tokens 18" -- \
        pm-encode-text --encoder out-short.pmt -o out.pmt tokens.pmt
    pm-imgpack --images data/images --items items.tsv --size 24 -q -o out-large.lmdb
    refuses out-large.lmdb "24 pixels" "--size 16" -- \
        pm-encode-image --encoder image-encoder.pmt -o out.pmt out-large.lmdb
}

@test "blocks that are not there, or behind the stream already" {
    refuses "--blocks 4" "has 3" -- pm-encode-text --encoder text-encoder.pmt --blocks 4 -o out.pmt tokens.pmt
    refuses text.pmt "--blocks 0 is fewer" -- pm-encode-text --encoder text-encoder.pmt --blocks 0 -o out.pmt text.pmt
}

@test "cut streams, cut stores, cut encoders" {
    refuses cut.pmt "cut off" -- pm-encode-text --encoder text-encoder.pmt -o out.pmt cut.pmt
    head -c 20000 text-encoder.pmt > out-cut.pmt
    refuses out-cut.pmt "cut off" -- pm-encode-text --encoder out-cut.pmt -o out.pmt tokens.pmt
    head -c 9000 images.lmdb > out-cut.lmdb
    refuses out-cut.lmdb truncated -- pm-encode-image --encoder image-encoder.pmt -o out.pmt out-cut.lmdb
    pm-cat --select 'embeddings.*' text-encoder.pmt -q -o out-part.pmt
    refuses out-part.pmt "48 tensors" "encoder.layer.0" -- pm-encode-text --encoder out-part.pmt -o out.pmt tokens.pmt
}

@test "a model without the encoder" {
    pm-train-user -q --users users.tsv --text text.pmt --text-encoder text-encoder.pmt --dim 16 --epochs 1 -o out-m.pmt
    refuses out-m.pmt "no image encoder" -- pm-encode-image --model out-m.pmt -o out.pmt image.pmt
    pm-encode-text --model out-m.pmt -q -o out-top.pmt tokens.pmt
}

@test "wrong usage exits with 2" {
    for options in "" "--encoder a --model b" "--encoder a b c" "--encoder a --dtype f16" "--encoder a --blocks -2"; do
        run pm-encode-text $options < /dev/null
        [ "$status" -eq 2 ]
        [ "${#lines[@]}" -eq 1 ]
    done
}

@test "shards joined in order are the whole, of tokens, of hidden states and of images" {
    for input in tokens.pmt text.pmt images.lmdb; do
        tool=pm-encode-text encoder=text-encoder.pmt
        [ $input = images.lmdb ] && tool=pm-encode-image encoder=image-encoder.pmt
        $tool --encoder $encoder -q -o out-whole.pmt $input
        for i in 1 2 3; do $tool --encoder $encoder --shard $i/3 -q -o out-$i.pmt $input; done
        pm-cat out-1.pmt out-2.pmt out-3.pmt | pm-cat --keys > out-joined
        pm-cat --keys out-whole.pmt | cmp - out-joined
        pm-cat --header out-whole.pmt | jq .provenance.inputs.input.hash > out-hash
        cat out-1.pmt out-2.pmt out-3.pmt | pm-cat --header | jq .provenance.inputs.input.hash | cmp - out-hash
    done
    # Of a pipe the number of items is not known: every third.
    pm-encode-text --encoder text-encoder.pmt --shard 2/3 -q < <(cat tokens.pmt) | pm-cat --keys | cut -f 1 > out-keys
    pm-cat --keys tokens.pmt | cut -f 1 | awk 'NR % 3 == 2' | cmp - out-keys
}

@test "states that are not finite are refused with the item and the block where they arise" {
    need_python
    cat > out-make.py <<END
import sys; sys.path.insert(0, "$PROJECT/formats")
import numpy, pmt
with pmt.Reader("text-encoder.pmt") as reader, pmt.Writer("out-large.pmt", reader.header) as writer:
    for key, tensors in reader:
        large = key.endswith(b"layer.1.output.dense.weight")
        writer.write(key, {"value": numpy.full_like(tensors["value"], 3e38) if large else tensors["value"]})
with pmt.Reader("text.pmt") as reader, pmt.Writer("out-infinite.pmt", reader.header) as writer:
    for key, tensors in reader:
        hidden = pmt.to_float(tensors["hidden"]).copy()
        if writer.count == 2:
            hidden[0, 1] = numpy.inf
        writer.write(key, {"hidden": hidden})
END
    "$python" out-make.py
    refuses "item 'a" "': block 2 makes hidden states that are infinite or no number" -- \
        pm-encode-text --encoder out-large.pmt -q -o out.pmt tokens.pmt
    refuses "out-infinite.pmt: record 3 ('" "has values that are infinite or no number" -- \
        pm-encode-text --encoder text-encoder.pmt -q -o out.pmt out-infinite.pmt
}

@test "--level changes the size and nothing else" {
    for level in 1 19; do pm-encode-text --encoder text-encoder.pmt --level $level --threads 1 -q -o out-$level.pmt tokens.pmt; done
    [ "$(stat -c %s out-19.pmt)" -ne "$(stat -c %s out-1.pmt)" ]
    same_content out-1.pmt out-19.pmt
}
