//! From a ring the kernel has made to queues in this process's memory.

use core::mem::size_of;
use core::ptr::NonNull;

use super::completion::CompletionQueue;
use super::queues::Queues;
use super::shared::{Counter, Entries};
use super::submission::SubmissionQueue;
use crate::sys::io_uring::{
    Features, OFF_CQ_RING, OFF_SQ_RING, OFF_SQES, Params, RawCqe, RawSqe, SetupFlags,
};
use crate::sys::{BorrowedFd, Errno, Mapping, OwnedFd, Result};

/// A ring's queues, and the memory and descriptor they stand on.
#[derive(Debug)]
pub(super) struct Mapped {
    /// Point into the mappings.
    pub(super) queues: Queues,
    pub(super) resources: Resources,
}

/// What the kernel gave for a ring. It is filled step by step while the ring is set up, so
/// that whatever a failing setup has acquired is released in one place, by being dropped; the
/// descriptor goes last, after the memory.
#[derive(Debug)]
pub(super) struct Resources {
    /// The submission ring, and the completion ring too where one mapping holds both.
    sq_ring: Option<Mapping>,
    cq_ring: Option<Mapping>,
    sqes: Option<Mapping>,
    pub(super) fd: OwnedFd,
}

/// How a part of the ring is mapped: [`Mapping::shared`], or in tests one that fails.
pub type Map = fn(BorrowedFd<'_>, u64, usize) -> Result<Mapping>;

/// Keeps a part of the ring that was mapped, and gives its start. `EPROTO` where it is shorter
/// than asked for.
fn keep(place: &mut Option<Mapping>, mapping: Mapping, len_bytes: usize) -> Result<NonNull<u8>> {
    let start = NonNull::new(mapping.as_ptr());
    let long_enough = mapping.len_bytes() >= len_bytes;
    *place = Some(mapping);
    start.filter(|_| long_enough).ok_or(Errno::EPROTO)
}

/// Maps the ring `fd`, which the kernel has made and described in `params`, in one mapping for
/// both queues where the kernel has that and `one_map` allows it. `ENOSYS` where the kernel
/// lacks a feature in `required`.
pub(super) fn set_up(
    fd: OwnedFd,
    params: &Params,
    required: Features,
    one_map: bool,
    map: Map,
) -> Result<Mapped> {
    let mut resources = Resources {
        sq_ring: None,
        cq_ring: None,
        sqes: None,
        fd: fd.above_standard()?,
    };
    let features = Features::from_bits_retain(params.features);
    if !features.contains(required) {
        return Err(Errno::ENOSYS);
    }
    let (mut sq_len, mut cq_len) = ring_lens(params)?;
    let one_map = one_map && features.contains(Features::SINGLE_MMAP);
    if one_map {
        sq_len = sq_len.max(cq_len);
        cq_len = sq_len;
    }
    let sq_ring = keep(
        &mut resources.sq_ring,
        map(resources.fd.as_fd(), OFF_SQ_RING, sq_len)?,
        sq_len,
    )?;
    let cq_ring = if one_map {
        sq_ring
    } else {
        keep(
            &mut resources.cq_ring,
            map(resources.fd.as_fd(), OFF_CQ_RING, cq_len)?,
            cq_len,
        )?
    };
    let sqes_len = params.sq_entries as usize * size_of::<RawSqe>();
    let sqes = keep(
        &mut resources.sqes,
        map(resources.fd.as_fd(), OFF_SQES, sqes_len)?,
        sqes_len,
    )?;

    let flags = SetupFlags::from_bits_retain(params.flags);
    if !flags.contains(SetupFlags::NO_SQARRAY) {
        // SAFETY: the mapping is as long as `ring_lens` has said, for offsets that it has
        // found right.
        unsafe { fill_array(sq_ring, params) };
    }
    // SAFETY: as above.
    let sq = unsafe { submission_queue(sq_ring, sqes, params) };
    // SAFETY: as above.
    let cq = unsafe { completion_queue(cq_ring, params) };
    let queues = Queues::new(sq, cq, flags.contains(SetupFlags::SQPOLL));
    Ok(Mapped { queues, resources })
}

/// Bytes of the submission and of the completion ring, each up to the end of its last field.
///
/// `EPROTO` where a kernel (or what plays one) gives offsets that are not aligned for what
/// lies there, or sizes that are no powers of two: everything here indexes by mask.
fn ring_lens(params: &Params) -> Result<(usize, usize)> {
    let (sq, cq) = (&params.sq_off, &params.cq_off);
    let counters = [sq.head, sq.tail, sq.flags, cq.head, cq.tail];
    if !counters.iter().all(|offset| offset.is_multiple_of(4))
        || !sq.array.is_multiple_of(4)
        || !cq.cqes.is_multiple_of(8)
        || !params.sq_entries.is_power_of_two()
        || !params.cq_entries.is_power_of_two()
    {
        return Err(Errno::EPROTO);
    }
    let last = counters.into_iter().fold(0, u32::max);
    let header_end = last as usize + size_of::<u32>();
    // Where there is no array its offset is 0: that adds nothing that is not mapped there.
    let array_end = sq.array as usize + params.sq_entries as usize * size_of::<u32>();
    let cqes_end = cq.cqes as usize + params.cq_entries as usize * size_of::<RawCqe>();
    Ok((header_end.max(array_end), header_end.max(cqes_end)))
}

/// Points entry `i` of the index array at submission entry `i`, for good: entries are then
/// taken in the order they are written, which is all that anyone here needs.
///
/// # Safety
/// As [`submission_queue`], and the ring has an array.
unsafe fn fill_array(ring: NonNull<u8>, params: &Params) {
    // SAFETY: the array lies in the mapping.
    let array = unsafe { ring.add(params.sq_off.array as usize) }.cast::<u32>();
    for index in 0..params.sq_entries {
        // SAFETY: the array has `sq_entries` numbers.
        let slot = unsafe { array.add(index as usize) };
        // SAFETY: in bounds as above; the kernel reads the array up to the tail only, which has
        // not moved yet.
        unsafe { slot.write(index) };
    }
}

/// # Safety
/// `ring` is a mapping of the first length that [`ring_lens`] gave for `params`, `sqes`
/// one of `sq_entries` entries; both live as long as the queue (`Mapped` sees to that). The
/// kernel keeps the protocol, and no other process has the ring.
unsafe fn submission_queue(
    ring: NonNull<u8>,
    sqes: NonNull<u8>,
    params: &Params,
) -> SubmissionQueue {
    let off = &params.sq_off;
    // SAFETY: aligned and within the mapping, by the caller's promise.
    let head = unsafe { counter(ring, off.head) };
    // SAFETY: as above.
    let tail = unsafe { counter(ring, off.tail) };
    // SAFETY: as above.
    let flags = unsafe { counter(ring, off.flags) };
    // SAFETY: `sqes` has so many, a power of two (`ring_lens`).
    let sqes = unsafe { Entries::new(sqes.cast(), params.sq_entries) };
    // SAFETY: the caller's promise.
    unsafe { SubmissionQueue::new(head, tail, flags, sqes) }
}

/// # Safety
/// As [`submission_queue`], with a mapping of the second length.
unsafe fn completion_queue(ring: NonNull<u8>, params: &Params) -> CompletionQueue {
    let off = &params.cq_off;
    // SAFETY: aligned and within the mapping, by the caller's promise.
    let head = unsafe { counter(ring, off.head) };
    // SAFETY: as above.
    let tail = unsafe { counter(ring, off.tail) };
    // SAFETY: as above.
    let cqes = unsafe { ring.add(off.cqes as usize) };
    // SAFETY: there are so many, a power of two (`ring_lens`).
    let cqes = unsafe { Entries::new(cqes.cast(), params.cq_entries) };
    // SAFETY: the caller's promise.
    unsafe { CompletionQueue::new(head, tail, cqes) }
}

/// # Safety
/// `offset` is aligned and within the mapping `ring`, which outlives the counter; the
/// kernel's accesses are atomic.
unsafe fn counter(ring: NonNull<u8>, offset: u32) -> Counter {
    // SAFETY: within the mapping.
    let number = unsafe { ring.add(offset as usize) };
    // SAFETY: the caller's promise.
    unsafe { Counter::new(number.cast()) }
}
