//! Directories: making the copy, opening both sides, and finishing once the contents are done.

use core::ffi::CStr;

use super::engine::{Engine, Job};
use super::failure::{During, Failure, Result, Step};
use super::metadata::{Before, Copied, Target, withheld};
use super::options::Follow;
use super::path::Place;
use super::plain::{self, NO_MODE};
use super::walk::Descent;
use crate::sys::{self, BorrowedFd, Errno, FileType, Mode, OFlags, OwnedFd, Stat};

/// A directory, open.
#[derive(Debug)]
pub(super) struct OpenDirectory {
    pub fd: OwnedFd,
    /// Whether it is open for more than passing through: one that we may not read is not.
    pub readable: bool,
}

impl OpenDirectory {
    /// Opens directory `name` of `dir`, never through a symlink.
    pub fn open(dir: BorrowedFd<'_>, name: &CStr) -> sys::Result<Self> {
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW;
        let opened = plain::open(dir, name, flags, NO_MODE);
        let readable = opened != Err(Errno::EACCES);
        let opened = if readable {
            opened
        } else {
            plain::open(dir, name, flags | OFlags::PATH, NO_MODE)
        };
        opened.map(|fd| Self { fd, readable })
    }
}

impl Engine<'_> {
    /// Makes the destination directory, or takes the one that is there, and opens both sides.
    #[inline(never)]
    pub(super) fn enter_directory(&mut self, job: &Job<'_>) -> Result<Descent> {
        if self.options.follow == Follow::Always && self.ancestors.contains(&job.stat.id) {
            return Step::Cyclic.into();
        }
        let fresh = job.before.is_none();
        let wanted = job.stat.mode & (Mode::PERMISSIONS | Mode::ISVTX);
        let withheld = withheld(self.options.preserve, FileType::Directory, wanted);
        if fresh {
            // Ours to fill, whatever the source's owner may do; finishing takes it back.
            let mode = (wanted - withheld) | Mode::RWXU;
            sys::mkdirat(job.dst.dir, job.dst.name(), mode).during(Step::CreateDirectory)?;
        }
        let (dst, made) = open_made(job.dst, fresh).during(Step::AccessDestination)?;
        let mut otherwise = None;
        if fresh {
            self.first_made.get_or_insert(made.id);
            if self.options.verbose {
                self.say_copied(job);
            }
            // What the source has as far as the umask lets it, and what the kernel added
            // (setgid from the parent).
            if !withheld.is_empty() || !wanted.contains(Mode::RWXU) {
                let given = made.mode - (Mode::RWXU - wanted);
                otherwise = Some(given | (withheld - self.umask()));
            }
        }
        let mut descent = Descent {
            stat: job.stat,
            made: made.id,
            before: job.before.as_ref().map(Before::from),
            otherwise,
            src: None,
            dst: Some(dst),
        };
        match open_source(job) {
            Ok(src) => {
                descent.src = Some(src);
                Ok(descent)
            }
            Err(errno) => {
                // What is there gets its metadata all the same.
                let failure = Failure {
                    step: Step::AccessSource,
                    errno: Some(errno),
                };
                self.report(job.src, job.dst, failure);
                self.finish_directory(&descent, job.dst)?;
                Step::Told.into()
            }
        }
    }

    /// Gives a directory its times, owner and mode, after its contents.
    pub(super) fn finish_directory(&mut self, dir: &Descent, place: Place<'_>) -> Result<()> {
        let target = match &dir.dst {
            Some(dst) if dst.readable => Target::Open(dst.fd.as_fd()),
            _ => Target::Named(place),
        };
        let copied = Copied {
            target,
            before: dir.before,
            otherwise: dir.otherwise,
        };
        self.keep_metadata(&dir.stat, &copied)
    }
}

/// Opens the source directory, and makes sure that it is the one that was looked at.
fn open_source(job: &Job<'_>) -> sys::Result<OwnedFd> {
    let follow = if job.follow {
        OFlags::empty()
    } else {
        OFlags::NOFOLLOW
    };
    let src = plain::open(
        job.src.dir,
        job.src.name(),
        OFlags::DIRECTORY | follow,
        NO_MODE,
    )?;
    if sys::stat_fd(src.as_fd())?.id == job.stat.id {
        Ok(src)
    } else {
        Err(Errno::ESTALE)
    }
}

/// Opens a destination directory, which is `fresh` from our hands or was there.
fn open_made(dst: Place<'_>, fresh: bool) -> sys::Result<(OpenDirectory, Stat)> {
    let mut dir = OpenDirectory::open(dst.dir, dst.name())?;
    if fresh && !dir.readable {
        // A umask that withholds permissions from the owner.
        Target::Named(dst).set_mode(Mode::RWXU)?;
        dir = OpenDirectory::open(dst.dir, dst.name())?;
    }
    let stat = sys::stat_fd(dir.fd.as_fd())?;
    Ok((dir, stat))
}
