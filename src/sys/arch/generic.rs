//! What architectures share that Linux has learned since 2008: call numbers and structures.

use crate::sys::Timestamp;

/// `struct stat` (`include/uapi/asm-generic/stat.h`), as `newfstatat` writes it.
#[repr(C)]
#[allow(missing_docs)] // as there
pub struct StatBuffer {
    pub dev: u64,
    pub ino: u64,
    pub mode: u32,
    nlink: u32,
    pub uid: u32,
    pub gid: u32,
    pub rdev: u64,
    pad1: u64,
    pub size: u64,
    blksize: u32,
    pad2: u32,
    pub blocks: u64,
    pub atime: Timestamp,
    pub mtime: Timestamp,
    ctime: Timestamp,
    unused: [u32; 2],
}

impl StatBuffer {
    /// How many names the file has.
    #[must_use]
    pub const fn nlink(&self) -> u32 {
        self.nlink
    }
}

const _: () = assert!(size_of::<StatBuffer>() == 128);
const _: () = assert!(core::mem::offset_of!(StatBuffer, size) == 48);
const _: () = assert!(core::mem::offset_of!(StatBuffer, atime) == 72);

/// System call numbers (`include/uapi/asm-generic/unistd.h`), by the kernel's names.
#[allow(missing_docs)]
pub mod nr {
    pub const SETXATTR: usize = 5;
    pub const LSETXATTR: usize = 6;
    pub const FSETXATTR: usize = 7;
    pub const GETXATTR: usize = 8;
    pub const LGETXATTR: usize = 9;
    pub const FGETXATTR: usize = 10;
    pub const LISTXATTR: usize = 11;
    pub const LLISTXATTR: usize = 12;
    pub const FLISTXATTR: usize = 13;
    pub const REMOVEXATTR: usize = 14;
    pub const LREMOVEXATTR: usize = 15;
    pub const FREMOVEXATTR: usize = 16;
    pub const FCNTL: usize = 25;
    pub const IOCTL: usize = 29;
    pub const MKNODAT: usize = 33;
    pub const MKDIRAT: usize = 34;
    pub const UNLINKAT: usize = 35;
    pub const SYMLINKAT: usize = 36;
    pub const LINKAT: usize = 37;
    pub const FSTATFS: usize = 44;
    pub const FTRUNCATE: usize = 46;
    pub const FALLOCATE: usize = 47;
    pub const FACCESSAT: usize = 48;
    pub const FCHDIR: usize = 50;
    pub const FCHMOD: usize = 52;
    pub const FCHMODAT: usize = 53;
    pub const FCHOWNAT: usize = 54;
    pub const FCHOWN: usize = 55;
    pub const OPENAT: usize = 56;
    pub const CLOSE: usize = 57;
    pub const PIPE2: usize = 59;
    pub const GETDENTS64: usize = 61;
    pub const LSEEK: usize = 62;
    pub const READ: usize = 63;
    pub const WRITE: usize = 64;
    pub const PREAD64: usize = 67;
    pub const PWRITE64: usize = 68;
    pub const PPOLL: usize = 73;
    pub const SPLICE: usize = 76;
    pub const READLINKAT: usize = 78;
    pub const NEWFSTATAT: usize = 79;
    pub const UTIMENSAT: usize = 88;
    pub const EXIT: usize = 93;
    pub const EXIT_GROUP: usize = 94;
    pub const FUTEX: usize = 98;
    pub const CLOCK_GETTIME: usize = 113;
    pub const SCHED_GETAFFINITY: usize = 123;
    pub const RT_SIGACTION: usize = 134;
    pub const RT_SIGPROCMASK: usize = 135;
    pub const UNAME: usize = 160;
    pub const GETRUSAGE: usize = 165;
    pub const UMASK: usize = 166;
    pub const GETEUID: usize = 175;
    pub const MUNMAP: usize = 215;
    pub const MREMAP: usize = 216;
    pub const CLONE: usize = 220;
    pub const MMAP: usize = 222;
    pub const FADVISE64: usize = 223;
    pub const MPROTECT: usize = 226;
    pub const PRLIMIT64: usize = 261;
    pub const RENAMEAT2: usize = 276;
    pub const GETRANDOM: usize = 278;
    pub const COPY_FILE_RANGE: usize = 285;
    pub const PREADV2: usize = 286;
    pub const STATX: usize = 291;
    pub const IO_URING_SETUP: usize = 425;
    pub const IO_URING_ENTER: usize = 426;
    pub const IO_URING_REGISTER: usize = 427;
    pub const FCHMODAT2: usize = 452;
}
