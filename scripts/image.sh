#!/bin/bash
# Makes a container image that holds annulet as /bin/cp and /bin/cat and nothing else, for amd64,
# arm64 and riscv64 in one file, and loads it where podman or docker is installed.
#
#   scripts/image.sh [--binary FILE]... [--output FILE.tar] [--no-load] [TAG]
#
#   --binary FILE   a program to put in, for the architecture it is built for; once for each.
#                   Without it, `cargo build --release` is run for each target of the three that
#                   is installed, and the others are named
#   --output FILE   where the image goes (default: annulet.tar in cargo's target folder)
#   --no-load       write it only
#   TAG             the image's name (default: localhost/annulet:latest). Without a registry
#                   "localhost/" is put before it, without a tag ":latest" behind it
#
# Environment:
#   CONTAINER_TOOL     podman or docker (default: podman if installed, else docker)
#   SOURCE_DATE_EPOCH  the time that everything in the image has (default: 0)
#
# Prints the image's name to stdout once it is loaded, else where the file is; everything else to
# stderr. It needs python3 (3.6 or later) and no engine. What is in the file: scripts/image.py.
set -euo pipefail

usage() {
    sed -n '2,/^set -euo/{/^#/s/^# \{0,1\}//p;}' "$0"
}

die() {
    printf 'image.sh: %s\n' "$1" >&2
    exit "${2:-1}"
}

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
targets=(x86_64-unknown-linux-gnu aarch64-unknown-linux-gnu riscv64gc-unknown-linux-gnu)
binaries=() output='' load=true tag=''
while [ $# -gt 0 ]; do
    case $1 in
        --binary) [ $# -ge 2 ] || die 'missing file after --binary' 2
                  binaries+=("$2"); shift 2 ;;
        --binary=*) binaries+=("${1#*=}"); shift ;;
        --output) [ $# -ge 2 ] || die 'missing file after --output' 2
                  output=$2; shift 2 ;;
        --output=*) output=${1#*=}; shift ;;
        --no-load) load=false; shift ;;
        -h | --help) usage; exit 0 ;;
        -*) die "unknown option: $1" 2 ;;
        *) [ -z "$tag" ] || die "one tag only: $1" 2
           tag=$1; shift ;;
    esac
done
tag=${tag:-localhost/annulet}
# As engines tell a registry from a folder: by a dot or a port.
case $tag in
    */*) registry=${tag%%/*} ;;
    *) registry='' ;;
esac
case $registry in
    localhost | *[.:]*) ;;
    *) tag=localhost/$tag ;;
esac
case ${tag##*/} in
    *:*) ;;
    *) tag=$tag:latest ;;
esac
if [[ ! $tag =~ ^[a-z0-9.:-]+(/[a-z0-9._-]+)+:[A-Za-z0-9_][A-Za-z0-9._-]*$ ]]; then
    die "not an image's name: $tag" 2
fi
command -v python3 >/dev/null || die 'python3 is not installed'

tool=${CONTAINER_TOOL:-}
if $load && [ -z "$tool" ]; then
    for candidate in podman docker; do
        if command -v "$candidate" >/dev/null; then
            tool=$candidate
            break
        fi
    done
fi

# A relative CARGO_TARGET_DIR is relative to where cargo is run.
target_dir=$(cd "$root" && realpath -m -- "${CARGO_TARGET_DIR:-target}")
if [ ${#binaries[@]} -eq 0 ]; then
    for target in "${targets[@]}"; do
        if [ ! -d "$(rustc --print target-libdir --target "$target")" ]; then
            printf 'image.sh: left out: %s (rustup target add %s)\n' "${target%%-*}" "$target" >&2
            continue
        fi
        (cd "$root" && cargo build --release --bin annulet --target "$target") >&2
        binaries+=("$target_dir/$target/release/annulet")
    done
    [ ${#binaries[@]} -gt 0 ] || die 'none of the targets is installed'
fi
for binary in "${binaries[@]}"; do
    [ -f "$binary" ] || die "no such file: $binary"
done

if [ -z "$output" ]; then
    mkdir -p -- "$target_dir"
    output=$target_dir/annulet.tar
fi
python3 "$root/scripts/image.py" -- "$tag" "$output" "${binaries[@]}"
if $load && [ -n "$tool" ]; then
    "$tool" load --input "$output" >&2 || die "$tool cannot load $output (--no-load)"
    printf '%s\n' "$tag"
else
    printf '%s\n' "$output"
fi
