#!/usr/bin/env bats
# The folders of lib/ are layers: each includes only itself and those before it.

layers="core stream arrays text data nn huggingface model convert eval train report"

# "FILE: HEADER" of each include that goes up, or out of the list. $1: the root of the sources.
upward() {
    (cd "$1" && find lib -name '*.[ch]' -o -name '*.cc' | sort | xargs grep -H '^#include "') |
        awk -F '[:"]' -v layers="$layers" '
            BEGIN { count = split(layers, names, " "); for (i = 1; i <= count; i++) rank[names[i]] = i }
            {
                if (!index($3, "/")) next # of the same folder
                split($1, from, "/"); split($3, to, "/")
                if (!rank[from[2]] || !rank[to[1]] || rank[to[1]] > rank[from[2]]) print $1 ": " $3
            }'
}

@test "no folder of lib/ includes one above it" {
    run upward "$PROJECT"
    echo "$output"
    [ "$status" -eq 0 ]
    [ -z "$output" ]
}

@test "an include that goes up is found" {
    mkdir -p "$BATS_TEST_TMPDIR/lib/data"
    printf '#include "core/error.h"\n#include "model/encoder.h"\n#include "other/x.h"\n' > "$BATS_TEST_TMPDIR/lib/data/x.c"
    run upward "$BATS_TEST_TMPDIR"
    [ "$output" = $'lib/data/x.c: model/encoder.h\nlib/data/x.c: other/x.h' ]
}
