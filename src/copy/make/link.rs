//! Hard links: further names of a file that was copied already, and links of either kind made
//! instead of copies (`--link`, `--symbolic-link`).

use alloc::vec::Vec;
use core::ffi::CStr;

use super::node::{self, Made, make_symlink};
use crate::copy::entry::{Entry, Grip, Name};
use crate::copy::handle;
use crate::copy::outcome::{Stop, Unmade};
use crate::copy::path::{Place, last_part, open_parent, stat_parent};
use crate::copy::plan::{Admission, Met, Plan, admit};
use crate::copy::seen::CopyId;
use crate::copy::temporary::replace;
use crate::copy::worker::Worker;
use crate::data::plain::{self, NO_MODE};
use crate::report::{Failure, Message};
use crate::sys::{self, AtFlags, BorrowedFd, CWD, Errno, OFlags, OwnedFd, c_string, until_nul};

/// Who copies a source that may be met under several names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// This worker; others wait until it has said how that went
    /// ([`crate::copy::seen::Seen::record_copy`]).
    Ours,
    /// It was copied before, and the destination is a further name of that copy now.
    Linked,
}

/// Claims a source; where it was copied before under another name, links the destination to that
/// copy.
///
/// # Errors
/// Where it cannot be linked, which is told.
pub fn claim(worker: &mut Worker<'_>, name: &mut Name<'_>) -> Result<Claim, Stop> {
    let (shared, entry, source) = (worker.shared, name.entry, &mut name.source);
    loop {
        let claimed = shared.seen.claim(&source.stat.id, &mut worker.earlier_path);
        let earlier = until_nul(&worker.earlier_path);
        let met = match claimed {
            None => Met::Never,
            // Given twice, and copied to where it is: not to be removed for a link to itself.
            Some(_) if earlier.to_bytes() == entry.dst_shown() => Met::FileHere,
            Some(_) => Met::File,
        };
        let (Admission::LinkToCopy, Some(copy)) = (admit(met, source.is_followed), claimed) else {
            return Ok(if met == Met::Never {
                Claim::Ours
            } else {
                Claim::Linked
            });
        };
        // Descriptors may be few, and the source's is not needed for a link.
        source.grip = Grip::Name;
        let below = worker.earlier_path.get(shared.target.dst_root..);
        let below = below.unwrap_or_default();
        let opened = open_copy(shared.target.root, below, source.is_followed, &copy);
        // Moved away, or another file by now.
        let mut is_gone = matches!(
            opened,
            Err(Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP | Errno::ESTALE)
        );
        let linked = opened.and_then(|open| link_to(worker, entry, open.as_fd(), below));
        let Err(errno) = linked else {
            return Ok(Claim::Linked);
        };
        is_gone |= errno == Errno::ESTALE;
        let names = [earlier.to_bytes(), entry.dst_shown()];
        let told = shared.tell(Message::HardLink, &names, Some(errno));
        if !is_gone {
            return Err(told.into());
        }
        // The file is copied once more.
        shared.seen.files().forget(&source.stat.id, &copy);
    }
}

/// Makes the destination a further name of what is open as `copy`, at `path` below the root.
fn link_to(
    worker: &Worker<'_>,
    entry: &Entry<'_>,
    copy: BorrowedFd<'_>,
    path: &[u8],
) -> sys::Result<()> {
    let root = worker.shared.target.root;
    let link = |dir: BorrowedFd<'_>, name: &CStr| match handle::link(copy, dir, name) {
        Err(errno) if errno != Errno::EEXIST => link_by_name(copy, (root, path), dir, name),
        answer => answer,
    };
    let mut linked = link(entry.dst.dir, entry.dst.name);
    if linked == Err(Errno::EEXIST) {
        linked = replace(&entry.dst, &link);
        if linked.is_ok() {
            worker.say_verbosely(Message::Removed, &entry.shown);
        }
    }
    linked
}

/// Makes the destination a further name of the source, whatever that is by now: whoever can
/// put another file there could have done so before it was looked at.
pub fn link_hard(name: &Name<'_>, replaces: bool) -> Result<(), Unmade> {
    let (entry, src) = (name.entry, name.entry.src);
    let mut flags = AtFlags::empty();
    if name.source.is_followed {
        flags = AtFlags::SYMLINK_FOLLOW;
    }
    let link = |dir: BorrowedFd<'_>, name: &CStr| sys::linkat(src.dir, src.name, dir, name, flags);
    let mut linked = link(entry.dst.dir, entry.dst.name);
    if linked == Err(Errno::EEXIST) && replaces {
        linked = replace(&entry.dst, &link);
    }
    linked.map_err(|errno| Unmade::by_making(Message::HardLink, errno))
}

/// Makes the destination a symlink to the source by its path as it was given.
pub fn link_symbolically(
    worker: &mut Worker<'_>,
    name: &Name<'_>,
    plan: Plan,
    replaces: bool,
) -> Result<Option<CopyId>, Unmade> {
    let entry = name.entry;
    let target = entry.src_shown();
    // Elsewhere the same path would lead to something else.
    if !target.starts_with(b"/") && !is_in_working_directory(entry.dst_shown()) {
        return Err(Failure::without_errno(Message::LinkElsewhere).into());
    }
    let mut path = Vec::new();
    make_symlink(c_string(&mut path, b"", target), &entry.dst, replaces)
        .map_err(|errno| Unmade::by_making(Message::Link, errno))?;
    node::finish(worker, name, plan, Made::SymlinkToSource)
}

/// Whether what a path names is in the working directory, as far as can be found out.
fn is_in_working_directory(path: &[u8]) -> bool {
    let here = sys::stat_at(CWD, c".", AtFlags::empty());
    match (here, stat_parent(path)) {
        (Ok(here), Ok(there)) => here.id == there.id,
        _ => true,
    }
}

/// Opens what is at a path with its NUL below `root`, if it is the `copy`, or where symlinks are
/// not followed the symlink through which it was written.
///
/// # Errors
/// As [`plain::open`]; `ESTALE` where something else is there.
fn open_copy(
    root: BorrowedFd<'_>,
    path: &[u8],
    follow: bool,
    copy: &CopyId,
) -> sys::Result<OwnedFd> {
    let (mut flags, mut id) = (OFlags::PATH, copy.file);
    if !follow {
        flags |= OFlags::NOFOLLOW;
        id = copy.named;
    }
    let mut opened = plain::open(root, until_nul(path), flags, NO_MODE);
    if opened == Err(Errno::ENAMETOOLONG) {
        // Longer than one call takes: from the directory that holds it.
        let parent = open_parent(root, path)?;
        opened = plain::open(parent.as_fd(), until_nul(last_part(path)), flags, NO_MODE);
    }
    let opened = opened?;
    if sys::stat_fd(opened.as_fd())?.id == id {
        Ok(opened)
    } else {
        Err(Errno::ESTALE)
    }
}

/// Links the file that is open as `copy` where that can be done by name alone: from the directory
/// that holds it, so that no symlink is followed. Another file that somebody has put in its place
/// just then is one to which he had that name already; it is not left linked.
fn link_by_name(
    copy: BorrowedFd<'_>,
    (root, path): (BorrowedFd<'_>, &[u8]),
    dir: BorrowedFd<'_>,
    name: &CStr,
) -> sys::Result<()> {
    let parent = open_parent(root, path)?;
    let (parent, last) = (parent.as_fd(), until_nul(last_part(path)));
    if !is_open_as(parent, last, copy) {
        return Err(Errno::ESTALE);
    }
    match sys::linkat(parent, last, dir, name, AtFlags::empty()) {
        Ok(()) if is_open_as(dir, name, copy) => Ok(()),
        Ok(()) => {
            sys::unlinkat(dir, name, AtFlags::empty())?;
            Err(Errno::ESTALE)
        }
        Err(_) if !is_open_as(parent, last, copy) => Err(Errno::ESTALE),
        failed => failed,
    }
}

/// Whether a name, not followed, is that of an open file.
fn is_open_as(dir: BorrowedFd<'_>, name: &CStr, file: BorrowedFd<'_>) -> bool {
    let named = Place { dir, name }.stat(false);
    match (named, sys::stat_fd(file)) {
        (Ok(named), Ok(open)) => named.id == open.id,
        _ => false,
    }
}
