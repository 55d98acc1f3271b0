//! Names without data: symlinks, FIFOs, sockets, device nodes, and further links to a file
//! that was copied already.

use super::engine::{Engine, Job, same_entry};
use super::failure::{During, Result, Step};
use super::metadata::{Copied, Target, withheld};
use super::options::{Follow, Preserve};
use super::path::{Place, c_str, open_parts, split_name};
use super::table::Role;
use crate::sys::{self, AtFlags, BorrowedFd, Errno, FileType, Mode, OFlags, Vec, until_nul};

/// The longest symlink target that Linux holds, and its NUL.
const TARGET_BYTES: usize = 4096;

impl Engine<'_> {
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

    /// Remembers what the source was copied to, if it is `wanted`.
    pub(super) fn remember(&mut self, job: &Job<'_>, wanted: bool) {
        if wanted && self.met.find(Role::Copied, job.stat.id, None).is_none() {
            self.met
                .insert(Role::Copied, job.stat.id, self.from_root(job.dst));
        }
    }

    /// Where the source was copied before under another name, links the destination to that
    /// copy, and nothing remains to be done.
    #[inline(never)]
    pub(super) fn link_to_earlier(&mut self, job: &Job<'_>) -> Result<()> {
        let Some(path) = self.met.find(Role::Copied, job.stat.id, None) else {
            return Ok(());
        };
        // Given twice, and copied to where it is: not to be removed for a link to itself.
        if path == self.from_root(job.dst) {
            return Step::Nothing.into();
        }
        let mut earlier = Vec::new();
        earlier.extend_from_slice(path);
        let mut linked = link_path(self.root, &mut earlier, job.dst);
        if linked == Err(Errno::EEXIST) {
            self.remove(job.dst)?;
            linked = link_path(self.root, &mut earlier, job.dst);
        }
        if linked.is_ok() {
            return Step::Nothing.into();
        }
        let names = [job.dst.shown(), &self.shown(until_nul(&earlier).to_bytes())];
        self.ui
            .error("cannot create hard link {0} to {1}", &names, linked.err());
        Step::Told.into()
    }

    /// A destination's path as [`Engine::met`] keeps it: as calls get it, from the root.
    fn from_root<'a>(&self, dst: Place<'a>) -> &'a [u8] {
        dst.shown().get(self.dst_root..).unwrap_or_default()
    }

    /// A path from the root as messages show it.
    fn shown(&self, from_root: &[u8]) -> Vec<u8> {
        let mut shown = Vec::new();
        shown.extend_from_slice(self.root_path);
        if shown.last().is_some_and(|&b| b != b'/') {
            shown.push(b'/');
        }
        shown.extend_from_slice(from_root);
        shown
    }

    /// Deals with a directory that was met before in this copy, or was made by it.
    #[inline(never)]
    pub(super) fn meet_directory(&mut self, job: &Job<'_>) -> Result<()> {
        let id = job.stat.id;
        if self.first_made == Some(id) {
            self.into_itself = true;
            // The operand's paths, with which this one's begin.
            let src = job
                .src
                .shown()
                .get(..self.operand_len.0)
                .unwrap_or_default();
            let dst = job
                .dst
                .shown()
                .get(..self.operand_len.1)
                .unwrap_or_default();
            self.ui.error(
                "cannot copy a directory, {0}, into itself, {1}",
                &[src, dst],
                None,
            );
            return Step::Told.into();
        }
        let Some(earlier) = self.met.find(Role::Copied, id, None) else {
            return Ok(());
        };
        let earlier = self.shown(earlier);
        if same_entry(&earlier, job.dst.shown()) {
            let names = [job.src.shown()];
            let message = "warning: source directory {0} specified more than once";
            self.ui.warning(message, &names, None);
            return Step::Nothing.into();
        }
        // Through symlinks a directory may rightly be met twice.
        if job.follow {
            return Ok(());
        }
        let names = [job.dst.shown(), &earlier];
        self.ui.error(
            "will not create hard link {0} to directory {1}",
            &names,
            None,
        );
        Step::Told.into()
    }
}

/// Links `earlier`, a path below `root`, to `dst`.
fn link_path(root: BorrowedFd<'_>, earlier: &mut Vec<u8>, dst: Place<'_>) -> sys::Result<()> {
    let flags = AtFlags::empty();
    match sys::linkat(root, c_str(earlier), dst.dir, dst.name(), flags) {
        // Longer than one call takes: from the directory that holds it.
        Err(Errno::ENAMETOOLONG) => {
            let (parent, name) = split_name(earlier);
            let parent = open_parts(root, parent, OFlags::DIRECTORY | OFlags::NOFOLLOW)?;
            sys::linkat(parent.as_fd(), until_nul(name), dst.dir, dst.name(), flags)
        }
        answer => answer,
    }
}
