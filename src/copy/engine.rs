//! Copying one name: what is there, what is in the way, and who takes it from here.

use alloc::vec::Vec;

use super::data::DataMover;
use super::failure::{During, Failure, Result, Step};
use super::options::{Follow, Options, Preserve};
use super::path::{Place, trim_slashes};
use super::plain::NO_MODE;
use super::table::FileTable;
use super::ui::Ui;
use super::walk::{Descent, Walk};
use crate::sys::{
    self, AtFlags, BorrowedFd, CWD, Errno, FileId, FileType, Mode, OFlags, OwnedFd, Stat,
};

/// What lasts from operand to operand.
///
/// In this order, small and often used first: what lies within 128 bytes of the start takes
/// three bytes less to address.
#[repr(C)]
pub struct Engine<'ui> {
    pub(super) options: Options,
    /// Whether several operands go to one directory, so that they may meet there.
    pub(super) many: bool,
    pub(super) ui: &'ui mut dyn Ui,
    /// The directory that operands' destinations are relative to, and its path as messages
    /// show it, empty for the working directory.
    pub(super) root: BorrowedFd<'ui>,
    pub(super) root_path: &'ui [u8],
    umask: Option<Mode>,
    /// The directory that the present operand's copy began with.
    pub(super) first_made: Option<FileId>,
    /// The source directories that the walk is in.
    pub(super) ancestors: Vec<FileId>,
    /// Copied files that may turn up again under another name, with their copy's path.
    pub(super) links: FileTable,
    /// Source files given as operands.
    sources: FileTable,
    /// What operands were copied to.
    created: FileTable,
    /// The present operand and its copy.
    pub(super) top: (Vec<u8>, Vec<u8>),
    pub(super) data: DataMover,
    pub(super) walk: Walk,
}

/// How a name was come by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrival {
    /// It is an operand.
    pub operand: bool,
    /// Its type as the directory gave it.
    pub kind: FileType,
    /// The directory it goes to was made by this copy: nothing can be in the way.
    pub fresh: bool,
    /// Nothing was found at the destination, symlinks followed.
    pub absent: bool,
    /// The device of the directory it goes to, or 0 where it is not known.
    pub dst_dev: u64,
}

/// What came of a name.
pub(super) enum Outcome {
    /// Copied, or rightly left alone.
    Done,
    /// Not copied; a message was given.
    Failed,
    /// A directory whose contents are next.
    Enter(Descent),
}

/// A name on its way through the engine.
#[repr(C)]
pub(super) struct Job<'a> {
    /// Whether symlinks are followed for this name.
    pub follow: bool,
    /// The destination is a symlink to what [`Self::before`] describes.
    pub through_link: bool,
    pub arrival: Arrival,
    /// The source, where it is open already.
    pub open: Option<OwnedFd>,
    pub src: Place<'a>,
    pub dst: Place<'a>,
    /// The source's metadata.
    pub stat: Stat,
    /// What is in the destination's place; `None` if nothing is.
    pub before: Option<Stat>,
}

impl<'ui> Engine<'ui> {
    /// An engine that works by `options` and speaks through `ui`.
    pub fn new(options: Options, ui: &'ui mut dyn Ui) -> Self {
        Self {
            options,
            ui,
            data: DataMover::new(options.io),
            root: CWD,
            root_path: b"",
            links: FileTable::new(),
            sources: FileTable::new(),
            created: FileTable::new(),
            many: false,
            first_made: None,
            top: (Vec::new(), Vec::new()),
            ancestors: Vec::new(),
            walk: Walk::default(),
            umask: None,
        }
    }

    /// Makes destinations relative to `dir`, which messages show as `path`. With `many`, so
    /// many operands go there that they may meet.
    pub const fn into_directory(&mut self, dir: BorrowedFd<'ui>, path: &'ui [u8], many: bool) {
        self.root = dir;
        self.root_path = path;
        self.many = many;
    }

    /// Begins with an operand.
    pub(super) fn begin(&mut self, src: &[u8], dst: &[u8]) {
        self.first_made = None;
        self.top.0.clear();
        self.top.0.extend_from_slice(src);
        self.top.1.clear();
        self.top.1.extend_from_slice(dst);
    }

    /// Says what went wrong with one name. Always false: it was not copied.
    #[inline(never)]
    pub(super) fn report(&mut self, src: Place<'_>, dst: Place<'_>, failure: Failure) -> bool {
        if let Some(message) = failure.step.message() {
            self.ui
                .error(message, &[src.shown(), dst.shown()], failure.errno);
        }
        false
    }

    /// The process's umask, which can be read only by setting it.
    pub(super) fn umask(&mut self) -> Mode {
        *self.umask.get_or_insert_with(|| {
            let mask = sys::umask(NO_MODE);
            sys::umask(mask);
            mask
        })
    }

    /// Copies `src` to `dst`; a directory's contents are left to the caller.
    pub(super) fn copy_name(
        &mut self,
        src: Place<'_>,
        dst: Place<'_>,
        arrival: Arrival,
    ) -> Outcome {
        self.try_copy(src, dst, arrival).unwrap_or_else(|failure| {
            self.report(src, dst, failure);
            Outcome::Failed
        })
    }

    fn try_copy(&mut self, src: Place<'_>, dst: Place<'_>, arrival: Arrival) -> Result<Outcome> {
        let follow = match self.options.follow {
            Follow::Never => false,
            Follow::Operands => arrival.operand,
            Follow::Always => true,
        };
        let (stat, open) = look_at(src, arrival, follow).during(Step::StatSource)?;
        let mut job = Job {
            follow,
            through_link: false,
            arrival,
            open,
            src,
            dst,
            stat,
            before: None,
        };
        if stat.kind == FileType::Directory {
            if !self.options.recursive {
                return Step::OmitDirectory.into();
            }
        } else if arrival.operand && self.many && self.given_before(&job) {
            return Ok(Outcome::Done);
        }
        if self.clear_the_way(&mut job)? {
            return Ok(Outcome::Done);
        }
        if self.options.verbose && stat.kind != FileType::Directory {
            self.say_copied(&job);
        }
        let outcome = self.make(&mut job)?;
        if arrival.operand
            && self.many
            && let Ok(made) = sys::stat_at(dst.dir, dst.name(), AtFlags::SYMLINK_NOFOLLOW)
        {
            self.created.insert(made.id, dst.shown());
        }
        Ok(outcome)
    }

    /// Whether this file was an operand before, under the same name; remembers it.
    fn given_before(&mut self, job: &Job<'_>) -> bool {
        let path = trim_slashes(job.src.shown());
        let given = self.sources.find(job.stat.id, Some(path)).is_some();
        if given {
            let names = [job.src.shown()];
            self.ui.warning(
                "warning: source file {0} specified more than once",
                &names,
                None,
            );
        } else {
            self.sources.insert(job.stat.id, path);
        }
        given
    }

    /// Looks at what is in the destination's place, and removes it if it must go; what is to
    /// be written into stays in the job's `before`. Returns whether the name is rightly not
    /// copied.
    #[inline(never)]
    fn clear_the_way(&mut self, job: &mut Job<'_>) -> Result<bool> {
        // A regular file can only be made, not overwrite anything, where nothing was found.
        if job.arrival.fresh || (job.arrival.absent && job.stat.kind == FileType::Regular) {
            return Ok(false);
        }
        let mut found = sys::stat_at(job.dst.dir, job.dst.name(), AtFlags::SYMLINK_NOFOLLOW);
        if let Ok(link) = &found
            && link.kind == FileType::Symlink
        {
            if self.made_here(job, link) {
                return Step::ThroughCreated.into();
            }
            // What is written as a regular file is written through symlinks.
            job.through_link = self.copies_as_regular(job.stat.kind);
        }
        if job.through_link {
            let through = sys::stat_at(job.dst.dir, job.dst.name(), AtFlags::empty());
            // A loop is in the way like any file that cannot be opened.
            if !(self.options.force && matches!(through, Err(Errno::ELOOP))) {
                found = through;
            }
        }
        // Of a dangling symlink, too, opening it decides.
        if matches!(found, Err(Errno::ENOENT)) {
            return Ok(false);
        }
        let found = found.during(Step::StatDestination)?;
        job.before = Some(found);
        if same_file(job, &found) {
            // One symlink under two names: nothing to do.
            let nothing = job.stat.kind == FileType::Symlink && found.nlink > 1;
            return if nothing {
                Ok(true)
            } else {
                Step::SameFile.into()
            };
        }
        self.weigh(job, &found)
    }

    /// Whether an earlier operand was copied to this operand's destination, `found`.
    fn made_here(&self, job: &Job<'_>, found: &Stat) -> bool {
        job.arrival.operand && self.created.find(found.id, Some(job.dst.shown())).is_some()
    }

    /// Whether a name of type `kind` is read and written as data.
    const fn copies_as_regular(&self, kind: FileType) -> bool {
        match kind {
            FileType::Regular => true,
            FileType::Directory | FileType::Symlink => false,
            _ => !self.options.recursive,
        }
    }

    /// As [`Self::clear_the_way`], for a destination that exists and is another file.
    fn weigh(&mut self, job: &mut Job<'_>, before: &Stat) -> Result<bool> {
        let directory = job.stat.kind == FileType::Directory;
        if !directory && self.options.no_clobber {
            return Ok(true);
        }
        if before.kind == FileType::Directory {
            return if directory {
                Ok(false)
            } else {
                Step::DirectoryByNonDirectory.into()
            };
        }
        if directory {
            return Step::NonDirectoryByDirectory.into();
        }
        if self.made_here(job, before) {
            return Step::JustCreated.into();
        }
        // A further link to a file that keeps its links, and what is not written as data,
        // give way to a new file.
        let shared = self.options.preserve.contains(Preserve::LINKS) && before.nlink > 1;
        if shared || (!job.follow && job.stat.kind != FileType::Regular) {
            job.before = None;
            self.remove(job.dst)?;
        }
        Ok(false)
    }

    /// Removes what is in the way.
    #[inline(never)]
    pub(super) fn remove(&mut self, dst: Place<'_>) -> Result<()> {
        match sys::unlinkat(dst.dir, dst.name(), AtFlags::empty()) {
            Err(Errno::ENOENT) => Ok(()),
            removed => {
                if removed.is_ok() && self.options.verbose {
                    self.ui.say("removed {0}", &[dst.shown()]);
                }
                removed.during(Step::Remove)
            }
        }
    }

    /// Makes the copy, now that the way is clear.
    fn make(&mut self, job: &mut Job<'_>) -> Result<Outcome> {
        let kind = job.stat.kind;
        if kind == FileType::Directory {
            if self.meet_directory(job)? {
                return Ok(Outcome::Done);
            }
            return self.enter_directory(job).map(Outcome::Enter);
        }
        if self.link_to_earlier(job)? {
            return Ok(Outcome::Done);
        }
        match kind {
            FileType::Symlink => self.copy_symlink(job),
            _ if self.copies_as_regular(kind) => self.copy_regular(job),
            FileType::Unknown => Step::UnknownType.into(),
            _ => self.copy_node(job),
        }?;
        Ok(Outcome::Done)
    }

    pub(super) fn say_copied(&mut self, job: &Job<'_>) {
        self.ui
            .say("{0} -> {1}", &[job.src.shown(), job.dst.shown()]);
    }
}

/// The source's metadata and, for what a directory says is a regular file, the source itself:
/// opened first, it costs one look-up instead of two.
fn look_at(src: Place<'_>, arrival: Arrival, follow: bool) -> sys::Result<(Stat, Option<OwnedFd>)> {
    if arrival.kind == FileType::Regular {
        // What the directory said may be outdated. NONBLOCK, NOCTTY: nothing happens if this
        // is a FIFO or a terminal by now.
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
        if let Ok(open) = super::plain::open(src.dir, src.name(), flags, NO_MODE)
            && let Ok(stat) = sys::stat_fd(open.as_fd())
            && stat.kind == FileType::Regular
        {
            return Ok((stat, Some(open)));
        }
    }
    let flags = if follow {
        AtFlags::empty()
    } else {
        AtFlags::SYMLINK_NOFOLLOW
    };
    Ok((sys::stat_at(src.dir, src.name(), flags)?, None))
}

/// Whether the source is `found` at the destination, under whatever name.
fn same_file(job: &Job<'_>, found: &Stat) -> bool {
    if (job.stat.kind == FileType::Symlink) == (found.kind == FileType::Symlink) {
        return found.id == job.stat.id;
    }
    // A symlink and, perhaps, what it points to, which it must not replace.
    let [a, b] =
        [job.src, job.dst].map(|place| sys::stat_at(place.dir, place.name(), AtFlags::empty()));
    matches!((a, b), (Ok(a), Ok(b)) if a.id == b.id)
}
