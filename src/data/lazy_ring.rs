//! The ring, which is set up when it is first used: most commands need none, and where `io_uring`
//! is refused, the first answer is kept.

use super::pipeline::{SLOT_BYTES, SLOTS};
use crate::report::{Failure, Message, Result};
use crate::ring::{SetupError, SlotRing, Step};
use crate::sys::Errno;

/// The ring, or why it is not to be had, once it was tried.
#[derive(Debug, Default)]
pub struct LazyRing {
    made: Option<core::result::Result<SlotRing, SetupError>>,
    is_given_up: bool,
}

impl LazyRing {
    /// The ring, made when first used; `None` where it is not to be had.
    pub fn get(&mut self) -> Option<&mut SlotRing> {
        if self.is_given_up {
            return None;
        }
        self.made.get_or_insert_with(make).as_mut().ok()
    }

    /// It broke, and is not to be used again.
    pub const fn give_up(&mut self) {
        self.is_given_up = true;
    }

    /// What it was refused with, if it was.
    #[must_use]
    pub const fn refused(&self) -> Option<Errno> {
        match &self.made {
            Some(Err(error)) => Some(error.errno),
            _ => None,
        }
    }

    /// The ring, where there has to be one.
    ///
    /// # Errors
    /// Why there is none, with the likely cause.
    pub fn require(&mut self) -> Result<&mut SlotRing> {
        let made = self.made.get_or_insert_with(make);
        made.as_mut().map_err(|error| {
            let message = match (error.step, error.errno) {
                (Step::Setup, Errno::EPERM) => Message::RingDisabled,
                (Step::Setup, Errno::ENOSYS) => Message::RingUnknown,
                (Step::Setup, Errno::ENOMEM) => Message::RingMemory,
                (Step::Setup, Errno::EMFILE | Errno::ENFILE) => Message::RingDescriptors,
                (Step::Setup, _) => Message::RingRefused,
                _ => Message::Ring,
            };
            Failure::new(message, error.errno)
        })
    }
}

fn make() -> core::result::Result<SlotRing, SetupError> {
    SlotRing::new(SLOTS, SLOT_BYTES)
}
