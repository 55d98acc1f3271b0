//! Copying one name: what is there, what is in the way, and who takes it from here.

use alloc::vec::Vec;

use super::data::DataMover;
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
pub struct Engine<'ui> {
    pub(super) options: Options,
    pub(super) ui: &'ui mut dyn Ui,
    pub(super) data: DataMover,
    /// The directory that operands' destinations are relative to, and its path as messages
    /// show it, empty for the working directory.
    pub(super) root: BorrowedFd<'ui>,
    pub(super) root_path: &'ui [u8],
    /// Copied files that may turn up again under another name, with their copy's path.
    pub(super) links: FileTable,
    /// Source files given as operands.
    sources: FileTable,
    /// What operands were copied to.
    created: FileTable,
    /// Whether several operands go to one directory, so that they may meet there.
    pub(super) many: bool,
    /// The directory that the present operand's copy began with.
    pub(super) first_made: Option<FileId>,
    /// The present operand and its copy.
    pub(super) top: (Vec<u8>, Vec<u8>),
    /// The source directories that the walk is in.
    pub(super) ancestors: Vec<FileId>,
    pub(super) walk: Walk,
    umask: Option<Mode>,
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
    /// The device of the directory it goes to, where known.
    pub dst_dev: Option<u64>,
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

/// What to do about a destination that exists.
enum Obstacle {
    /// It is written into.
    Reuse,
    /// It was removed.
    Removed,
    /// The source is not copied, and that is right.
    Skip,
    /// The source cannot be copied; a message was given.
    Fail,
}

/// A name on its way through the engine.
pub(super) struct Job<'a> {
    pub src: Place<'a>,
    pub dst: Place<'a>,
    pub arrival: Arrival,
    /// The source's metadata.
    pub stat: Stat,
    /// The source, where it is open already.
    pub open: Option<OwnedFd>,
    /// What is in the destination's place; `None` if nothing is.
    pub before: Option<Stat>,
    /// That is a symlink to what [`Self::before`] describes.
    pub through_link: bool,
    /// Whether symlinks are followed for this name.
    pub follow: bool,
}

impl Job<'_> {
    pub fn kind(&self) -> FileType {
        self.stat.kind
    }
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

    /// Says what went wrong with one name.
    pub(super) fn fail(&mut self, template: &str, path: &[u8], errno: Errno) {
        self.ui.error(template, &[path], Some(errno));
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
        let follow = match self.options.follow {
            Follow::Never => false,
            Follow::Operands => arrival.operand,
            Follow::Always => true,
        };
        let Some((stat, open)) = self.look_at(src, arrival, follow) else {
            return Outcome::Failed;
        };
        let mut job = Job {
            src,
            dst,
            arrival,
            stat,
            open,
            before: None,
            through_link: false,
            follow,
        };
        if job.kind() == FileType::Directory {
            if !self.options.recursive {
                self.ui
                    .error("-r not specified; omitting directory {}", &[src.path], None);
                return Outcome::Failed;
            }
        } else if arrival.operand && self.many && self.given_before(&job) {
            return Outcome::Done;
        }
        match self.clear_the_way(&mut job) {
            Obstacle::Reuse => {}
            Obstacle::Removed => job.before = None,
            Obstacle::Skip => return Outcome::Done,
            Obstacle::Fail => return Outcome::Failed,
        }
        let outcome = self.make(&mut job);
        if arrival.operand
            && self.many
            && !matches!(outcome, Outcome::Failed)
            && let Ok(made) = sys::stat_at(dst.dir, dst.name, AtFlags::SYMLINK_NOFOLLOW)
        {
            self.created.insert(made.id, dst.path);
        }
        outcome
    }

    /// The source's metadata and, for what a directory says is a regular file, the source
    /// itself: opened first, it costs one look-up instead of two.
    fn look_at(
        &mut self,
        src: Place<'_>,
        arrival: Arrival,
        follow: bool,
    ) -> Option<(Stat, Option<OwnedFd>)> {
        if arrival.kind == FileType::Regular {
            // What the directory said may be outdated. NONBLOCK, NOCTTY: nothing happens if
            // this is a FIFO or a terminal by now.
            let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
            if let Ok(open) = super::plain::open(src.dir, src.name, flags, NO_MODE)
                && let Ok(stat) = sys::stat_fd(open.as_fd())
                && stat.kind == FileType::Regular
            {
                return Some((stat, Some(open)));
            }
        }
        let flags = if follow {
            AtFlags::empty()
        } else {
            AtFlags::SYMLINK_NOFOLLOW
        };
        match sys::stat_at(src.dir, src.name, flags) {
            Ok(stat) => Some((stat, None)),
            Err(errno) => {
                self.fail("cannot stat {}", src.path, errno);
                None
            }
        }
    }

    /// Whether this file was an operand before, under the same name; remembers it.
    fn given_before(&mut self, job: &Job<'_>) -> bool {
        let id = job.stat.id;
        let given = self
            .sources
            .find(id)
            .any(|path| same_spelling(path, job.src.path));
        if given {
            self.ui.warning(
                "warning: source file {} specified more than once",
                &[job.src.path],
                None,
            );
        } else {
            self.sources.insert(id, job.src.path);
        }
        given
    }

    /// Looks at what is in the destination's place, and decides what to do about it.
    fn clear_the_way(&mut self, job: &mut Job<'_>) -> Obstacle {
        // A regular file can only be made, not overwrite anything, where nothing was found.
        if job.arrival.fresh || (job.arrival.absent && job.kind() == FileType::Regular) {
            return Obstacle::Reuse;
        }
        match sys::stat_at(job.dst.dir, job.dst.name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) => job.before = Some(found),
            Err(Errno::ENOENT) => return Obstacle::Reuse,
            Err(errno) => {
                self.fail("cannot stat {}", job.dst.path, errno);
                return Obstacle::Fail;
            }
        }
        let is_link = job.before.is_some_and(|b| b.kind == FileType::Symlink);
        if is_link && self.refuses_made_link(job) {
            return Obstacle::Fail;
        }
        // What is written as a regular file is written through symlinks.
        if is_link && self.copies_as_regular(job.kind()) {
            job.through_link = true;
            match sys::stat_at(job.dst.dir, job.dst.name, AtFlags::empty()) {
                Ok(found) => job.before = Some(found),
                // Dangling: opening it decides.
                Err(Errno::ENOENT) => {
                    job.before = None;
                    return Obstacle::Reuse;
                }
                // A loop is in the way like any file that cannot be opened.
                Err(Errno::ELOOP) if self.options.force => {}
                Err(errno) => {
                    self.fail("cannot stat {}", job.dst.path, errno);
                    return Obstacle::Fail;
                }
            }
        }
        let Some(before) = job.before else {
            return Obstacle::Reuse;
        };
        if let Some(verdict) = self.same_file(job, &before) {
            return verdict;
        }
        self.weigh(job, &before)
    }

    /// Whether a name of type `kind` is read and written as data.
    fn copies_as_regular(&self, kind: FileType) -> bool {
        match kind {
            FileType::Regular => true,
            FileType::Directory | FileType::Symlink => false,
            _ => !self.options.recursive,
        }
    }

    /// Refuses to write through a symlink that an earlier operand was copied to: its target
    /// may be anything.
    fn refuses_made_link(&mut self, job: &Job<'_>) -> bool {
        let Some(found) = job.before else {
            return false;
        };
        let made = job.arrival.operand && self.created.find(found.id).any(|p| p == job.dst.path);
        if made {
            self.ui.error(
                "will not copy {} through just-created symlink {}",
                &[job.src.path, job.dst.path],
                None,
            );
        }
        made
    }

    /// Whether source and destination are one file, and what follows; `None` if they are two.
    fn same_file(&mut self, job: &Job<'_>, before: &Stat) -> Option<Obstacle> {
        let links = [job.kind(), before.kind].map(|kind| kind == FileType::Symlink);
        let same = match links {
            // A symlink and, perhaps, what it points to, which it must not replace.
            [true, false] | [false, true] => same_target(job.src, job.dst),
            _ => before.id == job.stat.id,
        };
        if !same {
            return None;
        }
        if links == [true, true] && !same_entry(job.src, job.dst) {
            return Some(Obstacle::Skip); // one symlink under two names: nothing to do
        }
        self.report_same(job);
        Some(Obstacle::Fail)
    }

    pub(super) fn report_same(&mut self, job: &Job<'_>) {
        self.ui.error(
            "{} and {} are the same file",
            &[job.src.path, job.dst.path],
            None,
        );
    }

    /// Decides about a destination that exists and is another file.
    fn weigh(&mut self, job: &Job<'_>, before: &Stat) -> Obstacle {
        let (kind, in_the_way) = (job.kind(), before.kind);
        if kind != FileType::Directory && self.options.no_clobber {
            return Obstacle::Skip;
        }
        if in_the_way == FileType::Directory {
            if kind == FileType::Directory {
                return Obstacle::Reuse;
            }
            self.ui.error(
                "cannot overwrite directory {} with non-directory",
                &[job.dst.path],
                None,
            );
            return Obstacle::Fail;
        }
        if kind == FileType::Directory {
            self.refuse_overwrite("cannot overwrite non-directory {} with directory {}", job);
            return Obstacle::Fail;
        }
        if job.arrival.operand && self.created.find(before.id).any(|p| p == job.dst.path) {
            self.refuse_overwrite("will not overwrite just-created {} with {}", job);
            return Obstacle::Fail;
        }
        // A further link to a file that keeps its links, and what is not written as data,
        // give way to a new file.
        let shared = self.options.preserve.contains(Preserve::LINKS) && before.nlink > 1;
        let replaced = !job.follow && kind != FileType::Regular;
        if shared || replaced {
            self.remove(job.dst)
        } else {
            Obstacle::Reuse
        }
    }

    fn refuse_overwrite(&mut self, template: &str, job: &Job<'_>) {
        self.ui.error(template, &[job.dst.path, job.src.path], None);
    }

    fn remove(&mut self, dst: Place<'_>) -> Obstacle {
        match sys::unlinkat(dst.dir, dst.name, AtFlags::empty()) {
            Ok(()) => {
                if self.options.verbose {
                    self.ui.say("removed {}", &[dst.path]);
                }
                Obstacle::Removed
            }
            Err(Errno::ENOENT) => Obstacle::Removed,
            Err(errno) => {
                self.fail("cannot remove {}", dst.path, errno);
                Obstacle::Fail
            }
        }
    }

    /// Removes a destination that could not be opened (`-f`).
    pub(super) fn force_away(&mut self, dst: Place<'_>) -> bool {
        matches!(self.remove(dst), Obstacle::Removed)
    }

    /// Makes the copy, now that the way is clear.
    fn make(&mut self, job: &mut Job<'_>) -> Outcome {
        let kind = job.kind();
        if self.options.verbose && kind != FileType::Directory {
            self.say_copied(job);
        }
        if let Some(outcome) = self.link_to_earlier(job) {
            return outcome;
        }
        let done = if self.copies_as_regular(kind) {
            self.copy_regular(job)
        } else {
            match kind {
                FileType::Directory => return self.enter_directory(job),
                FileType::Symlink => self.copy_symlink(job),
                FileType::Unknown => {
                    self.ui
                        .error("{} has unknown file type", &[job.src.path], None);
                    false
                }
                _ => self.copy_node(job),
            }
        };
        if done { Outcome::Done } else { Outcome::Failed }
    }

    pub(super) fn say_copied(&mut self, job: &Job<'_>) {
        self.ui.say("{} -> {}", &[job.src.path, job.dst.path]);
    }
}

/// Whether two operands are one path but for slashes at the end.
fn same_spelling(a: &[u8], b: &[u8]) -> bool {
    trim_slashes(a) == trim_slashes(b)
}

/// Whether two places lead to one file, symlinks followed.
fn same_target(a: Place<'_>, b: Place<'_>) -> bool {
    let id = |place: Place<'_>| {
        sys::stat_at(place.dir, place.name, AtFlags::empty()).map(|stat| stat.id)
    };
    matches!((id(a), id(b)), (Ok(a), Ok(b)) if a == b)
}

/// Whether two places are the same entry of the same directory.
fn same_entry(a: Place<'_>, b: Place<'_>) -> bool {
    let split = |place: Place<'_>| {
        let name = trim_slashes(place.name.to_bytes());
        let at = name
            .iter()
            .rposition(|&byte| byte == b'/')
            .map_or(0, |slash| slash + 1);
        let mut parent = name.get(..at).unwrap_or_default().to_vec();
        parent.extend_from_slice(b".\0");
        let last = name.get(at..).unwrap_or_default().to_vec();
        let parent = core::ffi::CStr::from_bytes_until_nul(&parent).ok()?;
        Some((
            sys::stat_at(place.dir, parent, AtFlags::empty()).ok()?.id,
            last,
        ))
    };
    match (split(a), split(b)) {
        (Some(a), Some(b)) => a == b,
        _ => false,
    }
}
