//! Directories: making the copy, opening both sides, and finishing once the contents are done.

use core::ffi::CStr;

use super::engine::{Engine, Job};
use super::handle;
use super::metadata::{Copied, KEPT_IN_ATTRIBUTES, Target, withheld};
use super::options::{Flags, Preserve};
use super::path::{Place, open_parent};
use super::table::Role;
use super::tree::level::{Directory, open_same};
use crate::data::plain::{self, NO_MODE};
use crate::report::{During, Message, Result};
use crate::sys::{self, BorrowedFd, CWD, FileType, Mode, OFlags};

/// Makes the destination directory, or takes the one that is there, and opens both sides.
pub(super) fn enter(engine: &mut Engine<'_>, job: &mut Job<'_>) -> Result<()> {
    let withheld = withheld(engine.options.preserve, FileType::Directory, job.stat.mode);
    make(engine, job, withheld, Message::CreateDirectory)?;
    if !job.exists {
        // What is below it can only be reached through it, or through symlinks.
        if job.operand || !job.fresh {
            engine.shared.remember(Role::Made, &job.before.id, b"");
        }
        if engine.options.has(Flags::VERBOSE) {
            engine.say_copied(job);
        }
    }
    // A mount point, but not one that was asked for.
    let outer = job.outer.last().map(|outer| outer.stat.id.dev);
    job.shallow = engine.options.has(Flags::ONE_FILE_SYSTEM)
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
pub(super) fn make(
    engine: &mut Engine<'_>,
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
        if engine.options.preserve.contains(Preserve::NO_MODE) && step == Message::CreateDirectory {
            // As GNU cp, which sets a mode where the directory around it has setgid, and
            // elsewhere an access list.
            let mut inherited = kernels & Mode::ISGID;
            if inherited.is_empty() {
                inherited = kernels & Mode::ISVTX;
            }
            job.later_mode = engine.released(FileType::Directory, inherited, withheld);
        } else {
            let given = kernels & (wanted | !Mode::RWXU);
            let mode = given | (withheld - engine.umask());
            // Not needlessly: it takes setgid away where the group is not the user's.
            if mode != kernels || !kernels.contains(Mode::RWXU) {
                job.later_mode = Some(mode);
            }
        }
    }
    Ok(())
}

/// Gives a directory, whose destination is open as `dst`, its times, owner and mode, after its
/// contents. By descriptor, so that what was put in its place meanwhile gets nothing; by one that
/// only stands for it where it cannot be read. Both paths are given, and as `name` the source's as
/// calls get it.
pub(super) fn finish(
    engine: &mut Engine<'_>,
    dir: &Directory,
    dst: BorrowedFd<'_>,
    name: &CStr,
    shown: &[&[u8]; 2],
) -> Result<()> {
    let target = if dir.is_readable {
        Target::Open(dst)
    } else {
        Target::Handle(dst)
    };
    let parent;
    let mut src = Place { dir: CWD, name };
    let mut source = dir.src.as_ref().map(|fd| Target::Open(fd.as_fd()));
    if source.is_none()
        && engine.options.preserve.intersects(KEPT_IN_ATTRIBUTES)
        // Closed meanwhile, or it could not be opened.
        && let Ok(opened) = open_parent(CWD, shown[0])
    {
        parent = opened;
        // An operand's name is all of its path.
        if name.count_bytes() < shown[0].len() {
            src.dir = parent.as_fd();
        }
        source = Some(Target::Named(&src));
    }
    let mut copied = Copied {
        target,
        before: dir.existed.then_some(&dir.dst_stat),
        otherwise: dir.later_mode,
        source,
        shown,
        lists: true,
        others: !dir.is_parent(),
    };
    let finished = engine.keep_metadata(&dir.src_stat, &copied);
    if let (Err(failure), Target::Handle(_)) = (finished, target)
        && failure.errno == Some(handle::NO_WAY)
    {
        let itself = itself(dst);
        copied.target = Target::Named(&itself);
        return engine.keep_metadata(&dir.src_stat, &copied);
    }
    finished
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
