#!/bin/bash
# Shows what the program's bytes are spent on: its sections, and its symbols by size.
#
#   scripts/size.sh [-n LINES] [OTHER_BINARY]
#
#   -n LINES        how many symbols to show (default 40; 0 for all)
#   OTHER_BINARY    an unstripped build to compare with: then the symbols that differ are
#                   shown, with their size there, here, and the difference
#
# Builds an unstripped release in target/size, which leaves target/release alone, and copies
# it to target/size/annulet. To see what a change costs:
#
#   scripts/size.sh && cp target/size/annulet /tmp/before
#   (edit)
#   scripts/size.sh /tmp/before
#
# It needs nm, size and strip of binutils. Symbols of one name (generic code made for several
# types) are added up.
set -euo pipefail

usage() {
    sed -n '2,/^set -euo/{/^#/s/^# \{0,1\}//p;}' "$0"
}

die() {
    printf 'size.sh: %s\n' "$1" >&2
    exit "${2:-1}"
}

lines=40 other=
while [ $# -gt 0 ]; do
    case $1 in
        -h | --help) usage; exit 0 ;;
        -n) [ $# -ge 2 ] || die 'missing number after -n' 2
            lines=$2; shift 2 ;;
        -*) die "unknown option: $1" 2 ;;
        *) [ -z "$other" ] || die "one other binary only: $1" 2
           other=$1; shift ;;
    esac
done
[ -z "$other" ] || [ -f "$other" ] || die "no such file: $other"
for tool in nm size strip; do
    command -v "$tool" >/dev/null || die "$tool (binutils) is not installed"
done

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
target=$root/target/size
(cd "$root" &&
    CARGO_PROFILE_RELEASE_STRIP=false cargo build --quiet --release --bin annulet --target-dir "$target")
built=$target/release/annulet
[ -f "$built" ] || die "cargo made no $built (is another target configured?)"
cp -- "$built" "$target/annulet"

work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT

# Prints "SIZE TYPE NAME" of every symbol that takes room. A name may hold blanks.
symbols() {
    nm --print-size --demangle --defined-only --radix=d "$1" |
        awk '$2 ~ /^[0-9]+$/ && $2 > 0 {
                name = $0
                sub(/^[0-9]+ +[0-9]+ +[A-Za-z] /, "", name)
                bytes[$3 "\t" name] += $2
            }
            END { for (key in bytes) print bytes[key] "\t" key }' |
        sort -t "$(printf '\t')" -k1,1nr -k3
}

stripped_size() {
    strip -o "$work/stripped" "$1"
    stat -c %s "$work/stripped"
}

cut_to() {
    if [ "$lines" -eq 0 ]; then cat; else awk -v n="$lines" 'NR <= n'; fi
}

here_bytes=$(stripped_size "$built")
printf 'file (stripped): %d bytes' "$here_bytes"
if [ -n "$other" ]; then
    other_bytes=$(stripped_size "$other")
    printf ', was %d: %+d' "$other_bytes" $((here_bytes - other_bytes))
fi
printf '\n\nsections:\n'
# Only what is mapped into memory; the rest is what stripping takes away.
size -A -d "$built" | awk '$3 ~ /^[1-9][0-9]*$/ { printf "%8d  %s\n", $2, $1 }'

symbols "$built" >"$work/here"
if [ -z "$other" ]; then
    printf '\nsymbols (t code, r constants, d variables, b zeros):\n'
    awk -F '\t' '{ printf "%8d  %s  %s\n", $1, tolower($2), $3 }' "$work/here" | cut_to
    # Texts and other constants without a name: the linker keeps no symbol for them.
    size -A -d "$built" | awk -F '\t' '
        FNR == NR { named += $1; next }
        { split($0, field, / +/) }
        field[3] ~ /^[1-9][0-9]*$/ { all += field[2] }
        END { printf "%8d     in no symbol\n", all - named }' "$work/here" -
    exit
fi

symbols "$other" >"$work/there"
[ -s "$work/there" ] || die "$other has no symbols: build it with CARGO_PROFILE_RELEASE_STRIP=false"
printf '\nsymbols that differ:\n%8s %8s %8s\n' there here change
awk -F '\t' '
    NR == FNR { there[$3] += $1; name[$3]; next }
    { here[$3] += $1; name[$3] }
    END {
        for (n in name) {
            change = here[n] - there[n]
            if (change != 0)
                printf "%8d %8d %+8d  %s\n", there[n], here[n], change, n
        }
    }' "$work/there" "$work/here" | sort -k3,3gr -k4 >"$work/diff"
if [ -s "$work/diff" ]; then
    cut_to <"$work/diff"
    awk '{ all += $3 } END { printf "%8s %8s %+8d  all symbols\n", "", "", all }' "$work/diff"
else
    printf 'none\n'
fi
