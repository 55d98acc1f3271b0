//! Both queues together: what is in flight, and entering the kernel.
//!
//! The kernel is a closure here (`to_submit`, `min_complete`, flags to consumed), so that the
//! same code runs against `io_uring_enter` and against the tests' scripted stand-in.

use super::completion::{Completion, CompletionQueue};
use super::submission::SubmissionQueue;
use crate::sys::io_uring::{CqeFlags, EnterFlags, RawSqe, SqRingFlags, SqeFlags};
use crate::sys::{Errno, Result};

/// What an error of `io_uring_enter` asks for. [The module](super) has the list.
///
/// ```
/// use annulet::ring::{IoUring, Verdict};
///
/// # fn main() -> annulet::sys::Result<()> {
/// # let Ok(mut ring) = IoUring::new(8) else { return Ok(()) }; // refused to this process
/// ring.push_nop(1)?;
/// while let Err(errno) = ring.submit() {
///     match Verdict::of(errno) {
///         Verdict::Again => {}
///         Verdict::ReapThenAgain => ring.completions().for_each(|done| println!("{done:?}")),
///         Verdict::Fatal => return Err(errno),
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing happened: call again.
    Again,
    /// Reap completions, then call again.
    ReapThenAgain,
    /// The ring is of no more use.
    Fatal,
}

impl Verdict {
    /// What `errno` asks for.
    #[must_use]
    pub const fn of(errno: Errno) -> Self {
        match errno {
            Errno::EINTR => Self::Again,
            Errno::EAGAIN | Errno::EBUSY => Self::ReapThenAgain,
            _ => Self::Fatal,
        }
    }
}

/// How often [`Queues::next`] takes "no memory just now" for an answer while nothing of its
/// own is running that could give memory back.
const PATIENCE: u32 = 64;

/// A submission and a completion queue of one ring.
#[derive(Debug)]
pub(super) struct Queues {
    sq: SubmissionQueue,
    cq: CompletionQueue,
    /// How far the submission queue's tail may go: a lower bound, worked out anew by
    /// [`Self::make_room`] when it is reached. One comparison a push instead of three: a
    /// batch of 32 no-ops took 1.09 of the `io-uring` crate's time before, 1.03 with it.
    limit: u32,
    /// Where the submission queue's tail was when as many operations had been pushed as are
    /// complete and reaped by now.
    retired: u32,
    /// Every operation has reported or will (see [`Self::push`]), and nothing else has (messages
    /// of other rings), so `retired` is right.
    counted: bool,
    /// A kernel thread takes submissions.
    sqpoll: bool,
}

impl Queues {
    pub(super) const fn new(sq: SubmissionQueue, cq: CompletionQueue, sqpoll: bool) -> Self {
        let tail = sq.tail();
        Self {
            sq,
            cq,
            limit: tail,
            retired: tail,
            counted: true,
            sqpoll,
        }
    }

    pub(super) const fn sq_entries(&self) -> u32 {
        self.sq.entries()
    }

    pub(super) const fn cq_entries(&self) -> u32 {
        self.cq.entries()
    }

    /// Operations pushed whose completion has not been reaped; `None` once it cannot be
    /// known (see [`Self::push`]).
    pub(super) const fn in_flight(&self) -> Option<u32> {
        if self.counted {
            Some(self.sq.tail().wrapping_sub(self.retired))
        } else {
            None
        }
    }

    pub(super) const fn forget_in_flight(&mut self) {
        self.counted = false;
    }

    pub(super) const fn sqpoll(&self) -> bool {
        self.sqpoll
    }

    pub(super) fn queued(&self) -> u32 {
        self.sq.queued()
    }

    pub(super) fn ready(&self) -> u32 {
        self.cq.ready()
    }

    pub(super) fn cq_overflow(&self) -> bool {
        self.sq.flags().contains(SqRingFlags::CQ_OVERFLOW)
    }

    pub(super) fn need_wakeup(&self) -> bool {
        self.sq.need_wakeup()
    }

    /// Writes an entry: `EAGAIN` while the submission queue is full, `EBUSY` while as much
    /// is in flight as the completion queue holds.
    ///
    /// An operation that reports only failure makes the count unknowable: its success is
    /// silent, and its failure silences the rest of its chain. From then on nothing bounds
    /// what is in flight, and an overflow, which loses nothing, becomes possible.
    ///
    /// # Safety
    /// As `IoUring::push`.
    #[inline]
    pub(super) unsafe fn push(&mut self, sqe: &RawSqe) -> Result<()> {
        if self.sq.tail() == self.limit {
            self.make_room()?;
        }
        if sqe.flags & SqeFlags::CQE_SKIP_SUCCESS.bits() != 0 {
            self.counted = false;
        }
        // SAFETY: there is room; the caller answers for the operation.
        unsafe { self.sq.write(sqe) };
        Ok(())
    }

    /// As [`SubmissionQueue::retract`].
    pub(super) fn retract(&mut self) -> Option<u64> {
        self.sq.retract()
    }

    /// Raises the limit to what both queues have room for.
    #[cold]
    fn make_room(&mut self) -> Result<()> {
        let mut room = self.sq.entries().saturating_sub(self.queued());
        if let Some(in_flight) = self.in_flight() {
            let left = self.cq.entries().saturating_sub(in_flight);
            if left == 0 {
                return Err(Errno::EBUSY);
            }
            room = room.min(left);
        }
        if room == 0 {
            return Err(Errno::EAGAIN);
        }
        self.limit = self.sq.tail().wrapping_add(room);
        Ok(())
    }

    /// Reaps one completion.
    #[inline]
    pub(super) fn complete(&mut self) -> Option<Completion> {
        let completion = self.cq.reap()?;
        // A completion that announces more of its kind leaves the operation in flight.
        let more = completion.flags.contains(CqeFlags::MORE);
        // With nothing in flight it is another ring's message.
        self.counted &= self.retired != self.sq.tail();
        self.retired = self.retired.wrapping_add(u32::from(!more));
        Some(completion)
    }

    pub(super) fn sync_cq(&self) {
        self.cq.publish();
    }

    /// Shows the kernel what was reaped and what was written. In this order: a kernel thread
    /// may start the entries at once, and must not find the completion queue fuller than it
    /// is.
    #[inline]
    pub(super) fn publish(&self) {
        self.cq.publish();
        self.sq.publish();
    }

    /// Publishes, hands everything over, and with `GETEVENTS` waits for `min_complete`
    /// completions. Gives how many entries the kernel has taken.
    #[inline]
    pub(super) fn enter(
        &self,
        min_complete: u32,
        mut flags: EnterFlags,
        mut kernel: impl FnMut(u32, u32, EnterFlags) -> Result<u32>,
    ) -> Result<u32> {
        self.publish();
        // From the kernel's own head every time: after a short submission the rest is still
        // there, which a second count of what was handed over would not know.
        let to_submit = self.sq.queued();
        let mut idle = to_submit == 0;
        if self.sqpoll {
            idle = !self.sq.need_wakeup();
            flags.set(EnterFlags::SQ_WAKEUP, !idle);
        }
        if idle && !flags.contains(EnterFlags::GETEVENTS) {
            return Ok(to_submit);
        }
        kernel(to_submit, min_complete, flags)
    }

    /// Hands over what is queued and gives the next completion, waiting if none has arrived.
    /// `EINTR`, `EAGAIN`, `EBUSY`, short submissions and overflows end here.
    ///
    /// `ECHILD` if nothing is in flight; the errno of a [`Verdict::Fatal`]; `EAGAIN` or
    /// `EBUSY` if the kernel goes on refusing while nothing is running that could end it.
    pub(super) fn next(
        &mut self,
        mut kernel: impl FnMut(u32, u32, EnterFlags) -> Result<u32>,
    ) -> Result<Completion> {
        let mut patience = PATIENCE;
        let mut entered = false;
        // The last refusal, while there is one: then nothing more is handed over as long as
        // the kernel has something that can be waited for.
        let mut refused = None;
        loop {
            // What is queued goes first, so that it runs while the caller looks at this one.
            if (entered || self.queued() == 0)
                && let Some(completion) = self.complete()
            {
                return Ok(completion);
            }
            if self.in_flight() == Some(0) {
                return Err(Errno::ECHILD);
            }
            patience -= u32::from(refused.is_some());
            if let Some(errno) = refused
                && patience == 0
            {
                return Err(errno);
            }
            let holds_back = refused.is_some() && self.running() > 0;
            let most = if holds_back { 0 } else { u32::MAX };
            let min_complete = u32::from(self.ready() == 0);
            let outcome = self.enter(min_complete, EnterFlags::GETEVENTS, |n, min, flags| {
                kernel(n.min(most), min, flags)
            });
            if let Err(errno) = outcome
                && Verdict::of(errno) == Verdict::Fatal
            {
                return Err(errno);
            }
            let passes = |errno: &Errno| Verdict::of(*errno) == Verdict::ReapThenAgain;
            refused = outcome.err().filter(passes);
            // A call that was interrupted has handed nothing over.
            entered |= outcome.is_ok() || refused.is_some();
        }
    }

    /// Operations the kernel has taken and not reported, as far as is known.
    pub(super) fn running(&self) -> u32 {
        let queued = self.queued();
        self.in_flight()
            .map_or(0, |in_flight| in_flight.saturating_sub(queued))
    }
}

/// Reaps what has arrived; made by [`super::IoUring::completions`].
///
/// It ends when the queue is empty, and goes on if asked again after more has arrived. The
/// entries are given back to the kernel when it is dropped.
///
/// ```
/// use annulet::ring::IoUring;
///
/// # fn main() -> annulet::sys::Result<()> {
/// # let Ok(mut ring) = IoUring::new(8) else { return Ok(()) }; // refused to this process
/// for number in 0..4 {
///     ring.push_nop(number)?;
/// }
/// let mut numbers = Vec::new();
/// while ring.in_flight() != Some(0) {
///     ring.submit_and_wait(1)?;
///     numbers.extend(ring.completions().map(|completion| completion.user_data));
/// }
/// assert_eq!(numbers, [0, 1, 2, 3]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Completions<'ring>(pub(super) &'ring mut Queues);

impl Iterator for Completions<'_> {
    type Item = Completion;

    #[inline]
    fn next(&mut self) -> Option<Completion> {
        self.0.complete()
    }

    /// At least what has arrived; more may arrive while iterating.
    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.0.ready() as usize, None)
    }
}

impl Drop for Completions<'_> {
    #[inline]
    fn drop(&mut self) {
        self.0.sync_cq();
    }
}
