//! One file per processor architecture: everything that has to be written in assembly.
//!
//! Each architecture's file provides the same items: `syscall0` to `syscall6`, the call
//! numbers in `nr`, `struct stat`, the memory primitives in `memory`, and the macro
//! `entry_point!`. Adding
//! an architecture is adding one such file here, one line below, and a linker script.

#[cfg(target_arch = "x86_64")]
#[cfg_attr(miri, allow(dead_code))] // its system calls
mod x86_64;
#[cfg(target_arch = "x86_64")]
pub use x86_64::*;

// Miri runs no assembly: what is named here goes before what is not named above.
#[cfg(test)]
#[cfg(miri)]
mod miri;
#[cfg(test)]
#[cfg(miri)]
pub use miri::{syscall0, syscall1, syscall2, syscall3, syscall4, syscall5, syscall6};
