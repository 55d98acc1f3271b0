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

use alloc::vec::Vec;
use core::mem::{swap, take};
use core::ops::Range;
use core::sync::atomic::Ordering;

use super::level::Level;
use super::task::Task;
use crate::sys::atomic::AtomicU32;
use crate::sys::{Mutex, Signal};

/// The tasks that wait, and the directories that wait for tasks.
#[derive(Debug)]
pub struct Pool {
    queue: Mutex<Queue>,
    /// Something waits for those who were started, or nothing ever will.
    changed: Signal,
    /// Something waits for the first worker, or nothing is left.
    first: Signal,
    /// How many tasks wait: changed under the lock, looked at without it as well.
    waiting: AtomicU32,
    /// How many workers may work at a time; 0 while nobody has started any.
    workers: AtomicU32,
    /// How many there were at the most: nobody who was started goes, and any of them may be at work.
    most_workers: AtomicU32,
    /// Tasks that are not done, those that wait included: as `waiting`.
    active: AtomicU32,
}

#[derive(Debug, Default)]
struct Queue {
    /// Tasks that are to begin: as many of the first as wait, of which the last one comes first.
    /// Each place keeps its memory for the next.
    places: Vec<Task>,
    nodes: Vec<Node>,
    /// The nodes that are not in use.
    free: Vec<usize>,
    /// The first worker waits for a task, and nobody has called it yet.
    is_first_idle: bool,
    is_closed: bool,
}

/// A directory below which something was handed over.
#[derive(Debug, Default)]
struct Node {
    /// How many tasks directly below it others have to do.
    pending: u32,
    /// The node of the directory around it, once it is left.
    outer: Option<usize>,
    /// The directory, once its worker has done what it had to do in it.
    left: Option<Level>,
}

impl Pool {
    /// Nothing waits, and one worker is alone.
    pub fn new() -> Self {
        Self {
            queue: Mutex::new(Queue::default()),
            changed: Signal::new(),
            first: Signal::new(),
            waiting: AtomicU32::new(0),
            workers: AtomicU32::new(0),
            most_workers: AtomicU32::new(0),
            active: AtomicU32::new(0),
        }
    }

    // Relaxed throughout: the numbers change under the lock, which orders them. Read without it they
    // are hints: what is done on their account looks again under the lock.

    /// How many workers there are; 0 while nobody has started any.
    pub fn workers(&self) -> u32 {
        self.workers.load(Ordering::Relaxed)
    }

    /// How many there were at the most.
    pub fn most_workers(&self) -> u32 {
        self.most_workers.load(Ordering::Relaxed)
    }

    /// Says how many there are.
    pub fn set_workers(&self, count: u32) {
        // Under the lock: who has just seen that it may not take a task is asleep by then.
        let _queue = self.queue.lock();
        self.workers.store(count, Ordering::Relaxed);
        self.most_workers.fetch_max(count, Ordering::Relaxed);
        let waiting = self.waiting.load(Ordering::Relaxed);
        if waiting > 0 {
            self.changed.give_to(waiting);
        }
    }

    /// Whether there are several.
    pub fn has_others(&self) -> bool {
        self.workers() > 1
    }

    /// Whether there is anybody to hand a task to, and fewer wait than there are workers.
    pub fn has_room(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) < self.workers()
    }

    /// Whether more of those who may work have nothing to do than tasks wait for them.
    pub fn is_idle(&self) -> bool {
        let idle = self.changed.awaited() + self.first.awaited();
        self.waiting.load(Ordering::Relaxed) < idle
            && self.active.load(Ordering::Relaxed) < self.workers()
    }

    /// Whether more are at work than may be.
    pub fn is_crowded(&self) -> bool {
        let waiting = self.waiting.load(Ordering::Relaxed);
        let active = self.active.load(Ordering::Relaxed);
        active.saturating_sub(waiting) > self.workers()
    }

    /// Has somebody who has nothing to do come to the operands ([`crate::copy::line`]).
    pub fn call_to_line(&self) {
        let queue = &mut *self.queue.lock();
        let waiting = self.waiting.load(Ordering::Relaxed);
        if let Some(place) = queue.place(waiting) {
            place.is_in_line = true;
        }
        self.add(queue, waiting);
    }

    /// Hands the innermost level, which the task's paths stand at or below, to whoever comes first,
    /// with those `items` of the level around it. Returns false where too many wait.
    pub fn hand_over(&self, task: &mut Task, items: Range<usize>) -> bool {
        let queue = &mut *self.queue.lock();
        let waiting = self.waiting.load(Ordering::Relaxed);
        let Some((_, outer)) = task.levels.split_last_mut() else {
            return false;
        };
        if waiting >= self.workers() {
            return false;
        }
        let base = queue.wait_below(task.base, outer);
        if let Some(place) = queue.place(waiting) {
            place.src.copy_from(&task.src);
            place.dst.copy_from(&task.dst);
            place.operand_ends = task.operand_ends;
            place.base = base;
            place.may_share = Some(true);
            place.is_in_line = false;
            task.give_items(items, place);
            if let Some(level) = task.levels.pop() {
                place.levels.push(level);
            }
        }
        self.add(queue, waiting);
        true
    }

    /// Says that one more than `waiting` tasks wait. Under the lock.
    fn add(&self, queue: &mut Queue, waiting: u32) {
        self.waiting.store(waiting + 1, Ordering::Relaxed);
        self.active.fetch_add(1, Ordering::Relaxed);
        // The first worker before others: as long as it sleeps nobody sees how many there are to
        // be. Of those, anyone will do: all of 256 for each task took fifty times as long as one
        // worker alone.
        if take(&mut queue.is_first_idle) {
            self.first.give();
        } else {
            self.changed.give_to(1);
        }
    }

    /// Leaves the innermost directory to whoever finishes the last one below it, if others are
    /// still at work there. Returns whether it did.
    pub fn leave(&self, task: &mut Task) -> bool {
        let queue = &mut *self.queue.lock();
        let Some((level, outer)) = task.levels.split_last_mut() else {
            return false;
        };
        let Some(at) = level.node.take() else {
            return false;
        };
        if queue.nodes.get(at).is_none_or(|node| node.pending == 0) {
            queue.free.push(at);
            return false;
        }
        // Opened again by whoever takes it: many may be left at a time.
        level.dir.close();
        (level.items_at, level.names_at) = (0, 0);
        let outer = queue.wait_below(task.base, outer);
        if let Some(node) = queue.nodes.get_mut(at) {
            node.outer = outer;
            node.left = task.levels.pop();
        }
        true
    }

    /// Says that the task's outermost directory is about to be finished; takes over the one
    /// around it if that was left, and this is the last one below it.
    pub fn finish_outermost(&self, task: &mut Task) {
        let queue = &mut *self.queue.lock();
        let Some(at) = task.base.take() else {
            return;
        };
        let Some(node) = queue.nodes.get_mut(at) else {
            return;
        };
        node.pending -= 1;
        if node.pending == 0
            && let Some(left) = node.left.take()
        {
            task.base = node.outer;
            queue.free.push(at);
            task.levels.insert(0, left);
        }
        // A part is no directory of its own: the whole has its descriptors, if it is here.
        if let Some(part) = task.levels.pop_if(|level| level.is_part)
            && let Some(whole) = task.levels.last_mut()
        {
            whole.dir.src = part.dir.src;
            whole.dir.dst = part.dir.dst;
        }
    }

    /// Waits for a task, and returns whether there is one. For the first worker none is left once
    /// none is active; for those that were started by it, once the pool is closed.
    pub fn next(&self, task: &mut Task, is_started: bool) -> bool {
        let mut queue = self.queue.lock();
        loop {
            let waiting = self.waiting.load(Ordering::Relaxed);
            let active = self.active.load(Ordering::Relaxed);
            // The first one always may: it sees how many there are to be.
            let may_take = !is_started || active - waiting < self.workers();
            if let Some(last) = waiting.checked_sub(1)
                && may_take
                && let Some(place) = queue.places.get_mut(last as usize)
            {
                swap(task, place);
                self.waiting.store(last, Ordering::Relaxed);
                return true;
            }
            if (is_started && queue.is_closed) || (!is_started && active == 0) {
                return false;
            }
            if is_started {
                queue = self.changed.wait(queue);
            } else {
                queue.is_first_idle = true;
                queue = self.first.wait(queue);
                queue.is_first_idle = false;
            }
        }
    }

    /// Says that a worker begins a task that nobody has handed over.
    pub fn begin(&self) {
        let _queue = self.queue.lock();
        self.active.fetch_add(1, Ordering::Relaxed);
    }

    /// Says that a task is done.
    pub fn end(&self) {
        let _queue = self.queue.lock();
        if self.active.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.first.give();
        }
    }

    /// Says that there will be no more.
    pub fn close(&self) {
        self.queue.lock().is_closed = true;
        self.changed.give();
    }
}

impl Queue {
    /// The place of one more task than wait.
    fn place(&mut self, waiting: u32) -> Option<&mut Task> {
        let waiting = waiting as usize;
        if waiting == self.places.len() {
            self.places.push(Task::default());
        }
        self.places.get_mut(waiting)
    }

    /// The node of the innermost of `levels`, with one task more to wait for; the `base` where
    /// there are no levels, which waits for the task already.
    fn wait_below(&mut self, base: Option<usize>, levels: &mut [Level]) -> Option<usize> {
        let Some(level) = levels.last_mut() else {
            return base;
        };
        let at = *level.node.get_or_insert_with(|| {
            self.free.pop().unwrap_or_else(|| {
                self.nodes.push(Node::default());
                self.nodes.len() - 1
            })
        });
        if let Some(node) = self.nodes.get_mut(at) {
            node.pending += 1;
        }
        level.node
    }
}

#[cfg(test)]
mod tests {
    use super::super::level::Directory;
    use super::*;
    use std::thread;

    /// What threads have done, each under its own lock.
    struct Done {
        directories: Mutex<Vec<u8>>,
        outermost: Mutex<u32>,
    }

    /// Goes through a task as a walk does: each directory is done by whom it was handed over to.
    fn do_task(pool: &Pool, task: &mut Task, done: &Done) {
        let path = task.src.shown();
        done.directories.lock().push(path[path.len() - 1]);
        if task.base.is_some() {
            pool.finish_outermost(task);
            task.levels.pop();
        }
        if task.levels.pop().is_some() {
            *done.outermost.lock() += 1;
        }
        pool.end();
    }

    fn take_tasks(pool: &Pool, is_started: bool, done: &Done) {
        let mut task = Task::default();
        while pool.next(&mut task, is_started) {
            do_task(pool, &mut task, done);
        }
    }

    /// Hands `count` directories over, or does them, and leaves the one that holds them.
    fn hand_all_over(pool: &Pool, count: u8, done: &Done) {
        let mut task = Task::default();
        pool.begin();
        task.src.start(b"", b"top");
        task.add_level(Directory::default());
        let top = task.src.end();
        for number in 0..count {
            task.src.push(top, &[number]);
            task.add_level(Directory::default());
            while !pool.hand_over(&mut task, 0..0) {
                thread::yield_now();
            }
        }
        if !pool.leave(&mut task) {
            *done.outermost.lock() += 1;
        }
        pool.end();
    }

    fn done_by_three(count: u8) -> Done {
        let pool = Pool::new();
        let done = Done {
            directories: Mutex::new(Vec::new()),
            outermost: Mutex::new(0),
        };
        thread::scope(|scope| {
            let start = || take_tasks(&pool, true, &done);
            let _started = [scope.spawn(start), scope.spawn(start)];
            pool.set_workers(3);
            hand_all_over(&pool, count, &done);
            take_tasks(&pool, false, &done);
            pool.close();
        });
        done
    }

    #[test]
    fn each_directory_is_done_once_and_the_one_around_them_last() {
        let (rounds, count) = if cfg!(miri) { (2, 5) } else { (300, 100) };
        for _ in 0..rounds {
            let done = done_by_three(count);
            let mut directories = take(&mut *done.directories.lock());
            directories.sort_unstable();
            assert!(directories.iter().copied().eq(0..count));
            assert_eq!(*done.outermost.lock(), 1);
        }
    }
}
