# Where outputs go, and that they are whole or not there.

load faults
load python

setup_file() {
    faults_data
    faults_shim
}

setup() { clear_outputs; }

@test "an output that cannot be written is refused before any input is opened" {
    mkdir out-folder.npz
    for tool in $tools; do
        fails "cannot write absent/out.npz: No such file or directory" $(command_of $tool absent/out.npz | sed 's/tokens\.pmt\|items\.tsv\|images\.lmdb\|text\.json\|model\.pmt/absent.pmt/')
        fails "cannot write out-folder.npz: Is a directory" $(command_of $tool out-folder.npz)
        nothing_left out-folder.npz
    done
    train="pm-train-user -q --users absent.tsv --catalog items.tsv -o out"
    fails "cannot write absent/checkpoint" $train --checkpoint absent/checkpoint
    fails "cannot write absent/log" $train --log absent/log
    nothing_left out-folder.npz
}

@test "an output without a name is wrong usage" {
    for tool in $tools; do
        status=0
        words=$(command_of $tool '')
        $words '' > printed 2> messages || status=$?
        [ $status = 2 ]
        grep -q 'takes the name of a file, and it is empty' messages
    done
}

@test "a file may not be written without permission, and stays" {
    [ "$(id -u)" != 0 ] || as="setpriv --reuid=65534 --regid=65534 --clear-groups"
    $as test -r . && $as pm-cat --version > printed || skip "nobody may not look into this folder"
    mkdir out-closed
    echo old > out-closed/out
    chmod 555 out-closed
    fails "cannot write out-closed/new: Permission denied" $as pm-cat tokens.pmt -o out-closed/new
    mkdir out-open
    chmod 777 out-open
    echo old > out-open/out
    chmod 444 out-open/out
    fails "cannot write out-open/out: Permission denied" $as pm-cat tokens.pmt -o out-open/out
    [ "$(cat out-open/out)" = old ]
    [ "$(ls -A out-open)" = out ]
}

@test "a link is followed, and what it leads to is replaced" {
    mkdir out-there
    for tool in $tools; do
        rm -f out* out-there/* 2> /dev/null || true
        echo old > out-there/real
        ln -s out-there/real out-first
        ln -s out-first out.npz
        ln -s out-there/new out-new.npz
        $(command_of $tool out.npz) > printed
        $(command_of $tool out-new.npz) > printed
        [ -L out.npz ]
        [ -L out-first ]
        [ -L out-new.npz ]
        cmp out-there/real out-there/new || [ $tool = pm-export ]
        ! grep -qx old out-there/real || return 1
        [ -z "$(ls -A out-there | grep -v 'real\|new\|keys')" ]
    done
}

@test "a loop of links is refused" {
    ln -s out-b out-a
    ln -s out-a out-b
    fails "cannot write out-a: Too many levels of symbolic links" pm-cat tokens.pmt -o out-a
}

@test "what is replaced keeps its mode, what is new has that of the umask" {
    umask 027
    for tool in $tools; do
        out=$(output_of $tool)
        rm -f out*
        $(command_of $tool $out) > printed
        [ "$(stat -c %a $out)" = 640 ]
        chmod 604 $out
        $(command_of $tool $out) > printed
        [ "$(stat -c %a $out)" = 604 ]
    done
}

@test "what leads to a descriptor or a pipe is written in place" {
    $(command_of pm-cat out)
    { echo before; pm-cat tokens.pmt -o /dev/stdout; echo behind; } > out-around
    cmp <(echo before; cat out; echo behind) out-around
    ln -s /proc/self/fd/3 out-link
    pm-cat tokens.pmt -o out-link 3> out-third
    cmp out out-third
    [ -L out-link ]
    pm-cat tokens.pmt -o /dev/fd/3 3> out-fourth
    cmp out out-fourth
    mkfifo out-fifo
    cat out-fifo > out-fifth &
    pm-cat tokens.pmt -o out-fifo
    wait $!
    cmp out out-fifth
    [ -p out-fifo ]
    fails "cannot write /dev/fd/9: No such file or directory" pm-cat tokens.pmt -o /dev/fd/9
}

@test "pmt.py treats outputs alike" {
    need_python
    pmt="$python $PROJECT/formats/pmt.py"
    $pmt copy tokens.pmt -o out
    echo old > out-real
    chmod 604 out-real
    ln -s out-real out-link
    $pmt copy tokens.pmt -o out-link
    cmp out out-real
    [ -L out-link ]
    [ "$(stat -c %a out-real)" = 604 ]
    { echo before; $pmt copy tokens.pmt -o /dev/fd/1; } > out-around
    cmp <(echo before; cat out) out-around
    mkfifo out-fifo
    cat out-fifo > out-third &
    $pmt copy tokens.pmt -o out-fifo
    wait $!
    cmp out out-third
    head -c 300 tokens.pmt > out-cut
    ! $pmt copy out-cut -o out-real 2> messages || return 1
    cmp out out-real
    nothing_left out out-real out-link out-around out-fifo out-third out-cut
}

@test "what a killed writer left is removed by the next one, and nothing else" {
    need_python
    digits=0123456789abcdef
    mkdir out-there
    for writer in "pm-cat tokens.pmt" "pm-imgpack -q --images images --items items.tsv --size 8 --resume" \
        "$python $PROJECT/formats/pmt.py copy tokens.pmt"; do
        rm -rf out-there/.[!.]* out-there/*
        mkdir out-there/.new.$digits # no file
        touch out-there/.new.${digits^^} out-there/.new.${digits}0 out-there/.new.${digits%f} out-there/new.$digits \
            out-there/.newer.$digits out-there/.new.$digits.part
        ln -s new.$digits out-there/.new.${digits/0/1}
        ls -A out-there > out-others
        touch out-there/.new.${digits/0/2} out-there/.new.${digits/0/3} out-there/.new.${digits/0/4}
        chmod 444 out-there/.new.${digits/0/4}
        exec 8< out-there/.new.${digits/0/3} # of a writer that lives
        flock 8
        $writer -o out-there/new
        diff <({ cat out-others; echo new; echo .new.${digits/0/3}; } | sort) <(ls -A out-there | sort)
        exec 8<&-
        $writer -o out-there/new
        diff <({ cat out-others; echo new; } | sort) <(ls -A out-there | sort)
    done
}

@test "an input that would be written over is refused" {
    cp users.tsv out.tsv
    cp model.pmt out.pmt
    fails "out.tsv is out.tsv, which is read, and would be written over" pm-train-user -q --users out.tsv \
        --catalog items.tsv --dim 4 --user-heads 1 --epochs 1 --log out.tsv -o out
    cmp users.tsv out.tsv
    ln out.pmt out-other.pmt
    fails "out-other.pmt is out.pmt, which is read, and would be written over" pm-train-user -q --users users.tsv \
        --catalog items.tsv --init out.pmt --log out-other.pmt -o out
    cmp model.pmt out.pmt
    fails "--checkpoint and --output are the same file, ./out" pm-train-user -q --users users.tsv --catalog items.tsv \
        --checkpoint out -o ./out
    cp tokens.pmt out.pmt
    fails "standard output is out.pmt, which is read, and would be written over" bash -c 'exec pm-cat out.pmt >> out.pmt'
    cmp tokens.pmt out.pmt
    pm-cat out.pmt -q -o out.pmt # read to its end before it is replaced
    [ "$(pm-cat --keys out.pmt | wc -l)" = 12 ]
}

@test "standard output that cannot be written is an error" {
    for command in "pm-cat tokens.pmt" "pm-cat --keys tokens.pmt" "pm-tokenize --bytes items.tsv" \
        "pm-eval -q --model model.pmt --items vectors.pmt --users users.tsv" "pm-cat --version"; do
        status=0
        $command > /dev/full 2> messages || status=$?
        [ $status = 1 ]
        grep -q "standard output: No space left on device" messages
        status=0
        $command >&- 2> messages || status=$?
        [ $status = 1 ]
        grep -q "standard output: Bad file descriptor" messages
    done
}

@test "a closed standard input is an error, and not waited for" {
    for command in "pm-cat --verify" "pm-cat --keys" "pm-cat" "pm-encode-text --encoder text-encoder.pmt" \
        "pm-encode-image --encoder image-encoder.pmt" "pm-tokenize --bytes"; do
        status=0
        timeout 10 $command <&- > printed 2> messages || status=$?
        [ $status = 1 ]
        grep -q "Bad file descriptor" messages
    done
}

@test "with a closed standard error nothing goes into other files" {
    $(command_of pm-train-user out) --epochs 2 --log out-log -v 2>&-
    ! grep -v '^{' out-log || return 1
    mkdir out-images
    head -n 1 items.tsv > out.tsv
    echo broken > "out-images/$(cut -f 1 out.tsv).png"
    pm-imgpack --images out-images --items out.tsv --size 8 --broken zero -o out.lmdb 2>&-
    pm-encode-image --encoder image-encoder.pmt out.lmdb -q -o out.pmt
}

@test "two writers of one target leave a whole file" {
    [[ "$(ldd "$(command -v pm-cat)")" == *libasan* ]] || names_only=$FAULTS # a sanitizer has its own malloc
    for i in 1 2 3 4 5 6; do
        pm-cat tokens.pmt -o out &
        pm-cat text.pmt -o out &
        FAULT=link:1+:EOPNOTSUPP LD_PRELOAD=$names_only pm-cat tokens.pmt -o out &
        FAULT=link:1+:EOPNOTSUPP LD_PRELOAD=$names_only pm-cat text.pmt -o out &
        for writer in $(jobs -p); do wait $writer; done
        pm-cat --verify out > printed
        grep -q '12 records' printed
        nothing_left out
    done
}
