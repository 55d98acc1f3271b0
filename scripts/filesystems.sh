#!/bin/bash
# Runs the tests that compare with GNU's commands on several file systems, which it makes in
# files and mounts, and prints a line for each.
#
#   scripts/filesystems.sh [--cases N] [--seed N] [--only KIND]... [--dir DIR]
#                          [--test NAME]... [-- ARGUMENT...]
#
#   --cases N    how many cases each test makes (ANNULET_CASES), instead of its own number
#   --seed N     the first case's seed (ANNULET_SEED), instead of 1
#   --only KIND  ext4, xfs (with reflink), btrfs, tmpfs or overlay (on ext4); default: all
#   --dir DIR    where the files with the file systems are made (default: TMPDIR or /var/tmp)
#   --test NAME  a file of tests/ (default: cp_differential and cat_gnu). All that it makes is
#                in a folder on the file system: ANNULET_TEST_DIR and TMPDIR say where
#   ARGUMENT     for the test program: a filter, --nocapture, ...
#
# Exit status: 0 if all tests passed on all of them. It takes root, and mkfs of the kinds. The
# program that is tested is that of `cargo test`, or ANNULET_TEST_BINARY.
set -euo pipefail

usage() {
    sed -n '2,/^set -euo/{/^#/s/^# \{0,1\}//p;}' "$0"
}

die() {
    printf 'filesystems.sh: %s\n' "$1" >&2
    exit "${2:-1}"
}

kinds=() tests=() parent=${TMPDIR:-/var/tmp}
while [ $# -gt 0 ]; do
    case $1 in
        -h | --help) usage; exit 0 ;;
        --) shift; break ;;
    esac
    [ $# -ge 2 ] || die "unknown option or missing value: $1" 2
    case $1 in
        --cases) export ANNULET_CASES=$2 ;;
        --seed) export ANNULET_SEED=$2 ;;
        --only) kinds+=("$2") ;;
        --dir) parent=$2 ;;
        --test) tests+=("$2") ;;
        *) die "unknown option: $1" 2 ;;
    esac
    shift 2
done
[ ${#kinds[@]} -gt 0 ] || kinds=(ext4 xfs btrfs tmpfs overlay)
[ ${#tests[@]} -gt 0 ] || tests=(cp_differential cat_gnu)
for kind in "${kinds[@]}"; do
    case $kind in
        ext4 | xfs | btrfs | tmpfs | overlay) ;;
        *) die "unknown file system: $kind" 2 ;;
    esac
done
[ "$(id -u)" -eq 0 ] || die 'mounting takes root'
[ -d "$parent" ] || die "no such directory: $parent"

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
cd "$root"
build=()
for test in "${tests[@]}"; do build+=(--test "$test"); done
cargo test --quiet --no-run "${build[@]}"

work=$(mktemp -d "$parent/annulet-filesystems.XXXXXX")
mounted=()
clean_up() {
    local i
    # The last one first: an overlay before what it lies on.
    for ((i = ${#mounted[@]} - 1; i >= 0; i--)); do
        umount "${mounted[i]}" || umount --lazy "${mounted[i]}" || true
    done
    # Nothing of another file system is removed, should something still be mounted.
    rm -rf --one-file-system -- "$work"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
# For tests that run as somebody else, too.
chmod 0755 "$work"

# What fails in these is for the caller to see: each step says that it must succeed.
mount_at() {
    local at=$1
    shift
    mkdir "$at" && mount "$@" "$at" && mounted+=("$at")
}
# A file system of a kind, in a file that takes as much room as is written.
#
#   image_at FOLDER KIND MOUNT_OPTIONS [MKFS_OPTION]...
image_at() {
    local at=$1 kind=$2 options=$3
    shift 3
    truncate -s 4G "$at.image" && "mkfs.$kind" -q "$@" "$at.image" &&
        mount_at "$at" -o "loop,$options" "$at.image"
}

# Mounts one file system, with a folder to work in.
prepare() {
    local kind=$1 at=$work/$1
    case $kind in
        ext4 | btrfs) image_at "$at" "$kind" defaults ;;
        # It allocates ahead of what is written, and gives it back when it likes: blocks and
        # holes would not be the same from one run to the next.
        xfs) image_at "$at" xfs allocsize=4k -m reflink=1 ;;
        tmpfs) mount_at "$at" -t tmpfs -o size=75%,nr_inodes=0 tmpfs ;;
        # The folder that is worked in is of the lower one.
        overlay)
            image_at "$at-disk" ext4 defaults &&
                mkdir -p "$at-disk/lower/in" "$at-disk/upper" "$at-disk/work" &&
                mount_at "$at" -t overlay -o \
                    "lowerdir=$at-disk/lower,upperdir=$at-disk/upper,workdir=$at-disk/work" overlay ;;
    esac && mkdir -p "$at/in" && chmod 1777 "$at/in"
}

failed=0
for kind in "${kinds[@]}"; do
    if ! prepare "$kind" >"$work/log" 2>&1; then
        failed=$((failed + 1))
        printf '%-7s not mounted: %s\n' "$kind" "$(head -n 1 "$work/log")"
        continue
    fi
    for test in "${tests[@]}"; do
        start=$SECONDS status=ok
        ANNULET_TEST_DIR=$work/$kind/in TMPDIR=$work/$kind/in \
            cargo test --test "$test" -- "$@" >"$work/log" 2>&1 </dev/null || status=FAILED
        # What the test harness counts; a filter that is met by no test is no success.
        counts=$(sed -n 's/^test result: [A-Za-z]*\. \([0-9]* passed; [0-9]* failed\).*/\1/p' \
            "$work/log" | tail -n 1)
        case $status:$counts in
            ok:'' | ok:0\ passed*) status='FAILED (no test was run)' ;;
        esac
        printf '%-7s %s: %s, %s (%d s)\n' \
            "$kind" "$test" "$status" "${counts:-nothing counted}" $((SECONDS - start))
        if [ "$status" != ok ]; then
            failed=$((failed + 1))
            cat -- "$work/log"
        fi
    done
done
[ "$failed" -eq 0 ]
