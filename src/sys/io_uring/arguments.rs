//! What single operations take beside descriptors, addresses and lengths.

use bitflags::bitflags;

bitflags! {
    /// Flags of a write-back (`IORING_FSYNC_*`).
    ///
    /// ```
    /// use annulet::ring::{FsyncFlags, Sqe};
    ///
    /// assert_eq!(Sqe::fsync(3, FsyncFlags::DATASYNC), Sqe::fdatasync(3));
    /// ```
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct FsyncFlags: u32 {
        /// Leave out metadata that reading the data does not need (5.1).
        const DATASYNC = 1 << 0;
    }

    /// Flags of a timeout (`IORING_TIMEOUT_*`).
    ///
    /// ```
    /// use annulet::ring::{IoUring, Sqe, TimeoutFlags, Timespec};
    /// use annulet::sys::Errno;
    ///
    /// # fn main() -> annulet::sys::Result<()> {
    /// # let Ok(mut ring) = IoUring::new(8) else { return Ok(()) }; // refused to this process
    /// let past = Timespec { tv_sec: 0, tv_nsec: 1 }; // just after the machine was started
    /// let timeout = Sqe::timeout(&past, 0, TimeoutFlags::ABS);
    /// // SAFETY: `past` lives until the timeout is complete.
    /// unsafe { ring.push(&timeout) }?;
    /// assert_eq!(ring.wait()?.into_result(), Err(Errno::ETIME)); // at once
    /// # Ok(())
    /// # }
    /// ```
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct TimeoutFlags: u32 {
        /// A point of time, not a span (5.5).
        const ABS = 1 << 0;
        /// The new time of a timeout (5.11); what `Sqe::timeout_update` sets.
        const UPDATE = 1 << 1;
        /// By the clock that goes on during suspend (5.15).
        const BOOTTIME = 1 << 2;
        /// By the wall clock (5.15).
        const REALTIME = 1 << 3;
        /// The new time of a linked timeout (5.15); what `Sqe::link_timeout_update` sets.
        const LINK_UPDATE = 1 << 4;
        /// Running out counts as success, and does not cut a chain (5.16).
        const ETIME_SUCCESS = 1 << 5;
        /// Again and again (6.4); what `Sqe::timeout_multishot` sets.
        const MULTISHOT = 1 << 6;
    }

    /// What of a range is written back, and what is waited for (`SYNC_FILE_RANGE_*`,
    /// `man 2 sync_file_range`).
    ///
    /// ```
    /// use annulet::ring::{IoUring, Sqe, SyncFileRangeFlags};
    /// # use std::os::fd::AsRawFd;
    ///
    /// # let Ok(mut ring) = IoUring::new(1) else { return };
    /// let file = std::fs::File::open(std::env::current_exe().unwrap()).unwrap();
    /// let all = SyncFileRangeFlags::all();
    /// // SAFETY: `file` outlives the completion.
    /// unsafe { ring.push(&Sqe::sync_file_range(file.as_raw_fd(), 0, 4096, all)) }.unwrap();
    /// assert_eq!(ring.wait().unwrap().into_result(), Ok(0));
    /// ```
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct SyncFileRangeFlags: u32 {
        /// Wait first for what is being written already.
        const WAIT_BEFORE = 1 << 0;
        /// Begin to write what is dirty.
        const WRITE = 1 << 1;
        /// Wait at the end for what is being written.
        const WAIT_AFTER = 1 << 2;
    }

    /// How an ordinary descriptor is made of a direct one (`IORING_FIXED_FD_*`).
    ///
    /// ```
    /// use annulet::ring::{FixedFdFlags, IoUring, Opcode, Sqe};
    /// # use annulet::sys::STDIN;
    ///
    /// # let Ok(mut ring) = IoUring::new(1) else { return };
    /// # if !ring.probe().is_ok_and(|probe| probe.supports(Opcode::FixedFdInstall)) { return }
    /// ring.register_files(&[STDIN.into()]).unwrap();
    /// for flags in [FixedFdFlags::empty(), FixedFdFlags::NO_CLOEXEC] {
    ///     // SAFETY: slot 0 is meant; what the number is used for comes later.
    ///     unsafe { ring.push(&Sqe::fixed_fd_install(0, flags)) }.unwrap();
    ///     assert!(ring.wait().unwrap().into_result().is_ok());
    /// }
    /// ```
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct FixedFdFlags: u32 {
        /// Not close-on-exec, which it is otherwise (6.8).
        const NO_CLOEXEC = 1 << 0;
    }

    /// Events of a poll (`POLL*`, `man 2 poll`).
    ///
    /// ```
    /// use annulet::ring::{IoUring, PollEvents, Sqe};
    /// use annulet::sys::{pipe, write};
    ///
    /// # fn main() -> annulet::sys::Result<()> {
    /// # let Ok(mut ring) = IoUring::new(8) else { return Ok(()) }; // refused to this process
    /// let (reader, writer) = pipe()?;
    /// let poll = Sqe::poll_add(reader.raw(), PollEvents::IN);
    /// // SAFETY: the pipe is open until the poll is complete.
    /// unsafe { ring.push(&poll) }?;
    /// ring.submit()?;
    /// write(writer.as_fd(), b"x")?;
    /// assert_eq!(ring.wait()?.into_result(), Ok(PollEvents::IN.bits()));
    /// # Ok(())
    /// # }
    /// ```
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
    ///
    /// ```
    /// use annulet::ring::{FallocateMode, IoUring, Sqe};
    /// use annulet::sys::Errno;
    /// use std::{fs::File, os::fd::AsRawFd};
    ///
    /// # fn main() -> annulet::sys::Result<()> {
    /// # let Ok(mut ring) = IoUring::new(8) else { return Ok(()) }; // refused to this process
    /// # let dir = temp_dir::TempDir::new().unwrap();
    /// let file = File::create(dir.child("holes")).unwrap();
    /// file.set_len(1 << 20).unwrap();
    /// let mode = FallocateMode::PUNCH_HOLE | FallocateMode::KEEP_SIZE;
    /// let punch = Sqe::fallocate(file.as_raw_fd(), mode, 4096, 8192);
    /// // SAFETY: the file is open until the operation is complete.
    /// unsafe { ring.push(&punch) }?;
    /// // Not every file system can.
    /// assert!(matches!(ring.wait()?.into_result(), Ok(0) | Err(Errno::EOPNOTSUPP)));
    /// # Ok(())
    /// # }
    /// ```
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
    ///
    /// ```
    /// use annulet::ring::StatxMask;
    ///
    /// let mask = StatxMask::SIZE | StatxMask::MTIME;
    /// assert!(StatxMask::BASIC_STATS.contains(mask));
    /// assert!(!StatxMask::BASIC_STATS.contains(StatxMask::BTIME));
    /// ```
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
    ///
    /// ```
    /// use annulet::ring::{IoUring, RenameFlags, Sqe};
    /// use annulet::sys::{CWD, Errno};
    /// use std::ffi::CString;
    ///
    /// # fn main() -> annulet::sys::Result<()> {
    /// # let Ok(mut ring) = IoUring::new(8) else { return Ok(()) }; // refused to this process
    /// # let dir = temp_dir::TempDir::new().unwrap();
    /// let names = ["old", "new"].map(|name| {
    ///     std::fs::write(dir.child(name), name).unwrap();
    ///     CString::new(dir.child(name).to_str().unwrap()).unwrap()
    /// });
    /// let (at, [old, new]) = (CWD.raw(), names.each_ref().map(|name| name.as_ptr()));
    /// let rename = Sqe::renameat(at, old, at, new, RenameFlags::NOREPLACE);
    /// // SAFETY: both names live until the operation is complete.
    /// unsafe { ring.push(&rename) }?;
    /// assert_eq!(ring.wait()?.into_result(), Err(Errno::EEXIST));
    /// # Ok(())
    /// # }
    /// ```
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
    ///
    /// ```
    /// use annulet::ring::{CURRENT_POSITION, IoUring, SpliceFlags, Sqe};
    /// use annulet::sys::{pipe, read};
    /// use std::{fs::File, os::fd::AsRawFd};
    ///
    /// # fn main() -> annulet::sys::Result<()> {
    /// # let Ok(mut ring) = IoUring::new(8) else { return Ok(()) }; // refused to this process
    /// let file = File::open("Cargo.toml").unwrap();
    /// let (reader, writer) = pipe()?;
    /// let (from, to) = (file.as_raw_fd(), writer.raw());
    /// let splice = Sqe::splice(from, 0, to, CURRENT_POSITION, 9, SpliceFlags::empty());
    /// // SAFETY: file and pipe are open until the operation is complete.
    /// unsafe { ring.push(&splice) }?;
    /// assert_eq!(ring.wait()?.into_result(), Ok(9));
    /// let mut start = [0; 9];
    /// read(reader.as_fd(), &mut start)?;
    /// assert_eq!(&start, b"[package]");
    /// # Ok(())
    /// # }
    /// ```
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
    ///
    /// ```
    /// use annulet::ring::{IoUring, Sqe, XattrFlags};
    /// use annulet::sys::Errno;
    /// use std::{fs::File, os::fd::AsRawFd};
    ///
    /// # fn main() -> annulet::sys::Result<()> {
    /// # let Ok(mut ring) = IoUring::new(8) else { return Ok(()) }; // refused to this process
    /// # let dir = temp_dir::TempDir::new().unwrap();
    /// let file = File::create(dir.child("plain")).unwrap();
    /// let (name, value) = (c"user.colour".as_ptr(), b"red".as_ptr());
    /// let set = Sqe::fsetxattr(file.as_raw_fd(), name, value, 3, XattrFlags::REPLACE);
    /// // SAFETY: name and value are there for ever, the file is open until it is complete.
    /// unsafe { ring.push(&set) }?;
    /// let error = ring.wait()?.into_result();
    /// // There is none to replace; or the file system has no attributes at all.
    /// assert!(matches!(error, Err(Errno::ENODATA | Errno::EOPNOTSUPP)));
    /// # Ok(())
    /// # }
    /// ```
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct XattrFlags: u32 {
        /// Fail where it exists.
        const CREATE = 1 << 0;
        /// Fail where it does not exist.
        const REPLACE = 1 << 1;
    }
}

/// How a file will be used (`POSIX_FADV_*`, `man 2 posix_fadvise`).
///
/// ```
/// use annulet::ring::{FileAdvice, IoUring, Sqe};
/// use std::{fs::File, os::fd::AsRawFd};
///
/// # fn main() -> annulet::sys::Result<()> {
/// # let Ok(mut ring) = IoUring::new(8) else { return Ok(()) }; // refused to this process
/// let file = File::open("Cargo.toml").unwrap();
/// let whole = Sqe::fadvise(file.as_raw_fd(), 0, 0, FileAdvice::WillNeed);
/// // SAFETY: the file is open until the operation is complete.
/// unsafe { ring.push(&whole) }?;
/// assert_eq!(ring.wait()?.into_result(), Ok(0));
/// # Ok(())
/// # }
/// ```
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
///
/// ```
/// use annulet::ring::{IoUring, MemoryAdvice, Sqe};
/// use annulet::sys::Mapping;
///
/// # fn main() -> annulet::sys::Result<()> {
/// # let Ok(mut ring) = IoUring::new(8) else { return Ok(()) }; // refused to this process
/// let memory = Mapping::anonymous(4096)?;
/// let first = memory.as_ptr();
/// // SAFETY: the mapping is writable, and nobody else reaches it.
/// unsafe { first.write(7) };
/// let forget = Sqe::madvise(first, 4096, MemoryAdvice::DontNeed);
/// // SAFETY: the mapping lives, and nobody else reaches it, until the operation is complete.
/// unsafe { ring.push(&forget) }?;
/// assert_eq!(ring.wait()?.into_result(), Ok(0));
/// // SAFETY: as above.
/// assert_eq!(unsafe { first.read() }, 0);
/// # Ok(())
/// # }
/// ```
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
