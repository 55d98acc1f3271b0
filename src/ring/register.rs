//! Resources registered with a ring: buffers, files, an eventfd, its own descriptor, worker limits.
//!
//! Source of all: `man 2 io_uring_register`, `io_uring/register.c`, `io_uring/rsrc.c`.

use core::marker::PhantomData;
use core::ptr::{NonNull, from_mut};
use core::time::Duration;

use super::cancel::Cancel;
use super::instance::{IoUring, time_limit};
use super::operation::address;
use crate::sys::io_uring::{
    BufReg, IoVec, RegisterOp, RsrcRegister, RsrcRegisterFlags, RsrcUpdate, RsrcUpdate2,
    SyncCancel, io_uring_register,
};
use crate::sys::{BorrowedFd, Errno, Result};

/// How many kernel workers may carry out one thread's operations, by kind.
///
/// ```
/// use annulet::ring::{IoUring, WorkerLimits};
///
/// # let Ok(mut ring) = IoUring::new(8) else { return };
/// let limits = WorkerLimits { bounded: 2, unbounded: 0 };
/// # if ring.limit_workers(limits).is_err() { return } // before Linux 5.15
/// let before = ring.limit_workers(limits).unwrap();
/// assert_eq!(before.bounded, 2);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(C)]
pub struct WorkerLimits {
    /// Workers for work that ends in bounded time: regular files and block devices.
    pub bounded: u32,
    /// Workers for work that may take for ever: pipes, sockets, character devices.
    pub unbounded: u32,
}

const _: () = assert!(size_of::<WorkerLimits>() == 8);

/// A slice as the pair of arguments that registrations take.
fn slice<T>(items: &[T]) -> Result<(usize, u32)> {
    let len = u32::try_from(items.len()).map_err(|_| Errno::EINVAL)?;
    Ok((items.as_ptr().expose_provenance(), len))
}

/// Buffers.
impl IoUring {
    /// Registers memory for [`super::Sqe::read_fixed`] and [`super::Sqe::write_fixed`], by
    /// index. The kernel pins the pages, which brings them in, and looks nothing up per
    /// operation afterwards. Linux 5.1.
    ///
    /// Safe, as a registration by itself neither reads nor writes the memory: what uses it
    /// is pushed. Such an operation reaches the pages that were registered, wherever they are
    /// mapped by then, and not what has come to their old address: who pushes it answers for them.
    ///
    /// # Errors
    /// `EBUSY`: there is a table already. `EFAULT`: memory that is not there or not
    /// writable, or an empty buffer. `EINVAL`: none, or too many (16384; 1024 before 5.13).
    /// `ENOMEM`: `RLIMIT_MEMLOCK`. `EOPNOTSUPP`: memory mapped from certain files.
    pub fn register_buffers(&mut self, buffers: &[IoVec]) -> Result<()> {
        let (arg, len) = slice(buffers)?;
        // SAFETY: the kernel reads `len` vectors and checks the memory they name itself.
        unsafe { self.register(RegisterOp::RegisterBuffers, arg, len) }
    }

    /// Registers a table of `slots` buffers that are all empty, to be filled by
    /// [`Self::update_buffers`]. Linux 5.19.
    ///
    /// # Errors
    /// As [`Self::register_buffers`]; `EINVAL` also before 5.19.
    pub fn register_buffers_sparse(&mut self, slots: u32) -> Result<()> {
        self.register_sparse(RegisterOp::RegisterBuffers2, slots)
    }

    /// Replaces the buffers from index `first` on; a null base empties the slot. Gives how
    /// many were replaced. Operations under way keep the old ones. Linux 5.13.
    ///
    /// # Errors
    /// `ENXIO`: there is no table. `EINVAL`, `EOVERFLOW`: beyond its end. Else as
    /// [`Self::register_buffers`]. After an error in mid-way the count comes first.
    pub fn update_buffers(&mut self, first: u32, buffers: &[IoVec]) -> Result<u32> {
        let (data, nr) = slice(buffers)?;
        let mut update = RsrcUpdate2 {
            offset: first,
            data: data as u64,
            nr,
            ..RsrcUpdate2::default()
        };
        let arg = from_mut(&mut update).expose_provenance();
        // The last argument is the structure's size.
        #[allow(clippy::cast_possible_truncation)] // 32
        let len = size_of::<RsrcUpdate2>() as u32;
        // SAFETY: the kernel reads one structure and the `nr` vectors it names.
        unsafe { io_uring_register(self.as_fd(), RegisterOp::RegisterBuffersUpdate, arg, len) }
    }

    /// Gives the table of buffers up, once operations that use it are done. Linux 5.1.
    ///
    /// # Errors
    /// `ENXIO`: there is none.
    pub fn unregister_buffers(&mut self) -> Result<()> {
        // SAFETY: no argument.
        unsafe { self.register(RegisterOp::UnregisterBuffers, 0, 0) }
    }
}

/// Buffers to pick from.
impl IoUring {
    /// Registers a ring of `entries` buffers as `group`: for [`super::BufferRing`]. Linux 5.19.
    ///
    /// # Safety
    /// At `start` there are as many entries, and stay there until the group is unregistered; who
    /// moves the tail has written the entries before it, with buffers that the kernel may write to.
    pub(super) unsafe fn register_buffer_ring(
        &mut self,
        group: u16,
        start: NonNull<u8>,
        entries: u16,
    ) -> Result<()> {
        let ring_addr = address(start.as_ptr());
        // SAFETY: the caller's promise.
        unsafe { self.buffer_ring(RegisterOp::RegisterPbufRing, group, ring_addr, entries) }
    }

    /// Undoes it: no operation picks from that group any more. What has picked before goes on.
    pub(super) fn unregister_buffer_ring(&mut self, group: u16) -> Result<()> {
        // SAFETY: names no memory.
        unsafe { self.buffer_ring(RegisterOp::UnregisterPbufRing, group, 0, 0) }
    }

    /// # Safety
    /// What `op` does with that memory may be done.
    unsafe fn buffer_ring(
        &self,
        op: RegisterOp,
        group: u16,
        ring_addr: u64,
        entries: u16,
    ) -> Result<()> {
        let mut which = BufReg {
            ring_addr,
            ring_entries: entries.into(),
            bgid: group,
            ..BufReg::default()
        };
        let arg = from_mut(&mut which).expose_provenance();
        // SAFETY: the kernel reads one structure; the caller answers for the memory it names.
        unsafe { self.register(op, arg, 1) }
    }
}

/// What a slot of the registered files is given.
///
/// ```
/// use annulet::ring::{FileSlot, IoUring, Sqe};
/// use annulet::sys::{CWD, Mode, OFlags, openat};
///
/// # fn main() -> annulet::sys::Result<()> {
/// # let Ok(mut ring) = IoUring::new(8) else { return Ok(()) }; // refused to this process
/// let file = openat(CWD, c"Cargo.toml", OFlags::RDONLY, Mode::empty())?;
/// ring.register_files(&[FileSlot::EMPTY, file.as_fd().into()])?;
/// drop(file); // the ring's table holds it open
/// let mut start = [0; 9];
/// let read = Sqe::read(1, start.as_mut_ptr(), 9, 0).fixed_file(); // of slot 1
/// // SAFETY: nobody else reaches `start` until the read is complete.
/// unsafe { ring.push(&read) }?;
/// assert_eq!(ring.wait()?.into_result(), Ok(9));
/// assert_eq!(&start, b"[package]");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub struct FileSlot<'fd> {
    raw: i32,
    descriptor: PhantomData<BorrowedFd<'fd>>,
}

impl FileSlot<'_> {
    /// Nothing: the slot is empty then. Linux 5.5.
    pub const EMPTY: Self = Self::of(-1);
    /// Nothing: an update leaves the slot alone (`IORING_REGISTER_FILES_SKIP`). Linux 5.12.
    pub const SKIP: Self = Self::of(-2);

    const fn of(raw: i32) -> Self {
        Self {
            raw,
            descriptor: PhantomData,
        }
    }
}

impl<'fd> From<BorrowedFd<'fd>> for FileSlot<'fd> {
    fn from(fd: BorrowedFd<'fd>) -> Self {
        Self::of(fd.raw())
    }
}

const _: () = assert!(size_of::<FileSlot<'_>>() == size_of::<i32>());

/// Files.
impl IoUring {
    /// Registers files, to be named by index with [`super::Sqe::fixed_file`]. The table holds them
    /// open by itself. Linux 5.1.
    ///
    /// # Errors
    /// `EBUSY`: there is a table already. `EBADF`: not open, or a ring. `EINVAL`: no slots.
    /// `EMFILE`: more than `RLIMIT_NOFILE` or the kernel's maximum.
    pub fn register_files(&mut self, slots: &[FileSlot<'_>]) -> Result<()> {
        let (arg, len) = slice(slots)?;
        // SAFETY: the kernel reads `len` descriptors, which are borrowed.
        unsafe { self.register(RegisterOp::RegisterFiles, arg, len) }
    }

    /// Registers a table of `slots` empty file slots: for direct descriptors and
    /// [`Self::update_files`]. Linux 5.19.
    ///
    /// # Errors
    /// As [`Self::register_files`]; `EINVAL` also before 5.19.
    pub fn register_files_sparse(&mut self, slots: u32) -> Result<()> {
        self.register_sparse(RegisterOp::RegisterFiles2, slots)
    }

    /// Replaces the files from index `first` on. Gives how many slots that were. Linux 5.5.
    ///
    /// # Errors
    /// `ENXIO`: there is no table. `EINVAL`, `EOVERFLOW`: beyond its end, or none. `EBADF`: not
    /// open.
    pub fn update_files(&mut self, first: u32, slots: &[FileSlot<'_>]) -> Result<u32> {
        let (data, nr) = slice(slots)?;
        let mut update = RsrcUpdate {
            offset: first,
            data: data as u64,
            ..RsrcUpdate::default()
        };
        let arg = from_mut(&mut update).expose_provenance();
        // SAFETY: the kernel reads one structure, and the `nr` descriptors it names are borrowed.
        unsafe { io_uring_register(self.as_fd(), RegisterOp::RegisterFilesUpdate, arg, nr) }
    }

    /// Gives the table of files up, and closes what it alone holds open. Linux 5.1.
    ///
    /// # Errors
    /// `ENXIO`: there is none.
    pub fn unregister_files(&mut self) -> Result<()> {
        // SAFETY: no argument.
        unsafe { self.register(RegisterOp::UnregisterFiles, 0, 0) }
    }
}

/// Being told of completions.
impl IoUring {
    /// Has the kernel add one to `eventfd` (`man 2 eventfd`) for completions, so that whoever waits
    /// for several things by `poll` can wait for the ring too. One signal may stand for several
    /// completions, and with deferred completion work it says only that there are some to be asked
    /// for. The ring holds the eventfd open by itself. Linux 5.2.
    ///
    /// # Errors
    /// `EBUSY`: it has one. `EBADF`: not open. `EINVAL`: no eventfd.
    pub fn register_eventfd(&mut self, eventfd: BorrowedFd<'_>) -> Result<()> {
        self.register_eventfd_by(RegisterOp::RegisterEventfd, eventfd)
    }

    /// As [`Self::register_eventfd`], for completions only that do not come while their operation
    /// is handed over. Linux 5.6.
    ///
    /// # Errors
    /// As [`Self::register_eventfd`]; `EINVAL` also before 5.6.
    pub fn register_eventfd_async(&mut self, eventfd: BorrowedFd<'_>) -> Result<()> {
        self.register_eventfd_by(RegisterOp::RegisterEventfdAsync, eventfd)
    }

    /// Undoes both. Linux 5.2.
    ///
    /// # Errors
    /// `ENXIO`: there is none.
    pub fn unregister_eventfd(&mut self) -> Result<()> {
        // SAFETY: no argument.
        unsafe { self.register(RegisterOp::UnregisterEventfd, 0, 0) }
    }

    fn register_eventfd_by(&self, op: RegisterOp, eventfd: BorrowedFd<'_>) -> Result<()> {
        let descriptor = [FileSlot::from(eventfd)];
        let (arg, len) = slice(&descriptor)?;
        // SAFETY: the kernel reads one descriptor, which is borrowed.
        unsafe { self.register(op, arg, len) }
    }
}

/// The ring itself.
impl IoUring {
    /// Registers the ring's own descriptor with this thread, so that entering the kernel
    /// need not look it up. Undone when the ring is dropped. Linux 5.18.
    ///
    /// # Errors
    /// `EINVAL` before 5.18. `EBUSY`: this thread has 16 such already. `EEXIST`: this ring is
    /// registered.
    pub fn register_ring_fd(&mut self) -> Result<()> {
        if self.entered_by_index().is_some() {
            return Err(Errno::EEXIST);
        }
        let mut update = RsrcUpdate {
            offset: u32::MAX, // any free index; the kernel writes here which
            data: u64::from(self.as_fd().raw().unsigned_abs()),
            ..RsrcUpdate::default()
        };
        let arg = from_mut(&mut update).expose_provenance();
        // SAFETY: the kernel reads and writes one structure, borrowed mutably above.
        unsafe { self.register(RegisterOp::RegisterRingFds, arg, 1) }?;
        self.enter_by_index(update.offset, Self::unregister_ring_fd);
        Ok(())
    }

    /// Undoes [`Self::register_ring_fd`]. Linux 5.18.
    ///
    /// # Errors
    /// `ENXIO`: the ring is not registered.
    pub fn unregister_ring_fd(&mut self) -> Result<()> {
        let index = self.entered_by_index().ok_or(Errno::ENXIO)?;
        let mut update = RsrcUpdate {
            offset: index,
            ..RsrcUpdate::default()
        };
        let arg = from_mut(&mut update).expose_provenance();
        // SAFETY: the kernel reads one structure.
        unsafe { self.register(RegisterOp::UnregisterRingFds, arg, 1) }?;
        self.enter_by_descriptor();
        Ok(())
    }

    /// Limits the kernel's workers; 0 leaves a limit as it is. Gives the limits that held for this
    /// thread before. Linux 5.15.
    ///
    /// Workers belong to a thread, not to a ring: the limits hold for all rings of the thread that
    /// calls (of a polling thread's ring for that thread), and for every other thread that has
    /// entered this ring or will. By default bounded work has as many workers as the thread's first
    /// ring had submission entries, 4 times the processors at most, however large its later rings
    /// are; unbounded work has `RLIMIT_NPROC` (`io_uring/tctx.c`, `io_init_wq_offload`).
    ///
    /// # Errors
    /// `EINVAL` before 5.15, and for a limit above `i32::MAX`.
    pub fn limit_workers(&mut self, limits: WorkerLimits) -> Result<WorkerLimits> {
        let mut limits = limits;
        let arg = from_mut(&mut limits).expose_provenance();
        // SAFETY: the kernel reads and writes two numbers, borrowed mutably above.
        unsafe { self.register(RegisterOp::RegisterIowqMaxWorkers, arg, 2) }?;
        Ok(limits)
    }

    /// Calls off the operations that `which` chooses. One that runs and cannot be interrupted is
    /// waited for, up to `timeout` (cut to 136 years); not where all are chosen. Their completions
    /// arrive as ever, and what is queued and not handed over is not found. Gives how many that
    /// were where all are chosen, else 0. Linux 6.0; [`Cancel`] has the kernels of what it names.
    ///
    /// A limit is needed: with deferred completion work nobody wakes who waits here (seen on 6.18).
    ///
    /// # Errors
    /// `ENOENT`: there is none; never where all are chosen. `ETIME`: it still runs, as far as is
    /// known. `EBADF`: the descriptor is not open. `EINTR`: a signal came first. `EINVAL` before
    /// 6.0, or before the kernel of what is named.
    pub fn cancel_and_wait(&self, which: Cancel, timeout: Duration) -> Result<u32> {
        let (fd, user_data, opcode, flags) = which.parts();
        let mut which = SyncCancel {
            addr: user_data,
            fd,
            flags: flags.bits(),
            timeout: time_limit(timeout),
            opcode,
            ..SyncCancel::default()
        };
        let arg = from_mut(&mut which).expose_provenance();
        // SAFETY: the kernel reads one structure, and compares the descriptor.
        unsafe { io_uring_register(self.as_fd(), RegisterOp::RegisterSyncCancel, arg, 1) }
    }

    /// Enables a ring made with [`super::SetupFlags::R_DISABLED`]. Linux 5.10.
    ///
    /// # Errors
    /// `EBADFD`: it is not disabled.
    pub fn enable(&mut self) -> Result<()> {
        // SAFETY: no argument.
        unsafe { self.register(RegisterOp::RegisterEnableRings, 0, 0) }
    }

    /// # Safety
    /// As [`io_uring_register`].
    unsafe fn register(&self, op: RegisterOp, arg: usize, nr_args: u32) -> Result<()> {
        // SAFETY: the caller keeps the same contract.
        unsafe { io_uring_register(self.as_fd(), op, arg, nr_args) }.map(drop)
    }

    fn register_sparse(&self, op: RegisterOp, slots: u32) -> Result<()> {
        let mut table = RsrcRegister {
            nr: slots,
            flags: RsrcRegisterFlags::SPARSE.bits(),
            ..RsrcRegister::default()
        };
        let arg = from_mut(&mut table).expose_provenance();
        // The last argument is the structure's size.
        #[allow(clippy::cast_possible_truncation)] // 32
        let len = size_of::<RsrcRegister>() as u32;
        // SAFETY: the kernel reads one structure, which names no memory.
        unsafe { self.register(op, arg, len) }
    }
}
