//! [`Sqe`]: the operations and their modifiers.

use crate::sys::io_uring::{Opcode, RawSqe, SqeFlags};

/// Offset that stands for the file's own position, which the operation then moves
/// (Linux 5.6, [`super::Features::RW_CUR_POS`]).
pub const CURRENT_POSITION: u64 = u64::MAX;

/// An operation to be pushed.
///
/// Making one is safe; [`super::IoUring::push`] is where the caller answers for the
/// addresses and descriptors it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "an operation does nothing until it is pushed"]
pub struct Sqe(RawSqe);

/// An address as an entry holds it.
fn address<T: ?Sized>(pointer: *const T) -> u64 {
    pointer.expose_provenance() as u64
}

/// Modifiers.
impl Sqe {
    fn new(opcode: Opcode, fd: i32) -> Self {
        Self(RawSqe {
            opcode: opcode as u8,
            fd,
            ..RawSqe::default()
        })
    }

    /// The entry as the kernel reads it.
    #[must_use]
    pub const fn raw(&self) -> &RawSqe {
        &self.0
    }

    /// The number that the completion carries.
    pub const fn user_data(mut self, user_data: u64) -> Self {
        self.0.user_data = user_data;
        self
    }

    /// Adds flags.
    pub const fn flags(mut self, flags: SqeFlags) -> Self {
        self.0.flags |= flags.bits();
        self
    }

    /// The next operation starts when this one has succeeded in full: an error, and for
    /// reads and writes also a short count, cancels it and the rest of the chain with
    /// `ECANCELED`. A chain does not span submissions. Linux 5.3.
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

    /// Goes to a worker at once instead of being tried inline. Linux 5.6.
    pub const fn force_async(self) -> Self {
        self.flags(SqeFlags::ASYNC)
    }
}

/// Nothing, reading and writing.
impl Sqe {
    /// Does nothing; result 0. Linux 5.1.
    pub fn nop() -> Self {
        Self::new(Opcode::Nop, -1)
    }

    fn transfer(opcode: Opcode, fd: i32, addr: u64, len: u32, offset: u64) -> Self {
        let mut sqe = Self::new(opcode, fd);
        sqe.0.addr = addr;
        sqe.0.len = len;
        sqe.0.off = offset;
        sqe
    }

    /// Reads up to `len_bytes` at `offset` (or [`CURRENT_POSITION`]) into `buf`; result: the
    /// count, 0 at the end (`man 2 pread`). Linux 5.6.
    pub fn read(fd: i32, buf: *mut u8, len_bytes: u32, offset: u64) -> Self {
        Self::transfer(Opcode::Read, fd, address(buf), len_bytes, offset)
    }

    /// Writes up to `len_bytes` from `buf` at `offset` (or [`CURRENT_POSITION`]); result: the
    /// count (`man 2 pwrite`). Linux 5.6.
    pub fn write(fd: i32, buf: *const u8, len_bytes: u32, offset: u64) -> Self {
        Self::transfer(Opcode::Write, fd, address(buf), len_bytes, offset)
    }

    /// As [`Self::read`], into memory within registered buffer `index`. Linux 5.1.
    pub fn read_fixed(fd: i32, buf: *mut u8, len_bytes: u32, offset: u64, index: u16) -> Self {
        let mut sqe = Self::transfer(Opcode::ReadFixed, fd, address(buf), len_bytes, offset);
        sqe.0.buf_index = index;
        sqe
    }

    /// As [`Self::write`], from memory within registered buffer `index`. Linux 5.1.
    pub fn write_fixed(fd: i32, buf: *const u8, len_bytes: u32, offset: u64, index: u16) -> Self {
        let mut sqe = Self::transfer(Opcode::WriteFixed, fd, address(buf), len_bytes, offset);
        sqe.0.buf_index = index;
        sqe
    }
}
