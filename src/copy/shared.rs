//! What the workers of one copy share: what is asked for, files met, the way to the user.

use core::ffi::CStr;
use core::ops::Deref;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use super::options::{Flags, Options};
use super::path::trim_slashes;
use super::table::{FileTable, Role};
use super::tree::pool::Pool;
use crate::data::plain;
use crate::data::progress::Progress;
use crate::report::Reporter;
use crate::sys::{BorrowedFd, CWD, FileId, Guard, Latch, Mutex, Signal};

/// Levels of a walk that keep their two descriptors, where there are enough. Few directories have
/// something this far below them, so that opening one again is rare.
const OPEN_LEVELS: u32 = 4;

/// Descriptors that a worker may need at once: those of its walk, of the file it copies, of its
/// pipe and its ring, and of what it has handed over. With fewer than that one works alone, and
/// of its walk one level is open at a time; then five do.
pub const DESCRIPTORS_EACH: u64 = 20;

/// What lasts from operand to operand, for all workers.
pub struct Shared<'a> {
    pub(super) options: Options,
    pub(super) target: Target<'a>,
    /// Who shows messages.
    reporter: &'a Mutex<dyn Reporter + Send>,
    /// The files that are remembered.
    met: Mutex<FileTable>,
    /// A file that a worker had set about copying is copied, or is not.
    pub(super) met_settled: Signal,
    pub(super) progress: Progress<'a>,
    pub(super) counting: Counting<'a>,
    pub(super) pool: Pool,
    /// A directory was about to be copied into itself: nothing more of the operand is.
    pub(super) into_itself: AtomicBool,
    /// The source comes from a disk, and is to be read ahead.
    pub(super) is_cold: AtomicBool,
    /// How many levels of a walk keep their descriptors; 0 before that was found out.
    open_levels: AtomicU32,
}

/// Where operands go.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// The directory that operands' destinations are relative to, and its path as messages
    /// show it, empty for the working directory.
    pub root: BorrowedFd<'a>,
    pub root_path: &'a [u8],
    /// Where in a destination's shown path begins what is relative to the root.
    pub dst_root: usize,
    /// Whether several operands go to one directory, so that they may meet there.
    pub many: bool,
}

/// Who counts what there is to copy, for `--progress`.
#[derive(Debug)]
pub struct Counting<'a> {
    /// The operands.
    pub sources: &'a [&'static CStr],
    /// A thread does, or nobody is to.
    pub is_begun: AtomicBool,
    pub copy_ended: Latch,
}

impl<'a> Shared<'a> {
    /// For a copy that works by `options` and speaks through `reporter`.
    pub fn new(
        options: Options,
        sources: &'a [&'static CStr],
        reporter: &'a Mutex<dyn Reporter + Send>,
    ) -> Self {
        let counts = options.has(Flags::PROGRESS);
        Self {
            options,
            target: Target {
                root: CWD,
                root_path: b"",
                dst_root: 0,
                many: false,
            },
            reporter,
            met: Mutex::new(FileTable::default()),
            met_settled: Signal::new(),
            progress: Progress::new(reporter, counts),
            counting: Counting {
                sources,
                is_begun: AtomicBool::new(!counts),
                copy_ended: Latch::new(),
            },
            pool: Pool::new(),
            into_itself: AtomicBool::new(false),
            is_cold: AtomicBool::new(false),
            open_levels: AtomicU32::new(0),
        }
    }

    /// Makes destinations relative to `dir`, which messages show as `path`. With `many`, so
    /// many operands go there that they may meet.
    pub fn into_directory(&mut self, dir: BorrowedFd<'a>, path: &'a [u8], many: bool) {
        let root_path = trim_slashes(path);
        self.target = Target {
            root: dir,
            root_path,
            // Names in it stand behind a slash.
            dst_root: root_path.len() + usize::from(!root_path.ends_with(b"/")),
            many,
        };
    }

    /// Forgets what came of the operand before.
    pub(super) fn begin_operand(&self) {
        // Relaxed: whatever other workers do for this operand, they take over under a lock.
        self.into_itself.store(false, Ordering::Relaxed);
    }

    /// The way to the user.
    pub(super) fn reporter(&self) -> Guard<'_, dyn Reporter + Send> {
        self.reporter.lock()
    }

    /// The files that are remembered.
    pub(super) fn met(&self) -> Guard<'_, FileTable> {
        self.met.lock()
    }

    /// Remembers one more, with its path.
    pub(super) fn remember(&self, role: Role, id: &FileId, path: &[u8]) {
        self.met().insert(role, id, path);
    }

    /// How many levels of a walk keep their descriptors: one alone where there are few. The
    /// `newest` descriptor tells where that is not known yet.
    pub(super) fn open_levels(&self, newest: BorrowedFd<'_>) -> u32 {
        // Relaxed: the number stands for itself.
        match self.open_levels.load(Ordering::Relaxed) {
            0 => self.set_open_levels(plain::descriptors_left(newest) < DESCRIPTORS_EACH),
            known => known,
        }
    }

    /// Says whether descriptors are few. Returns how many levels keep theirs.
    pub(super) fn set_open_levels(&self, is_short: bool) -> u32 {
        let levels = if is_short { 1 } else { OPEN_LEVELS };
        self.open_levels.store(levels, Ordering::Relaxed);
        levels
    }

    /// Whether what there is may be counted besides: not where descriptors are few.
    pub(super) fn may_count(&self) -> bool {
        self.open_levels.load(Ordering::Relaxed) > 1
    }
}

/// For those who do not ask for [`Shared::target`] yet.
impl<'a> Deref for Shared<'a> {
    type Target = Target<'a>;

    fn deref(&self) -> &Target<'a> {
        &self.target
    }
}
