//! How far a copy has come, for `--progress`: what is done, and what was found to be done.
//!
//! One thread counts what there is, folder after folder, while others copy it: so the total
//! grows for a while, and nothing waits for it. Where there are many files it takes their number
//! from the folders and looks at the sizes of a few: to look at each would cost a tenth of the
//! time of the copy.

use core::ffi::CStr;
use core::sync::atomic::{AtomicU64, Ordering};

use super::engine::{Engine, Job};
use super::options::Flags;
use super::plain::{self, NO_MODE};
use super::walk::Walk;
use super::workers::{NO_NODE, Shared};
use crate::sys::{self, AtFlags, FileType, OFlags};

/// Files and bytes.
#[derive(Debug, Default)]
pub struct Amount {
    files: AtomicU64,
    bytes: AtomicU64,
}

impl Amount {
    pub(super) const fn new() -> Self {
        Self {
            files: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
        }
    }

    // Relaxed throughout: the numbers are shown, nothing follows from them.
    pub(super) fn add(&self, files: u64, bytes: u64) {
        self.files.fetch_add(files, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    fn now(&self) -> (u64, u64) {
        let now = |number: &AtomicU64| number.load(Ordering::Relaxed);
        (now(&self.files), now(&self.bytes))
    }
}

/// How far a copy has come.
#[derive(Debug, Clone, Copy)]
pub struct Snapshot {
    /// Files done and found.
    pub files: [u64; 2],
    /// Bytes done and found.
    pub bytes: [u64; 2],
    /// All there is was found.
    pub counted: bool,
    /// Time since the beginning.
    pub elapsed_ms: u64,
    /// The copy has ended.
    pub ended: bool,
}

/// How often the line is renewed, and how often one is written where it cannot be.
const STEP_MS: u64 = 200;
const STEP_ELSEWHERE_MS: u64 = 10_000;

/// So many entries are looked at between two looks at the clock.
const LOOK_EVERY: u32 = 64;

/// All of the first files are looked at, and of more one in so many.
const ALL_OF: u32 = 512;
const ONE_IN: u32 = 16;

/// What the engine that counts keeps.
#[derive(Debug)]
pub(super) struct Watch {
    begun_ms: u64,
    next_ms: u64,
    step_ms: u64,
    looks: u32,
    /// How many files were met in folders.
    files: u32,
    /// How many of them were passed over, and of the others how many there are and their bytes.
    passed: u64,
    looked: u64,
    bytes: u64,
    counted: bool,
}

impl Engine<'_, '_> {
    /// Counts what there is and shows how far the copy has come, until it ends.
    pub(super) fn watch(&mut self, walk: &mut Walk) {
        let shared = self.shared;
        let mut step_ms = STEP_ELSEWHERE_MS;
        if sys::terminal_columns(sys::STDERR).is_some() {
            step_ms = STEP_MS;
        }
        let begun_ms = sys::monotonic_ms();
        self.watch = Some(Watch {
            begun_ms,
            next_ms: begun_ms + step_ms,
            step_ms,
            looks: 0,
            files: 0,
            passed: 0,
            looked: 0,
            bytes: 0,
            counted: false,
        });
        for source in shared.sources {
            self.count_operand(walk, source);
        }
        if let Some(watch) = &mut self.watch {
            watch.counted = true;
            while !shared.wait_for_end(step_ms) {
                watch.look(shared);
            }
            watch.show(shared, true);
        }
    }
}

impl Watch {
    /// Counts a folder's file that need not be looked at, and says whether it is one.
    #[inline(never)]
    pub(super) fn passes_over(&mut self, kind: FileType) -> bool {
        if kind != FileType::Regular {
            return false;
        }
        self.files += 1;
        let passes = self.files > ALL_OF && !self.files.is_multiple_of(ONE_IN);
        self.passed += u64::from(passes);
        passes
    }

    /// Shows where the copy stands if it is time to. Returns whether the copy has ended.
    fn look(&mut self, shared: &Shared<'_>) -> bool {
        let now = sys::monotonic_ms();
        if now >= self.next_ms {
            self.next_ms = now + self.step_ms;
            self.show(shared, false);
        }
        shared.wait_for_end(0)
    }

    fn show(&self, shared: &Shared<'_>, ended: bool) {
        let (files, bytes) = shared.done.now();
        let (found, mut found_bytes) = shared.found.now();
        // Those passed over are as large as the others.
        let usual = self.bytes.checked_div(self.looked).unwrap_or_default();
        found_bytes = found_bytes.wrapping_add(usual.wrapping_mul(self.passed));
        shared.ui().progress(&Snapshot {
            files: [files, found.max(files)],
            // In the end it is known; before, it may be an estimate.
            bytes: [bytes, if ended { bytes } else { found_bytes.max(bytes) }],
            counted: self.counted,
            elapsed_ms: sys::monotonic_ms() - self.begun_ms,
            ended,
        });
    }
}

impl Engine<'_, '_> {
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
        let mut flags = AtFlags::SYMLINK_NOFOLLOW;
        if self.follows(job.operand) {
            flags = AtFlags::empty();
        }
        if job.src.stat(flags, &mut job.stat).is_err() {
            return;
        }
        if job.stat.kind != FileType::Directory {
            let is_regular = job.stat.kind == FileType::Regular;
            let bytes = if is_regular { job.stat.size_bytes } else { 0 };
            if let Some(watch) = &mut self.watch
                && is_regular
                && !job.operand
            {
                watch.looked += 1;
                watch.bytes = watch.bytes.wrapping_add(bytes);
            }
            self.shared.found.add(1, bytes);
        } else if self.options.has(Flags::RECURSIVE) {
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
        let shared = self.shared;
        if let Some(watch) = &mut self.watch {
            watch.looks += 1;
            if watch.looks.is_multiple_of(LOOK_EVERY) && watch.look(shared) {
                shared.into_itself.store(true, Ordering::Relaxed);
            }
        }
    }
}
