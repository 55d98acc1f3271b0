#!/bin/bash
# What the tests' own runs do not show: undefined behaviour of the library, by its unit tests under
# Miri; what threads see of each other where memory is weakly ordered, by the tests with threads
# under Miri with many seeds, each of which is another order; and every order in which they can reach
# what they share, by loom's models (the files interleaved.rs in src). Installs Rust's nightly
# toolchain with Miri where it is missing.
#
#   scripts/miri.sh [TEST...]
set -euo pipefail

case ${1:-} in
    -h | --help) sed -n '2,/^set -euo/{/^#/s/^# \{0,1\}//p;}' "$0"; exit 0 ;;
esac
cd "$(dirname -- "$0")/.."

if ! cargo +nightly miri --version >/dev/null 2>&1; then
    # What there is of nightly is good enough; a newer one may lack Miri for a day.
    rustup component add --toolchain nightly miri rust-src ||
        rustup toolchain install nightly --profile minimal --component miri --component rust-src
fi
# Addresses go through the registers of system calls: Miri is not to warn of each.
export MIRIFLAGS="-Zmiri-permissive-provenance ${MIRIFLAGS-}"
cargo +nightly miri test --locked --lib -- "$@"

# Those that have threads and need no kernel.
threaded=(sys::sync copy::tree::pool copy::line)
MIRIFLAGS="$MIRIFLAGS -Zmiri-many-seeds=0..24" \
    cargo +nightly miri test --locked --quiet --lib -- "${threaded[@]}"

# A folder of its own, since everything is built anew under another configuration; not optimised,
# which takes longer than the models do.
RUSTFLAGS='--cfg loom' CARGO_PROFILE_DEV_OPT_LEVEL=0 CARGO_PROFILE_DEV_DEBUG=0 \
    cargo test --locked --lib --target-dir target/loom ::interleaved::
