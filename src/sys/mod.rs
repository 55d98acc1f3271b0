//! The only place that issues system calls.
//!
//! Typed wrappers, one system call each, grouped by theme; no policy, no retries, no
//! messages. A wrapper is a safe function only where its types (slices, C strings, borrowed
//! descriptors) make every address it hands to the kernel valid for the length of the call.
//!
//! | file | subject |
//! | --- | --- |
//! | `arch/` | what differs between processors, in assembly |
//! | `startup.rs`, `process.rs` | what a program is started with; the process and its kernel |
//! | `errno.rs`, `restarted.rs` | errors, and calls made again after a signal |
//! | `fd.rs`, `mapping.rs`, `arena.rs` | descriptors, mappings and memory, each with its owner |
//! | `hosted.rs` | from and to what `std` has, with the feature `std` |
//! | `fs.rs`, `stat.rs`, `inode.rs`, `xattr.rs`, `dirent.rs` | names, metadata, attributes, directories |
//! | `io.rs` | data through descriptors |
//! | `io_uring/` | its three calls, and what they share with the kernel |
//! | `thread.rs`, `sync.rs`, `signal.rs` | threads, what they share, the signal that is counted |
//! | `atomic.rs`, `futex.rs` | what that is made of: numbers, cells, and sleeping on a number |
//! | `cstr.rs`, `decimal.rs` | paths for calls, numbers for messages |
#![doc = include_str!("unsafe.md")]
#![allow(unsafe_code)]

pub mod arch;
mod arena;
pub(crate) mod atomic;
mod cstr;
mod decimal;
mod dirent;
pub mod errno;
mod fd;
mod fs;
#[cfg(not(all(test, loom)))]
mod futex;
#[cfg(feature = "std")]
mod hosted;
mod inode;
mod io;
pub mod io_uring;
mod mapping;
mod process;
mod restarted;
mod signal;
mod startup;
mod stat;
mod sync;
mod thread;
mod xattr;

#[cfg(test)]
#[cfg(loom)]
mod interleaved;
#[cfg(test)]
#[cfg(loom)]
pub(crate) mod modelled;
#[cfg(all(test, loom))]
use modelled as futex;

pub use arch::memory::{BLOCK_BYTES, ByteRange, positions};
pub use arena::Arena;
pub use cstr::{c_string, until_nul};
pub use decimal::{decimal, two_numbers};
pub use dirent::{DirEntries, DirEntry, getdents64};
pub use errno::{Errno, Result};
pub use fd::{
    BorrowedFd, CWD, OwnedFd, STDERR, STDIN, STDOUT, close_stdout, duplicate_from, is_open,
};
pub use fs::*;
pub use inode::{DeviceNumbers, FileId, FileType, Mode, Timestamp};
pub use io::*;
pub use mapping::{Buffer, MapFlags, Mapping, Prot};
pub use process::{
    KernelVersion, Usage, exit, geteuid, kernel_version, monotonic_ms, monotonic_ns, random_number,
    waits_of_thread,
};
pub use signal::{count_usr1, let_usr1, usr1_count};
pub use startup::{AuxKey, CStrings, Startup, program_name, set_program_name};
pub use stat::{Stat, size_fd, stat_at, stat_fd};
pub use sync::{Guard, Latch, Mutex, Signal};
pub use thread::{MAX_THREADS, Team, allow_threads, descriptor_limit, processor_count};
pub use xattr::{Access, Bearer, NAMES_BYTES, xattr};
