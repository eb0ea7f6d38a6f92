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
    [[ "$output" == *"3 of 3 items have no image"* ]]
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
