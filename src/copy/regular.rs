//! Regular files, and what is copied as one.

use super::data::{DataError, OpenFile};
use super::engine::{Engine, Job};
use super::metadata::{Copied, PERMISSIONS, Target, withheld};
use super::plain::{self, NO_MODE};
use crate::sys::{self, AtFlags, Errno, FileType, Mode, OFlags, OwnedFd, Stat};

/// The destination, open and empty.
struct Destination {
    fd: OwnedFd,
    /// What it was before, if it existed.
    before: Option<Stat>,
    withheld: Mode,
}

impl Engine<'_> {
    /// Copies data and metadata of one file. Returns whether all went well.
    pub(super) fn copy_regular(&mut self, job: &mut Job<'_>) -> bool {
        let Some(source) = self.open_source(job) else {
            return false;
        };
        let Some(destination) = self.open_destination(job) else {
            return false;
        };
        let fd = destination.fd.as_fd();
        let to = match &destination.before {
            Some(stat) => OpenFile {
                fd,
                kind: stat.kind,
                dev: Some(stat.id.dev),
            },
            None => OpenFile {
                fd,
                kind: FileType::Regular,
                dev: job.arrival.dst_dev,
            },
        };
        let mut done = true;
        if let Err(error) = self.data.copy(source.as_fd(), &job.stat, to) {
            self.report_data(job, error);
            // GNU stops here: metadata would make a broken copy look whole.
            return false;
        }
        let otherwise = self.released(job.stat.mode, destination.withheld);
        done &= self.keep_metadata(
            &job.stat,
            &Copied {
                target: Target::Open(fd),
                path: job.dst.path,
                before: destination.before.as_ref(),
                otherwise,
            },
        );
        if let Err(errno) = destination.fd.close() {
            self.fail("failed to close {}", job.dst.path, errno);
            done = false;
        }
        done
    }

    /// Opens the source, and makes sure that it is the file that was looked at.
    fn open_source(&mut self, job: &mut Job<'_>) -> Option<OwnedFd> {
        if let Some(open) = job.open.take() {
            return Some(open);
        }
        let flags = if job.follow {
            OFlags::empty()
        } else {
            OFlags::NOFOLLOW
        };
        let open = match plain::open(job.src.dir, job.src.name, flags, NO_MODE) {
            Ok(open) => open,
            Err(errno) => {
                self.fail("cannot open {} for reading", job.src.path, errno);
                return None;
            }
        };
        match sys::stat_fd(open.as_fd()) {
            Ok(stat) if stat.id == job.stat.id => job.stat = stat,
            Ok(_) => {
                self.ui.error(
                    "skipping file {}, as it was replaced while being copied",
                    &[job.src.path],
                    None,
                );
                return None;
            }
            Err(errno) => {
                self.fail("cannot fstat {}", job.src.path, errno);
                return None;
            }
        }
        Some(open)
    }

    /// Opens the destination: the file that is there, emptied, or a new one.
    fn open_destination(&mut self, job: &Job<'_>) -> Option<Destination> {
        let opened = match job.before {
            None => self.create(job),
            Some(_) => match self.reuse(job) {
                Err(Refusal::Open(errno)) if self.options.force && errno != Errno::ENOENT => {
                    if !self.force_away(job.dst) {
                        return None;
                    }
                    self.create(job)
                }
                opened => opened,
            },
        };
        match opened {
            Ok(destination) => return Some(destination),
            Err(Refusal::Open(mut errno)) => {
                // A name that ends in a slash can only be a directory's.
                if errno == Errno::EISDIR && job.dst.path.ends_with(b"/") {
                    errno = Errno::ENOTDIR;
                }
                self.fail("cannot create regular file {}", job.dst.path, errno);
            }
            Err(Refusal::Dangling) => self.ui.error(
                "not writing through dangling symlink {}",
                &[job.dst.path],
                None,
            ),
            Err(Refusal::Same) => self.report_same(job),
        }
        None
    }

    /// Opens and empties the file that is there.
    fn reuse(&self, job: &Job<'_>) -> Result<Destination, Refusal> {
        // Found to be no symlink before: one that it is now was put there meanwhile.
        let nofollow = if job.through_link {
            OFlags::empty()
        } else {
            OFlags::NOFOLLOW
        };
        let fd = plain::open(
            job.dst.dir,
            job.dst.name,
            OFlags::WRONLY | nofollow,
            NO_MODE,
        )?;
        let stat = sys::stat_fd(fd.as_fd())?;
        // Not emptied by opening: only now it is certain that this is not the source.
        if stat.id == job.stat.id {
            return Err(Refusal::Same);
        }
        if stat.kind == FileType::Regular {
            sys::ftruncate(fd.as_fd(), 0)?;
        }
        Ok(Destination {
            fd,
            before: Some(stat),
            withheld: Mode::empty(),
        })
    }

    /// Makes a new file; whatever appears in its place meanwhile is not touched.
    fn create(&self, job: &Job<'_>) -> Result<Destination, Refusal> {
        let mode = job.stat.mode & PERMISSIONS;
        let withheld = withheld(self.options.preserve, FileType::Regular, mode);
        let flags = OFlags::WRONLY | OFlags::CREAT;
        let made = match plain::open(
            job.dst.dir,
            job.dst.name,
            flags | OFlags::EXCL,
            mode - withheld,
        ) {
            Err(Errno::EEXIST) if self.is_symlink(job) => {
                if !self.options.through_dangling {
                    return Err(Refusal::Dangling);
                }
                plain::open(job.dst.dir, job.dst.name, flags, mode - withheld)
            }
            made => made,
        };
        Ok(Destination {
            fd: made?,
            before: None,
            withheld,
        })
    }

    fn is_symlink(&self, job: &Job<'_>) -> bool {
        sys::stat_at(job.dst.dir, job.dst.name, AtFlags::SYMLINK_NOFOLLOW)
            .is_ok_and(|stat| stat.kind == FileType::Symlink)
    }

    fn report_data(&mut self, job: &Job<'_>, error: DataError) {
        match error {
            DataError::Read(errno) => self.fail("error reading {}", job.src.path, errno),
            DataError::Write(errno) => self.fail("error writing {}", job.dst.path, errno),
            DataError::Extend(errno) => self.fail("failed to extend {}", job.dst.path, errno),
            DataError::NoRing(error) => super::refusal::report(self.ui, &error),
        }
    }
}

/// Why a destination was not opened.
enum Refusal {
    Open(Errno),
    /// It is a symlink to nothing.
    Dangling,
    /// It is the source.
    Same,
}

impl From<Errno> for Refusal {
    fn from(errno: Errno) -> Self {
        Self::Open(errno)
    }
}
