//! Directories: making the copy, opening both sides, and finishing once the contents are done.

use core::ffi::CStr;

use super::engine::{Engine, Job, Outcome};
use super::metadata::{Before, Copied, Target, withheld};
use super::options::Follow;
use super::path::Place;
use super::plain::{self, NO_MODE};
use super::walk::Descent;
use crate::sys::{self, BorrowedFd, Errno, FileType, Mode, OFlags, OwnedFd, Result, Stat};

/// A directory, open.
#[derive(Debug)]
pub(super) struct OpenDirectory {
    pub fd: OwnedFd,
    /// Whether it is open for more than passing through: one that we may not read is not.
    pub readable: bool,
}

impl OpenDirectory {
    /// Opens directory `name` of `dir`, never through a symlink.
    pub fn open(dir: BorrowedFd<'_>, name: &CStr) -> Result<Self> {
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
    pub(super) fn enter_directory(&mut self, job: &Job<'_>) -> Outcome {
        if self.options.follow == Follow::Always && self.ancestors.contains(&job.stat.id) {
            return self.refuse("cannot copy cyclic symbolic link {}", &[job.src.shown()]);
        }
        let fresh = job.before.is_none();
        let wanted = job.stat.mode & (Mode::PERMISSIONS | Mode::ISVTX);
        let withheld = withheld(self.options.preserve, FileType::Directory, wanted);
        if fresh {
            // Ours to fill, whatever the source's owner may do; finishing takes it back.
            let mode = (wanted - withheld) | Mode::RWXU;
            let made = sys::mkdirat(job.dst.dir, job.dst.name(), mode);
            if !self.checked("cannot create directory {}", job.dst, made) {
                return Outcome::Failed;
            }
        }
        let (dst, made) = match open_made(job.dst, fresh) {
            Ok(opened) => opened,
            Err(errno) => return self.fail("cannot access {}", job.dst, errno),
        };
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
        )
        .and_then(|src| match sys::stat_fd(src.as_fd()) {
            Ok(stat) if stat.id == job.stat.id => Ok(src),
            _ => Err(Errno::ESTALE),
        });
        match src {
            Ok(src) => {
                descent.src = Some(src);
                Outcome::Enter(descent)
            }
            Err(errno) => {
                // What is there gets its metadata all the same.
                self.finish_directory(&descent, job.dst);
                self.fail("cannot access {}", job.src, errno)
            }
        }
    }

    /// Gives a directory its times, owner and mode, after its contents. Returns whether that
    /// went well.
    pub(super) fn finish_directory(&mut self, dir: &Descent, place: Place<'_>) -> bool {
        let target = match &dir.dst {
            Some(dst) if dst.readable => Target::Open(dst.fd.as_fd()),
            _ => Target::Named(place),
        };
        let copied = Copied {
            target,
            place,
            before: dir.before,
            otherwise: dir.otherwise,
        };
        self.keep_metadata(&dir.stat, &copied)
    }
}

/// Opens a destination directory, which is `fresh` from our hands or was there.
fn open_made(dst: Place<'_>, fresh: bool) -> Result<(OpenDirectory, Stat)> {
    let mut dir = OpenDirectory::open(dst.dir, dst.name())?;
    if fresh && !dir.readable {
        // A umask that withholds permissions from the owner.
        Target::Named(dst).set_mode(Mode::RWXU)?;
        dir = OpenDirectory::open(dst.dir, dst.name())?;
    }
    let stat = sys::stat_fd(dir.fd.as_fd())?;
    Ok((dir, stat))
}
