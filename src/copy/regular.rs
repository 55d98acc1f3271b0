//! Regular files, and what is copied as one.

use super::engine::{Engine, Job};
use super::failure::{During, Result, Step};
use super::metadata::{Copied, Target, withheld};
use super::options::{Flags, Preserve, Reflink};
use super::plain::{self, NO_MODE};
use crate::sys::{self, AtFlags, Errno, FileType, Mode, OFlags, OwnedFd, Stat};

impl Engine<'_, '_> {
    /// Copies data and metadata of one file.
    #[inline(never)]
    pub(super) fn copy_regular(&mut self, job: &mut Job<'_>) -> Result<()> {
        let source = match job.open.take() {
            Some(open) => open,
            None => open_source(job)?,
        };
        self.data.trace.has_data = !self.options.has(Flags::ATTRIBUTES_ONLY);
        let mode = job.stat.mode & Mode::PERMISSIONS;
        let missing = withheld(self.options.preserve, FileType::Regular, mode);
        let mut opened = Step::Nothing.into();
        if job.exists {
            opened = reuse(job, !self.keeps_data());
            if let Err(failure) = opened
                && self.options.has(Flags::FORCE)
                && failure.is(Step::CreateRegular)
                && failure.errno() != Some(Errno::ENOENT)
            {
                self.remove(job)?;
                job.exists = false;
            }
        }
        if !job.exists {
            job.before = Stat {
                kind: FileType::Regular,
                ..Stat::default()
            };
            job.before.id.dev = job.dst_dev;
            opened = self.create(job, mode - missing);
        }
        let destination = opened?;
        let fd = destination.as_fd();
        if self.may_turn_up_again(job) {
            // Of an existing file that is known.
            let mut copy = job.before;
            if !job.exists {
                sys::stat_fd(fd, &mut copy).during(Step::FstatDestination)?;
            }
            job.copy = Some(copy.id);
        }
        let mut otherwise = None;
        // Extended attributes are for those who may write, but for root.
        if !job.exists
            && self.options.preserve.contains(Preserve::XATTR)
            && !mode.contains(Mode::WUSR)
            && sys::geteuid() != 0
        {
            let usual = mode - self.umask();
            // Where that is refused, attributes may be as well, and are told of then.
            if sys::fchmod(fd, (usual - missing) | Mode::WUSR).is_ok() {
                otherwise = Some(usual);
            }
        }
        // On failure GNU stops here: metadata would make a broken copy look whole.
        let (from, to) = ((source.as_fd(), &job.stat), (fd, &job.before));
        let others = self.others();
        let mut moved = Ok(());
        if !self.options.has(Flags::ATTRIBUTES_ONLY) {
            moved = self.data.copy(from, to, others);
        }
        if let Err(failure) = moved
            && failure.is(Step::Clone)
            && !job.exists
        {
            // It was made for nothing.
            self.settle(&job.shown, moved);
            let _ = sys::unlinkat(job.dst.dir, job.dst.name, AtFlags::empty());
            return Step::Told.into();
        }
        moved?;
        if !job.exists {
            otherwise = self
                .released(FileType::Regular, mode, missing)
                .or(otherwise);
        }
        let copied = Copied {
            target: Target::Open(fd),
            before: job.exists.then_some(&job.before),
            otherwise,
            source: Some(Target::Open(source.as_fd())),
            shown: &job.shown,
            lists: true,
            others: true,
        };
        let kept = self.keep_metadata(&job.stat, &copied);
        destination.close().during(Step::Close)?;
        kept
    }

    /// Whether what a file holds is not to be thrown away before its new data is there.
    fn keeps_data(&self) -> bool {
        self.options.has(Flags::ATTRIBUTES_ONLY) || self.options.reflink == Reflink::Always
    }

    /// Makes a new file; whatever appears in its place meanwhile is not touched.
    #[inline(never)]
    fn create(&self, job: &Job<'_>, mode: Mode) -> Result<OwnedFd> {
        let mut flags = OFlags::WRONLY | OFlags::CREAT | OFlags::EXCL;
        let mut opened = plain::open(job.dst.dir, job.dst.name, flags, mode);
        let mut found = Stat::default();
        if opened == Err(Errno::EEXIST)
            && job.dst.stat(AtFlags::SYMLINK_NOFOLLOW, &mut found).is_ok()
            && found.kind == FileType::Symlink
        {
            // Where all was made by this copy, it is somebody's who is not to be served.
            if job.fresh || !self.options.has(Flags::THROUGH_DANGLING) {
                return Step::Dangling.into();
            }
            flags -= OFlags::EXCL;
            opened = plain::open(job.dst.dir, job.dst.name, flags, mode);
        }
        // A name that ends in a slash can only be a directory's.
        if opened == Err(Errno::EISDIR) && job.dst_shown().ends_with(b"/") {
            opened = Err(Errno::ENOTDIR);
        }
        opened.during(Step::CreateRegular)
    }
}

/// Opens the source, and makes sure that it is the file that was looked at.
fn open_source(job: &mut Job<'_>) -> Result<OwnedFd> {
    let flags = if job.follow {
        OFlags::empty()
    } else {
        OFlags::NOFOLLOW
    };
    let open = plain::open(job.src.dir, job.src.name, flags, NO_MODE).during(Step::OpenSource)?;
    let id = job.stat.id;
    sys::stat_fd(open.as_fd(), &mut job.stat).during(Step::FstatSource)?;
    if job.stat.id == id {
        Ok(open)
    } else {
        Step::Replaced.into()
    }
}

/// Opens the file that is there, and empties it if it is `to_empty`.
fn reuse(job: &mut Job<'_>, to_empty: bool) -> Result<OwnedFd> {
    // Found to be no symlink before: one that it is now was put there meanwhile.
    let follow = if job.through_link {
        OFlags::empty()
    } else {
        OFlags::NOFOLLOW
    };
    let fd = plain::open(job.dst.dir, job.dst.name, OFlags::WRONLY | follow, NO_MODE)
        .during(Step::CreateRegular)?;
    sys::stat_fd(fd.as_fd(), &mut job.before).during(Step::FstatDestination)?;
    // Not emptied by opening: only now it is certain that this is not the source.
    if job.before.id == job.stat.id {
        return Step::SameFile.into();
    }
    if job.before.kind == FileType::Regular && to_empty {
        sys::ftruncate(fd.as_fd(), 0).during(Step::Truncate)?;
    }
    Ok(fd)
}
