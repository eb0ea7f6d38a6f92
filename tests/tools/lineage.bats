# What belongs together and what does not: streams of another model, an ID table's rows under their names, options
# that a run does not read, values that are not finite.

load small_data
load python

setup_file() {
    small_data
    train --threads 1 -o model.pmt
    train --threads 1 --seed 2 -o other.pmt
    items model.pmt items.pmt
    mv out-text-top.pmt text-top.pmt
    mv out-image-top.pmt image-top.pmt
    items other.pmt others.pmt
    mv out-text-top.pmt others-text.pmt
    pm-synth encoder text.json --seed 9 -q -o stranger.pmt
}

setup() {
    cd "$BATS_FILE_TMPDIR"
    rm -rf out*
}

evaluate() { pm-eval -q --users users.tsv --model model.pmt "$@"; }
fuse() { pm-fuse -q --model model.pmt --image image-top.pmt "$@"; }
train_text() { pm-train-user -q --users users.tsv --dim 16 --epochs 1 "$@"; }
train_id() { pm-train-user -q --dim 8 --epochs 1 "$@"; }

@test "pm-eval: vectors of another model are refused, unless one insists" {
    evaluate --items items.pmt
    refuses others.pmt model.pmt "pm-fuse --model model.pmt" --any-model -- evaluate --items others.pmt
    evaluate --items others.pmt --any-model
    pm-cat --select 'a*' others.pmt -q -o out-selected.pmt
    refuses out-selected.pmt -- evaluate --items out-selected.pmt
    cat items.pmt others.pmt > out-both.pmt
    refuses out-both.pmt -- evaluate --items out-both.pmt
    run pm-eval --any-model --baseline popularity --catalog items.tsv --users users.tsv
    [ "$status" -eq 2 ]
}

@test "pm-eval: selections, shards and joined parts are what they were" {
    pm-cat --select 'a000*' items.pmt -q -o out-1.pmt
    pm-cat --select '!(a000*)' items.pmt -q -o out-2.pmt
    cat out-1.pmt out-2.pmt > out-all.pmt
    evaluate --items out-all.pmt
    pm-cat --select 'user_encoder.*' model.pmt -q -o out-user.pmt
    evaluate --model out-user.pmt --items items.pmt
    pm-cat --select '!(user_encoder.*)' model.pmt -q -o out-items.pmt
    pm-cat out-items.pmt out-user.pmt -q -o out-whole.pmt
    evaluate --model out-whole.pmt --items items.pmt
    refuses others.pmt -- evaluate --model out-whole.pmt --items others.pmt
}

@test "pm-eval: a model over given vectors goes with those, and with others of their maker" {
    pm-train-user -q --users users.tsv --items items.pmt --epochs 1 -o out-model.pmt
    evaluate --model out-model.pmt --items items.pmt
    pm-cat --select 'a00*' items.pmt -q -o out-again.pmt
    evaluate --model out-model.pmt --items out-again.pmt
    refuses others.pmt -- evaluate --model out-model.pmt --items others.pmt
}

@test "pm-fuse: hidden states of another model, or of the encoder whose blocks were trained on" {
    fuse --text text-top.pmt -o out-items.pmt
    refuses others-text.pmt "pm-encode-text --model model.pmt" -- fuse --text others-text.pmt -o out.pmt
    fuse --text others-text.pmt --any-model -o out-any.pmt
    pm-encode-text --encoder text-encoder.pmt -q -o out-untrained.pmt tokens.pmt
    refuses out-untrained.pmt model.pmt -- fuse --text out-untrained.pmt -o out.pmt
}

@test "pm-fuse: the top of a frozen encoder, for the items of the training and for others" {
    pm-encode-text --encoder text-encoder.pmt -q -o out-top.pmt tokens.pmt
    train_text --text out-top.pmt --text-encoder text-encoder.pmt -o out-frozen.pmt
    pm-fuse -q --model out-frozen.pmt --text out-top.pmt -o out-items.pmt
    head -n 5 items.tsv | pm-tokenize --bytes -q -o out-new-tokens.pmt
    pm-encode-text --encoder text-encoder.pmt -q -o out-new.pmt out-new-tokens.pmt
    pm-fuse -q --model out-frozen.pmt --text out-new.pmt -o out-items.pmt
    pm-encode-text --encoder stranger.pmt -q -o out-strange.pmt tokens.pmt
    refuses out-strange.pmt -- pm-fuse -q --model out-frozen.pmt --text out-strange.pmt -o out.pmt
}

@test "pm-encode: blocks go on from hidden states of their own model or encoder, or of what that was trained above" {
    pm-encode-text --model model.pmt -q -o out-top.pmt text.pmt
    pm-encode-text --model model.pmt --blocks 2 -q -o out-2.pmt text.pmt
    pm-encode-text --model model.pmt -q -o out-from-2.pmt out-2.pmt
    pm-encode-text --model other.pmt --blocks 2 -q -o out-other.pmt text.pmt
    refuses out-other.pmt "pm-encode-text --model model.pmt" --any-model -- \
        pm-encode-text --model model.pmt -q -o out.pmt out-other.pmt
    from_pipe() { cat out-other.pmt | pm-encode-text --model model.pmt -q -o out.pmt; }
    refuses "standard input" --any-model -- from_pipe # where only the end tells
    pm-encode-text --model model.pmt --any-model -q -o out-any.pmt out-other.pmt
    pm-encode-text --encoder text-encoder.pmt --blocks 2 -q -o out-late.pmt tokens.pmt # past a block that was trained
    refuses out-late.pmt model.pmt -- pm-encode-text --model model.pmt -q -o out.pmt out-late.pmt
    refuses text.pmt stranger.pmt --any-model -- pm-encode-text --encoder stranger.pmt -q -o out.pmt text.pmt
    pm-encode-text --encoder stranger.pmt --any-model -q -o out-strange.pmt text.pmt
}

@test "pm-train-user: hidden states and the blocks that go on from them have one maker" {
    refuses text.pmt stranger.pmt --any-model -- train_text --text text.pmt --text-encoder stranger.pmt -o out.pmt
    train_text --text text.pmt --text-encoder stranger.pmt --any-model -o out-any.pmt
    train --init model.pmt --epochs 1 -o out-more.pmt
    pm-train-user -q --users users.tsv --text text.pmt --init model.pmt --tower text-only --epochs 1 -o out-text.pmt
    pm-encode-text --encoder stranger.pmt --blocks 1 -q -o out-strange.pmt tokens.pmt
    refuses out-strange.pmt model.pmt -- pm-train-user -q --users users.tsv --text out-strange.pmt --init model.pmt \
        --tower text-only --epochs 1 -o out.pmt
    pm-encode-text --encoder text-encoder.pmt --blocks 2 -q -o out-late.pmt tokens.pmt # past a block that was trained
    refuses out-late.pmt model.pmt -- pm-train-user -q --users users.tsv --text out-late.pmt --init model.pmt \
        --tower text-only --epochs 1 -o out.pmt
}

@test "--init and an encoder's own file: which wins is said" {
    run pm-train-user --users users.tsv --text text.pmt --text-encoder text-encoder.pmt --init model.pmt \
        --tower text-only --lr 0 --epochs 1 -o out-init.pmt
    [ "$status" -eq 0 ]
    [[ "$output" == *"text-encoder.pmt: "*" tensors are left, since those of --init win"* ]]
    run pm-train-user --users users.tsv --text text.pmt --text-encoder text-encoder.pmt --init model.pmt \
        --transfer user --tower text-only --lr 0 --epochs 1 -o out-own.pmt
    [ "$status" -eq 0 ]
    [[ "$output" != *"win"* ]]
    for name in init own; do
        pm-cat --select '*layer.2.output.dense.weight' out-$name.pmt -q -o out-part.pmt
        pm-export out-part.pmt -q -o out-$name.npz
    done
    ! cmp -s out-init.npz out-own.npz || return 1
}

@test "the rows of an ID table go to the items of their names" {
    printf 'x\t-\ny\t-\nz\t-\nw\t-\n' > out-first.tsv
    printf 'u1\tx y z x y\nu2\ty z x y z\n' > out-first-users.tsv
    printf 'u1\tw z x w z\nu2\tz w x z w\n' > out-then-users.tsv
    train_id --users out-first-users.tsv --catalog out-first.tsv -o out-first.pmt
    run pm-train-user --users out-then-users.tsv --catalog out-first.tsv --dim 8 --epochs 1 --lr 0 --init out-first.pmt \
        -o out-then.pmt
    [ "$status" -eq 0 ]
    [[ "$output" == *"rows of 2 of 3 items taken by name, 1 start afresh, 1 left"* ]]
    for name in first then; do pm-fuse -q --model out-$name.pmt -o out-$name-items.pmt; done
    for one in first-x first-y first-z then-x then-z then-w; do
        pm-cat --select ${one#*-} out-${one%-*}-items.pmt -q -o out-one.pmt
        pm-export -q out-one.pmt -o out-$one.npz
    done
    cmp out-first-x.npz out-then-x.npz
    cmp out-first-z.npz out-then-z.npz
    ! cmp -s out-first-y.npz out-then-w.npz || return 1
    pm-cat --select '!(id_encoder.names)' out-first.pmt -q -o out-nameless.pmt
    refuses out-nameless.pmt id_encoder.names -- train_id --users out-then-users.tsv --catalog out-first.tsv \
        --init out-nameless.pmt -o out.pmt
}

@test "what a tower does not read is refused, and what it needs is asked for" {
    refuses "vectors needs --items" -- train_text --tower vectors --text tokens.pmt -o out.pmt
    refuses "text-only does not read --image" -- train --tower text-only -o out.pmt
    refuses "image-only does not read --text" -- train --tower image-only -o out.pmt
    refuses "modal does not read --items" -- train_text --tower modal --items items.pmt -o out.pmt
    refuses "vectors does not read --text" -- train_text --items items.pmt --text text.pmt -o out.pmt
    refuses "modal does not read --catalog" -- train --catalog items.tsv -o out.pmt
    refuses "id does not read --text" -- train_text --tower id --catalog items.tsv --text text.pmt -o out.pmt
    refuses "id does not read --text-encoder" -- \
        train_text --tower id --catalog items.tsv --text-encoder text-encoder.pmt -o out.pmt
    refuses "text-only does not read --image-config" -- train_text --text tokens.pmt --text-encoder text-encoder.pmt \
        --image-config image.json -o out.pmt
    refuses "--text-config is not read beside --text-encoder" -- train_text --text text.pmt \
        --text-encoder text-encoder.pmt --text-config text.json -o out.pmt
    refuses "modal needs --image" -- train_text --tower modal --text text.pmt -o out.pmt
}

@test "an encoder above hidden states that end with the last block is not read" {
    pm-export -q text-top.pmt -o out-hidden.npz
    pm-import -q --items items.tsv --hidden hidden --mask mask out-hidden.npz -o out-last.pmt
    train_text --text out-last.pmt -o out-model.pmt
    refuses "--text-encoder is not read" "last block" -- \
        train_text --text out-last.pmt --text-encoder text-encoder.pmt -o out.pmt
    refuses "--text-config is not read" -- train_text --text out-last.pmt --text-config text.json -o out.pmt
}

@test "weights that are not finite are named where they come in" {
    need_python
    "$python" - <<'EOF'
import os, sys
sys.path.insert(0, os.environ["PROJECT"] + "/formats")
import pmt
with pmt.Reader("model.pmt") as reader, pmt.Writer("out-nan.pmt", pmt.derive(reader.header, "test")) as writer:
    for key, tensors in reader:
        if key == b"user_encoder.transformer_encoder.layer_norm.weight":
            tensors["value"] = tensors["value"].copy()
            tensors["value"][3] = float("nan")
        writer.write(key, tensors)
EOF
    refuses out-nan.pmt "layer_norm.weight: element 3 is not finite" -- train --init out-nan.pmt --any-model -o out.pmt
    refuses out-nan.pmt "layer_norm.weight: element 3 is not finite" -- evaluate --model out-nan.pmt --items items.pmt
}
