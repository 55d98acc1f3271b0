//! Reads, and writes by a worker of the kernel's, fed through the ring.
//!
//! `io_uring` promises no order. Plain writes to one regular file were seen to be carried out one
//! after the other, as they were queued, where the file system refuses buffered writes that may
//! not wait, so that all of them go to one worker (`io_wq_hash_work` in the kernel's
//! `io_uring/io_uring.c`): no gap in 270 stopped copies each on ext4 and tmpfs. With
//! `IOSQE_ASYNC` there were gaps in 15 of 24, with `IOSQE_IO_LINK` in 2 of 23, and on xfs, which
//! takes such writes at once, in 6 of 70. So none of these flags is set, elsewhere one write is
//! in flight at a time ([`Route::queues`](super::route::Route)), and a completion out of order is
//! noticed.

use super::pipeline::{Writer, Written, if_final};
use crate::ring::Session;
use crate::sys::{BorrowedFd, Errno, Result};

/// The ring, as who reads sees it.
pub struct RingWriter<'a> {
    /// Itself.
    pub ring: Session<'a, 'a>,
    /// What is written to.
    pub to: BorrowedFd<'a>,
    /// The slot that was handed over last.
    pub newest: u32,
}

impl Writer for RingWriter<'_> {
    fn slot_mut(&mut self, slot: u32) -> &mut [u8] {
        self.ring.slot_mut(slot)
    }

    fn write(&mut self, slot: u32, len: usize, at: u64) -> Result<()> {
        self.ring.write(slot, self.to, 0..len, Some(at))?;
        self.newest = slot;
        // Where all slots are busy, waiting for one hands it over by the same call.
        if self.ring.in_flight() < self.ring.slot_count() {
            self.ring.submit()?;
        }
        Ok(())
    }

    fn wait(&mut self) -> Result<Written> {
        let (slot, count, errno) = match self.ring.wait().map(|done| (done.slot, done.result)) {
            Ok((slot, Ok(count))) => (slot, count as usize, None),
            // Either the ring has failed, or the kernel could not make a worker, and will not the
            // next time. What the copy is then cut to must not grow again.
            Err(errno) | Ok((_, Err(errno @ Errno::ECANCELED))) => {
                // If it does not come to rest in seconds, nothing more can be done.
                let _ = self.ring.cancel_all(self.newest);
                return Err(errno);
            }
            Ok((slot, Err(errno))) => (slot, 0, if_final(errno)),
        };
        Ok(Written { slot, count, errno })
    }
}
