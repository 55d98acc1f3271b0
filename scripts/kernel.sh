#!/bin/sh
# Fetches a Debian kernel package and unpacks it beside the system, for scripts/vm.sh.
#
#   scripts/kernel.sh [--suite SUITE [--arch ARCH]] DIR [PACKAGE]
#
#   SUITE    another release of Debian than this system's lists are of: bullseye, trixie, ...
#            Its own packages, without security updates (debian.sh): those of an old release
#            have been seen to be listed and no longer there
#   DIR      gets: vmlinuz, config, modules/ (what lib/modules/VERSION would be) and
#            package (the package's full name). Replaced if it holds another package; one of
#            SUITE is kept, even if there is a newer one.
#   ARCH     another architecture than this system's, as Debian names it: arm64, riscv64, ...
#   PACKAGE  a linux-image package, or one that only depends on one (default:
#            linux-image-cloud-amd64, the smallest of amd64's).
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

suite='' arch=''
while :; do
    case ${1:-} in
        -h | --help) usage; exit 0 ;;
        --suite | --arch)
            [ -n "${2:-}" ] || die "missing value after $1" 2
            if [ "$1" = --suite ]; then suite=$2; else arch=$2; fi
            shift 2
            ;;
        *) break ;;
    esac
done
if [ $# -lt 1 ] || [ $# -gt 2 ]; then
    usage >&2
    exit 2
fi
[ -z "$arch" ] || [ -n "$suite" ] || die '--arch takes --suite' 2
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
dir=$1
package=${2:-linux-image-cloud-amd64}

# Which kernel this system's lists know by that name: linux-image-cloud-amd64 and its like are
# empty packages that depend on the newest kernel of a series.
real=
if [ -z "$suite" ]; then
    real=$(apt-cache depends --important "$package" 2>/dev/null |
        sed -n 's/^ *Depends: \(linux-image-[^ ]*\)$/\1/p' | head -n 1)
    real=${real:-$package}
fi

# A package's name has its architecture in it.
asked="$suite $package"

# What is there already. To ask another release for its newest one would fetch its lists each time.
if [ -f "$dir/vmlinuz" ]; then
    if [ -z "$suite" ] && [ "$(cat "$dir/package" 2>/dev/null)" = "$real" ]; then
        exit 0
    elif [ -n "$suite" ] && [ "$(cat "$dir/asked" 2>/dev/null)" = "$asked" ]; then
        exit 0
    fi
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

# Puts a package's file into $work, alone there.
download() {
    rm -f -- "$work"/*.deb
    if [ -n "$suite" ]; then
        (cd "$work" && "$here/debian.sh" ${arch:+--arch "$arch"} "$work/apt" "$suite" download "$1")
    else
        # As root, apt would hand the download to its own user, who may not write here.
        (cd "$work" && apt-get -qq -o APT::Sandbox::User=root download "$1")
    fi || die "cannot download $1 (is \`apt-get update\` due?)"
}

if [ -n "$suite" ]; then
    download "$package"
    real=$(dpkg-deb --field "$work"/*.deb Depends |
        tr ',' '\n' | sed -n 's/^ *\(linux-image-[^ ]*\).*/\1/p' | head -n 1)
    if [ -n "$real" ]; then download "$real"; else real=$package; fi
else
    download "$real"
fi
dpkg-deb -x "$work"/*.deb "$work/unpacked"

mkdir "$work/kernel"
# Of riscv64 it is vmlinux, which is not compressed and boots as well.
for pair in 'vmlinu[xz]:vmlinuz' config:config; do
    # shellcheck disable=SC2086 # a pattern
    set -- "$work"/unpacked/boot/${pair%%:*}-*
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
if [ -n "$suite" ]; then
    printf '%s\n' "$asked" >"$work/kernel/asked"
fi

rm -rf -- "$dir"
mv -- "$work/kernel" "$dir"
# mktemp made the folder above for its owner alone; what is in it is for everybody.
chmod 0755 "$dir"
