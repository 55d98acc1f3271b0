//! Regular files, and what is copied as one.

use super::data::{DataError, OpenFile};
use super::engine::{Engine, Job};
use super::metadata::{Before, Copied, Target, withheld};
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
                dev: stat.id.dev,
            },
            None => OpenFile {
                fd,
                kind: FileType::Regular,
                dev: job.arrival.dst_dev,
            },
        };
        if let Err(error) = self.data.copy(source.as_fd(), &job.stat, to) {
            self.report_data(job, error);
            // GNU stops here: metadata would make a broken copy look whole.
            return false;
        }
        let copied = Copied {
            target: Target::Open(fd),
            place: job.dst,
            before: destination.before.as_ref().map(Before::from),
            otherwise: self.released(job.stat.mode, destination.withheld),
        };
        let kept = self.keep_metadata(&job.stat, &copied);
        let closed = destination.fd.close();
        self.checked("failed to close {}", job.dst, closed) && kept
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
        let open = match plain::open(job.src.dir, job.src.name(), flags, NO_MODE) {
            Ok(open) => open,
            Err(errno) => {
                self.fail("cannot open {} for reading", job.src, errno);
                return None;
            }
        };
        match sys::stat_fd(open.as_fd()) {
            Ok(stat) if stat.id == job.stat.id => job.stat = stat,
            Ok(_) => {
                let names = [job.src.shown()];
                self.refuse(
                    "skipping file {}, as it was replaced while being copied",
                    &names,
                );
                return None;
            }
            Err(errno) => {
                self.fail("cannot fstat {}", job.src, errno);
                return None;
            }
        }
        Some(open)
    }

    /// Opens the destination: the file that is there, emptied, or a new one.
    fn open_destination(&mut self, job: &Job<'_>) -> Option<Destination> {
        let mut opened = if job.before.is_some() {
            reuse(job)
        } else {
            self.create(job)
        };
        if let Err(Refusal::Open(errno)) = opened
            && job.before.is_some()
            && self.options.force
            && errno != Errno::ENOENT
        {
            if !self.remove(job.dst) {
                return None;
            }
            opened = self.create(job);
        }
        match opened {
            Ok(destination) => return Some(destination),
            Err(Refusal::Open(mut errno)) => {
                // A name that ends in a slash can only be a directory's.
                if errno == Errno::EISDIR && job.dst.shown().ends_with(b"/") {
                    errno = Errno::ENOTDIR;
                }
                self.fail("cannot create regular file {}", job.dst, errno)
            }
            Err(Refusal::Dangling) => self.refuse(
                "not writing through dangling symlink {}",
                &[job.dst.shown()],
            ),
            Err(Refusal::Same) => self.report_same(job),
        };
        None
    }

    /// Makes a new file; whatever appears in its place meanwhile is not touched.
    fn create(&self, job: &Job<'_>) -> Result<Destination, Refusal> {
        let mode = job.stat.mode & Mode::PERMISSIONS;
        let withheld = withheld(self.options.preserve, FileType::Regular, mode);
        let open = |more| {
            let flags = OFlags::WRONLY | OFlags::CREAT | more;
            plain::open(job.dst.dir, job.dst.name(), flags, mode - withheld)
        };
        let mut made = open(OFlags::EXCL);
        if made == Err(Errno::EEXIST) && is_symlink(job) {
            if !self.options.through_dangling {
                return Err(Refusal::Dangling);
            }
            made = open(OFlags::empty());
        }
        Ok(Destination {
            fd: made?,
            before: None,
            withheld,
        })
    }

    fn report_data(&mut self, job: &Job<'_>, error: DataError) {
        match error {
            DataError::Read(errno) => self.fail("error reading {}", job.src, errno),
            DataError::Write(errno) => self.fail("error writing {}", job.dst, errno),
            DataError::Extend(errno) => self.fail("failed to extend {}", job.dst, errno),
            DataError::NoRing(error) => return super::refusal::report(self.ui, &error),
        };
    }
}

/// Opens and empties the file that is there.
fn reuse(job: &Job<'_>) -> Result<Destination, Refusal> {
    // Found to be no symlink before: one that it is now was put there meanwhile.
    let follow = if job.through_link {
        OFlags::empty()
    } else {
        OFlags::NOFOLLOW
    };
    let fd = plain::open(
        job.dst.dir,
        job.dst.name(),
        OFlags::WRONLY | follow,
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

fn is_symlink(job: &Job<'_>) -> bool {
    sys::stat_at(job.dst.dir, job.dst.name(), AtFlags::SYMLINK_NOFOLLOW)
        .is_ok_and(|stat| stat.kind == FileType::Symlink)
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
