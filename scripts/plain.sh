#!/bin/bash
# Runs `cargo test` as somebody does who has just cloned the repository on a plain Debian: beside
# the coreutils of that release, in a home that others cannot enter, from a shell with a tight
# umask, without standard input and with further descriptors open.
#
#   scripts/plain.sh [--suite SUITE] [--user] [ARGUMENT...]
#
#   --suite SUITE  on that release of Debian (bookworm, trixie, ...), made by debootstrap with a
#                  compiler's linker and nothing else; without it on the system as it is
#   --user         as an ordinary user; without it as root
#   ARGUMENT       as for cargo test: --test NAME, --no-fail-fast, ...
#
# What is tested is a copy of the working tree, without its target folder, with the Rust
# toolchain that is in use here. ANNULET_ variables are handed on. It takes root, for mounts of
# its own.
set -euo pipefail

usage() {
    sed -n '2,/^set -euo/{/^#/s/^# \{0,1\}//p;}' "$0"
}

die() {
    printf 'plain.sh: %s\n' "$1" >&2
    exit "${2:-1}"
}

suite='' id=0
while [ $# -gt 0 ]; do
    case $1 in
        -h | --help) usage; exit 0 ;;
        --suite) [ $# -ge 2 ] || die 'missing release after --suite' 2
                 suite=$2; shift 2 ;;
        --user) id=10000; shift ;;
        *) break ;;
    esac
done
[ "$(id -u)" -eq 0 ] || die 'mounting takes root'
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
toolchain=$(rustc --print sysroot)

work=$(mktemp -d)
# Mounts are made out of sight of this process, which would remove what is mounted.
trap 'rm -rf --one-file-system -- "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
chmod 0755 "$work"

# The system, and where in it things are put.
system=/ place=$work
if [ -n "$suite" ]; then
    command -v debootstrap >/dev/null || die 'debootstrap is not installed'
    mirror=$(apt-get indextargets 'Origin: Debian' 'Label: Debian' 'Created-By: Packages' \
        --format "\$(SITE)" | head -n 1)
    [ -n "$mirror" ] || die "where is Debian? (is \`apt-get update\` due?)"
    system=$work/system place=/srv
    debootstrap --variant=minbase --include=gcc,libc6-dev "$suite" "$system" "$mirror" \
        >"$work/log" 2>&1 || { cat -- "$work/log" >&2; die "cannot make a Debian $suite"; }
fi
outside=${system%/}$place
mkdir -p "$outside/toolchain" "$outside/cargo" "$outside/home/annulet"
tar -C "$root" --exclude=./target --exclude=./.git -cf - . | tar -C "$outside/home/annulet" -xf -
# What the tests are built from, so that it need not be fetched again.
registry=${CARGO_HOME:-$HOME/.cargo}/registry
if [ -d "$registry" ]; then
    cp -a -- "$registry" "$outside/cargo/registry"
fi
chown -R "$id:$id" "$outside/cargo" "$outside/home"
chmod 0700 "$outside/home"

environment=(
    "HOME=$place/home" "CARGO_HOME=$place/cargo" TERM=dumb
    "PATH=$place/toolchain/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
)
while IFS= read -r variable; do
    environment+=("$variable")
done < <(env | grep '^ANNULET_')

# shellcheck disable=SC2016 # the shells inside expand it
unshare --mount --propagation private bash -euc '
    toolchain=$1 outside=$2 system=$3 id=$4
    shift 4
    if [ "$system" != / ]; then
        # A root is a mount, which tests change.
        mount --bind "$system" "$system"
        for folder in proc sys dev; do
            mount --rbind "/$folder" "$system/$folder"
        done
    fi
    mount --bind "$toolchain" "$outside/toolchain"
    exec chroot "$system" setpriv --reuid="$id" --regid="$id" --clear-groups env -i "$@"
' bash "$toolchain" "$outside" "$system" "$id" "${environment[@]}" bash -c '
    umask 077
    cd "$HOME/annulet"
    printf "%s, %s\n" "$(cp --version | head -n 1)" "$(id -un 2>/dev/null || id -u)"
    exec cargo test --locked "$@" 3</dev/null 9</dev/null 200</dev/null <&-
' bash "$@"
