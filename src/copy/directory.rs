//! Directories: making the copy, opening both sides, and finishing once the contents are done.

use core::sync::atomic::Ordering;

use super::engine::{Engine, Job};
use super::failure::{During, Result, Step};
use super::metadata::{Before, Copied, Target, withheld};
use super::options::Follow;
use super::path::Place;
use super::plain::{self, NO_MODE};
use super::table::Role;
use super::walk::{Level, open_same};
use crate::sys::{self, BorrowedFd, FileType, Mode, OFlags};

impl Engine<'_, '_> {
    /// Makes the destination directory, or takes the one that is there, and opens both sides.
    #[inline(never)]
    pub(super) fn enter_directory(&mut self, job: &mut Job<'_>) -> Result<()> {
        if self.options.follow == Follow::Always {
            let id = job.stat.id;
            if job.outer.iter().any(|level| level.stat.id == id) {
                return Step::Cyclic.into();
            }
        }
        let wanted = job.stat.mode & (Mode::PERMISSIONS | Mode::ISVTX);
        let withheld = withheld(self.options.preserve, FileType::Directory, wanted);
        if !job.exists {
            // Ours to fill, whatever the source's owner may do; finishing takes it back.
            let mode = (wanted - withheld) | Mode::RWXU;
            sys::mkdirat(job.dst.dir, job.dst.name(), mode).during(Step::CreateDirectory)?;
        }
        open_made(job).during(Step::AccessDestination)?;
        if !job.exists {
            // Relaxed: the table, under its lock, is what counts.
            if !self.shared.made_any.swap(true, Ordering::Relaxed) {
                self.shared.met().insert(Role::Made, &job.before.id, b"");
            }
            if self.options.verbose {
                self.say_copied(job);
            }
            // What the source has as far as the umask lets it, and what the kernel added
            // (setgid from the parent).
            let kernels = job.before.mode;
            if !withheld.is_empty() || !(wanted & kernels).contains(Mode::RWXU) {
                let given = (wanted & Mode::RWXU) | withheld;
                job.otherwise = Some((kernels - Mode::RWXU) | (given - self.umask()));
            }
        }
        let follow = if job.follow {
            OFlags::empty()
        } else {
            OFlags::NOFOLLOW
        };
        // What was made gets its metadata all the same: entered, and found empty.
        let src = open_same(job.src.dir, job.src.name(), follow, &job.stat.id);
        job.open = Some(src.during(Step::AccessSource)?);
        Ok(())
    }

    /// Gives a directory, open as `dir`, its times, owner and mode, after its contents. Its
    /// `place` is relative to no directory yet if it `has_parent` that is not open.
    pub(super) fn finish_directory(
        &mut self,
        level: &Level,
        dir: BorrowedFd<'_>,
        place: Place<'_>,
        has_parent: bool,
    ) -> Result<()> {
        // By descriptor, so that a symlink put in its place meanwhile gets nothing; by name
        // only if it cannot be read, for all that can be done through a name safely.
        let open = plain::open(dir, c".", OFlags::DIRECTORY, NO_MODE);
        let parent;
        let target = match &open {
            Ok(fd) => Target::Open(fd.as_fd()),
            Err(_) if !has_parent => Target::Named(place),
            Err(_) => {
                let flags = OFlags::DIRECTORY | OFlags::PATH;
                parent = plain::open(dir, c"..", flags, NO_MODE).during(Step::AccessDestination)?;
                Target::Named(place.within(parent.as_fd()))
            }
        };
        let copied = Copied {
            target,
            before: level.existed.then(|| Before::from(&level.before)),
            otherwise: level.otherwise,
        };
        self.keep_metadata(&level.stat, &copied)
    }
}

/// Opens the destination directory, and looks at it afresh. It is passed through only: one
/// that may not be read can be filled all the same.
fn open_made(job: &mut Job<'_>) -> sys::Result<()> {
    let dst = job.dst;
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::PATH;
    let made = plain::open(dst.dir, dst.name(), flags, NO_MODE)?;
    sys::stat_fd(made.as_fd(), &mut job.before)?;
    // A umask may withhold from the owner what it takes to fill it.
    if !job.exists && !job.before.mode.contains(Mode::RWXU) {
        Target::Named(dst).set_mode(job.before.mode | Mode::RWXU)?;
    }
    job.made = Some(made);
    Ok(())
}
