//! One file per processor architecture: everything that has to be written in assembly.
//!
//! Each architecture's file provides the same items: `syscall0` to `syscall6`, the call
//! numbers in `nr`, `struct stat`, the memory primitives in `memory`, and the macro
//! `entry_point!`. Adding
//! an architecture is adding one such file here, one line below, and a linker script.

#[cfg(target_arch = "x86_64")]
mod x86_64;
#[cfg(target_arch = "x86_64")]
pub use x86_64::*;

#[cfg(not(all(
    target_arch = "x86_64",
    target_pointer_width = "64",
    target_os = "linux"
)))]
compile_error!(
    "annulet talks to the Linux kernel without a libc and so far knows how to on x86_64 only; \
     to add an architecture, write src/sys/arch/<arch>.rs and linker/<arch>.ld"
);
