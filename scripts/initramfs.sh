#!/bin/sh
# Packs an initramfs (a newc cpio archive) that holds annulet as cp and cat.
#
#   scripts/initramfs.sh [--binary FILE] [--add HOSTPATH=ARCHIVEPATH]... OUT.cpio[.gz]
#
#   --binary FILE   the program to put in; without it, `cargo build --release` is run and
#                   its target/release/annulet taken
#   --add H=A       also puts the file or folder H in, as A, with its mode and times; the
#                   kernel starts /init, so `--add my-init=/init` makes it bootable
#   OUT             where the archive goes; compressed if the name ends in .gz
#
# The archive holds /bin/annulet, /bin/cp and /bin/cat as symbolic links to it, and the
# empty folders /dev /proc /sys /tmp /root. Everything belongs to root.
#
# It needs cpio. The kernel takes several archives one after the other, so annulet can be
# put into an existing initramfs without unpacking it:
#
#   scripts/initramfs.sh annulet.cpio && cat initrd.img annulet.cpio >new-initrd.img
#
# (an uncompressed one must start at a multiple of four bytes; .gz has no such rule).
set -eu

usage() {
    sed -n '2,/^set -eu/{/^#/s/^# \{0,1\}//p;}' "$0"
}

die() {
    printf 'initramfs.sh: %s\n' "$1" >&2
    exit "${2:-1}"
}

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)

work=$(mktemp -d)
# A copied folder may be read-only, which would keep its contents from being removed.
trap 'chmod -R u+rwx -- "$work" 2>/dev/null; rm -rf -- "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
root=$work/root
mkdir -p "$root"

# Puts $1 into the archive as $2.
add() {
    [ -e "$1" ] || [ -L "$1" ] || die "no such file: $1"
    mkdir -p "$root/$(dirname -- "$2")"
    if [ -d "$1" ] && [ -d "$root/$2" ]; then
        cp -a -- "$1/." "$root/$2/"
    else
        cp -a -- "$1" "$root/$2"
    fi
}

binary=
out=
mkdir -p "$root/bin" "$root/dev" "$root/proc" "$root/sys" "$root/tmp" "$root/root"
chmod 0755 "$root" "$root/bin" "$root/dev" "$root/proc" "$root/sys"
chmod 1777 "$root/tmp"
chmod 0700 "$root/root"
while [ $# -gt 0 ]; do
    case $1 in
        --binary) [ $# -ge 2 ] || die 'missing file after --binary' 2
                  binary=$2; shift 2 ;;
        --binary=*) binary=${1#*=}; shift ;;
        --add) [ $# -ge 2 ] || die 'missing HOSTPATH=ARCHIVEPATH after --add' 2
               # The last `=` parts them: a host's path is the likelier one to hold one.
               case $2 in
                   ?*=?*) add "${2%=*}" "${2##*=}" ;;
                   *) die "not HOSTPATH=ARCHIVEPATH: $2" 2 ;;
               esac
               shift 2 ;;
        -h | --help) usage; exit 0 ;;
        -*) die "unknown option: $1" 2 ;;
        *) [ -z "$out" ] || die "one output only: $1" 2
           out=$1; shift ;;
    esac
done
[ -n "$out" ] || { usage >&2; exit 2; }
command -v cpio >/dev/null 2>&1 || die 'cpio is not installed'

if [ -z "$binary" ]; then
    (cd "$here/.." && cargo build --release --bin annulet) >&2
    # A relative CARGO_TARGET_DIR is relative to where cargo was run.
    binary=$(cd "$here/.." && cd "${CARGO_TARGET_DIR:-target}" && pwd)/release/annulet
fi
[ -f "$binary" ] || die "no such file: $binary"

cp -- "$binary" "$root/bin/annulet"
chmod 0755 "$root/bin/annulet"
# Symbolic links, because not every tool that edits such archives keeps hard ones.
ln -s annulet "$root/bin/cp"
ln -s annulet "$root/bin/cat"

# /init starts with /dev/console as its standard descriptors. Most kernels carry one in
# their built-in archive; this is for those that were built with another.
if [ "$(id -u)" -eq 0 ] && [ ! -e "$root/dev/console" ]; then
    mknod -m 600 "$root/dev/console" c 5 1 2>/dev/null ||
        printf 'initramfs.sh: cannot make /dev/console; left out\n' >&2
fi

# The same input gives the same archive: names sorted, inode numbers left out, and times
# fixed if SOURCE_DATE_EPOCH asks for it.
if [ -n "${SOURCE_DATE_EPOCH:-}" ]; then
    find "$root" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
fi
(
    cd "$root"
    find . -print0 | LC_ALL=C sort -z |
        cpio --null --create --format=newc --owner=0:0 --reproducible --quiet
) >"$work/archive"
case $out in
    *.gz) gzip -9n <"$work/archive" >"$out" ;;
    *) cat "$work/archive" >"$out" ;;
esac
