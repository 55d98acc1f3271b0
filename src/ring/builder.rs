//! What may be asked of the kernel when a ring is made, and the levels of the ladder of
//! `IoUring::new`.

use super::setup::{Map, Mapped, set_up};
use crate::sys::io_uring::{Features, Params, SetupFlags, io_uring_setup};
use crate::sys::{BorrowedFd, Errno, Result};

/// The flags that leave entry sizes and memory layout as this module maps them. All others,
/// those of future kernels included, are refused: a ring would be set up that is not mapped
/// as it is (`SQE128`, `CQE32`, the mixed sizes, `NO_MMAP`, `REGISTERED_FD_ONLY`).
const MAPPED: SetupFlags = SetupFlags::IOPOLL
    .union(SetupFlags::SQPOLL)
    .union(SetupFlags::SQ_AFF)
    .union(SetupFlags::CQSIZE)
    .union(SetupFlags::CLAMP)
    .union(SetupFlags::ATTACH_WQ)
    .union(SetupFlags::R_DISABLED)
    .union(SetupFlags::SUBMIT_ALL)
    .union(SetupFlags::COOP_TASKRUN)
    .union(SetupFlags::TASKRUN_FLAG)
    .union(SetupFlags::SINGLE_ISSUER)
    .union(SetupFlags::DEFER_TASKRUN)
    .union(SetupFlags::NO_SQARRAY)
    .union(SetupFlags::HYBRID_IOPOLL);

/// Where on the ladder of [`super::IoUring::new`] a ring stands.
///
/// ```
/// use annulet::ring::{IoUring, SetupLevel};
///
/// # fn main() -> annulet::sys::Result<()> {
/// # let Ok(ring) = IoUring::new(8) else { return Ok(()) }; // refused to this process
/// match ring.setup_level() {
///     SetupLevel::Plain => println!("completions arrive by themselves"),
///     SetupLevel::Deferred | SetupLevel::NoArray => println!("they arrive when waited for"),
/// }
/// assert!(ring.setup_flags().contains(ring.setup_level().flags()));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetupLevel {
    /// One issuer, completion work deferred, no index array: Linux 6.6.
    NoArray,
    /// One issuer, completion work deferred: Linux 6.1.
    Deferred,
    /// No flags: Linux 5.1, and what answers `EINVAL` to any flag (gVisor).
    Plain,
}

impl SetupLevel {
    /// From the top down.
    pub(super) const LADDER: [Self; 3] = [Self::NoArray, Self::Deferred, Self::Plain];

    /// The flags asked for on this level.
    #[must_use]
    pub const fn flags(self) -> SetupFlags {
        let deferred = SetupFlags::SINGLE_ISSUER.union(SetupFlags::DEFER_TASKRUN);
        match self {
            Self::NoArray => deferred.union(SetupFlags::NO_SQARRAY),
            Self::Deferred => deferred,
            Self::Plain => SetupFlags::empty(),
        }
    }

    /// The highest level whose flags are all in `flags`.
    #[must_use]
    pub fn of(flags: SetupFlags) -> Self {
        if flags.contains(Self::NoArray.flags()) {
            Self::NoArray
        } else if flags.contains(Self::Deferred.flags()) {
            Self::Deferred
        } else {
            Self::Plain
        }
    }
}

/// Asks for a ring with exactly the flags given; made by [`super::IoUring::builder`].
///
/// Nothing is tried again without a flag the kernel does not know: [`super::IoUring::new`] does
/// that.
///
/// ```
/// use annulet::ring::{IoUring, SetupFlags};
/// use annulet::sys::Errno;
///
/// # fn main() -> annulet::sys::Result<()> {
/// # if IoUring::new(8).is_err() { return Ok(()) } // refused to this process
/// let ring = IoUring::builder(8).cq_entries(64).build()?;
/// assert_eq!((ring.sq_entries(), ring.cq_entries()), (8, 64));
/// // Entries of another size than the ring is mapped for are refused.
/// let larger = IoUring::builder(8).setup_flags(SetupFlags::CQE32);
/// assert_eq!(larger.build().err(), Some(Errno::EINVAL));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use = "a builder makes nothing until `build`"]
pub struct IoUringBuilder<'fd> {
    entries: u32,
    params: Params,
    /// The ring whose workers are shared.
    other: Option<BorrowedFd<'fd>>,
    one_map: bool,
}

impl<'fd> IoUringBuilder<'fd> {
    /// A ring of `entries` submission entries, rounded up to a power of two by the kernel,
    /// and twice as many completion entries.
    pub fn new(entries: u32) -> Self {
        Self {
            entries,
            params: Params::default(),
            other: None,
            one_map: true,
        }
    }

    const fn with(mut self, flags: SetupFlags) -> Self {
        self.params.flags |= flags.bits();
        self
    }

    /// A kernel thread takes submissions and falls asleep after `idle_ms` without any
    /// (0: the kernel's default, one second). Linux 5.1, unprivileged 5.11.
    pub const fn sqpoll(mut self, idle_ms: u32) -> Self {
        self.params.sq_thread_idle = idle_ms;
        self.with(SetupFlags::SQPOLL)
    }

    /// As [`Self::sqpoll`], and keeps the thread on processor `cpu`. Linux 5.1.
    pub const fn sqpoll_cpu(mut self, cpu: u32) -> Self {
        self.params.sq_thread_cpu = cpu;
        self.with(SetupFlags::SQPOLL.union(SetupFlags::SQ_AFF))
    }

    /// A completion queue of `entries` entries, rounded up to a power of two and no smaller
    /// than the submission queue. Linux 5.5.
    pub const fn cq_entries(mut self, entries: u32) -> Self {
        self.params.cq_entries = entries;
        self.with(SetupFlags::CQSIZE)
    }

    /// Cuts sizes down to the kernel's limits instead of refusing them. Linux 5.6.
    pub const fn clamp(self) -> Self {
        self.with(SetupFlags::CLAMP)
    }

    /// Promises that one task alone submits; another is answered `EEXIST`. Linux 6.0.
    pub const fn single_issuer(self) -> Self {
        self.with(SetupFlags::SINGLE_ISSUER)
    }

    /// Completion work waits for the next transition into the kernel instead of
    /// interrupting. Linux 5.19.
    pub const fn coop_taskrun(self) -> Self {
        self.with(SetupFlags::COOP_TASKRUN)
    }

    /// Completion work waits until completions are asked for
    /// ([`super::IoUring::submit_and_wait`], [`super::IoUring::wait`]): [`super::IoUring::submit`]
    /// brings none in. Implies [`Self::single_issuer`]. Linux 6.1.
    pub const fn defer_taskrun(self) -> Self {
        self.with(SetupFlags::SINGLE_ISSUER.union(SetupFlags::DEFER_TASKRUN))
    }

    /// Shares the workers (and the polling thread) of the ring `other`. Linux 5.6.
    pub const fn attach_wq(mut self, other: BorrowedFd<'fd>) -> Self {
        self.other = Some(other);
        self.with(SetupFlags::ATTACH_WQ)
    }

    /// Adds any flags; [`Self::build`] refuses those that the ring is not mapped for, and
    /// [`SetupFlags::ATTACH_WQ`] without [`Self::attach_wq`].
    pub const fn setup_flags(self, flags: SetupFlags) -> Self {
        self.with(flags)
    }

    /// Maps the two queues apart although the kernel has them in one piece, as before
    /// Linux 5.4.
    #[doc(hidden)]
    pub const fn separate_maps(mut self) -> Self {
        self.one_map = false;
        self
    }

    /// Has the kernel make the ring, and maps it by `map`.
    pub(super) fn set_up(&self, map: Map) -> Result<(Mapped, Params)> {
        let asked = SetupFlags::from_bits_retain(self.params.flags);
        let shares = asked.contains(SetupFlags::ATTACH_WQ);
        if self.entries == 0 || !MAPPED.contains(asked) || shares != self.other.is_some() {
            return Err(Errno::EINVAL);
        }
        let mut params = self.params;
        // 0 without a ring: before 5.6 the kernel had no such field, and wants it so.
        params.wq_fd = self.other.map_or(0, |other| other.raw().cast_unsigned());
        // SAFETY: `MAPPED` has no flag that names memory.
        let fd = unsafe { io_uring_setup(self.entries, &mut params) }?;
        let mapped = set_up(fd, &params, Features::empty(), self.one_map, map)?;
        Ok((mapped, params))
    }
}
