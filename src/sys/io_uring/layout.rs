//! Structures that the kernel reads and writes.

use core::time::Duration;

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
///
/// ```
/// use annulet::ring::{IoUring, Opcode, RawSqe, Sqe};
///
/// # let Ok(mut ring) = IoUring::new(1) else { return };
/// let raw = RawSqe { opcode: Opcode::Nop as u8, fd: -1, ..RawSqe::default() };
/// assert_eq!(Sqe::from_raw(raw), Sqe::nop());
/// // SAFETY: it names nothing.
/// unsafe { ring.push(&Sqe::from_raw(raw).user_data(7)) }.unwrap();
/// assert_eq!(ring.wait().unwrap().user_data, 7);
/// ```
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
///
/// ```
/// use annulet::ring::{IoUring, IoVec, Sqe};
/// use std::{fs::File, os::fd::AsRawFd};
///
/// # fn main() -> annulet::sys::Result<()> {
/// # let Ok(mut ring) = IoUring::new(8) else { return Ok(()) }; // refused to this process
/// let file = File::open("Cargo.toml").unwrap();
/// let (mut first, mut second) = ([0; 4], [0; 5]);
/// let pieces = [
///     IoVec { base: first.as_mut_ptr(), len_bytes: 4 },
///     IoVec { base: second.as_mut_ptr(), len_bytes: 5 },
/// ];
/// let read = Sqe::readv(file.as_raw_fd(), pieces.as_ptr(), 2, 0);
/// // SAFETY: all three arrays live, and nobody else reaches them, until the read is complete.
/// unsafe { ring.push(&read) }?;
/// assert_eq!(ring.wait()?.into_result(), Ok(9));
/// assert_eq!((&first, &second), (b"[pac", b"kage]"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct IoVec {
    /// Its first byte; null for an empty slot of a buffer table.
    pub base: *mut u8,
    /// Its length.
    pub len_bytes: usize,
}

/// A span or point of time (`struct __kernel_timespec`).
///
/// ```
/// use annulet::ring::{IoUring, Sqe, TimeoutFlags, Timespec};
/// use annulet::sys::Errno;
///
/// # fn main() -> annulet::sys::Result<()> {
/// # let Ok(mut ring) = IoUring::new(8) else { return Ok(()) }; // refused to this process
/// let ten_ms = Timespec { tv_sec: 0, tv_nsec: 10_000_000 };
/// let timeout = Sqe::timeout(&ten_ms, 0, TimeoutFlags::empty());
/// // SAFETY: `ten_ms` lives until the timeout is complete.
/// unsafe { ring.push(&timeout) }?;
/// assert_eq!(ring.wait()?.into_result(), Err(Errno::ETIME));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Timespec {
    /// Whole seconds.
    pub tv_sec: i64,
    /// Nanoseconds, 0 to 999,999,999.
    pub tv_nsec: i64,
}

impl From<Duration> for Timespec {
    /// A span beyond what a `Timespec` holds, 292 thousand million years, is cut to that.
    fn from(span: Duration) -> Self {
        Self {
            tv_sec: i64::try_from(span.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: span.subsec_nanos().into(),
        }
    }
}

/// How long `io_uring_enter` waits (`struct io_uring_getevents_arg`).
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
#[allow(missing_docs)]
pub struct GeteventsArg {
    pub sigmask: u64,
    pub sigmask_sz: u32,
    /// Microseconds after which one completion is enough (6.12).
    pub min_wait_usec: u32,
    /// Address of a [`Timespec`], a span of time; 0 for ever.
    pub ts: u64,
}

/// How `openat2` opens (`struct open_how`, `man 2 openat2`).
///
/// ```
/// use annulet::ring::{IoUring, OpenHow, Sqe};
/// use annulet::sys::{CWD, Errno};
///
/// # fn main() -> annulet::sys::Result<()> {
/// # let Ok(mut ring) = IoUring::new(8) else { return Ok(()) }; // refused to this process
/// const RESOLVE_BENEATH: u64 = 0x08;
/// let how = OpenHow { resolve: RESOLVE_BENEATH, ..OpenHow::default() };
/// let open = Sqe::openat2(CWD.raw(), c"../elsewhere".as_ptr(), &how);
/// // SAFETY: name and `how` live until the operation is complete.
/// unsafe { ring.push(&open) }?;
/// assert_eq!(ring.wait()?.into_result(), Err(Errno::EXDEV)); // it leads out of the folder
/// # Ok(())
/// # }
/// ```
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
///
/// ```
/// use annulet::ring::{IoUring, Sqe, StatxBuffer, StatxMask};
/// use annulet::sys::{AtFlags, CWD};
///
/// # fn main() -> annulet::sys::Result<()> {
/// # let Ok(mut ring) = IoUring::new(8) else { return Ok(()) }; // refused to this process
/// let mut out = StatxBuffer([0; 256]);
/// let (name, mask) = (c"Cargo.toml".as_ptr(), StatxMask::SIZE);
/// let statx = Sqe::statx(CWD.raw(), name, AtFlags::empty(), mask, &mut out);
/// // SAFETY: the name lives, and nobody else reaches `out`, until the operation is complete.
/// unsafe { ring.push(&statx) }?;
/// assert_eq!(ring.wait()?.into_result(), Ok(0));
/// let stx_size = u64::from_ne_bytes(out.0[40..48].try_into().unwrap());
/// assert_eq!(stx_size, std::fs::metadata("Cargo.toml").unwrap().len());
/// # Ok(())
/// # }
/// ```
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
    /// Number of an [`Opcode`](super::Opcode).
    pub opcode: u8,
    pub pad: [u8; 7],
    pub pad2: [u64; 3],
}

/// Where a ring of buffers lies (`struct io_uring_buf_reg`).
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
#[allow(missing_docs)]
pub struct BufReg {
    pub ring_addr: u64,
    pub ring_entries: u32,
    pub bgid: u16,
    pub flags: u16,
    pub resv: [u64; 3],
}

/// A buffer in a ring of buffers (`struct io_uring_buf`) without the last two bytes: of the first
/// entry they are the ring's tail.
#[derive(Debug, Clone, Copy)]
#[repr(C, packed(2))]
#[allow(missing_docs)]
pub struct BufEntry {
    pub addr: u64,
    pub len: u32,
    pub bid: u16,
}

/// From one entry of a ring of buffers to the next.
pub const BUF_ENTRY_STRIDE: usize = 16;
/// Where the tail lies, a `u16` (`struct io_uring_buf_ring`).
pub const BUF_RING_TAIL: usize = 14;

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
    assert!(size_of::<GeteventsArg>() == 24 && offset_of!(GeteventsArg, ts) == 16);
    assert!(size_of::<OpenHow>() == 24 && offset_of!(OpenHow, resolve) == 16);
    assert!(size_of::<StatxBuffer>() == 256 && align_of::<StatxBuffer>() == 8);
    assert!(size_of::<RsrcRegister>() == 32 && offset_of!(RsrcRegister, data) == 16);
    assert!(size_of::<RsrcUpdate>() == 16 && offset_of!(RsrcUpdate, data) == 8);
    assert!(size_of::<RsrcUpdate2>() == 32 && offset_of!(RsrcUpdate2, nr) == 24);
    assert!(size_of::<SyncCancel>() == 64 && offset_of!(SyncCancel, timeout) == 16);
    assert!(offset_of!(SyncCancel, opcode) == 32 && offset_of!(SyncCancel, pad2) == 40);
    assert!(size_of::<BufReg>() == 40 && offset_of!(BufReg, bgid) == 12);
    assert!(size_of::<BufEntry>() == 14 && offset_of!(BufEntry, bid) == 12);
    assert!(BUF_RING_TAIL == size_of::<BufEntry>());
    assert!(size_of::<ProbeOp>() == 8 && offset_of!(ProbeOp, flags) == 2);
    assert!(size_of::<RawProbe>() == 16 + PROBE_OPS * 8 && offset_of!(RawProbe, ops) == 16);
};
