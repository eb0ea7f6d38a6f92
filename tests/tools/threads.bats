# How many threads there are: --threads, else OMP_NUM_THREADS, else the processors that the tool may run on, no more than
# the quota of its container. A checkpoint says how many it was.

setup() {
    cd "$BATS_TEST_TMPDIR"
    unset OMP_NUM_THREADS
    pm-synth data data --items 12 --users 12 --image-size 8 -q
}

# threads_of COMMAND…: of a training by this command.
threads_of() {
    rm -f checkpoint
    "$@" -q --users data/users.tsv --catalog data/items.tsv --dim 4 --user-heads 1 --epochs 1 \
        --checkpoint checkpoint -o model.pmt
    pm-cat --header checkpoint | jq .threads
}

need_processors() {
    [ "$(nproc)" -ge 2 ] || skip "one processor"
    first=$(taskset -pc $$ | sed 's/.*: \([0-9]*\).*/\1/')
}

@test "--threads goes before OMP_NUM_THREADS" {
    [ "$(OMP_NUM_THREADS=3 threads_of pm-train-user)" = 3 ]
    [ "$(OMP_NUM_THREADS=3 threads_of pm-train-user --threads 2)" = 2 ]
    [ "$(threads_of pm-train-user --threads 5)" = 5 ]
}

@test "the processors that it may run on count" {
    need_processors
    [ "$(threads_of taskset -c "$first" pm-train-user)" = 1 ]
    [ "$(OMP_NUM_THREADS=3 threads_of taskset -c "$first" pm-train-user)" = 3 ]
    [ "$(threads_of taskset -c "$first" pm-train-user --threads 2)" = 2 ]
}

@test "the quota of a container counts" {
    need_processors
    unshare -m true 2> /dev/null || skip "only root mounts folders"
    [ -d /sys/fs/cgroup ] || skip "a machine without control groups"
    mkdir -p cgroup/cpu
    in_container=(unshare -m bash -c 'mount --bind cgroup /sys/fs/cgroup && exec "$@"' container)
    echo 100000 > cgroup/cpu/cpu.cfs_period_us
    for quota in 150000:2 50000:1; do # of version 2 and of version 1
        echo "${quota%:*} 100000" > cgroup/cpu.max
        echo "${quota%:*}" > cgroup/cpu/cpu.cfs_quota_us
        [ "$(threads_of "${in_container[@]}" pm-train-user)" = "${quota#*:}" ]
    done
    [ "$(threads_of "${in_container[@]}" pm-train-user --threads 3)" = 3 ]
    [ "$(OMP_NUM_THREADS=2 threads_of "${in_container[@]}" pm-train-user)" = 2 ]
}
