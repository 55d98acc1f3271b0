//! Who writes for a [`pipeline`](super::pipeline): the ring, or a thread of ours.

use core::array;

use super::pipeline::{SLOTS, Writer, Written};
use super::plain;
use crate::ring::SlotRing;
use crate::sys::{BorrowedFd, Errno, Mutex, Result, Signal};

/// The kernel's worker, by way of the ring.
///
/// `io_uring` promises no order. Plain writes to one regular file were seen to be carried out one
/// after the other, as they were queued, where the file system refuses buffered writes that may
/// not wait, so that all of them go to one worker (`io_wq_hash_work` in the kernel's
/// `io_uring/io_uring.c`): no gap in 270 stopped copies each on ext4 and tmpfs. With
/// `IOSQE_ASYNC` there were gaps in 15 of 24, with `IOSQE_IO_LINK` in 2 of 23, and on xfs, which
/// takes such writes at once, in 6 of 70. So none of these flags is set, elsewhere one write is
/// in flight at a time ([`Range::depth`](super::pipeline::Range)), and a completion out of order
/// is noticed.
pub struct RingWriter<'a> {
    pub ring: &'a mut SlotRing,
    pub to: BorrowedFd<'a>,
    /// The slot that was handed over last.
    pub newest: Option<u32>,
}

impl RingWriter<'_> {
    /// The ring has failed. What the copy is then cut to must not grow again.
    fn settle(&mut self, errno: Errno) -> Result<Written> {
        // If it does not come to rest in seconds, nothing more can be done.
        let _ = self.ring.settle(self.newest.unwrap_or_default());
        Err(errno)
    }
}

impl Writer for RingWriter<'_> {
    fn slot_mut(&mut self, slot: u32) -> &mut [u8] {
        self.ring.slot_mut(slot)
    }

    fn write(&mut self, slot: u32, len: usize, at: u64) -> Result<()> {
        self.ring.write(slot, self.to, 0..len, Some(at))?;
        self.newest = Some(slot);
        // Where all slots are busy, waiting for one hands it over by the same call.
        if self.ring.in_flight() < self.ring.slot_count() {
            self.ring.submit()?;
        }
        Ok(())
    }

    fn wait(&mut self) -> Result<Written> {
        let finished = match self.ring.wait() {
            Ok(finished) => finished,
            Err(errno) => return self.settle(errno),
        };
        let (count, errno) = match finished.result {
            Ok(count) => (count as usize, None),
            // The kernel could not make a worker, and will not the next time.
            Err(Errno::ECANCELED) => return self.settle(Errno::ECANCELED),
            Err(errno) => (0, final_word(errno)),
        };
        Ok(Written {
            slot: finished.slot,
            count,
            errno,
        })
    }
}

/// Whether an error is about the file: not those that another way may not have, or has to repeat
/// (`EFBIG` comes with a signal, which a worker of the kernel's does not pass on).
const fn final_word(errno: Errno) -> Option<Errno> {
    match errno {
        Errno::EAGAIN | Errno::EFBIG | Errno::EINTR | Errno::EINVAL | Errno::EOPNOTSUPP => None,
        errno => Some(errno),
    }
}

/// What goes from who reads to the thread that writes, and back.
pub struct Handover<'a> {
    to: BorrowedFd<'a>,
    state: Mutex<State<'a>>,
    /// There is something to write, or the end was reached.
    handed_over: Signal,
    written: Signal,
}

#[derive(Default)]
struct State<'a> {
    /// What is to be written, and what was.
    loads: [Option<Load<'a>>; SLOTS as usize],
    /// A write failed: nothing behind it is to be written.
    failed: bool,
    ended: bool,
}

struct Load<'a> {
    memory: &'a mut [u8],
    len: usize,
    at: u64,
    written: Option<Written>,
}

impl<'a> Handover<'a> {
    pub fn new(to: BorrowedFd<'a>) -> Self {
        Self {
            to,
            state: Mutex::new(State::default()),
            handed_over: Signal::new(),
            written: Signal::new(),
        }
    }

    /// Writes what is handed over until the end: what the thread does.
    pub fn write_all(&self) {
        let mut turn = 0;
        let mut state = self.state.lock();
        loop {
            let slot = turn % SLOTS;
            let to_write = |load: &mut Load<'_>| load.written.is_none();
            let Some(mut load) = state.loads[slot as usize].take_if(to_write) else {
                if state.ended {
                    break;
                }
                state = self.handed_over.wait(state);
                continue;
            };
            let failed = state.failed;
            drop(state);
            let written = self.write(slot, &load, failed);
            load.written = Some(written);
            state = self.state.lock();
            state.failed |= written.count < load.len;
            state.loads[slot as usize] = Some(load);
            self.written.give();
            turn += 1;
        }
    }

    /// Writes a slot, or nothing of it if an earlier one has `failed`.
    fn write(&self, slot: u32, load: &Load<'_>, failed: bool) -> Written {
        let (mut count, mut result) = (0, Ok(()));
        if !failed {
            let data = load.memory.get(..load.len).unwrap_or_default();
            result = plain::write_counted_at(self.to, data, load.at, &mut count);
        }
        let errno = result.err().and_then(final_word);
        Written { slot, count, errno }
    }

    /// There is nothing more to write.
    pub fn end(&self) {
        self.state.lock().ended = true;
        self.handed_over.give();
    }
}

/// A thread of ours, as who reads sees it.
pub struct ThreadWriter<'h, 'a> {
    handover: &'h Handover<'a>,
    /// What is not handed over.
    memory: [Option<&'a mut [u8]>; SLOTS as usize],
    /// Whose turn it is to come back.
    turn: u32,
}

impl<'h, 'a> ThreadWriter<'h, 'a> {
    /// By way of `handover`, whose thread has begun, with those slots.
    pub fn new(handover: &'h Handover<'a>, mut slots: impl Iterator<Item = &'a mut [u8]>) -> Self {
        Self {
            handover,
            memory: array::from_fn(|_| slots.next()),
            turn: 0,
        }
    }
}

impl Writer for ThreadWriter<'_, '_> {
    fn slot_mut(&mut self, slot: u32) -> &mut [u8] {
        let memory = &mut self.memory[(slot % SLOTS) as usize];
        memory.as_deref_mut().unwrap_or_default()
    }

    fn write(&mut self, slot: u32, len: usize, at: u64) -> Result<()> {
        let place = (slot % SLOTS) as usize;
        let memory = self.memory[place].take().ok_or(Errno::EBUSY)?;
        let written = None;
        let load = Load {
            memory,
            len,
            at,
            written,
        };
        self.handover.state.lock().loads[place] = Some(load);
        self.handover.handed_over.give();
        Ok(())
    }

    fn wait(&mut self) -> Result<Written> {
        let place = (self.turn % SLOTS) as usize;
        let mut state = self.handover.state.lock();
        loop {
            if let Some(load) = state.loads[place].take_if(|load| load.written.is_some()) {
                self.memory[place] = Some(load.memory);
                self.turn += 1;
                return load.written.ok_or(Errno::EIO);
            }
            state = self.handover.written.wait(state);
        }
    }
}
