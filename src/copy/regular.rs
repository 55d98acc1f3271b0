//! Regular files, and what is copied as one.

use super::data::OpenFile;
use super::engine::{Engine, Job};
use super::failure::{During, Result, Step};
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
    /// Copies data and metadata of one file.
    #[inline(never)]
    pub(super) fn copy_regular(&mut self, job: &mut Job<'_>) -> Result<()> {
        let source = match job.open.take() {
            Some(open) => open,
            None => open_source(job)?,
        };
        let destination = self.open_destination(job)?;
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
        // On failure GNU stops here: metadata would make a broken copy look whole.
        self.data.copy(source.as_fd(), &job.stat, to, self.ui)?;
        let copied = Copied {
            target: Target::Open(fd),
            before: destination.before.as_ref().map(Before::from),
            otherwise: self.released(job.stat.mode, destination.withheld),
        };
        let kept = self.keep_metadata(&job.stat, &copied);
        destination.fd.close().during(Step::Close)?;
        kept
    }

    /// Opens the destination: the file that is there, emptied, or a new one.
    fn open_destination(&mut self, job: &Job<'_>) -> Result<Destination> {
        if job.before.is_none() {
            return self.create(job);
        }
        match reuse(job) {
            Err(failure)
                if self.options.force
                    && failure.step == Step::CreateRegular
                    && failure.errno != Some(Errno::ENOENT) =>
            {
                self.remove(job.dst)?;
                self.create(job)
            }
            reused => reused,
        }
    }

    /// Makes a new file; whatever appears in its place meanwhile is not touched.
    #[inline(never)]
    fn create(&self, job: &Job<'_>) -> Result<Destination> {
        let mode = job.stat.mode & Mode::PERMISSIONS;
        let withheld = withheld(self.options.preserve, FileType::Regular, mode);
        let mut flags = OFlags::WRONLY | OFlags::CREAT | OFlags::EXCL;
        loop {
            let made = plain::open(job.dst.dir, job.dst.name(), flags, mode - withheld);
            match made {
                Err(Errno::EEXIST) if flags.contains(OFlags::EXCL) && is_symlink(job) => {
                    if !self.options.through_dangling {
                        return Step::Dangling.into();
                    }
                    flags -= OFlags::EXCL;
                }
                // A name that ends in a slash can only be a directory's.
                Err(Errno::EISDIR) if job.dst.shown().ends_with(b"/") => {
                    return Err(Errno::ENOTDIR).during(Step::CreateRegular);
                }
                made => {
                    let fd = made.during(Step::CreateRegular)?;
                    return Ok(Destination {
                        fd,
                        before: None,
                        withheld,
                    });
                }
            }
        }
    }
}

/// Opens the source, and makes sure that it is the file that was looked at.
fn open_source(job: &mut Job<'_>) -> Result<OwnedFd> {
    let flags = if job.follow {
        OFlags::empty()
    } else {
        OFlags::NOFOLLOW
    };
    let open = plain::open(job.src.dir, job.src.name(), flags, NO_MODE).during(Step::OpenSource)?;
    let stat = sys::stat_fd(open.as_fd()).during(Step::FstatSource)?;
    if stat.id != job.stat.id {
        return Step::Replaced.into();
    }
    job.stat = stat;
    Ok(open)
}

/// Opens and empties the file that is there.
fn reuse(job: &Job<'_>) -> Result<Destination> {
    // Found to be no symlink before: one that it is now was put there meanwhile.
    let follow = if job.through_link {
        OFlags::empty()
    } else {
        OFlags::NOFOLLOW
    };
    let open = || {
        let fd = plain::open(
            job.dst.dir,
            job.dst.name(),
            OFlags::WRONLY | follow,
            NO_MODE,
        )?;
        let stat = sys::stat_fd(fd.as_fd())?;
        // Not emptied by opening: only now it is certain that this is not the source.
        if stat.kind == FileType::Regular && stat.id != job.stat.id {
            sys::ftruncate(fd.as_fd(), 0)?;
        }
        Ok((fd, stat))
    };
    let (fd, stat) = open().during(Step::CreateRegular)?;
    if stat.id == job.stat.id {
        return Step::SameFile.into();
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
