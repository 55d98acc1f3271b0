#!/bin/bash
# Tests the program on the architectures that this machine's processor is not of, by qemu-user:
# what of the library needs no other program runs there itself; of the tests that start the
# program, the program.
#
#   scripts/cross.sh [--all] [ARCH...]
#
#   ARCH   aarch64 or riscv64; both if none is given
#   --all  also the tests that take many minutes, and as many of riscv64 as of aarch64
#
# qemu-user has no threads of the program's kind (so there is one worker) and no io_uring, and limits
# are its own as well. What that leaves out stands in tests/support/emulated.txt and is named.
#
# It needs qemu-user, gcc-aarch64-linux-gnu, libc6-dev-arm64-cross, gcc-riscv64-linux-gnu and
# libc6-dev-riscv64-cross, and Rust's targets (rustup target add). ANNULET_CASES says how many
# random cases there are, 100 unless it is set.
set -euo pipefail

usage() {
    sed -n '2,/^set -eu/{/^#/s/^# \{0,1\}//p;}' "$0"
}

die() {
    printf 'cross.sh: %s\n' "$1" >&2
    exit "${2:-1}"
}

architectures=() all=false
for argument; do
    case $argument in
        -h | --help) usage; exit 0 ;;
        --all) all=true ;;
        aarch64 | riscv64) architectures+=("$argument") ;;
        *) usage >&2; exit 2 ;;
    esac
done
[ ${#architectures[@]} -gt 0 ] || architectures=(aarch64 riscv64)
cd "$(dirname -- "$0")/.."
list=tests/support/emulated.txt
export ANNULET_CASES=${ANNULET_CASES:-100} CARGO_TERM_COLOR=never
# What is missing for a test is told by the tests on the machine itself.
unset ANNULET_REQUIRE_ALL

# Runs the tests of a file, but for those of the list: its name, and what is to run them.
tests_of() {
    local file=$1 skips=() listed name reason
    shift
    while read -r listed name reason; do
        [ "$listed" = "$file" ] || continue
        printf 'left out: %s %s: %s\n' "$file" "$name" "$reason"
        if [ "$name" = '*' ]; then return; fi
        skips+=(--skip "$name")
    done <"$list"
    local start=$SECONDS
    "$@" -- --exact "${skips[@]}" </dev/null
    printf '%s: ok (%d s)\n' "$file" $((SECONDS - start))
}

for arch in "${architectures[@]}"; do
    target=$arch-unknown-linux-gnu
    if [ "$arch" = riscv64 ]; then target=riscv64gc-unknown-linux-gnu; fi
    # Those that try the most in the least time; on the second architecture fewer, as all but
    # src/sys/arch is the same.
    files=(cat cat_gnu cat_pipes cp_debug cp_differential opening rules attackers bad_places
        cp_progress far large_files ring ring_failures workers)
    if $all; then
        files+=(cat_files cp_gnu cp_options operands oracle)
    elif [ "$arch" = riscv64 ]; then
        files=(cat_gnu cp_differential)
    fi
    compiler=$arch-linux-gnu-gcc
    for tool in "qemu-$arch" "$compiler"; do
        command -v "$tool" >/dev/null || die "$tool is not installed"
    done
    variable=CARGO_TARGET_$(printf %s "$target" | tr 'a-z-' 'A-Z_')

    printf '%s: all that is compiled for it\n' "$arch"
    cargo clippy --locked --quiet --all-targets --target "$target" -- -D warnings
    printf '%s: the library\n' "$arch"
    foreign=(env "${variable}_LINKER=$compiler"
        "${variable}_RUNNER=qemu-$arch -L /usr/$arch-linux-gnu"
        cargo test --locked --quiet --target "$target")
    tests_of lib "${foreign[@]}" --lib
    for file in memory_primitives layers; do
        tests_of "$file" "${foreign[@]}" --test "$file"
    done

    printf '%s: the program\n' "$arch"
    cargo build --locked --quiet --release --target "$target"
    program=$(cargo metadata --format-version 1 --no-deps --offline |
        sed 's/.*"target_directory":"\([^"]*\)".*/\1/')/$target/release/annulet
    for file in "${files[@]}"; do
        tests_of "$file" env ANNULET_TEST_BINARY="$program" \
            cargo test --locked --quiet --test "$file"
    done
done
