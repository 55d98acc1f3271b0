//! Regular files, and what is copied as one.

use super::engine::{Engine, Job};
use super::held::{self, Held};
use super::metadata::{Copied, Target, withheld};
use super::options::{Flags, Preserve};
use crate::data::mover::Incomplete;
use crate::data::plain;
use crate::data::wish::Reflink;
use crate::report::{During, Message, Result};
use crate::sys::{self, AtFlags, BorrowedFd, Errno, FileType, Mode, OFlags, OwnedFd, Stat};

impl Engine<'_> {
    /// Copies data and metadata of one file.
    pub(super) fn copy_regular(&mut self, job: &mut Job<'_>) -> Result<()> {
        let source = self.open_source(job)?;
        self.data.trace.has_data = !self.options.has(Flags::ATTRIBUTES_ONLY);
        let copied = self.copy_from(job, source.as_fd());
        self.close(job, source, Message::CloseSource, copied)
    }

    fn copy_from(&mut self, job: &mut Job<'_>, source: BorrowedFd<'_>) -> Result<()> {
        let mode = job.stat.mode & Mode::PERMISSIONS;
        let missing = withheld(self.options.preserve, FileType::Regular, mode);
        let destination = self.open_destination(job, mode - missing)?;
        let copied = self.fill(job, source, destination.as_fd(), missing);
        self.close(job, destination, Message::Close, copied)
    }

    /// Closes a file with which all went as `so_far`, and says it where both fail: some file
    /// systems tell only now that a write was lost.
    fn close(&self, job: &Job<'_>, file: OwnedFd, step: Message, so_far: Result<()>) -> Result<()> {
        match file.close().during(step) {
            Ok(()) => so_far,
            failed => {
                self.settle(&job.shown, so_far);
                failed
            }
        }
    }

    /// Opens the source, and makes sure that it is the file that was looked at.
    fn open_source(&mut self, job: &mut Job<'_>) -> Result<OwnedFd> {
        if let Some(open) = job.open.take() {
            return Ok(open);
        }
        if job.backed_up || self.options.has(Flags::INTERACTIVE) {
            hold_again(job)?;
        }
        if let Some(held) = job.held.take() {
            match self.opener.open(&held, OFlags::RDONLY) {
                Err(Errno::EMFILE) => {}
                opened => return opened.during(Message::OpenSource),
            }
        }
        let looked_at = job.stat;
        let open = held::open_named(&job.src, job.follow, &looked_at, OFlags::RDONLY)
            .during(Message::OpenSource)?;
        sys::stat_fd(open.as_fd(), &mut job.stat).during(Message::FstatSource)?;
        if job.stat.id == looked_at.id {
            Ok(open)
        } else {
            Message::Replaced.into()
        }
    }

    /// Opens the file that is there, or a new one with that `mode`.
    fn open_destination(&mut self, job: &mut Job<'_>, mode: Mode) -> Result<OwnedFd> {
        if job.exists {
            let opened = self.reuse(job);
            match opened {
                Err(failure) if failure.is(Message::CreateRegular) => match failure.errno {
                    // Gone; or the others are about this process, and a new file could not be
                    // opened either.
                    Some(Errno::ENOENT | Errno::EMFILE | Errno::ENFILE | Errno::ENOMEM) => {
                        return opened;
                    }
                    _ if self.options.has(Flags::FORCE) => self.remove(job)?,
                    _ => return opened,
                },
                _ => return opened,
            }
            job.exists = false;
        }
        job.before = Stat {
            kind: FileType::Regular,
            ..Stat::default()
        };
        job.before.id.dev = job.dst_dev;
        self.create(job, mode)
    }

    /// Opens the file that is there, and empties it where its data is to be replaced.
    fn reuse(&mut self, job: &mut Job<'_>) -> Result<OwnedFd> {
        let looked_at = job.before.id;
        // Found to be no symlink before: one that it is now was put there meanwhile.
        let held = held::hold(&job.dst, job.through_link, &mut job.before);
        let held = held.during(Message::CreateRegular)?;
        // Not emptied by opening: only now it is certain that this is not the source.
        if job.before.id == job.stat.id {
            return Message::SameFile.into();
        }
        let is_regular = job.before.kind == FileType::Regular;
        // Another file may have taken its name. A FIFO or a device was not there before.
        if !is_regular && job.before.id != looked_at {
            return Err(Errno::ESTALE).during(Message::CreateRegular);
        }
        let mut opened = self.opener.open(&held, OFlags::WRONLY);
        let mut held = Some(held);
        if opened == Err(Errno::EMFILE) {
            held = None;
            opened = open_old(job, OFlags::WRONLY);
        }
        // What it holds may be needed, until blocks are shared.
        let keeps_data =
            self.options.has(Flags::ATTRIBUTES_ONLY) || self.options.reflink == Reflink::Always;
        if is_regular && !keeps_data {
            opened = opened
                .and_then(|file| sys::ftruncate(file.as_fd(), 0).map(|()| file))
                .or_else(|refused| self.open_emptied(job, held, refused));
        }
        opened.during(Message::CreateRegular)
    }

    /// Empties the destination by opening it, where another way was `refused`: some file systems
    /// (S3 buckets) know no other way to write to a file that is there.
    fn open_emptied(
        &mut self,
        job: &Job<'_>,
        held: Option<Held>,
        refused: Errno,
    ) -> sys::Result<OwnedFd> {
        let flags = OFlags::WRONLY | OFlags::TRUNC;
        if let Some(held) = held {
            match self.opener.open(&held, flags) {
                Err(Errno::EMFILE) => {}
                opened => return opened,
            }
        }
        // By name only where no name can be the source's: on another device than that.
        let is_elsewhere = !job.through_link && job.before.id.dev != job.stat.id.dev;
        if is_elsewhere && refused != Errno::ESTALE {
            open_old(job, flags)
        } else {
            Err(refused)
        }
    }

    /// Gives an open destination the source's data and metadata. It was made without the
    /// `missing` permissions, if this copy made it.
    fn fill(
        &mut self,
        job: &mut Job<'_>,
        source: BorrowedFd<'_>,
        fd: BorrowedFd<'_>,
        missing: Mode,
    ) -> Result<()> {
        let mode = job.stat.mode & Mode::PERMISSIONS;
        if self.may_turn_up_again(job) {
            // Of an existing file that is known.
            let mut copy = job.before;
            if !job.exists {
                sys::stat_fd(fd, &mut copy).during(Message::FstatDestination)?;
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
        let (from, to) = ((source, &job.stat), (fd, &job.before));
        let mut moved = Ok(());
        if !self.options.has(Flags::ATTRIBUTES_ONLY) {
            if job.stat.kind == FileType::Regular {
                self.data_opened = true;
                self.shared.progress.open(job.stat.size_bytes, true);
            }
            moved = self.data.copy(from, to);
        }
        self.clean_up(job, fd, moved)?;
        if !job.exists {
            otherwise = self
                .released(FileType::Regular, mode, missing)
                .or(otherwise);
        }
        let copied = Copied {
            target: Target::Open(fd),
            before: job.exists.then_some(&job.before),
            otherwise,
            source: Some(Target::Open(source)),
            shown: &job.shown,
            lists: true,
            others: true,
        };
        self.keep_metadata(&job.stat, &copied)
    }

    /// Deals with what is left of data that was not `moved` as a whole.
    fn clean_up(
        &mut self,
        job: &Job<'_>,
        fd: BorrowedFd<'_>,
        moved: core::result::Result<(), Incomplete>,
    ) -> Result<()> {
        let (why, errno, has_gaps) = match moved {
            Ok(()) => return Ok(()),
            Err(Incomplete::Prefix(failure)) => {
                if failure.is(Message::Clone) && !job.exists {
                    // It was made for nothing.
                    self.settle(&job.shown, Err(failure));
                    remove_made(job, fd)?;
                    return Message::Told.into();
                }
                return Err(failure);
            }
            Err(Incomplete::Uncut {
                why,
                errno,
                has_gaps,
            }) => (why, errno, has_gaps),
        };
        self.settle(&job.shown, why.map_or(Ok(()), Err));
        let mut step = Message::Truncate;
        if has_gaps {
            step = Message::LeaveGaps;
            // Nothing is better than what looks like the file and is not.
            if !job.exists {
                let removed = remove_made(job, fd);
                if removed == Ok(true) {
                    step = Message::RemoveGaps;
                }
                self.settle(&job.shown, removed.map(drop));
            }
        }
        Err(errno).during(step)
    }

    /// Makes a new file; whatever appears in its place meanwhile is not touched.
    fn create(&self, job: &Job<'_>, mode: Mode) -> Result<OwnedFd> {
        let open = |flags| plain::open(job.dst.dir, job.dst.name, flags, mode);
        let flags = OFlags::WRONLY | OFlags::CREAT;
        let mut opened = open(flags | OFlags::EXCL);
        let mut found = Stat::default();
        if opened == Err(Errno::EEXIST)
            && job.dst.stat(AtFlags::SYMLINK_NOFOLLOW, &mut found).is_ok()
            && found.kind == FileType::Symlink
        {
            // Where all was made by this copy, it is somebody's who is not to be served.
            if job.fresh || !self.options.has(Flags::THROUGH_DANGLING) {
                return Message::Dangling.into();
            }
            // What it leads to was not there when it was looked at.
            opened = open(flags | OFlags::NONBLOCK | OFlags::NOCTTY).and_then(if_regular);
        }
        // A name that ends in a slash can only be a directory's.
        if opened == Err(Errno::EISDIR) && job.dst_shown().ends_with(b"/") {
            opened = Err(Errno::ENOTDIR);
        }
        opened.during(Message::CreateRegular)
    }
}

/// Looks once more whether the source's name leads to what is held: much may have happened while
/// an answer was awaited, and as GNU cp nothing is to be found where the way to it led by what
/// has just been moved out of the way.
fn hold_again(job: &mut Job<'_>) -> Result<()> {
    if job.held.take().is_some() {
        let looked_at = job.stat.id;
        let held = held::hold(&job.src, job.follow, &mut job.stat).during(Message::OpenSource)?;
        if job.stat.id != looked_at {
            return Message::Replaced.into();
        }
        job.held = Some(held);
    }
    Ok(())
}

/// Opens the destination by its name, if it is the file that [`Job::before`] tells of.
fn open_old(job: &Job<'_>, flags: OFlags) -> sys::Result<OwnedFd> {
    let open = held::open_named(&job.dst, job.through_link, &job.before, flags)?;
    let mut found = Stat::default();
    sys::stat_fd(open.as_fd(), &mut found)?;
    if found.id == job.before.id {
        Ok(open)
    } else {
        Err(Errno::ESTALE)
    }
}

/// A file that was opened, if it is a regular one.
fn if_regular(file: OwnedFd) -> sys::Result<OwnedFd> {
    let mut stat = Stat::default();
    sys::stat_fd(file.as_fd(), &mut stat)?;
    if stat.kind == FileType::Regular {
        Ok(file)
    } else {
        Err(Errno::ESTALE)
    }
}

/// Removes the file `fd` that this copy has made. Returns whether it did: its name may be another
/// file's by now.
fn remove_made(job: &Job<'_>, fd: BorrowedFd<'_>) -> Result<bool> {
    let (mut made, mut named) = (Stat::default(), Stat::default());
    let looked = sys::stat_fd(fd, &mut made)
        .and_then(|()| job.dst.stat(AtFlags::SYMLINK_NOFOLLOW, &mut named));
    if looked == Err(Errno::ENOENT) || (looked.is_ok() && named.id != made.id) {
        return Ok(false);
    }
    looked
        .and_then(|()| sys::unlinkat(job.dst.dir, job.dst.name, AtFlags::empty()))
        .during(Message::Remove)?;
    Ok(true)
}
