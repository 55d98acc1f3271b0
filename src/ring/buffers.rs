//! [`BufferRing`]: buffers that the kernel picks from when there is data to be received.
//!
//! Source: `man 3 io_uring_setup_buf_ring`, `io_uring/kbuf.c`.

use alloc::boxed::Box;
use alloc::vec;
use core::ops::Deref;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU16, Ordering};
use core::time::Duration;

use super::completion::Completion;
use super::instance::IoUring;
use super::operation::{Sqe, address};
use crate::sys::io_uring::{BUF_ENTRY_STRIDE, BUF_RING_TAIL, BufEntry};
use crate::sys::{Errno, Mapping, Result};

/// The group's number. Of those below 64 some kernels go on, when they are registered again, where
/// they were before (`io_uring/kbuf.c` of 6.0, `BGID_ARRAY`).
const GROUP: u16 = 64;

/// The buffers start so far behind the queue's start, or a multiple of that: on the next page, where
/// pages are small. Where they are larger the kernel uses no more of the queue's than the queue.
const PAGE_BYTES: usize = 4096;

/// Buffers for operations that take one only once there is data
/// ([`Sqe::buffer_group`](super::Sqe::buffer_group), multishot ones among them), so that a few
/// serve many that wait. Linux 5.19.
///
/// A buffer is either the kernel's, which may write to it, or the program's, which may read it:
/// all are the kernel's at first; one that a completion names ([`Completion::buffer`]) is the
/// program's until [`Self::give_back`]. What a completion says is believed only where it comes from
/// the ring itself, so the ring is borrowed: everything is pushed and reaped here meanwhile.
///
/// Not for [`RecvSendFlags::BUNDLE`](super::RecvSendFlags::BUNDLE): of the buffers that one
/// completion fills, only the first would be known, and the others never be given back.
///
/// The memory is its own. Dropping it takes the group from the kernel, and unmaps the memory if
/// nothing is in flight: where something is, or where that is unknown
/// ([`IoUring::in_flight`]), the kernel may write yet, and the memory is never unmapped. So call
/// off what runs, and reap its completion, before. Forgetting it ([`core::mem::forget`]) leaves the
/// group as it is.
///
/// ```
/// use annulet::ring::{BufferRing, IoUring, Opcode, Sqe};
/// use std::{io::Write, os::fd::AsRawFd};
///
/// # let Ok(mut ring) = IoUring::new(4) else { return };
/// # if !ring.probe().is_ok_and(|probe| probe.supports(Opcode::ReadMultishot)) { return } // 6.7
/// let (reader, mut writer) = std::io::pipe().unwrap();
/// let mut buffers = BufferRing::new(&mut ring, 8, 4096).unwrap();
/// let read = Sqe::read_multishot(reader.as_raw_fd(), buffers.group());
/// // SAFETY: the pipe stays open until the last completion.
/// unsafe { buffers.push(&read) }.unwrap();
/// buffers.submit().unwrap();
/// writer.write_all(b"hello").unwrap();
/// drop(writer);
///
/// let mut received: Vec<u8> = Vec::new();
/// loop {
///     let completion = buffers.wait().unwrap();
///     if let Some(number) = completion.buffer() {
///         received.extend(buffers.bytes(number));
///         buffers.give_back(number).unwrap();
///     }
///     if !completion.has_more() {
///         break;
///     }
/// }
/// assert_eq!(received, b"hello");
/// ```
///
/// Nobody else reaps meanwhile:
///
/// ```compile_fail,E0499
/// # use annulet::ring::{BufferRing, IoUring};
/// fn reap(ring: &mut IoUring) {
///     let buffers = BufferRing::new(ring, 8, 4096).unwrap();
///     ring.complete();
///     drop(buffers);
/// }
/// ```
///
/// And what was received is not read once its buffer is given back:
///
/// ```compile_fail,E0502
/// # use annulet::ring::BufferRing;
/// fn read(buffers: &mut BufferRing, number: u16) -> usize {
///     let bytes = buffers.bytes(number);
///     buffers.give_back(number).unwrap();
///     bytes.len()
/// }
/// ```
#[derive(Debug)]
pub struct BufferRing<'ring> {
    ring: &'ring mut IoUring,
    /// The queue of buffers that are the kernel's, and behind it the buffers themselves. Given up
    /// as soon as it is mapped, and taken back only where nothing can write to it.
    memory: NonNull<u8>,
    memory_len: usize,
    /// Where the buffers start.
    queue_len: usize,
    len_bytes: u32,
    /// One past the last buffer that was given to the kernel.
    tail: u16,
    /// Of each buffer that is the program's, how many bytes were received. A power of two.
    received: Box<[Option<u32>]>,
}

impl<'ring> BufferRing<'ring> {
    /// Makes `count` buffers, a power of two up to 32768, of `len_bytes` each.
    ///
    /// # Errors
    /// `EBUSY`: something is in flight, or that is unknown ([`IoUring::in_flight`]). `EINVAL`: a
    /// number or length that cannot be; also before 5.19. `EEXIST`: an earlier one was forgotten.
    /// `ENOMEM`.
    pub fn new(ring: &'ring mut IoUring, count: u16, len_bytes: u32) -> Result<Self> {
        // What was pushed before could report a buffer of another group.
        if ring.in_flight() != Some(0) {
            return Err(Errno::EBUSY);
        }
        if !count.is_power_of_two() || len_bytes == 0 {
            return Err(Errno::EINVAL);
        }
        let entries = usize::from(count);
        let queue_len = (entries * BUF_ENTRY_STRIDE).next_multiple_of(PAGE_BYTES);
        let memory = Mapping::anonymous(queue_len + entries * len_bytes as usize)?;
        let received = vec![None; entries].into_boxed_slice();
        let start = NonNull::new(memory.as_ptr()).ok_or(Errno::ENOMEM)?;
        // SAFETY: the mapping starts with as many entries; the tail is 0, and moved by `provide`
        // alone. Where it stays registered, the memory stays mapped.
        unsafe { ring.register_buffer_ring(GROUP, start, count) }?;
        let (memory, memory_len) = memory.leak();
        let mut buffers = Self {
            ring,
            memory,
            memory_len,
            queue_len,
            len_bytes,
            tail: 0,
            received,
        };
        for number in 0..count {
            buffers.provide(number);
        }
        Ok(buffers)
    }

    /// What operations name that pick from it ([`Sqe::buffer_group`](super::Sqe::buffer_group)).
    #[must_use]
    pub const fn group(&self) -> u16 {
        GROUP
    }

    /// As [`IoUring::push`].
    ///
    /// # Safety
    /// As there; if the kernel is to pick a buffer, it is from this [`Self::group`]; and no message
    /// to this ring says that a buffer was picked ([`Sqe::msg_ring_flags`]).
    ///
    /// # Errors
    /// As there.
    pub unsafe fn push(&mut self, sqe: &Sqe) -> Result<()> {
        // SAFETY: the caller's promise. Memory of the group is written to while it is the kernel's.
        unsafe { self.ring.push(sqe) }
    }

    /// As [`IoUring::submit`].
    ///
    /// # Errors
    /// As there.
    pub fn submit(&mut self) -> Result<u32> {
        self.ring.submit()
    }

    /// As [`IoUring::submit_and_wait`].
    ///
    /// # Errors
    /// As there.
    pub fn submit_and_wait(&mut self, min_complete: u32) -> Result<u32> {
        self.ring.submit_and_wait(min_complete)
    }

    /// As [`IoUring::complete`].
    pub fn complete(&mut self) -> Option<Completion> {
        let completion = self.ring.complete()?;
        Some(self.noted(completion))
    }

    /// As [`IoUring::wait`].
    ///
    /// # Errors
    /// As there.
    pub fn wait(&mut self) -> Result<Completion> {
        let completion = self.ring.wait()?;
        Ok(self.noted(completion))
    }

    /// As [`IoUring::wait_timeout`].
    ///
    /// # Errors
    /// As there.
    pub fn wait_timeout(&mut self, timeout: Duration) -> Result<Completion> {
        let completion = self.ring.wait_timeout(timeout)?;
        Ok(self.noted(completion))
    }

    /// Takes note of the buffer that a completion from the ring names.
    fn noted(&mut self, completion: Completion) -> Completion {
        if let Some(number) = completion.buffer()
            && let Some(received) = self.received.get_mut(usize::from(number))
        {
            // An operation may have picked one and failed.
            let len = u32::try_from(completion.result).unwrap_or(0);
            *received = Some(len.min(self.len_bytes));
        }
        completion
    }

    /// What was received in buffer `number`. Empty while it is the kernel's, and for one that does
    /// not exist.
    #[must_use]
    pub fn bytes(&self, number: u16) -> &[u8] {
        let Some(&Some(len)) = self.received.get(usize::from(number)) else {
            return &[];
        };
        let start = self.buffer(number).as_ptr();
        // SAFETY: within the buffer, initialised as anonymous memory is zeros. The kernel has
        // reported it, so it writes there no more until it is given back, for which `self` has to
        // be borrowed mutably.
        unsafe { core::slice::from_raw_parts(start, len as usize) }
    }

    /// Gives buffer `number` back to the kernel. An operation that found none has ended with
    /// `ENOBUFS`, and has to be pushed anew.
    ///
    /// # Errors
    /// `EINVAL`: it is the kernel's, or there is no such buffer.
    pub fn give_back(&mut self, number: u16) -> Result<()> {
        let received = self.received.get_mut(usize::from(number));
        received.and_then(Option::take).ok_or(Errno::EINVAL)?;
        self.provide(number);
        Ok(())
    }

    /// Where buffer `number` starts, which exists.
    fn buffer(&self, number: u16) -> NonNull<u8> {
        let offset = self.queue_len + usize::from(number) * self.len_bytes as usize;
        // SAFETY: behind the queue the mapping has room for every buffer.
        unsafe { self.memory.add(offset) }
    }

    /// Queues buffer `number`, which exists and is not queued.
    fn provide(&mut self, number: u16) {
        let index = usize::from(self.tail) & (self.received.len() - 1);
        // SAFETY: the mapping begins with as many entries.
        let entry = unsafe { self.memory.add(index * BUF_ENTRY_STRIDE) };
        let buffer = BufEntry {
            addr: address(self.buffer(number).as_ptr()),
            len: self.len_bytes,
            bid: number,
        };
        // SAFETY: in bounds as above. The kernel reads only entries that are queued, which this is
        // not: there are as many as buffers, and this buffer is not queued.
        unsafe { entry.cast::<BufEntry>().write(buffer) };
        self.tail = self.tail.wrapping_add(1);
        // SAFETY: in the first entry, and aligned for it.
        let tail = unsafe { self.memory.add(BUF_RING_TAIL) }.cast::<AtomicU16>();
        // SAFETY: mapped as long as `self` lives, and reached as an atomic only.
        let tail = unsafe { tail.as_ref() };
        // Release pairs with the kernel's acquire load of the tail (`io_ring_buffer_select`):
        // whoever sees the new tail sees the entry before it in full.
        tail.store(self.tail, Ordering::Release);
    }
}

/// What asks the ring, and calls off what it runs.
impl Deref for BufferRing<'_> {
    type Target = IoUring;

    fn deref(&self) -> &IoUring {
        self.ring
    }
}

impl Drop for BufferRing<'_> {
    fn drop(&mut self) {
        let unregistered = self.ring.unregister_buffer_ring(GROUP).is_ok();
        if unregistered && self.ring.in_flight() == Some(0) {
            // SAFETY: given up in `new`. No operation is left that has picked a buffer, and none
            // will: nobody has the memory any more.
            drop(unsafe { Mapping::from_raw(self.memory, self.memory_len) });
        }
    }
}
