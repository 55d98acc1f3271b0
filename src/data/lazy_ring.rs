//! The ring of a command that may need none.

use super::pipeline::{SLOT_BYTES, SLOTS};
use crate::report::{Failure, Message, Result};
use crate::ring::{SetupError, SlotRing, Step};
use crate::sys::Errno;

/// The ring, or why it is not to be had, once it was tried.
pub struct LazyRing(Option<core::result::Result<SlotRing, SetupError>>);

impl LazyRing {
    /// Not tried yet.
    pub const UNTRIED: Self = Self(None);

    /// The ring, made when first used; `None` where it is not to be had.
    pub fn get(&mut self) -> Option<&mut SlotRing> {
        self.0.get_or_insert_with(make).as_mut().ok()
    }

    /// What it was refused with, if it was.
    #[must_use]
    pub const fn refused(&self) -> Option<Errno> {
        match &self.0 {
            Some(Err(error)) => Some(error.errno),
            _ => None,
        }
    }

    /// The ring, where there has to be one.
    ///
    /// # Errors
    /// Why there is none, with the likely cause.
    pub fn require(&mut self) -> Result<&mut SlotRing> {
        let made = self.0.get_or_insert_with(make);
        made.as_mut().map_err(|error| {
            let message = match (error.step, error.errno) {
                (Step::Setup, Errno::EPERM) => Message::RingDisabled,
                (Step::Setup, Errno::ENOSYS) => Message::RingUnknown,
                (Step::Setup, Errno::ENOMEM) => Message::RingMemory,
                (Step::Setup, Errno::EMFILE | Errno::ENFILE) => Message::RingDescriptors,
                (Step::Setup, _) => Message::RingRefused,
                _ => Message::Ring,
            };
            Failure {
                message,
                errno: Some(error.errno),
            }
        })
    }
}

fn make() -> core::result::Result<SlotRing, SetupError> {
    SlotRing::new(SLOTS, SLOT_BYTES)
}
