//! `io_uring`: the three system calls and the structures they share with the kernel.
//!
//! Source of every layout, number and flag: `include/uapi/linux/io_uring.h`; of the calls'
//! behaviour: `man 2 io_uring_setup`, `io_uring_enter`, `io_uring_register`, and
//! `io_uring/io_uring.c`. Names drop the `IORING_`/`IOSQE_` prefix and keep the kernel's
//! spelling otherwise. How the rings are used is the business of `crate::ring`.

use bitflags::bitflags;

use super::arch::{nr, syscall2, syscall4, syscall6};
use super::errno::Result;
use super::fd::from_register;
use super::{BorrowedFd, Errno, OwnedFd};

/// Where `mmap` finds the submission ring.
pub const OFF_SQ_RING: u64 = 0;
/// Where `mmap` finds the completion ring when it is mapped apart.
pub const OFF_CQ_RING: u64 = 0x0800_0000;
/// Where `mmap` finds the array of submission entries.
pub const OFF_SQES: u64 = 0x1000_0000;

/// `Sqe::file_index` value that lets the kernel pick a free direct descriptor (5.19).
pub const FILE_INDEX_ALLOC: u32 = u32::MAX;
/// Entry of a files update that leaves its slot alone (5.12).
pub const REGISTER_FILES_SKIP: i32 = -2;

bitflags! {
    /// Flags of `io_uring_setup` (`IORING_SETUP_*`), with the first kernel of each.
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

bitflags! {
    /// Flags of a write-back (`IORING_FSYNC_*`).
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct FsyncFlags: u32 {
        /// Leave out metadata that reading the data does not need (5.1).
        const DATASYNC = 1 << 0;
    }

    /// Flags of a timeout (`IORING_TIMEOUT_*`).
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct TimeoutFlags: u32 {
        /// A point of time, not a span (5.5).
        const ABS = 1 << 0;
        /// By the clock that goes on during suspend (5.15).
        const BOOTTIME = 1 << 2;
        /// By the wall clock (5.15).
        const REALTIME = 1 << 3;
        /// Running out counts as success, and does not cut a chain (5.16).
        const ETIME_SUCCESS = 1 << 5;
    }

    /// Events of a poll (`POLL*`, `man 2 poll`).
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct PollEvents: u32 {
        /// Readable.
        const IN = 0x0001;
        /// Urgent data.
        const PRI = 0x0002;
        /// Writable.
        const OUT = 0x0004;
        /// An error; reported whether asked for or not.
        const ERR = 0x0008;
        /// The other end is closed; reported whether asked for or not.
        const HUP = 0x0010;
        /// The other end is closed for writing.
        const RDHUP = 0x2000;
    }

    /// What to do with a file's space (`FALLOC_FL_*`, `man 2 fallocate`).
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct FallocateMode: u32 {
        /// Leave the file's length alone.
        const KEEP_SIZE = 0x01;
        /// Make a hole; only with `KEEP_SIZE`.
        const PUNCH_HOLE = 0x02;
        /// Take the range out and move the rest down.
        const COLLAPSE_RANGE = 0x08;
        /// Make the range read as zeros.
        const ZERO_RANGE = 0x10;
        /// Put a hole in and move the rest up.
        const INSERT_RANGE = 0x20;
        /// Unshare blocks that are shared with a clone.
        const UNSHARE_RANGE = 0x40;
    }

    /// What a file's metadata is wanted for (`STATX_*`, `man 2 statx`).
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct StatxMask: u32 {
        /// Type.
        const TYPE = 0x001;
        /// Permission bits.
        const MODE = 0x002;
        /// Link count.
        const NLINK = 0x004;
        /// Owner.
        const UID = 0x008;
        /// Group.
        const GID = 0x010;
        /// Time of last access.
        const ATIME = 0x020;
        /// Time of last writing.
        const MTIME = 0x040;
        /// Time of last change of metadata.
        const CTIME = 0x080;
        /// Inode number.
        const INO = 0x100;
        /// Length.
        const SIZE = 0x200;
        /// Allocated blocks.
        const BLOCKS = 0x400;
        /// All that `stat` gives.
        const BASIC_STATS = 0x7ff;
        /// Time of creation.
        const BTIME = 0x800;
    }

    /// How to rename (`RENAME_*`, `man 2 renameat2`).
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct RenameFlags: u32 {
        /// Fail where the new name exists.
        const NOREPLACE = 1 << 0;
        /// Exchange the two.
        const EXCHANGE = 1 << 1;
        /// Leave a whiteout at the old name.
        const WHITEOUT = 1 << 2;
    }

    /// Flags of splicing (`SPLICE_F_*`, `man 2 splice`).
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct SpliceFlags: u32 {
        /// Move pages rather than copy them; a hint.
        const MOVE = 1 << 0;
        /// Do not wait for the pipe.
        const NONBLOCK = 1 << 1;
        /// More will follow.
        const MORE = 1 << 2;
        /// The source is an index among the registered files (5.7).
        const FD_IN_FIXED = 1 << 31;
    }

    /// How to set an extended attribute (`XATTR_*`, `man 2 setxattr`).
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct XattrFlags: u32 {
        /// Fail where it exists.
        const CREATE = 1 << 0;
        /// Fail where it does not exist.
        const REPLACE = 1 << 1;
    }
}

/// How a file will be used (`POSIX_FADV_*`, `man 2 posix_fadvise`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum FileAdvice {
    /// In no particular way.
    Normal = 0,
    /// Here and there.
    Random = 1,
    /// From front to back.
    Sequential = 2,
    /// Soon.
    WillNeed = 3,
    /// Not in the near future.
    DontNeed = 4,
    /// Once.
    NoReuse = 5,
}

/// How memory will be used (`MADV_*`, `man 2 madvise`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum MemoryAdvice {
    /// In no particular way.
    Normal = 0,
    /// Here and there.
    Random = 1,
    /// From front to back.
    Sequential = 2,
    /// Soon.
    WillNeed = 3,
    /// Not any more: anonymous memory reads as zeros afterwards.
    DontNeed = 4,
    /// Huge pages are worth it.
    HugePage = 14,
    /// Huge pages are not.
    NoHugePage = 15,
}

/// Operations (`IORING_OP_*`); sockets' ones are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
#[allow(missing_docs)] // `Sqe`'s constructors document each
pub enum Opcode {
    Nop = 0,
    Readv = 1,
    Writev = 2,
    Fsync = 3,
    ReadFixed = 4,
    WriteFixed = 5,
    PollAdd = 6,
    PollRemove = 7,
    Timeout = 11,
    TimeoutRemove = 12,
    AsyncCancel = 14,
    LinkTimeout = 15,
    Fallocate = 17,
    Openat = 18,
    Close = 19,
    FilesUpdate = 20,
    Statx = 21,
    Read = 22,
    Write = 23,
    Fadvise = 24,
    Madvise = 25,
    Openat2 = 28,
    Splice = 30,
    Tee = 33,
    Renameat = 35,
    Unlinkat = 36,
    Mkdirat = 37,
    Symlinkat = 38,
    Linkat = 39,
    Fsetxattr = 41,
    Setxattr = 42,
    Fgetxattr = 43,
    Getxattr = 44,
    Ftruncate = 55,
}

/// Commands of `io_uring_register` (`IORING_REGISTER_*`, `IORING_UNREGISTER_*`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
#[allow(missing_docs)] // `IoUring`'s methods document each
pub enum RegisterOp {
    RegisterBuffers = 0,
    UnregisterBuffers = 1,
    RegisterFiles = 2,
    UnregisterFiles = 3,
    RegisterFilesUpdate = 6,
    RegisterProbe = 8,
    RegisterEnableRings = 12,
    RegisterFiles2 = 13,
    RegisterBuffers2 = 15,
    RegisterBuffersUpdate = 16,
    RegisterIowqMaxWorkers = 19,
    RegisterRingFds = 20,
    UnregisterRingFds = 21,
    RegisterSyncCancel = 24,
}

/// Offsets of the submission ring's fields (`struct io_sqring_offsets`).
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
#[allow(missing_docs)]
pub struct SqringOffsets {
    pub head: u32,
    pub tail: u32,
    pub ring_mask: u32,
    pub ring_entries: u32,
    pub flags: u32,
    pub dropped: u32,
    pub array: u32,
    pub resv1: u32,
    pub user_addr: u64,
}

/// Offsets of the completion ring's fields (`struct io_cqring_offsets`).
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
#[allow(missing_docs)]
pub struct CqringOffsets {
    pub head: u32,
    pub tail: u32,
    pub ring_mask: u32,
    pub ring_entries: u32,
    pub overflow: u32,
    pub cqes: u32,
    pub flags: u32,
    pub resv1: u32,
    pub user_addr: u64,
}

/// What `io_uring_setup` takes and gives (`struct io_uring_params`).
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
#[allow(missing_docs)]
pub struct Params {
    pub sq_entries: u32,
    pub cq_entries: u32,
    pub flags: u32,
    pub sq_thread_cpu: u32,
    pub sq_thread_idle: u32,
    pub features: u32,
    pub wq_fd: u32,
    pub resv: [u32; 3],
    pub sq_off: SqringOffsets,
    pub cq_off: CqringOffsets,
}

/// A submission entry (`struct io_uring_sqe`). The kernel's unions are the plain field of
/// the same place: each operation says what it keeps where.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(C)]
#[allow(missing_docs)]
pub struct RawSqe {
    pub opcode: u8,
    pub flags: u8,
    pub ioprio: u16,
    pub fd: i32,
    /// `off`, `addr2`.
    pub off: u64,
    /// `addr`, `splice_off_in`.
    pub addr: u64,
    pub len: u32,
    /// `rw_flags`, `fsync_flags`, `open_flags` and the like.
    pub op_flags: u32,
    pub user_data: u64,
    /// `buf_index`, `buf_group`.
    pub buf_index: u16,
    pub personality: u16,
    /// `splice_fd_in`, `file_index`.
    pub file_index: u32,
    pub addr3: u64,
    pub pad2: u64,
}

/// A completion (`struct io_uring_cqe`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(C)]
#[allow(missing_docs)]
pub struct RawCqe {
    pub user_data: u64,
    pub res: i32,
    pub flags: u32,
}

/// A piece of memory (`struct iovec`): for vectored operations and registered buffers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct IoVec {
    /// Its first byte; null for an empty slot of a buffer table.
    pub base: *mut u8,
    /// Its length.
    pub len_bytes: usize,
}

/// A span or point of time (`struct __kernel_timespec`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Timespec {
    /// Whole seconds.
    pub tv_sec: i64,
    /// Nanoseconds, 0 to 999,999,999.
    pub tv_nsec: i64,
}

/// How `openat2` opens (`struct open_how`, `man 2 openat2`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(C)]
pub struct OpenHow {
    /// `O_*`.
    pub flags: u64,
    /// Permission bits of a new file; 0 without `O_CREAT` and `O_TMPFILE`.
    pub mode: u64,
    /// `RESOLVE_*`.
    pub resolve: u64,
}

/// Where `statx` writes: the room of a `struct statx` (`include/uapi/linux/stat.h`), as bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C, align(8))]
pub struct StatxBuffer(pub [u8; 256]);

/// A table to register (`struct io_uring_rsrc_register`).
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
#[allow(missing_docs)]
pub struct RsrcRegister {
    pub nr: u32,
    pub flags: u32,
    pub resv2: u64,
    pub data: u64,
    pub tags: u64,
}

/// Entries of a table to replace (`struct io_uring_rsrc_update`).
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
#[allow(missing_docs)]
pub struct RsrcUpdate {
    pub offset: u32,
    pub resv: u32,
    pub data: u64,
}

/// As [`RsrcUpdate`], with tags (`struct io_uring_rsrc_update2`).
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
#[allow(missing_docs)]
pub struct RsrcUpdate2 {
    pub offset: u32,
    pub resv: u32,
    pub data: u64,
    pub tags: u64,
    pub nr: u32,
    pub resv2: u32,
}

/// Which operations to cancel (`struct io_uring_sync_cancel_reg`).
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
#[allow(missing_docs)]
pub struct SyncCancel {
    pub addr: u64,
    pub fd: i32,
    /// `IORING_ASYNC_CANCEL_*`.
    pub flags: u32,
    pub timeout: Timespec,
    pub resv: [u64; 4],
}

/// What the kernel says about one operation (`struct io_uring_probe_op`).
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
#[allow(missing_docs)]
pub struct ProbeOp {
    pub op: u8,
    pub resv: u8,
    /// Bit 0 (`IO_URING_OP_SUPPORTED`): the kernel has it.
    pub flags: u16,
    pub resv2: u32,
}

/// How many operations a [`RawProbe`] has room for: more than any kernel has so far (6.18
/// has 63), and the kernel takes at most 256.
pub const PROBE_OPS: usize = 128;

/// What the kernel says about all its operations (`struct io_uring_probe`).
#[derive(Debug, Clone, Copy)]
#[repr(C)]
#[allow(missing_docs)]
pub struct RawProbe {
    pub last_op: u8,
    pub ops_len: u8,
    pub resv: u16,
    pub resv2: [u32; 3],
    pub ops: [ProbeOp; PROBE_OPS],
}

/// The layouts, as the kernel's header has them.
const _: () = {
    use core::mem::{align_of, offset_of, size_of};
    assert!(size_of::<SqringOffsets>() == 40 && offset_of!(SqringOffsets, array) == 24);
    assert!(offset_of!(SqringOffsets, user_addr) == 32);
    assert!(size_of::<CqringOffsets>() == 40 && offset_of!(CqringOffsets, cqes) == 20);
    assert!(offset_of!(CqringOffsets, user_addr) == 32);
    assert!(size_of::<Params>() == 120 && align_of::<Params>() == 8);
    assert!(offset_of!(Params, features) == 20 && offset_of!(Params, wq_fd) == 24);
    assert!(offset_of!(Params, sq_off) == 40 && offset_of!(Params, cq_off) == 80);
    assert!(size_of::<RawSqe>() == 64 && align_of::<RawSqe>() == 8);
    assert!(offset_of!(RawSqe, flags) == 1 && offset_of!(RawSqe, ioprio) == 2);
    assert!(offset_of!(RawSqe, fd) == 4 && offset_of!(RawSqe, off) == 8);
    assert!(offset_of!(RawSqe, addr) == 16 && offset_of!(RawSqe, len) == 24);
    assert!(offset_of!(RawSqe, op_flags) == 28 && offset_of!(RawSqe, user_data) == 32);
    assert!(offset_of!(RawSqe, buf_index) == 40 && offset_of!(RawSqe, personality) == 42);
    assert!(offset_of!(RawSqe, file_index) == 44 && offset_of!(RawSqe, addr3) == 48);
    assert!(size_of::<RawCqe>() == 16 && align_of::<RawCqe>() == 8);
    assert!(offset_of!(RawCqe, res) == 8 && offset_of!(RawCqe, flags) == 12);
    assert!(size_of::<IoVec>() == 16 && offset_of!(IoVec, len_bytes) == 8);
    assert!(size_of::<Timespec>() == 16 && offset_of!(Timespec, tv_nsec) == 8);
    assert!(size_of::<OpenHow>() == 24 && offset_of!(OpenHow, resolve) == 16);
    assert!(size_of::<StatxBuffer>() == 256 && align_of::<StatxBuffer>() == 8);
    assert!(size_of::<RsrcRegister>() == 32 && offset_of!(RsrcRegister, data) == 16);
    assert!(size_of::<RsrcUpdate>() == 16 && offset_of!(RsrcUpdate, data) == 8);
    assert!(size_of::<RsrcUpdate2>() == 32 && offset_of!(RsrcUpdate2, nr) == 24);
    assert!(size_of::<SyncCancel>() == 64 && offset_of!(SyncCancel, timeout) == 16);
    assert!(size_of::<ProbeOp>() == 8 && offset_of!(ProbeOp, flags) == 2);
    assert!(size_of::<RawProbe>() == 16 + PROBE_OPS * 8 && offset_of!(RawProbe, ops) == 16);
};

/// Makes a ring of at least `entries` submission entries; the kernel rounds up to a power of
/// two and fills `params` in. Linux 5.1.
///
/// # Errors
/// `ENOSYS` without `io_uring`, `EPERM` where it is forbidden (seccomp,
/// `kernel.io_uring_disabled`), `EINVAL` for a flag the kernel does not know or a size out of
/// range, `ENOMEM`, `EMFILE`, `ENFILE` (`man 2 io_uring_setup`).
pub fn io_uring_setup(entries: u32, params: &mut Params) -> Result<OwnedFd> {
    let params: *mut Params = params;
    // SAFETY: the kernel reads and writes one `Params`, which is borrowed for the call.
    // Memory it is told to use instead of its own (NO_MMAP) it checks and pins itself.
    let r = unsafe { syscall2(nr::IO_URING_SETUP, entries as usize, params as usize) };
    from_register(r)
}

/// Submits up to `to_submit` entries and, with [`EnterFlags::GETEVENTS`], waits for
/// `min_complete` completions. Gives how many entries were consumed. Linux 5.1.
///
/// `fd` is a number and no descriptor, as it may be a registered ring's index.
///
/// # Safety
/// The kernel starts the entries that stand in the ring, with the addresses they hold.
///
/// # Errors
/// `crate::ring` has the list with what each means.
pub unsafe fn io_uring_enter(
    fd: i32,
    to_submit: u32,
    min_complete: u32,
    flags: EnterFlags,
) -> Result<u32> {
    // SAFETY: no signal mask is passed (address 0); the caller answers for the entries.
    let r = unsafe {
        syscall6(
            nr::IO_URING_ENTER,
            register(fd),
            to_submit as usize,
            min_complete as usize,
            flags.bits() as usize,
            0,
            0,
        )
    };
    #[allow(clippy::cast_possible_truncation)] // at most `to_submit`
    Errno::check(r).map(|consumed| consumed as u32)
}

/// Registers resources with a ring, or asks about it. Linux 5.1.
///
/// # Safety
/// `arg` and `nr_args` are what `op` takes (`man 2 io_uring_register`), valid for the call.
///
/// # Errors
/// As `op` answers; the methods of `crate::ring::IoUring` say it.
pub unsafe fn io_uring_register(
    fd: BorrowedFd<'_>,
    op: RegisterOp,
    arg: usize,
    nr_args: u32,
) -> Result<u32> {
    // SAFETY: the caller answers for `arg` and `nr_args`.
    let r = unsafe {
        syscall4(
            nr::IO_URING_REGISTER,
            fd.arg(),
            op as usize,
            arg,
            nr_args as usize,
        )
    };
    #[allow(clippy::cast_possible_truncation)] // counts and descriptors
    Errno::check(r).map(|value| value as u32)
}

/// A C `int` as a register holds it.
#[allow(clippy::cast_sign_loss)] // sign-extended on purpose
const fn register(int: i32) -> usize {
    int as isize as usize
}
