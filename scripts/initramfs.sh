#!/bin/sh
# Puts annulet into an initramfs as cp and cat: an archive (newc cpio) that is appended to the
# image that a distribution made, or one that boots by itself.
#
#   scripts/initramfs.sh [--binary FILE] [--add HOSTPATH=ARCHIVEPATH]... OUT.cpio[.gz]
#   scripts/initramfs.sh [--binary FILE] [--add ...]... --append-to IMAGE OUT
#   scripts/initramfs.sh [--binary FILE] [--add ...]... --bootable OUT.cpio[.gz]
#
#   --binary FILE   the program to put in; without it, `cargo build --release` is run and
#                   its target/release/annulet taken
#   --add H=A       also puts the file H in, as A, with its mode and times; a folder only into
#                   an archive that boots by itself
#   --append-to I   OUT is the image I with the archive appended. I may be of several archives,
#                   compressed or not. OUT gets I's mode and owner, and may be I itself
#   --bootable      an archive of its own, with the empty folders /dev /proc /sys /tmp /root;
#                   the kernel starts /init, so `--add my-init=/init` makes it boot
#   OUT             where it goes; compressed if an archive's name ends in .gz
#
# The archive holds /bin/annulet, and /bin/cp and /bin/cat as symbolic links to it, which take
# the place of what the image has under these names: the kernel unpacks one archive after the
# other. Everything belongs to root. It needs cpio.
#
# What is appended holds no folders: a folder `bin` would take the place of an image's symlink
# `bin -> usr/bin`, and all programs would be gone. So the folders have to be in the image: the
# kernel leaves out, without a word, a file whose folder is not there.
#
# An uncompressed archive has to start at a multiple of four bytes, and one behind lz4 after four
# zeros; --append-to sees to both. Whoever appends by `cat` or by a boot loader has to.
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
new=
# A copied folder may be read-only, which would keep its contents from being removed.
trap 'chmod -R u+rwx -- "$work" 2>/dev/null; rm -rf -- "$work"; [ -z "$new" ] || rm -f -- "$new"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
root=$work/root
mkdir "$root"

# Puts $1 into the archive as $2.
add() {
    [ -e "$1" ] || [ -L "$1" ] || die "no such file: $1"
    if [ -d "$1" ] && [ ! -L "$1" ] && ! $bootable; then
        die "a folder goes only into an archive that boots by itself (--bootable): $1"
    fi
    mkdir -p "$root/$(dirname -- "$2")"
    if [ -d "$1" ] && [ -d "$root/$2" ]; then
        cp -a -- "$1/." "$root/$2/"
    else
        cp -a -- "$1" "$root/$2"
    fi
}

bootable=false
for argument in "$@"; do
    case $argument in
        --bootable) bootable=true ;;
    esac
done
mkdir "$root/bin"
if $bootable; then
    mkdir "$root/dev" "$root/proc" "$root/sys" "$root/tmp" "$root/root"
    chmod 0755 "$root" "$root/bin" "$root/dev" "$root/proc" "$root/sys"
    chmod 1777 "$root/tmp"
    chmod 0700 "$root/root"
fi

binary='' out='' image=''
while [ $# -gt 0 ]; do
    case $1 in
        --binary) [ $# -ge 2 ] || die 'missing file after --binary' 2
                  binary=$2; shift 2 ;;
        --binary=*) binary=${1#*=}; shift ;;
        --append-to) [ $# -ge 2 ] || die 'missing file after --append-to' 2
                     image=$2; shift 2 ;;
        --append-to=*) image=${1#*=}; shift ;;
        --bootable) shift ;;
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
if $bootable && [ -n "$image" ]; then
    die 'either --bootable or --append-to' 2
fi
[ -z "$image" ] || [ -f "$image" ] || die "no such file: $image"
command -v cpio >/dev/null 2>&1 || die 'cpio is not installed'

if [ -z "$binary" ]; then
    (cd "$here/.." && cargo build --release --bin annulet) >&2
    # A relative CARGO_TARGET_DIR is relative to where cargo was run.
    binary=$(cd "$here/.." && cd "${CARGO_TARGET_DIR:-target}" && pwd)/release/annulet
fi
[ -f "$binary" ] || die "no such file: $binary"

cp -- "$binary" "$root/bin/annulet"
chmod 0755 "$root/bin/annulet"
# Symbolic links: the kernel removes what it finds under their names. Of a file it would write
# into what it finds, and in many images that is one file with busybox and the shell.
ln -s annulet "$root/bin/cp"
ln -s annulet "$root/bin/cat"

# /init starts with /dev/console as its standard descriptors. Most kernels carry one in
# their built-in archive; this is for those that were built with another.
if $bootable && [ "$(id -u)" -eq 0 ] && [ ! -e "$root/dev/console" ]; then
    mknod -m 600 "$root/dev/console" c 5 1 2>/dev/null ||
        printf 'initramfs.sh: cannot make /dev/console; left out\n' >&2
fi

# The same input gives the same archive: names sorted, inode numbers left out, and times
# fixed if SOURCE_DATE_EPOCH asks for it.
if [ -n "${SOURCE_DATE_EPOCH:-}" ]; then
    find "$root" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
fi
list() {
    if $bootable; then find . -print0; else find . ! -type d -print0; fi
}
(
    cd "$root"
    list | LC_ALL=C sort -z |
        cpio --null --create --format=newc --owner=0:0 --reproducible --quiet
) >"$work/archive"

if [ -z "$image" ]; then
    case $out in
        *.gz) gzip -9n <"$work/archive" >"$out" ;;
        *) cat "$work/archive" >"$out" ;;
    esac
    exit 0
fi

# Made beside OUT and renamed, so that OUT is never half an image, not even if it is IMAGE.
# An image may hold secrets: what was for root's eyes stays so all the time.
out=$(readlink -f -- "$out") || die "no such folder: $(dirname -- "$out")"
new=$(mktemp "$out.XXXXXX")
cat -- "$image" >"$new"
head -c $((8 - $(stat -L -c %s -- "$image") % 4)) /dev/zero >>"$new"
cat "$work/archive" >>"$new"
chmod --reference="$image" -- "$new"
if [ "$(id -u)" -eq 0 ]; then
    chown --reference="$image" -- "$new"
fi
sync -- "$new"
mv -f -- "$new" "$out"
new=
