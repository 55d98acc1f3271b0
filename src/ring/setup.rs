//! From a ring the kernel has made to queues in this process's memory.

use core::mem::size_of;
use core::ptr::NonNull;
use core::sync::atomic::AtomicU32;

use super::completion::CompletionQueue;
use super::counter::Counter;
use super::queues::Queues;
use super::submission::SubmissionQueue;
use crate::sys::io_uring::{
    Features, OFF_CQ_RING, OFF_SQ_RING, OFF_SQES, Params, RawCqe, RawSqe, SetupFlags,
    io_uring_setup,
};
use crate::sys::{BorrowedFd, Errno, Mapping, OwnedFd, Result};

/// A ring's resources. Each field releases itself, so whatever a failing setup has acquired
/// is released by leaving the function; the descriptor goes last, after the memory.
#[derive(Debug)]
pub(super) struct Mapped {
    /// Point into the mappings below.
    pub(super) queues: Queues,
    /// The submission ring, and the completion ring too where one mapping holds both.
    _sq_ring: Mapping,
    _cq_ring: Option<Mapping>,
    _sqes: Mapping,
    pub(super) fd: OwnedFd,
}

/// How a part of the ring is mapped: [`Mapping::shared`], or in tests one that fails.
pub type Map = fn(BorrowedFd<'_>, u64, usize) -> Result<Mapping>;

/// Makes a ring and maps it, in one mapping for both queues where the kernel has that and
/// `one_map` allows it.
pub(super) fn set_up(entries: u32, params: &mut Params, one_map: bool, map: Map) -> Result<Mapped> {
    let fd = io_uring_setup(entries, params)?.above_standard()?;
    let one_map =
        one_map && Features::from_bits_retain(params.features).contains(Features::SINGLE_MMAP);
    let flags = SetupFlags::from_bits_retain(params.flags);
    let has_array = !flags.contains(SetupFlags::NO_SQARRAY);

    let mut sq_len = sq_ring_len(params, has_array);
    let cq_len = cq_ring_len(params);
    if one_map {
        sq_len = sq_len.max(cq_len);
    }
    let sq_ring = map(fd.as_fd(), OFF_SQ_RING, sq_len)?;
    let cq_ring = if one_map {
        None
    } else {
        Some(map(fd.as_fd(), OFF_CQ_RING, cq_len)?)
    };
    let sqes_len = params.sq_entries as usize * size_of::<RawSqe>();
    let sqes = map(fd.as_fd(), OFF_SQES, sqes_len)?;

    if has_array {
        fill_array(&sq_ring, params)?;
    }
    let sq = submission_queue(&sq_ring, &sqes, params)?;
    let cq = completion_queue(cq_ring.as_ref().unwrap_or(&sq_ring), params)?;
    Ok(Mapped {
        queues: Queues::new(sq, cq, flags.contains(SetupFlags::SQPOLL)),
        _sq_ring: sq_ring,
        _cq_ring: cq_ring,
        _sqes: sqes,
        fd,
    })
}

/// Bytes of the submission ring: up to the end of its last field. The index array comes
/// last; without it the header does, as the kernel leaves the array's offset 0.
fn sq_ring_len(params: &Params, has_array: bool) -> usize {
    let off = &params.sq_off;
    let header = off.head.max(off.tail).max(off.flags) as usize + size_of::<u32>();
    if has_array {
        header.max(off.array as usize + params.sq_entries as usize * size_of::<u32>())
    } else {
        header
    }
}

/// Bytes of the completion ring, whose entries come last.
fn cq_ring_len(params: &Params) -> usize {
    params.cq_off.cqes as usize + params.cq_entries as usize * size_of::<RawCqe>()
}

/// Points entry `i` of the index array at submission entry `i`, for good: entries are then
/// taken in the order they are written, which is all that anyone here needs.
fn fill_array(sq_ring: &Mapping, params: &Params) -> Result<()> {
    let entries = params.sq_entries;
    let len = entries as usize * size_of::<u32>();
    let array = field(sq_ring, params.sq_off.array, len)?.cast::<u32>();
    for index in 0..entries {
        // SAFETY: `field` has checked that `entries` numbers lie in the mapping.
        let slot = unsafe { array.add(index as usize) };
        // SAFETY: in bounds as above; the kernel reads the array only when entered.
        unsafe { slot.write(index) };
    }
    Ok(())
}

fn submission_queue(ring: &Mapping, sqes: &Mapping, params: &Params) -> Result<SubmissionQueue> {
    let off = &params.sq_off;
    let entries = params.sq_entries;
    let (head, tail) = (counter(ring, off.head)?, counter(ring, off.tail)?);
    let flags = counter(ring, off.flags)?;
    let sqes = field(sqes, 0, entries as usize * size_of::<RawSqe>())?.cast();
    check_entries(entries)?;
    // SAFETY: `field` has checked every pointer against its mapping, which `Mapped` keeps as
    // long as the queue; the kernel keeps the protocol, and no other process has the ring.
    Ok(unsafe { SubmissionQueue::new(head, tail, flags, sqes, entries) })
}

fn completion_queue(ring: &Mapping, params: &Params) -> Result<CompletionQueue> {
    let off = &params.cq_off;
    let entries = params.cq_entries;
    let (head, tail) = (counter(ring, off.head)?, counter(ring, off.tail)?);
    let cqes = field(ring, off.cqes, entries as usize * size_of::<RawCqe>())?.cast();
    check_entries(entries)?;
    // SAFETY: as in `submission_queue`.
    Ok(unsafe { CompletionQueue::new(head, tail, cqes, entries) })
}

/// Everything here indexes by mask, so a size that is no power of two is refused.
fn check_entries(entries: u32) -> Result<()> {
    if entries.is_power_of_two() {
        Ok(())
    } else {
        Err(Errno::EPROTO)
    }
}

fn counter(ring: &Mapping, offset: u32) -> Result<Counter> {
    let number = field(ring, offset, size_of::<AtomicU32>())?;
    // SAFETY: `field` has checked bounds and alignment; `Mapped` keeps the mapping as long as
    // the queues; the kernel's accesses are atomic.
    Ok(unsafe { Counter::new(number.cast()) })
}

/// The `len_bytes` at `offset` of a mapping, aligned for what rings hold. `EPROTO` where a
/// kernel (or what plays one) gives an offset that cannot be.
fn field(map: &Mapping, offset: u32, len_bytes: usize) -> Result<NonNull<u8>> {
    let start = offset as usize;
    // Entries are multiples of eight bytes, everything else is single 32-bit numbers.
    let alignment = if len_bytes.is_multiple_of(8) { 8 } else { 4 };
    if !start.is_multiple_of(alignment) || start + len_bytes > map.len_bytes() {
        return Err(Errno::EPROTO);
    }
    // SAFETY: within the mapping, as just checked.
    let field = unsafe { map.as_ptr().add(start) };
    NonNull::new(field).ok_or(Errno::EPROTO)
}
