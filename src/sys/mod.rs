//! The only place that issues system calls.
//!
//! Typed wrappers, one system call each, grouped by theme; no policy, no retries, no
//! messages. A wrapper is a safe function only where its types (slices, C strings, borrowed
//! descriptors) make every address it hands to the kernel valid for the length of the call.

#![allow(unsafe_code)]

pub mod arch;
pub mod errno;
mod fd;
pub mod io_uring;
mod mapping;

pub use errno::{Errno, Result};
pub use fd::{BorrowedFd, CWD, OwnedFd, STDERR, STDIN, STDOUT};
pub use mapping::{Buffer, MapFlags, Mapping, Prot};
