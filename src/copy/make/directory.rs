//! Directories: making the copy, opening both sides, and finishing once the contents are done.

use core::ffi::CStr;

use crate::copy::attributes::{self, KEPT_IN_ATTRIBUTES, withheld};
use crate::copy::entry::Name;
use crate::copy::handle::NO_WAY;
use crate::copy::options::Flags;
use crate::copy::outcome::{Stop, Unmade};
use crate::copy::path::{Place, open_parent};
use crate::copy::plan::Plan;
use crate::copy::seen::Role;
use crate::copy::target::{Copied, Target};
use crate::copy::tree::level::{Directory, open_same};
use crate::copy::worker::Worker;
use crate::data::plain::{self, NO_MODE};
use crate::report::{Failure, Message};
use crate::sys::{self, BorrowedFd, CWD, FileType, Mode, OFlags, OwnedFd, Stat};

/// How a destination directory is come by.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// It is there.
    pub exists: bool,
    /// By a symlink.
    pub is_followed: bool,
    /// A new one's mode, as far as the umask lets it have that.
    pub mode: Mode,
    /// Permissions that it has only once it is finished.
    pub withheld: Mode,
    /// It leads to an operand.
    pub is_parent: bool,
}

/// A destination directory, open for passing through.
#[derive(Debug)]
pub struct Opened {
    /// It.
    pub dst: OwnedFd,
    /// Its metadata.
    pub dst_stat: Stat,
    /// The mode that it gets when it is finished, where modes are not kept, if it is to change.
    pub later_mode: Option<Mode>,
}

/// Makes the destination directory, or takes the one that is there, and opens both sides. Where the
/// source cannot be opened, that is told: what was made gets its metadata all the same.
///
/// # Errors
/// Where there is no destination.
pub fn enter(worker: &mut Worker<'_>, name: &Name<'_>, plan: Plan) -> Result<Directory, Unmade> {
    let (entry, source) = (name.entry, &name.source);
    let exists = plan.is_reused;
    let mode = source.stat.mode;
    let wanted = Wanted {
        exists,
        is_followed: exists && name.occupant.through().is_some(),
        mode,
        withheld: withheld(worker.options().preserve, FileType::Directory, mode),
        is_parent: false,
    };
    let opened = make(worker, &entry.dst, &wanted)?;
    if !exists {
        // What is below it can only be reached through it, or through symlinks.
        if entry.is_operand || !entry.is_in_new_directory() {
            let seen = &worker.shared.seen;
            seen.remember(Role::Made, &opened.dst_stat.id, b"");
        }
        worker.say_verbosely(Message::Copied, &entry.shown);
    }
    let follow = if source.is_followed {
        OFlags::empty()
    } else {
        OFlags::NOFOLLOW
    };
    let src = open_same(entry.src.dir, entry.src.name, follow, &source.stat.id);
    if let Err(errno) = src {
        worker.tell(Failure::new(Message::AccessSource, errno), &entry.shown);
    }
    // A mount point, but not one that was asked for.
    let above = entry
        .above
        .last()
        .and_then(|level| level.dir.src_stat.as_ref());
    let is_exhausted = worker.options().has(Flags::ONE_FILE_SYSTEM)
        && !entry.is_operand
        && above.is_none_or(|above| above.id.dev != source.stat.id.dev);
    Ok(Directory {
        src: src.ok(),
        dst: Some(opened.dst),
        src_stat: Some(source.stat),
        dst_stat: Some(opened.dst_stat),
        existed: exists,
        later_mode: opened.later_mode,
        is_exhausted,
        ..Directory::default()
    })
}

/// Makes a directory where none is, and opens it.
///
/// # Errors
/// Those of `mkdirat`; what makes it impossible to pass through.
pub fn make(worker: &mut Worker<'_>, dst: &Place<'_>, wanted: &Wanted) -> Result<Opened, Unmade> {
    let Wanted { mode, withheld, .. } = *wanted;
    let mode = mode & (Mode::PERMISSIONS | Mode::ISVTX);
    if !wanted.exists {
        let message = if wanted.is_parent {
            Message::MakeParent
        } else {
            Message::CreateDirectory
        };
        // Ours to fill, whatever the source's owner may do; finishing takes it back.
        sys::mkdirat(dst.dir, dst.name, (mode - withheld) | Mode::RWXU)
            .map_err(|errno| Unmade::by_making(message, errno))?;
    }
    let (dst, dst_stat) =
        open(dst, wanted).map_err(|errno| Failure::new(Message::AccessDestination, errno))?;
    let later_mode = if wanted.exists {
        None
    } else {
        let kernel = dst_stat.mode;
        attributes::of_new_directory(worker, wanted.is_parent, mode, withheld, kernel)
    };
    Ok(Opened {
        dst,
        dst_stat,
        later_mode,
    })
}

/// Opens the destination directory, and looks at it. It is passed through only: one that may not
/// be read can be filled all the same.
fn open(dst: &Place<'_>, wanted: &Wanted) -> sys::Result<(OwnedFd, Stat)> {
    let mut flags = OFlags::DIRECTORY | OFlags::PATH;
    if !wanted.is_followed {
        flags |= OFlags::NOFOLLOW;
    }
    let made = plain::open(dst.dir, dst.name, flags, NO_MODE)?;
    let stat = sys::stat_fd(made.as_fd())?;
    // A umask may withhold from the owner what it takes to fill it.
    if !wanted.exists && !stat.mode.contains(Mode::RWXU) {
        let usable = stat.mode | Mode::RWXU;
        Target::Handle(made.as_fd())
            .set_mode(usable)
            .or_else(|_| Target::Named(&itself(made.as_fd())).set_mode(usable))?;
    }
    Ok((made, stat))
}

/// Gives a directory, whose destination is open as `dst`, times, owner and mode of `src_stat`, after
/// its contents. By descriptor, so that what was put in its place meanwhile gets nothing; by one that
/// only stands for it where it cannot be read. Both paths are given, and as `name` the source's as
/// calls get it.
///
/// # Errors
/// Those of [`attributes::keep`].
pub fn finish(
    worker: &mut Worker<'_>,
    dir: &Directory,
    src_stat: &Stat,
    dst: BorrowedFd<'_>,
    name: &CStr,
    shown: &[&[u8]; 2],
) -> Result<(), Stop> {
    let target = if dir.is_readable {
        Target::Open(dst)
    } else {
        Target::Handle(dst)
    };
    let parent;
    let mut src = Place { dir: CWD, name };
    let mut source = dir.src.as_ref().map(|fd| Target::Open(fd.as_fd()));
    if source.is_none()
        && worker.options().preserve.intersects(KEPT_IN_ATTRIBUTES)
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
    let copied = Copied {
        target,
        is_symlink: false,
        before: dir.dst_stat.as_ref().filter(|_| dir.existed),
        mode: dir.later_mode,
        source,
        shown,
        lists: true,
        others: !dir.is_parent,
    };
    match attributes::keep(worker, src_stat, &copied) {
        Err(Stop::Failed(failure)) if !dir.is_readable && failure.errno == Some(NO_WAY) => {
            let itself = itself(dst);
            let copied = Copied {
                target: Target::Named(&itself),
                ..copied
            };
            attributes::keep(worker, src_stat, &copied)
        }
        kept => kept,
    }
}

/// A directory's name for itself, which is no other's, for those who may search it.
const fn itself(dir: BorrowedFd<'_>) -> Place<'_> {
    Place { dir, name: c"." }
}
