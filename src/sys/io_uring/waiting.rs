//! What operations that wait for somebody else take and give: polls, futexes, children, messages.

use core::sync::atomic::AtomicU32;

use bitflags::bitflags;

bitflags! {
    /// How a poll polls, and what of it is changed (`IORING_POLL_*`).
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct PollFlags: u32 {
        /// Again and again (5.13).
        const MULTISHOT = 1 << 0;
        /// The events become others (5.13).
        const UPDATE_EVENTS = 1 << 1;
        /// The `user_data` becomes another (5.13).
        const UPDATE_USER_DATA = 1 << 2;
    }

    /// By what operations are chosen to be called off (`IORING_ASYNC_CANCEL_*`).
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct CancelFlags: u32 {
        /// All that match, not only one (5.19).
        const ALL = 1 << 0;
        /// By the descriptor (5.19).
        const FD = 1 << 1;
        /// All there are; goes with neither `FD` nor `OP` (5.19).
        const ANY = 1 << 2;
        /// The descriptor is an index among the registered files (6.0).
        const FD_FIXED = 1 << 3;
        /// By the `user_data`, which `FD` and `OP` otherwise leave out (6.6).
        const USERDATA = 1 << 4;
        /// By the operation (6.6).
        const OP = 1 << 5;
    }

    /// Flags of a message to another ring (`IORING_MSG_RING_*`).
    ///
    /// ```
    /// use annulet::ring::{IoUring, MsgRingFlags, Opcode, Sqe};
    /// # use annulet::sys::STDIN;
    ///
    /// # let Ok(mut ring) = IoUring::new(1) else { return };
    /// # if !ring.probe().is_ok_and(|probe| probe.supports(Opcode::SendZc)) { return } // 6.0
    /// # let mut other = IoUring::builder(1).build().unwrap();
    /// ring.register_files(&[STDIN.into()]).unwrap();
    /// other.register_files_sparse(1).unwrap();
    /// // A descriptor for `other`, without a completion there.
    /// let fd = other.as_fd().raw();
    /// let send = Sqe::msg_ring_fd(fd, 0, 0, MsgRingFlags::CQE_SKIP).direct(0);
    /// // SAFETY: `other` lives as long, and its slot 0 is free.
    /// unsafe { ring.push(&send) }.unwrap();
    /// assert_eq!(ring.wait().unwrap().into_result(), Ok(0));
    /// ```
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct MsgRingFlags: u32 {
        /// The other ring gets a descriptor and no completion (6.0).
        const CQE_SKIP = 1 << 0;
        /// The completion has flags that the sender gives (6.3); what `Sqe::msg_ring_flags` sets.
        const FLAGS_PASS = 1 << 1;
    }

    /// How a futex is used (`FUTEX2_*`, `man 2 futex`).
    ///
    /// ```
    /// use annulet::ring::FutexFlags;
    ///
    /// // Threads of this process wait for each other, or processes that share the memory.
    /// let (threads, processes) = (FutexFlags::PRIVATE, FutexFlags::empty());
    /// # assert_ne!(threads, processes);
    /// ```
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct FutexFlags: u32 {
        /// All who wait and wake are threads of this process (6.7).
        const PRIVATE = 0x80;
    }

    /// Which changes of a child are waited for, and how (`man 2 waitid`).
    ///
    /// ```
    /// use annulet::ring::WaitOptions;
    ///
    /// // Whether it has ended, without waiting, and the child stays to be waited for.
    /// let look = WaitOptions::EXITED | WaitOptions::NOHANG | WaitOptions::NOWAIT;
    /// # assert!(!look.contains(WaitOptions::STOPPED));
    /// ```
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct WaitOptions: u32 {
        /// Do not wait: look and complete.
        const NOHANG = 0x1;
        /// A signal has stopped it.
        const STOPPED = 0x2;
        /// It has ended.
        const EXITED = 0x4;
        /// It goes on after it was stopped.
        const CONTINUED = 0x8;
        /// The child stays to be waited for again.
        const NOWAIT = 0x0100_0000;
    }
}

/// A futex's word has 32 bits (`FUTEX2_SIZE_U32`): the only size there is.
const SIZE_U32: u32 = 2;

impl FutexFlags {
    /// As the kernel takes them.
    #[must_use]
    pub(crate) const fn with_size(self) -> u32 {
        self.bits() | SIZE_U32
    }
}

/// One of several futexes to wait for (`struct futex_waitv`, `include/uapi/linux/futex.h`).
///
/// ```
/// use std::sync::atomic::AtomicU32;
/// use annulet::ring::{FutexFlags, FutexWaitv, IoUring, Opcode, Sqe};
///
/// # let Ok(mut ring) = IoUring::new(2) else { return };
/// # if !ring.probe().is_ok_and(|probe| probe.supports(Opcode::FutexWaitv)) { return }
/// let (words, threads) = ([const { AtomicU32::new(0) }; 2], FutexFlags::PRIVATE);
/// let both = [0, 1].map(|i| FutexWaitv::new(&raw const words[i], 0, threads));
/// let wait = Sqe::futex_waitv(both.as_ptr(), 2).user_data(1);
/// let wake = Sqe::futex_wake(&raw const words[1], 1, u32::MAX, threads);
/// for sqe in [wait, wake] {
///     // SAFETY: `both` and the words outlive the completions.
///     unsafe { ring.push(&sqe) }.unwrap();
/// }
/// // One was woken: the second of those waited for.
/// for _ in 0..2 {
///     assert_eq!(ring.wait().unwrap().into_result(), Ok(1));
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct FutexWaitv {
    val: u64,
    uaddr: u64,
    flags: u32,
    reserved: u32,
}

impl FutexWaitv {
    /// `word`, while it is `expected`.
    #[must_use]
    pub fn new(word: *const AtomicU32, expected: u32, flags: FutexFlags) -> Self {
        Self {
            val: u64::from(expected),
            uaddr: word.expose_provenance() as u64,
            flags: flags.with_size(),
            reserved: 0,
        }
    }
}

/// Which children are waited for (`P_*`, `man 2 waitid`).
///
/// ```
/// use annulet::ring::{IoUring, Opcode, Sqe, WaitFor, WaitOptions};
/// use annulet::sys::Errno;
///
/// # let Ok(mut ring) = IoUring::new(1) else { return };
/// # if !ring.probe().is_ok_and(|probe| probe.supports(Opcode::Waitid)) { return }
/// let nowhere = core::ptr::null_mut();
/// // The process itself is none of its children.
/// let which = WaitFor::Pid(std::process::id() as i32);
/// // SAFETY: it names no memory.
/// unsafe { ring.push(&Sqe::waitid(which, nowhere, WaitOptions::EXITED)) }.unwrap();
/// assert_eq!(ring.wait().unwrap().into_result(), Err(Errno::ECHILD));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitFor {
    /// Any.
    All,
    /// The one of this process number.
    Pid(i32),
    /// Those of this process group; 0: the program's own.
    Group(i32),
    /// The one that a descriptor stands for (`man 2 pidfd_open`).
    PidFd(i32),
}

/// What became of a child: what `waitid` writes of a `siginfo_t`
/// (`include/uapi/asm-generic/siginfo.h`), and the room of the rest.
///
/// ```
/// use annulet::ring::{ChildInfo, IoUring, Opcode, Sqe, WaitFor, WaitOptions};
///
/// # let Ok(mut ring) = IoUring::new(1) else { return };
/// # if !ring.probe().is_ok_and(|probe| probe.supports(Opcode::Waitid)) { return }
/// let child = std::process::Command::new("false").spawn().unwrap();
/// let mut info = ChildInfo::default();
/// let which = WaitFor::Pid(child.id() as i32);
/// // SAFETY: `info` outlives the completion.
/// unsafe { ring.push(&Sqe::waitid(which, &raw mut info, WaitOptions::EXITED)) }.unwrap();
/// assert_eq!(ring.wait().unwrap().into_result(), Ok(0));
/// assert_eq!((info.code, info.status), (ChildInfo::EXITED, 1));
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(C, align(8))]
pub struct ChildInfo {
    /// `SIGCHLD`, or 0 where there is nothing to tell.
    pub signo: i32,
    /// 0.
    pub errno: i32,
    /// What it did: one of the constants below.
    pub code: i32,
    pad: i32,
    /// The child's process number.
    pub pid: i32,
    /// Its real user.
    pub uid: u32,
    /// Its exit status, or the signal's number.
    pub status: i32,
    rest: [u32; 25],
}

/// What [`ChildInfo::code`] can be (`CLD_*`).
impl ChildInfo {
    /// It exited.
    pub const EXITED: i32 = 1;
    /// A signal ended it.
    pub const KILLED: i32 = 2;
    /// As [`Self::KILLED`], and it left a core dump.
    pub const DUMPED: i32 = 3;
    /// A signal has stopped it.
    pub const STOPPED: i32 = 5;
    /// It goes on.
    pub const CONTINUED: i32 = 6;
}

/// The layouts, as the kernel's headers have them.
const _: () = {
    use core::mem::{align_of, offset_of, size_of};
    assert!(size_of::<FutexWaitv>() == 24 && offset_of!(FutexWaitv, flags) == 16);
    assert!(size_of::<ChildInfo>() == 128 && align_of::<ChildInfo>() == 8);
    assert!(offset_of!(ChildInfo, pid) == 16 && offset_of!(ChildInfo, status) == 24);
};
