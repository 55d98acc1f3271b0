#!/bin/bash
# Boots a kernel and an initramfs in QEMU, shows its console, and ends with its verdict.
#
#   scripts/vm.sh --kernel VMLINUZ --initramfs FILE [--disk IMG]... [--read-only-disk IMG]...
#                 [--9p TAG=DIR]... [--virtiofs TAG=DIR]... [--append ARGS] [--timeout SECONDS]
#                 [--success LINE] [--arch ARCH] [--accel ACCEL] [--memory SIZE] [--cpus N]
#
#   --disk IMG      a raw disk image, as a virtio disk (/dev/vda, /dev/vdb, ...); written to
#   --read-only-disk IMG   the same, and not written to
#   --9p TAG=DIR    a folder that the guest can mount by that tag, by 9p; as root also owners are
#                   handed on
#   --virtiofs TAG=DIR     the same by virtiofs, which takes root and virtiofsd
#   --append ARGS   more words for the kernel's command line; NAME=VALUE reaches /init as
#                   an environment variable
#   --timeout S     gives up after S seconds (default: 300)
#   --success LINE  the console line that means success (default: `annulet-vm: PASS`)
#   --arch ARCH     x86_64 (default), aarch64 or riscv64: qemu-system-ARCH and its serial port
#   --accel ACCEL   tcg (default, works everywhere) or kvm
#   --memory SIZE   default 512M;  --cpus N  default 2
#
# Exit status: 0 if the success line came, 1 if the guest ended without it, 2 for wrong
# usage or a missing file, 124 if the time ran out, 125 if QEMU could not be started.
#
# The guest has no network, and a reboot or a panic ends it.
set -euo pipefail

usage() {
    sed -n '2,/^set -euo/{/^#/s/^# \{0,1\}//p;}' "$0"
}

die() {
    printf 'vm.sh: %s\n' "$1" >&2
    exit "${2:-1}"
}

kernel='' initramfs='' append='' disks=() read_only=() folders_9p=() folders_virtiofs=()
timeout=300 success='annulet-vm: PASS' arch=x86_64 accel=tcg memory=512M cpus=2
while [ $# -gt 0 ]; do
    case $1 in
        -h | --help) usage; exit 0 ;;
    esac
    [ $# -ge 2 ] || die "unknown option or missing value: $1" 2
    case $1 in
        --kernel) kernel=$2 ;;
        --initramfs) initramfs=$2 ;;
        --disk) disks+=("$2") read_only+=(off) ;;
        --read-only-disk) disks+=("$2") read_only+=(on) ;;
        --9p) folders_9p+=("$2") ;;
        --virtiofs) folders_virtiofs+=("$2") ;;
        --append) append+=" $2" ;;
        --timeout) timeout=$2 ;;
        --success) success=$2 ;;
        --arch) arch=$2 ;;
        --accel) accel=$2 ;;
        --memory) memory=$2 ;;
        --cpus) cpus=$2 ;;
        *) die "unknown option: $1" 2 ;;
    esac
    shift 2
done
if [ -z "$kernel" ] || [ -z "$initramfs" ]; then
    usage >&2
    exit 2
fi
for file in "$kernel" "$initramfs" ${disks[@]+"${disks[@]}"}; do
    [ -r "$file" ] || die "cannot read $file" 2
done

case $arch in
    x86_64) machine=pc serial=ttyS0 ;;
    aarch64) machine=virt serial=ttyAMA0 ;;
    riscv64) machine=virt serial=ttyS0 ;;
    *) die "unknown architecture: $arch" 2 ;;
esac
qemu=qemu-system-$arch
command -v "$qemu" >/dev/null || die "$qemu is not installed" 125

virtiofsd=
if [ ${#folders_virtiofs[@]} -gt 0 ]; then
    # Nowhere in the search path: QEMU's own of before 8.0, and the package of that name.
    for program in /usr/libexec/virtiofsd /usr/lib/qemu/virtiofsd; do
        if [ -x "$program" ]; then virtiofsd=$program; break; fi
    done
    [ -n "$virtiofsd" ] || die 'virtiofsd is not installed' 125
fi

work=$(mktemp -d)
child='' servers=()
# `timeout` passes the signal on to its one child, the QEMU started here. A server of virtiofs ends
# with its QEMU.
# shellcheck disable=SC2317 # called by the trap
cleanup() {
    local pid
    for pid in $child ${servers[@]+"${servers[@]}"}; do
        kill "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    rm -rf -- "$work"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

args=(
    -machine "$machine" -accel "$accel" -m "$memory" -smp "$cpus"
    -display none -monitor none -nodefaults -nic none
    # A panic reboots at once (panic=-1), and a reboot ends QEMU: a guest that dies does
    # not sit there until the time runs out.
    -no-reboot
    -kernel "$kernel" -initrd "$initramfs"
    -append "console=$serial panic=-1 quiet$append"
    # The console goes to standard output and, for the verdict, to a file.
    -chardev "stdio,id=console,signal=off,logfile=$work/console" -serial chardev:console
)
# The one of aarch64 has pages of 16 KiB and, unlike `max`, no signed pointers, which take as long as
# all the rest; QEMU before 8.0 has no `max` of riscv64.
case $accel:$arch in
    tcg:aarch64) args+=(-cpu neoverse-n1) ;;
    tcg:riscv64) args+=(-cpu rv64) ;;
    tcg:*) args+=(-cpu max) ;;
    *) args+=(-cpu host) ;;
esac
for i in "${!disks[@]}"; do
    # A comma ends a value in QEMU's options and is written twice. The image does not
    # outlive the test, so the host need not bring it to its own disk (cache=unsafe).
    args+=(-drive "if=none,id=disk$i,format=raw,cache=unsafe,readonly=${read_only[i]},file=${disks[i]//,/,,}"
        -device "virtio-blk-pci,drive=disk$i")
done
for i in "${!folders_9p[@]}"; do
    folder=${folders_9p[i]#*=}
    args+=(-fsdev "local,id=share$i,security_model=none,path=${folder//,/,,}"
        -device "virtio-9p-pci,fsdev=share$i,mount_tag=${folders_9p[i]%%=*}")
done
for i in "${!folders_virtiofs[@]}"; do
    "$virtiofsd" --socket-path="$work/virtiofs$i" -o "source=${folders_virtiofs[i]#*=}" -o xattr \
        >"$work/virtiofsd$i" 2>&1 </dev/null &
    servers+=($!)
    for ((tries = 0; tries < 100; tries++)); do
        if [ -S "$work/virtiofs$i" ]; then break; fi
        sleep 0.1
    done
    [ -S "$work/virtiofs$i" ] || die "virtiofsd: $(cat -- "$work/virtiofsd$i")" 125
    args+=(-chardev "socket,id=virtiofs$i,path=$work/virtiofs$i"
        -device "vhost-user-fs-pci,chardev=virtiofs$i,tag=${folders_virtiofs[i]%%=*}")
done
if [ ${#folders_virtiofs[@]} -gt 0 ]; then
    # The server reads and writes the guest's memory.
    args+=(-object "memory-backend-memfd,id=memory,size=$memory,share=on"
        -numa "node,memdev=memory")
fi

: >"$work/console"
timeout --kill-after=10 "$timeout" "$qemu" "${args[@]}" </dev/null &
child=$!
status=0
wait "$child" || status=$?
child=

# The serial console ends lines with CR LF.
if tr -d '\r' <"$work/console" | grep -qxF -- "$success"; then
    exit 0
fi
if [ "$status" -eq 124 ] || [ "$status" -eq 137 ]; then
    die "no verdict after $timeout s" 124
fi
[ "$status" -eq 0 ] || die "$qemu ended with status $status" 125
die "the guest ended without \`$success'"
