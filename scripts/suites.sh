#!/bin/bash
# Runs the cp and cat cases of the test suites of busybox, toybox and GNU coreutils with annulet,
# by their own harnesses, as root and as an ordinary user, and prints a line for each case.
#
#   scripts/suites.sh [--binary FILE] [--verbose]
#
#   --binary FILE   the program to test; without it, `cargo build --release` is run and its
#                   target/release/annulet taken
#   --verbose       show all that the harnesses print
#
# Exit status: 0 if no case failed but those listed below, each with its reason, where GNU's
# command must fail as well and in the same way; 1 otherwise.
#
# The suites are Debian's sources, fetched once into target/suites: of Debian 13, and coreutils of
# Debian 14 (9.10 in November 2026), whose tests know more than 9.7's. GNU's commands are fetched
# into target/gnu by gnu.sh. Some of coreutils' cases need python3, gcc, valgrind, acl, attr or an
# SELinux kernel, and are skipped without; two say nothing of a static program that needs next to
# no memory, and are skipped always (nfs-removal-race, link-heap). Not part of CI: nothing there
# that tests/ does not cover.
set -euo pipefail

usage() {
    sed -n '2,/^set -euo/{/^#/s/^# \{0,1\}//p;}' "$0"
}

die() {
    printf 'suites.sh: %s\n' "$1" >&2
    exit "${2:-1}"
}

# Cases that GNU's commands fail too, by suite, command and name.
declare -A known=()
omitting="GNU's message has more words: -r not specified; omitting directory"
for case in cp 'cp -d' 'cp -P' 'cp -L' 'cp -H'; do
    known["busybox cp: $case"]=$omitting
done
for case in 'cp -RHP' 'cp -RLH'; do
    known["busybox cp: $case"]='of -H, -L and -P the last counts, as in POSIX; busybox adds them up'
done

binary='' verbose=false
while [ $# -gt 0 ]; do
    case $1 in
        -h | --help) usage; exit 0 ;;
        --binary) [ $# -ge 2 ] || die 'missing file after --binary' 2
                  binary=$2; shift 2 ;;
        --verbose) verbose=true; shift ;;
        *) die "unknown argument: $1" 2 ;;
    esac
done
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
if [ -z "$binary" ]; then
    (cd "$root" && cargo build --quiet --release --bin annulet) >&2
    binary=$(cd "$root" && cd "${CARGO_TARGET_DIR:-target}" && pwd)/release/annulet
fi
[ -f "$binary" ] || die "no such file: $binary"
"$root/scripts/gnu.sh" "$root/target/gnu"

work=$(mktemp -d)
trap 'rm -rf --one-file-system -- "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

suites=$root/target/suites
mkdir -p "$suites"
for suite in busybox toybox coreutils; do
    if [ -d "$suites/$suite" ]; then continue; fi
    release=trixie
    if [ "$suite" = coreutils ]; then release=forky; fi
    mkdir "$work/fetched-$suite" "$work/$suite"
    # The sources as they were published; Debian's changes are to other things.
    (cd "$work/fetched-$suite" && "$root/scripts/debian.sh" "$work/apt-$release" "$release" \
        source --download-only --tar-only "$suite") || die "cannot download $suite"
    archives=("$work/fetched-$suite/$suite"_*.orig.tar.[bgx]z*)
    tar -xf "${archives[0]}" --strip-components=1 -C "$work/$suite"
    # All at once, so that what is there is whole.
    cp -a -- "$work/$suite" "$suites/$suite.new"
    mv -T -- "$suites/$suite.new" "$suites/$suite"
done

# What a suite takes for its own commands: those of annulet, or of GNU.
#
#   bin_of DIR CP CAT
bin_of() {
    local dir=$1
    mkdir -p "$dir/real"
    ln -s -- "$2" "$dir/real/cp"
    ln -s -- "$3" "$dir/real/cat"
    ln -s -- "$2" "$dir/cp"
    ln -s -- "$3" "$dir/cat"
    # `busybox cp` and, by links to it, cp; by itself, the list of what it has.
    cat >"$dir/busybox" <<BUSYBOX
#!/bin/bash
name=\${0##*/}
if [ "\$name" = busybox ]; then
    [ \$# -gt 0 ] || { printf 'Currently defined functions:\n\tcat, cp\n'; exit; }
    name=\$1
    shift
fi
exec -a "\$name" "$dir/real/\$name" "\$@"
BUSYBOX
    # A command of busybox that a case uses.
    cat >"$dir/setuidgid" <<'SETUIDGID'
#!/bin/sh
id=$1
shift
exec setpriv --reuid="$id" --regid="$id" --clear-groups "$@"
SETUIDGID
    chmod a+x "$dir/busybox" "$dir/setuidgid"
    printf 'CONFIG_%s=y\n' CAT CP FEATURE_CATN FEATURE_CATV FEATURE_CP_LONG_OPTIONS \
        FEATURE_PRESERVE_HARDLINKS >"$dir/.config"
}

# Runs one suite's cases for one command in a fresh copy of the suite.
#
#   run_suite SUITE COMMAND USER BIN
run_suite() {
    local suite=$1 command=$2 user=$3 bin=$4 dir=$work/run as=()
    rm -rf -- "$dir"
    cp -a -- "$suites/$suite" "$dir"
    if [ "$user" != "$(id -un)" ]; then
        chown -R "$user" "$dir" "$bin"
        as=(setpriv "--reuid=$user" "--regid=$(id -g "$user")" --clear-groups)
    fi
    as+=(env -i LC_ALL=C "PATH=$bin:$PATH" "HOME=$dir")
    case $suite in
        busybox)
            (cd "$dir/testsuite" &&
                "${as[@]}" ECHO=/bin/echo "bindir=$bin" ./runtest -v "$command") ;;
        toybox)
            (cd "$dir" &&
                "${as[@]}" TEST_HOST=1 VERBOSE=all bash scripts/test.sh "$command") ;;
        coreutils) run_coreutils "$dir" "$command" "$user" "$bin" ;;
    esac </dev/null 2>&1 || true
}

# Runs coreutils' cases for one command as its makefile does, but with nothing built.
#
#   run_coreutils DIR COMMAND USER BIN
run_coreutils() {
    local dir=$1 command=$2 user=$3 bin=$4 build=$1/build as=() programs=() case name status
    mkdir -p "$build/src"
    ln -s -- "$bin/real/cp" "$bin/real/cat" "$build/src"
    # Some cases ask what was found out about the system before it was built.
    printf '#define %s 1\n' HAVE_CAP HAVE_LINKAT HAVE_OPENAT HAVE_SELINUX_SELINUX_H \
        HAVE_UTIMENSAT USE_ACL USE_XATTR >"$build/config.h"
    if [ "$(id -u)" -eq 0 ]; then
        chown -R "$user" "$build"
        # Two groups, of which cases want to be members.
        as=(setpriv "--reuid=$user" "--regid=$(id -g "$user")" '--groups=2,3')
    fi
    programs=("$dir"/src/*.c)
    programs=("${programs[@]##*/}")
    for case in "$dir/tests/$command"/*.sh; do
        name=$(basename "$case" .sh) status=0
        (cd "$build" && "${as[@]}" timeout 300 env -i \
            PATH="$build/src:/usr/sbin:/usr/bin:/sbin:/bin" HOME="$dir" LC_ALL=C \
            TMPDIR="$build" SHELL=/bin/sh CC=gcc AWK=awk EGREP='grep -E' PERL=perl \
            srcdir="$dir" top_srcdir="$dir" abs_srcdir="$dir" abs_top_srcdir="$dir" \
            abs_top_builddir="$build" built_programs="${programs[*]%.c}" \
            CONFIG_HEADER="$build/config.h" host_os=linux-gnu fail=0 \
            RUN_EXPENSIVE_TESTS=yes RUN_VERY_EXPENSIVE_TESTS=yes \
            sh "$case" 9>&2) >"$build/case-log" 2>&1 || status=$?
        case $status in
            0) printf 'PASS: %s\n' "$name" ;;
            77) printf 'SKIP: %s\n' "$name"; cat "$build/case-log" ;;
            *) printf 'FAIL: %s\n' "$name"; cat "$build/case-log" ;;
        esac
    done
}

# The part of a log that is about one case, without what no two runs share.
part() {
    awk -v wanted="$2" '
        /^(PASS|FAIL|SKIP|SKIPPED|UNTESTED): / { name = $0; sub(/^[A-Z]+: /, "", name) }
        name == wanted && !/^(---|\+\+\+) / { print }' "$1"
}

chmod 0755 "$work"
cp -- "$binary" "$work/annulet"
chmod 0755 "$work/annulet"
bin_of "$work/ours" "$work/annulet" "$work/annulet"
bin_of "$work/gnus" "$root/target/gnu/cp" "$root/target/gnu/cat"

users=("$(id -un)")
if [ "$(id -u)" -eq 0 ]; then
    users+=(nobody)
fi
passed=0 skipped=0 excused=0 failed=0
for suite in busybox toybox coreutils; do
    for command in cp cat; do
        for user in "${users[@]}"; do
            run_suite "$suite" "$command" "$user" "$work/ours" >"$work/log"
            # Only where cases are known to fail with it.
            case " ${!known[*]}" in
                *" $suite $command: "*)
                    run_suite "$suite" "$command" "$user" "$work/gnus" >"$work/gnu-log" ;;
            esac
            if $verbose; then cat -- "$work/log"; fi
            cases=0
            while IFS= read -r line; do
                name=${line#*: } outcome=${line%%: *} why=''
                cases=$((cases + 1))
                reason=${known["$suite $command: $name"]:-}
                case $outcome in
                    PASS) passed=$((passed + 1)) ;;
                    FAIL)
                        if [ -z "$reason" ]; then
                            failed=$((failed + 1))
                        elif [ "$(part "$work/log" "$name")" = "$(part "$work/gnu-log" "$name")" ]
                        then
                            excused=$((excused + 1)) outcome=known why=" ($reason)"
                        else
                            failed=$((failed + 1)) why=" (not as GNU's does)"
                        fi ;;
                    *) skipped=$((skipped + 1)) outcome=skip
                       why=$(part "$work/log" "$name" |
                           sed -n 's/^.*: skipped test: \(.*\)$/ (\1)/p' | head -n 1) ;;
                esac
                printf '%-5s %s %s as %s: %s%s\n' \
                    "$outcome" "$suite" "$command" "$user" "$name" "$why"
                if [ "$outcome" = FAIL ]; then
                    part "$work/log" "$name" | sed '1d; s/^/      /'
                fi
            done < <(grep -E '^(PASS|FAIL|SKIP|SKIPPED|UNTESTED): ' "$work/log")
            if [ "$cases" -eq 0 ]; then
                failed=$((failed + 1))
                printf 'FAIL  %s %s as %s: not a single case was run\n' "$suite" "$command" "$user"
                cat -- "$work/log"
            fi
        done
    done
done
printf '%d passed, %d failed, %d failed as GNU does, %d skipped\n' \
    "$passed" "$failed" "$excused" "$skipped"
[ "$failed" -eq 0 ]
