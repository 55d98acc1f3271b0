//! Names without data: symlinks, FIFOs, sockets, device nodes; directories met twice.

use core::ffi::CStr;
use core::sync::atomic::Ordering;

use super::apart::while_apart;
use super::engine::{Engine, Job};
use super::handle;
use super::links::make_symlink;
use super::metadata::{Copied, Target, withheld};
use super::options::{Flags, Follow, Preserve};
use super::path::Place;
use super::same::same_entry;
use super::table::Role;
use super::workers::Shared;
use crate::report::{During, Message, Result};
use crate::sys::{self, Errno, FileType, Mode, OwnedFd, Stat, until_nul};

/// The longest symlink target that Linux holds, and its NUL.
const TARGET_BYTES: usize = 4096;

impl Engine<'_> {
    /// Makes a symlink with the source's target.
    pub(super) fn copy_symlink(&mut self, job: &mut Job<'_>) -> Result<()> {
        let in_place = self.options.has(Flags::FORCE);
        let target = self.read_target(&job.src).during(Message::ReadLink)?;
        make_symlink(target, &job.dst, in_place).during(Message::CreateSymlink)?;
        self.finish_special(job, Mode::empty())
    }

    /// Reads a symlink's target into the data buffer, which is free now.
    fn read_target(&mut self, src: &Place<'_>) -> sys::Result<&CStr> {
        let buffer = self
            .data
            .buffer()?
            .get_mut(..TARGET_BYTES)
            .unwrap_or_default();
        buffer.fill(0);
        let room = buffer.get_mut(..TARGET_BYTES - 1).unwrap_or_default();
        sys::readlinkat(src.dir, src.name, room)?;
        Ok(until_nul(buffer))
    }

    /// Makes a FIFO, socket or device node like the source.
    pub(super) fn copy_node(&mut self, job: &mut Job<'_>) -> Result<()> {
        let (mode, kind) = (job.stat.mode, job.stat.kind);
        let withheld = withheld(self.options.preserve, kind, mode);
        let step = if kind == FileType::Fifo {
            Message::CreateFifo
        } else {
            Message::CreateSpecial
        };
        sys::mknodat(
            job.dst.dir,
            job.dst.name,
            kind,
            mode - withheld,
            job.stat.rdev,
        )
        .during(step)?;
        self.finish_special(job, withheld)
    }

    /// Gives what cannot be opened its metadata, now that it is made.
    pub(super) fn finish_special(&mut self, job: &mut Job<'_>, withheld: Mode) -> Result<()> {
        let preserve = self.options.preserve;
        // Its name is all that it needs, as usual under -r.
        if (preserve - Preserve::LINKS).is_empty() && !self.may_turn_up_again(job) {
            return Ok(());
        }
        if self.is_nobody_elses(job) && !self.may_turn_up_again(job) {
            let dst = job.dst;
            return self.give_metadata(job, Target::Named(&dst), withheld);
        }
        let mut made = Stat::default();
        let file = open_made(job, &mut made).during(Message::AccessDestination)?;
        job.copy = Some(made.id);
        let file = Target::Handle(file.as_fd());
        let finished = self.give_metadata(job, file, withheld);
        if let Err(failure) = finished
            && failure.errno == Some(handle::NO_WAY)
        {
            // By its name, which has to be nobody else's then.
            let dst = job.dst;
            return while_apart(&dst, &made.id, |place| {
                self.give_metadata(job, Target::Named(place), withheld)
            })
            .during(Message::AccessDestination)?;
        }
        finished
    }

    /// Whether a symlink's name is safe: in a directory that is ours, and others may not write to,
    /// nobody puts another file in its place. That spares most of them three calls. The mode of
    /// a node is set in no case by a name that might be a symlink.
    fn is_nobody_elses(&mut self, job: &Job<'_>) -> bool {
        let euid = *self.euid.get_or_insert_with(sys::geteuid);
        job.stat.kind == FileType::Symlink
            && job.outer.last().is_some_and(|level| {
                let dir = &level.before;
                dir.uid == euid && !dir.mode.intersects(Mode::WRITE_OTHERS)
            })
    }

    /// As [`Self::finish_special`], of what is to be reached as `target`.
    fn give_metadata(&mut self, job: &Job<'_>, target: Target<'_>, withheld: Mode) -> Result<()> {
        let mut otherwise = self.released(job.stat.kind, job.stat.mode, withheld);
        let mut released = None;
        if job.stat.kind != FileType::Symlink && !self.options.preserve.contains(Preserve::MODE) {
            released = otherwise.take();
        }
        // A symlink that stands for a copy gets what its source has, but for the owner, as if it
        // had the right one, and access lists, which no symlink has.
        let stands = self.options.has(Flags::SYMLINK);
        self.keep_metadata(
            &job.stat,
            &Copied {
                target,
                before: stands.then_some(&job.stat),
                otherwise,
                source: Some(Target::Named(&job.src)),
                shown: &job.shown,
                lists: !stands,
                others: true,
            },
        )?;
        let mut made = Stat::default();
        if let Some(mode) = released
            && target.stat(&mut made).is_ok()
        {
            // What a default access list or a change of owner has taken away stays away.
            let (kept, given) = if self.options.preserve.contains(Preserve::NO_MODE) {
                (Mode::SPECIAL, mode - Mode::SPECIAL)
            } else {
                (Mode::all(), mode & withheld)
            };
            return target
                .set_mode((made.mode & kept) | given)
                .during(self.mode_step());
        }
        Ok(())
    }

    /// Deals with a directory that was met before in this copy, or was made by it.
    pub(super) fn meet_directory(&self, job: &Job<'_>) -> Result<()> {
        let id = job.stat.id;
        // The operand's paths, with which this one's begin.
        let (mut src, mut dst) = (job.src_shown(), job.dst_shown());
        if !job.operand {
            src = src.get(..job.operand_ends.0).unwrap_or_default();
            dst = dst.get(..job.operand_ends.1).unwrap_or_default();
        }
        let shared = self.shared;
        let met = shared.met();
        let mut is_made = met.find(Role::Made, &id).is_some();
        let mut further = Ok(());
        for level in job.outer.iter().filter(|level| !level.is_parent) {
            // What was made in what was there is remembered; all else matters where this worker
            // stands in it: else it could go down for ever, by way of a symlink.
            is_made |= !level.existed && level.before.id == id;
            if level.stat.id == id && self.options.follow == Follow::Always {
                further = Message::Cyclic.into();
            }
        }
        let earlier = met.find(Role::Copied, &id).map(CStr::to_bytes);
        // Its copy is it, which goes unnoticed where nothing is overwritten.
        is_made |= earlier.is_some_and(|earlier| same_entry(earlier, job.src_shown()));
        if is_made {
            shared.into_itself.store(true, Ordering::Relaxed);
            return shared.tell(Message::IntoItself, &[src, dst], None);
        }
        let Some(earlier) = earlier else {
            return further;
        };
        if same_entry(earlier, job.dst_shown()) {
            let _ = shared.tell(Message::DirectoryTwice, &[src], None);
            return Message::Nothing.into();
        }
        // Through symlinks a directory may rightly be met twice.
        if job.follow {
            return further;
        }
        let names = [job.dst_shown(), earlier];
        shared.tell(Message::LinkToDirectory, &names, None)
    }
}

/// Opens the symlink or node that was just made at the destination. Somebody else may have put
/// another file there since: one of another kind, or one that has a further name elsewhere, is
/// not to be given away.
fn open_made(job: &Job<'_>, made: &mut Stat) -> sys::Result<OwnedFd> {
    let file = handle::open(&job.dst, false, made)?;
    let is_device = matches!(made.kind, FileType::CharDevice | FileType::BlockDevice);
    let is_it =
        made.kind == job.stat.kind && made.nlink <= 1 && (!is_device || made.rdev == job.stat.rdev);
    if is_it { Ok(file) } else { Err(Errno::ESTALE) }
}

impl Shared<'_> {
    /// Tells that a name was not copied, which is then known.
    pub(super) fn tell(&self, step: Message, names: &[&[u8]], errno: Option<Errno>) -> Result<()> {
        self.reporter().error(step, names, errno);
        Message::Told.into()
    }
}
