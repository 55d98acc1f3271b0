//! How far a copy has come, for `--progress`: what is done, and what was found to be done.
//!
//! One thread counts what there is, folder after folder, while others copy it: so the total
//! grows for a while, and nothing waits for it.

use core::ffi::CStr;
use core::sync::atomic::{AtomicU64, Ordering};

use super::options::Follow;
use super::plain::{self, NO_MODE};
use super::workers::Shared;
use crate::sys::{
    self, AtFlags, BorrowedFd, Buffer, CWD, FileType, OFlags, OwnedFd, Stat, Vec, until_nul,
};

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

/// So many entries are counted between two looks at the clock.
const LOOK_EVERY: u32 = 512;

/// How much of a directory is read at a time.
const BUFFER_BYTES: usize = 32 << 10;

/// Levels that are gone down into; what lies deeper is not counted.
const DEEPEST: usize = 100;

/// Counts what there is, and shows how far the copy has come.
struct Watch<'a, 'ui> {
    shared: &'a Shared<'ui>,
    begun_ms: u64,
    next_ms: u64,
    step_ms: u64,
    looks: u32,
    counted: bool,
    /// Directories that are still to be counted, those of the innermost level last.
    names: Vec<u8>,
}

/// Does so until the copy ends.
pub(super) fn watch(shared: &Shared<'_>) {
    let Ok(mut buffer) = Buffer::new(BUFFER_BYTES) else {
        return;
    };
    let begun_ms = sys::monotonic_ms();
    let step_ms = if sys::is_terminal(sys::STDERR) {
        STEP_MS
    } else {
        STEP_ELSEWHERE_MS
    };
    let mut watch = Watch {
        shared,
        begun_ms,
        next_ms: begun_ms + step_ms,
        step_ms,
        looks: 0,
        counted: false,
        names: Vec::new(),
    };
    for source in shared.sources {
        watch.count_operand(source, &mut buffer);
    }
    watch.counted = true;
    while !shared.wait_for_end(step_ms) {
        watch.look();
    }
    watch.show(true);
    core::mem::forget((watch, buffer));
}

impl Watch<'_, '_> {
    /// Shows where the copy stands if it is time to. Returns whether the copy has ended.
    fn look(&mut self) -> bool {
        let now = sys::monotonic_ms();
        if now >= self.next_ms {
            self.next_ms = now + self.step_ms;
            self.show(false);
        }
        self.shared.wait_for_end(0)
    }

    fn show(&mut self, ended: bool) {
        let shared = self.shared;
        let (files, bytes) = shared.done.now();
        let (found, found_bytes) = shared.found.now();
        shared.ui().progress(&Snapshot {
            files: [files, found.max(files)],
            bytes: [bytes, found_bytes.max(bytes)],
            counted: self.counted,
            elapsed_ms: sys::monotonic_ms() - self.begun_ms,
            ended,
        });
    }

    /// Counts an operand with all it holds.
    fn count_operand(&mut self, path: &CStr, buffer: &mut [u8]) {
        let options = &self.shared.options;
        let mut flags = AtFlags::empty();
        if options.follow == Follow::Never {
            flags = AtFlags::SYMLINK_NOFOLLOW;
        }
        if self.count(CWD, path, flags) == FileType::Directory && options.recursive {
            if let Ok(dir) = plain::open(CWD, path, OFlags::DIRECTORY, NO_MODE) {
                self.count_tree(dir, buffer);
            }
        }
    }

    /// Counts one name, and tells its type.
    fn count(&self, dir: BorrowedFd<'_>, name: &CStr, flags: AtFlags) -> FileType {
        let mut stat = Stat::default();
        if sys::stat_at(dir, name, flags, &mut stat).is_ok() {
            let bytes = match stat.kind {
                FileType::Directory => return stat.kind,
                FileType::Regular => stat.size_bytes,
                _ => 0,
            };
            self.shared.found.add(1, bytes);
        }
        stat.kind
    }

    fn count_tree(&mut self, dir: OwnedFd, buffer: &mut [u8]) {
        // Symlinks are gone through as far as they lead to files.
        let mut flags = AtFlags::SYMLINK_NOFOLLOW;
        if self.shared.options.follow == Follow::Always {
            flags = AtFlags::empty();
        }
        // Open directories, and where the names of their own directories begin.
        let mut levels = Vec::new();
        levels.push((dir, self.names.len()));
        self.read(&levels, flags, buffer);
        while let Some((dir, names_at)) = levels.last() {
            if self.names.len() == *names_at {
                drop(levels.pop());
                continue;
            }
            // The last name, in front of the NUL that the one before it ends with.
            let end = self.names.len() - 1;
            let mut start = end;
            while start > *names_at && self.names.get(start - 1).is_some_and(|&b| b != 0) {
                start -= 1;
            }
            let name = until_nul(self.names.get(start..).unwrap_or_default());
            let below = plain::open(
                dir.as_fd(),
                name,
                OFlags::DIRECTORY | OFlags::NOFOLLOW,
                NO_MODE,
            );
            self.names.truncate(start);
            if let Ok(below) = below
                && levels.len() < DEEPEST
            {
                levels.push((below, self.names.len()));
                self.read(&levels, flags, buffer);
            }
        }
    }

    /// Counts the innermost directory's entries, and notes its directories.
    fn read(&mut self, levels: &[(OwnedFd, usize)], flags: AtFlags, buffer: &mut [u8]) {
        let Some((dir, _)) = levels.last() else {
            return;
        };
        let mut is_end = false;
        while !is_end && let Ok(entries) = sys::getdents64(dir.as_fd(), buffer) {
            is_end = true;
            for entry in entries {
                is_end = false;
                let name = entry.name.to_bytes_with_nul();
                if matches!(name, b".\0" | b"..\0") {
                    continue;
                }
                let mut kind = entry.kind;
                if kind != FileType::Directory {
                    kind = self.count(dir.as_fd(), entry.name, flags);
                }
                if kind == FileType::Directory {
                    self.names.extend_from_slice(name);
                }
                self.looks += 1;
                if self.looks.is_multiple_of(LOOK_EVERY) {
                    is_end |= self.look();
                }
            }
        }
    }
}
