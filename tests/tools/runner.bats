# tests/run itself, in a folder with a dot and a space in its path, over programs with a fault each.

setup() {
    mkdir -p "$BATS_TEST_TMPDIR/a folder.d"
    cd "$BATS_TEST_TMPDIR/a folder.d"
    mkdir -p tests/unit tests/tools build/unit build/bin
    cp "$PROJECT/tests/run" tests
    unset ASAN_OPTIONS LSAN_OPTIONS UBSAN_OPTIONS JOBS
}

# unit NAME: a unit program that does what standard input says.
unit() {
    touch "tests/unit/$1.c"
    { echo '#!/bin/bash'; cat; } > "build/unit/$1"
    chmod +x "build/unit/$1"
}

# tests_run STATUS LAST TEXT…: tests/run ends so, its last line is this, and each text is in what it says. The bats
# in it knows nothing of the one around it.
tests_run() {
    local status=0 text
    env $(printf -- "-u %s " "${!BATS_@}") tests/run build > said 2>&1 || status=$?
    [ "$status" -eq "$1" ] && [ "$(tail -n 1 said)" = "$2" ] || { echo "status $status"; cat said; return 1; }
    for text in "${@:3}"; do
        grep -qF -- "$text" said || { echo "no '$text' in:"; cat said; return 1; }
    done
}

good() {
    unit test_good <<< 'printf "1..2\nok 1 - a\nok 2 - b\n"'
}

@test "what passes is counted, in units and bats files, and skipped tests apart" {
    good
    printf '@test "one" { true; }\n@test "two" { skip "because"; }\n' > tests/tools/some.bats
    tests_run 0 "3 passed, 0 failed, 1 skipped" "# tests/unit/test_good.c" "# tests/tools/some.bats"
}

@test "a failed test fails" {
    good
    unit test_bad <<< 'printf "1..2\nok 1 - a\n# why\nnot ok 2 - b\n"; exit 1'
    tests_run 1 "3 passed, 1 failed" "not ok 2 - b" "# why"
}

@test "a failed test of a bats file fails" {
    printf '@test "one" { true; }\n@test "two" { false; }\n' > tests/tools/some.bats
    tests_run 1 "1 passed, 1 failed" "not ok 2 two"
}

@test "a program that says ok and exits 1 fails" {
    good
    unit test_bad <<< 'printf "1..1\nok 1 - a\n"; exit 1'
    tests_run 1 "3 passed, 1 failed" "not ok tests/unit/test_bad.c ended with status 1"
}

@test "a program that says not ok and exits 0 fails twice" {
    unit test_bad <<< 'printf "1..1\nnot ok 1 - a\n"'
    tests_run 1 "0 passed, 2 failed" "ended with status 0"
}

@test "a program that runs fewer tests than its plan fails" {
    unit test_bad <<< 'printf "1..3\nok 1 - a\nok 2 - b\n"'
    tests_run 1 "2 passed, 1 failed" "not ok tests/unit/test_bad.c ran 2 of 3 tests"
}

@test "a program without a plan, and a bats file without a test, fail" {
    unit test_bad <<< 'echo "ok 1 - a"'
    echo 'setup() { true; }' > tests/tools/none.bats
    tests_run 1 "1 passed, 2 failed" "not ok tests/unit/test_bad.c has no tests" "not ok tests/tools/none.bats has no tests"
}

@test "a program that is killed fails, also in the middle of a line" {
    good
    unit test_bad <<< 'printf "1..1\nok 1 - a\nhalf a line"; kill -SEGV $$'
    tests_run 1 "3 passed, 1 failed" "not ok tests/unit/test_bad.c was ended by signal 11"
}

@test "a program that was not built fails" {
    good
    touch tests/unit/test_absent.c
    tests_run 1 "2 passed, 1 failed" "not ok tests/unit/test_absent.c ended with status 127"
}

@test "a bats file that cannot be read as one fails" {
    good
    echo '@test "one" { if; }' > tests/tools/broken.bats
    tests_run 1 "2 passed, 1 failed" "syntax error"
}

@test "no program found is a failure" {
    tests_run 1 "0 passed, 0 failed" "no tests found"
}

@test "what a sanitizer finds is no refusal of the tool" {
    unit test_bad <<< 'echo "1..1"; [ "$ASAN_OPTIONS $LSAN_OPTIONS $UBSAN_OPTIONS" = "exitcode=99 exitcode=99 exitcode=99:a=1" ] && echo "ok 1 - a"'
    export UBSAN_OPTIONS=a=1
    tests_run 0 "1 passed, 0 failed"
}

@test "the output stands in the order of the programs" {
    unit test_a <<< 'sleep 0.5; printf "1..1\nok 1\n"'
    unit test_b <<< 'printf "1..1\nok 1\n"'
    tests_run 0 "2 passed, 0 failed"
    [ "$(grep '^#' said | paste -sd ' ')" = "# tests/unit/test_a.c # tests/unit/test_b.c" ]
}

# A command behind ! ends no test, whatever it says.
@test "no test asserts by a ! alone" {
    [ -z "$(grep -nE '^ *! ' "$PROJECT"/tests/tools/*.bats | grep -v '||\|; then$')" ]
}
