//! What to say where `io_uring` was asked for and is not to be had.

use super::failure;
use super::ui::Ui;
use crate::ring::{SetupError, Step};
use crate::sys::Errno;

/// Says that there is no ring, and the likely cause.
pub fn report(ui: &mut dyn Ui, error: &SetupError) {
    let message = match (error.step, error.errno) {
        (Step::Setup, Errno::EPERM) => failure::Step::RingDisabled,
        (Step::Setup, Errno::ENOSYS) => failure::Step::RingUnknown,
        (Step::Setup, Errno::ENOMEM) => failure::Step::RingMemory,
        (Step::Setup, Errno::EMFILE | Errno::ENFILE) => failure::Step::RingDescriptors,
        (Step::Setup, _) => failure::Step::RingRefused,
        _ => failure::Step::Ring,
    };
    ui.tell(message.into(), &[], Some(error.errno));
}
