//! What is looked up of files before a way is chosen for their data.

use crate::sys::{self, BorrowedFd, Errno};

/// A read of one byte that takes less has not waited for it.
const LEAST_WAIT_NS: u64 = 50_000;

/// The file system that a file is on, asked for once for all files of a device.
#[derive(Debug, Default)]
pub struct FileSystem {
    dev: Option<u64>,
    /// See [`super::route::file_systems`]; of the unknown 0.
    kind: u64,
}

impl FileSystem {
    /// The kind of the one that `file` is on, which is on device `dev` where that is known.
    pub fn kind_of(&mut self, file: BorrowedFd<'_>, dev: Option<u64>) -> u64 {
        if dev.is_none() || self.dev != dev {
            // Unknown is as good as any other.
            let kind = sys::file_system_type(file).unwrap_or_default();
            *self = Self { dev, kind };
        }
        self.kind
    }
}

/// Whether what a file of `size` bytes holds can be read without waiting, by all signs.
pub fn is_cached(file: BorrowedFd<'_>, size: u64) -> bool {
    is_cached_at(file, 0) && is_cached_at(file, size / 2)
}

/// Whether the beginning of a file, which was read, has stayed in the page cache, as far as can be
/// told: else its server has asked for reads that go past it.
pub fn has_stayed(file: BorrowedFd<'_>) -> bool {
    // Not by the clock: others may have the processor.
    let before = sys::waits_of_thread();
    let _ = sys::pread(file, &mut [0], 0);
    sys::waits_of_thread() == before
}

fn is_cached_at(file: BorrowedFd<'_>, at: u64) -> bool {
    match sys::pread_cached(file, &mut [0], at) {
        Ok(_) => true,
        Err(Errno::EAGAIN) => false,
        // Not every file system can tell (FUSE, overlayfs): how long it takes does.
        Err(_) => {
            let before = sys::monotonic_ns();
            let _ = sys::pread(file, &mut [0], at);
            sys::monotonic_ns() - before < LEAST_WAIT_NS
        }
    }
}
