#!/bin/bash
# A small Debian in a folder, with the tools that make its initramfs images (mkinitramfs and
# dracut) and a kernel's modules: what they make can be tried, and this system stays as it is.
#
#   scripts/debian-root.sh make DIR KERNEL [PACKAGES]
#   scripts/debian-root.sh run DIR [--bind FROM=TO]... COMMAND...
#
#   make      puts it into DIR; nothing is done if it is there, with this kernel
#   KERNEL    a kernel that scripts/kernel.sh has fetched
#   PACKAGES  names with commas between them, instead of those tools
#   run       runs a command in it, with namespaces of its own: what is mounted is gone with it
#   --bind    FROM is seen as TO, which has to be there; written to
#
# In DIR the kernel's version is in /etc/kernel-version. The release is this system's, or what
# ANNULET_DEBIAN names. It needs root and mmdebstrap, and for `make` apt's package lists
# (`apt-get update`), which tell where Debian's packages are.
set -euo pipefail

usage() {
    sed -n '2,/^set -euo/{/^#/s/^# \{0,1\}//p;}' "$0"
}

die() {
    printf 'debian-root.sh: %s\n' "$1" >&2
    exit "${2:-1}"
}

# Devices that every program may open, /proc, and empty folders for what is temporary, which the
# tools fill with hundreds of megabytes.
in_namespaces() {
    local dir=$1 pair
    shift
    mount --types proc proc "$dir/proc"
    mount --types tmpfs tmpfs "$dir/tmp"
    mount --types tmpfs tmpfs "$dir/var/tmp"
    while [ "${1:-}" = --bind ]; do
        pair=$2
        mount --bind "${pair%=*}" "$dir${pair##*=}"
        shift 2
    done
    exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C chroot "$dir" "$@"
}

make() {
    local dir=$1 kernel=$2 packages=$3 package version suite mirror parent
    package=$(cat -- "$kernel/package")
    version=${package#linux-image-}
    version=${version%%:*}
    version=${version%-unsigned}
    if [ "$(cat -- "$dir/etc/kernel-version" 2>/dev/null)" = "$version" ]; then
        return
    fi
    if [ -e "$dir" ] && [ ! -f "$dir/etc/kernel-version" ]; then
        die "$dir is there and holds something else"
    fi
    command -v mmdebstrap >/dev/null || die 'mmdebstrap is not installed'
    # shellcheck source=/dev/null
    suite=${ANNULET_DEBIAN:-$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-}")}
    mirror=$(apt-get indextargets 'Origin: Debian' 'Label: Debian' 'Created-By: Packages' \
        --format "\$(SITE)" | head -n 1)
    [ -n "$mirror" ] || die "where is Debian? (is \`apt-get update\` due?)"

    parent=$(dirname -- "$dir")
    mkdir -p -- "$parent"
    # Beside the target, so that the last step is a rename within one file system.
    work=$(mktemp -d "$parent/root.XXXXXX")
    trap 'rm -rf --one-file-system -- "$work"' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    mmdebstrap --quiet --mode=root --variant=essential \
        --include="$packages" \
        --aptopt='Acquire::Languages "none"' --dpkgopt=force-unsafe-io \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' \
        "$suite" "$work/root" "$mirror"
    mkdir -p "$work/root/lib/modules"
    cp -a -- "$kernel/modules" "$work/root/lib/modules/$version"
    cp -- "$kernel/config" "$work/root/boot/config-$version"
    chroot "$work/root" depmod "$version"
    printf '%s\n' "$version" >"$work/root/etc/kernel-version"
    rm -rf --one-file-system -- "$dir"
    mv -- "$work/root" "$dir"
}

tools=initramfs-tools-core,dracut-core,systemd,udev,kmod,busybox,zstd
case ${1:-} in
    -h | --help) usage ;;
    make) [ $# -eq 3 ] || [ $# -eq 4 ] || { usage >&2; exit 2; }
          make "$2" "$3" "${4:-$tools}" ;;
    run) [ $# -ge 3 ] || { usage >&2; exit 2; }
         [ -f "$2/etc/kernel-version" ] || die "no Debian in $2"
         shift
         exec unshare --mount --propagation private --pid --fork --kill-child \
             bash -euc "$(declare -f in_namespaces); in_namespaces \"\$@\"" "$0" "$@" ;;
    *) usage >&2
       exit 2 ;;
esac
