//! The submission queue: entries the program writes and the kernel takes.

use core::sync::atomic::Ordering;

use super::shared::{Counter, Entries, fence};
use crate::sys::io_uring::{RawSqe, SqRingFlags};

/// The program's end of the submission queue, over pointers into memory shared with the
/// kernel (or, in tests, with a stand-in for it).
#[derive(Debug)]
pub(super) struct SubmissionQueue {
    /// Next entry the kernel takes; the kernel moves it.
    khead: Counter,
    /// One past the last entry the kernel may take; the program moves it.
    ktail: Counter,
    /// [`SqRingFlags`], set by the kernel.
    kflags: Counter,
    sqes: Entries<RawSqe>,
    /// One past the last entry written, ahead of `ktail` until [`Self::publish`].
    tail: u32,
}

impl SubmissionQueue {
    /// A queue over shared memory.
    ///
    /// # Safety
    /// For as long as the queue is used nobody else writes `ktail` or `sqes`, and whoever moves
    /// `khead` does so after it has read the entries it passes.
    pub(super) unsafe fn new(
        khead: Counter,
        ktail: Counter,
        kflags: Counter,
        sqes: Entries<RawSqe>,
    ) -> Self {
        let mut queue = Self {
            khead,
            ktail,
            kflags,
            sqes,
            tail: 0,
        };
        // Relaxed: the tail has no other writer than this program.
        queue.tail = queue.ktail.load(Ordering::Relaxed);
        queue
    }

    /// Number of entries the queue has.
    pub(super) const fn entries(&self) -> u32 {
        self.sqes.count()
    }

    /// Entries written that the kernel has not taken, published or not.
    pub(super) fn queued(&self) -> u32 {
        // Acquire pairs with the kernel's release store of the head (`io_commit_sqring`): it
        // has read the entries before the head, so they may be written anew.
        let head = self.khead.load(Ordering::Acquire);
        self.tail.wrapping_sub(head)
    }

    /// One past the last entry written.
    #[inline]
    pub(super) const fn tail(&self) -> u32 {
        self.tail
    }

    /// Writes `sqe` at the tail, unseen by the kernel until [`Self::publish`].
    ///
    /// # Safety
    /// Fewer than [`Self::entries`] are [`Self::queued`], and the operation's own contract
    /// (`IoUring::push`) holds.
    #[inline]
    pub(super) unsafe fn write(&mut self, sqe: &RawSqe) {
        debug_assert!(self.queued() < self.entries());
        // SAFETY: there is room, so the kernel is done with the entry.
        unsafe { self.sqes.write(self.tail, sqe) };
        self.tail = self.tail.wrapping_add(1);
    }

    /// Takes the newest entry back that the kernel has not taken, and gives its `user_data`. Not
    /// for a ring whose entries a kernel thread takes at any time.
    pub(super) fn retract(&mut self) -> Option<u64> {
        if self.queued() == 0 {
            return None;
        }
        self.tail = self.tail.wrapping_sub(1);
        self.publish();
        // SAFETY: written before; the kernel only reads it.
        Some(unsafe { self.sqes.read(self.tail) }.user_data)
    }

    /// Shows the kernel every entry written so far.
    #[inline]
    pub(super) fn publish(&self) {
        // Release pairs with the kernel's acquire load of the tail (`io_sqring_entries`):
        // whoever sees the new tail sees the entries before it in full.
        self.ktail.store(self.tail, Ordering::Release);
    }

    /// Whether the polling thread sleeps and has to be woken to see what was published.
    pub(super) fn need_wakeup(&self) -> bool {
        // The thread sets NEED_WAKEUP, then looks at the tail once more, then sleeps; the
        // program stores the tail, then looks at the flag. Each side's store has to come
        // before its load, which neither Release nor Acquire gives: this fence pairs with
        // `smp_mb__after_atomic` in the kernel's `io_sq_thread`. Without it both can read
        // the old value, and the entries lie there until something else wakes the thread.
        fence(Ordering::SeqCst);
        self.flags().contains(SqRingFlags::NEED_WAKEUP)
    }

    /// The state the kernel shows.
    pub(super) fn flags(&self) -> SqRingFlags {
        // Relaxed: a bit is a hint to enter the kernel, no data is read on its account.
        SqRingFlags::from_bits_retain(self.kflags.load(Ordering::Relaxed))
    }
}
