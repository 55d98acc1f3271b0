//! What the workers of one copy share: what is asked for, files met, the way to the user.

use core::ffi::CStr;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use super::line::Line;
use super::names::Names;
use super::options::{Flags, Options};
use super::outcome::Told;
use super::path::trim_slashes;
use super::seen::Seen;
use super::tree::pool::Pool;
use crate::data::plain;
use crate::data::progress::Progress;
use crate::report::{Message, Reporter};
use crate::sys::{BorrowedFd, CWD, Errno, Guard, Latch, Mutex};

/// Levels of a walk that keep their two descriptors, where there are enough. Few directories have
/// something this far below them, so that opening one again is rare.
const OPEN_LEVELS: u32 = 4;

/// Descriptors that a worker may need at once: those of its walk, of the file it copies, of its
/// pipe and its ring, and of what it has handed over. With fewer than that one works alone, and
/// of its walk one level is open at a time; then five do.
pub const DESCRIPTORS_EACH: u64 = 20;

/// What lasts from operand to operand, for all workers.
pub struct Shared<'a> {
    /// What is asked for.
    pub options: Options,
    /// Where operands go.
    pub target: Target<'a>,
    /// Who shows messages.
    reporter: &'a Mutex<dyn Reporter + Send>,
    /// The files that were met.
    pub seen: Seen,
    /// How far all of them have come.
    pub progress: Progress<'a>,
    /// Who counts what there is to copy.
    pub counting: Counting,
    /// What waits for a worker.
    pub pool: Pool,
    /// The operands that do.
    pub line: Line<'a>,
    /// A directory was about to be copied into itself: nothing more of the operand is. Relaxed:
    /// whatever other workers do for an operand, they take over under a lock.
    pub is_stopped: AtomicBool,
    /// What was found of its two sides.
    pub found: Found,
    /// How many levels of a walk keep their descriptors; 0 before that was found out.
    open_levels: AtomicU32,
}

/// What was found of where a copy reads and writes. Relaxed: nothing hangs on who knows it first.
#[derive(Debug, Default)]
pub struct Found {
    /// The source comes from a disk, and is to be read ahead.
    pub is_cold: AtomicBool,
    /// The source's files are packed in blocks that many share, of which the file system keeps but a
    /// few unpacked: they are taken in the order in which they lie, by few workers.
    pub is_packed: AtomicBool,
    /// More workers were called in, since those that there were had to wait.
    pub waits: AtomicBool,
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
pub struct Counting {
    /// Somebody is to.
    pub is_wanted: bool,
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
            seen: Seen::new(),
            progress: Progress::new(reporter, counts),
            counting: Counting {
                is_wanted: counts,
                is_begun: AtomicBool::new(!counts),
                copy_ended: Latch::new(),
            },
            pool: Pool::new(),
            line: Line::new(sources),
            is_stopped: AtomicBool::new(false),
            found: Found::default(),
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
        // With `--parents` they are not all that matters.
        if many && !self.options.has(Flags::PARENTS) {
            self.line.names = Names::of(self.line.operands);
        }
    }

    /// Whether anything may be handed out to several workers.
    pub fn may_hand_out(&self) -> bool {
        !self.options.depends_on_order() || (self.hands_out_operands() && self.line.has_more())
    }

    /// Whether operands may be handed out to several workers.
    pub fn hands_out_operands(&self) -> bool {
        self.target.many && !self.options.operands_depend_on_order()
    }

    /// The way to the user.
    pub fn reporter(&self) -> Guard<'_, dyn Reporter + Send> {
        self.reporter.lock()
    }

    /// Tells that a name was not copied.
    pub fn tell(&self, message: Message, names: &[&[u8]], errno: Option<Errno>) -> Told {
        self.reporter().error(message, names, errno);
        Told
    }

    /// How many levels of a walk keep their descriptors: one alone where there are few. The
    /// `newest` descriptor tells where that is not known yet.
    pub fn open_levels(&self, newest: BorrowedFd<'_>) -> u32 {
        // Relaxed: the number stands for itself.
        match self.open_levels.load(Ordering::Relaxed) {
            0 => self.set_open_levels(plain::descriptors_left(newest) < DESCRIPTORS_EACH),
            known => known,
        }
    }

    /// Says whether descriptors are few. Returns how many levels keep theirs.
    pub fn set_open_levels(&self, is_short: bool) -> u32 {
        let levels = if is_short { 1 } else { OPEN_LEVELS };
        self.open_levels.store(levels, Ordering::Relaxed);
        levels
    }

    /// Whether what there is may be counted besides: not where descriptors are few.
    pub fn may_count(&self) -> bool {
        self.open_levels.load(Ordering::Relaxed) > 1
    }
}
