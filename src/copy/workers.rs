//! The workers of one copy: what each does from its beginning to its end.

use core::ffi::CStr;
use core::mem::ManuallyDrop;
use core::sync::atomic::Ordering;

use super::engine::Engine;
use super::options::Flags;
pub use super::shared::Shared;
use super::team::COLD_WORKERS;
use super::tree::copier::Copier;
use super::tree::counter::count_and_show;
use super::tree::parents::copy_with_parents;
use super::tree::task::Task;
use super::tree::walk::Walk;
use crate::sys::{self, Team};

/// The worker that operands are given to, one after the other.
pub struct Operands<'e, 'a> {
    engine: &'e mut Engine<'a>,
    task: &'e mut Task,
}

impl Operands<'_, '_> {
    /// Copies `src`, relative to the working directory, to `dst`, relative to the copy's root,
    /// with all it holds. `is_absent` says that nothing was found at `dst`.
    pub fn copy(&mut self, src: &CStr, dst: &CStr, is_absent: bool) {
        self.engine.copy_operand(self.task, src, dst, is_absent);
    }

    /// Copies `src`, relative to the working directory, to the same path below the copy's root.
    pub fn copy_with_parents(&mut self, src: &CStr) {
        copy_with_parents(self.engine, self.task, src);
    }

    /// Copies a regular file that is source and destination to where it would be kept, if it is
    /// one.
    pub fn copy_to_backup(&mut self, path: &CStr) -> bool {
        self.engine.copy_to_backup(self.task, path)
    }
}

/// Runs `body` with what operands are given to.
pub fn run(shared: &Shared<'_>, body: impl FnOnce(&mut Operands<'_, '_>)) {
    // One more may count.
    let most = shared.options.jobs.max(COLD_WORKERS) + 1;
    Team::with(shared, work, most, |threads| {
        let start_others = |count| threads.start(count);
        // The program ends after it: unmapping its buffer would be a system call for nothing.
        let mut engine = ManuallyDrop::new(Engine::new(shared, Some(&start_others)));
        if shared.options.has(Flags::PROGRESS) {
            // The thread that counts answers signals.
            sys::let_usr1(false);
            engine.team.call_in();
            if threads.is_empty() {
                shared.progress.give_up_watching();
                sys::let_usr1(true);
            }
        }
        body(&mut Operands {
            engine: &mut engine,
            task: &mut Task::new(),
        });
        if shared.pool.workers() > 0 {
            shared.counting.copy_ended.open();
            shared.pool.close();
        }
    });
}

/// What every other worker does: the first one counts, if that is asked for.
fn work(shared: &Shared<'_>) {
    if shared.counting.is_begun.swap(true, Ordering::Relaxed) {
        // As above.
        let mut engine = ManuallyDrop::new(Engine::new(shared, None));
        let mut copier = Copier {
            engine: &mut engine,
        };
        Walk::new(shared, &mut copier, &mut Task::new()).take_tasks(true);
    } else {
        count_and_show(shared);
    }
}
