//! Flags of the three calls, of entries, of completions and of the queues.

use bitflags::bitflags;

bitflags! {
    /// Flags of `io_uring_setup` (`IORING_SETUP_*`), with the first kernel of each.
    ///
    /// ```
    /// use annulet::ring::{IoUring, SetupFlags};
    /// use annulet::sys::Errno;
    ///
    /// # fn main() -> annulet::sys::Result<()> {
    /// # if IoUring::new(8).is_err() { return Ok(()) } // refused to this process
    /// let mut ring = IoUring::builder(8).setup_flags(SetupFlags::R_DISABLED).build()?;
    /// ring.push_nop(1)?;
    /// assert_eq!(ring.submit(), Err(Errno::EBADFD));
    /// ring.enable()?;
    /// assert_eq!(ring.submit(), Ok(1));
    /// # Ok(())
    /// # }
    /// ```
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct SetupFlags: u32 {
        /// Completions of `O_DIRECT` requests are polled for (5.1).
        const IOPOLL = 1 << 0;
        /// A kernel thread takes submissions (5.1; without privileges 5.11).
        const SQPOLL = 1 << 1;
        /// The polling thread stays on `sq_thread_cpu` (5.1).
        const SQ_AFF = 1 << 2;
        /// `cq_entries` is given (5.5).
        const CQSIZE = 1 << 3;
        /// Sizes above the limits are cut instead of refused (5.6).
        const CLAMP = 1 << 4;
        /// Share the workers of the ring `wq_fd` (5.6).
        const ATTACH_WQ = 1 << 5;
        /// Start disabled, until `REGISTER_ENABLE_RINGS` (5.10).
        const R_DISABLED = 1 << 6;
        /// A failing request does not end the submission of those after it (5.18).
        const SUBMIT_ALL = 1 << 7;
        /// No interrupt to run completion work; it runs at the next transition (5.19).
        const COOP_TASKRUN = 1 << 8;
        /// Raise `SqRingFlags::TASKRUN` when completion work waits (5.19).
        const TASKRUN_FLAG = 1 << 9;
        /// Submission entries of 128 bytes (5.19).
        const SQE128 = 1 << 10;
        /// Completion entries of 32 bytes (5.19).
        const CQE32 = 1 << 11;
        /// One task alone submits (6.0).
        const SINGLE_ISSUER = 1 << 12;
        /// Completion work runs only when completions are asked for (6.1).
        const DEFER_TASKRUN = 1 << 13;
        /// The caller brings the rings' memory (6.5).
        const NO_MMAP = 1 << 14;
        /// The ring has no descriptor, only a registered one (6.5).
        const REGISTERED_FD_ONLY = 1 << 15;
        /// No submission index array: entries are taken in order (6.6).
        const NO_SQARRAY = 1 << 16;
        /// `IOPOLL` that sleeps before it polls (6.13).
        const HYBRID_IOPOLL = 1 << 17;
        /// Completion entries of 16 and of 32 bytes in one ring (6.18).
        const CQE_MIXED = 1 << 18;
        /// Submission entries of 64 and of 128 bytes in one ring (6.19).
        const SQE_MIXED = 1 << 19;
    }

    /// What the kernel can do (`IORING_FEAT_*`), with the first kernel of each.
    ///
    /// ```
    /// use annulet::ring::{Features, IoUring};
    ///
    /// # fn main() -> annulet::sys::Result<()> {
    /// # let Ok(ring) = IoUring::new(8) else { return Ok(()) }; // refused to this process
    /// if !ring.features().contains(Features::NODROP) {
    ///     println!("before Linux 5.5: completions beyond the queue are lost");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct Features: u32 {
        /// Both rings come in one mapping (5.4).
        const SINGLE_MMAP = 1 << 0;
        /// Completions beyond the queue are kept back, not dropped (5.5).
        const NODROP = 1 << 1;
        /// Arguments of a request are read when it is submitted (5.5).
        const SUBMIT_STABLE = 1 << 2;
        /// Offset −1 means the file's own position (5.6).
        const RW_CUR_POS = 1 << 3;
        /// Requests run with the submitter's credentials (5.6).
        const CUR_PERSONALITY = 1 << 4;
        /// Requests that would block are polled for inside (5.7).
        const FAST_POLL = 1 << 5;
        /// Poll masks have 32 bits (5.9).
        const POLL_32BITS = 1 << 6;
        /// `SQPOLL` takes unregistered descriptors (5.11).
        const SQPOLL_NONFIXED = 1 << 7;
        /// `io_uring_enter` takes a timeout (5.11).
        const EXT_ARG = 1 << 8;
        /// Workers are threads of the process (5.12).
        const NATIVE_WORKERS = 1 << 9;
        /// Registered resources can be tagged and updated (5.13).
        const RSRC_TAGS = 1 << 10;
        /// `SqeFlags::CQE_SKIP_SUCCESS` (5.17).
        const CQE_SKIP = 1 << 11;
        /// A linked request's file is looked up when it runs (5.17).
        const LINKED_FILE = 1 << 12;
        /// Registrations go by registered ring descriptors too (6.3).
        const REG_REG_RING = 1 << 13;
        /// Bundled socket transfers (6.10).
        const RECVSEND_BUNDLE = 1 << 14;
        /// Waits with a minimum time (6.12).
        const MIN_TIMEOUT = 1 << 15;
        /// Reads and writes with attributes (6.14).
        const RW_ATTR = 1 << 16;
        /// `EnterFlags::NO_IOWAIT` (6.15).
        const NO_IOWAIT = 1 << 17;
    }

    /// Flags of `io_uring_enter` (`IORING_ENTER_*`), with the first kernel of each.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct EnterFlags: u32 {
        /// Wait for completions, run deferred work, flush an overflow (5.1).
        const GETEVENTS = 1 << 0;
        /// Wake the polling thread (5.1).
        const SQ_WAKEUP = 1 << 1;
        /// Wait until the polling thread has made room (5.10).
        const SQ_WAIT = 1 << 2;
        /// The last argument is a structure with a timeout (5.11).
        const EXT_ARG = 1 << 3;
        /// The descriptor is an index among the registered rings (5.18).
        const REGISTERED_RING = 1 << 4;
    }

    /// State that the kernel shows in the submission ring (`IORING_SQ_*`).
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct SqRingFlags: u32 {
        /// The polling thread sleeps (5.1).
        const NEED_WAKEUP = 1 << 0;
        /// Completions wait outside the full completion ring (5.8).
        const CQ_OVERFLOW = 1 << 1;
        /// Completion work waits for a transition (5.19, with `SetupFlags::TASKRUN_FLAG`).
        const TASKRUN = 1 << 2;
    }

    /// Flags of one submission entry (`IOSQE_*`), with the first kernel of each.
    ///
    /// ```
    /// use annulet::ring::{Sqe, SqeFlags};
    ///
    /// let flags = SqeFlags::IO_LINK | SqeFlags::ASYNC;
    /// assert_eq!(Sqe::nop().flags(flags), Sqe::nop().link().force_async());
    /// ```
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct SqeFlags: u8 {
        /// The descriptor is an index among the registered files (5.1).
        const FIXED_FILE = 1 << 0;
        /// Start when everything before is complete, hold back what comes after (5.2).
        const IO_DRAIN = 1 << 1;
        /// The next entry starts when this one has succeeded in full (5.3).
        const IO_LINK = 1 << 2;
        /// The next entry starts when this one is complete, whatever its result (5.5).
        const IO_HARDLINK = 1 << 3;
        /// Hand over to a worker without trying inline (5.6).
        const ASYNC = 1 << 4;
        /// The kernel picks a buffer from a group (5.7).
        const BUFFER_SELECT = 1 << 5;
        /// No completion if it succeeds (5.17).
        const CQE_SKIP_SUCCESS = 1 << 6;
    }

    /// Flags of one completion (`IORING_CQE_F_*`).
    ///
    /// ```
    /// use annulet::ring::CqeFlags;
    ///
    /// // The kernel has picked buffer 5, and more completions will follow.
    /// let flags = CqeFlags::from_bits_retain(5 << 16 | 0b11);
    /// assert!(flags.contains(CqeFlags::BUFFER | CqeFlags::MORE));
    /// assert_eq!(flags.bits() >> 16, 5);
    /// ```
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct CqeFlags: u32 {
        /// The upper 16 bits name the buffer that was picked (5.7).
        const BUFFER = 1 << 0;
        /// More completions will follow for the same entry (5.13).
        const MORE = 1 << 1;
        /// The socket holds more data (5.19).
        const SOCK_NONEMPTY = 1 << 2;
        /// Notification of a zero-copy send (6.0).
        const NOTIF = 1 << 3;
        // The upper bits hold a buffer's number, which is data, not an unknown flag.
        const _ = !0;
    }

    /// Flags of a resource registration (`IORING_RSRC_REGISTER_*`).
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct RsrcRegisterFlags: u32 {
        /// A table of empty slots (5.19).
        const SPARSE = 1 << 0;
    }
}
