//! A directory whose contents are being copied or counted.
//!
//! Only the innermost levels of a walk keep their descriptors; an outer one is opened again
//! through `..` when the walk comes back, and checked to be the directory that it was. So neither
//! path length nor the number of descriptors limits the depth.

use core::ffi::CStr;

use crate::copy::path::{End, open_parent};
use crate::data::plain::{self, NO_MODE};
use crate::sys::{
    self, BorrowedFd, CWD, Errno, FileId, Mode, OFlags, OwnedFd, Result, Stat, Whence,
};

/// No node ([`super::pool`]).
pub const NO_NODE: usize = usize::MAX;

/// Which sides of a directory the walk goes down into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sides {
    /// Source and destination.
    Both,
    /// The source: what it holds is counted, and not copied.
    Source,
    /// The destination: it leads to an operand, which is all that is copied of it.
    Destination,
}

/// A directory that was gone down into: what making the copy of it, or opening it, gives.
#[derive(Debug)]
#[allow(clippy::struct_excessive_bools)] // it has many properties
pub struct Directory {
    pub sides: Sides,
    /// The source, open for reading; `None` while it is closed to save descriptors, and where
    /// it could not be opened.
    pub src: Option<OwnedFd>,
    /// The destination, open for passing through; `None` while it is closed.
    pub dst: Option<OwnedFd>,
    /// The destination is open for reading: so it can be finished by its descriptor.
    pub is_readable: bool,
    /// The source's metadata.
    pub src_stat: Stat,
    /// The destination's, from when it was entered; of [`Sides::Source`] nobody asks for it.
    pub dst_stat: Stat,
    /// Whether the destination was there before.
    pub existed: bool,
    /// The destination's mode where modes are not kept, if it is to change.
    pub later_mode: Option<Mode>,
    /// It is not to be given any metadata.
    pub is_untouched: bool,
    /// What it holds is not copied.
    pub is_shallow: bool,
}

impl Directory {
    /// A directory that is counted.
    pub fn counted(src: OwnedFd, src_stat: Stat) -> Self {
        Self {
            sides: Sides::Source,
            src: Some(src),
            dst: None,
            is_readable: false,
            src_stat,
            dst_stat: Stat::default(),
            existed: true,
            later_mode: None,
            is_untouched: true,
            is_shallow: false,
        }
    }

    /// Whether it leads to an operand.
    pub fn is_parent(&self) -> bool {
        self.sides == Sides::Destination
    }

    /// Whether names in it can be reached: not where it was to be opened again in vain.
    pub const fn is_open(&self) -> bool {
        match self.sides {
            Sides::Both => self.src.is_some() && self.dst.is_some(),
            Sides::Source => self.src.is_some(),
            Sides::Destination => self.dst.is_some(),
        }
    }

    /// Whether it was closed to save descriptors. A source that could not be opened is not.
    const fn is_closed(&self) -> bool {
        match self.sides {
            Sides::Source => self.src.is_none(),
            _ => self.dst.is_none(),
        }
    }

    /// One of its descriptors.
    pub fn any_fd(&self) -> Option<BorrowedFd<'_>> {
        self.dst.as_ref().or(self.src.as_ref()).map(OwnedFd::as_fd)
    }

    /// Saves two descriptors for a while.
    pub fn close(&mut self) {
        self.src = None;
        self.dst = None;
        self.is_readable = false;
    }

    /// Opens the destination for all that finishing it takes, if it may be read: in place of what
    /// was open of it, so that it takes no descriptor more.
    pub fn open_to_finish(&mut self) {
        if !self.is_untouched
            && let Some(dst) = &self.dst
            && let Ok(open) = plain::open(dst.as_fd(), c".", OFlags::DIRECTORY, NO_MODE)
        {
            self.dst = Some(open);
            self.is_readable = true;
        }
    }
}

/// One level of a walk: a directory, and how far the walk has come in it.
#[derive(Debug)]
pub struct Level {
    pub dir: Directory,
    /// The directory's own paths.
    pub src_end: End,
    pub dst_end: End,
    /// Where this level's items and names begin on the task's stacks.
    pub items_at: usize,
    pub names_at: usize,
    /// The first of its items on the stack that was read ahead.
    pub ahead: usize,
    /// Where the directory is to be read on from.
    pub position: u64,
    /// It has no more names than those on the stack.
    pub is_exhausted: bool,
    /// It is a part of a directory that others finish.
    pub is_part: bool,
    /// Its node, if something below it was handed over.
    pub node: usize,
}

impl Level {
    /// A part of this directory, for items of it; `None` where descriptors are short.
    pub fn part(&self) -> Option<Self> {
        let (Some(src), Some(dst)) = (&self.dir.src, &self.dir.dst) else {
            return None;
        };
        Some(Self {
            dir: Directory {
                src: Some(sys::duplicate_from(src.as_fd(), 3).ok()?),
                dst: Some(sys::duplicate_from(dst.as_fd(), 3).ok()?),
                ..self.dir
            },
            is_part: true,
            node: NO_NODE,
            ahead: usize::MAX,
            is_exhausted: true,
            ..*self
        })
    }

    /// Opens the directory again, if it was closed, from the one `below` it, which is just finished
    /// and whose paths are given: the destination's relative to `root`.
    ///
    /// # Errors
    /// As [`plain::open`]; `ESTALE` where it is another directory now.
    pub fn reopen(
        &mut self,
        below: &Directory,
        src: &[u8],
        (root, dst): (BorrowedFd<'_>, &[u8]),
    ) -> Result<()> {
        if !self.dir.is_closed() {
            return Ok(());
        }
        let mut opened = Ok(());
        if self.dir.sides != Sides::Destination {
            // First, as it is this one that may take more descriptors: where a source's directory
            // may not be passed through.
            opened = self.reopen_source(below.src.as_ref(), src);
        }
        if self.dir.sides != Sides::Source {
            let id = &self.dir.dst_stat.id;
            let dst = reopen(below.dst.as_ref(), root, dst, OFlags::PATH, id)?;
            self.dir.dst = Some(dst);
        }
        opened
    }

    /// As [`Self::reopen`], of the source alone.
    fn reopen_source(&mut self, below: Option<&OwnedFd>, path: &[u8]) -> Result<()> {
        let src = reopen(below, CWD, path, OFlags::empty(), &self.dir.src_stat.id)?;
        sys::lseek(src.as_fd(), self.position, Whence::Set)?;
        self.dir.src = Some(src);
        Ok(())
    }
}

/// Opens directory `id` again: as the parent of `below`, or by the `path` of a name in it from
/// `base`. Only the very directory that it was will do, so that it does not matter which way
/// it was found.
fn reopen(
    below: Option<&OwnedFd>,
    base: BorrowedFd<'_>,
    path: &[u8],
    flags: OFlags,
    id: &FileId,
) -> Result<OwnedFd> {
    if let Some(below) = below
        && let Ok(dir) = open_same(below.as_fd(), c"..", flags, id)
    {
        return Ok(dir);
    }
    open_same(open_parent(base, path)?.as_fd(), c".", flags, id)
}

/// Opens a directory if it is `id`.
///
/// # Errors
/// As [`plain::open`]; `ESTALE` where it is another one.
pub fn open_same(dir: BorrowedFd<'_>, name: &CStr, flags: OFlags, id: &FileId) -> Result<OwnedFd> {
    let dir = plain::open(dir, name, flags | OFlags::DIRECTORY, NO_MODE)?;
    let mut found = Stat::default();
    sys::stat_fd(dir.as_fd(), &mut found)?;
    if found.id == *id {
        Ok(dir)
    } else {
        Err(Errno::ESTALE)
    }
}
