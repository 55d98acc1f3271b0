//! Directories: making the copy, opening both sides, and finishing once the contents are done.

use super::engine::{Engine, Job, Outcome};
use super::metadata::{Copied, PERMISSIONS, Target, withheld};
use super::options::Follow;
use super::path::Place;
use super::plain::{self, NO_MODE};
use super::walk::Descent;
use crate::sys::{self, BorrowedFd, Errno, FileType, Mode, OFlags, OwnedFd, Result, Stat};

/// A destination directory, open.
#[derive(Debug)]
pub(super) struct OpenDirectory {
    pub fd: OwnedFd,
    /// Whether it is open for more than passing through: a directory that we may not read is.
    pub readable: bool,
}

impl OpenDirectory {
    /// Opens directory `name` of `dir`, never through a symlink.
    pub fn open(dir: BorrowedFd<'_>, name: &core::ffi::CStr) -> Result<Self> {
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW;
        match plain::open(dir, name, flags, NO_MODE) {
            Ok(fd) => Ok(Self { fd, readable: true }),
            Err(Errno::EACCES) => {
                plain::open(dir, name, flags | OFlags::PATH, NO_MODE).map(|fd| Self {
                    fd,
                    readable: false,
                })
            }
            Err(errno) => Err(errno),
        }
    }
}

impl Engine<'_> {
    /// Makes the destination directory, or takes the one that is there, and opens both sides.
    pub(super) fn enter_directory(&mut self, job: &Job<'_>) -> Outcome {
        if self.options.follow == Follow::Always && self.ancestors.contains(&job.stat.id) {
            self.ui
                .error("cannot copy cyclic symbolic link {}", &[job.src.path], None);
            return Outcome::Failed;
        }
        let fresh = job.before.is_none();
        if fresh {
            // Ours to fill, whatever the source's owner may do; finishing takes it back.
            let mode = job.stat.mode & (PERMISSIONS | Mode::ISVTX);
            let mode =
                (mode - withheld(self.options.preserve, FileType::Directory, mode)) | Mode::RWXU;
            if let Err(errno) = sys::mkdirat(job.dst.dir, job.dst.name, mode) {
                self.fail("cannot create directory {}", job.dst.path, errno);
                return Outcome::Failed;
            }
        }
        let Some((dst, made)) = self.open_made(job.dst, fresh) else {
            return Outcome::Failed;
        };
        if fresh {
            if self.first_made.is_none() {
                self.first_made = Some(made.id);
            }
            if self.options.verbose {
                self.say_copied(job);
            }
        }
        let descent = Descent {
            stat: job.stat,
            before: job.before,
            made,
            src: None,
            dst: Some(dst),
        };
        let nofollow = if job.follow {
            OFlags::empty()
        } else {
            OFlags::NOFOLLOW
        };
        match plain::open(
            job.src.dir,
            job.src.name,
            OFlags::DIRECTORY | nofollow,
            NO_MODE,
        ) {
            Ok(src) if sys::stat_fd(src.as_fd()).is_ok_and(|s| s.id == job.stat.id) => {
                Outcome::Enter(Descent {
                    src: Some(src),
                    ..descent
                })
            }
            opened => {
                // What is there gets its metadata all the same.
                self.fail(
                    "cannot access {}",
                    job.src.path,
                    opened.err().unwrap_or(Errno::ESTALE),
                );
                self.finish_directory(&descent, job.dst);
                Outcome::Failed
            }
        }
    }

    fn open_made(&mut self, dst: Place<'_>, fresh: bool) -> Option<(OpenDirectory, Stat)> {
        let opened = match OpenDirectory::open(dst.dir, dst.name) {
            // A umask that withholds permissions from the owner.
            Ok(OpenDirectory {
                readable: false, ..
            }) if fresh => Target::Named(dst)
                .set_mode(Mode::RWXU)
                .and_then(|()| OpenDirectory::open(dst.dir, dst.name)),
            opened => opened,
        };
        let opened = opened.and_then(|dir| sys::stat_fd(dir.fd.as_fd()).map(|stat| (dir, stat)));
        match opened {
            Ok(opened) => Some(opened),
            Err(errno) => {
                self.fail("cannot access {}", dst.path, errno);
                None
            }
        }
    }

    /// Gives a directory its times, owner and mode, after its contents. Returns whether that
    /// went well.
    pub(super) fn finish_directory(&mut self, descent: &Descent, dst: Place<'_>) -> bool {
        let target = match &descent.dst {
            Some(dir) if dir.readable => Target::Open(dir.fd.as_fd()),
            _ => Target::Named(dst),
        };
        let otherwise = if descent.before.is_none() {
            self.mode_of_new(descent)
        } else {
            None
        };
        self.keep_metadata(
            &descent.stat,
            &Copied {
                target,
                path: dst.path,
                before: descent.before.as_ref(),
                otherwise,
            },
        )
    }

    /// The mode of a new directory where modes are not kept: the source's as far as the umask
    /// lets it, and what the kernel added (setgid from the parent). `None` if it has it.
    fn mode_of_new(&mut self, descent: &Descent) -> Option<Mode> {
        let (wanted, made) = (descent.stat.mode & PERMISSIONS, descent.made.mode);
        let withheld = withheld(self.options.preserve, FileType::Directory, wanted);
        if withheld.is_empty() && wanted.contains(Mode::RWXU) {
            return None;
        }
        let umask = self.umask();
        let given = made - (Mode::RWXU - wanted);
        let mode = given | (withheld - umask);
        (mode != made).then_some(mode)
    }
}
