//! Names without data: symlinks, FIFOs, sockets, device nodes, and further links to a file
//! that was copied already.

use alloc::vec::Vec;
use core::ffi::CStr;

use super::engine::{Engine, Job, Outcome};
use super::metadata::{Copied, Target, withheld};
use super::options::{Follow, Preserve};
use super::path::Place;
use super::plain::{self, NO_MODE};
use crate::sys::{self, AtFlags, BorrowedFd, Errno, FileType, OFlags, OwnedFd, Result};

/// The longest symlink target that Linux holds, and its NUL.
const TARGET_BYTES: usize = 4096;

impl Engine<'_> {
    /// Makes a symlink with the source's target.
    pub(super) fn copy_symlink(&mut self, job: &Job<'_>) -> bool {
        let mut target = [0; TARGET_BYTES];
        let length = sys::readlinkat(job.src.dir, job.src.name, &mut target[..TARGET_BYTES - 1]);
        let target = match length {
            Ok(_) => CStr::from_bytes_until_nul(&target).unwrap_or(c""),
            Err(errno) => {
                self.fail("cannot read symbolic link {}", job.src.path, errno);
                return false;
            }
        };
        let make = || sys::symlinkat(target, job.dst.dir, job.dst.name);
        let made = match make() {
            Err(Errno::EEXIST) if self.options.force => {
                if !self.force_away(job.dst) {
                    return false;
                }
                make()
            }
            made => made,
        };
        if let Err(errno) = made {
            self.fail("cannot create symbolic link {}", job.dst.path, errno);
            return false;
        }
        self.finish_by_name(job)
    }

    /// Makes a FIFO, socket or device node like the source.
    pub(super) fn copy_node(&mut self, job: &Job<'_>) -> bool {
        let mode = job.stat.mode;
        let mode = mode - withheld(self.options.preserve, job.kind(), mode);
        let kind = job.kind();
        let rdev = match kind {
            FileType::CharDevice | FileType::BlockDevice => job.stat.rdev,
            _ => 0,
        };
        if let Err(errno) = sys::mknodat(job.dst.dir, job.dst.name, kind, mode, rdev) {
            let template = if kind == FileType::Fifo {
                "cannot create fifo {}"
            } else {
                "cannot create special file {}"
            };
            self.fail(template, job.dst.path, errno);
            return false;
        }
        self.finish_by_name(job)
    }

    fn finish_by_name(&mut self, job: &Job<'_>) -> bool {
        let mode = job.stat.mode;
        let otherwise = self.released(mode, withheld(self.options.preserve, job.kind(), mode));
        let target = Target::Named(job.dst);
        self.keep_metadata(
            &job.stat,
            &Copied {
                target,
                path: job.dst.path,
                before: None,
                otherwise,
            },
        )
    }

    /// Where the source was copied before under another name and links are kept, links the
    /// destination to that copy. Remembers the source otherwise, if it can turn up again.
    pub(super) fn link_to_earlier(&mut self, job: &Job<'_>) -> Option<Outcome> {
        if job.kind() == FileType::Directory {
            return self.meet_directory(job);
        }
        if !self.options.preserve.contains(Preserve::LINKS) {
            return None;
        }
        let again = job.stat.nlink > 1
            || self.options.follow == Follow::Always
            || (self.options.follow == Follow::Operands && job.arrival.operand);
        if !again {
            return None;
        }
        let id = job.stat.id;
        let Some(earlier) = self.links.find(id).next().map(<[u8]>::to_vec) else {
            self.links.insert(id, self.from_root(job.dst));
            return None;
        };
        Some(if self.link(&earlier, job) {
            Outcome::Done
        } else {
            Outcome::Failed
        })
    }

    /// A destination's path as [`Engine::links`] keeps it: as calls get it, from the root.
    fn from_root<'a>(&self, dst: Place<'a>) -> &'a [u8] {
        let shown = self.shown(b"").len();
        dst.path.get(shown..).unwrap_or_default()
    }

    /// A path from the root as messages show it.
    fn shown(&self, from_root: &[u8]) -> Vec<u8> {
        let mut shown = self.root_path.to_vec();
        if !shown.is_empty() && !shown.ends_with(b"/") {
            shown.push(b'/');
        }
        shown.extend_from_slice(from_root);
        shown
    }

    fn link(&mut self, earlier: &[u8], job: &Job<'_>) -> bool {
        let mut linked = link_path(self.root, earlier, job.dst);
        if linked == Err(Errno::EEXIST) {
            if !self.force_away(job.dst) {
                return false;
            }
            linked = link_path(self.root, earlier, job.dst);
        }
        if let Err(errno) = linked {
            let shown = self.shown(earlier);
            self.ui.error(
                "cannot create hard link {} to {}",
                &[job.dst.path, &shown],
                Some(errno),
            );
            return false;
        }
        true
    }

    /// Deals with a directory that was met before in this copy, or was made by it.
    fn meet_directory(&mut self, job: &Job<'_>) -> Option<Outcome> {
        let id = job.stat.id;
        if self.first_made == Some(id) {
            self.ui.error(
                "cannot copy a directory, {}, into itself, {}",
                &[&self.top.0, &self.top.1],
                None,
            );
            return Some(Outcome::Failed);
        }
        let earlier = self.links.find(id).next().map(<[u8]>::to_vec);
        if earlier.is_none() && job.arrival.operand {
            self.links.insert(id, self.from_root(job.dst));
        }
        // Through symlinks a directory may rightly be met twice.
        if self.options.follow == Follow::Always
            || (self.options.follow == Follow::Operands && job.arrival.operand)
        {
            return None;
        }
        let earlier = earlier?;
        if earlier == self.from_root(job.dst) {
            self.ui.warning(
                "warning: source directory {} specified more than once",
                &[job.src.path],
                None,
            );
            return Some(Outcome::Done);
        }
        let shown = self.shown(&earlier);
        self.ui.error(
            "will not create hard link {} to directory {}",
            &[job.dst.path, &shown],
            None,
        );
        Some(Outcome::Failed)
    }
}

/// Links `earlier`, a path below `root`, to `dst`. A path too long for one call is walked
/// part by part.
fn link_path(root: BorrowedFd<'_>, earlier: &[u8], dst: Place<'_>) -> Result<()> {
    let mut path = Vec::with_capacity(earlier.len() + 1);
    path.extend_from_slice(earlier);
    path.push(0);
    let whole = CStr::from_bytes_until_nul(&path).map_err(|_| Errno::EINVAL)?;
    match sys::linkat(root, whole, dst.dir, dst.name, AtFlags::empty()) {
        Err(Errno::ENAMETOOLONG) => {}
        answer => return answer,
    }
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW;
    let mut dir = match earlier {
        [b'/', ..] => Some(plain::open(root, c"/", flags, NO_MODE)?),
        _ => None,
    };
    let mut parts = earlier
        .split(|&b| b == b'/')
        .filter(|part| !part.is_empty())
        .peekable();
    while let Some(part) = parts.next() {
        path.clear();
        path.extend_from_slice(part);
        path.push(0);
        let name = CStr::from_bytes_until_nul(&path).map_err(|_| Errno::EINVAL)?;
        let at = dir.as_ref().map_or(root, OwnedFd::as_fd);
        if parts.peek().is_none() {
            return sys::linkat(at, name, dst.dir, dst.name, AtFlags::empty());
        }
        dir = Some(plain::open(at, name, flags, NO_MODE)?);
    }
    Err(Errno::ENOENT)
}
