//! The path of what is being copied: grown and cut as the walk goes down and up.

use core::ffi::CStr;

use super::plain::{self, NO_MODE};
use crate::sys::{BorrowedFd, OFlags, OwnedFd, Result, Vec, until_nul};

/// A path as messages show it, whose last part is at the same time the name that system calls
/// get, relative to a directory's descriptor.
#[derive(Debug, Default)]
pub struct Path {
    /// The path with its final NUL.
    bytes: Vec<u8>,
    /// Where the name begins that calls get.
    name_at: usize,
}

/// What [`Path::pop`] needs to undo a [`Path::push`].
#[derive(Debug, Clone, Copy)]
pub struct Cut {
    len: usize,
    name_at: usize,
}

impl Path {
    /// Makes this the path of `name` in a directory that messages show as `dir`; with `dir`
    /// empty, calls get all of it. Returns where the name begins.
    pub fn start(&mut self, dir: &[u8], name: &CStr) -> usize {
        self.bytes.clear();
        self.name_at = 0;
        if dir.is_empty() {
            self.bytes.extend_from_slice(name.to_bytes_with_nul());
        } else {
            self.bytes.extend_from_slice(dir);
            self.bytes.push(0);
            self.push(name.to_bytes());
        }
        self.name_at
    }

    /// The whole path, as messages show it.
    #[inline(never)]
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

    /// Where the path stands, for [`Self::pop`].
    #[must_use]
    pub const fn here(&self) -> Cut {
        Cut {
            len: self.bytes.len(),
            name_at: self.name_at,
        }
    }

    /// Goes down to `name` in this path's directory.
    pub fn push(&mut self, name: &[u8]) -> Cut {
        let cut = self.here();
        self.bytes.pop();
        if self.bytes.last().is_some_and(|&b| b != b'/') {
            self.bytes.push(b'/');
        }
        self.name_at = self.bytes.len();
        self.bytes.extend_from_slice(name);
        self.bytes.push(0);
        cut
    }

    /// Goes back to where the path stood before the push that returned `cut`.
    pub fn pop(&mut self, cut: Cut) {
        self.bytes.truncate(cut.len);
        if let Some(last) = self.bytes.last_mut() {
            *last = 0;
        }
        self.name_at = cut.name_at;
    }

    /// The path where it stood at `cut`, as messages show it.
    #[must_use]
    pub fn shown_at(&self, cut: Cut) -> &[u8] {
        self.bytes
            .get(..cut.len.saturating_sub(1))
            .unwrap_or_default()
    }

    /// This path as seen from `dir`.
    #[must_use]
    pub const fn place<'a>(&'a self, dir: BorrowedFd<'a>) -> Place<'a> {
        Place { dir, path: self }
    }
}

/// The name that an operand has in the directory it is copied to: its last part, but for
/// `..`, whose contents go into the directory itself.
#[must_use]
pub fn basename(path: &[u8]) -> &[u8] {
    match split_name(path).1 {
        b"" | b".." | b"/" => b".",
        name => name,
    }
}

/// What stands before the last part of a path, with its slash, and the last part.
pub(super) fn split_name(path: &[u8]) -> (&[u8], &[u8]) {
    let path = trim_slashes(path);
    let at = path
        .iter()
        .rposition(|&b| b == b'/')
        .map_or(0, |slash| slash + 1);
    path.split_at_checked(at).unwrap_or_default()
}

/// A path without the slashes at its end, but for a path of nothing else.
pub(super) fn trim_slashes(mut path: &[u8]) -> &[u8] {
    while let [rest @ .., b'/'] = path
        && !rest.is_empty()
    {
        path = rest;
    }
    path
}

/// Opens what `path` names relative to `base`, part by part: it may be longer than one call
/// takes.
///
/// # Errors
/// As [`plain::open`] for any part.
pub(super) fn open_parts(base: BorrowedFd<'_>, path: &[u8], flags: OFlags) -> Result<OwnedFd> {
    let start = if path.starts_with(b"/") { c"/" } else { c"." };
    let mut fd = plain::open(base, start, OFlags::PATH, NO_MODE)?;
    let mut name = Vec::new();
    for part in path.split(|&b| b == b'/') {
        name.clear();
        name.extend_from_slice(part);
        fd = plain::open(fd.as_fd(), c_str(&mut name), flags | OFlags::PATH, NO_MODE)?;
    }
    Ok(fd)
}

/// `bytes` as a C string, up to a NUL that is added if there is none at the end; nothing as
/// `.`, which names the same directory.
pub(super) fn c_str(bytes: &mut Vec<u8>) -> &CStr {
    if bytes.is_empty() {
        bytes.push(b'.');
    }
    if bytes.last() != Some(&0) {
        bytes.push(0);
    }
    until_nul(bytes)
}

/// A name in a directory, with the path that messages show for it.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The directory that the name is relative to.
    pub dir: BorrowedFd<'a>,
    path: &'a Path,
}

impl<'a> Place<'a> {
    /// The name that calls get.
    #[inline(never)]
    #[must_use]
    pub fn name(&self) -> &'a CStr {
        self.path.name()
    }

    /// The whole path, as messages show it.
    #[must_use]
    pub fn shown(&self) -> &'a [u8] {
        self.path.shown()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn going_down_and_up() {
        let mut path = Path::default();
        path.start(b"", c"a/b/");
        assert_eq!((path.shown(), path.name()), (&b"a/b/"[..], c"a/b/"));

        let outer = path.push(b"c");
        assert_eq!((path.shown(), path.name()), (&b"a/b/c"[..], c"c"));
        let inner = path.push(b"d\n");
        assert_eq!((path.shown(), path.name()), (&b"a/b/c/d\n"[..], c"d\n"));
        assert_eq!(path.shown_at(outer), b"a/b/");
        path.pop(inner);
        assert_eq!((path.shown(), path.name()), (&b"a/b/c"[..], c"c"));
        path.pop(outer);
        assert_eq!((path.shown(), path.name()), (&b"a/b/"[..], c"a/b/"));
        path.start(b"/t", c"x");
        assert_eq!((path.shown(), path.name()), (&b"/t/x"[..], c"x"));
    }
}
