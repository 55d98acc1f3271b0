//! Files that are kept when another takes their name (`--backup`).

use alloc::vec::Vec;
use core::ffi::CStr;

use crate::copy::entry::Entry;
use crate::copy::options::{Backup, Options};
use crate::copy::path::{Place, last_part, open_parent, trim_slashes};
use crate::copy::worker::Worker;
use crate::data::plain::{self, NO_MODE};
use crate::report::{During, Message, Result};
use crate::sys::{self, BorrowedFd, Buffer, CWD, Errno, FileType, OFlags, decimal, until_nul};

/// How much of a directory is read at a time.
const DIRENT_BYTES: usize = 32 << 10;

/// The longest name that Linux has.
const NAME_MAX: usize = 255;

/// How a file is kept.
#[derive(Debug, Clone, Copy)]
struct Name {
    /// Under its name with a suffix: what was kept so before may be overwritten.
    is_simple: bool,
    /// Its name was not cut.
    is_whole: bool,
}

/// Renames what is in the destination's place, and says whether there was anything.
/// [`Worker::backup_path`] is then its path.
///
/// # Errors
/// Those of `renameat2`.
pub fn back_up(worker: &mut Worker<'_>, entry: &Entry<'_>) -> Result<bool> {
    let Place { dir, name } = entry.dst;
    let options = worker.options();
    // Somebody else may take a number meanwhile, and one may be too long to be seen.
    let mut more = 1;
    loop {
        // What cannot be read is not there: a number that is taken is noticed in time.
        let buffer = worker.mover.buffer().unwrap_or_default();
        let path = &mut worker.backup_path;
        let named = set_path(path, buffer, options, &entry.dst, entry.dst_shown(), more);
        let backup = name_of(&worker.backup_path, entry);
        let mut renamed = sys::renameat2(dir, name, dir, backup, !named.is_simple);
        if renamed == Err(Errno::EINVAL) {
            // A file system that cannot promise to overwrite nothing: it has just been seen
            // that the number is free.
            renamed = sys::renameat2(dir, name, dir, backup, false);
        }
        match renamed {
            Err(Errno::EEXIST) if !named.is_simple && named.is_whole => more += 1,
            Err(Errno::ENOENT) => return Ok(false),
            _ => return renamed.map(|()| true).during(Message::BackUp),
        }
    }
}

/// Gives what was kept its name back, because the copy that took its place has failed.
pub fn put_back(worker: &Worker<'_>, entry: &Entry<'_>) {
    let dir = entry.dst.dir;
    let backup = name_of(&worker.backup_path, entry);
    let renamed = sys::renameat2(dir, backup, dir, entry.dst.name, false);
    let names = [entry.src_shown(), entry.dst_shown(), shown(worker)];
    match renamed {
        Err(errno) => {
            worker.shared.tell(Message::PutBack, &names, Some(errno));
        }
        Ok(()) => worker.say_verbosely(Message::PutBackKept, &names),
    }
}

/// The path of what was kept last, as messages show it.
pub fn shown<'w>(worker: &'w Worker<'_>) -> &'w [u8] {
    until_nul(&worker.backup_path).to_bytes()
}

/// The name of what is kept under `path`, relative to the directory that the destination's is.
fn name_of<'p>(path: &'p [u8], entry: &Entry<'_>) -> &'p CStr {
    // The destination's path and this one differ behind that of the directory.
    let skipped = entry.dst_shown().len() - entry.dst.name.to_bytes().len();
    until_nul(path.get(skipped..).unwrap_or_default())
}

/// The path, with its NUL, under which a regular file would be kept; `None` where there is none.
#[must_use]
pub fn path_for(options: &Options, path: &CStr) -> Option<Vec<u8>> {
    let place = Place {
        dir: CWD,
        name: path,
    };
    if !place
        .stat(true)
        .is_ok_and(|stat| stat.kind == FileType::Regular)
    {
        return None;
    }
    let mut backup = Vec::new();
    let mut buffer = Buffer::new(DIRENT_BYTES).ok()?;
    set_path(
        &mut backup,
        &mut buffer,
        options,
        &place,
        path.to_bytes(),
        1,
    );
    Some(backup)
}

/// Sets `path` to the one under which the file `shown` is to be kept, which is at `place`; a number
/// is `more` than the highest.
fn set_path(
    path: &mut Vec<u8>,
    buffer: &mut [u8],
    options: &Options,
    place: &Place<'_>,
    shown: &[u8],
    more: u64,
) -> Name {
    let shown = trim_slashes(shown);
    let base_len = last_part(shown).len();
    let mut number = 0;
    if options.backup != Backup::Simple {
        number = highest_number(buffer, place.dir, trim_slashes(place.name.to_bytes()));
    }
    let is_simple = match options.backup {
        Backup::Existing => number == 0,
        backup => backup == Backup::Simple,
    };
    path.clear();
    path.extend_from_slice(shown);
    if is_simple {
        path.extend_from_slice(options.suffix);
    } else {
        path.extend_from_slice(b".~");
        path.extend_from_slice(decimal(number + more, &mut [0; 20]));
        path.push(b'~');
    }
    let is_too_long =
        path.len() - shown.len() + base_len >= NAME_MAX && options.backup != Backup::Simple;
    if is_too_long {
        let kept = base_len.min(NAME_MAX - 2);
        path.truncate(shown.len() - base_len + kept);
        path.push(b'~');
    }
    path.push(0);
    Name {
        is_simple,
        is_whole: !is_too_long,
    }
}

/// The highest number among the kept files of that name; 0 if there are none.
fn highest_number(buffer: &mut [u8], dir: BorrowedFd<'_>, name: &[u8]) -> u64 {
    let base = last_part(name);
    let read = |dir: BorrowedFd<'_>| plain::open(dir, c".", OFlags::DIRECTORY, NO_MODE);
    let opened = if base.len() == name.len() {
        read(dir)
    } else {
        open_parent(dir, name).and_then(|parent| read(parent.as_fd()))
    };
    let Ok(parent) = opened else {
        return 0;
    };
    let buffer = buffer.get_mut(..DIRENT_BYTES).unwrap_or_default();
    let mut highest = 0;
    while let Ok(entries) = sys::getdents64(parent.as_fd(), buffer) {
        let mut is_end = true;
        for entry in entries {
            is_end = false;
            highest = highest.max(number_of(entry.name.to_bytes(), base));
        }
        if is_end {
            break;
        }
    }
    highest
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
