# The Makefile, over a project of two small files: what is built again, and what a machine without packages says.

setup() {
    cd "$BATS_TEST_TMPDIR"
    mkdir -p lib/core tools bin
    cp "$PROJECT/Makefile" .
    ln -s "$PROJECT/tests" .
    (cd "$PROJECT" && cp --parents lib/*/*.h lib/nn/backend/*.h "$BATS_TEST_TMPDIR")
    echo 'int one(void); int one(void) { return 1; }' > lib/core/one.c
    cat > tools/pm-one.c <<'TOOL'
#include <stdio.h>
int one(void);
int main(void) {
    puts("name\tpm-one\nusage\t[-a]\npurpose\tOne.\nexample\t  pm-one\noption\tall\ta\t\tflag\t\t\t\teverything");
    return one() - 1;
}
TOOL
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
    export CUDA=0 MPI=0 ABSENT= PATH=$PWD/bin:$PATH
    unset MAKEFLAGS MAKELEVEL BUILD OPTIMIZE SANITIZE
}

@test "what was built is not built again, nor listed by make -n" {
    make > first
    [ "$(grep -c '^gcc' first)" -eq 3 ]
    build/bin/pm-one > said
    make > second
    ! grep '^gcc' second || return 1
    make -n > third
    ! grep '^gcc' third || return 1
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
    ! grep '^gcc' third || return 1
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
    build/bin/pm-one > said
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

@test "what README.md names is installed, runs from there, and goes again" {
    for name in README.md LICENSE formats pipelines; do ln -s "$PROJECT/$name" .; done
    mkdir tools/packaging
    cp "$PROJECT/lib/model/README.md" lib/model
    cp "$PROJECT"/tools/packaging/*.* tools/packaging
    make install DESTDIR="$PWD/to" PREFIX=/usr > said
    [[ "$(tail -n 1 said)" == *"make -f /usr/share/pm-tools/pipelines/demo.mk" ]]
    to/usr/bin/pm-one > table
    mandoc -T lint -W style to/usr/share/man/man1/pm-one.1
    bash -n to/usr/share/bash-completion/completions/pm-one
    [ "$(head -n 1 to/usr/share/zsh/site-functions/_pm-one)" = "#compdef pm-one" ]
    echo '#include "nn/backend/backend.h"' | cat - tools/pm-one.c > user.c
    export PKG_CONFIG_PATH=$PWD/to/usr/lib/pkgconfig
    gcc user.c $(pkg-config --define-variable=prefix="$PWD/to/usr" --cflags --libs pm) -o user
    [ "$(./user)" = "$(cat table)" ]
    [ "$(pkg-config --modversion pm)" = 1.0.0 ]
    cd to/usr/share/pm-tools
    for page in README.md formats/*.md; do
        for link in $(grep -o '](\([^)]*\))' "$page" | sed 's/](//; s/)//; s/#.*//' | grep -v '^http'); do
            [ -e "$(dirname "$page")/$link" ] || { echo "$page: $link"; return 1; }
        done
    done
    for named in $(grep -o '`\(pipelines\|formats\)/[^` *]*`' README.md | tr -d '`' | sort -u); do
        [ -e "$named" ] || { echo "README.md: $named"; return 1; }
    done
    cd "$BATS_TEST_TMPDIR"
    make -n -f to/usr/share/pm-tools/pipelines/demo.mk OUT=out > listed
    grep -q '^pm-synth data out/data' listed
    make uninstall DESTDIR="$PWD/to" PREFIX=/usr > said
    [ -z "$(find to -type f)" ]
}
