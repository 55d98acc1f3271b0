#!/bin/sh
# Fetches a Debian kernel package and unpacks it beside the system, for scripts/vm.sh.
#
#   scripts/kernel.sh DIR [PACKAGE]
#
#   DIR      gets: vmlinuz, config, modules/ (what lib/modules/VERSION would be) and
#            package (the package's full name). Replaced if it holds another package.
#   PACKAGE  a linux-image package, or one that only depends on one (default:
#            linux-image-cloud-amd64, the smallest). Another architecture's is named
#            with it, as in linux-image-arm64:arm64, after
#            `dpkg --add-architecture arm64 && apt-get update`.
#
# Nothing is installed: no boot loader, no initramfs and no /boot is touched, and root is
# not needed. It needs apt's package lists (`apt-get update`).
set -eu

usage() {
    sed -n '2,/^set -eu/{/^#/s/^# \{0,1\}//p;}' "$0"
}

die() {
    printf 'kernel.sh: %s\n' "$1" >&2
    exit "${2:-1}"
}

case ${1:-} in
    -h | --help) usage; exit 0 ;;
esac
if [ $# -lt 1 ] || [ $# -gt 2 ]; then
    usage >&2
    exit 2
fi
dir=$1
package=${2:-linux-image-cloud-amd64}

# linux-image-cloud-amd64 and its like are empty packages that depend on the newest
# kernel of a series.
real=$(apt-cache depends --important "$package" 2>/dev/null |
    sed -n 's/^ *Depends: \(linux-image-[^ ]*\)$/\1/p' | head -n 1)
case $package in
    *:*) case $real in
        '' | *:*) ;;
        *) real=$real:${package##*:} ;;
    esac ;;
esac
real=${real:-$package}

if [ -f "$dir/vmlinuz" ] && [ "$(cat "$dir/package" 2>/dev/null)" = "$real" ]; then
    exit 0
fi
if [ -e "$dir" ] && [ ! -f "$dir/package" ]; then
    die "$dir is there and holds something else"
fi

mkdir -p "$(dirname -- "$dir")"
# Beside the target, so that the last step is a rename within one file system.
work=$(mktemp -d "$(dirname -- "$dir")/kernel.XXXXXX")
trap 'rm -rf -- "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# As root, apt would hand the download to its own user, who may not write here.
(cd "$work" && apt-get -qq -o APT::Sandbox::User=root download "$real") ||
    die "cannot download $real (is \`apt-get update\` due?)"
set -- "$work"/*.deb
dpkg-deb -x "$1" "$work/unpacked"
rm -- "$1"

mkdir "$work/kernel"
for pair in vmlinuz:vmlinuz config:config; do
    set -- "$work/unpacked/boot/${pair%%:*}"-*
    [ -f "$1" ] || die "$real holds no boot/${pair%%:*}-*"
    mv -- "$1" "$work/kernel/${pair##*:}"
done
for modules in "$work"/unpacked/lib/modules/* "$work"/unpacked/usr/lib/modules/*; do
    if [ -d "$modules" ]; then
        mv -- "$modules" "$work/kernel/modules"
        break
    fi
done
printf '%s\n' "$real" >"$work/kernel/package"

rm -rf -- "$dir"
mv -- "$work/kernel" "$dir"
# mktemp made the folder above for its owner alone; what is in it is for everybody.
chmod 0755 "$dir"
