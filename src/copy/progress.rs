//! How far a copy has come, for `--progress` and for SIGUSR1: what is done, and what was found to
//! be done.
//!
//! With `--progress` one thread counts what there is, folder after folder, while others copy it
//! ([`super::census`]): so the total grows for a while, and nothing waits for it. Without, nobody
//! counts, and whoever copies looks now and then whether a signal came.

use core::ffi::CStr;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use super::census::{Census, Known, Opened};
use super::engine::{Engine, Job};
use super::options::{Flags, Follow};
use super::plain::{self, NO_MODE};
use super::walk::Walk;
use super::workers::{NO_NODE, Shared};
use crate::sys::{self, AtFlags, FileType, OFlags};

/// What all workers have done.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// Somebody counts what there is to copy, and answers signals.
    is_watched: AtomicBool,
    /// Names that are done, but for directories.
    files: AtomicU64,
    /// Bytes that are copied, holes included.
    bytes: AtomicU64,
    /// See [`Opened`].
    opened_files: AtomicU64,
    opened_bytes: AtomicU64,
    left_out: AtomicU64,
    /// When the copy began to be long, and how many bytes were copied by then; 0 before.
    begun_ms: AtomicU64,
    begun_bytes: AtomicU64,
    /// How many signals were answered.
    answered: AtomicU32,
}

/// How far a copy has come.
#[derive(Debug, Clone, Copy)]
pub struct Snapshot {
    /// How many files are done.
    pub files: u64,
    /// How many bytes.
    pub bytes: u64,
    /// How many of them since the clock was started.
    pub timed_bytes: u64,
    /// Time since then.
    pub elapsed_ms: u64,
    /// How much there is to do, where that was counted.
    pub total: Option<Total>,
    /// Why it is shown.
    pub occasion: Occasion,
}

/// How much there is to do.
#[derive(Debug, Clone, Copy)]
pub struct Total {
    /// No fewer than are done.
    pub files: u64,
    /// No fewer than are done.
    pub bytes: u64,
    /// How well it is known.
    pub known: Known,
}

/// Why it is shown how far a copy has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    /// Time has passed.
    Renewal,
    /// A signal asked for it.
    Signal,
    /// The copy has ended.
    End,
}

// Relaxed throughout: the numbers are shown, nothing follows from them.
fn add(number: &AtomicU64, more: u64) {
    number.fetch_add(more, Ordering::Relaxed);
}

fn now(number: &AtomicU64) -> u64 {
    number.load(Ordering::Relaxed)
}

impl Progress {
    pub(super) fn new(is_watched: bool) -> Self {
        Self {
            is_watched: AtomicBool::new(is_watched),
            ..Self::default()
        }
    }

    fn is_watched(&self) -> bool {
        self.is_watched.load(Ordering::Relaxed)
    }

    /// There is nobody who could count.
    pub(super) fn give_up_watching(&self) {
        self.is_watched.store(false, Ordering::Relaxed);
    }

    /// Starts the clock if that was not done yet: where a copy begins to take its time, because
    /// for a small file it would be one system call more.
    pub(super) fn begin(&self) {
        if now(&self.begun_ms) == 0 {
            let (bytes, ms) = (now(&self.bytes), sys::monotonic_ms());
            let begun = self
                .begun_ms
                .compare_exchange(0, ms, Ordering::Relaxed, Ordering::Relaxed);
            if begun.is_ok() {
                self.begun_bytes.store(bytes, Ordering::Relaxed);
            }
        }
    }

    /// A regular file's turn has come, and its data is to be copied, or not.
    pub(super) fn open(&self, bytes: u64, copied: bool) {
        if self.is_watched() {
            add(&self.opened_files, 1);
            let sum = if copied {
                &self.opened_bytes
            } else {
                &self.left_out
            };
            add(sum, bytes);
        }
    }

    fn opened(&self) -> Opened {
        Opened {
            files: now(&self.opened_files),
            bytes: now(&self.opened_bytes),
            left_out: now(&self.left_out),
        }
    }

    fn snapshot(&self, census: Option<&Census>, occasion: Occasion) -> Snapshot {
        self.begin();
        let (files, bytes) = (now(&self.files), now(&self.bytes));
        let total = census.map(|census| {
            let (all_files, all_bytes, known) = census.total(self.opened());
            Total {
                files: all_files.max(files),
                // In the end it is known, whatever was left out on the way.
                bytes: if occasion == Occasion::End {
                    bytes
                } else {
                    all_bytes.max(bytes)
                },
                known,
            }
        });
        Snapshot {
            files,
            bytes,
            timed_bytes: bytes.saturating_sub(now(&self.begun_bytes)),
            elapsed_ms: sys::monotonic_ms().saturating_sub(now(&self.begun_ms)),
            total,
            occasion,
        }
    }

    /// Whether a signal has asked, and nobody else has answered it.
    fn is_asked(&self) -> bool {
        let asked = sys::usr1_count();
        let answered = self.answered.load(Ordering::Relaxed);
        asked != answered
            && self
                .answered
                .compare_exchange(answered, asked, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }
}

impl Shared<'_> {
    /// So many bytes more are copied.
    pub(super) fn moved(&self, bytes: u64) {
        add(&self.progress.bytes, bytes);
        self.answer();
    }

    /// One name more is done, which is no directory.
    pub(super) fn finished(&self) {
        add(&self.progress.files, 1);
        self.answer();
    }

    /// Says how far the copy has come, if a signal has asked and there is nobody to do that.
    pub(super) fn answer(&self) {
        if !self.progress.is_watched() && self.progress.is_asked() {
            self.show(None, Occasion::Signal);
        }
    }

    fn show(&self, census: Option<&Census>, occasion: Occasion) {
        let snapshot = self.progress.snapshot(census, occasion);
        self.ui().progress(&snapshot);
    }
}

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

impl Engine<'_, '_> {
    /// Counts what there is and shows how far the copy has come, until it ends.
    pub(super) fn watch(&mut self, walk: &mut Walk) {
        let shared = self.shared;
        // This thread alone answers signals: those that copy are not interrupted.
        sys::let_usr1(true);
        shared.progress.begin();
        let mut step_ms = STEP_ELSEWHERE_MS;
        if shared.ui().renews_progress() {
            step_ms = STEP_MS;
        }
        self.watch = Some(Watch {
            next_ms: now(&shared.progress.begun_ms) + step_ms,
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
            shared.show(Some(&watch.census), Occasion::End);
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
            shared.show(Some(&self.census), Occasion::Signal);
        }
        let now = sys::monotonic_ms();
        if now >= self.next_ms {
            self.next_ms = now + self.step_ms;
            shared.show(Some(&self.census), Occasion::Renewal);
        }
        shared.wait_for_end(0)
    }
}
