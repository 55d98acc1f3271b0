//! The ring of a command that may need none.

use super::failure;
use super::pipeline::{SLOT_BYTES, SLOTS};
use super::ui::Ui;
use crate::ring::{SetupError, SlotRing, Step};
use crate::sys::Errno;

/// The ring, or why it is not to be had, once it was tried.
pub struct LazyRing(Option<Result<SlotRing, SetupError>>);

impl LazyRing {
    /// Not tried yet.
    pub const UNTRIED: Self = Self(None);

    /// The ring, made when first used; `None` where it is not to be had.
    pub fn get(&mut self) -> Option<&mut SlotRing> {
        let make = || SlotRing::new(SLOTS, SLOT_BYTES);
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

    /// Says why there is no ring, and what the likely cause is, if there is none; and whether that
    /// was so.
    pub fn is_missed(&mut self, ui: &mut dyn Ui) -> bool {
        self.get();
        let Some(Err(error)) = &self.0 else {
            return false;
        };
        let message = match (error.step, error.errno) {
            (Step::Setup, Errno::EPERM) => failure::Step::RingDisabled,
            (Step::Setup, Errno::ENOSYS) => failure::Step::RingUnknown,
            (Step::Setup, Errno::ENOMEM) => failure::Step::RingMemory,
            (Step::Setup, Errno::EMFILE | Errno::ENFILE) => failure::Step::RingDescriptors,
            (Step::Setup, _) => failure::Step::RingRefused,
            _ => failure::Step::Ring,
        };
        ui.tell(message.into(), &[], Some(error.errno));
        true
    }
}
