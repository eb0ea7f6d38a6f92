# What fuzzing starts from and what it has found, through every parser; and damaged files through whole tools.
# `make fuzz` looks further.

replay() {
    "$PROJECT/tests/fuzz/seeds" "$1" "$BATS_TEST_TMPDIR/seeds"
    run "$build/replay/$1" "$BATS_TEST_TMPDIR"/seeds/*
    [ "$status" -eq 0 ]
    [ "${lines[-1]}" = "$(ls "$BATS_TEST_TMPDIR/seeds" | wc -l) replayed" ]
}

setup() {
    build=$(dirname "$(dirname "$(command -v pm-cat)")")
}

@test "streams are read to their end or to an error" { replay stream; }
@test "indices of streams, and what is found by them" { replay index; }
@test "checkpoints" { replay checkpoint; }
@test "records, whatever stands in them" { replay records; }
@test "array files of every kind" { replay arrays; }
@test "pickles" { replay pickle; }
@test "tokenizers' files" { replay tokenizer; }
@test "configurations" { replay config; }
@test "items and users" { replay behaviours; }
@test "image stores and LMDB files of pickles" { replay store; }
@test "image files" { replay image; }

@test "every fuzz target is replayed here" {
    for target in "$PROJECT"/tests/fuzz/fuzz_*.c; do
        name=${target##*/fuzz_}
        grep -q "{ replay ${name%.c}; }" "$BATS_TEST_FILENAME"
    done
}

@test "damaged files end in a line that says so, whatever the tool" {
    run python3 "$PROJECT/tests/fuzz/mutate.py" 1 480 "$BATS_TEST_TMPDIR"
    echo "$output"
    [ "$status" -eq 0 ]
    [ "${lines[-1]}" = "480 runs, 0 failed" ]
}
