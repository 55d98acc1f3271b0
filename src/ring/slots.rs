//! [`SlotRing`]: reads and writes through a ring, without `unsafe` for the caller.
//!
//! The memory that operations work on belongs to the ring here, cut in slots, and each slot
//! has at most one operation in flight: so the kernel and the program never reach the same
//! bytes at once, and the memory outlives whatever works on it.

use core::fmt;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ops::{Deref, Range};
use core::time::Duration;

use super::builder::SetupLevel;
use super::cancel::Cancel;
use super::instance::IoUring;
use super::operation::{CURRENT_POSITION, Sqe, address};
use super::queues::Verdict;
use crate::sys::io_uring::{Features, IoVec, Opcode};
use crate::sys::{BorrowedFd, Errno, Mapping, Ready, Result, wait_ready_for};

/// The most slots a [`SlotRing`] can have: their state is one bit each.
pub const MAX_SLOTS: u32 = 64;

/// The longest a slot can be: what the kernel takes as one registered buffer.
pub const MAX_LEN_BYTES: usize = 1 << 30;

/// What the kernel must have. The second came with READ and WRITE, in 5.6; asking for this bit
/// costs no call, a probe does. The first is older: with it, two mappings are not needed.
const REQUIRED: Features = Features::SINGLE_MMAP.union(Features::RW_CUR_POS);

/// After how many operations a slot the slots are registered as the ring's buffers.
///
/// Registering brings every page in. A copy of 300 KiB through 4 slots of 256 KiB takes
/// 0.31 ms without and 0.61 ms with it; by now a longer copy has touched the pages itself,
/// and only the pinning is left to pay for.
const REGISTER_AFTER: u32 = 8;

/// How often, and how many milliseconds each time, a ring that failed is waited for.
const CANCEL_TRIES: u32 = 200;
const CANCEL_MS: u16 = 10;

/// What was being done when a [`SlotRing`] could not be made.
///
/// ```
/// use annulet::ring::{SlotRing, Step};
///
/// match SlotRing::new(4, 64 * 1024) {
///     Ok(ring) => println!("{} slots", ring.slot_count()),
///     Err(error) if error.step == Step::Setup => println!("no io_uring: {:?}", error.errno),
///     Err(error) => println!("{:?}: {:?}", error.step, error.errno),
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Checking the number and size of slots.
    Arguments,
    /// Setting the ring up: where `io_uring` is missing, forbidden, or older than Linux 5.6.
    Setup,
    /// Mapping the slots' memory.
    Map,
}

/// Why a [`SlotRing`] could not be made.
///
/// ```
/// use annulet::ring::{SlotRing, Step};
///
/// let error = SlotRing::new(65, 4096).unwrap_err();
/// assert_eq!(error.step, Step::Arguments);
/// assert_eq!(error.to_string(), "number or size of slots: Invalid argument");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SetupError {
    /// What was being done.
    pub step: Step,
    /// What the kernel said.
    pub errno: Errno,
}

impl fmt::Display for SetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let doing = match self.step {
            Step::Arguments => "number or size of slots",
            Step::Setup => "cannot set up io_uring",
            Step::Map => "cannot map the slots",
        };
        write!(f, "{doing}: {}", self.errno)
    }
}

impl core::error::Error for SetupError {}

/// One operation's end.
///
/// ```
/// use annulet::ring::{Finished, SlotRing};
/// use annulet::sys::{CWD, Errno, Mode, OFlags, openat};
///
/// # fn main() -> annulet::sys::Result<()> {
/// # let Ok(mut ring) = SlotRing::new(2, 4096) else { return Ok(()) }; // refused to this process
/// let file = openat(CWD, c"Cargo.toml", OFlags::RDONLY, Mode::empty())?;
/// let folder = openat(CWD, c"src", OFlags::RDONLY, Mode::empty())?;
/// let mut session = ring.session();
/// session.read(0, file.as_fd(), 0..9, Some(0))?;
/// session.read(1, folder.as_fd(), 0..9, Some(0))?;
/// // They end in any order.
/// for _ in 0..2 {
///     let Finished { slot, result } = session.wait()?;
///     assert_eq!(result, [Ok(9), Err(Errno::EISDIR)][slot as usize]);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finished {
    /// The slot it worked on, which is free again.
    pub slot: u32,
    /// Bytes transferred, perhaps fewer than asked for; or the operation's error.
    pub result: Result<u32>,
}

/// A ring and the memory its operations work on. Operations are queued in a [`Session`].
///
/// ```
/// use annulet::ring::SlotRing;
/// use annulet::sys::{CWD, Mode, OFlags, openat};
///
/// # fn main() -> annulet::sys::Result<()> {
/// # if SlotRing::new(1, 1).is_err() { return Ok(()) } // refused to this process
/// let mut ring = SlotRing::new(2, 4096).map_err(|error| error.errno)?;
/// let file = openat(CWD, c"Cargo.toml", OFlags::RDONLY, Mode::empty())?;
/// let mut session = ring.session();
/// session.read(0, file.as_fd(), 0..9, Some(0))?;
/// assert_eq!(session.wait()?.result, Ok(9));
/// assert_eq!(&session.slot(0)[..9], b"[package]");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct SlotRing {
    /// Bit `n`: an operation on slot `n` is in flight.
    busy: u64,
    /// Dropped by hand: not at all while something may still be writing to it.
    memory: ManuallyDrop<Mapping>,
    slot_len_bytes: u32,
    slot_count: u32,
    /// Operations still to come before slots are registered.
    until_registered: u32,
    /// The kernel has refused for good: nothing more can be learnt from it.
    broken: bool,
    /// Slots are the ring's registered buffers.
    registered: bool,
    ring: IoUring,
}

/// Which way an operation moves bytes.
#[derive(Clone, Copy)]
enum Direction {
    Read,
    Write,
}

impl SlotRing {
    /// Makes a ring with `slot_count` slots (1 to [`MAX_SLOTS`]) of `slot_len_bytes` each (1 to
    /// [`MAX_LEN_BYTES`]). No
    /// memory is touched before it is read into. Linux 5.6.
    ///
    /// # Errors
    /// Any error means that the caller goes on without a ring: `EINVAL` for a size that
    /// cannot be, the answers of [`super::IoUringBuilder::build`], `ENOSYS` before 5.6,
    /// `ENOMEM` for want of memory.
    pub fn new(slot_count: u32, slot_len_bytes: usize) -> core::result::Result<Self, SetupError> {
        let at = |step| move |errno| SetupError { step, errno };
        let len = (slot_count as usize).checked_mul(slot_len_bytes);
        let len = match len {
            Some(len) if len > 0 && slot_count <= MAX_SLOTS && slot_len_bytes <= MAX_LEN_BYTES => {
                len
            }
            _ => return Err(at(Step::Arguments)(Errno::EINVAL)),
        };
        let memory = Mapping::anonymous(len).map_err(at(Step::Map))?;
        let ring = IoUring::new_on(slot_count, REQUIRED).map_err(at(Step::Setup))?;
        Ok(Self {
            ring,
            memory: ManuallyDrop::new(memory),
            slot_count,
            #[allow(clippy::cast_possible_truncation)] // at most MAX_LEN_BYTES
            slot_len_bytes: slot_len_bytes as u32,
            busy: 0,
            broken: false,
            registered: false,
            until_registered: slot_count * REGISTER_AFTER,
        })
    }

    /// Where the ring stands on the ladder of [`IoUring::new`].
    #[must_use]
    pub fn setup_level(&self) -> SetupLevel {
        self.ring.setup_level()
    }

    /// Number of slots.
    #[must_use]
    pub const fn slot_count(&self) -> u32 {
        self.slot_count
    }

    /// Length of each slot.
    #[must_use]
    pub const fn slot_len_bytes(&self) -> usize {
        self.slot_len_bytes as usize
    }

    /// Operations queued or running.
    #[must_use]
    pub const fn in_flight(&self) -> u32 {
        self.busy.count_ones()
    }

    /// Whether an operation on `slot` is queued or running.
    #[must_use]
    pub const fn is_busy(&self, slot: u32) -> bool {
        slot < self.slot_count && self.busy & (1 << slot) != 0
    }

    /// What stands in `slot`: zeros, or what was last read into it. Empty while an operation
    /// on it is in flight, and for a slot that does not exist.
    #[must_use]
    pub fn slot(&self, slot: u32) -> &[u8] {
        let Some(start) = self.free_slot(slot) else {
            return &[];
        };
        // SAFETY: `free_slot`'s pointer is valid for a slot's length of initialised bytes,
        // as an anonymous mapping is all zeros; nothing is in flight on it, and while `self`
        // is borrowed nothing can be queued.
        unsafe { core::slice::from_raw_parts(start, self.slot_len_bytes()) }
    }

    /// As [`Self::slot`], to be written: for data that comes from elsewhere than a read.
    #[must_use]
    pub fn slot_mut(&mut self, slot: u32) -> &mut [u8] {
        let Some(start) = self.free_slot(slot) else {
            return &mut [];
        };
        // SAFETY: as in `slot`, and `self` is borrowed mutably.
        unsafe { core::slice::from_raw_parts_mut(start, self.slot_len_bytes()) }
    }

    /// Where `slot` starts, if it exists and nothing is in flight on it.
    fn free_slot(&self, slot: u32) -> Option<*mut u8> {
        if slot >= self.slot_count || self.is_busy(slot) {
            return None;
        }
        let start = self.memory.as_ptr();
        // SAFETY: the mapping holds `slot_count` slots of this length.
        Some(unsafe { start.add(slot as usize * self.slot_len_bytes()) })
    }

    /// Begins to work on descriptors that live for `'fd`.
    ///
    /// An operation needs its descriptor until it is handed over, which is later than it is queued.
    /// So a descriptor that is closed too early does not compile:
    ///
    /// ```compile_fail,E0597
    /// # use annulet::{ring::SlotRing, sys::{BorrowedFd, OwnedFd}};
    /// fn read(ring: &mut SlotRing, open: fn() -> OwnedFd) {
    ///     let mut session = ring.session();
    ///     {
    ///         let file = open();
    ///         session.read(0, file.as_fd(), 0..100, Some(0)).unwrap();
    ///     }
    ///     session.wait().unwrap(); // it would be handed over here
    /// }
    /// ```
    pub fn session<'fd>(&mut self) -> Session<'_, 'fd> {
        // The last session may have been forgotten instead of dropped.
        self.take_back();
        Session {
            ring: self,
            descriptors: PhantomData,
        }
    }

    /// Takes back what is queued and was not handed over: its descriptors may be closed by now.
    fn take_back(&mut self) {
        while let Some(user_data) = self.ring.retract() {
            self.free(user_data);
        }
    }

    /// Notes that the operation on a slot has ended.
    const fn free(&mut self, user_data: u64) -> u32 {
        #[allow(clippy::cast_possible_truncation)] // as pushed
        let slot = user_data as u32;
        self.busy &= !1_u64.wrapping_shl(slot);
        slot
    }

    /// Queues an operation on a descriptor that stays open until it is handed over or taken back.
    fn queue(
        &mut self,
        direction: Direction,
        slot: u32,
        fd: BorrowedFd<'_>,
        range: Range<usize>,
        offset: Option<u64>,
    ) -> Result<()> {
        if self.broken {
            return Err(Errno::EIO);
        }
        if self.is_busy(slot) {
            return Err(Errno::EBUSY);
        }
        if slot >= self.slot_count || range.start > range.end || range.end > self.slot_len_bytes() {
            return Err(Errno::EINVAL);
        }
        self.register_in_time();
        let opcode = match (direction, self.registered) {
            (Direction::Read, true) => Opcode::ReadFixed,
            (Direction::Read, false) => Opcode::Read,
            (Direction::Write, true) => Opcode::WriteFixed,
            (Direction::Write, false) => Opcode::Write,
        };
        let start = slot as usize * self.slot_len_bytes() + range.start;
        // SAFETY: the mapping holds `slot_count` slots, and `range` is within one.
        let start = unsafe { self.memory.as_ptr().add(start) };
        #[allow(clippy::cast_possible_truncation)] // a slot's length fits, by `new`
        let len = (range.end - range.start) as u32;
        // The buffer's index, where registered, is 0.
        let offset = offset.unwrap_or(CURRENT_POSITION);
        let sqe = Sqe::transfer(opcode, fd.raw(), address(start), len, offset);
        let sqe = sqe.user_data(u64::from(slot));
        // SAFETY: the range lies in the slot, whose memory is freed only once nothing is in
        // flight (`drop`), and which nobody reaches until `wait` clears its bit. The kernel takes
        // hold of the file with the entry, as this is in no chain and not forced to a worker.
        unsafe { self.ring.push(&sqe) }?;
        self.busy |= 1 << slot;
        Ok(())
    }

    /// As [`Session::wait`].
    fn wait(&mut self) -> Result<Finished> {
        if self.broken {
            return Err(Errno::EIO);
        }
        match self.ring.wait() {
            Ok(completion) => Ok(Finished {
                slot: self.free(completion.user_data),
                result: completion.into_result(),
            }),
            Err(errno) => {
                self.broken = errno != Errno::ECHILD;
                Err(errno)
            }
        }
    }

    /// As [`Session::drain`].
    fn drain(&mut self) {
        while self.wait().is_ok() {}
    }

    /// Whether slots are registered buffers.
    #[must_use]
    pub const fn is_registered(&self) -> bool {
        self.registered
    }

    /// Registers the slots as the ring's buffers at the right time, if the kernel lets us;
    /// where it does not (`RLIMIT_MEMLOCK`, `EOPNOTSUPP`), plain operations go on.
    fn register_in_time(&mut self) {
        if self.until_registered == 0 {
            return;
        }
        self.until_registered -= 1;
        // Older kernels wait for everything in flight before they register (5.13 on do not):
        // a read from a pipe would hold them up for ever.
        let at_once = self.ring.features().contains(Features::RSRC_TAGS);
        if self.until_registered == 0 && at_once {
            // All slots as one buffer: an operation may work on any part of it, and a table
            // of one needs no room (64 vectors took a kilobyte of stack).
            let all = IoVec {
                base: self.memory.as_ptr(),
                len_bytes: self.memory.len_bytes(),
            };
            self.registered = self.ring.register_buffers(&[all]).is_ok();
        }
    }
}

/// Operations of a [`SlotRing`] on descriptors that live for `'fd`, so that all of them are open
/// before it begins; for those that are opened later there is the next session. Dropping it waits
/// until nothing is in flight, also for what may never come ([`Self::cancel_all`] calls it off).
///
/// ```
/// use annulet::ring::SlotRing;
/// use annulet::sys::{BorrowedFd, CWD, Mode, OFlags, openat};
///
/// # fn main() -> annulet::sys::Result<()> {
/// # let Ok(mut ring) = SlotRing::new(2, 4096) else { return Ok(()) }; // refused to this process
/// # let dir = temp_dir::TempDir::new().unwrap();
/// # let path = dir.child("letter");
/// # let name = std::ffi::CString::new(path.to_str().unwrap()).unwrap();
/// let letter = openat(CWD, &name, OFlags::WRONLY | OFlags::CREAT, Mode::RWXU)?;
/// let mut session = ring.session();
/// session.slot_mut(0)[..5].copy_from_slice(b"hello");
/// session.write(0, letter.as_fd(), 0..5, Some(0))?;
/// assert!(session.slot(0).is_empty()); // it is the kernel's now
/// drop(session); // hands over, and waits
/// assert_eq!(std::fs::read(&path).unwrap(), b"hello");
/// assert_eq!(&ring.slot(0)[..5], b"hello");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Session<'ring, 'fd> {
    ring: &'ring mut SlotRing,
    descriptors: PhantomData<BorrowedFd<'fd>>,
}

impl Deref for Session<'_, '_> {
    type Target = SlotRing;

    fn deref(&self) -> &SlotRing {
        self.ring
    }
}

impl<'fd> Session<'_, 'fd> {
    /// As [`SlotRing::slot_mut`].
    #[must_use]
    pub fn slot_mut(&mut self, slot: u32) -> &mut [u8] {
        self.ring.slot_mut(slot)
    }

    /// Queues a read of up to `range.len()` bytes at `offset` of `fd`, or at its own position
    /// if `None`, into `range` of `slot`.
    ///
    /// # Errors
    /// `EBUSY`: an operation on this slot is in flight. `EINVAL`: no such slot, or `range` is
    /// not within it. `EIO`: the ring has failed before.
    pub fn read(
        &mut self,
        slot: u32,
        fd: BorrowedFd<'fd>,
        range: Range<usize>,
        offset: Option<u64>,
    ) -> Result<()> {
        self.ring.queue(Direction::Read, slot, fd, range, offset)
    }

    /// Queues a write of `range` of `slot` to `fd` at `offset`, or at its own position if
    /// `None`.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn write(
        &mut self,
        slot: u32,
        fd: BorrowedFd<'fd>,
        range: Range<usize>,
        offset: Option<u64>,
    ) -> Result<()> {
        self.ring.queue(Direction::Write, slot, fd, range, offset)
    }

    /// Hands what is queued over to the kernel without waiting for anything.
    ///
    /// # Errors
    /// Those of [`super::IoUring::submit`] that do not pass; [`Self::wait`] deals with the
    /// ones that do, so they are left to it. The ring is of no more use then.
    pub fn submit(&mut self) -> Result<()> {
        let slots = &mut *self.ring;
        if slots.broken {
            return Err(Errno::EIO);
        }
        match slots.ring.submit() {
            Err(errno) if Verdict::of(errno) == Verdict::Fatal => {
                slots.broken = true;
                Err(errno)
            }
            _ => Ok(()),
        }
    }

    /// Hands over what is queued and gives the next operation that has finished, waiting if
    /// none has. One call of the kernel does both, and none is made where nothing is queued
    /// and one has finished.
    ///
    /// # Errors
    /// `ECHILD`: nothing is in flight. Any other: the ring has failed and is of no more use;
    /// what became of the operations in flight is not known.
    pub fn wait(&mut self) -> Result<Finished> {
        self.ring.wait()
    }

    /// Waits until nothing is in flight, and drops the results. Also hands over what is
    /// queued. Ends early only if the ring has failed.
    pub fn drain(&mut self) {
        self.ring.drain();
    }

    /// Calls off what is in flight, the `newest` slot first, so that what is written in order stays
    /// in order; waits for what cannot be called off, and drops the results. Also where
    /// [`Self::wait`] has failed and [`Self::drain`] can do nothing. Returns whether nothing runs any
    /// more, as far as can be told: false after some seconds.
    pub fn cancel_all(&mut self, newest: u32) -> bool {
        let slots = &mut *self.ring;
        slots.take_back();
        // An operation on its way to a worker is not found: it has to be so twice.
        let mut times = 0;
        for _ in 0..CANCEL_TRIES {
            let mut none_is_found = true;
            let newest_first = (0..slots.slot_count)
                // Any number may be given.
                .map(|back| newest.wrapping_add(slots.slot_count - back) % slots.slot_count)
                .filter(|&slot| slots.busy & (1 << slot) != 0);
            for slot in newest_first {
                let cancelled = slots.ring.cancel_and_wait(
                    Cancel::one().user_data(slot.into()),
                    Duration::from_millis(CANCEL_MS.into()),
                );
                none_is_found &= cancelled.err() == Some(Errno::ENOENT);
            }
            // Brings in what has completed; nothing where the ring has failed.
            let _ = slots.ring.submit_and_wait(0);
            // Where the kernel does not know that call, completions arrive by themselves.
            while let Some(completion) = slots.ring.complete() {
                slots.free(completion.user_data);
            }
            times = if none_is_found { times + 1 } else { 0 };
            if times == 2 || slots.ring.running() == 0 {
                return true;
            }
            let _ = wait_ready_for(slots.ring.as_fd(), Ready::Read, CANCEL_MS);
        }
        false
    }
}

impl Drop for Session<'_, '_> {
    fn drop(&mut self) {
        self.ring.drain();
        // Where the ring has failed.
        self.ring.take_back();
    }
}

impl Drop for SlotRing {
    /// Waits until nothing is in flight. If the kernel refuses even that, the memory is never
    /// unmapped: something may still be writing to it.
    fn drop(&mut self) {
        // A session may have been forgotten.
        self.take_back();
        self.drain();
        if self.ring.running() == 0 {
            // SAFETY: nothing is in flight, and nobody reaches the memory after this.
            unsafe { ManuallyDrop::drop(&mut self.memory) };
        }
    }
}
