#!/bin/sh
# Makes a FROM scratch container image that holds /bin/cp and /bin/cat and nothing else.
#
#   scripts/image.sh [--binary FILE] [TAG]
#
#   --binary FILE   the program to put in; without it, `cargo build --release` is run and
#                   its target/release/annulet taken
#   TAG             the image's name (default: localhost/annulet:latest)
#
# Environment:
#   CONTAINER_TOOL  podman or docker (default: podman if installed, else docker)
#
# Prints the tool's own output to stderr and the tag to stdout.
set -eu

usage() {
    sed -n '2,/^set -eu/{/^#/s/^# \{0,1\}//p;}' "$0"
}

die() {
    printf 'image.sh: %s\n' "$1" >&2
    exit "${2:-1}"
}

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
binary=
tag=
while [ $# -gt 0 ]; do
    case $1 in
        --binary) [ $# -ge 2 ] || die 'missing file after --binary' 2
                  binary=$2; shift 2 ;;
        --binary=*) binary=${1#*=}; shift ;;
        -h | --help) usage; exit 0 ;;
        -*) die "unknown option: $1" 2 ;;
        *) [ -z "$tag" ] || die "one tag only: $1" 2
           tag=$1; shift ;;
    esac
done
tag=${tag:-localhost/annulet:latest}

tool=${CONTAINER_TOOL:-}
if [ -z "$tool" ]; then
    for candidate in podman docker; do
        if command -v "$candidate" >/dev/null 2>&1; then
            tool=$candidate
            break
        fi
    done
fi
[ -n "$tool" ] || die 'neither podman nor docker is installed'

if [ -z "$binary" ]; then
    (cd "$here/.." && cargo build --release --bin annulet) >&2
    # A relative CARGO_TARGET_DIR is relative to where cargo was run.
    binary=$(cd "$here/.." && cd "${CARGO_TARGET_DIR:-target}" && pwd)/release/annulet
fi
[ -f "$binary" ] || die "no such file: $binary"

work=$(mktemp -d)
# The directory is ours alone, so removing it whole is safe.
trap 'rm -rf -- "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

mkdir -p "$work/rootfs/bin" "$work/context"
cp -- "$binary" "$work/rootfs/bin/cp"
chmod 0755 "$work/rootfs/bin" "$work/rootfs/bin/cp"
ln "$work/rootfs/bin/cp" "$work/rootfs/bin/cat"

# Owner, order and times are fixed so that one program always gives the same layer,
# whoever builds it. `bin` and not `.`: the image's root directory is the tool's affair.
tar -C "$work/rootfs" --sort=name --numeric-owner --owner=0 --group=0 \
    --mtime="@${SOURCE_DATE_EPOCH:-0}" -cf "$work/context/rootfs.tar" bin
cp -- "$here/Containerfile" "$work/context/Containerfile"

case ${tool##*/} in
    # Nothing is run during the build, so it needs no namespaces; saying so lets it work
    # inside another container and without privileges.
    podman*) "$tool" build --isolation chroot \
        -t "$tag" -f "$work/context/Containerfile" "$work/context" >&2 ;;
    *) "$tool" build --network none \
        -t "$tag" -f "$work/context/Containerfile" "$work/context" >&2 ;;
esac
printf '%s\n' "$tag"
