//! How far a copy has come, for `--progress` and for SIGUSR1: what is done, and what was found to
//! be done.
//!
//! With `--progress` one thread counts what there is, folder after folder, while others copy it
//! ([`super::watch`]): so the total grows for a while, and nothing waits for it. Without, nobody
//! counts, and whoever copies looks now and then whether a signal came.

use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use super::census::{Census, Known, Opened};
use super::ui::Ui;
use crate::sys::{self, Guard, Mutex};

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

    pub(super) fn begun_ms(&self) -> u64 {
        now(&self.begun_ms)
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
    pub(super) fn is_asked(&self) -> bool {
        let asked = sys::usr1_count();
        let answered = self.answered.load(Ordering::Relaxed);
        asked != answered
            && self
                .answered
                .compare_exchange(answered, asked, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }
}

/// How a copy speaks: messages, and how far it has come.
pub(super) struct Reporter<'a> {
    pub progress: Progress,
    ui: Mutex<&'a mut (dyn Ui + Send)>,
}

impl<'a> Reporter<'a> {
    /// Speaks through `ui`; with `is_watched`, somebody will count what there is to copy.
    pub(super) fn new(ui: &'a mut (dyn Ui + Send), is_watched: bool) -> Self {
        Self {
            progress: Progress::new(is_watched),
            ui: Mutex::new(ui),
        }
    }

    /// The way to the user.
    pub(super) fn ui(&self) -> Guard<'_, &'a mut (dyn Ui + Send)> {
        self.ui.lock()
    }

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

    pub(super) fn show(&self, census: Option<&Census>, occasion: Occasion) {
        let snapshot = self.progress.snapshot(census, occasion);
        self.ui().progress(&snapshot);
    }
}
