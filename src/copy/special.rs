//! Names without data: symlinks, FIFOs, sockets, device nodes, and further links to a file
//! that was copied already.

use core::ffi::CStr;
use core::sync::atomic::Ordering;

use super::engine::{Engine, Job, same_entry};
use super::failure::{During, Result, Step};
use super::metadata::{Copied, Target, withheld};
use super::options::{Follow, Preserve};
use super::path::{Place, last_part, open_parent};
use super::table::{Claim, Role};
use super::workers::Shared;
use crate::sys::{self, AtFlags, BorrowedFd, Errno, FileType, Mode, until_nul};

/// The longest symlink target that Linux holds, and its NUL.
const TARGET_BYTES: usize = 4096;

impl Engine<'_, '_> {
    /// Makes a symlink with the source's target.
    pub(super) fn copy_symlink(&mut self, job: &Job<'_>) -> Result<()> {
        self.read_target(job.src).during(Step::ReadLink)?;
        let mut made = self.make_symlink(job.dst);
        if made == Err(Errno::EEXIST) && self.options.force {
            self.remove(job.dst)?;
            made = self.make_symlink(job.dst);
        }
        made.during(Step::CreateSymlink)?;
        self.finish_by_name(job, Mode::empty())
    }

    /// Reads a symlink's target, and a NUL behind it, into the data buffer, which is free now.
    fn read_target(&mut self, src: Place<'_>) -> sys::Result<()> {
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
    fn make_symlink(&mut self, dst: Place<'_>) -> sys::Result<()> {
        sys::symlinkat(until_nul(self.data.buffer()?), dst.dir, dst.name())
    }

    /// Makes a FIFO, socket or device node like the source.
    pub(super) fn copy_node(&mut self, job: &Job<'_>) -> Result<()> {
        let (mode, kind) = (job.stat.mode, job.stat.kind);
        let withheld = withheld(self.options.preserve, kind, mode);
        let step = if kind == FileType::Fifo {
            Step::CreateFifo
        } else {
            Step::CreateSpecial
        };
        sys::mknodat(
            job.dst.dir,
            job.dst.name(),
            kind,
            mode - withheld,
            job.stat.rdev,
        )
        .during(step)?;
        self.finish_by_name(job, withheld)
    }

    fn finish_by_name(&mut self, job: &Job<'_>, withheld: Mode) -> Result<()> {
        let otherwise = self.released(job.stat.mode, withheld);
        let target = Target::Named(job.dst);
        self.keep_metadata(
            &job.stat,
            &Copied {
                target,
                before: None,
                otherwise,
            },
        )
    }

    /// Whether the source can be met under another name that is to be a link to its copy.
    pub(super) fn may_turn_up_again(&self, job: &Job<'_>) -> bool {
        self.options.preserve.contains(Preserve::LINKS)
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
                    self.earlier.clear();
                    self.earlier.extend_from_slice(path.to_bytes_with_nul());
                    break;
                }
            }
        }
        drop(met);
        // Given twice, and copied to where it is: not to be removed for a link to itself.
        if until_nul(&self.earlier).to_bytes() == job.dst.shown() {
            return Step::Nothing.into();
        }
        let root = (shared.root, shared.dst_root);
        let mut linked = link_path(root, until_nul(&self.earlier), job.dst);
        if linked == Err(Errno::EEXIST) {
            self.remove(job.dst)?;
            linked = link_path(root, until_nul(&self.earlier), job.dst);
        }
        if let Err(errno) = linked {
            let names = [job.dst.shown(), until_nul(&self.earlier).to_bytes()];
            return shared.tell(Step::HardLink, &names, Some(errno));
        }
        Step::Nothing.into()
    }

    /// Deals with a directory that was met before in this copy, or was made by it.
    #[inline(never)]
    pub(super) fn meet_directory(&self, job: &Job<'_>) -> Result<()> {
        let id = job.stat.id;
        // The operand's paths, with which this one's begin.
        let (mut src, mut dst) = (job.src.shown(), job.dst.shown());
        if !job.operand {
            src = src.get(..job.operand_ends.0).unwrap_or_default();
            dst = dst.get(..job.operand_ends.1).unwrap_or_default();
        }
        let shared = self.shared;
        let met = shared.met();
        if met.find(Role::Made, &id, b"").is_some() {
            shared.into_itself.store(true, Ordering::Relaxed);
            return shared.tell(Step::IntoItself, &[src, dst], None);
        }
        let Some(earlier) = met.find(Role::Copied, &id, b"") else {
            return Ok(());
        };
        let earlier = earlier.to_bytes();
        if same_entry(earlier, job.dst.shown()) {
            let _ = shared.tell(Step::DirectoryTwice, &[src], None);
            return Step::Nothing.into();
        }
        // Through symlinks a directory may rightly be met twice.
        if job.follow {
            return Ok(());
        }
        let names = [job.dst.shown(), earlier];
        shared.tell(Step::LinkToDirectory, &names, None)
    }
}

impl Shared<'_> {
    /// Tells that a name was not copied, which is then known.
    #[inline(never)]
    fn tell(&self, step: Step, names: &[&[u8]], errno: Option<Errno>) -> Result<()> {
        self.ui().tell(step.into(), names, errno);
        Step::Told.into()
    }
}

/// Links `earlier`, a path that shows the root in so many bytes, to `dst`.
#[inline(never)]
fn link_path(
    (root, skipped): (BorrowedFd<'_>, usize),
    earlier: &CStr,
    dst: Place<'_>,
) -> sys::Result<()> {
    let flags = AtFlags::empty();
    let path = earlier.to_bytes_with_nul();
    let path = path.get(skipped..).unwrap_or_default();
    match sys::linkat(root, until_nul(path), dst.dir, dst.name(), flags) {
        // Longer than one call takes: from the directory that holds it.
        Err(Errno::ENAMETOOLONG) => {
            let parent = open_parent(root, path)?;
            let name = until_nul(last_part(path));
            sys::linkat(parent.as_fd(), name, dst.dir, dst.name(), flags)
        }
        answer => answer,
    }
}
