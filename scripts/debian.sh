#!/bin/sh
# Runs apt-get for one release of Debian, whichever release this system is: with package lists
# of its own, so that the system's apt and what is installed are left alone.
#
#   scripts/debian.sh [--arch ARCH] STATE SUITE ARGUMENT...
#
#   ARCH      the architecture, as Debian names it (default: this system's): arm64, riscv64, ...
#             It need not be one of this system's (`dpkg --add-architecture`)
#   STATE     a folder for the lists; made, and filled at the first run
#   SUITE     the release: trixie, bookworm, ...
#   ARGUMENT  as for apt-get: download PACKAGE, source --download-only PACKAGE, ...
#
# Packages come from where the system's own apt has Debian's from, and signatures are checked
# with Debian's keyring. What is downloaded is put where the command is run. It needs apt's
# package lists (`apt-get update`), which tell where that is.
set -eu

usage() {
    sed -n '2,/^set -eu/{/^#/s/^# \{0,1\}//p;}' "$0"
}

die() {
    printf 'debian.sh: %s\n' "$1" >&2
    exit "${2:-1}"
}

arch=
case ${1:-} in
    -h | --help) usage; exit 0 ;;
    --arch)
        arch=${2:-}
        [ -n "$arch" ] || die 'missing architecture after --arch' 2
        shift 2
        ;;
esac
if [ $# -lt 3 ]; then
    usage >&2
    exit 2
fi
mkdir -p -- "$1"
state=$(CDPATH='' cd -- "$1" && pwd)
suite=$2
shift 2
arch=${arch:-$(dpkg --print-architecture)}

keyring=/usr/share/keyrings/debian-archive-keyring.gpg
[ -r "$keyring" ] || die "no $keyring (package debian-archive-keyring)"

# As root, apt would hand downloads to its own user, who may not write here. Nothing counts as
# installed: `download` takes what it is asked for.
apt() {
    apt-get -qq \
        -o Dir::State="$state" -o Dir::State::status="$state/status" \
        -o Dir::Cache="$state/cache" \
        -o Dir::Etc::sourcelist="$state/sources.list" -o Dir::Etc::sourceparts="$state/none" \
        -o Dir::Etc::preferences="$state/none" -o Dir::Etc::preferencesparts="$state/none" \
        -o APT::Architecture="$arch" -o APT::Architectures="$arch" \
        -o APT::Default-Release= -o APT::Sandbox::User=root -o Acquire::Languages=none "$@"
}

if [ "$(cat "$state/suite" 2>/dev/null)" != "$suite $arch" ]; then
    mirror=$(apt-get indextargets 'Origin: Debian' 'Label: Debian' 'Created-By: Packages' \
        --format "\$(SITE)" | head -n 1)
    [ -n "$mirror" ] || die "where is Debian? (is \`apt-get update\` due?)"
    mkdir -p -- "$state/lists/partial" "$state/cache/archives/partial" "$state/none"
    : >"$state/status"
    for kind in deb deb-src; do
        printf '%s [signed-by=%s] %s %s main\n' "$kind" "$keyring" "$mirror" "$suite"
    done >"$state/sources.list"
    # Old lists are better than none elsewhere, and an error here.
    apt -o APT::Update::Error-Mode=any update || die "cannot fetch the package lists of $suite"
    printf '%s\n' "$suite $arch" >"$state/suite"
fi
apt "$@"
