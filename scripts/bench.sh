#!/bin/bash
# Measures annulet beside GNU cp and cat and other programs of their kind, and prints a table
# of medians and ratios, each with the goal it has to meet.
#
#   scripts/bench.sh [--peers] [--quick] [--job PATTERN] [--rounds N] [--dir DIR]
#                    [--binary FILE] [--before FILE]
#   scripts/bench.sh --growth [--quick] [--rounds N]
#   scripts/bench.sh --list
#
#   --peers         install what is missing first: busybox-static, toybox, xfsprogs,
#                   btrfs-progs, squashfs-tools and erofs-utils by apt-get, the cp and cat of
#                   uutils, xcp and fcp by cargo, into target/peers and not onto the PATH
#   --quick         smaller files, fewer rounds: less than five minutes
#   --job PATTERN   only jobs whose names match the regular expression. Those that begin with
#                   "ways" run only if the pattern has that word: annulet's ways to copy one
#                   large file side by side, on file systems made afresh in memory, a table for
#                   each. All of them (--job ways) take hours, --job ways-ext4 half an hour.
#                   So with "far", trees and large files from and to a stand-in for far file
#                   systems (--job 'far.*-1ms' takes ten minutes), and with "cold", trees from
#                   squashfs, erofs, ext4 and xfs just mounted
#   --rounds N      rounds of the long jobs (default 7, trees 3, ways 15); short jobs make many
#                   more
#   --dir DIR       where to work (default: TMPDIR or /var/tmp): about 10 GB on the disk to
#                   measure, all of it removed at the end
#   --binary FILE   the program to measure; without it, `cargo build --release` is run and
#                   its target/release/annulet taken
#   --before FILE   an older annulet, to be compared with in the jobs of "ways"
#   --growth        measure instead how time and memory grow with the number of files
#   --list          show the names of the jobs
#
# Needs python3 (3.10 or later) and, for caches to be dropped, writeback to be held off and
# file systems to be mounted, root, and for those in memory 8 GiB of it; jobs that cannot run
# say so. Programs that are not there, that lack a job's option, or whose result is wrong are
# left out of a job. Run it on a quiet machine, and not within minutes of a large deletion on the
# disk: ext4 without a journal looks past inodes just freed, and each new file takes 0.2 ms
# longer, whoever makes it. What is measured and how: scripts/bench.py.
set -euo pipefail

usage() {
    sed -n '2,/^set -euo/{/^#/s/^# \{0,1\}//p;}' "$0"
}

die() {
    printf 'bench.sh: %s\n' "$1" >&2
    exit "${2:-1}"
}

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
peers_root=$root/target/peers
peers=false growth=false list=false far=false binary='' before='' parent=${TMPDIR:-/var/tmp}
passed=()
while [ $# -gt 0 ]; do
    case $1 in
        -h | --help) usage; exit 0 ;;
        --peers) peers=true; shift ;;
        --list) list=true; shift ;;
        --growth) growth=true; passed+=("$1"); shift ;;
        --quick) passed+=("$1"); shift ;;
        --job | --rounds) [ $# -ge 2 ] || die "missing value after $1" 2
                          case $2 in *far*) far=true ;; esac
                          passed+=("$1" "$2"); shift 2 ;;
        --dir) [ $# -ge 2 ] || die 'missing directory after --dir' 2
               parent=$2; shift 2 ;;
        --binary) [ $# -ge 2 ] || die 'missing file after --binary' 2
                  binary=$2; shift 2 ;;
        --before) [ $# -ge 2 ] || die 'missing file after --before' 2
                  before=$2; shift 2 ;;
        *) die "unknown argument: $1" 2 ;;
    esac
done
command -v python3 >/dev/null || die 'python3 is not installed'
if $list; then
    exec python3 "$root/scripts/bench.py" --list
fi
[ -d "$parent" ] || die "no such directory: $parent"
parent=$(CDPATH='' cd -- "$parent" && pwd -P)
for file in "$binary" "$before"; do
    [ -z "$file" ] || [ -f "$file" ] || die "no such file: $file"
done

# The cp and cat of uutils are called cp and cat: in a folder on the PATH they would take the
# place of GNU's. So cargo installs into a folder of our own.
install_peers() {
    local package missing=()
    declare -A wanted=(
        [busybox-static]=busybox [toybox]=toybox [xfsprogs]=mkfs.xfs [btrfs-progs]=mkfs.btrfs
        [squashfs-tools]=mksquashfs [erofs-utils]=mkfs.erofs
    )
    for package in "${!wanted[@]}"; do
        command -v "${wanted[$package]}" >/dev/null || missing+=("$package")
    done
    if [ ${#missing[@]} -gt 0 ]; then
        { apt-get -q update &&
            DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends \
                "${missing[@]}"; } >&2 || printf 'not installed: %s\n' "${missing[*]}" >&2
    fi
    wanted=([uu_cp]=cp [uu_cat]=cat [xcp]=xcp [fcp]=fcp)
    for package in "${!wanted[@]}"; do
        [ -x "$peers_root/bin/${wanted[$package]}" ] ||
            cargo install --quiet --root "$peers_root" "$package" >&2 ||
            printf 'not installed: %s\n' "$package" >&2
    done
}
if $peers; then install_peers; fi

if [ -z "$binary" ]; then
    (cd "$root" && cargo build --quiet --release --bin annulet) >&2
    binary=$(cd "$root" && cd "${CARGO_TARGET_DIR:-target}" && pwd)/release/annulet
    [ -f "$binary" ] || die "cargo made no $binary (is another target configured?)"
fi
if $far; then
    (cd "$root" && cargo build --quiet --release --example far) >&2
    far_program=$(cd "$root" && cd "${CARGO_TARGET_DIR:-target}" && pwd)/release/examples/far
fi

work=$(mktemp -d "$parent/annulet-bench.XXXXXX")
held=() child=''
# Also what bench.py has mounted, should it have been killed.
unmount_all() {
    local at mounted=()
    while read -r _ _ _ _ at _; do
        # Blanks are written as octal numbers.
        printf -v at %b "$at"
        case $at in
            "$work"/*) mounted=("$at" "${mounted[@]}") ;;
        esac
    done </proc/self/mountinfo
    for at in "${mounted[@]}"; do
        # A program just killed may not have ended yet.
        umount "$at" 2>/dev/null || { sleep 1 && umount "$at"; } || umount --lazy "$at" || true
    done
}
clean_up() {
    local setting
    trap '' INT TERM HUP QUIT
    unmount_all
    for setting in "${held[@]}"; do
        printf '%s\n' "${setting#*=}" >"${setting%%=*}" || true
    done
    # Nothing of another file system is removed, should something still be mounted.
    rm -rf --one-file-system -- "$work"
}
# bench.py is told to end; at a second signal it is killed.
stop() {
    local signal=TERM
    trap 'signal=KILL' INT TERM HUP QUIT
    while [ -n "$child" ] && kill -s "$signal" "$child" 2>/dev/null; do
        wait "$child" || true
    done
    exit "$1"
}
trap clean_up EXIT
trap 'stop 130' INT
trap 'stop 143' TERM
trap 'stop 129' HUP
trap 'stop 131' QUIT
# Copies of its own: a build meanwhile does not change what is measured.
mkdir "$work/program"
cp -- "$binary" "$work/program/annulet"
if [ -n "$before" ]; then
    cp -- "$before" "$work/program/before"
    passed+=(--before "$work/program/before")
fi
if $far; then
    cp -- "$far_program" "$work/program/far"
    passed+=(--far "$work/program/far")
fi

mount_at() {
    local at=$1
    shift
    mkdir "$at"
    if mount "$@" "$at" 2>"$work/mount.log"; then
        return
    fi
    printf 'not mounted: %s: %s\n' "${at##*/}" "$(head -n 1 "$work/mount.log")" >&2
    return 1
}
image_at() {
    local kind=$1 image=$work/$1.image
    if ! command -v "mkfs.$kind" >/dev/null; then
        printf 'not mounted: %s: no mkfs.%s\n' "$kind" "$kind" >&2
        return 1
    fi
    truncate -s 4G "$image"
    "mkfs.$kind" -q "$image" >/dev/null 2>&1 && mount_at "$work/$kind" -o loop "$image"
}

# Gives one of the kernel's settings another value until the end.
hold() {
    local file=$1 value=$2 before
    before=$(cat "$file") && held+=("$file=$before") && printf '%s\n' "$value" >"$file"
}

# Writeback in the middle of a run would be counted for whoever is running.
hold_writeback() {
    local vm=/proc/sys/vm setting name
    # Limits in bytes are forgotten when shares are set: they are put back last.
    local bytes=()
    for name in dirty_bytes dirty_background_bytes; do
        setting=$(cat "$vm/$name")
        [ "$setting" -eq 0 ] || bytes+=("$vm/$name=$setting")
    done
    for setting in dirty_ratio=90 dirty_background_ratio=80 \
        dirty_expire_centisecs=360000 dirty_writeback_centisecs=0; do
        hold "$vm/${setting%%=*}" "${setting#*=}"
    done
    held+=("${bytes[@]}")
}

# Free memory that the guest reports is taken back by the host, in blocks of 2 MiB, and found
# again at the first touch: a copy in 0.6 s takes 2 s then, whoever makes it.
hold_page_reporting() {
    local order=/sys/module/page_reporting/parameters/page_reporting_order
    # No block is that large.
    [ ! -e "$order" ] || hold "$order" 11
}

if [ "$(id -u)" -eq 0 ]; then
    hold_writeback || printf 'writeback is not held off\n' >&2
    hold_page_reporting || printf 'the host may take free memory back\n' >&2
    if mount_at "$work/tmpfs" -t tmpfs -o size=90%,nr_inodes=0 tmpfs; then
        passed+=(--tmpfs "$work/tmpfs")
    fi
    if ! $growth; then
        if mount_at "$work/memory" -t tmpfs -o size=90%,nr_inodes=0 tmpfs; then
            passed+=(--memory "$work/memory")
        fi
        for kind in xfs btrfs; do
            if image_at "$kind"; then passed+=("--$kind" "$work/$kind"); fi
        done
    fi
else
    printf 'not root: nothing mounted, writeback not held off, caches not dropped\n' >&2
fi
mkdir "$work/disk"
# In the background, as a trap waits for what runs in the foreground.
python3 "$root/scripts/bench.py" --annulet "$work/program/annulet" --dir "$work/disk" \
    --peers "$peers_root/bin" "${passed[@]}" &
child=$!
wait "$child"
