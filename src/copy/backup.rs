//! Files that are kept when another takes their name (`--backup`).

use core::ffi::CStr;
use core::mem::{forget, take};

use super::engine::{Engine, Job};
use super::options::{Backup, Flags};
use super::path::{basename, last_part, open_parent, trim_slashes};
use super::walk::{DIRENT_BYTES, Walk};
use crate::data::plain::{self, NO_MODE};
use crate::report::{During, Message, Result};
use crate::sys::{
    self, AtFlags, BorrowedFd, CWD, Errno, FileType, OFlags, Stat, decimal, until_nul,
};

/// The longest name that Linux has.
const NAME_MAX: usize = 255;

impl Engine<'_> {
    /// Renames what is in the destination's place, if it is one of those that are kept.
    /// [`Self::backup`] is then its path.
    pub(super) fn back_up(&mut self, job: &mut Job<'_>) -> Result<()> {
        if self.options.backup != Backup::Numbered && self.is_backup(job) {
            return Message::BackUpSource.into();
        }
        let (dir, name) = (job.dst.dir, job.dst.name);
        // Somebody else may take a number meanwhile, and one may be too long to be seen.
        for more in 1.. {
            let whole = self.name_backup(dir, name.to_bytes(), job.dst_shown(), more);
            let backup = self.backup_name(job);
            let mut renamed = sys::renameat2(dir, name, dir, backup, !self.simple);
            if renamed == Err(Errno::EINVAL) {
                // A file system that cannot promise to overwrite nothing: it has just been seen
                // that the number is free.
                renamed = sys::renameat2(dir, name, dir, backup, false);
            }
            if renamed != Err(Errno::EEXIST) || self.simple || !whole {
                match renamed {
                    Err(Errno::ENOENT) => {}
                    _ => renamed.during(Message::BackUp)?,
                }
                job.backed_up = renamed.is_ok();
                job.exists = false;
                break;
            }
        }
        Ok(())
    }

    /// Gives what was kept its name back, because the copy that took its place has failed.
    pub(super) fn put_back(&self, job: &Job<'_>) {
        let dir = job.dst.dir;
        let renamed = sys::renameat2(dir, self.backup_name(job), dir, job.dst.name, false);
        let names = [job.src_shown(), job.dst_shown(), self.backup_shown()];
        let mut ui = self.shared.reporter();
        match renamed {
            Err(errno) => ui.error(Message::PutBack, &names, Some(errno)),
            Ok(()) if self.options.has(Flags::VERBOSE) => {
                ui.say(Message::PutBackKept, &names, None);
            }
            Ok(()) => {}
        }
    }

    /// The path of what was kept last, as messages show it.
    pub(super) fn backup_shown(&self) -> &[u8] {
        until_nul(&self.backup).to_bytes()
    }

    /// The name of what was kept last, relative to the directory that the destination's is.
    fn backup_name(&self, job: &Job<'_>) -> &CStr {
        // The destination's path and this one differ behind that of the directory.
        let skipped = job.dst_shown().len() - job.dst.name.to_bytes().len();
        until_nul(self.backup.get(skipped..).unwrap_or_default())
    }

    /// Copies a regular file that is source and destination to where it would be kept, if it is
    /// one.
    pub fn copy_to_backup(&mut self, walk: &mut Walk, path: &CStr) -> bool {
        let mut stat = Stat::default();
        if sys::stat_at(CWD, path, AtFlags::empty(), &mut stat).is_err()
            || stat.kind != FileType::Regular
        {
            return false;
        }
        self.name_backup(CWD, path.to_bytes(), path.to_bytes(), 1);
        let backup = take(&mut self.backup);
        self.options.backup = Backup::None;
        self.copy_operand(walk, path, until_nul(&backup), false);
        // The program ends after it: no code for giving things back.
        forget(backup);
        true
    }

    /// Whether the source is where the destination would be kept.
    fn is_backup(&mut self, job: &Job<'_>) -> bool {
        let name = trim_slashes(job.dst.name.to_bytes());
        let path = sys::c_string(&mut self.backup, name, self.options.suffix);
        if last_part(path.to_bytes()) != basename(job.src_shown()) {
            return false;
        }
        let mut found = Stat::default();
        sys::stat_at(job.dst.dir, path, AtFlags::empty(), &mut found).is_ok()
            && found.id == job.stat.id
    }

    /// Sets [`Self::backup`] to the path under which the file `shown` is to be kept, whose `name`
    /// is relative to `dir`; a number is `more` than the highest. Returns false where its name had
    /// to be cut.
    fn name_backup(&mut self, dir: BorrowedFd<'_>, name: &[u8], shown: &[u8], more: u64) -> bool {
        let shown = trim_slashes(shown);
        let base_len = last_part(shown).len();
        self.simple = self.options.backup == Backup::Simple;
        let mut number = 0;
        if !self.simple {
            number = self.highest_number(dir, trim_slashes(name));
            self.simple = number == 0 && self.options.backup == Backup::Existing;
        }
        self.backup.clear();
        self.backup.extend_from_slice(shown);
        if self.simple {
            self.backup.extend_from_slice(self.options.suffix);
        } else {
            self.backup.extend_from_slice(b".~");
            let digits = &mut [0; 20];
            self.backup
                .extend_from_slice(decimal(number + more, digits));
            self.backup.push(b'~');
        }
        let too_long = self.backup.len() - shown.len() + base_len >= NAME_MAX
            && self.options.backup != Backup::Simple;
        if too_long {
            let kept = base_len.min(NAME_MAX - 2);
            self.backup.truncate(shown.len() - base_len + kept);
            self.backup.push(b'~');
        }
        self.backup.push(0);
        !too_long
    }

    /// The highest number among the kept files of that name; 0 if there are none.
    fn highest_number(&mut self, dir: BorrowedFd<'_>, name: &[u8]) -> u64 {
        let mut highest = 0;
        let base = last_part(name);
        let read = |dir: BorrowedFd<'_>| plain::open(dir, c".", OFlags::DIRECTORY, NO_MODE);
        let opened = if base.len() == name.len() {
            read(dir)
        } else {
            open_parent(dir, name).and_then(|parent| read(parent.as_fd()))
        };
        let (Ok(parent), Ok(buffer)) = (opened, self.data.buffer()) else {
            return 0;
        };
        let buffer = buffer.get_mut(..DIRENT_BYTES).unwrap_or_default();
        loop {
            let before = highest;
            let mut any = false;
            // What cannot be read is not there: a number that is taken is noticed in time.
            if let Ok(entries) = sys::getdents64(parent.as_fd(), buffer) {
                for entry in entries {
                    any = true;
                    highest = highest.max(number_of(entry.name.to_bytes(), base));
                }
            }
            if !any {
                return before;
            }
        }
    }

    /// Whether a destination of type `kind` is one of those that are kept.
    pub(super) fn keeps_old(&self, job: &Job<'_>) -> bool {
        self.options.backup != Backup::None
            && job.before.kind != FileType::Directory
            && !matches!(last_part(trim_slashes(job.src_shown())), b"." | b"..")
    }
}

/// The number in `name` if it is that of a kept `base`, else 0.
fn number_of(name: &[u8], base: &[u8]) -> u64 {
    let (start, rest) = name.split_at_checked(base.len()).unwrap_or_default();
    let [b'.', b'~', number @ .., b'~'] = rest else {
        return 0;
    };
    if start != base {
        return 0;
    }
    let mut value = 0_u64;
    for byte in number {
        let digit = byte.wrapping_sub(b'0');
        // Numbers do not begin with 0; longer ones than this are nobody's.
        if digit > 9 || (value == 0 && digit == 0) || value > u64::MAX / 100 {
            return 0;
        }
        value = value * 10 + u64::from(digit);
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_kept_files() {
        for (name, number) in [
            (&b"a.~1~"[..], 1),
            (b"a.~120~", 120),
            (b"a.~20240101120000~", 20_240_101_120_000),
            (b"a.~1844674407370955169~", 1_844_674_407_370_955_169),
            (b"a.~18446744073709551690~", 0),
            (b"a.~012~", 0),
            (b"a.~~", 0),
            (b"a.~1", 0),
            (b"a~", 0),
            (b"b.~1~", 0),
            (b"a.~1x~", 0),
        ] {
            assert_eq!(number_of(name, b"a"), number, "{name:?}");
        }
    }
}
