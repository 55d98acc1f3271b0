//! [`Sqe`]: what all operations have in common, and those on files.

use core::ffi::c_char;

use crate::sys::io_uring::{
    FILE_INDEX_ALLOC, FallocateMode, FileAdvice, FixedFdFlags, FsyncFlags, IoVec, MemoryAdvice,
    Opcode, OpenHow, RawSqe, RenameFlags, SpliceFlags, SqeFlags, StatxBuffer, StatxMask,
    SyncFileRangeFlags, XattrFlags,
};
use crate::sys::{AtFlags, Mode, OFlags};

/// Size of [`OpenHow`], by which the kernel knows its version.
const OPEN_HOW_LEN: u32 = 24;
const _: () = assert!(size_of::<OpenHow>() == OPEN_HOW_LEN as usize);

/// Offset that stands for the file's own position, which the operation then moves
/// (Linux 5.6, [`super::Features::RW_CUR_POS`]).
pub const CURRENT_POSITION: u64 = u64::MAX;

/// The last number that a slot of the registered files can have in an entry. Tables end long
/// before it (`IORING_MAX_FIXED_FILES`, `io_uring/rsrc.c`).
const LAST_SLOT: u32 = FILE_INDEX_ALLOC - 2;

/// An operation to be pushed.
///
/// Making one is safe; [`super::IoUring::push`] is where the caller answers for the
/// addresses and descriptors it holds.
///
/// ```
/// use annulet::ring::{IoUring, Sqe};
/// use std::{fs::File, os::fd::AsRawFd};
///
/// # fn main() -> annulet::sys::Result<()> {
/// # let Ok(mut ring) = IoUring::new(8) else { return Ok(()) }; // refused to this process
/// # let dir = temp_dir::TempDir::new().unwrap();
/// let file = File::create(dir.child("letter")).unwrap();
/// let fd = file.as_raw_fd();
/// // The second operation starts when the first has succeeded.
/// let chain = [
///     Sqe::write(fd, b"hello".as_ptr(), 5, 0).user_data(1).link(),
///     Sqe::fdatasync(fd).user_data(2),
/// ];
/// for sqe in &chain {
///     // SAFETY: the text is there for ever, and the file is open until both are complete.
///     unsafe { ring.push(sqe) }?;
/// }
/// assert_eq!(ring.wait()?.into_result(), Ok(5));
/// assert_eq!(ring.wait()?.into_result(), Ok(0));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "an operation does nothing until it is pushed"]
pub struct Sqe(pub(super) RawSqe);

/// An address as an entry holds it.
pub(super) fn address<T: ?Sized>(pointer: *const T) -> u64 {
    pointer.expose_provenance() as u64
}

/// Modifiers.
impl Sqe {
    #[inline]
    pub(super) fn new(opcode: Opcode, fd: i32) -> Self {
        Self(RawSqe {
            opcode: opcode as u8,
            fd,
            ..RawSqe::default()
        })
    }

    /// The entry `raw`, for what has no function here ([`RawSqe`] has an example).
    #[inline]
    pub const fn from_raw(raw: RawSqe) -> Self {
        Self(raw)
    }

    /// Sets the flags of its kind.
    #[inline]
    pub(super) const fn op_flags(mut self, flags: u32) -> Self {
        self.0.op_flags = flags;
        self
    }

    /// Names the registered buffer, or the group of buffers, with that number.
    #[inline]
    pub(super) const fn buf_index(mut self, index: u16) -> Self {
        self.0.buf_index = index;
        self
    }

    /// The entry as the kernel reads it.
    #[must_use]
    pub const fn raw(&self) -> &RawSqe {
        &self.0
    }

    /// The number that the completion carries.
    #[inline]
    pub const fn user_data(mut self, user_data: u64) -> Self {
        self.0.user_data = user_data;
        self
    }

    /// Adds flags.
    #[inline]
    pub const fn flags(mut self, flags: SqeFlags) -> Self {
        self.0.flags |= flags.bits();
        self
    }

    /// The next operation starts when this one has succeeded in full: an error, and for
    /// reads and writes also a short count, cancels it and the rest of the chain with
    /// `ECANCELED`. A chain does not span submissions. Linux 5.3.
    ///
    /// Operations that the kernel carries out in a worker by a plain call complete with their
    /// error and let the chain go on (seen on 6.18): fsync, `sync_file_range`, fallocate,
    /// ftruncate, statx, mkdirat, unlinkat, renameat, linkat, symlinkat, madvise, getxattr,
    /// setxattr. A wrong descriptor cuts the chain with all of them, as it is found before.
    pub const fn link(self) -> Self {
        self.flags(SqeFlags::IO_LINK)
    }

    /// The next operation starts when this one is complete, whatever its result. Linux 5.5.
    pub const fn hardlink(self) -> Self {
        self.flags(SqeFlags::IO_HARDLINK)
    }

    /// The descriptor is an index into the registered files. Linux 5.1.
    pub const fn fixed_file(self) -> Self {
        self.flags(SqeFlags::FIXED_FILE)
    }

    /// Starts when everything submitted before is complete, and holds back what comes
    /// after. Linux 5.2.
    pub const fn drain(self) -> Self {
        self.flags(SqeFlags::IO_DRAIN)
    }

    /// No completion if it succeeds. Unless all goes well the ring cannot know what is in
    /// flight: see [`super::IoUring::in_flight`]. Linux 5.17.
    pub const fn skip_success(self) -> Self {
        self.flags(SqeFlags::CQE_SKIP_SUCCESS)
    }

    /// Has the kernel pick a buffer among those provided as `group` (by a [`super::BufferRing`] or
    /// [`Self::provide_buffers`]), once there is data: for reads and receives, which then take no
    /// address of their own (null), and at most their length (0, Linux 6.0: the buffer's). The
    /// completion tells which ([`super::Completion::buffer`]); `ENOBUFS` when the group is empty.
    /// Linux 5.7.
    pub const fn buffer_group(self, group: u16) -> Self {
        self.buf_index(group).flags(SqeFlags::BUFFER_SELECT)
    }

    /// Goes to a worker at once instead of being tried inline. Linux 5.6.
    pub const fn force_async(self) -> Self {
        self.flags(SqeFlags::ASYNC)
    }
}

/// Nothing, reading and writing.
impl Sqe {
    /// Does nothing; result 0. Linux 5.1.
    #[inline]
    pub fn nop() -> Self {
        Self::new(Opcode::Nop, -1)
    }

    #[inline]
    pub(super) fn transfer(opcode: Opcode, fd: i32, addr: u64, len: u32, offset: u64) -> Self {
        let mut sqe = Self::new(opcode, fd);
        sqe.0.addr = addr;
        sqe.0.len = len;
        sqe.0.off = offset;
        sqe
    }

    /// Reads up to `len_bytes` at `offset` (or [`CURRENT_POSITION`]) into `buf`; result: the
    /// count, 0 at the end (`man 2 pread`). Linux 5.6.
    #[inline]
    pub fn read(fd: i32, buf: *mut u8, len_bytes: u32, offset: u64) -> Self {
        Self::transfer(Opcode::Read, fd, address(buf), len_bytes, offset)
    }

    /// Writes up to `len_bytes` from `buf` at `offset` (or [`CURRENT_POSITION`]); result: the
    /// count (`man 2 pwrite`). Linux 5.6.
    #[inline]
    pub fn write(fd: i32, buf: *const u8, len_bytes: u32, offset: u64) -> Self {
        Self::transfer(Opcode::Write, fd, address(buf), len_bytes, offset)
    }

    /// As [`Self::read`], into memory within registered buffer `index`. Linux 5.1.
    #[inline]
    pub fn read_fixed(fd: i32, buf: *mut u8, len_bytes: u32, offset: u64, index: u16) -> Self {
        Self::transfer(Opcode::ReadFixed, fd, address(buf), len_bytes, offset).buf_index(index)
    }

    /// As [`Self::write`], from memory within registered buffer `index`. Linux 5.1.
    #[inline]
    pub fn write_fixed(fd: i32, buf: *const u8, len_bytes: u32, offset: u64, index: u16) -> Self {
        Self::transfer(Opcode::WriteFixed, fd, address(buf), len_bytes, offset).buf_index(index)
    }
}

/// Vectored reading and writing, splicing.
impl Sqe {
    /// Reads into `count` pieces one after the other (`man 2 preadv`). `vectors` itself is
    /// read at submission ([`super::Features::SUBMIT_STABLE`], Linux 5.5). Linux 5.1.
    pub fn readv(fd: i32, vectors: *const IoVec, count: u32, offset: u64) -> Self {
        Self::transfer(Opcode::Readv, fd, address(vectors), count, offset)
    }

    /// Writes `count` pieces one after the other (`man 2 pwritev`); as [`Self::readv`].
    /// Linux 5.1.
    pub fn writev(fd: i32, vectors: *const IoVec, count: u32, offset: u64) -> Self {
        Self::transfer(Opcode::Writev, fd, address(vectors), count, offset)
    }

    /// As [`Self::readv`], into pieces that all lie within registered buffer `index`.
    /// `EFAULT` where one does not. Linux 6.15.
    pub fn readv_fixed(
        fd: i32,
        vectors: *const IoVec,
        count: u32,
        offset: u64,
        index: u16,
    ) -> Self {
        Self::transfer(Opcode::ReadvFixed, fd, address(vectors), count, offset).buf_index(index)
    }

    /// As [`Self::writev`], from pieces that all lie within registered buffer `index`.
    /// `EFAULT` where one does not. Linux 6.15.
    pub fn writev_fixed(
        fd: i32,
        vectors: *const IoVec,
        count: u32,
        offset: u64,
        index: u16,
    ) -> Self {
        Self::transfer(Opcode::WritevFixed, fd, address(vectors), count, offset).buf_index(index)
    }

    /// Moves up to `len_bytes` between two descriptors, one of them a pipe; result: the count
    /// (`man 2 splice`). An offset is [`CURRENT_POSITION`] for a pipe and for a file's own
    /// position. [`Self::fixed_file`] is about `fd_out`; [`SpliceFlags::FD_IN_FIXED`] about
    /// `fd_in`. Linux 5.7.
    pub fn splice(
        fd_in: i32,
        offset_in: u64,
        fd_out: i32,
        offset_out: u64,
        len_bytes: u32,
        flags: SpliceFlags,
    ) -> Self {
        let mut sqe = Self::transfer(Opcode::Splice, fd_out, offset_in, len_bytes, offset_out);
        sqe.0.op_flags = flags.bits();
        sqe.0.file_index = fd_in.cast_unsigned();
        sqe
    }

    /// Copies up to `len_bytes` from one pipe to another and leaves them in the first;
    /// result: the count (`man 2 tee`). Linux 5.8.
    pub fn tee(fd_in: i32, fd_out: i32, len_bytes: u32, flags: SpliceFlags) -> Self {
        let mut sqe = Self::transfer(Opcode::Tee, fd_out, 0, len_bytes, 0);
        sqe.0.op_flags = flags.bits();
        sqe.0.file_index = fd_in.cast_unsigned();
        sqe
    }
}

/// Buffers that the kernel picks from.
impl Sqe {
    /// Gives the kernel `count` buffers of `len_bytes` each, one after the other from `start` on,
    /// as numbers `first`, `first + 1`, … of `group`: for operations with [`Self::buffer_group`].
    /// Result: 0. Each is the kernel's until a completion names it
    /// ([`super::Completion::buffer`]), to be given anew then, or it is removed.
    ///
    /// Errors: `E2BIG`: none; `EINVAL`: a number beyond 65535, no length, or a group that is a
    /// ring of buffers; `EFAULT`: no memory of a program can be there. Linux 5.7.
    pub fn provide_buffers(
        start: *mut u8,
        len_bytes: u32,
        count: u16,
        group: u16,
        first: u16,
    ) -> Self {
        let (opcode, first) = (Opcode::ProvideBuffers, u64::from(first));
        Self::transfer(opcode, count.into(), address(start), len_bytes, first).buf_index(group)
    }

    /// Takes up to `count` buffers of `group` back; result: how many, `ENOENT` without such a
    /// group, `EINVAL` for none. Linux 5.7.
    pub fn remove_buffers(count: u16, group: u16) -> Self {
        Self::new(Opcode::RemoveBuffers, count.into()).buf_index(group)
    }

    /// Reads again and again whenever there is data, each time into a buffer that the kernel
    /// picks from `group`. Results: the counts, with [`super::CqeFlags::MORE`]; the last, without,
    /// is 0 at the end, `ENOBUFS` when the group is empty, or an error. A full completion queue
    /// ends it too. `EBADFD` where `fd` cannot be polled, such as a regular file. Linux 6.7.
    ///
    /// ```
    /// use annulet::ring::{IoUring, Sqe};
    /// use std::{io::Write, os::fd::AsRawFd};
    ///
    /// # let Ok(mut ring) = IoUring::new(4) else { return };
    /// # let probe = ring.probe().unwrap();
    /// # if !probe.supports(annulet::ring::Opcode::ReadMultishot) { return }
    /// let (reader, mut writer) = std::io::pipe().unwrap();
    /// let mut buffers = vec![0; 4 * 512];
    /// let provide = Sqe::provide_buffers(buffers.as_mut_ptr(), 512, 4, 0, 0);
    /// // SAFETY: here and below: `buffers` and the pipe outlive the last completion.
    /// unsafe { ring.push(&provide) }.unwrap();
    /// assert_eq!(ring.wait().unwrap().into_result(), Ok(0));
    ///
    /// unsafe { ring.push(&Sqe::read_multishot(reader.as_raw_fd(), 0)) }.unwrap();
    /// writer.write_all(b"one").unwrap();
    /// let read = ring.wait().unwrap();
    /// let start = usize::from(read.buffer().unwrap()) * 512;
    /// assert_eq!((&buffers[start..start + 3], read.has_more()), (&b"one"[..], true));
    ///
    /// drop(writer);
    /// let end = ring.wait().unwrap();
    /// assert_eq!((end.into_result(), end.has_more()), (Ok(0), false));
    /// ```
    pub fn read_multishot(fd: i32, group: u16) -> Self {
        Self::transfer(Opcode::ReadMultishot, fd, 0, 0, CURRENT_POSITION).buffer_group(group)
    }
}

/// Opening and closing.
impl Sqe {
    fn at(opcode: Opcode, dir: i32, path: *const c_char) -> Self {
        Self::transfer(opcode, dir, address(path), 0, 0)
    }

    /// Opens; result: the descriptor (`man 2 openat`). Linux 5.6.
    pub fn openat(dir: i32, path: *const c_char, flags: OFlags, mode: Mode) -> Self {
        let mut sqe = Self::at(Opcode::Openat, dir, path);
        sqe.0.len = mode.bits();
        sqe.0.op_flags = flags.bits();
        sqe
    }

    /// Opens as `how` says, which is read at submission; result: the descriptor
    /// (`man 2 openat2`). Linux 5.6.
    pub fn openat2(dir: i32, path: *const c_char, how: *const OpenHow) -> Self {
        let mut sqe = Self::at(Opcode::Openat2, dir, path);
        sqe.0.off = address(how);
        sqe.0.len = OPEN_HOW_LEN;
        sqe
    }

    /// Turns an operation that opens (or, as [`Self::close_direct`], closes) to a direct
    /// descriptor: slot `slot` of the registered files instead of a number of the process.
    /// Result: 0; `EINVAL` where the table has no such slot, or with `CLOEXEC` among the flags.
    /// Not for others: [`Self::splice`], [`Self::tee`] and [`Self::waitid`] have something else in
    /// its place. Linux 5.15.
    pub const fn direct(mut self, slot: u32) -> Self {
        // 0 stands for an ordinary descriptor, the largest number for any slot: what no table can
        // have must not become one of them.
        self.0.file_index = if slot < LAST_SLOT { slot } else { LAST_SLOT } + 1;
        self
    }

    /// As [`Self::direct`], to a free slot that the kernel picks. Result: the slot, or
    /// `ENFILE` if none is free. Linux 5.19.
    pub const fn direct_alloc(mut self) -> Self {
        self.0.file_index = FILE_INDEX_ALLOC;
        self
    }

    /// Closes a descriptor; result: 0, or what the file system reports late (`man 2 close`).
    /// Linux 5.6.
    pub fn close(fd: i32) -> Self {
        Self::new(Opcode::Close, fd)
    }

    /// Closes the direct descriptor in slot `slot` of the registered files. Linux 5.15.
    pub fn close_direct(slot: u32) -> Self {
        Self::new(Opcode::Close, 0).direct(slot)
    }

    /// Makes a pipe and writes its two descriptors into `ends`, the reading one first; result: 0
    /// (`man 2 pipe2`: `CLOEXEC`, `NONBLOCK` and `DIRECT`). With [`Self::direct`] they are slots
    /// `slot` and `slot + 1`, which are empty if that fails, and with [`Self::direct_alloc`] two
    /// that are free. `EINVAL`: another flag, no such slots, or direct ones with `CLOEXEC`.
    /// Linux 6.16.
    pub fn pipe(ends: *mut [i32; 2], flags: OFlags) -> Self {
        Self::transfer(Opcode::Pipe, 0, address(ends), 0, 0).op_flags(flags.bits())
    }

    /// Makes an ordinary descriptor of the direct one in slot `slot`, close-on-exec if `flags` do
    /// not say otherwise; result: its number. `EBADF` where the slot is empty. Linux 6.8.
    pub fn fixed_fd_install(slot: u32, flags: FixedFdFlags) -> Self {
        Self::new(Opcode::FixedFdInstall, slot.cast_signed())
            .fixed_file()
            .op_flags(flags.bits())
    }

    /// Replaces `count` registered files from slot `first` on by `descriptors`; result: how
    /// many; `EINVAL` or `EOVERFLOW` beyond the table's end. Linux 5.6.
    pub fn files_update(descriptors: *const i32, count: u32, first: u32) -> Self {
        // The largest number would have the kernel pick slots, and write their numbers to
        // `descriptors` (6.0).
        let first = first.min(FILE_INDEX_ALLOC - 1);
        let (opcode, first) = (Opcode::FilesUpdate, u64::from(first));
        Self::transfer(opcode, -1, address(descriptors), count, first)
    }
}

/// A file's data and space.
impl Sqe {
    /// Writes data and metadata back to the medium (`man 2 fsync`). Linux 5.1.
    pub fn fsync(fd: i32, flags: FsyncFlags) -> Self {
        Self::fsync_range(fd, 0, 0, flags)
    }

    /// As [`Self::fsync`], with only the metadata that reading the data needs
    /// (`man 2 fdatasync`). Linux 5.1.
    pub fn fdatasync(fd: i32) -> Self {
        Self::fsync(fd, FsyncFlags::DATASYNC)
    }

    /// As [`Self::fsync`], of what lies in the `len_bytes` from `offset` on (0 and 0: all). Most
    /// file systems write the whole file back. Linux 5.1.
    pub fn fsync_range(fd: i32, offset: u64, len_bytes: u32, flags: FsyncFlags) -> Self {
        Self::transfer(Opcode::Fsync, fd, 0, len_bytes, offset).op_flags(flags.bits())
    }

    /// Starts writing back the pages of `len_bytes` (0: all) from `offset` on, or waits for it:
    /// no promise that they outlast a crash (`man 2 sync_file_range`). `ESPIPE` for what is
    /// neither a file, a device, nor a folder. Linux 5.2.
    pub fn sync_file_range(
        fd: i32,
        offset: u64,
        len_bytes: u32,
        flags: SyncFileRangeFlags,
    ) -> Self {
        Self::transfer(Opcode::SyncFileRange, fd, 0, len_bytes, offset).op_flags(flags.bits())
    }

    /// Allocates, punches or zeroes `len_bytes` from `offset` on (`man 2 fallocate`).
    /// Linux 5.6.
    pub fn fallocate(fd: i32, mode: FallocateMode, offset: u64, len_bytes: u64) -> Self {
        // The kernel takes the length where other operations have an address, and the mode
        // where they have a length.
        Self::transfer(Opcode::Fallocate, fd, len_bytes, mode.bits(), offset)
    }

    /// Cuts or extends a file to `len_bytes` (`man 2 ftruncate`). Linux 6.9.
    pub fn ftruncate(fd: i32, len_bytes: u64) -> Self {
        Self::transfer(Opcode::Ftruncate, fd, 0, 0, len_bytes)
    }

    /// Says how `len_bytes` (0: all) from `offset` on will be used (`man 2 posix_fadvise`).
    /// Linux 5.6.
    pub fn fadvise(fd: i32, offset: u64, len_bytes: u32, advice: FileAdvice) -> Self {
        Self::transfer(Opcode::Fadvise, fd, 0, len_bytes, offset).op_flags(advice as u32)
    }

    /// Says how memory will be used (`man 2 madvise`). Linux 5.6.
    pub fn madvise(start: *mut u8, len_bytes: u32, advice: MemoryAdvice) -> Self {
        Self::transfer(Opcode::Madvise, -1, address(start), len_bytes, 0).op_flags(advice as u32)
    }
}

/// Names.
impl Sqe {
    /// Reads a file's metadata into `out` (`man 2 statx`). Linux 5.6.
    pub fn statx(
        dir: i32,
        path: *const c_char,
        flags: AtFlags,
        mask: StatxMask,
        out: *mut StatxBuffer,
    ) -> Self {
        let mut sqe = Self::at(Opcode::Statx, dir, path);
        sqe.0.off = address(out);
        sqe.0.len = mask.bits();
        sqe.0.op_flags = flags.bits();
        sqe
    }

    fn two_names(
        opcode: Opcode,
        (old_dir, old_path): (i32, *const c_char),
        (new_dir, new_path): (i32, *const c_char),
        flags: u32,
    ) -> Self {
        let mut sqe = Self::at(opcode, old_dir, old_path);
        // The second directory descriptor takes the place of a length.
        sqe.0.len = new_dir.cast_unsigned();
        sqe.0.off = address(new_path);
        sqe.0.op_flags = flags;
        sqe
    }

    /// Renames (`man 2 renameat2`). Linux 5.11.
    pub fn renameat(
        old_dir: i32,
        old_path: *const c_char,
        new_dir: i32,
        new_path: *const c_char,
        flags: RenameFlags,
    ) -> Self {
        let (old, new) = ((old_dir, old_path), (new_dir, new_path));
        Self::two_names(Opcode::Renameat, old, new, flags.bits())
    }

    /// Makes a hard link (`man 2 linkat`). Linux 5.15.
    pub fn linkat(
        old_dir: i32,
        old_path: *const c_char,
        new_dir: i32,
        new_path: *const c_char,
        flags: AtFlags,
    ) -> Self {
        let (old, new) = ((old_dir, old_path), (new_dir, new_path));
        Self::two_names(Opcode::Linkat, old, new, flags.bits())
    }

    /// Makes a symbolic link to `target` (`man 2 symlinkat`). Linux 5.15.
    pub fn symlinkat(target: *const c_char, dir: i32, path: *const c_char) -> Self {
        let mut sqe = Self::at(Opcode::Symlinkat, dir, target);
        sqe.0.off = address(path);
        sqe
    }

    /// Removes a name; with [`AtFlags::REMOVEDIR`] a directory (`man 2 unlinkat`).
    /// Linux 5.11.
    pub fn unlinkat(dir: i32, path: *const c_char, flags: AtFlags) -> Self {
        Self::at(Opcode::Unlinkat, dir, path).op_flags(flags.bits())
    }

    /// Makes a directory (`man 2 mkdirat`). Linux 5.15.
    pub fn mkdirat(dir: i32, path: *const c_char, mode: Mode) -> Self {
        let mut sqe = Self::at(Opcode::Mkdirat, dir, path);
        sqe.0.len = mode.bits();
        sqe
    }
}

/// Extended attributes (`man 7 xattr`).
impl Sqe {
    fn xattr(opcode: Opcode, fd: i32, name: *const c_char, value: u64, len_bytes: u32) -> Self {
        Self::transfer(opcode, fd, address(name), len_bytes, value)
    }

    /// Reads attribute `name` of the file at `path`, symlinks followed; result: its length,
    /// which for `len_bytes` 0 is all that is asked (`man 2 getxattr`). Linux 5.19.
    pub fn getxattr(
        path: *const c_char,
        name: *const c_char,
        value: *mut u8,
        len_bytes: u32,
    ) -> Self {
        let mut sqe = Self::xattr(Opcode::Getxattr, 0, name, address(value), len_bytes);
        sqe.0.addr3 = address(path);
        sqe
    }

    /// As [`Self::getxattr`], of an open file. Linux 5.19.
    pub fn fgetxattr(fd: i32, name: *const c_char, value: *mut u8, len_bytes: u32) -> Self {
        Self::xattr(Opcode::Fgetxattr, fd, name, address(value), len_bytes)
    }

    /// Sets attribute `name` of the file at `path`, symlinks followed (`man 2 setxattr`).
    /// Linux 5.19.
    pub fn setxattr(
        path: *const c_char,
        name: *const c_char,
        value: *const u8,
        len_bytes: u32,
        flags: XattrFlags,
    ) -> Self {
        let mut sqe = Self::xattr(Opcode::Setxattr, 0, name, address(value), len_bytes);
        sqe.0.addr3 = address(path);
        sqe.0.op_flags = flags.bits();
        sqe
    }

    /// As [`Self::setxattr`], of an open file. Linux 5.19.
    pub fn fsetxattr(
        fd: i32,
        name: *const c_char,
        value: *const u8,
        len_bytes: u32,
        flags: XattrFlags,
    ) -> Self {
        Self::xattr(Opcode::Fsetxattr, fd, name, address(value), len_bytes).op_flags(flags.bits())
    }
}
