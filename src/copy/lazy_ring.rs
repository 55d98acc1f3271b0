//! The ring of a command that may need none.

use super::pipeline::{SLOT_BYTES, SLOTS};
use super::refusal;
use super::ui::Ui;
use crate::ring::{SetupError, SlotRing};
use crate::sys::Errno;

/// The ring, as far as it has been tried.
#[allow(clippy::large_enum_variant)] // there is one of it
pub enum LazyRing {
    /// Not at all.
    Untried,
    /// It was made.
    Ready(SlotRing),
    /// It is not to be had.
    Refused(SetupError),
}

impl LazyRing {
    /// The ring, made when first used; `None` where it is not to be had.
    pub fn get(&mut self) -> Option<&mut SlotRing> {
        if matches!(self, Self::Untried) {
            *self = match SlotRing::new(SLOTS, SLOT_BYTES) {
                Ok(ring) => Self::Ready(ring),
                Err(error) => Self::Refused(error),
            };
        }
        match self {
            Self::Ready(ring) => Some(ring),
            _ => None,
        }
    }

    /// What it was refused with, if it was.
    #[must_use]
    pub const fn refused(&self) -> Option<Errno> {
        match self {
            Self::Refused(error) => Some(error.errno),
            _ => None,
        }
    }

    /// Says why there is no ring, if there is none, and whether that was so.
    pub fn is_missed(&mut self, ui: &mut dyn Ui) -> bool {
        self.get();
        if let Self::Refused(error) = self {
            refusal::report(ui, error);
            return true;
        }
        false
    }
}
