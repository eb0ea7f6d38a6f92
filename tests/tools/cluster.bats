# pipelines/cluster: the same streams from parts, by Slurm, GNU parallel and make, and only what is missing again.

setup() {
    cd "$BATS_TEST_TMPDIR"
    pm-synth data data --items 30 --users 5 --image-size 16 -q
    for side in text image; do
        jq '.hidden_size = 24 | .intermediate_size = 32' "$PROJECT/pipelines/configs/$side-small.json" > $side.json
        pm-synth encoder $side.json -q -o $side-encoder.pmt
    done
    ln -s "$PROJECT/pipelines" .
    export ITEMS=data/items.tsv IMAGES=data/images TEXT_ENCODER=text-encoder.pmt IMAGE_ENCODER=image-encoder.pmt \
        TEXT_BLOCKS=1 IMAGE_BLOCKS=1 IMAGE_SIZE=32 OUT=out SHARDS=3
    unset MAKEFLAGS MAKELEVEL
}

# The keys and the hash of the content, which say that a stream is that of the whole.
content() {
    pm-cat --keys "$1"
    pm-cat --verify "$1" | sed 's/.*: //'
}

same_as_whole() {
    pm-tokenize --bytes -q "$ITEMS" | pm-encode-text --encoder text-encoder.pmt --blocks 1 -q -o text.pmt
    pm-imgpack --images data/images --items "$ITEMS" --size 32 -q -o images.lmdb
    pm-encode-image --encoder image-encoder.pmt --blocks 1 -q -o image.pmt images.lmdb
    for side in text image; do diff <(content $side.pmt) <(content out/$side.pmt); done
}

# again COMMAND…: makes one lost part again and the joined streams, and nothing else.
again() {
    touch -d '1 minute ago' -- $(find out -name '*.pmt' -o -name '*.lmdb') data/* ./*-encoder.pmt
    touch -d '2 minutes ago' data/items.tsv ./*-encoder.pmt
    rm out/parts/2-of-3/text.pmt
    touch before
    "$@"
    [ "$(find out -newer before -name '*.pmt' -o -newer before -name '*.lmdb' | sort | paste -sd ' ')" = \
        "out/parts/2-of-3/text.pmt out/text.pmt" ]
}

@test "GNU parallel" {
    in_parallel() { parallel --will-cite --jobs 2 pipelines/cluster/shard {} 3 ::: 1 2 3 && pipelines/cluster/shard --join 3; }
    in_parallel
    same_as_whole
    again in_parallel
}

@test "make" {
    make -j2 -f pipelines/cluster/shards.mk
    same_as_whole
    again make -j2 -f pipelines/cluster/shards.mk
}

# Stand-ins for Slurm: sbatch runs a job at once, one task after the other, srun starts processes by mpirun, scontrol notes
# what it was told.
slurm() {
    export ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0 # Open MPI does not free all that it takes
    mkdir bin
    cat > bin/sbatch <<'SBATCH'
#!/bin/bash
while [[ $1 = --* ]]; do
    case $1 in --array=1-*) last=${1##*-} ;; --dependency=afterok:7 | --parsable) ;; *) exit 2 ;; esac
    shift
done
bash -n "$1" || exit
export SLURM_JOB_ID=7 SLURM_NTASKS=2 SLURM_CPUS_PER_TASK=1
for task in $(seq "${last:-1}"); do
    if [ -n "${last:-}" ]; then export SLURM_ARRAY_TASK_ID=$task; fi
    bash "$@" >&2 || exit
done
echo 7
SBATCH
    cat > bin/srun <<'SRUN'
#!/bin/bash
while [[ $1 = --* ]]; do shift; done
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_btl=self,vader
exec mpirun -n "$SLURM_NTASKS" "$@"
SRUN
    printf '#!/bin/bash\necho "$@" >> told\n' > bin/scontrol
    chmod +x bin/*
    export PATH=$PWD/bin:$PATH
}

@test "Slurm: an array job and one that waits for it" {
    slurm
    sed -n '/^Slurm/,/^On nodes/s/^    //p' pipelines/cluster/README.md | sed 's/SHARDS=16/SHARDS=3/' > commands
    [ "$(wc -l < commands)" = 3 ]
    bash -eu commands
    same_as_whole
    again bash -eu commands
}

@test "Slurm: a training on several machines, which is stopped, goes back to the queue and goes on" {
    if [ ! -e "$(dirname "$(command -v pm-cat)")/../lib/pm-mpi.so" ]; then skip "built without MPI"; fi
    slurm
    train() {
        sbatch pipelines/cluster/train.sbatch -q --users data/users.tsv --catalog data/items.tsv --tower id --dim 16 \
            --batch-size 2 --schedule constant --epochs 60 --validate-every 60 --log "$1.jsonl" --checkpoint "$PWD/$1" -o "$1.pmt"
    }
    train whole
    train stopped &
    for _ in {1..200}; do [ ! -s stopped.jsonl ] || break; sleep 0.05; done
    kill -TERM "$(pgrep -n -f "checkpoint $PWD/stopped")"
    status=0
    wait $! || status=$?
    [ "$status" = 143 ]
    [ "$(cat told)" = "requeue 7" ]
    [ ! -e stopped.pmt ]
    train stopped
    cmp whole.jsonl stopped.jsonl
    cmp whole.pmt stopped.pmt
    [ "$(wc -l < told)" = 1 ]
}

@test "a part that is not there is named, and nothing is joined" {
    pipelines/cluster/shard 1 3
    run pipelines/cluster/shard --join 3
    [ "$status" = 1 ]
    [[ "$output" == *"out/parts/2-of-3/text.pmt"* ]]
    [ ! -e out/text.pmt ]
}
