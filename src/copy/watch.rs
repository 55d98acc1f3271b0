//! The thread that counts what there is to copy, for `--progress`, and shows how far it has come.

use core::ffi::CStr;
use core::sync::atomic::Ordering;

use super::census::Census;
use super::engine::{Engine, Job};
use super::options::{Flags, Follow};
use super::walk::Walk;
use super::workers::{NO_NODE, Shared};
use crate::data::plain::{self, NO_MODE};
use crate::report::Occasion;
use crate::sys::{self, AtFlags, FileType, OFlags};

/// How often the line is renewed, and how often one is written where it cannot be.
const STEP_MS: u64 = 200;
const STEP_ELSEWHERE_MS: u64 = 10_000;

/// So many entries are looked at between two looks at the clock.
const LOOK_EVERY: u32 = 64;

/// For so long the thread that counts rests after [`LOOK_EVERY`] entries the second time. They
/// take it a fortieth of that: so exactness costs a copy no more than that part of a processor.
const REST_MS: u64 = 4;

/// With these no data is copied.
const NO_DATA: Flags = Flags::ATTRIBUTES_ONLY
    .union(Flags::LINK)
    .union(Flags::SYMLINK);

/// What the engine that counts keeps.
#[derive(Debug)]
pub(super) struct Watch {
    next_ms: u64,
    step_ms: u64,
    looks: u32,
    /// How long it rests now and then.
    rest_ms: u64,
    census: Census,
}

impl Engine<'_> {
    /// Counts what there is and shows how far the copy has come, until it ends.
    pub(super) fn watch(&mut self, walk: &mut Walk) {
        let shared = self.shared;
        // This thread alone answers signals: those that copy are not interrupted.
        sys::let_usr1(true);
        shared.progress.begin();
        let mut step_ms = STEP_ELSEWHERE_MS;
        if shared.reporter().renews_progress() {
            step_ms = STEP_MS;
        }
        self.watch = Some(Watch {
            next_ms: shared.progress.begun_ms() + step_ms,
            step_ms,
            looks: 0,
            rest_ms: 0,
            census: Census::new(
                self.options.follow == Follow::Always,
                self.options.has(NO_DATA),
            ),
        });
        let counts = shared.may_count();
        if counts {
            self.count_all(walk);
            if let Some(watch) = &mut self.watch
                && watch.census.end_of_names()
            {
                watch.rest_ms = REST_MS;
                self.count_all(walk);
            }
        }
        if let Some(watch) = &mut self.watch {
            if counts {
                watch.census.end_of_sizes();
            }
            // A signal that comes just before it waits is seen after it.
            while !shared.wait_for_end(STEP_MS) {
                watch.look(shared);
            }
            shared.progress.show(
                Some(watch.census.total(shared.progress.opened())),
                Occasion::End,
            );
        }
    }

    /// Counts all operands.
    fn count_all(&mut self, walk: &mut Walk) {
        for source in self.shared.sources {
            self.count_operand(walk, source);
        }
    }

    /// Counts an operand with all it holds.
    fn count_operand(&mut self, walk: &mut Walk, path: &CStr) {
        walk.src.start(b"", path.to_bytes());
        walk.dst.start(b"", path.to_bytes());
        walk.base = NO_NODE;
        walk.parents = 0;
        walk.alone = true;
        self.copy_here(walk, FileType::Unknown, false);
        self.go_on(walk);
    }

    /// Counts a name instead of copying it; a directory is gone down into as if it were.
    pub(super) fn count(&mut self, job: &mut Job<'_>) {
        let uncounted = job.stat.kind != FileType::Regular;
        let mut flags = AtFlags::SYMLINK_NOFOLLOW;
        if self.follows(job.operand) {
            flags = AtFlags::empty();
        }
        let looked = job.src.stat(flags, &mut job.stat);
        let Some(watch) = &mut self.watch else {
            return;
        };
        if looked.is_err() {
            if !uncounted {
                watch.census.look(None, false);
            }
            return;
        }
        match job.stat.kind {
            FileType::Regular => watch.census.look(Some(job.stat.size_bytes), uncounted),
            FileType::Directory if !self.options.has(Flags::RECURSIVE) => {}
            FileType::Directory => {
                // Through no symlink but an operand: where others lead, this might never end.
                let mut flags = OFlags::DIRECTORY;
                if !job.operand {
                    flags |= OFlags::NOFOLLOW;
                }
                let open = |flags| plain::open(job.src.dir, job.src.name, flags, NO_MODE).ok();
                // In place of the destination the same directory, to find the way back by.
                (job.open, job.made) = (open(flags), open(flags | OFlags::PATH));
                job.before = job.stat;
            }
            _ => watch.census.look_at_other(),
        }
        watch.looks += 1;
        if watch.looks.is_multiple_of(LOOK_EVERY)
            && (watch.look(self.shared) || self.shared.wait_for_end(watch.rest_ms))
        {
            self.shared.into_itself.store(true, Ordering::Relaxed);
        }
    }
}

impl Watch {
    /// Whether a folder's name of that type is counted without being looked at.
    pub(super) fn passes_over(&mut self, kind: FileType) -> bool {
        self.census.passes_over(kind)
    }

    /// Shows where the copy stands if it is time to, or a signal asks. Returns whether the copy
    /// has ended.
    fn look(&mut self, shared: &Shared<'_>) -> bool {
        if shared.progress.is_asked() {
            shared.progress.show(
                Some(self.census.total(shared.progress.opened())),
                Occasion::Signal,
            );
        }
        let now = sys::monotonic_ms();
        if now >= self.next_ms {
            self.next_ms = now + self.step_ms;
            shared.progress.show(
                Some(self.census.total(shared.progress.opened())),
                Occasion::Renewal,
            );
        }
        shared.wait_for_end(0)
    }
}
