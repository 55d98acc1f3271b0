//! Hard links: further names of a file that was copied already, and links of either kind made
//! instead of copies (`--link`, `--symbolic-link`).

use core::ffi::CStr;

use super::apart::replace;
use super::engine::{Engine, Job};
use super::handle;
use super::options::{Flags, Follow, Preserve};
use super::path::{Place, last_part, open_parent};
use super::same::stat_parent;
use super::table::{Claim, CopyId};
use crate::data::plain::{self, NO_MODE};
use crate::report::{During, Message, Result};
use crate::sys::{
    self, AtFlags, BorrowedFd, CWD, Errno, FileType, Mode, OFlags, OwnedFd, Stat, until_nul,
};

impl Engine<'_> {
    /// Whether the source can be met under another name that is to be a link to its copy.
    pub(super) fn may_turn_up_again(&self, job: &Job<'_>) -> bool {
        self.options.preserve.contains(Preserve::LINKS)
            && !self.options.has(Flags::LINK)
            && (job.stat.nlink > 1 || (job.follow && self.options.follow != Follow::Never))
    }

    /// Whether what is in the destination's place is the source's copy already, met again by way of
    /// another path: not to be removed for a link to itself.
    pub(super) fn is_copied_there(&self, job: &Job<'_>) -> bool {
        self.may_turn_up_again(job)
            && !job.through_link
            && self.shared.met().is_copy(&job.stat.id, &job.before.id)
    }

    /// Where the source was copied before under another name, links the destination to that
    /// copy, and nothing remains to be done. Else it is for this worker to copy, and others
    /// wait until it has said how that went ([`super::table::FileTable::settle`]).
    pub(super) fn link_to_earlier(&mut self, job: &mut Job<'_>) -> Result<()> {
        let shared = self.shared;
        while let Some(copy) = self.find_earlier(job) {
            // Descriptors may be few, and the source's is not needed for a link.
            (job.open, job.held) = (None, None);
            // Given twice, and copied to where it is: not to be removed for a link to itself.
            if until_nul(&self.earlier).to_bytes() == job.dst_shown() {
                return Message::Nothing.into();
            }
            let earlier = until_nul(&self.earlier);
            let below = self.earlier.get(shared.dst_root..).unwrap_or_default();
            let opened = open_copy(shared.root, below, job.follow, &copy);
            // Moved away, or another file by now.
            let mut is_gone = matches!(
                opened,
                Err(Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP | Errno::ESTALE)
            );
            let linked = opened.and_then(|open| self.link_to(job, open.as_fd(), below));
            let Err(errno) = linked else {
                return Message::Nothing.into();
            };
            is_gone |= errno == Errno::ESTALE;
            let names = [earlier.to_bytes(), job.dst_shown()];
            let told = shared.tell(Message::HardLink, &names, Some(errno));
            if !is_gone {
                return told;
            }
            // The file is copied once more.
            shared.met().forget(&job.stat.id, &copy);
        }
        Ok(())
    }

    /// Finds the source's copy, and sets [`Self::earlier`] to its path. `None` where this worker
    /// is to copy it.
    fn find_earlier(&mut self, job: &Job<'_>) -> Option<CopyId> {
        let shared = self.shared;
        let mut met = shared.met();
        loop {
            match met.claim(&job.stat.id) {
                Claim::Ours => return None,
                Claim::Others => met = shared.met_settled.wait(met),
                Claim::Copied(path, copy) => {
                    // Taken along, not to keep others from the table meanwhile.
                    sys::c_string(&mut self.earlier, b"", path.to_bytes());
                    return Some(copy);
                }
            }
        }
    }

    /// Makes the destination a further name of what is open as `copy`, at `path` below the root.
    fn link_to(&self, job: &Job<'_>, copy: BorrowedFd<'_>, path: &[u8]) -> sys::Result<()> {
        let root = self.shared.root;
        let link = |dir: BorrowedFd<'_>, name: &CStr| match handle::link(copy, dir, name) {
            Err(errno) if errno != Errno::EEXIST => link_by_name(copy, (root, path), dir, name),
            answer => answer,
        };
        let mut linked = link(job.dst.dir, job.dst.name);
        if linked == Err(Errno::EEXIST) {
            linked = replace(&job.dst, &link);
            if linked.is_ok() {
                self.say_removed(job);
            }
        }
        linked
    }

    /// Makes the destination a further name of the source, whatever that is by now: whoever can
    /// put another file there could have done so before it was looked at.
    pub(super) fn link_hard(&self, job: &Job<'_>) -> Result<()> {
        let src = job.src;
        let mut flags = AtFlags::empty();
        if job.follow {
            flags = AtFlags::SYMLINK_FOLLOW;
        }
        let link =
            |dir: BorrowedFd<'_>, name: &CStr| sys::linkat(src.dir, src.name, dir, name, flags);
        let mut linked = link(job.dst.dir, job.dst.name);
        if linked == Err(Errno::EEXIST) && self.options.has(Flags::FORCE | Flags::INTERACTIVE) {
            linked = replace(&job.dst, &link);
        }
        linked.during(Message::HardLink)
    }

    /// Makes the destination a symlink to the source by its path as it was given.
    pub(super) fn link_symbolically(&mut self, job: &mut Job<'_>) -> Result<()> {
        let (mut here, mut there) = (Stat::default(), Stat::default());
        let target = job.src_shown();
        // Elsewhere the same path would lead to something else.
        if !target.starts_with(b"/")
            && sys::stat_at(CWD, c".", AtFlags::empty(), &mut here).is_ok()
            && stat_parent(job.dst_shown(), &mut there).is_ok()
            && here.id != there.id
        {
            return Message::LinkElsewhere.into();
        }
        let in_place = self.options.has(Flags::FORCE);
        let target = sys::c_string(&mut self.earlier, b"", target);
        make_symlink(target, &job.dst, in_place).during(Message::Link)?;
        job.stat.kind = FileType::Symlink;
        self.finish_special(job, Mode::empty())
    }
}

/// Makes a symlink; where `in_place`, in the place of what is there.
pub(super) fn make_symlink(target: &CStr, dst: &Place<'_>, in_place: bool) -> sys::Result<()> {
    let make = |dir: BorrowedFd<'_>, name: &CStr| sys::symlinkat(target, dir, name);
    match make(dst.dir, dst.name) {
        Err(Errno::EEXIST) if in_place => replace(dst, &make),
        answer => answer,
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
    let mut found = Stat::default();
    sys::stat_fd(opened.as_fd(), &mut found)?;
    if found.id == id {
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
    let (mut named, mut open) = (Stat::default(), Stat::default());
    sys::stat_at(dir, name, AtFlags::SYMLINK_NOFOLLOW, &mut named).is_ok()
        && sys::stat_fd(file, &mut open).is_ok()
        && named.id == open.id
}
