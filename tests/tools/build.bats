# The Makefile, over a project of two small files: what is built again, and what a machine without packages says.

setup() {
    cd "$BATS_TEST_TMPDIR"
    mkdir -p lib/core tools bin
    cp "$PROJECT/Makefile" .
    echo 'int one(void); int one(void) { return 1; }' > lib/core/one.c
    echo 'int one(void); int main(void) { return one() - 1; }' > tools/pm-one.c
    # A system that has every package but those in $ABSENT, asked by a user who is not root.
    cat > bin/dpkg-query <<'QUERY'
#!/bin/bash
echo asked >> "$BATS_TEST_TMPDIR/asked"
for name in "$@"; do
    [[ " -W -f $ABSENT " == *" $name "* ]] || printf '%s=installed ' "$name"
done
QUERY
    printf '#!/bin/sh\necho 1000\n' > bin/id
    chmod +x bin/*
    export ABSENT= PATH=$PWD/bin:$PATH
    unset MAKEFLAGS MAKELEVEL
}

@test "what was built is not built again, nor listed by make -n" {
    make > first
    [ "$(grep -c '^gcc' first)" -eq 3 ]
    build/bin/pm-one
    make > second
    ! grep '^gcc' second
    make -n > third
    ! grep '^gcc' third
}

@test "other flags build again; make -n with them changes nothing" {
    make > first
    cp build/flags flags
    make -n OPTIMIZE=-O0 > listed
    [ "$(grep -c '^gcc' listed)" -eq 3 ]
    cmp build/flags flags
    make OPTIMIZE=-O0 > second
    [ "$(grep -c '^gcc' second)" -eq 3 ]
    make OPTIMIZE=-O0 > third
    ! grep '^gcc' third
}

@test "every target that builds says which packages are missing" {
    export ABSENT="libjansson-dev libzstd-dev"
    for target in "" all install test sanitize units demo dataset ablation pretrain transfer bench; do
        run make $target
        [ "$status" -eq 2 ]
        [[ "$output" == *"missing packages: libzstd-dev libjansson-dev"*"sudo apt-get install libzstd-dev libjansson-dev"* ]]
    done
    [ -z "$(find . -name '*.o')" ]
}

@test "packages for tests are not needed to build and install" {
    export ABSENT="bats jq"
    make > first
    build/bin/pm-one
    run make test
    [ "$status" -eq 2 ]
    [[ "$output" == *"missing packages: bats jq"* ]]
}

@test "packages are asked for once, and again when the Makefile changed" {
    make > first
    make > second
    [ "$(wc -l < asked)" -eq 1 ]
    sleep 0.05
    touch Makefile
    make > third
    [ "$(wc -l < asked)" -eq 2 ]
}

@test "make -n, clean and help ask for no packages" {
    export ABSENT=gcc
    make -n > listed
    make help > help
    make clean
    [ ! -e asked ]
    [ ! -e build ]
}
