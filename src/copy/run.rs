//! The workers of one copy: what each does from its beginning to its end.

use core::mem::ManuallyDrop;
use core::sync::atomic::Ordering;

pub use super::operands::Operands;
pub use super::shared::Shared;
use super::team::Team;
use super::tree::copier::Copier;
use super::tree::counter::count_and_show;
use super::tree::task::Task;
use super::worker::Worker;
use super::workers::MOST_WORKERS;
use crate::sys;

/// Runs `body` with what operands are given to.
pub fn run(shared: &Shared<'_>, body: impl FnOnce(&mut Operands<'_, '_>)) {
    // One more may count.
    let most = shared.options.jobs.max(MOST_WORKERS) + 1;
    sys::Team::with(shared, work, most, |threads| {
        let start_others = |count| {
            let started = threads.start(count);
            (threads.running(), started)
        };
        // The program ends after it: unmapping its buffer would be a system call for nothing.
        let mut worker =
            ManuallyDrop::new(Worker::new(shared, Team::new(shared, Some(&start_others))));
        if shared.counting.is_wanted {
            // The thread that counts answers signals.
            sys::let_usr1(false);
            worker.team.call_in();
            if threads.running() == 0 {
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
    // Relaxed: of all exchanges one is first, and nothing was done before that others are to see.
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
