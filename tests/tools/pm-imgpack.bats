#!/usr/bin/env bats
# pm-imgpack: from a folder of images to an image store.

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
    golden=$PROJECT/tests/golden/images
    mkdir -p images
    cp "$golden/base-420-225x223.jpg" images/one.jpg
    cp "$golden/png-pal8-110x90.png" images/two.PNG
    cp "$golden/grey-224x224.jpg" images/three.Jpeg
    cp "$golden/png-rgba8-200x120.png" images/four.jpg   # the content decides
    printf '%s\ttext\n' three one four two > items.tsv
}

pack() { run pm-imgpack --images images --items items.tsv -o store.lmdb "$@"; }

# No store, and nothing half-written beside where it would be.
nothing_written() { [ "$(ls -A | LC_ALL=C sort | tr '\n' ' ')" = "${1:-images items.tsv }" ]; }

@test "packs JPEG and PNG files of any extension's case, by content" {
    pack
    [ "$status" -eq 0 ]
    [[ "$output" == "pm-imgpack: 4 images of 224 × 224 from 4 items; 0 missing (error), 0 broken (error), 0 damaged"* ]]
    nothing_written "images items.tsv store.lmdb "
}

@test "the same bytes whatever the number of threads" {
    for i in $(seq 60); do cp images/one.jpg "images/n$i.jpg"; printf 'n%s\tx\n' "$i"; done > items.tsv
    pm-imgpack -q --threads 1 --images images --items items.tsv -o a.lmdb
    pm-imgpack -q --threads 7 --images images --items items.tsv -o b.lmdb
    cmp a.lmdb b.lmdb
}

@test "an item without an image is an error, zero or skip" {
    printf 'five\tx\nsix\tx\n' >> items.tsv
    pack
    [ "$status" -eq 1 ]
    [ "${lines[0]}" = "pm-imgpack: item five has no image in images" ]
    [ "${lines[1]}" = "pm-imgpack: item six has no image in images" ]
    [[ "${lines[2]}" == "pm-imgpack: 2 of 6 items have no image in images; --missing zero or skip"* ]]
    nothing_written
    pack --missing zero
    [ "$status" -eq 0 ]
    [[ "${lines[2]}" == "pm-imgpack: 6 images of 224 × 224 from 6 items; 2 missing (zero)"* ]]
    pack --missing skip
    [ "$status" -eq 0 ]
    [[ "${lines[2]}" == "pm-imgpack: 4 images of 224 × 224 from 6 items; 2 missing (skip)"* ]]
}

@test "a broken image is an error, zero or skip, and named" {
    cp "$golden/broken/truncated-half.jpg" images/two.PNG
    : > images/one.jpg
    pack
    [ "$status" -eq 1 ]
    [ "${lines[0]}" = "pm-imgpack: images/one.jpg: the file is empty" ]
    [[ "${lines[1]}" == "pm-imgpack: images/two.PNG: truncated JPEG"* ]]
    [[ "${lines[2]}" == "pm-imgpack: 2 of 4 images are broken; --broken zero or skip"* ]]
    nothing_written
    pack --broken skip
    [ "$status" -eq 0 ]
    [[ "${lines[2]}" == "pm-imgpack: 2 images of 224 × 224 from 4 items; 0 missing (error), 2 broken (skip)"* ]]
    pack --broken zero
    [ "$status" -eq 0 ]
    [[ "${lines[2]}" == *": 4 images of "* ]]
}

@test "of many missing images the first twenty are listed" {
    for i in $(seq 33); do printf 'gone%s\tx\n' "$i"; done >> items.tsv
    pack --missing skip
    [ "$status" -eq 0 ]
    [ "$(grep -c 'has no image' <<< "$output")" -eq 20 ]
    [[ "$output" == *"… and 13 more without an image"* ]]
}

@test "a damaged but readable image is counted, and named with -v" {
    cp "$golden/broken/corrupt-middle.jpg" images/one.jpg
    pack -v
    [ "$status" -eq 0 ]
    [[ "${lines[0]}" == "pm-imgpack: damaged, kept: images/one.jpg: Corrupt JPEG data"* ]]
    [[ "${lines[1]}" == *"1 damaged but readable" ]]
}

@test "two files of one item are an error that names both" {
    cp images/one.jpg images/one.png
    pack --missing skip --broken skip
    [ "$status" -eq 1 ]
    [ "$output" = "pm-imgpack: images: item one has two images, one.jpg and one.png; keep one" ]
    nothing_written
}

@test "an item's name leads to no file outside the folder" {
    cp images/one.jpg outside.jpg
    mkdir images/sub && cp images/one.jpg images/sub/deep.jpg
    printf '../outside\tx\nsub/deep\tx\n%s/outside\tx\n' "$PWD" > items.tsv
    pack
    [ "$status" -eq 1 ]
    [[ "$output" == *"none of the 3 items has an image in images"* ]]
}

@test "a pipe, a folder and an unreadable link named as images are broken, not waited for" {
    rm images/*
    mkfifo images/one.jpg
    mkdir images/two.jpg
    ln -s /no/such/file images/three.jpg
    cp "$golden/tiny-1x1.png" images/four.png
    run timeout 20 pm-imgpack --images images --items items.tsv --broken skip -o store.lmdb
    [ "$status" -eq 0 ]
    [[ "$output" == *"images/one.jpg: not a regular file"* ]]
    [[ "$output" == *"images/two.jpg: not a regular file"* ]]
    [[ "$output" == *"cannot read images/three.jpg: No such file"* ]]
    [[ "$output" == *": 1 images of 224"* ]]
}

@test "a name too long for the store is an error" {
    # LMDB's limit is 511 bytes, a file name's 255: only --missing zero lets such an item get that far.
    printf '%0600d\ttext\n' 0 >> items.tsv
    pack --missing zero
    [ "$status" -eq 1 ]
    [[ "$output" == *"has 600 bytes; an image store takes 511 at most" ]]
    nothing_written
}

@test "wrong usage exits with 2, missing inputs with 1" {
    run pm-imgpack --images images --items items.tsv
    [ "$status" -eq 2 ]
    run pm-imgpack --items items.tsv -o x.lmdb
    [ "$status" -eq 2 ]
    pack --size 0
    [ "$status" -eq 2 ]
    pack --missing perhaps
    [ "$status" -eq 2 ]
    run pm-imgpack --images nowhere --items items.tsv -o x.lmdb
    [ "$status" -eq 1 ]
    [ "$output" = "pm-imgpack: cannot read the folder nowhere: No such file or directory" ]
    run pm-imgpack --images images --items nothing.tsv -o x.lmdb
    [ "$status" -eq 1 ]
    run pm-imgpack --images images --items items.tsv -o -
    [ "$status" -eq 1 ]
    [[ "$output" == *"an image store must be a regular file" ]]
    nothing_written
}

@test "a store that was there stays until the new one is complete" {
    pack -q
    before=$(cksum < store.lmdb)
    printf 'five\tx\n' >> items.tsv
    pack
    [ "$status" -eq 1 ]
    [ "$(cksum < store.lmdb)" = "$before" ]
    nothing_written "images items.tsv store.lmdb "
}

@test "interrupted, it leaves nothing behind" {
    cp "$golden/large-420-1600x1200.jpg" big.jpg
    for i in $(seq 400); do ln big.jpg "images/b$i.jpg"; printf 'b%s\tx\n' "$i"; done > items.tsv
    rm big.jpg
    pm-imgpack --images images --items items.tsv -o store.lmdb &
    sleep 0.3
    kill -TERM $!
    run wait $!
    nothing_written
}

@test "packs PMMRec's LMDB of pickled images, a file or a folder" {
    cp "$PROJECT/tests/golden/pickled/images.lmdb" old.lmdb
    printf '%s\ttext\n' v3 name v12 > items.tsv
    run pm-imgpack --pickled old.lmdb --items items.tsv --size 8 -o store.lmdb
    [ "$status" -eq 0 ]
    [[ "$output" == "pm-imgpack: 3 images of 8 × 8 from 3 items; 0 missing (error), 0 broken (error)"* ]]
    pm-export -q store.lmdb -o store.npz
    [ "$(cat store.keys.tsv)" = $'v3\nname\nv12' ]
    mkdir folder
    cp old.lmdb folder/data.mdb
    pm-imgpack -q --pickled folder --items items.tsv --size 8 --threads 1 -o again.lmdb
    pm-export -q again.lmdb -o again.npz
    cmp store.npz again.npz
}

@test "pickles without an image are missing or broken" {
    cp "$PROJECT/tests/golden/pickled/images.lmdb" old.lmdb
    printf '%s\ttext\n' v12 v105 v13 > items.tsv
    run pm-imgpack --pickled old.lmdb --items items.tsv --size 8 -o store.lmdb
    [ "$status" -eq 1 ]
    [ "${lines[0]}" = "pm-imgpack: item v13 has no image in old.lmdb" ]
    run pm-imgpack --pickled old.lmdb --items items.tsv --size 8 --missing skip -o store.lmdb
    [ "$status" -eq 1 ]
    [[ "${lines[1]}" == "pm-imgpack: old.lmdb: item v105: "*"a posix.system, no instance of LMDB_Image; nothing in it was executed" ]]
    nothing_written "images items.tsv old.lmdb "
    run pm-imgpack --pickled old.lmdb --items items.tsv --size 8 --missing skip --broken zero -o store.lmdb
    [ "$status" -eq 0 ]
    [[ "$output" == *"2 images of 8 × 8 from 3 items; 1 missing (skip), 1 broken (zero)"* ]]
}

@test "what is no LMDB of pickled images is refused" {
    pm-imgpack -q --images images --items items.tsv --size 8 -o store.lmdb
    run pm-imgpack --pickled store.lmdb --items items.tsv -o no.lmdb
    [ "$status" -eq 1 ]
    [[ "${lines[0]}" == "pm-imgpack: store.lmdb: item three: not a pickle"* ]]
    head -c 5000 store.lmdb > cut.lmdb
    for file in cut.lmdb items.tsv absent images; do
        run pm-imgpack --pickled "$file" --items items.tsv -o no.lmdb
        [ "$status" -eq 1 ]
        [ "${#lines[@]}" -eq 1 ]
        [[ "$output" == *"$file"* ]]
    done
    [ ! -e no.lmdb ]
    run pm-imgpack --pickled store.lmdb --images images --items items.tsv -o no.lmdb
    [ "$status" -eq 2 ]
}

@test "images in folders below are found, as are WebP files" {
    mkdir -p images/01/deep images/02
    cp "$golden/base-420-225x223.jpg" images/01/deep/five.jpg
    cp "$golden/webp-lossy-225x223.webp" images/02/six.webp
    ln -s .. images/02/circle
    printf 'five\tx\nsix\tx\n' >> items.tsv
    pack
    [ "$status" -eq 0 ]
    [[ "$output" == "pm-imgpack: 6 images of 224 × 224 from 6 items; 0 missing"* ]]
    cp images/one.jpg images/02/one.jpg
    pack
    [ "$status" -eq 1 ]
    [ "$output" = "pm-imgpack: images: item one has two images, 02/one.jpg and one.jpg; keep one" ]
}

@test "no image of any item is an error whatever --missing says, and a lost zero is seen" {
    cp images/one.jpg images/0110065001.jpg
    printf '110065001\tx\n108775015\tx\n' > items.tsv
    pack --missing zero
    [ "$status" -eq 1 ]
    [ "${lines[0]}" = "pm-imgpack: warning: item 110065001 has no image in images" ]
    [[ "${lines[1]}" == "pm-imgpack: warning: there is images/0110065001.jpg: the same number with other zeros before it"* ]]
    [ "${lines[3]}" = "pm-imgpack: none of the 2 items has an image in images; is it the right place?" ]
    nothing_written
}

@test "a name in another Unicode normalization is seen" {
    cp images/one.jpg $'images/cafe\u0301.jpg'
    printf 'caf\u00e9\tx\none\tx\n' > items.tsv
    pack --missing skip
    [ "$status" -eq 0 ]
    [[ "${lines[1]}" == *$'there is images/cafe\u0301.jpg: the same name in another Unicode normalization'* ]]
}

@test "a list of images, of a file or a pipe, packs what the folder does" {
    pack -q
    printf '%s\timages/%s\n' two two.PNG one one.jpg other other.jpg three three.Jpeg four four.jpg > list.tsv
    pm-imgpack -q --list list.tsv --items items.tsv -o list.lmdb
    gzip -c list.tsv | pm-imgpack -q --list - --items items.tsv -o pipe.lmdb
    for file in store list pipe; do pm-export -q $file.lmdb -o $file.npz; done
    cmp store.npz list.npz
    cmp store.npz pipe.npz
    printf 'one\timages/one.jpg\none\timages/two.PNG\n' > list.tsv
    run pm-imgpack --list list.tsv --items items.tsv -o no.lmdb
    [ "$status" -eq 1 ]
    [ "$output" = "pm-imgpack: list.tsv:2: item one stands twice" ]
    printf 'two\timages/two.PNG\nelse\tx\none\timages/one.jpg\nelse\ty\n' > list.tsv # not in items.tsv
    run pm-imgpack --list list.tsv --items items.tsv -o no.lmdb
    [ "$output" = "pm-imgpack: list.tsv:4: item else stands twice" ]
    echo 'one images/one.jpg' > list.tsv
    run pm-imgpack --list list.tsv --items items.tsv -o no.lmdb
    [ "$output" = "pm-imgpack: list.tsv:1: a line is: item TAB path of its image" ]
}

@test "a tar file, of a file or a pipe, packs what the folder does" {
    pack -q
    pm-export -q store.lmdb -o store.npz
    mkdir -p web/a
    cp images/* web/a
    echo text > web/a/one.txt
    tar -cf web.tar web
    tar -cf some.tar --exclude 'two.*' web
    pm-imgpack -q --tar web.tar --items items.tsv -o tar.lmdb
    gzip -c web.tar | pm-imgpack -q --threads 3 --tar - --items items.tsv -o pipe.lmdb
    for file in tar pipe; do
        pm-export -q $file.lmdb -o $file.npz
        cmp store.npz $file.npz
        cmp store.keys.tsv $file.keys.tsv
    done
    run pm-imgpack --tar some.tar --items items.tsv -o no.lmdb
    [ "$status" -eq 1 ]
    [ "${lines[0]}" = "pm-imgpack: item two has no image in some.tar" ]
    run pm-imgpack --tar some.tar --items items.tsv --missing zero -o zero.lmdb
    [[ "$output" == *"4 images of 224 × 224 from 4 items; 1 missing (zero)"* ]]
    pm-export -q zero.lmdb -o zero.npz
    cmp store.keys.tsv zero.keys.tsv
    head -c 3000 web.tar > cut.tar
    run pm-imgpack --tar cut.tar --items items.tsv --missing zero -o no.lmdb
    [ "$status" -eq 1 ]
    [[ "$output" == "pm-imgpack: cut.tar: "* ]]
    tar -rf web.tar --transform s,images,b, images/one.jpg
    run pm-imgpack --tar web.tar --items items.tsv -o no.lmdb
    [ "$status" -eq 1 ]
    [ "$output" = "pm-imgpack: web.tar: b/one.jpg: item one has a second image in it; keep one" ]
    [ ! -e no.lmdb ]
}

@test "shards of a packing join to the whole" {
    pm-export -q "$(pack -q; echo store.lmdb)" -o store.npz
    for i in 1 2 3; do pm-imgpack -q --images images --items items.tsv --shard $i/3 -o part$i.lmdb; done
    run pm-imgpack --join part1.lmdb part2.lmdb part3.lmdb -o joined.lmdb
    [ "$status" -eq 0 ]
    [ "$output" = "pm-imgpack: 4 images from 3 stores" ]
    pm-export -q joined.lmdb -o joined.npz
    cmp store.npz joined.npz
    cmp store.keys.tsv joined.keys.tsv
    run pm-imgpack --join part1.lmdb part1.lmdb -o no.lmdb
    [ "$status" -eq 1 ]
    [[ "$output" == *" is in part1.lmdb and in part1.lmdb; an item may come once" ]]
    pm-imgpack -q --images images --items items.tsv --size 8 -o small.lmdb
    run pm-imgpack --join part1.lmdb small.lmdb -o no.lmdb
    [[ "$output" == *"part1.lmdb has images of 224 pixels a side, small.lmdb of 8; they do not go together" ]]
    for shard in 0/3 4/3 1 1/3x; do
        run pm-imgpack --images images --items items.tsv --shard $shard -o no.lmdb
        [ "$status" -eq 2 ]
    done
    [ ! -e no.lmdb ]
}

@test "shards are read as one store" {
    pack -q --size 16
    for i in 1 2 3; do pm-imgpack -q --images images --items items.tsv --size 16 --shard $i/3 -o part$i.lmdb; done
    pm-export -q store.lmdb -o store.npz
    pm-export -q part1.lmdb part2.lmdb part3.lmdb -o parts.npz
    cmp store.npz parts.npz
    cmp store.keys.tsv parts.keys.tsv
    jq '.image_size = 16' "$PROJECT/pipelines/configs/image-small.json" > image.json
    pm-synth encoder image.json -q -o encoder.pmt
    encode() { pm-encode-image --encoder encoder.pmt --blocks 1 -q "$@"; }
    encode -o whole.pmt store.lmdb
    encode -o parts.pmt part1.lmdb part2.lmdb part3.lmdb
    pm-export -q whole.pmt -o whole.npz
    pm-export -q parts.pmt -o parts.npz
    cmp whole.npz parts.npz
    for i in 1 2; do encode --shard $i/2 -o half$i.pmt part1.lmdb part2.lmdb part3.lmdb; done
    pm-cat -q half1.pmt half2.pmt -o halves.pmt
    [ "$(pm-cat --keys whole.pmt)" = "$(pm-cat --keys halves.pmt)" ]
    printf 'u1\tone two three four one\nu2\ttwo one four three two\n' > users.tsv
    ln store.lmdb one,store.lmdb
    for images in store.lmdb one,store.lmdb part1.lmdb,part2.lmdb,part3.lmdb; do
        pm-train-user -q --users users.tsv --image $images --image-encoder encoder.pmt --dim 8 --epochs 1 -o model.pmt
        pm-export -q model.pmt -o "$images.npz"
        cmp store.lmdb.npz "$images.npz"
    done
    run encode -o no.pmt part1.lmdb part1.lmdb
    [ "$status" -eq 1 ]
    [[ "$output" == *" is in part1.lmdb and in part1.lmdb; an item may come once" ]]
    pm-imgpack -q --images images --items items.tsv --size 16 --shard 3/3 --resample bicubic -o other.lmdb
    run encode -o no.pmt part1.lmdb other.lmdb
    [ "$status" -eq 1 ]
    [[ "$output" == *"the images of part1.lmdb and other.lmdb were resized in different ways; pack them alike" ]]
    run encode -o no.pmt whole.pmt whole.pmt
    [ "$status" -eq 1 ]
    [[ "$output" == *"only image stores go together; cat joins streams" ]]
    [ ! -e no.pmt ]
}

@test "killed and gone on with, a packing ends in the same bytes" {
    for i in $(seq 300); do ln images/one.jpg "images/n$i.jpg"; printf 'n%s\tx\n' "$i"; done > items.tsv
    tar -cf all.tar --hard-dereference images
    for source in "--images images" "--tar all.tar"; do
        pm-imgpack -q $source --items items.tsv -o whole.lmdb
        rm -f store.lmdb said
        # Ever longer, so that on any machine some are killed behind the first images that are written.
        for seconds in 0.01 0.02 0.03 0.04 0.05 0.07 0.09 0.11 0.15 0.2 0.3 0.4 0.6 0.8 1.1 1.5 2 3 4 6; do
            timeout -s KILL $seconds \
                pm-imgpack $source --items items.tsv --resume -o store.lmdb 2>> said || true
            [ -e store.lmdb ] && break
            flock store.lmdb.part true # the killed one may still be ending
        done
        pm-imgpack -q $source --items items.tsv --resume -o store.lmdb
        cat said
        grep -q 'going on after [1-9]' said
        cmp whole.lmdb store.lmdb
        [ ! -e store.lmdb.part ]
    done
}

@test "killed before and behind what each transaction writes, a packing ends in the same bytes" {
    load faults
    faults_shim
    need_shim
    pm-synth data data --items 1000 --users 2 --image-size 8 -q
    shuf --random-source=data/items.tsv data/items.tsv > items.tsv
    pm-imgpack -q --images data/images --items items.tsv --size 8 -o whole.lmdb
    kills=0
    for sync in {1..60}; do
        run env FAULT="sync:$sync:kill" LD_PRELOAD="$FAULTS" \
            pm-imgpack -q --images data/images --items items.tsv --size 8 --resume -o store.lmdb
        [ "$status" -eq 137 ] || break
        kills=$((kills + 1))
        pm-imgpack -q --images data/images --items items.tsv --size 8 --resume -o store.lmdb
        cmp whole.lmdb store.lmdb
        rm store.lmdb
    done
    echo "$kills kills"
    [ "$kills" -ge 30 ] # 16 batches and the end, two syncs each
}

@test "a packing that was begun with other options is not gone on with" {
    for i in $(seq 300); do ln images/one.jpg "images/n$i.jpg"; printf 'n%s\tx\n' "$i"; done > items.tsv
    rm images/n300.jpg
    echo broken > images/n300.jpg
    run pm-imgpack --images images --items items.tsv --resume -o store.lmdb
    [ "$status" -eq 1 ]
    [ -s store.lmdb.part ] && [ ! -e store.lmdb ]
    run pm-imgpack --images images --items items.tsv --resume --missing skip -o store.lmdb
    [ "$status" -eq 1 ]
    [ "$output" = 'pm-imgpack: store.lmdb.part: it belongs to a run with --missing "error", and here it is "skip"; give the same, or remove it to begin anew' ]
    cp -r images others
    run pm-imgpack --images others --items items.tsv --resume -o store.lmdb
    [[ "$output" == *"store.lmdb.part: it belongs to a run with another --images; give the same"* ]]
    head -n 200 items.tsv > fewer.tsv
    run pm-imgpack --images images --items fewer.tsv --resume -o store.lmdb
    [[ "$output" == *"store.lmdb.part: it belongs to a run with another --items; give the same"* ]]
    run pm-imgpack --images images --items items.tsv --shard 1/2 --resume -o store.lmdb
    [[ "$output" == *'store.lmdb.part: it belongs to a run with --shard nothing, and here it is "1/2"; give the same'* ]]
    cp store.lmdb.part left.part
    truncate -s 4000000 store.lmdb.part
    run pm-imgpack --images images --items items.tsv --resume -o store.lmdb
    [ "$status" -eq 1 ]
    [ "$output" = "pm-imgpack: store.lmdb.part: it is cut short; remove it to begin anew" ]
    mv left.part store.lmdb.part
    rm images/n300.jpg
    cp images/one.jpg images/n300.jpg
    run pm-imgpack --images images --items items.tsv --resume -o store.lmdb
    [ "$status" -eq 0 ]
    [ "${lines[0]}" = "pm-imgpack: going on after 256 images" ]
    [[ "${lines[1]}" == *": 300 images of "*" 0 broken"* ]]
    pm-imgpack -q --images images --items items.tsv -o whole.lmdb
    cmp whole.lmdb store.lmdb
}

@test "a machine that lacks descriptors is no broken picture" {
    run bash -c 'ulimit -n 6; exec pm-imgpack --images images --items items.tsv --broken zero -o store.lmdb'
    [ "$status" -eq 1 ]
    [[ "$output" == *"Too many open files"* ]]
    nothing_written
}

@test "an encoder's preprocessor_config.json is followed, and what was packed otherwise is said" {
    mkdir clip
    cp "$PROJECT/tests/golden/encoders/clip-vit-tiny/"* clip
    size=$(jq .image_size clip/config.json)
    pm-import -q --encoder clip -o plain.pmt
    jq -n --argjson s "$size" '{crop_size: {height: $s, width: $s}, do_center_crop: true, resample: 3,
        size: {shortest_edge: $s}, image_mean: [0.48, 0.46, 0.41], image_std: [0.27, 0.26, 0.28]}' > clip/preprocessor_config.json
    run pm-import --encoder clip -o enc.pmt
    [ "$status" -eq 0 ]
    [ "${#lines[@]}" -eq 1 ]
    run pm-import -v --encoder clip -o enc.pmt
    [[ "${lines[0]}" == *"clip/preprocessor_config.json: images are resized by bicubic, the middle of the shorter side; mean 0.48 0.46 0.41, deviation 0.27 0.26 0.28" ]]
    [ "$(pm-cat --header enc.pmt | jq -c '.config | [.resample, .shortest_edge, .image_mean, .image_std[0]]')" = \
        "[\"bicubic\",$size,[0.48,0.46,0.41],0.27]" ]
    pm-imgpack -q --images images --items items.tsv --encoder enc.pmt -o store.lmdb
    run pm-encode-image --encoder enc.pmt store.lmdb -o x.pmt
    [ "$status" -eq 0 ]
    [ -z "$output" ]
    pm-imgpack -q --images images --items items.tsv --encoder plain.pmt -o forced.lmdb
    run pm-encode-image --encoder enc.pmt forced.lmdb -o y.pmt
    [ "$status" -eq 0 ]
    [[ "$output" == *"forced.lmdb: its images were resized otherwise (bilinear, both sides forced)"*"pm-imgpack --encoder packs them so" ]]
    pm-encode-image -q --encoder plain.pmt forced.lmdb -o z.pmt
    ! cmp -s <(pm-export -q y.pmt -o y.npz; cat y.npz) <(pm-export -q z.pmt -o z.npz; cat z.npz) || return 1
    jq '.resample = 1 | .rescale_factor = 1 | .crop_size = 5' clip/preprocessor_config.json > p.json
    mv p.json clip/preprocessor_config.json
    run pm-import --encoder clip -o enc.pmt
    [ "$status" -eq 0 ]
    [[ "$output" == *"resample 1 is not built here"* && "$output" == *"rescale_factor"* && "$output" == *"crop_size 5 is not"* ]]
    jq '.image_std = [0, 1, 1]' clip/preprocessor_config.json > p.json
    mv p.json clip/preprocessor_config.json
    run pm-import -q --encoder clip -o no.pmt
    [ "$status" -eq 1 ]
    [[ "${lines[-1]}" == *"clip/preprocessor_config.json: image_std must be three numbers from 1e-06 to 255" ]]
    run pm-imgpack --images images --items items.tsv --encoder enc.pmt --size 8 -o no.lmdb
    [ "$status" -eq 2 ]
}
