//! How far a copy has come, for `--progress` and for SIGUSR1: what is done.
//!
//! With `--progress` one thread counts what there is, directory after directory, while others copy it:
//! so the total grows for a while, and nothing waits for it. Without, nobody counts, and whoever
//! copies looks now and then whether a signal came.

use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};

use crate::report::{Occasion, Reporter, Snapshot, Total};
use crate::sys::{self, Mutex};

/// What all workers have done.
pub struct Progress<'a> {
    /// Who shows it.
    reporter: &'a Mutex<dyn Reporter + Send>,
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

/// What workers know of the regular files whose turn has come.
#[derive(Debug, Clone, Copy, Default)]
pub struct Opened {
    /// How many they are.
    pub files: u64,
    /// The bytes of those that are copied.
    pub bytes: u64,
    /// The bytes of those that are not: they are skipped, or links to others.
    pub left_out: u64,
}

// Relaxed throughout: the numbers are shown, nothing follows from them. Two that are read one after
// the other may be of different times, so no difference of two may be taken for granted not to be
// negative; one alone never goes back.
fn add(number: &AtomicU64, more: u64) {
    number.fetch_add(more, Relaxed);
}

fn now(number: &AtomicU64) -> u64 {
    number.load(Relaxed)
}

impl<'a> Progress<'a> {
    /// Nothing is done yet. With `is_watched`, somebody will count what there is to copy.
    #[must_use]
    pub const fn new(reporter: &'a Mutex<dyn Reporter + Send>, is_watched: bool) -> Self {
        Self {
            reporter,
            is_watched: AtomicBool::new(is_watched),
            files: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            opened_files: AtomicU64::new(0),
            opened_bytes: AtomicU64::new(0),
            left_out: AtomicU64::new(0),
            begun_ms: AtomicU64::new(0),
            begun_bytes: AtomicU64::new(0),
            answered: AtomicU32::new(0),
        }
    }

    fn is_watched(&self) -> bool {
        self.is_watched.load(Relaxed)
    }

    /// There is nobody who could count.
    pub fn give_up_watching(&self) {
        self.is_watched.store(false, Relaxed);
    }

    /// Starts the clock if that was not done yet: where a copy begins to take its time, because
    /// for a small file it would be one system call more.
    pub fn begin(&self) {
        if now(&self.begun_ms) == 0 {
            let (bytes, ms) = (now(&self.bytes), sys::monotonic_ms());
            let begun = self.begun_ms.compare_exchange(0, ms, Relaxed, Relaxed);
            if begun.is_ok() {
                self.begun_bytes.store(bytes, Relaxed);
            }
        }
    }

    /// When that was.
    pub fn begun_ms(&self) -> u64 {
        now(&self.begun_ms)
    }

    /// A regular file's turn has come, and its data is to be copied, or not.
    pub fn open(&self, bytes: u64, copied: bool) {
        if self.is_watched() {
            add(&self.opened_files, 1);
            add(&self.opened_bytes, if copied { bytes } else { 0 });
            add(&self.left_out, if copied { 0 } else { bytes });
        }
    }

    /// Those whose turn has come.
    pub fn opened(&self) -> Opened {
        Opened {
            files: now(&self.opened_files),
            bytes: now(&self.opened_bytes),
            left_out: now(&self.left_out),
        }
    }

    /// So many bytes more are copied.
    pub fn moved(&self, bytes: u64) {
        add(&self.bytes, bytes);
        self.answer();
    }

    /// One name more is done, which is no directory.
    pub fn finished(&self) {
        add(&self.files, 1);
        self.answer();
    }

    /// How many files are done, and how many bytes copied.
    pub fn done(&self) -> (u64, u64) {
        (now(&self.files), now(&self.bytes))
    }

    /// Says how far the copy has come, if a signal has asked and there is nobody to do that.
    pub fn answer(&self) {
        if !self.is_watched() && self.is_asked() {
            self.show(None, Occasion::Signal);
        }
    }

    /// Whether a signal has asked, and nobody else has answered it.
    pub fn is_asked(&self) -> bool {
        let asked = sys::usr1_count();
        asked != self.answered.load(Relaxed) && self.answered.fetch_max(asked, Relaxed) < asked
    }

    /// Shows how far the copy has come, of what was counted so far.
    pub fn show(&self, counted: Option<Total>, occasion: Occasion) {
        self.begin();
        let (files, bytes) = self.done();
        let mut total = counted;
        if let Some(total) = &mut total {
            total.files = total.files.max(files);
            // In the end it is known, whatever was left out on the way.
            let is_known = occasion == Occasion::End;
            total.bytes = if is_known {
                bytes
            } else {
                total.bytes.max(bytes)
            };
        }
        let snapshot = Snapshot {
            files,
            bytes,
            timed_bytes: bytes.saturating_sub(now(&self.begun_bytes)),
            elapsed_ms: sys::monotonic_ms().saturating_sub(now(&self.begun_ms)),
            total,
            occasion,
        };
        self.reporter.lock().show_progress(&snapshot);
    }
}
