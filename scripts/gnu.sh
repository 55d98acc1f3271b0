#!/bin/sh
# Fetches the cp and cat of GNU coreutils 9.7, as Debian 13 has them, for tests that compare
# with them: Debian 12 has 9.1, which does several things otherwise.
#
#   scripts/gnu.sh DIR
#
#   DIR      gets: cp and cat, which run as they are, lib/ with the libraries they were made
#            for, and packages (the packages' files). Nothing is done if both run already and
#            are not older. They know lib/ by its absolute path: do not move DIR.
#
# Nothing is installed, and root is not needed. It needs patchelf, and apt's package lists
# (`apt-get update`).
set -eu

usage() {
    sed -n '2,/^set -eu/{/^#/s/^# \{0,1\}//p;}' "$0"
}

die() {
    printf 'gnu.sh: %s\n' "$1" >&2
    exit "${2:-1}"
}

case ${1:-} in
    -h | --help) usage; exit 0 ;;
esac
if [ $# -ne 1 ]; then
    usage >&2
    exit 2
fi
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
least=9.7

# Whether a command runs, is GNU's, and is not older than asked for.
runs() {
    version=$("$1" --version 2>/dev/null | sed -n '1s/^.* (GNU coreutils) //p') &&
        [ -n "$version" ] && dpkg --compare-versions "$version" ge "$least"
}

parent=$(dirname -- "$1")
mkdir -p -- "$parent"
parent=$(CDPATH='' cd -- "$parent" && pwd)
dir=$parent/$(basename -- "$1")
if runs "$dir/cp" && runs "$dir/cat"; then
    exit 0
fi
if [ -e "$dir" ] && [ ! -f "$dir/packages" ]; then
    die "$dir is there and holds something else"
fi
command -v patchelf >/dev/null || die 'patchelf is not installed'

# Beside the target, so that the last step is a rename within one file system.
work=$(mktemp -d "$parent/gnu.XXXXXX")
trap 'rm -rf -- "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

mkdir "$work/debs" "$work/gnu"
# coreutils, and the libraries that its cp and cat are linked with.
(cd "$work/debs" && "$here/debian.sh" "$work/apt" trixie download \
    coreutils libc6 libacl1 libattr1 libselinux1 libpcre2-8-0) ||
    die 'cannot download coreutils'
for deb in "$work/debs"/*.deb; do
    dpkg-deb -x "$deb" "$work/unpacked"
    printf '%s\n' "${deb##*/}"
done >"$work/gnu/packages"
mv -- "$work/unpacked/usr/lib/"*-linux-gnu "$work/gnu/lib"
# As the architecture has it, wherever it says that it is.
loader=$(patchelf --print-interpreter "$work/unpacked/usr/bin/cp")
for command in cp cat; do
    mv -- "$work/unpacked/usr/bin/$command" "$work/gnu/$command"
    # A run path of the old kind holds for the libraries' own libraries as well.
    patchelf --set-interpreter "$dir/lib/${loader##*/}" \
        --force-rpath --set-rpath "$dir/lib" "$work/gnu/$command"
done

rm -rf -- "$dir"
mv -- "$work/gnu" "$dir"
# For tests that run as somebody else, too, whatever the umask is.
chmod -R a+rX -- "$dir"
chmod a+rx -- "$parent"
for command in cp cat; do
    runs "$dir/$command" || die "$dir/$command does not run, or is older than $least"
done
