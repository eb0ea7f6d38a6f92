# A machine that fails the tools: every fault ends in a message and exit 1, or makes no difference.

load faults

setup_file() {
    faults_data
    faults_shim
    export OMP_NUM_THREADS=1
}

setup() { clear_outputs; }

# with_fault FAULT COMMAND…: the command, with the shim of tests/faults.
with_fault() {
    timeout 60 env FAULT="$1" LD_PRELOAD="$FAULTS" "${@:2}"
}

# calls_of CALL COMMAND…: how often the command makes the call.
calls_of() {
    FAULT_COUNT=count with_fault "$1:1000000000:EIO" "${@:2}" > printed
    rm -f out*
    cat count
}

# make_good TOOL OUT: good-TOOL is what the tool writes when nothing fails.
make_good() {
    rm -f out*
    $(command_of "$1" "$2") > printed
    mv "$2" good-"$1"
    rm -f out*
}

# The target is as it was. Of the two files of pm-export, the one with the arrays may be there without its keys.
is_old_or_complete() {
    cmp -s "$2" <(echo old) || { [ "$1" = pm-export ] && cmp -s "$2" good-pm-export; }
}

# survives TEXT FAULT TOOL: with the fault the tool either writes the same bytes, or fails in one line that has the
# text, leaves nothing, and the target as it was.
survives() {
    local text=$1 fault=$2 tool=$3 out status=0
    out=$(output_of "$tool")
    rm -f out-* .out*
    echo old > "$out"
    with_fault "$fault" $(command_of "$tool" "$out") > printed 2> messages < /dev/null || status=$?
    if [ $status = 0 ]; then
        cmp "$out" good-"$tool" || { echo "$tool with $fault: other bytes"; return 1; }
    elif [ $status != 1 ] || [ "$(grep -c . messages)" != 1 ] || ! grep -qE -- "$text" messages || ! is_old_or_complete "$tool" "$out"; then
        echo "$tool with $fault: status $status, expected '$text'; it says:"
        cat messages
        return 1
    fi
    rm -f out.keys.tsv
    nothing_left "$out"
}

# sweep TEXT CALL RUNS FAULT…: every tool with each of the faults, at up to RUNS of its calls, the last ones among them.
sweep() {
    local text=$1 call=$2 runs=$3 tool count step n fault struck=0
    shift 3
    for tool in $tools; do
        out=$(output_of "$tool")
        make_good "$tool" "$out"
        count=$(calls_of "$call" $(command_of "$tool" "$out"))
        step=$(((count + runs - 1) / runs))
        [ "$step" -gt 0 ] || continue
        for ((n = count; n > 0; n -= step)); do
            for fault; do
                survives "$text" "$call:$n$fault" "$tool" || return 1
                struck=$((struck + 1))
            done
        done
    done
    [ $struck -ge 6 ]
}

@test "memory that is not there at some call" {
    need_shim
    sweep 'memory' malloc 5 :ENOMEM
}

@test "memory that ends within a limit" {
    [[ "$(ldd "$(command -v pm-cat)")" != *libasan* ]] || skip "a sanitizer needs more memory"
    jq '.hidden_size = 16384' text.json > out-big.json
    rm -f printed messages
    (ulimit -v 700000; fails "out of memory" timeout 60 pm-synth encoder out-big.json -q -o out.pmt)
    (ulimit -v 700000; fails "use a smaller --batch-size" timeout 60 pm-train-user -q --users users.tsv \
        --catalog items.tsv --dim 65536 --user-heads 1 --epochs 1 -o out.pmt)
    nothing_left out-big.json
}

@test "memory that ends within any limit" {
    [[ "$(ldd "$(command -v pm-cat)")" != *libasan* ]] || skip "a sanitizer needs more memory"
    for tool in $tools; do
        out=$(output_of $tool)
        make_good $tool $out
        read -ra words <<< "$(command_of $tool $out)"
        refused=0 done=0
        # From what is enough down to where not even the libraries can be loaded (127), on two threads.
        for ((limit = 200000; limit > 4000; limit -= limit / 25)); do
            rm -f out-* .out* out.keys.tsv
            echo old > $out
            status=0
            (ulimit -v $limit; OMP_NUM_THREADS=2 exec timeout 60 "${words[@]}") > printed 2> messages < /dev/null || status=$?
            if [ $status = 0 ]; then
                cmp $out good-$tool
                done=$((done + 1))
            elif [ $status = 127 ] || grep -q "loading shared libraries" messages; then
                break
            else
                [ $status = 1 ] && [ "$(grep -c . messages)" = 1 ] && grep -qiE 'memory|thread|allocate|gnuplot' messages &&
                    is_old_or_complete $tool $out || { echo "$tool, $limit: status $status"; cat messages; return 1; }
                refused=$((refused + 1))
            fi
            rm -f out.keys.tsv
            nothing_left $out
        done
        echo "$tool: $done done, $refused refused"
        [ $done -gt 0 ]
    done
}

@test "a disk that is full" {
    need_shim
    sweep 'cannot write' write 4 :ENOSPC +:ENOSPC
}

@test "a disk that is full, in truth" {
    unshare -m true 2> /dev/null || skip "only root mounts file systems"
    for tool in $tools; do
        out=$(output_of "$tool")
        fails "No space left on device" unshare -m bash -c '
            mkdir out-disk && mount -t tmpfs -o size=64k,nr_inodes=16 none out-disk && cp out-old out-disk/$1 || exit 3
            head -c 100000 /dev/zero > out-disk/filler 2> /dev/null
            ${@:2} || status=$?
            [ "$(ls -A out-disk)" = "$(printf "filler\n$1")" ] && cmp -s out-old out-disk/$1 || status=4
            exit ${status:-0}' disk "$out" $(echo old > out-old; command_of $tool "out-disk/$out")
        rm -rf out*
    done
}

@test "a quota, a disk that fails on writing" {
    need_shim
    sweep 'cannot write' write 2 :EDQUOT +:EIO
}

@test "a disk that fails on reading" {
    need_shim
    sweep 'Input/output error|cannot read' read 4 :EIO
}

@test "reads and writes that move less than was asked for, or are interrupted" {
    need_shim
    sweep 'no message' read 1 +:short
    for tool in pm-cat pm-encode-text; do # the C library's own reading is interrupted by nothing of ours
        survives 'no message' read:1:EINTR $tool
    done
}

@test "a disk that fails on syncing, linking or renaming" {
    need_shim
    for tool in $tools; do
        out=$(output_of $tool)
        make_good $tool $out
        survives 'cannot write .*: Input/output error' sync:1:EIO $tool
        survives 'cannot rename .*: Input/output error' rename:1:EIO $tool
        survives 'no message' link:1+:EOPNOTSUPP $tool
    done
    fails "out is whole, but its folder cannot be synced: Input/output error" with_fault sync:2:EIO \
        $(command_of pm-cat out)
    cmp out tokens.pmt
}

@test "a file system without files that have no name" {
    need_shim
    for tool in $tools; do
        out=$(output_of $tool)
        make_good $tool $out
        with_fault link:1+:EOPNOTSUPP $(command_of $tool $out) > printed
        cmp $out good-$tool
        rm -f out.keys.tsv
        nothing_left $out
    done
    rm -f out*
    mkfifo out-endless
    exec 7<> out-endless
    for signal in TERM HUP INT QUIT ALRM USR1 XCPU ABRT; do
        # A job in the background ignores INT and QUIT, and whoever runs the tests may ignore others.
        FAULT=link:1+:EOPNOTSUPP LD_PRELOAD=$FAULTS env --default-signal \
            pm-tokenize --bytes -q -o out out-endless 2> messages 7>&- &
        cat items.tsv >&7
        for i in {1..200}; do
            compgen -G '.out*' > printed && break
            sleep 0.02
        done
        [ -s printed ]
        kill -$signal $!
        wait $! && status=0 || status=$?
        [ $status -gt 128 ]
        nothing_left out-endless
    done
}

@test "few descriptors" {
    for tool in $tools; do
        out=$(output_of $tool)
        make_good $tool $out
        read -ra words <<< "$(command_of $tool $out)"
        for limit in 4 5 6 7 8 10; do
            rm -f out*
            status=0
            (ulimit -n $limit; exec "${words[@]}") > printed 2> messages || status=$?
            if [ $status = 0 ]; then
                cmp $out good-$tool
                rm -f out*
            elif [ $status != 127 ]; then # not even the libraries could be opened
                [ $status = 1 ] || { echo "$tool, $limit descriptors: status $status"; cat messages; return 1; }
                grep -qE 'Too many open files|no thread could be started|gnuplot cannot draw' messages
                [ "$(wc -l < messages)" = 1 ]
            fi
            nothing_left
        done
    done
}

@test "lack of descriptors and memory is no broken picture" {
    need_shim
    $(command_of pm-imgpack good) --broken zero
    count=$(calls_of open $(command_of pm-imgpack out) --broken zero)
    for ((n = 1; n <= count; n++)); do
        rm -f out
        status=0
        with_fault open:$n+:EMFILE $(command_of pm-imgpack out) --broken zero > printed 2> messages || status=$?
        [ $status = 1 ] || cmp out good
    done
    rm -f out
    fails "cannot read images/" with_fault open:8+:EMFILE $(command_of pm-imgpack out) --broken zero --missing zero
    nothing_left
}

@test "a mapped file that shrinks while it is read" {
    need_shim
    for command in "encoder.safetensors pm-import --encoder out-in --config text.json" \
        "text.npz pm-import --items items.tsv --hidden hidden --mask mask out-in" \
        "images.lmdb pm-export out-in" \
        "images.lmdb pm-encode-image --encoder image-encoder.pmt out-in" \
        "images.lmdb pm-train-user --users users.tsv --image out-in --image-encoder image-encoder.pmt --dim 8"; do
        set -- $command
        extension=${1##*.}
        cp "$1" out-in.$extension
        fails "/out-in.$extension: the file became shorter while it was in use, or its disk cannot read it" \
            with_fault map:1:cut ${*:2:1} -q $(sed "s/out-in/out-in.$extension/" <<< "${*:3}") -o out.npz
        nothing_left out-in.$extension
        rm -f out*
    done
}

@test "no folder for scratch files" {
    for folder in /absent /dev/null; do
        fails "a scratch file in $folder (set TMPDIR" env TMPDIR=$folder pm-train-user -q --users users.tsv \
            --text text.pmt --dim 8 --fusion-heads 2 --fusion-intermediate 8 --user-heads 2 --memory 0 --epochs 1 -o out
        nothing_left
    done
}

@test "killed at a moment of writing" {
    need_shim
    for tool in $tools; do
        out=$(output_of $tool)
        make_good $tool $out
        for fault in write:1:kill sync:1:kill sync:2:kill link:1:kill; do
            rm -f out*
            with_fault $fault $(command_of $tool $out) > printed 2> messages || true
            [ ! -e $out ] || cmp $out good-$tool
            rm -f out out.npz out.keys.tsv
            nothing_left
            $(command_of $tool $out) > printed
            cmp $out good-$tool
        done
        # Between the two names of what replaces an output; the next run takes the hidden one away.
        for fault in rename:1:kill link:2:kill sync:1:kill; do
            rm -f out*
            echo old > $out
            with_fault $fault $(command_of $tool $out) > printed 2> messages || true
            cmp $out good-$tool || [ "$(cat $out)" = old ]
            $(command_of $tool $out) > printed
            cmp $out good-$tool
            rm -f out.keys.tsv
            nothing_left $out
        done
    done
}

@test "keys never stand beside other arrays" {
    need_shim
    head -n 5 users.tsv > few-users.tsv
    pm-cat -q --select 'a000[1-5]' vectors.pmt -o few-vectors.pmt
    for new in "pm-export -q few-vectors.pmt -o out.npy" \
        "pm-recommend -q --model model.pmt --items vectors.pmt --users few-users.tsv --users-out out.npy --top 0"; do
        rm -f out*
        old=$(sed 's/few-//' <<< "$new")
        $new
        mv out.npy new.npy
        mv out.keys.tsv new.keys.tsv
        $old
        mv out.npy old.npy
        mv out.keys.tsv old.keys.tsv
        ! cmp -s old.keys.tsv new.keys.tsv || return 1
        seen=
        for fault in {sync:1,sync:2,sync:3,link:2,link:3,rename:1,rename:2}:{kill,EIO}; do
            rm -f out* .out*
            cp old.npy out.npy
            cp old.keys.tsv out.keys.tsv
            status=0
            with_fault $fault $new > printed 2> messages || status=$?
            [ $status != 0 ] || { echo "$new with $fault: no failure"; return 1; }
            is=
            for which in old new; do
                cmp -s out.npy $which.npy && is=$which
            done
            [ -n "$is" ] || { echo "$new with $fault: out.npy is neither"; return 1; }
            [ ! -e out.keys.tsv ] || cmp out.keys.tsv $is.keys.tsv
            seen+=" $is$([ -e out.keys.tsv ] || echo -alone)"
            [ $status = 137 ] || nothing_left out.npy $([ ! -e out.keys.tsv ] || echo out.keys.tsv)
            $new
            cmp out.npy new.npy
            cmp out.keys.tsv new.keys.tsv
            nothing_left out.npy out.keys.tsv
        done
        [[ "$seen" == *" old "*" old-alone"*" new-alone"* ]]
    done
}
