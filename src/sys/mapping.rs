//! Memory mappings that unmap themselves.

use core::ptr::NonNull;

use bitflags::bitflags;

use super::arch::{nr, syscall2, syscall4, syscall6};
use super::errno::Result;
use super::{BorrowedFd, Errno};

bitflags! {
    /// Protection of a mapping (`man 2 mmap`).
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct Prot: u32 {
        /// Pages may be read.
        const READ = 1;
        /// Pages may be written.
        const WRITE = 2;
    }

    /// Kind of a mapping (`man 2 mmap`).
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct MapFlags: u32 {
        /// Writes are seen by everyone who maps the same object.
        const SHARED = 0x01;
        /// Writes stay in this process.
        const PRIVATE = 0x02;
        /// No file behind it: zeros.
        const ANONYMOUS = 0x20;
        /// Fault every page in at once.
        const POPULATE = 0x8000;
    }
}

/// A mapping of its own; dropping it unmaps it.
#[derive(Debug)]
pub struct Mapping {
    start: NonNull<u8>,
    len_bytes: usize,
}

impl Mapping {
    /// Maps `len_bytes` of zeros, readable and writable. Pages cost memory only once touched.
    ///
    /// # Errors
    /// `ENOMEM` where a limit or the machine has no more; `EINVAL` for a length of 0.
    pub fn anonymous(len_bytes: usize) -> Result<Self> {
        Self::map(
            len_bytes,
            MapFlags::PRIVATE | MapFlags::ANONYMOUS,
            usize::MAX,
            0,
        )
    }

    /// Maps `len_bytes` of the object behind `fd` from `offset` on, shared, readable and
    /// writable, faulted in at once: how the rings of `io_uring` are reached.
    ///
    /// # Errors
    /// As the object's `mmap` answers (`man 2 mmap`).
    pub fn shared(fd: BorrowedFd<'_>, offset: u64, len_bytes: usize) -> Result<Self> {
        #[allow(clippy::cast_possible_truncation)] // 64-bit targets only
        let offset = offset as usize;
        Self::map(
            len_bytes,
            MapFlags::SHARED | MapFlags::POPULATE,
            fd.arg(),
            offset,
        )
    }

    fn map(len_bytes: usize, flags: MapFlags, fd: usize, offset: usize) -> Result<Self> {
        let prot = (Prot::READ | Prot::WRITE).bits() as usize;
        // SAFETY: without MAP_FIXED a new mapping never replaces memory in use.
        let r = unsafe {
            syscall6(
                nr::MMAP,
                0,
                len_bytes,
                prot,
                flags.bits() as usize,
                fd,
                offset,
            )
        };
        Self::at(r, len_bytes)
    }

    /// The first byte. Valid for [`Self::len_bytes`] while the mapping lives.
    #[must_use]
    pub const fn as_ptr(&self) -> *mut u8 {
        self.start.as_ptr()
    }

    /// The mapping's length.
    #[must_use]
    pub const fn len_bytes(&self) -> usize {
        self.len_bytes
    }

    /// Takes over a mapping that was given up by [`Self::leak`], or a part of it.
    ///
    /// # Safety
    /// `start` and `len_bytes` are what `leak` returned, or whole pages of that; nobody uses the
    /// memory any more, and nobody else takes it over.
    #[must_use]
    pub const unsafe fn from_raw(start: NonNull<u8>, len_bytes: usize) -> Self {
        Self { start, len_bytes }
    }

    /// Makes the mapping `len_bytes` long; it may move, its content moves along
    /// (`man 2 mremap`).
    ///
    /// # Errors
    /// `ENOMEM`; the mapping is then given up as it is, not unmapped.
    pub fn resize(self, len_bytes: usize) -> Result<Self> {
        const MAYMOVE: usize = 1;
        let (start, old_len) = self.leak();
        // SAFETY: the range is this mapping's alone, by value: no reference to it is left.
        let r = unsafe {
            syscall4(
                nr::MREMAP,
                start.as_ptr() as usize,
                old_len,
                len_bytes,
                MAYMOVE,
            )
        };
        Self::at(r, len_bytes)
    }

    /// The mapping that a call returned.
    fn at(register: usize, len_bytes: usize) -> Result<Self> {
        let address = Errno::check(register)?;
        let start = NonNull::new(core::ptr::with_exposed_provenance_mut(address));
        // The kernel hands out address 0 only when asked for it by MAP_FIXED.
        start
            .map(|start| Self { start, len_bytes })
            .ok_or(Errno::ENOMEM)
    }

    /// Gives the mapping up without unmapping it; its memory stays for good.
    #[must_use]
    pub const fn leak(self) -> (NonNull<u8>, usize) {
        let parts = (self.start, self.len_bytes);
        core::mem::forget(self);
        parts
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // A mapping that stays takes room until the program ends, and does no other harm.
        // SAFETY: the range is this mapping's alone, and `&mut self` says nobody borrows it.
        let _ = unsafe { syscall2(nr::MUNMAP, self.as_ptr() as usize, self.len_bytes) };
    }
}

/// Anonymous memory used as a buffer of bytes.
#[derive(Debug)]
pub struct Buffer(Mapping);

impl Buffer {
    /// A buffer of `len_bytes` zeros.
    ///
    /// # Errors
    /// As [`Mapping::anonymous`].
    pub fn new(len_bytes: usize) -> Result<Self> {
        Mapping::anonymous(len_bytes).map(Self)
    }
}

impl core::ops::Deref for Buffer {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        // SAFETY: an anonymous mapping is initialised (zeros), lives as long as `self`, and
        // is reached through `self` alone.
        unsafe { core::slice::from_raw_parts(self.0.as_ptr(), self.0.len_bytes()) }
    }
}

impl core::ops::DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `deref`, and `&mut self` makes the access exclusive.
        unsafe { core::slice::from_raw_parts_mut(self.0.as_ptr(), self.0.len_bytes()) }
    }
}
