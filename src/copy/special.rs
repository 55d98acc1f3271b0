//! Names without data: symlinks, FIFOs, sockets, device nodes, and further links to a file
//! that was copied already.

use alloc::vec::Vec;

use super::engine::{Engine, Job, Outcome};
use super::metadata::{Copied, Target, withheld};
use super::options::{Follow, Preserve};
use super::path::{Place, c_str, open_parts};
use crate::sys::{self, AtFlags, BorrowedFd, Errno, FileType, Mode, OFlags, Result, until_nul};

/// The longest symlink target that Linux holds, and its NUL.
const TARGET_BYTES: usize = 4096;

impl Engine<'_> {
    /// Makes a symlink with the source's target.
    pub(super) fn copy_symlink(&mut self, job: &Job<'_>) -> bool {
        let read = self.read_target(job.src);
        if !self.checked("cannot read symbolic link {}", job.src, read) {
            return false;
        }
        let mut made = self.make_symlink(job.dst);
        if made == Err(Errno::EEXIST) && self.options.force && self.remove(job.dst) {
            made = self.make_symlink(job.dst);
        }
        self.checked("cannot create symbolic link {}", job.dst, made)
            && self.finish_by_name(job, Mode::empty())
    }

    /// Reads a symlink's target, and a NUL behind it, into the data buffer, which is free now.
    fn read_target(&mut self, src: Place<'_>) -> Result<()> {
        let buffer = self
            .data
            .buffer()?
            .get_mut(..TARGET_BYTES)
            .unwrap_or_default();
        buffer.fill(0);
        let room = buffer.get_mut(..TARGET_BYTES - 1).unwrap_or_default();
        sys::readlinkat(src.dir, src.name(), room).map(drop)
    }

    /// Makes a symlink with the target that was read.
    fn make_symlink(&mut self, dst: Place<'_>) -> Result<()> {
        let target = until_nul(self.data.buffer()?);
        sys::symlinkat(target, dst.dir, dst.name())
    }

    /// Makes a FIFO, socket or device node like the source.
    pub(super) fn copy_node(&mut self, job: &Job<'_>) -> bool {
        let (mode, kind) = (job.stat.mode, job.stat.kind);
        let withheld = withheld(self.options.preserve, kind, mode);
        let made = sys::mknodat(
            job.dst.dir,
            job.dst.name(),
            kind,
            mode - withheld,
            job.stat.rdev,
        );
        let template = if kind == FileType::Fifo {
            "cannot create fifo {}"
        } else {
            "cannot create special file {}"
        };
        self.checked(template, job.dst, made) && self.finish_by_name(job, withheld)
    }

    fn finish_by_name(&mut self, job: &Job<'_>, withheld: Mode) -> bool {
        let otherwise = self.released(job.stat.mode, withheld);
        let copied = Copied {
            target: Target::Named(job.dst),
            place: job.dst,
            before: None,
            otherwise,
        };
        self.keep_metadata(&job.stat, &copied)
    }

    /// Where the source was copied before under another name and links are kept, links the
    /// destination to that copy. Remembers the source otherwise, if it can turn up again.
    pub(super) fn link_to_earlier(&mut self, job: &Job<'_>) -> Option<Outcome> {
        if job.stat.kind == FileType::Directory {
            return self.meet_directory(job);
        }
        let again = job.stat.nlink > 1 || (job.follow && self.options.follow != Follow::Never);
        if !again || !self.options.preserve.contains(Preserve::LINKS) {
            return None;
        }
        let Some(earlier) = self.links.find(job.stat.id, None) else {
            self.links.insert(job.stat.id, self.from_root(job.dst));
            return None;
        };
        let earlier = earlier.to_vec();
        let mut linked = link_path(self.root, &earlier, job.dst);
        if linked == Err(Errno::EEXIST) {
            if !self.remove(job.dst) {
                return Some(Outcome::Failed);
            }
            linked = link_path(self.root, &earlier, job.dst);
        }
        Some(match linked {
            Ok(()) => Outcome::Done,
            Err(errno) => {
                let names = [job.dst.shown(), &self.shown(&earlier)];
                self.ui
                    .error("cannot create hard link {} to {}", &names, Some(errno));
                Outcome::Failed
            }
        })
    }

    /// A destination's path as [`Engine::links`] keeps it: as calls get it, from the root.
    fn from_root<'a>(&self, dst: Place<'a>) -> &'a [u8] {
        dst.shown().get(self.shown(b"").len()..).unwrap_or_default()
    }

    /// A path from the root as messages show it.
    fn shown(&self, from_root: &[u8]) -> Vec<u8> {
        let mut shown = self.root_path.to_vec();
        if shown.last().is_some_and(|&b| b != b'/') {
            shown.push(b'/');
        }
        shown.extend_from_slice(from_root);
        shown
    }

    /// Deals with a directory that was met before in this copy, or was made by it.
    fn meet_directory(&mut self, job: &Job<'_>) -> Option<Outcome> {
        let id = job.stat.id;
        if self.first_made == Some(id) {
            let names = [&self.top.0[..], &self.top.1];
            self.ui
                .error("cannot copy a directory, {}, into itself, {}", &names, None);
            return Some(Outcome::Failed);
        }
        let here = self.from_root(job.dst);
        let Some(earlier) = self.links.find(id, None) else {
            if job.arrival.operand {
                self.links.insert(id, here);
            }
            return None;
        };
        // Through symlinks a directory may rightly be met twice.
        if job.follow {
            return None;
        }
        if earlier == here {
            let names = [job.src.shown()];
            self.ui.warning(
                "warning: source directory {} specified more than once",
                &names,
                None,
            );
            return Some(Outcome::Done);
        }
        let names = [job.dst.shown(), &self.shown(earlier)];
        self.ui
            .error("will not create hard link {} to directory {}", &names, None);
        Some(Outcome::Failed)
    }
}

/// Links `earlier`, a path below `root`, to `dst`.
fn link_path(root: BorrowedFd<'_>, earlier: &[u8], dst: Place<'_>) -> Result<()> {
    let mut path = earlier.to_vec();
    let flags = AtFlags::empty();
    match sys::linkat(root, c_str(&mut path), dst.dir, dst.name(), flags) {
        // Longer than one call takes: from the directory that holds it.
        Err(Errno::ENAMETOOLONG) => {
            let slash = earlier
                .iter()
                .rposition(|&b| b == b'/')
                .ok_or(Errno::ENAMETOOLONG)?;
            let (parent, name) = earlier.split_at_checked(slash + 1).unwrap_or_default();
            let parent = open_parts(root, parent, OFlags::DIRECTORY | OFlags::NOFOLLOW)?;
            path.clear();
            path.extend_from_slice(name);
            sys::linkat(parent.as_fd(), c_str(&mut path), dst.dir, dst.name(), flags)
        }
        answer => answer,
    }
}
