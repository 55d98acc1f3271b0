//! Numbers of operations and of registrations.

/// Operations (`IORING_OP_*`), up to Linux 6.18.
///
/// ```
/// use annulet::ring::{IoUring, Opcode, Sqe};
///
/// # fn main() -> annulet::sys::Result<()> {
/// # let Ok(ring) = IoUring::new(8) else { return Ok(()) }; // refused to this process
/// assert_eq!(Sqe::nop().raw().opcode, Opcode::Nop as u8);
/// assert!(ring.probe()?.last_op() >= Opcode::Read as u8);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
#[allow(missing_docs)] // `Sqe`'s constructors document those that it has
pub enum Opcode {
    Nop = 0,
    Readv = 1,
    Writev = 2,
    Fsync = 3,
    ReadFixed = 4,
    WriteFixed = 5,
    PollAdd = 6,
    PollRemove = 7,
    SyncFileRange = 8,
    Sendmsg = 9,
    Recvmsg = 10,
    Timeout = 11,
    TimeoutRemove = 12,
    Accept = 13,
    AsyncCancel = 14,
    LinkTimeout = 15,
    Connect = 16,
    Fallocate = 17,
    Openat = 18,
    Close = 19,
    FilesUpdate = 20,
    Statx = 21,
    Read = 22,
    Write = 23,
    Fadvise = 24,
    Madvise = 25,
    Send = 26,
    Recv = 27,
    Openat2 = 28,
    EpollCtl = 29,
    Splice = 30,
    ProvideBuffers = 31,
    RemoveBuffers = 32,
    Tee = 33,
    Shutdown = 34,
    Renameat = 35,
    Unlinkat = 36,
    Mkdirat = 37,
    Symlinkat = 38,
    Linkat = 39,
    MsgRing = 40,
    Fsetxattr = 41,
    Setxattr = 42,
    Fgetxattr = 43,
    Getxattr = 44,
    Socket = 45,
    UringCmd = 46,
    SendZc = 47,
    SendmsgZc = 48,
    ReadMultishot = 49,
    Waitid = 50,
    FutexWait = 51,
    FutexWake = 52,
    FutexWaitv = 53,
    FixedFdInstall = 54,
    Ftruncate = 55,
    Bind = 56,
    Listen = 57,
    RecvZc = 58,
    EpollWait = 59,
    ReadvFixed = 60,
    WritevFixed = 61,
    Pipe = 62,
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
    RegisterEventfd = 4,
    UnregisterEventfd = 5,
    RegisterFilesUpdate = 6,
    RegisterEventfdAsync = 7,
    RegisterProbe = 8,
    RegisterEnableRings = 12,
    RegisterFiles2 = 13,
    RegisterBuffers2 = 15,
    RegisterBuffersUpdate = 16,
    RegisterIowqMaxWorkers = 19,
    RegisterRingFds = 20,
    UnregisterRingFds = 21,
    RegisterPbufRing = 22,
    UnregisterPbufRing = 23,
    RegisterSyncCancel = 24,
}
