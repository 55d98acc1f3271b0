//! Hard links: further names of a file that was copied already, and links of either kind made
//! instead of copies (`--link`, `--symbolic-link`).

use core::ffi::CStr;

use super::engine::{Engine, Job};
use super::failure::{During, Result, Step};
use super::options::{Flags, Follow, Preserve};
use super::path::{Place, last_part, open_parent};
use super::same::stat_parent;
use super::table::Claim;
use crate::sys::{
    self, AtFlags, BorrowedFd, CWD, Errno, FileType, Mode, Stat, monotonic_ms, until_nul,
};

impl Engine<'_, '_> {
    /// Whether the source can be met under another name that is to be a link to its copy.
    pub(super) fn may_turn_up_again(&self, job: &Job<'_>) -> bool {
        self.options.preserve.contains(Preserve::LINKS)
            && !self.options.has(Flags::LINK)
            && (job.stat.nlink > 1 || (job.follow && self.options.follow != Follow::Never))
    }

    /// Where the source was copied before under another name, links the destination to that
    /// copy, and nothing remains to be done. Else it is for this worker to copy, and others
    /// wait until it has said how that went ([`super::table::FileTable::settle`]).
    pub(super) fn link_to_earlier(&mut self, job: &Job<'_>) -> Result<()> {
        let shared = self.shared;
        let mut met = shared.met();
        loop {
            match met.claim(&job.stat.id) {
                Claim::Ours => return Ok(()),
                Claim::Others => met = shared.met_settled.wait(met),
                Claim::Copied(path) => {
                    // Taken along, not to keep others from the table meanwhile.
                    self.earlier.c_string(b"", path.to_bytes());
                    break;
                }
            }
        }
        drop(met);
        let earlier = until_nul(&self.earlier);
        // Given twice, and copied to where it is: not to be removed for a link to itself.
        if earlier.to_bytes() == job.dst_shown() {
            return Step::Nothing.into();
        }
        let root = (shared.root, shared.dst_root);
        let mut linked = link_path(root, earlier, job.dst.dir, job.dst.name);
        if linked == Err(Errno::EEXIST) {
            linked = replace(&job.dst, &|dir, name| link_path(root, earlier, dir, name));
            if linked.is_ok() {
                self.say_removed(job);
            }
        }
        if let Err(errno) = linked {
            let names = [earlier.to_bytes(), job.dst_shown()];
            return shared.tell(Step::HardLink, &names, Some(errno));
        }
        Step::Nothing.into()
    }

    /// Makes the destination a further name of the source.
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
        linked.during(Step::HardLink)
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
            return Step::LinkElsewhere.into();
        }
        let in_place = self.options.has(Flags::FORCE);
        let target = self.earlier.c_string(b"", target);
        make_symlink(target, &job.dst, in_place).during(Step::Link)?;
        job.stat.kind = FileType::Symlink;
        self.finish_by_name(job, Mode::empty())
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

/// Makes a file under another name, and renames it to `dst`: what is there stays if it fails.
#[inline(never)]
fn replace(
    dst: &Place<'_>,
    make: &dyn Fn(BorrowedFd<'_>, &CStr) -> sys::Result<()>,
) -> sys::Result<()> {
    let name = dst.name;
    let parent = open_parent(dst.dir, name.to_bytes())?;
    let parent = parent.as_fd();
    #[allow(clippy::cast_possible_truncation)] // any number will do
    let mut number = monotonic_ms() as u32;
    loop {
        let mut other = *b".annulet-00000000\0";
        let mut digits = number;
        for digit in other.iter_mut().skip(9).take(8) {
            *digit = b'a' + (digits & 15) as u8;
            digits >>= 4;
        }
        let other = until_nul(&other);
        match make(parent, other) {
            Err(Errno::EEXIST) => number = number.wrapping_add(1),
            Err(errno) => return Err(errno),
            Ok(()) => {
                let last = until_nul(last_part(name.to_bytes_with_nul()));
                let renamed = sys::renameat2(parent, other, parent, last, false);
                // Where both are names of one file, both are left.
                let _ = sys::unlinkat(parent, other, AtFlags::empty());
                return renamed;
            }
        }
    }
}

/// Links `earlier`, a path that shows the root in so many bytes, to `name` in `dir`.
#[inline(never)]
fn link_path(
    (root, skipped): (BorrowedFd<'_>, usize),
    earlier: &CStr,
    dir: BorrowedFd<'_>,
    name: &CStr,
) -> sys::Result<()> {
    let flags = AtFlags::empty();
    let path = earlier.to_bytes_with_nul();
    let path = path.get(skipped..).unwrap_or_default();
    match sys::linkat(root, until_nul(path), dir, name, flags) {
        // Longer than one call takes: from the directory that holds it.
        Err(Errno::ENAMETOOLONG) => {
            let parent = open_parent(root, path)?;
            let last = until_nul(last_part(path));
            sys::linkat(parent.as_fd(), last, dir, name, flags)
        }
        answer => answer,
    }
}
