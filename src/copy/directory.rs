//! Directories: making the copy, opening both sides, and finishing once the contents are done.

use super::engine::{Engine, Job};
use super::handle;
use super::metadata::{Copied, KEPT_IN_ATTRIBUTES, Target, withheld};
use super::options::{Flags, Preserve};
use super::path::{Place, open_parent};
use super::table::Role;
use super::walk::{Level, Walk, open_same};
use crate::data::plain::{self, NO_MODE};
use crate::report::{During, Message, Result};
use crate::sys::{self, BorrowedFd, CWD, FileType, Mode, OFlags};

impl Engine<'_> {
    /// Makes the destination directory, or takes the one that is there, and opens both sides.
    pub(super) fn enter_directory(&mut self, job: &mut Job<'_>) -> Result<()> {
        let withheld = withheld(self.options.preserve, FileType::Directory, job.stat.mode);
        self.make_directory(job, withheld, Message::CreateDirectory)?;
        if !job.exists {
            // Whoever comes to what is below it comes by it, but for symlinks.
            if job.operand || !job.fresh {
                self.shared.remember(Role::Made, &job.before.id, b"");
            }
            if self.options.has(Flags::VERBOSE) {
                self.say_copied(job);
            }
        }
        // A mount point, but not one that was asked for.
        let outer = job.outer.last().map(|outer| outer.stat.id.dev);
        job.shallow = self.options.has(Flags::ONE_FILE_SYSTEM)
            && !job.operand
            && outer != Some(job.stat.id.dev);
        let follow = if job.follow {
            OFlags::empty()
        } else {
            OFlags::NOFOLLOW
        };
        // What was made gets its metadata all the same: entered, and found empty.
        let src = open_same(job.src.dir, job.src.name, follow, &job.stat.id);
        job.open = Some(src.during(Message::AccessSource)?);
        Ok(())
    }

    /// Makes the destination directory where none is, and opens it.
    pub(super) fn make_directory(
        &mut self,
        job: &mut Job<'_>,
        withheld: Mode,
        step: Message,
    ) -> Result<()> {
        let wanted = job.stat.mode & (Mode::PERMISSIONS | Mode::ISVTX);
        if !job.exists {
            // Ours to fill, whatever the source's owner may do; finishing takes it back.
            let mode = (wanted - withheld) | Mode::RWXU;
            sys::mkdirat(job.dst.dir, job.dst.name, mode).during(step)?;
        }
        open_made(job).during(Message::AccessDestination)?;
        if !job.exists {
            // What the source has as far as the umask or the parent's default access list lets
            // it, and what the kernel added (setgid from the parent).
            let kernels = job.before.mode;
            if self.options.preserve.contains(Preserve::NO_MODE) && step == Message::CreateDirectory
            {
                // As GNU cp, which sets a mode where the directory around it has setgid, and
                // elsewhere an access list.
                let mut inherited = kernels & Mode::ISGID;
                if inherited.is_empty() {
                    inherited = kernels & Mode::ISVTX;
                }
                job.otherwise = self.released(FileType::Directory, inherited, withheld);
            } else {
                let given = kernels & (wanted | !Mode::RWXU);
                let mode = given | (withheld - self.umask());
                // Not needlessly: it takes setgid away where the group is not the user's.
                if mode != kernels || !kernels.contains(Mode::RWXU) {
                    job.otherwise = Some(mode);
                }
            }
        }
        Ok(())
    }

    /// Gives a directory that the walk's paths stand at, open as `dir`, its times, owner and mode,
    /// after its contents. By descriptor, so that what was put in its place meanwhile gets nothing;
    /// by one that only stands for it where it cannot be read.
    pub(super) fn finish_directory(
        &mut self,
        walk: &Walk,
        level: &Level,
        dir: BorrowedFd<'_>,
    ) -> Result<()> {
        let shown = walk.shown();
        let target = if level.is_readable {
            Target::Open(dir)
        } else {
            Target::Handle(dir)
        };
        let parent;
        let mut src = walk.src.place(CWD);
        let mut source = level.src.as_ref().map(|fd| Target::Open(fd.as_fd()));
        if source.is_none()
            && self.options.preserve.intersects(KEPT_IN_ATTRIBUTES)
            // Closed meanwhile, or it could not be opened.
            && let Ok(opened) = open_parent(CWD, shown[0])
        {
            parent = opened;
            // An operand's name is all of its path.
            if src.name.count_bytes() < shown[0].len() {
                src.dir = parent.as_fd();
            }
            source = Some(Target::Named(&src));
        }
        let mut copied = Copied {
            target,
            before: level.existed.then_some(&level.before),
            otherwise: level.otherwise,
            source,
            shown: &shown,
            lists: true,
            others: !level.is_parent,
        };
        let finished = self.keep_metadata(&level.stat, &copied);
        if let (Err(failure), Target::Handle(_)) = (finished, target)
            && failure.errno == Some(handle::NO_WAY)
        {
            let itself = itself(dir);
            copied.target = Target::Named(&itself);
            return self.keep_metadata(&level.stat, &copied);
        }
        finished
    }
}

/// Opens the destination directory, and looks at it afresh. It is passed through only: one
/// that may not be read can be filled all the same.
fn open_made(job: &mut Job<'_>) -> sys::Result<()> {
    let dst = job.dst;
    let mut flags = OFlags::DIRECTORY | OFlags::PATH;
    if !job.through_link {
        flags |= OFlags::NOFOLLOW;
    }
    let made = plain::open(dst.dir, dst.name, flags, NO_MODE)?;
    sys::stat_fd(made.as_fd(), &mut job.before)?;
    // A umask may withhold from the owner what it takes to fill it.
    if !job.exists && !job.before.mode.contains(Mode::RWXU) {
        let usable = job.before.mode | Mode::RWXU;
        Target::Handle(made.as_fd())
            .set_mode(usable)
            .or_else(|_| Target::Named(&itself(made.as_fd())).set_mode(usable))?;
    }
    job.made = Some(made);
    Ok(())
}

/// A directory's name for itself, which is no other's, for those who may search it.
const fn itself(dir: BorrowedFd<'_>) -> Place<'_> {
    Place { dir, name: c"." }
}
