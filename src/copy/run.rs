//! The workers of one copy: what each does from its beginning to its end.

use core::ffi::CStr;
use core::mem::ManuallyDrop;
use core::sync::atomic::Ordering;

pub use super::shared::Shared;
use super::team::Team;
use super::tree::copier::Copier;
use super::tree::counter::count_and_show;
use super::tree::parents::copy_with_parents;
use super::tree::task::Task;
use super::worker::Worker;
use super::workers::MOST_WORKERS;
use crate::sys;

/// The worker that operands are given to, one after the other.
pub struct Operands<'e, 'a> {
    worker: &'e mut Worker<'a>,
    task: &'e mut Task,
}

impl Operands<'_, '_> {
    /// Copies `src`, relative to the working directory, to `dst`, relative to the copy's root,
    /// with all it holds. `is_absent` says that nothing was found at `dst`.
    pub fn copy(&mut self, src: &CStr, dst: &CStr, is_absent: bool) {
        let (shared, task) = (self.worker.shared, &mut *self.task);
        shared.is_stopped.store(false, Ordering::Relaxed);
        task.begin_operand();
        task.src.start(b"", src.to_bytes());
        task.dst.start(shared.target.root_path, dst.to_bytes());
        let mut copier = Copier {
            worker: self.worker,
        };
        copier.walk(task).visit_operand(is_absent);
    }

    /// Copies `src`, relative to the working directory, to the same path below the copy's root.
    pub fn copy_with_parents(&mut self, src: &CStr) {
        copy_with_parents(self.worker, self.task, src);
    }
}

/// Runs `body` with what operands are given to.
pub fn run(shared: &Shared<'_>, body: impl FnOnce(&mut Operands<'_, '_>)) {
    // One more may count.
    let most = shared.options.jobs.max(MOST_WORKERS) + 1;
    sys::Team::with(shared, work, most, |threads| {
        let start_others = |count| threads.start(count);
        // The program ends after it: unmapping its buffer would be a system call for nothing.
        let mut worker =
            ManuallyDrop::new(Worker::new(shared, Team::new(shared, Some(&start_others))));
        if shared.counting.is_wanted {
            // The thread that counts answers signals.
            sys::let_usr1(false);
            worker.team.call_in();
            if threads.is_empty() {
                shared.progress.give_up_watching();
                sys::let_usr1(true);
            }
        }
        body(&mut Operands {
            worker: &mut worker,
            task: &mut Task::default(),
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
        let mut worker = ManuallyDrop::new(Worker::new(shared, Team::new(shared, None)));
        let mut copier = Copier {
            worker: &mut worker,
        };
        copier.walk(&mut Task::default()).take_tasks(true);
    } else {
        count_and_show(shared);
    }
}
