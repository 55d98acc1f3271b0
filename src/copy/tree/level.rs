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

/// A directory that was gone down into: what making the copy of it, or opening it, gives.
#[derive(Debug, Default)]
#[allow(clippy::struct_excessive_bools)] // it has many properties
pub struct Directory {
    /// The source, open for reading; `None` while it is closed to save descriptors, where it could
    /// not be opened, and of a parent.
    pub src: Option<OwnedFd>,
    /// The destination, open for passing through; `None` while it is closed.
    pub dst: Option<OwnedFd>,
    /// The destination is open for reading: so it can be finished by its descriptor.
    pub is_readable: bool,
    /// The source's metadata; `None` where the destination is not to be given any.
    pub src_stat: Option<Stat>,
    /// The destination's, from when it was entered; `None` where there is no destination, as what
    /// the directory holds is counted, and not copied.
    pub dst_stat: Option<Stat>,
    /// Whether the destination was there before.
    pub existed: bool,
    /// The destination's mode where modes are not kept, if it is to change.
    pub later_mode: Option<Mode>,
    /// It leads to an operand, which is all that is copied of it.
    pub is_parent: bool,
    /// It has no more names to be read: from the beginning where what it holds is not copied.
    pub is_exhausted: bool,
}

impl Directory {
    /// One of its descriptors, if it is not closed.
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
        if self.src_stat.is_some()
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
    /// It is a part of a directory that others finish.
    pub is_part: bool,
    /// Its node ([`super::pool`]), if something below it was handed over.
    pub node: Option<usize>,
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
                is_exhausted: true,
                ..self.dir
            },
            is_part: true,
            node: None,
            ahead: usize::MAX,
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
        let dir = &mut self.dir;
        if dir.any_fd().is_some() {
            return Ok(());
        }
        let mut opened = Ok(());
        if let Some(stat) = &dir.src_stat
            && !dir.is_parent
        {
            // First, as it is this one that may take more descriptors: where a source's directory
            // may not be passed through.
            let src = reopen(below.src.as_ref(), CWD, src, OFlags::empty(), &stat.id);
            opened = src.and_then(|src| {
                sys::lseek(src.as_fd(), self.position, Whence::Set)?;
                dir.src = Some(src);
                Ok(())
            });
        }
        if let Some(stat) = &dir.dst_stat {
            dir.dst = Some(reopen(
                below.dst.as_ref(),
                root,
                dst,
                OFlags::PATH,
                &stat.id,
            )?);
        }
        opened
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
    if sys::stat_fd(dir.as_fd())?.id == *id {
        Ok(dir)
    } else {
        Err(Errno::ESTALE)
    }
}
