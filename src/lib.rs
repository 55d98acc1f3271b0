//! annulet: `cp` and `cat` in one static Linux binary without a libc.
//!
//! The library holds everything but the runtime (entry point, allocator, panic handler), so
//! that it can be tested on the host with the ordinary test harness. Its layers, each of
//! which knows only those before it: [`sys`], `ring`, `report`, `data`, `copy`, `cat`, `cli`.
//!
//! The feature `std`, for programs that have a libc, turns descriptors and errors into those of
//! `std` and back.

#![no_std]

extern crate alloc;
#[cfg(any(test, feature = "std"))]
extern crate std;

// `supported` comes from the build script (`linker/build.rs`). Without it there is no module,
// so that nothing else is wrong beside what this says.
#[cfg(not(supported))]
compile_error!(
    "annulet runs on Linux only, on the architectures of src/sys/arch: it talks to the kernel \
     without a libc, and that is written for each; src/sys/arch/mod.rs says how to add one"
);

#[cfg(supported)]
pub mod cat;
#[cfg(supported)]
pub mod cli;
#[cfg(supported)]
pub mod copy;
#[cfg(supported)]
pub mod data;
#[cfg(supported)]
pub mod report;
#[cfg(supported)]
pub mod ring;
#[cfg(supported)]
pub mod sys;
