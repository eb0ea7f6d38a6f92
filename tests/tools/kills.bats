# Every stage killed at a random instant and given again; `make test-kills` does so many times.

@test "killed at a random instant, every stage ends in the same bytes and leaves nothing" {
    run "$PROJECT/tests/kills" "$(dirname "$(command -v pm-cat)")/.." 16
    echo "$output"
    [ "$status" -eq 0 ]
    [[ "${lines[-1]}" == "seed "*": 16 kills, 0 wrong, "* ]]
}

@test "what is half-written or left after a kill is said" {
    cd "$BATS_TEST_TMPDIR"
    mkdir -p bad/bin
    ln -s "$(dirname "$(command -v pm-cat)")"/pm-* bad/bin
    rm bad/bin/pm-cat
    cat > bad/bin/pm-cat <<END
#!/bin/bash
output=\${!#}
"$(command -v pm-cat)" "\${@:1:\$#-1}" "$PWD/whole"
echo half > "\$output"
echo hidden > "\${output%/*}/.left"
sleep 0.3
cat "$PWD/whole" > "\$output"
END
    chmod +x bad/bin/pm-cat
    STAGES=pm-cat run "$PROJECT/tests/kills" "$PWD/bad" 4 1
    echo "$output"
    [ "$status" -eq 1 ]
    [[ "$output" == *"pm-cat (seed 1): text.pmt is not whole"* ]]
    [[ "$output" == *"pm-cat (seed 1): left out/.left"* ]]
    [[ "${lines[-1]}" == "seed 1: 4 kills, "[1-9]*" wrong, "* ]]
}
