//! Directories: making the copy, opening both sides, and finishing once the contents are done.

use core::ffi::CStr;

use super::engine::{Engine, Job};
use super::failure::{During, Result, Step};
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
    pub(super) fn enter_directory(&mut self, job: &mut Job<'_>) -> Result<()> {
        if self.options.follow == Follow::Always && self.ancestors.contains(&job.stat.id) {
            return Step::Cyclic.into();
        }
        let wanted = job.stat.mode & (Mode::PERMISSIONS | Mode::ISVTX);
        let withheld = withheld(self.options.preserve, FileType::Directory, wanted);
        let before = job.exists.then(|| Before::from(&job.before));
        if !job.exists {
            // Ours to fill, whatever the source's owner may do; finishing takes it back.
            let mode = (wanted - withheld) | Mode::RWXU;
            sys::mkdirat(job.dst.dir, job.dst.name(), mode).during(Step::CreateDirectory)?;
        }
        let (dst, locked) = open_made(job).during(Step::AccessDestination)?;
        let mut otherwise = None;
        if !job.exists {
            self.first_made.get_or_insert(job.before.id);
            if self.options.verbose {
                self.say_copied(job);
            }
            // What the source has as far as the umask lets it, and what the kernel added
            // (setgid from the parent).
            if locked || !withheld.is_empty() || !wanted.contains(Mode::RWXU) {
                let given = (wanted & Mode::RWXU) | withheld;
                let kernels = job.before.mode - Mode::RWXU;
                otherwise = Some(kernels | (given - self.umask()));
            }
        }
        let dir = job.entered.insert(Descent {
            stat: job.stat,
            made: job.before.id,
            before,
            otherwise,
            src: None,
            dst: Some(dst),
        });
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
        );
        let mut now = Stat::default();
        match src.and_then(|src| sys::stat_fd(src.as_fd(), &mut now).map(|()| src)) {
            Ok(src) if now.id == job.stat.id => {
                dir.src = Some(src);
                Ok(())
            }
            src => {
                // What was made gets its metadata all the same: entered, and found empty.
                src.and(Err(Errno::ESTALE)).during(Step::AccessSource)
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

/// Opens the destination directory, and looks at it afresh. Tells, too, whether it had to be
/// unlocked first: a umask may withhold permissions from the owner.
fn open_made(job: &mut Job<'_>) -> sys::Result<(OpenDirectory, bool)> {
    let dst = job.dst;
    let mut dir = OpenDirectory::open(dst.dir, dst.name())?;
    let locked = !job.exists && !dir.readable;
    if locked {
        Target::Named(dst).set_mode(Mode::RWXU)?;
        dir = OpenDirectory::open(dst.dir, dst.name())?;
    }
    sys::stat_fd(dir.fd.as_fd(), &mut job.before)?;
    Ok((dir, locked))
}
