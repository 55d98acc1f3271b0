//! What to say where io_uring was asked for and is not to be had.

use super::ui::Ui;
use crate::ring::{SetupError, Step};
use crate::sys::Errno;

/// Says that there is no ring, and the likely cause.
pub fn report(ui: &mut dyn Ui, error: &SetupError) {
    let likely = match (error.step, error.errno) {
        (Step::Setup, Errno::EPERM) => {
            " (refused by a seccomp profile or by the sysctl kernel.io_uring_disabled)"
        }
        (Step::Setup, Errno::ENOSYS) => {
            " (refused by a seccomp profile, or the kernel is older than 5.6 or built without it)"
        }
        (Step::Setup, Errno::ENOMEM) => " (RLIMIT_MEMLOCK or the machine's memory is too small)",
        (Step::Setup, Errno::EMFILE | Errno::ENFILE) => " (too few descriptors are allowed)",
        (Step::Setup, _) => " (refused by a seccomp profile or a sandbox)",
        (Step::Features, _) => " (the kernel is older than 5.6)",
        _ => "",
    };
    ui.error(
        "cannot set up io_uring{=0}",
        &[likely.as_bytes()],
        Some(error.errno),
    );
}
