//! Tasks on their way from one worker to another.
//!
//! Each worker walks on its own. A directory that it meets while others have nothing to do, it
//! hands over instead of going down into it. A directory is finished (times, owner, mode) after
//! everything below it: by the worker that fills it or, if what was handed over takes longer, by
//! whoever is the last one below. For that a directory with anything handed over below it has a
//! [`Node`], which counts, and to which its worker leaves it.
//!
//! What is handed over waits in a few places that are used again and again, and nodes are as
//! many as there are directories between a worker and where its work came from: memory does
//! not grow with the tree.

use core::mem::swap;
use core::sync::atomic::{AtomicU32, Ordering};

use super::level::{Level, NO_NODE};
use super::task::Task;
use crate::sys::{Mutex, Signal, Vec};

/// The tasks that wait, and the directories that wait for tasks.
#[derive(Debug)]
pub struct Pool {
    queue: Mutex<Queue>,
    changed: Signal,
    /// How many tasks wait, for a look without the lock.
    waiting: AtomicU32,
    /// How many workers there are; 0 while nobody has started any.
    workers: AtomicU32,
}

#[derive(Debug, Default)]
struct Queue {
    /// Tasks that are to begin: the first `waiting`, of which the last one comes first. Each
    /// place keeps its memory for the next.
    places: Vec<Task>,
    waiting: usize,
    nodes: Vec<Node>,
    /// The first node that is not in use.
    free: usize,
    /// Tasks that are not done, those that wait included.
    active: u32,
    is_closed: bool,
}

/// A directory below which something was handed over.
#[derive(Debug, Default)]
struct Node {
    /// How many tasks directly below it others have to do.
    pending: u32,
    /// The node of the directory around it, once it is left; of a free one, the next that is
    /// free.
    outer: usize,
    /// The directory, once its worker has done what it had to do in it.
    levels: Vec<Level>,
}

impl Pool {
    /// Nothing waits, and one worker is alone.
    pub fn new() -> Self {
        Self {
            queue: Mutex::new(Queue::default()),
            changed: Signal::new(),
            waiting: AtomicU32::new(0),
            workers: AtomicU32::new(0),
        }
    }

    // Relaxed throughout: whoever is started reads these under the lock, or as a hint.

    /// How many workers there are; 0 while nobody has started any.
    pub fn workers(&self) -> u32 {
        self.workers.load(Ordering::Relaxed)
    }

    /// Says how many there are.
    pub fn set_workers(&self, count: u32) {
        self.workers.store(count, Ordering::Relaxed);
    }

    /// Whether there are several.
    pub fn has_others(&self) -> bool {
        self.workers() > 1
    }

    /// Whether there is anybody to hand a task to, and fewer wait than there are workers.
    pub fn has_room(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) < self.workers()
    }

    /// Whether others have nothing to do, and nothing waits for them.
    pub fn is_idle(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) == 0 && self.changed.is_awaited()
    }

    /// Hands the innermost level, which the task's paths stand at, to whoever comes first; a part
    /// of a directory with the `part` items on the stack whose turn is last. Returns false where
    /// too many wait.
    pub fn hand_over(&self, task: &mut Task, part: usize) -> bool {
        let mut queue = self.queue.lock();
        let queue = &mut *queue;
        let Some((_, outer)) = task.levels.split_last_mut() else {
            return false;
        };
        if queue.waiting >= self.workers() as usize {
            return false;
        }
        if queue.waiting == queue.places.len() {
            queue.places.push(Task::new());
        }
        let base = queue.wait_below(task.base, outer);
        if let Some(place) = queue.places.get_mut(queue.waiting) {
            place.src.copy_from(&task.src);
            place.dst.copy_from(&task.dst);
            place.operand_ends = task.operand_ends;
            place.base = base;
            place.may_share = Some(true);
            task.give_items(part, place);
            move_last(&mut task.levels, &mut place.levels);
        }
        queue.waiting += 1;
        queue.active += 1;
        self.note(queue);
        // Anyone will do, the main thread too. All of 256 for each task took fifty times as
        // long as one worker alone.
        self.changed.give_to(1);
        true
    }

    /// Takes down how many tasks wait.
    fn note(&self, queue: &Queue) {
        #[allow(clippy::cast_possible_truncation)] // no more than there are workers
        self.waiting.store(queue.waiting as u32, Ordering::Relaxed);
    }

    /// Leaves the innermost directory to whoever finishes the last one below it, if others are
    /// still at work there. Returns whether it did.
    pub fn leave(&self, task: &mut Task) -> bool {
        let mut queue = self.queue.lock();
        let Some(at) = task.levels.last().map(|level| level.node) else {
            return false;
        };
        let pending = queue.nodes.get(at).map_or(0, |node| node.pending);
        if pending == 0 {
            queue.release(at);
            return false;
        }
        let Some((level, levels)) = task.levels.split_last_mut() else {
            return false;
        };
        // Opened again by whoever takes it: many may be left at a time.
        level.dir.close();
        (level.items_at, level.names_at, level.node) = (0, 0, NO_NODE);
        let outer = queue.wait_below(task.base, levels);
        if let Some(node) = queue.nodes.get_mut(at) {
            node.outer = outer;
            move_last(&mut task.levels, &mut node.levels);
        }
        true
    }

    /// Says that the task's outermost directory is about to be finished; takes over the one
    /// around it if that was left, and this is the last one below it.
    pub fn finish_outermost(&self, task: &mut Task) {
        let mut queue = self.queue.lock();
        let at = task.base;
        let Some(node) = queue.nodes.get_mut(at) else {
            return;
        };
        node.pending -= 1;
        task.base = NO_NODE;
        if node.pending == 0 && !node.levels.is_empty() {
            task.base = node.outer;
            // What was left, below what is about to be finished.
            swap(&mut task.levels, &mut node.levels);
            move_last(&mut node.levels, &mut task.levels);
            queue.release(at);
        }
        // A part is no directory of its own: the whole has its descriptors, if it is here.
        if let Some((part, outer)) = task.levels.split_last_mut()
            && part.is_part
        {
            if let Some(whole) = outer.last_mut() {
                swap(&mut whole.dir.src, &mut part.dir.src);
                swap(&mut whole.dir.dst, &mut part.dir.dst);
            }
            task.levels.pop();
        }
    }

    /// Waits for a task, and returns whether there is one. For the first worker none is left once
    /// none is active; for those that were started by it, once the pool is closed.
    pub fn next(&self, task: &mut Task, is_started: bool) -> bool {
        let mut queue = self.queue.lock();
        loop {
            if let Some(last) = queue.waiting.checked_sub(1)
                && let Some(place) = queue.places.get_mut(last)
            {
                swap(task, place);
                queue.waiting = last;
                self.note(&queue);
                return true;
            }
            let is_done = if is_started {
                queue.is_closed
            } else {
                queue.active == 0
            };
            if is_done {
                return false;
            }
            queue = self.changed.wait(queue);
        }
    }

    /// Says that a worker begins a task that nobody has handed over.
    pub fn begin(&self) {
        self.queue.lock().active += 1;
    }

    /// Says that a task is done.
    pub fn end(&self) {
        let mut queue = self.queue.lock();
        queue.active -= 1;
        if queue.active == 0 {
            self.changed.give();
        }
    }

    /// Says that there will be no more.
    pub fn close(&self) {
        self.queue.lock().is_closed = true;
        self.changed.give();
    }
}

impl Queue {
    /// The node of the innermost of `levels`, with one task more to wait for; the `base` where
    /// there are no levels, which waits for the task already.
    fn wait_below(&mut self, base: usize, levels: &mut [Level]) -> usize {
        let Some(level) = levels.last_mut() else {
            return base;
        };
        if level.node == NO_NODE {
            level.node = self.free;
            if let Some(node) = self.nodes.get(level.node) {
                self.free = node.outer;
            } else {
                self.nodes.push(Node::default());
                self.free = self.nodes.len();
            }
        }
        if let Some(node) = self.nodes.get_mut(level.node) {
            node.pending += 1;
        }
        level.node
    }

    /// Puts a node away for the next that is wanted.
    fn release(&mut self, at: usize) {
        let free = self.free;
        if let Some(node) = self.nodes.get_mut(at) {
            node.outer = free;
            self.free = at;
        }
    }
}

/// Moves a level from one stack to another. It is what those who have it do not share.
fn move_last(from: &mut Vec<Level>, to: &mut Vec<Level>) {
    to.extend(from.pop());
}
