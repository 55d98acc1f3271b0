#!/bin/bash
# A virtual machine with servers of its own: what tests/guest boots, for file systems that are far
# away.
#
#   scripts/guest.sh DIR KERNEL
#
#   DIR      gets: root.img, a small Debian with the servers of NFS and of SMB, as an ext4 file
#            system; initramfs/, what has to be in an initramfs so that it mounts that; and
#            version, the kernel's. Nothing is done if it is there, with this kernel
#   KERNEL   Debian 13's kernel: `scripts/kernel.sh --suite trixie KERNEL linux-image-amd64`. The
#            cloud's, smaller one has no 9p
#
# The root is of that release too: Debian 12's ksmbd-tools and its kernel do not understand each
# other (the kernel finds the tools' answers too short, and no share is there).
#
# Once it is mounted, and what is written kept in memory, /guest/init of the initramfs is started
# in it as process 1. It needs what scripts/debian-root.sh needs, mkfs.ext4, and busybox, linked
# statically.
set -euo pipefail

# Without them no root: loaded by the initramfs.
first=(virtio_pci virtio_blk ext4 overlay)
# What the tests mount and use, from the root.
further=(nfsd nfs nfsv3 nfsv4 9p 9pnet_virtio virtiofs xfs ksmbd cifs sch_netem)

usage() {
    sed -n '2,/^set -euo/{/^#/s/^# \{0,1\}//p;}' "$0"
}

die() {
    printf 'guest.sh: %s\n' "$1" >&2
    exit "${2:-1}"
}

case ${1:-} in
    -h | --help) usage; exit 0 ;;
esac
[ $# -eq 2 ] || { usage >&2; exit 2; }
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
dir=$1 kernel=$2
made="$(cat -- "$kernel/package") $(sha256sum <"$0")"
if [ "$(cat -- "$dir/made" 2>/dev/null)" = "$made" ]; then
    exit 0
fi
if [ -e "$dir" ] && [ ! -f "$dir/made" ]; then
    die "$dir is there and holds something else"
fi
busybox=$(command -v busybox) || die 'busybox is not installed (package busybox-static)'
command -v mkfs.ext4 >/dev/null || die 'mkfs.ext4 is not installed'

parent=$(dirname -- "$dir")
mkdir -p -- "$parent"
# Beside the target, so that the last step is a rename within one file system.
work=$(mktemp -d "$parent/guest.XXXXXX")
trap 'rm -rf --one-file-system -- "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
root=$work/root
ANNULET_DEBIAN=trixie "$here/debian-root.sh" make "$root" "$kernel" \
    kmod,mount,iproute2,nfs-kernel-server,ksmbd-tools
version=$(cat -- "$root/etc/kernel-version")

# The files of a kernel's modules, those that they need before them.
files_of() {
    local module
    for module in "$@"; do
        chroot "$root" modprobe --set-version "$version" --show-depends "$module"
    done | sed -n 's/^insmod \([^ ]*\).*/\1/p' | awk '!seen[$0]++'
}

mkdir -p "$work/guest/initramfs/bin" "$work/guest/initramfs/modules"
files_of "${first[@]}" >"$work/first"
number=100
while IFS= read -r file; do
    to=$work/guest/initramfs/modules/$number-${file##*/}
    case $file in
        *.xz) xz -dc -- "$root$file" >"${to%.xz}" ;;
        *.zst) zstd -qdc -- "$root$file" >"${to%.zst}" ;;
        *) cp -- "$root$file" "$to" ;;
    esac
    number=$((number + 1))
done <"$work/first"

# Of the modules only these stay, and those that the kernel asks for by what they can do.
files_of "${further[@]}" >"$work/kept"
(cd "$root" && find "lib/modules/$version/kernel/crypto" "lib/modules/$version/kernel/lib" \
    "lib/modules/$version/kernel/fs/nls" -name '*.ko*' -printf '/%p\n') >>"$work/kept"
find "$root/lib/modules/$version/kernel" -name '*.ko*' -printf '/lib/modules/%P\n' |
    sed "s|^/lib/modules/|/lib/modules/$version/kernel/|" | sort >"$work/all"
sort -u "$work/kept" | comm -13 - "$work/all" | sed "s|^|$root|" | xargs -d '\n' rm -f --
chroot "$root" depmod "$version"
rm -rf --one-file-system -- "$root"/var/lib/apt/lists/* "$root"/var/cache/* "$root"/usr/share/zoneinfo

cp -- "$busybox" "$work/guest/initramfs/bin/busybox"
cat >"$work/guest/initramfs/init" <<'END'
#!/bin/busybox sh
# Mounts the root and hands over to it.
busybox=/bin/busybox
$busybox mount -t proc proc /proc
$busybox mount -t devtmpfs devtmpfs /dev
for module in /modules/*; do
    $busybox insmod "$module" || echo "FAIL insmod $module"
done
tries=0
until [ -b /dev/vda ] || [ $tries -ge 100 ]; do
    $busybox sleep 0.1
    tries=$((tries + 1))
done
$busybox mkdir -p /lower /upper /new
$busybox mount -t ext4 -o ro,noload /dev/vda /lower
$busybox mount -t tmpfs tmpfs /upper
$busybox mkdir /upper/changes /upper/work
$busybox mount -t overlay -o lowerdir=/lower,upperdir=/upper/changes,workdir=/upper/work root /new
$busybox mv /guest /new/guest
$busybox cp /bin/busybox /new/guest/busybox
$busybox mount --move /proc /new/proc
$busybox mount --move /dev /new/dev
exec $busybox switch_root /new /guest/init
END
chmod 0755 "$work/guest/initramfs/init" "$work/guest/initramfs/bin/busybox"

# As large as what it holds, and a little.
kilobytes=$(du -sk --apparent-size "$root" | cut -f 1)
mkfs.ext4 -q -O '^has_journal' -m 0 -d "$root" "$work/guest/root.img" $((kilobytes * 3 / 2 + 16384))k
printf '%s\n' "$made" >"$work/guest/made"
rm -rf --one-file-system -- "$dir"
mv -- "$work/guest" "$dir"
chmod 0755 "$dir"
