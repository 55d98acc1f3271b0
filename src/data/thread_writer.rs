//! Reads, and writes by another thread of ours.

use core::array;

use super::pipeline::{self, Ended, SLOT_BYTES, SLOTS, Writer, Written, if_final};
use super::plain;
use super::transfer::Transfer;
use crate::sys::{BorrowedFd, Buffer, Errno, Mutex, Result, Signal, Team};

/// Copies as [`pipeline::copy`], through `slots`, which are mapped if they were not. Returns
/// nothing, and has done nothing, where there is no memory for them, or no thread.
pub fn copy(
    transfer: &mut Transfer<'_>,
    slots: &mut Option<Buffer>,
    leaves_holes: bool,
) -> Option<Ended> {
    if slots.is_none() {
        *slots = Buffer::new(SLOTS as usize * SLOT_BYTES).ok();
    }
    let slots = slots.as_deref_mut()?.chunks_exact_mut(SLOT_BYTES);
    let handover = Handover::new(transfer.files.to);
    Team::with(&handover, Handover::write_all, 1, |team| {
        if team.start(1) == 0 {
            return None;
        }
        let mut writer = ThreadWriter::new(&handover, slots);
        let ended = pipeline::copy(transfer, &mut writer, SLOTS, leaves_holes);
        handover.end();
        Some(ended)
    })
}

/// What goes from who reads to the thread that writes, and back.
struct Handover<'a> {
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
    ended: bool,
}

struct Load<'a> {
    memory: &'a mut [u8],
    len: usize,
    at: u64,
    written: Option<Written>,
}

impl<'a> Handover<'a> {
    fn new(to: BorrowedFd<'a>) -> Self {
        Self {
            to,
            state: Mutex::new(State::default()),
            handed_over: Signal::new(),
            written: Signal::new(),
        }
    }

    /// Writes what is handed over until the end: what the thread does.
    fn write_all(&self) {
        // Behind a write that has failed nothing is to be written.
        let mut failed = false;
        for slot in (0..SLOTS).cycle() {
            let Some(mut load) = self.next(slot) else {
                break;
            };
            let written = self.write(slot, &load, failed);
            failed |= written.count < load.len;
            load.written = Some(written);
            self.state.lock().loads[slot as usize] = Some(load);
            self.written.give();
        }
    }

    /// Waits until the slot is handed over; nothing at the end.
    fn next(&self, slot: u32) -> Option<Load<'a>> {
        let mut state = self.state.lock();
        loop {
            let load = &mut state.loads[slot as usize];
            if let Some(load) = load.take_if(|load| load.written.is_none()) {
                return Some(load);
            }
            if state.ended {
                return None;
            }
            state = self.handed_over.wait(state);
        }
    }

    /// Writes a slot, or nothing of it if an earlier one has `failed`.
    fn write(&self, slot: u32, load: &Load<'_>, failed: bool) -> Written {
        let (mut count, mut result) = (0, Ok(()));
        if !failed {
            let data = load.memory.get(..load.len).unwrap_or_default();
            result = plain::write_counted_at(self.to, data, load.at, &mut count);
        }
        let errno = result.err().and_then(if_final);
        Written { slot, count, errno }
    }

    /// There is nothing more to write.
    fn end(&self) {
        self.state.lock().ended = true;
        self.handed_over.give();
    }
}

/// A thread of ours, as who reads sees it.
struct ThreadWriter<'h, 'a> {
    handover: &'h Handover<'a>,
    /// What is not handed over.
    memory: [Option<&'a mut [u8]>; SLOTS as usize],
    /// Whose turn it is to come back.
    turn: u32,
}

impl<'h, 'a> ThreadWriter<'h, 'a> {
    /// By way of `handover`, whose thread has begun, with those slots.
    fn new(handover: &'h Handover<'a>, mut slots: impl Iterator<Item = &'a mut [u8]>) -> Self {
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
