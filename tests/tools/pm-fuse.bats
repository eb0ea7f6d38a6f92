# pm-fuse: hidden states of the top to item vectors, and what it refuses.

load small_data
load python

setup_file() {
    small_data
    train --threads 1 -o model.pmt
    pm-encode-text --model model.pmt -q -o text-top.pmt text.pmt
    pm-encode-image --model model.pmt -q -o image-top.pmt image.pmt
    pm-fuse --model model.pmt --text text-top.pmt --image image-top.pmt --threads 1 -q -o items.pmt
}

setup() {
    cd "$BATS_FILE_TMPDIR"
    rm -rf out*
}

fuse() { pm-fuse -q --model model.pmt --text text-top.pmt --image image-top.pmt "$@"; }

@test "a vector an item, in the order of the text stream" {
    [ "$(pm-cat --keys items.pmt | cut -f 1)" = "$(cut -f 1 items.tsv)" ]
    [ "$(pm-cat --keys items.pmt | cut -f 2- | sort -u)" = $'vector\tf32\t[16]' ]
    pm-cat --header items.pmt | jq -e '.kind == "items" and .dim == 16 and .tower == "modal"'
}

@test "the same bytes again" {
    fuse --threads 1 -o out-items.pmt
    cmp items.pmt out-items.pmt
}

@test "streams in another order are joined by name" {
    pm-cat --select 'a000*' image-top.pmt -q -o out-first.pmt
    pm-cat --select '!(a000*)' image-top.pmt -q | cat - out-first.pmt > out-image.pmt
    fuse --image out-image.pmt --threads 1 -o out-joined.pmt
    [ "$(pm-cat --keys out-joined.pmt | cut -f 1)" != "$(cut -f 1 items.tsv)" ]
    [ "$(pm-cat --keys out-joined.pmt | sort)" = "$(pm-cat --keys items.pmt | sort)" ]
    for glob in 'a000*' '!(a000*)'; do
        pm-cat --select "$glob" items.pmt -q -o out-1.pmt
        pm-cat --select "$glob" out-joined.pmt -q -o out-2.pmt
        pm-export -q out-1.pmt -o out-1.npz
        pm-export -q out-2.pmt -o out-2.npz
        cmp out-1.npz out-2.npz
    done
}

@test "items of one stream alone are left out and counted" {
    pm-cat --select 'a000*' image-top.pmt -q -o out-few.pmt
    run pm-fuse --model model.pmt --text text-top.pmt --image out-few.pmt -o out-items.pmt
    [ "$status" -eq 0 ]
    [[ "$output" == *"31 items of text-top.pmt are left out"*"'a0010'"* ]]
    [ "$(pm-cat --keys out-items.pmt | wc -l)" -eq 9 ]
    pm-cat --select 'zz*' image-top.pmt -q -o out-none.pmt
    run pm-fuse --model model.pmt --text text-top.pmt --image out-none.pmt -o out.pmt
    [ "$status" -eq 1 ]
    [[ "$output" == *"no item in common" ]]
    [ ! -e out.pmt ]
}

@test "a stream below the top is refused, and what to do is said" {
    refuses text.pmt "1 of 3 blocks" "pm-encode-text --model" -- \
        pm-fuse -q --model model.pmt --text text.pmt --image image-top.pmt -o out.pmt
}

@test "cut, of another kind, of another side, of another width, missing" {
    refuses image-top.pmt image "--text" -- pm-fuse -q --model model.pmt --text image-top.pmt --image image-top.pmt -o out.pmt
    refuses tokens.pmt "kind 'tokens'" -- fuse --text tokens.pmt -o out.pmt
    refuses text-encoder.pmt "kind 'encoder'" -- fuse --model text-encoder.pmt -o out.pmt
    refuses "needs --image" -- pm-fuse -q --model model.pmt --text text-top.pmt -o out.pmt
    head -c 3000 text-top.pmt > out-cut.pmt
    refuses out-cut.pmt "cut off" -- fuse --text out-cut.pmt -o out.pmt
    head -c 9000 model.pmt > out-cut.pmt
    refuses out-cut.pmt "cut off" -- fuse --model out-cut.pmt -o out.pmt
    pm-cat --select 'fusion_module.*' model.pmt -q -o out-part.pmt
    refuses out-part.pmt "4 tensors" text_proj -- fuse --model out-part.pmt -o out.pmt
    pm-encode-text --encoder wide.pmt -q -o out-wide.pmt tokens.pmt
    refuses "text_proj.weight" "[16, 24]" "[16, 32]" -- fuse --text out-wide.pmt -o out.pmt
}

@test "wrong usage exits with 2" {
    for options in "" "--text text-top.pmt" "--model model.pmt more"; do
        run pm-fuse $options
        [ "$status" -eq 2 ]
        [ "${#lines[@]}" -eq 1 ]
    done
}

@test "memory does not grow with what waits or has no partner" {
    [[ "$(ldd "$(command -v pm-fuse)")" != *libasan* ]] || skip "a sanitizer keeps what is freed"
    need_python
    train -o out-model.pmt
    cat > out-make.py <<END
import sys; sys.path.insert(0, "$PROJECT/formats")
import numpy, pmt
rng = numpy.random.default_rng(1)
hidden = pmt.from_float(rng.standard_normal((32, 24)), "f32")
with pmt.Reader("text.pmt") as text, pmt.Reader("image.pmt") as image:
    for reader, name, keys in ((text, "out-text.pmt", range(40000)), (image, "out-image.pmt", rng.permutation(40000)[:32000])):
        header = {**reader.header, "blocks": 3}
        header.pop("provenance")
        with pmt.Writer(name, header) as writer:
            for key in keys:
                writer.write(f"v{key}", {"hidden": hidden})
END
    "$python" out-make.py
    # Of 123 MB of texts most wait, and 8,000 have no partner.
    export TMPDIR=$PWD
    /usr/bin/time -f %M -o out-kib pm-fuse --model out-model.pmt --text out-text.pmt --image out-image.pmt -q --threads 1 -o out.pmt
    pm-cat --verify out.pmt | grep -q ', 32000 records,'
    pm-fuse --model out-model.pmt --text <(cat out-text.pmt) --image <(cat out-image.pmt) -q --threads 1 -o out-piped.pmt
    cmp <(pm-cat --keys out.pmt | sort) <(pm-cat --keys out-piped.pmt | sort)
    [ "$(cat out-kib)" -le 120000 ] || { cat out-kib; return 1; }
}
