#!/bin/bash
# Boots virtual machines of each architecture (tests/vm) and shows what came out as a table.
#
#   scripts/guests.sh [--fetch] [--all]
#
#   --all     also the kernels that are not booted each time
#   --fetch   only fetches what is not there yet, into target/: the kernels, and for tests that
#             run in guests of other architectures what they find around them (userland-*)
#
# It needs qemu-system-x86, -arm and -misc (on Debian 13 -riscv), opensbi, e2fsprogs and cpio, cross compilers with their
# C library (gcc-aarch64-linux-gnu, libc6-dev-arm64-cross and those of riscv64), Rust's targets for
# both, and for what is to be fetched apt's package lists (`apt-get update`).
set -euo pipefail

cd "$(dirname -- "$0")/.."
# The kernels of GUESTS in tests/vm/guests.rs: folder in target/, release and architecture of
# Debian, package. The first three are booted each time.
kernels=(
    'vm-kernel-6.1 bookworm amd64 linux-image-cloud-amd64'
    'vm-kernel-arm64-16k-6.12 trixie arm64 linux-image-arm64-16k'
    'vm-kernel-riscv64-6.12 trixie riscv64 linux-image-riscv64'
    'vm-kernel-5.10 bullseye amd64 linux-image-cloud-amd64'
    'vm-kernel-6.12 trixie amd64 linux-image-cloud-amd64'
    'vm-kernel-arm64-6.1 bookworm arm64 linux-image-arm64'
    'vm-kernel-arm64-6.12 trixie arm64 linux-image-arm64'
)

usage() {
    sed -n '2,/^set -euo/{/^#/s/^# \{0,1\}//p;}' "$0"
}

all=false fetch_only=false
for argument in "$@"; do
    case $argument in
        -h | --help) usage; exit 0 ;;
        --all) all=true ;;
        --fetch) fetch_only=true ;;
        *) usage >&2; exit 2 ;;
    esac
done
if ! $all; then kernels=("${kernels[@]:0:3}"); fi

# Fetches a kernel, unless it is there, or the one that other tests boot is of that series.
fetch() {
    local folder=$1 suite=$2 arch=$3 package=$4
    case $arch:$(cat target/vm-kernel/package 2>/dev/null) in
        "amd64:linux-image-${folder#vm-kernel-}".*) return ;;
    esac
    scripts/kernel.sh --suite "$suite" --arch "$arch" "target/$folder" "$package"
}

for kernel in "${kernels[@]}"; do
    read -r folder suite arch package <<<"$kernel"
    fetch "$folder" "$suite" "$arch" "$package"
done
for arch in arm64 riscv64; do
    scripts/userland.sh "$arch" "target/userland-$arch"
done
if $fetch_only; then exit 0; fi

log=$(mktemp)
trap 'rm -f -- "$log"' EXIT
status=0
if $all; then export ANNULET_VM_ALL=1; fi
ANNULET_REQUIRE_ALL=1 cargo test --locked --test vm guest -- --nocapture 2>&1 | tee -- "$log" >&2 ||
    status=$?
printf '%-12s %-24s %6s %6s %6s  %s\n' architecture kernel page steps time verdict
sed -n 's/^guest | //p' "$log" | while IFS='|' read -r arch version page steps time verdict; do
    # shellcheck disable=SC2086 # without the spaces around
    printf '%-12s %-24s %6s %6s %5ss  %s\n' $arch $version $page $steps ${time% s } $verdict
done
exit "$status"
