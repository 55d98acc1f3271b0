//! The completion queue: results the kernel writes and the program reaps.

use core::sync::atomic::Ordering;

use super::shared::{Counter, Entries};
use crate::sys::io_uring::{CqeFlags, RawCqe};
use crate::sys::{Errno, Result};

/// What became of one operation.
///
/// ```
/// use annulet::ring::{Completion, CqeFlags};
/// use annulet::sys::Errno;
///
/// let read = Completion { user_data: 7, result: 512, flags: CqeFlags::empty() };
/// assert_eq!(read.into_result(), Ok(512));
/// let failed = Completion { result: -2, ..read };
/// assert_eq!(failed.into_result(), Err(Errno::ENOENT));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Completion {
    /// The number the operation was pushed with.
    pub user_data: u64,
    /// A count, a descriptor, 0, or an errno negated. Negative is data, not a failure of the
    /// ring.
    pub result: i32,
    /// What else the kernel says.
    pub flags: CqeFlags,
}

impl Completion {
    /// The result as a value or an error. A negative number that is no errno (the kernel
    /// gives none) becomes `EIO`.
    ///
    /// # Errors
    /// The operation's.
    #[inline]
    pub const fn into_result(self) -> Result<u32> {
        if self.result >= 0 {
            return Ok(self.result.unsigned_abs());
        }
        // Not `-self.result`, which overflows for the most negative value.
        match Errno::from_number(self.result.unsigned_abs()) {
            Some(errno) => Err(errno),
            None => Err(Errno::EIO),
        }
    }

    /// Whether the operation failed.
    #[must_use]
    pub const fn is_err(&self) -> bool {
        self.result < 0
    }

    /// Whether the operation goes on and will report again: it keeps what it was pushed with.
    /// Linux 5.13.
    #[must_use]
    pub const fn has_more(&self) -> bool {
        self.flags.contains(CqeFlags::MORE)
    }

    /// The number of the buffer that the kernel picked for it
    /// ([`Sqe::buffer_group`](super::Sqe::buffer_group)), which is the program's again.
    /// Linux 5.7.
    #[must_use]
    pub const fn buffer(&self) -> Option<u16> {
        if !self.flags.contains(CqeFlags::BUFFER) {
            return None;
        }
        // `IORING_CQE_BUFFER_SHIFT`
        Some((self.flags.bits() >> 16) as u16)
    }
}

/// The program's end of the completion queue, over pointers into memory shared with the
/// kernel (or, in tests, with a stand-in for it).
#[derive(Debug)]
pub(super) struct CompletionQueue {
    /// Next completion the program reaps; the program moves it.
    khead: Counter,
    /// One past the last completion; the kernel moves it.
    ktail: Counter,
    cqes: Entries<RawCqe>,
    /// Next completion to reap, ahead of `khead` until [`Self::publish`].
    head: u32,
}

impl CompletionQueue {
    /// A queue over shared memory.
    ///
    /// # Safety
    /// For as long as the queue is used nobody else writes `khead`, and whoever moves `ktail` has
    /// written the completions it passes before, and writes none from `khead` up to it.
    pub(super) unsafe fn new(khead: Counter, ktail: Counter, cqes: Entries<RawCqe>) -> Self {
        let mut queue = Self {
            khead,
            ktail,
            cqes,
            head: 0,
        };
        // Relaxed: the head has no other writer than this program.
        queue.head = queue.khead.load(Ordering::Relaxed);
        queue
    }

    /// Number of entries the queue has.
    pub(super) const fn entries(&self) -> u32 {
        self.cqes.count()
    }

    /// Completions that can be reaped now.
    #[inline]
    pub(super) fn ready(&self) -> u32 {
        // Acquire pairs with the kernel's release store of the tail (`io_commit_cqring`):
        // the completions before it are written in full.
        let tail = self.ktail.load(Ordering::Acquire);
        tail.wrapping_sub(self.head)
    }

    /// Takes the oldest completion. The kernel learns of it at the next [`Self::publish`].
    #[inline]
    pub(super) fn reap(&mut self) -> Option<Completion> {
        if self.ready() == 0 {
            return None;
        }
        // SAFETY: `ready` has seen the tail beyond it, so it is written, and `khead` has not
        // passed it, so it is not written again.
        let cqe = unsafe { self.cqes.read(self.head) };
        self.head = self.head.wrapping_add(1);
        Some(Completion {
            user_data: cqe.user_data,
            result: cqe.res,
            flags: CqeFlags::from_bits_retain(cqe.flags),
        })
    }

    /// Gives the entries of reaped completions back to the kernel.
    #[inline]
    pub(super) fn publish(&self) {
        // Release pairs with the kernel's read of the head before it writes an entry
        // (`io_cqe_cache_refill`, by control dependency): the completion has been read.
        self.khead.store(self.head, Ordering::Release);
    }
}
