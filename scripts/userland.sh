#!/bin/sh
# Fetches Debian 13's coreutils, a shell and what both need, of any architecture, into a folder that
# can be a system's root: what tests find around them in a virtual machine of that architecture.
#
#   scripts/userland.sh ARCH DIR
#
#   ARCH     as Debian names it: amd64, arm64, riscv64, ...
#   DIR      gets: usr/, the links to it, empty folders, and packages (the packages' files).
#            Nothing is done if it is there
#
# Packages are unpacked and not set up, so nothing of that architecture runs here. Nothing is
# installed, and root is not needed. It needs apt's package lists (`apt-get update`).
set -eu

usage() {
    sed -n '2,/^set -eu/{/^#/s/^# \{0,1\}//p;}' "$0"
}

die() {
    printf 'userland.sh: %s\n' "$1" >&2
    exit "${2:-1}"
}

case ${1:-} in
    -h | --help) usage; exit 0 ;;
esac
if [ $# -ne 2 ]; then
    usage >&2
    exit 2
fi
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
arch=$1 dir=$2
if [ -f "$dir/packages" ]; then
    exit 0
fi
if [ -e "$dir" ]; then
    die "$dir is there and holds something else"
fi

parent=$(dirname -- "$dir")
mkdir -p -- "$parent"
# Beside the target, so that the last step is a rename within one file system.
work=$(mktemp -d "$parent/userland.XXXXXX")
trap 'rm -rf -- "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

mkdir "$work/debs" "$work/root"
# coreutils, the libraries that its programs are linked with, that of Rust's programs, and a shell.
(cd "$work/debs" && "$here/debian.sh" --arch "$arch" "$work/apt" trixie download \
    coreutils libc6 libacl1 libattr1 libselinux1 libpcre2-8-0 libgcc-s1 dash) ||
    die "cannot download coreutils of $arch"
# Packages have all in usr/, but the loader's name and the shell's are by way of the root.
for folder in bin lib sbin; do
    mkdir -p "$work/root/usr/$folder"
    ln -s "usr/$folder" "$work/root/$folder"
done
for folder in dev etc proc root run sys tmp var; do
    mkdir "$work/root/$folder"
done
for deb in "$work/debs"/*.deb; do
    dpkg-deb -x "$deb" "$work/root"
    printf '%s\n' "${deb##*/}"
done >"$work/packages"
# Texts, and tables of character sets.
rm -rf -- "$work/root/usr/share" "$work/root"/usr/lib/*/gconv
mv -- "$work/packages" "$work/root/packages"
# For tests that run as somebody else, too, whatever the umask is.
chmod -R a+rX -- "$work/root"
mv -- "$work/root" "$dir"
