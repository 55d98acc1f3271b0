#!/bin/bash
# Shows what only a machine itself can: whether anything goes wrong where threads meet on its
# processors, which may reorder what x86 does not. Over and over it runs the tests that have threads
# meet, and copies a tree by many workers, with io_uring and without it, alone and beside work that
# keeps every processor busy; each copy is compared with what GNU cp makes of the tree. The last line
# says what came of it, and the exit status: 0 if nothing went wrong, 1 if something did. What went
# wrong is shown as it happens.
#
#   scripts/hardware.sh [--minutes N] [--dir DIR]
#
#   --minutes N  for about so long (10), once everything is built
#   --dir DIR    the folder in which a temporary one is made (TMPDIR, or /var/tmp), with 300 MB to
#                spare; on a disk that is not in memory more of the ring is used
#
# Needs Rust, GNU cp, find and diff; an ordinary user will do. ANNULET_TEST_BINARY names a program
# to try in place of the one that is built.
set -euo pipefail

cd "$(dirname -- "$0")/.."

usage() {
    sed -n '2,/^set -euo/{/^#/s/^# \{0,1\}//p;}' "$0"
}

die() {
    printf 'hardware.sh: %s\n' "$1" >&2
    exit 2
}

minutes=10 parent=${TMPDIR:-/var/tmp}
while [ $# -gt 0 ]; do
    case $1 in
        -h | --help) usage; exit 0 ;;
        --minutes) minutes=${2:-} ;;
        --dir) parent=${2:-} ;;
        *) usage >&2; exit 2 ;;
    esac
    shift $(($# > 1 ? 2 : 1))
done
case $minutes in
    '' | *[!0-9]*) die '--minutes wants a number' ;;
esac
minutes=$((10#$minutes))
[ "$minutes" -gt 0 ] || die '--minutes wants a number that is not 0'
for tool in cargo cp find diff timeout split; do
    command -v "$tool" >/dev/null || die "$tool is not there"
done
cp --version 2>/dev/null | grep -q 'GNU coreutils' || die 'cp is not that of GNU'

dir=$(mktemp -d "$parent/annulet-hardware.XXXXXX")
busy=()
idle() {
    [ ${#busy[@]} -eq 0 ] || kill "${busy[@]}" 2>/dev/null || true
    wait "${busy[@]}" 2>/dev/null || true
    busy=()
}
trap 'idle; rm -rf -- "$dir"' EXIT
trap 'exit 130' INT TERM

# The first of what the processor is called by on the three architectures.
model=$(sed -n '/^\(model name\|CPU part\|uarch\|isa\)[[:space:]]*: /{s/^[^:]*: //p;q}' /proc/cpuinfo)
printf 'machine:    %s, %s processors (%s)\n' "$(uname -m)" "$(nproc)" "${model:-no model}"
printf 'kernel:     %s, pages of %s bytes, io_uring_disabled: %s\n' "$(uname -r)" \
    "$(getconf PAGESIZE)" "$(cat /proc/sys/kernel/io_uring_disabled 2>/dev/null || echo 'not there')"
printf 'compiler:   %s\n' "$(rustc --version)"
printf 'folder:     %s (%s)\n' "$dir" "$(stat -f -c %T "$dir")"

# What is built is not part of the time.
cargo build --locked --release
cargo test --locked --no-run --lib --test ring --test ring_failures --test workers
program=${ANNULET_TEST_BINARY:-${CARGO_TARGET_DIR:-target}/release/annulet}
printf 'program:    %s, %s bytes\n' "$program" "$(stat -c %s "$program")"

# A tree whose directories are worth sharing: small files, large ones, one with a hole, and links.
make_tree() {
    local number
    for number in {1..24}; do
        mkdir -p "$dir/tree/$((number % 4))/$number/below/it"
        seq "$number" 3000 | split -l 30 -a 2 - "$dir/tree/$((number % 4))/$number/small."
        seq "$number" 300 | split -l 30 -a 2 - "$dir/tree/$((number % 4))/$number/below/it/small."
        ln -s "../$number/small.aa" "$dir/tree/$((number % 4))/$number/symlink"
        ln "$dir/tree/$((number % 4))/$number/small.ab" "$dir/tree/linked.$number"
    done
    for number in 1 2 3; do
        head -c $((number * 7000001)) /dev/urandom >"$dir/tree/$number/large"
    done
    head -c 5000001 /dev/urandom | dd of="$dir/tree/hole" bs=1M seek=8 status=none
}

# Says of a tree what a copy is to keep, but for data.
metadata() {
    (cd -- "$1" && find . \( -type d -printf '%P %y %m %T@\n' \) -o \
        -printf '%P %y %m %s %n %l %T@\n' | LC_ALL=C sort)
}

runs=0 failures=0

# Runs a step, of which a hang is a failure, too.
try() {
    local name=$1
    shift
    runs=$((runs + 1))
    if ! timeout --kill-after=10 600 "$@" >"$dir/log" 2>&1 </dev/null; then
        failures=$((failures + 1))
        printf 'FAILED: %s (run %d): %s\n' "$name" "$runs" "$*"
        tail -n 40 "$dir/log"
    fi
}

# Copies the tree with those options and compares.
copy() {
    local before=$failures
    rm -rf -- "$dir/copy"
    try "copy $*" "$program" cp -a "$@" "$dir/tree" "$dir/copy"
    [ "$failures" -eq "$before" ] || return 0
    try "data of copy $*" diff -r --no-dereference "$dir/gnu" "$dir/copy"
    metadata "$dir/copy" >"$dir/copy.metadata" 2>/dev/null || true
    try "metadata of copy $*" diff "$dir/gnu.metadata" "$dir/copy.metadata"
}

# Tests by the beginnings of their names.
tests() {
    local target=$1
    shift
    # shellcheck disable=SC2086 # an option and its value
    try "tests $target" cargo test --locked --quiet $target -- "$@"
}

round() {
    local jobs io more
    more=$(($(nproc) + 1))
    # The most that there can be.
    if [ "$more" -gt 256 ]; then more=256; fi
    for jobs in 2 "$more" 16 64; do
        for io in "${ways[@]}"; do
            copy "-j$jobs" "--io=$io"
        done
    done
    tests --lib sys:: copy:: ring::
    has_time || return 0
    tests '--test workers' random_trees links_to_one_file deep_trees large_files several_large \
        files_with_holes messages_are_whole numbers_of_jobs
    has_time || return 0
    tests '--test ring'
    tests '--test ring_failures'
}

has_time() {
    [ "$SECONDS" -lt "$deadline" ]
}

make_tree
ways=(auto sync ring)
if ! "$program" cp --io=ring "$dir/tree/hole" "$dir/ring" 2>"$dir/log"; then
    ways=(auto sync)
    printf 'io_uring:   not tried: %s\n' "$(tail -n 1 "$dir/log")"
fi
cp -a "$dir/tree" "$dir/gnu"
metadata "$dir/gnu" >"$dir/gnu.metadata"
printf 'tree:       %s names, %s KiB\n' "$(find "$dir/tree" | wc -l)" "$(du -sk "$dir/tree" | cut -f1)"

deadline=$((SECONDS + minutes * 60)) rounds=0
while has_time; do
    rounds=$((rounds + 1)) load=alone
    if [ $((rounds % 2)) -eq 0 ]; then
        load='with all processors busy'
        for ((i = $(nproc); i > 0; i--)); do
            (while :; do :; done) &
            busy+=($!)
        done
    fi
    round
    idle
    printf 'round %d, %s: %d runs so far, %d failed\n' "$rounds" "$load" "$runs" "$failures"
done

what="$runs runs in $rounds rounds on $(uname -m) with $(nproc) processors"
if [ "$failures" -gt 0 ]; then
    printf 'hardware.sh: FAILED: %d of %s\n' "$failures" "$what"
    exit 1
fi
printf 'hardware.sh: all right: %s\n' "$what"
