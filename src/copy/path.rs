//! The path of what is being copied: grown and cut as the walk goes down and up.

use alloc::vec::Vec;
use core::ffi::CStr;

use crate::data::plain::{self, NO_MODE};
use crate::sys::{self, AtFlags, BorrowedFd, CWD, Errno, OFlags, OwnedFd, Result, Stat, until_nul};

/// A path as messages show it, whose last part is at the same time the name that system calls
/// get, relative to a directory's descriptor.
#[derive(Debug, Default)]
pub struct Path {
    /// The path with its final NUL.
    bytes: Vec<u8>,
    /// Where the name begins that calls get.
    name_at: usize,
}

/// Where a path ends, for [`Path::push`] and [`Path::cut`].
#[derive(Debug, Clone, Copy)]
pub struct End {
    /// The length as messages show it.
    pub len: usize,
    name_at: usize,
}

/// The longest name that Linux has, and its NUL.
const NAME_BYTES: usize = 256;

impl Path {
    /// Makes this the path of `name` in a directory that messages show as `dir`; with `dir`
    /// empty, calls get all of it.
    pub fn start(&mut self, dir: &[u8], name: &[u8]) {
        self.bytes.clear();
        self.bytes.extend_from_slice(dir);
        let dir = End {
            len: dir.len(),
            name_at: 0,
        };
        self.push(dir, name);
    }

    /// As [`Self::start`], for a path in that directory, of which calls get the last part. An
    /// absolute one, too, goes below the directory.
    pub fn start_below(&mut self, dir: &[u8], mut path: &[u8]) {
        while let [b'/', rest @ ..] = path {
            path = rest;
        }
        self.start(dir, path);
        self.name_at = self.bytes.len() - 1 - last_part(path).len();
    }

    /// Makes this the same path as `other`.
    pub fn copy_from(&mut self, other: &Self) {
        self.bytes.clear();
        self.bytes.extend_from_slice(&other.bytes);
        self.name_at = other.name_at;
    }

    /// The whole path, as messages show it.
    #[must_use]
    pub fn shown(&self) -> &[u8] {
        self.bytes.split_last().map_or(&[], |(_, shown)| shown)
    }

    /// What calls get, relative to the directory that holds it.
    #[must_use]
    pub fn name(&self) -> &CStr {
        let name = self.bytes.get(self.name_at..).unwrap_or_default();
        until_nul(name)
    }

    /// Where the path ends, for [`Self::push`] and [`Self::cut`]; of slashes at an operand's
    /// end one counts, as GNU shows it.
    #[must_use]
    pub fn end(&self) -> End {
        let mut shown = self.shown();
        while shown.ends_with(b"//") {
            shown = shown.split_last().map_or(b"", |(_, rest)| rest);
        }
        End {
            len: shown.len(),
            name_at: self.name_at,
        }
    }

    /// Goes to `name` in the directory whose path ended at `dir`.
    pub fn push(&mut self, dir: End, name: &[u8]) {
        self.bytes.truncate(dir.len);
        if self.bytes.last().is_some_and(|&b| b != b'/') {
            self.bytes.push(b'/');
        }
        self.name_at = self.bytes.len();
        self.bytes.extend_from_slice(name);
        self.bytes.push(0);
    }

    /// Goes back to where the path ended.
    pub fn cut(&mut self, end: End) {
        self.bytes.truncate(end.len);
        self.bytes.push(0);
        self.name_at = end.name_at;
    }

    /// This path as seen from `dir`.
    #[must_use]
    pub fn place<'a>(&'a self, dir: BorrowedFd<'a>) -> Place<'a> {
        Place {
            dir,
            name: self.name(),
        }
    }
}

/// The name that an operand has in the directory it is copied to: its last part, but for
/// `..`, whose contents go into the directory itself.
#[must_use]
pub fn basename(path: &[u8]) -> &[u8] {
    match last_part(trim_slashes(path)) {
        b"" | b".." => b".",
        name => name,
    }
}

/// What stands behind a path's last slash.
pub fn last_part(mut path: &[u8]) -> &[u8] {
    let mut rest = path;
    while let [byte, after @ ..] = rest {
        rest = after;
        if *byte == b'/' {
            path = rest;
        }
    }
    path
}

/// A path without the slashes at its end, but for a path of nothing else.
#[must_use]
pub fn trim_slashes(mut path: &[u8]) -> &[u8] {
    while let [rest @ .., b'/'] = path
        && !rest.is_empty()
    {
        path = rest;
    }
    path
}

/// Opens the directory that holds what `path` names relative to `base`, part by part: the path
/// may be longer than one call takes.
///
/// # Errors
/// As [`plain::open`] for any part.
pub fn open_parent(base: BorrowedFd<'_>, path: &[u8]) -> Result<OwnedFd> {
    let start = if path.starts_with(b"/") { c"/" } else { c"." };
    let mut fd = plain::open(base, start, OFlags::PATH, NO_MODE)?;
    let mut name = [0; NAME_BYTES];
    let mut len = 0;
    for &byte in path {
        let Some(slot) = name.get_mut(len) else {
            return Err(Errno::ENAMETOOLONG);
        };
        *slot = byte;
        len += 1;
        if byte == b'/' {
            *slot = 0;
            if len > 1 {
                let flags = OFlags::DIRECTORY | OFlags::PATH;
                fd = plain::open(fd.as_fd(), until_nul(&name), flags, NO_MODE)?;
            }
            len = 0;
        }
    }
    Ok(fd)
}

/// Whether two paths are the same entry of the same directory.
#[must_use]
pub fn same_entry(a: &[u8], b: &[u8]) -> bool {
    last_part(trim_slashes(a)) == last_part(trim_slashes(b))
        && match (stat_parent(a), stat_parent(b)) {
            (Ok(of_a), Ok(of_b)) => of_a.id == of_b.id,
            _ => false,
        }
}

/// The directory that holds what `path` names.
///
/// # Errors
/// As [`open_parent`].
pub fn stat_parent(path: &[u8]) -> Result<Stat> {
    sys::stat_fd(open_parent(CWD, trim_slashes(path))?.as_fd())
}

/// A name in a directory.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The directory that the name is relative to.
    pub dir: BorrowedFd<'a>,
    /// The name, as calls get it.
    pub name: &'a CStr,
}

impl Place<'_> {
    /// What has this name, a symlink as itself unless it is to `follow`.
    ///
    /// # Errors
    /// As [`sys::stat_at`].
    pub fn stat(&self, follow: bool) -> Result<Stat> {
        let flags = if follow {
            AtFlags::empty()
        } else {
            AtFlags::SYMLINK_NOFOLLOW
        };
        sys::stat_at(self.dir, self.name, flags)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn going_down_and_up() {
        let mut path = Path::default();
        path.start(b"", b"a/b/");
        assert_eq!((path.shown(), path.name()), (&b"a/b/"[..], c"a/b/"));

        let operand = path.end();
        path.push(operand, b"c");
        assert_eq!((path.shown(), path.name()), (&b"a/b/c"[..], c"c"));
        let outer = path.end();
        path.push(outer, b"d\n");
        assert_eq!((path.shown(), path.name()), (&b"a/b/c/d\n"[..], c"d\n"));
        path.push(outer, b"e");
        assert_eq!((path.shown(), path.name()), (&b"a/b/c/e"[..], c"e"));
        path.cut(outer);
        assert_eq!((path.shown(), path.name()), (&b"a/b/c"[..], c"c"));
        path.cut(operand);
        assert_eq!((path.shown(), path.name()), (&b"a/b/"[..], c"a/b/"));
        path.start(b"/t", b"x");
        assert_eq!((path.shown(), path.name()), (&b"/t/x"[..], c"x"));
    }
}
