#!/bin/bash
# How much processor time an incremental release build takes, beside that of an older commit: one
# file of src/copy is touched, and the program is built again. Three times each, by turns; the
# medians are compared. Ends with 1 where it is more than half.
#
#   scripts/build-time.sh [COMMIT]    # b254c2a: before the redesign
set -euo pipefail

commit=${1:-b254c2a}
rounds=3 at_most=0.50
top=$(cd "$(dirname -- "$0")/.." && pwd)
work=$(mktemp -d)
end() {
    git -C "$top" worktree remove --force "$work/before" 2>/dev/null || true
    rm -rf -- "$work"
}
trap end EXIT
git -C "$top" worktree add --quiet --detach "$work/before" "$commit"

# Builds the tree $1 in a folder of its own, so that nobody else's build is waited for or undone.
build() (
    cd "$1"
    cargo build --quiet --locked --release --target-dir "$work/target-$(basename -- "$1")"
)

# Seconds of processor time, the compiler's and the linker's, of one incremental build of $1.
measure() {
    local TIMEFORMAT='%U %S' user system
    touch "$1/src/copy/mod.rs"
    # Not in a pipe: what `time` says is to be read alone.
    { time build "$1" 2>"$work/errors"; } 2>"$work/time" || {
        cat -- "$work/errors" >&2
        return 1
    }
    read -r user system <"$work/time"
    awk -v a="$user" -v b="$system" 'BEGIN { printf "%.2f\n", a + b }'
}

# The one in the middle of the numbers in file $1.
median() {
    sort -n -- "$1" | sed -n "$(((rounds + 1) / 2))p"
}

for tree in "$work/before" "$top"; do build "$tree"; done
for ((round = 0; round < rounds; round++)); do
    measure "$work/before" >>"$work/before.s"
    measure "$top" >>"$work/now.s"
done
before=$(median "$work/before.s") now=$(median "$work/now.s")
printf 'incremental release build: %s s, at %s %s s: ' "$now" "$commit" "$before"
awk -v now="$now" -v before="$before" -v at_most="$at_most" 'BEGIN {
    printf "ratio %.2f, target %s\n", now / before, at_most
    exit now / before > at_most
}'
