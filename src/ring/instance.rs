//! [`IoUring`]: a ring, the memory under its queues, and the way into the kernel.

use core::time::Duration;

use super::builder::{IoUringBuilder, SetupLevel};
use super::completion::Completion;
use super::operation::{Sqe, address};
use super::probe::Probe;
use super::queues::Completions;
use super::setup::{Map, Mapped, set_up};
use crate::sys::io_uring::{
    EnterFlags, Features, GeteventsArg, Params, SetupFlags, Timespec, io_uring_enter,
    io_uring_setup,
};
use crate::sys::{BorrowedFd, Errno, Mapping, Result, monotonic_ns};

/// An `io_uring` instance.
///
/// Operations are written into the submission queue ([`Self::push`]), handed over
/// ([`Self::submit`] and its kin), and their results reaped ([`Self::complete`],
/// [`Self::wait`]). Neither `Send` nor `Sync`: each queue has one writer on this side.
///
/// Dropping a ring discards what is queued and cancels what is running, without waiting for
/// it to end. Whoever pushed promised to keep the memory until the completion is reaped, so
/// they reap before they drop. Nothing checks that: a check that panics would abort a program
/// that drops the ring because it is panicking.
///
/// The kernel frees a ring a little after it was dropped. On Linux up to 5.11, and from 6.14 on,
/// its memory counts against `RLIMIT_MEMLOCK` of an ordinary user until then: who makes hundreds
/// in a row meets `ENOMEM`, and waits a few milliseconds.
///
/// ```
/// use annulet::ring::{IoUring, Sqe};
/// use std::{fs::File, os::fd::AsRawFd};
///
/// # fn main() -> annulet::sys::Result<()> {
/// # if IoUring::new(8).is_err() { return Ok(()) } // refused to this process
/// let mut ring = IoUring::new(8)?;
/// let file = File::open("Cargo.toml").unwrap();
/// let mut start = [0; 9];
/// let read = Sqe::read(file.as_raw_fd(), start.as_mut_ptr(), 9, 0).user_data(7);
/// // SAFETY: until the read is complete, the file is open and nobody else reaches `start`.
/// unsafe { ring.push(&read) }?;
/// // Hands over what was pushed, too. If it fails, the kernel may still write to `start`.
/// let Ok(completion) = ring.wait() else { std::process::abort() };
/// assert_eq!(completion.user_data, 7);
/// assert_eq!(completion.into_result(), Ok(9));
/// assert_eq!(&start, b"[package]");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct IoUring {
    mapped: Mapped,
    features: Features,
    setup_flags: SetupFlags,
    /// What stands for the ring when it is entered: its descriptor, or the index it was
    /// registered under.
    enter_fd: i32,
    /// [`EnterFlags::REGISTERED_RING`] in the latter case.
    enter_flags: EnterFlags,
    /// Undoes the registration, in the latter case: a function of `register.rs`, which knows
    /// this file, and not the other way round.
    unregister: Option<fn(&mut Self) -> Result<()>>,
}

impl IoUringBuilder<'_> {
    /// Makes the ring.
    ///
    /// # Errors
    /// `EINVAL`: zero entries, more than the kernel takes (32768) without [`Self::clamp`], a
    /// flag this kernel does not know, flags that exclude each other, or a flag that changes
    /// entry sizes or memory layout in a way the ring is not mapped for (refused here, the
    /// kernel is not asked). `ENOSYS`, `EPERM`: no `io_uring` here, or not for us. `ENOMEM`,
    /// `EMFILE`, `ENFILE`: out of memory or descriptors. `EINVAL`, `ENXIO`: what
    /// [`Self::attach_wq`] named is no descriptor, or no ring. `EPROTO`: the kernel's answer
    /// makes no sense.
    pub fn build(&self) -> Result<IoUring> {
        let (mapped, params) = self.set_up(Mapping::shared)?;
        Ok(IoUring::from_mapped(mapped, &params))
    }

    /// As [`Self::build`], with another way to map: for tests of what fails in mid-way.
    ///
    /// # Safety
    /// `map` maps what it is asked for, or less of it, or fails. With another ring's memory two
    /// would write the same entries.
    ///
    /// # Errors
    /// As [`Self::build`], and those of `map`.
    #[doc(hidden)]
    pub unsafe fn build_with(&self, map: Map) -> Result<IoUring> {
        let (mapped, params) = self.set_up(map)?;
        Ok(IoUring::from_mapped(mapped, &params))
    }
}

impl IoUring {
    /// A ring of at least `entries` submission entries and twice as many completion entries,
    /// standing on the highest level of the ladder that this kernel has: [`Self::setup_level`]
    /// tells which. Linux 5.1.
    ///
    /// A flag that the kernel does not know is answered `EINVAL`, and the next level down is
    /// tried; any other error holds for every level.
    ///
    /// # Errors
    /// As [`IoUringBuilder::build`].
    pub fn new(entries: u32) -> Result<Self> {
        Self::new_on(entries, Features::empty())
    }

    /// As [`Self::new`]; `ENOSYS` where the kernel lacks a feature in `required`.
    pub(super) fn new_on(entries: u32, required: Features) -> Result<Self> {
        let mut params = Params::default();
        let mut levels = SetupLevel::LADDER.iter();
        let fd = loop {
            let level = levels.next().ok_or(Errno::EINVAL)?;
            params.flags = level.flags().bits();
            // SAFETY: no level has a flag that names memory.
            match unsafe { io_uring_setup(entries, &mut params) } {
                Err(Errno::EINVAL) => {} // nothing was written to `params`
                answer => break answer?,
            }
        };
        let mapped = set_up(fd, &params, required, true, Mapping::shared)?;
        Ok(Self::from_mapped(mapped, &params))
    }

    /// Asks for a ring of at least `entries` submission entries with flags of one's own.
    pub fn builder<'fd>(entries: u32) -> IoUringBuilder<'fd> {
        IoUringBuilder::new(entries)
    }

    const fn from_mapped(mapped: Mapped, params: &Params) -> Self {
        let enter_fd = mapped.resources.fd.raw();
        Self {
            mapped,
            features: Features::from_bits_retain(params.features),
            setup_flags: SetupFlags::from_bits_retain(params.flags),
            enter_fd,
            enter_flags: EnterFlags::empty(),
            unregister: None,
        }
    }

    /// Asks the kernel what operations it has. Linux 5.6.
    ///
    /// # Errors
    /// `EINVAL` before 5.6: such a kernel has the operations of 5.1 to 5.5 at most.
    pub fn probe(&self) -> Result<Probe> {
        Probe::of(self.as_fd())
    }

    /// What the kernel can do. Linux 5.1, and 0 before 5.4.
    #[must_use]
    pub const fn features(&self) -> Features {
        self.features
    }

    /// The flags the ring was set up with.
    #[must_use]
    pub const fn setup_flags(&self) -> SetupFlags {
        self.setup_flags
    }

    /// Where the ring stands on the ladder of [`Self::new`].
    #[must_use]
    pub fn setup_level(&self) -> SetupLevel {
        SetupLevel::of(self.setup_flags)
    }

    /// The ring's descriptor.
    #[must_use]
    pub const fn as_fd(&self) -> BorrowedFd<'_> {
        self.mapped.resources.fd.as_fd()
    }

    /// How many operations can be queued between two submissions.
    #[must_use]
    pub const fn sq_entries(&self) -> u32 {
        self.mapped.queues.sq_entries()
    }

    /// How many completions can wait to be reaped, and so how many operations may be in
    /// flight.
    #[must_use]
    pub const fn cq_entries(&self) -> u32 {
        self.mapped.queues.cq_entries()
    }

    /// Operations pushed whose completion has not been reaped, or `None` where that cannot be
    /// known. So it is from the first [`Sqe::skip_success`] on: such an operation is silent when
    /// it succeeds, and when it fails the rest of its chain is. And so it is from
    /// [`Self::expect_messages`] on, and once a completion came while nothing was in flight.
    #[must_use]
    pub const fn in_flight(&self) -> Option<u32> {
        self.mapped.queues.in_flight()
    }

    /// Operations pushed that the kernel has not taken.
    #[must_use]
    pub fn queued(&self) -> u32 {
        self.mapped.queues.queued()
    }

    /// Operations the kernel has taken whose completion has not been reaped, as far as
    /// [`Self::in_flight`] is known.
    pub(super) fn running(&self) -> u32 {
        self.mapped.queues.running()
    }

    /// Whether completions wait outside the full completion queue. None is lost (`NODROP`,
    /// Linux 5.5): reap, and the next [`Self::submit_and_wait`] or [`Self::wait`] brings
    /// them in. It cannot happen while [`Self::in_flight`] is known, but for operations that
    /// complete more than once. Linux 5.8.
    #[must_use]
    pub fn cq_overflow(&self) -> bool {
        self.mapped.queues.cq_overflow()
    }

    /// Whether the polling thread sleeps and has to be woken to see what was published:
    /// [`Self::submit`] does so by itself. Only after [`Self::flush_sq_tail`] does the
    /// answer hold: the thread looks at the queue once more before it sleeps.
    #[must_use]
    pub fn sq_need_wakeup(&self) -> bool {
        self.mapped.queues.need_wakeup()
    }

    /// Queues an operation. Nothing happens before it is handed over.
    ///
    /// # Safety
    /// Until the operation's completion is reaped, or the ring is dropped with the operation
    /// never handed over:
    /// - every address the operation holds is valid for what it does (memory that it writes
    ///   is reached by nobody else, memory that it reads is not written, a futex's word only as
    ///   the atomic that it is), and what it says is read at submission until the kernel has taken
    ///   the entry: until [`Self::queued`], which counts the last ones pushed, does not count it any
    ///   more ([`Self::submit`] may take fewer than there are);
    /// - every descriptor it names stays open and is meant by it, and one that it closes has no
    ///   owner left.
    ///
    /// The completion that counts is the last, the one without
    /// [`CqeFlags::MORE`](super::CqeFlags::MORE). If the ring is dropped before it is reaped, that
    /// is for ever. Where it is pushed with [`Sqe::skip_success`], the caller knows by other means
    /// when it is done. Whoever has the ring can reap any completion, and have one come with any
    /// number ([`Self::push_nop`]): code that lets go of memory by a completion's number lets
    /// nobody else have the ring.
    ///
    /// What an operation leaves behind stays in the caller's hands:
    /// - buffers given by [`Sqe::provide_buffers`] are written by any operation that picks from
    ///   their group, until a completion names them ([`Completion::buffer`]),
    ///   [`Sqe::remove_buffers`] has taken all there are, or the ring is dropped with nothing in
    ///   flight; whoever pushes an operation that picks answers for the group's memory;
    /// - a ring that is sent a completion ([`Sqe::msg_ring`]) expects it
    ///   ([`Self::expect_messages`]), or its count of what is in flight becomes wrong, by which
    ///   others may let go of memory that is in use; a slot that is sent a descriptor is one that
    ///   is meant.
    ///
    /// # Errors
    /// `EAGAIN`: the submission queue is full; submit first. `EBUSY`: as much is in flight as
    /// the completion queue holds; reap first. The operation is not queued in either case.
    #[inline]
    pub unsafe fn push(&mut self, sqe: &Sqe) -> Result<()> {
        // SAFETY: the caller keeps the same contract.
        unsafe { self.mapped.queues.push(sqe.raw()) }
    }

    /// Queues an operation that does nothing and completes with 0. Linux 5.1.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub fn push_nop(&mut self, user_data: u64) -> Result<()> {
        let nop = Sqe::nop().user_data(user_data);
        // SAFETY: a no-op holds neither addresses nor descriptors.
        unsafe { self.push(&nop) }
    }

    /// Has the ring take completions that it has pushed nothing for: messages of other rings
    /// ([`Sqe::msg_ring`]) or of itself. From now on [`Self::in_flight`] is unknown, so
    /// [`Self::wait`] waits also while nothing is in flight, and nothing bounds what is: an
    /// overflow, which loses nothing, becomes possible ([`Self::cq_overflow`]).
    pub const fn expect_messages(&mut self) {
        self.mapped.queues.forget_in_flight();
    }

    /// Shows the kernel the entries pushed so far. Without a polling thread the kernel looks
    /// only when entered, so [`Self::submit`] and its kin, which do this first, are all one
    /// needs.
    pub fn flush_sq_tail(&self) {
        self.mapped.queues.publish();
    }

    /// Hands over everything queued, without waiting, and gives how many entries the kernel
    /// has taken. With a polling thread it is woken if it sleeps, and the number is what was
    /// left for it to take.
    ///
    /// Fewer than were queued may be taken: the kernel stops after an entry it finds invalid
    /// (that entry completes with its error). The rest stays queued for the next call.
    ///
    /// With deferred completion work no completions arrive by this call.
    ///
    /// # Errors
    /// Those of the list in [the module](super). After any of them everything that was
    /// queued is still queued.
    #[inline]
    pub fn submit(&mut self) -> Result<u32> {
        let (fd, flags) = (self.enter_fd, self.enter_flags);
        self.mapped
            .queues
            .enter(0, flags, |n, min, flags| enter(fd, n, min, flags))
    }

    /// As [`Self::submit`], and then waits until `min_complete` completions are ready to be
    /// reaped.
    ///
    /// It may return sooner: after a signal, after a short submission, and a success hides a
    /// signal that came after it. Loop on what is in flight, or call [`Self::wait`], which
    /// does. With `min_complete` 0 it brings in what has completed without waiting.
    ///
    /// # Errors
    /// As [`Self::submit`].
    #[inline]
    pub fn submit_and_wait(&mut self, min_complete: u32) -> Result<u32> {
        let (fd, flags) = (self.enter_fd, self.enter_flags | EnterFlags::GETEVENTS);
        self.mapped
            .queues
            .enter(min_complete, flags, |n, min, flags| {
                enter(fd, n, min, flags)
            })
    }

    /// As [`Self::submit_and_wait`], for no longer than `timeout`. Linux 5.11.
    ///
    /// Where this call has handed something over it says so, also when the time is up: whether
    /// completions are there, [`Self::complete`] tells.
    ///
    /// # Errors
    /// `ETIME`: the time is up, not one completion has come, and nothing was handed over.
    /// `EINTR`: a signal came first. `EINVAL` before 5.11. Else as [`Self::submit`].
    pub fn submit_and_wait_timeout(&mut self, min_complete: u32, timeout: Duration) -> Result<u32> {
        self.submit_and_wait_limited(min_complete, timeout, 0)
    }

    /// As [`Self::submit_and_wait_timeout`]; once `min_wait` (in whole microseconds, and no longer
    /// than `timeout`) is over, one completion is enough, be `min_complete` what it may. So those
    /// that come together are waited for together, and one that comes alone is not kept waiting.
    /// Linux 6.12.
    ///
    /// # Errors
    /// `EINVAL` before 6.12. Else as [`Self::submit_and_wait_timeout`].
    pub fn submit_and_wait_min_timeout(
        &mut self,
        min_complete: u32,
        min_wait: Duration,
        timeout: Duration,
    ) -> Result<u32> {
        // Kernels from before take no notice of it, or refuse it.
        if !self.features.contains(Features::MIN_TIMEOUT) {
            return Err(Errno::EINVAL);
        }
        // The kernel waits so long whatever the limit is.
        let min_wait_usec = min_wait.min(timeout).as_micros();
        let min_wait_usec = u32::try_from(min_wait_usec).unwrap_or(u32::MAX);
        self.submit_and_wait_limited(min_complete, timeout, min_wait_usec)
    }

    fn submit_and_wait_limited(
        &mut self,
        min_complete: u32,
        timeout: Duration,
        min_wait_usec: u32,
    ) -> Result<u32> {
        let (fd, flags) = (self.enter_fd, self.enter_flags | EnterFlags::GETEVENTS);
        self.mapped
            .queues
            .enter(min_complete, flags, |n, min, flags| {
                enter_for(fd, n, min, flags, timeout, min_wait_usec)
            })
    }

    /// Hands over to the polling thread, waking it only if it sleeps.
    ///
    /// # Errors
    /// `EINVAL`: the ring has no polling thread, nothing would take the entries. Else as
    /// [`Self::submit`].
    pub fn submit_sqpoll(&mut self) -> Result<()> {
        if !self.mapped.queues.sqpoll() {
            return Err(Errno::EINVAL);
        }
        self.submit().map(drop)
    }

    /// Waits until the polling thread has made room in a full submission queue. Linux 5.10.
    ///
    /// # Errors
    /// As [`Self::submit_sqpoll`].
    pub fn wait_for_room(&mut self) -> Result<()> {
        self.submit_sqpoll()?;
        let flags = self.enter_flags | EnterFlags::SQ_WAIT;
        enter(self.enter_fd, 0, 0, flags).map(drop)
    }

    /// Hands over what is queued and gives the next completion, waiting if none has arrived.
    /// Signals, refusals that pass, short submissions and overflows are dealt with. While
    /// [`Self::in_flight`] is unknown it cannot tell that nothing is, and waits for ever then.
    ///
    /// # Errors
    /// `ECHILD`: nothing is in flight. `EAGAIN`, `EBUSY`: the kernel goes on refusing for
    /// want of memory while nothing runs; what was queued still is. Any other: the ring is of
    /// no more use.
    pub fn wait(&mut self) -> Result<Completion> {
        let (fd, ours) = (self.enter_fd, self.enter_flags);
        self.mapped
            .queues
            .next(|n, min, flags| enter(fd, n, min, flags | ours))
    }

    /// As [`Self::wait`], for no longer than `timeout`, however many signals come. Linux 5.11.
    ///
    /// # Errors
    /// `ETIME`: the time is up, and no completion has come. `EINVAL` before 5.11. Else as
    /// [`Self::wait`].
    pub fn wait_timeout(&mut self, timeout: Duration) -> Result<Completion> {
        let (fd, ours) = (self.enter_fd, self.enter_flags);
        let start_ns = monotonic_ns();
        self.mapped.queues.next(|n, min, flags| {
            let passed = Duration::from_nanos(monotonic_ns().saturating_sub(start_ns));
            let left = timeout.saturating_sub(passed);
            enter_for(fd, n, min, flags | ours, left, 0)
        })
    }

    /// Reaps one completion if one has arrived.
    ///
    /// The kernel gets the queue's entry back at the next submission or [`Self::sync_cq`].
    #[inline]
    pub fn complete(&mut self) -> Option<Completion> {
        self.mapped.queues.complete()
    }

    /// Reaps what has arrived, and gives the queue's entries back at the end.
    #[inline]
    pub const fn completions(&mut self) -> Completions<'_> {
        Completions(&mut self.mapped.queues)
    }

    /// Gives the entries of reaped completions back to the kernel. Every submission does so.
    pub fn sync_cq(&self) {
        self.mapped.queues.sync_cq();
    }

    /// The index the ring was registered under.
    pub(super) const fn entered_by_index(&self) -> Option<u32> {
        if self.enter_flags.is_empty() {
            None
        } else {
            Some(self.enter_fd.cast_unsigned())
        }
    }

    /// Takes the newest operation back that was not handed over, and gives its `user_data`. Not for
    /// a ring with a polling thread.
    pub(super) fn retract(&mut self) -> Option<u64> {
        self.mapped.queues.retract()
    }

    /// Has the ring entered by its registered `index`, which `unregister` undoes.
    pub(super) const fn enter_by_index(
        &mut self,
        index: u32,
        unregister: fn(&mut Self) -> Result<()>,
    ) {
        self.enter_fd = index.cast_signed();
        self.enter_flags = EnterFlags::REGISTERED_RING;
        self.unregister = Some(unregister);
    }

    /// Has the ring entered by its descriptor.
    pub(super) const fn enter_by_descriptor(&mut self) {
        self.enter_fd = self.as_fd().raw();
        self.enter_flags = EnterFlags::empty();
        self.unregister = None;
    }
}

impl Drop for IoUring {
    fn drop(&mut self) {
        // The thread's table of registered rings holds the ring open by itself. Where this fails it
        // does so until the thread ends.
        if let Some(unregister) = self.unregister {
            let _ = unregister(self);
        }
    }
}

fn enter(fd: i32, to_submit: u32, min_complete: u32, flags: EnterFlags) -> Result<u32> {
    // SAFETY: whoever pushed the entries answered for them (`IoUring::push`).
    unsafe { io_uring_enter(fd, to_submit, min_complete, flags, None) }
}

/// A time to wait as the kernel takes it: it adds its clock, which the sum must fit, so no more
/// than 136 years.
pub(super) fn time_limit(timeout: Duration) -> Timespec {
    timeout.min(Duration::from_secs(u32::MAX.into())).into()
}

/// As [`enter`], waiting no longer than `timeout`, and for more than one completion no longer than
/// `min_wait_usec`.
fn enter_for(
    fd: i32,
    to_submit: u32,
    min_complete: u32,
    flags: EnterFlags,
    timeout: Duration,
    min_wait_usec: u32,
) -> Result<u32> {
    let time = time_limit(timeout);
    let limit = GeteventsArg {
        min_wait_usec,
        ts: address(&raw const time),
        ..GeteventsArg::default()
    };
    // SAFETY: as in `enter`; `limit` names a time that outlives the call.
    unsafe { io_uring_enter(fd, to_submit, min_complete, flags, Some(&limit)) }
}

/// A ring must stay on its thread: this stops compiling if it becomes `Send` or `Sync`, as
/// the name below could then mean either of two functions.
const _: () = {
    trait Unless<Reason> {
        fn holds() {}
    }
    struct BecauseSend;
    struct BecauseSync;
    impl<T> Unless<()> for T {}
    impl<T: Send> Unless<BecauseSend> for T {}
    impl<T: Sync> Unless<BecauseSync> for T {}
    let _ = <IoUring as Unless<_>>::holds;
};
