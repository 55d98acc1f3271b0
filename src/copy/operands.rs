//! Operands: one after the other, and in any order where nobody can tell.

use core::sync::atomic::Ordering;

use super::any_order::{copy_in_any_order, list_destination};
use super::options::Flags;
use super::path::{basename, trim_slashes};
use super::team::LEAST_OPERANDS;
use super::tree::copier::Copier;
use super::tree::parents::copy_with_parents;
use super::tree::task::Task;
use super::worker::Worker;

/// Where it was not worth it, as one was soon in doubt, twice as many as the last time are copied in
/// their order, up to so many.
const MOST_IN_ORDER: usize = 64;

/// The worker that operands are given to.
pub struct Operands<'e, 'a> {
    /// It copies them.
    pub worker: &'e mut Worker<'a>,
    /// Where it is.
    pub task: &'e mut Task,
}

impl Operands<'_, '_> {
    /// Copies `src`, relative to the working directory, to `dst`, relative to the copy's root,
    /// with all it holds. `is_absent` says that nothing was found at `dst`.
    pub fn copy(&mut self, src: &[u8], dst: &[u8], is_absent: bool) {
        let (shared, task) = (self.worker.shared, &mut *self.task);
        shared.is_stopped.store(false, Ordering::Relaxed);
        shared.found.is_packed.store(false, Ordering::Relaxed);
        task.begin_operand();
        task.src.start(b"", src);
        task.dst.start(shared.target.root_path, dst);
        let mut copier = Copier {
            worker: self.worker,
        };
        copier.walk(task).visit_operand(is_absent);
    }

    /// Copies all of them into the copy's root.
    pub fn copy_all(&mut self) {
        let count = self.worker.shared.line.operands.len();
        let (mut at, mut in_order, mut in_order_until) = (0, 1, 0);
        while at < count {
            if at >= in_order_until && self.worker.team.may_share_operands(count - at) {
                let end = self.copy_from(at);
                in_order = in_order_after(end - at, in_order);
                at = end;
                in_order_until = at + in_order;
            }
            self.copy_number(at);
            at += 1;
        }
    }

    /// Copies operands in any order until one is in doubt, and says which.
    fn copy_from(&mut self, start: usize) -> usize {
        let shared = self.worker.shared;
        let count = shared.line.operands.len();
        list_destination(self.worker, count - start);
        shared.line.open(start..count);
        shared.pool.begin();
        copy_in_any_order(self.worker, self.task);
        shared.pool.end();
        if shared.pool.has_others() {
            let mut copier = Copier {
                worker: self.worker,
            };
            copier.walk(self.task).take_tasks(false);
        }
        loop {
            match shared.line.end() {
                (_, Some(put_off)) => self.copy_number(put_off),
                (end, None) => return end,
            }
        }
    }

    /// Copies one of them into the copy's root.
    fn copy_number(&mut self, number: usize) {
        let shared = self.worker.shared;
        let Some(source) = shared.line.operands.get(number) else {
            return;
        };
        let mut source = source.to_bytes();
        // As GNU cp, only of what goes into a directory.
        if shared.options.has(Flags::STRIP_SLASHES) {
            source = trim_slashes(source);
        }
        if shared.options.has(Flags::PARENTS) {
            return copy_with_parents(self.worker, self.task, source);
        }
        let name = basename(source);
        self.copy(source, name, false);
        if name == b"." {
            // It has brought other names than its own.
            shared.line.names.forget_list();
        }
    }
}

/// How many are copied in their order, after `copied` that were not: of the last time it was `before`.
fn in_order_after(copied: usize, before: usize) -> usize {
    if copied < LEAST_OPERANDS {
        MOST_IN_ORDER.min(before * 2)
    } else {
        1
    }
}
