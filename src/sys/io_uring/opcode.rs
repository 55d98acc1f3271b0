//! Numbers of operations and of registrations.

/// Operations (`IORING_OP_*`).
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
