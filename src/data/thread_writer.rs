//! Reads, and writes by another thread of ours.

use core::array;

use super::pipeline::{self, SLOT_BYTES, SLOTS, Writer, Written, if_final};
use super::plain;
use super::transfer::Transfer;
use crate::report;
use crate::sys::{BorrowedFd, Buffer, Errno, Mutex, Result, Signal, Team};

/// Copies as [`pipeline::copy`], through `slots`, which are mapped if they were not. Nothing is
/// done where there is no memory for them, or no thread.
///
/// # Errors
/// As that.
pub fn copy(transfer: &mut Transfer<'_>, slots: &mut Option<Buffer>) -> report::Result<()> {
    let Ok(slots) = plain::buffer(slots, SLOTS as usize * SLOT_BYTES) else {
        return Ok(());
    };
    let handover = Handover {
        to: transfer.files.to,
        state: Mutex::new(State::default()),
        handed_over: Signal::new(),
        written: Signal::new(),
    };
    Team::with(&handover, Handover::write_all, 1, |team| {
        if team.start(1).is_err() {
            return Ok(());
        }
        let mut slots = slots.chunks_exact_mut(SLOT_BYTES);
        let mut writer = ThreadWriter {
            handover: &handover,
            memory: array::from_fn(|_| slots.next()),
            turn: 0,
        };
        let (copied, _) = pipeline::copy(transfer, &mut writer, SLOTS);
        handover.state.lock().ended = true;
        handover.handed_over.give();
        copied
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
    /// Writes what is handed over until the end: what the thread does.
    fn write_all(&self) {
        // Behind a write that has failed nothing is to be written.
        let mut failed = false;
        for slot in (0..SLOTS).cycle() {
            let Some(mut load) = self.take(slot, false) else {
                break;
            };
            let data = load.memory.get(..load.len).filter(|_| !failed);
            let data = data.unwrap_or_default();
            let (count, result) = plain::write_counted_at(self.to, data, load.at);
            failed |= count < load.len;
            let errno = result.err().and_then(if_final);
            load.written = Some(Written { slot, count, errno });
            self.put(slot, load);
        }
    }

    /// Waits for a slot that is to be written, or was; nothing at the end.
    fn take(&self, slot: u32, is_written: bool) -> Option<Load<'a>> {
        let mut state = self.state.lock();
        loop {
            let load = &mut state.loads[(slot % SLOTS) as usize];
            let load = load.take_if(|load| load.written.is_some() == is_written);
            if load.is_some() || state.ended {
                return load;
            }
            state = self.signal(is_written).wait(state);
        }
    }

    const fn signal(&self, is_written: bool) -> &Signal {
        if is_written {
            &self.written
        } else {
            &self.handed_over
        }
    }

    fn put(&self, slot: u32, load: Load<'a>) {
        let signal = self.signal(load.written.is_some());
        self.state.lock().loads[(slot % SLOTS) as usize] = Some(load);
        signal.give();
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

impl Writer for ThreadWriter<'_, '_> {
    fn slot_mut(&mut self, slot: u32) -> &mut [u8] {
        let memory = &mut self.memory[(slot % SLOTS) as usize];
        memory.as_deref_mut().unwrap_or_default()
    }

    fn write(&mut self, slot: u32, len: usize, at: u64) -> Result<()> {
        let memory = self.memory[(slot % SLOTS) as usize].take();
        let load = Load {
            memory: memory.ok_or(Errno::EBUSY)?,
            len,
            at,
            written: None,
        };
        self.handover.put(slot, load);
        Ok(())
    }

    fn wait(&mut self) -> Result<Written> {
        let load = self.handover.take(self.turn, true).ok_or(Errno::EIO)?;
        self.memory[(self.turn % SLOTS) as usize] = Some(load.memory);
        self.turn += 1;
        load.written.ok_or(Errno::EIO)
    }
}
