//! Copying one name: what is there, what is in the way, and who takes it from here.

use super::data::DataMover;
use super::failure::{During, Result, Step};
use super::options::{Follow, Options, Preserve};
use super::path::{Place, last_part, open_parent};
use super::plain::{self, NO_MODE};
use super::progress::Watch;
use super::table::Role;
use super::walk::Level;
use super::workers::Shared;
use crate::sys::{self, AtFlags, CWD, Errno, FileType, Mode, OFlags, OwnedFd, Stat, Team, Vec};

/// What a worker copies with.
///
/// In this order, small and often used first: what lies within 128 bytes of the start takes
/// three bytes less to address.
#[repr(C)]
pub struct Engine<'a, 'ui> {
    pub(super) options: Options,
    /// How many names it has met.
    pub(super) names: u32,
    /// How much had been read from a disk when that was last looked at.
    pub(super) blocks: u64,
    umask: Option<Mode>,
    pub(super) shared: &'a Shared<'ui>,
    /// The other workers, for the first one to call in.
    pub(super) team: Option<&'a Team<'a, Shared<'ui>>>,
    /// Where another worker has copied a file to.
    pub(super) earlier: Vec<u8>,
    pub(super) data: DataMover,
    /// It counts what is to be copied, and copies nothing.
    pub(super) watch: Option<Watch>,
}

/// A name on its way through the engine.
#[repr(C)]
pub(super) struct Job<'a> {
    /// It is an operand.
    pub operand: bool,
    /// The directory it goes to was made by this copy: nothing can be in the way.
    pub fresh: bool,
    /// Nothing was found at the destination, symlinks followed.
    pub absent: bool,
    /// Whether symlinks are followed for this name.
    pub follow: bool,
    /// Something is in the destination's place; [`Self::before`] describes it.
    pub exists: bool,
    /// That is reached through a symlink.
    pub through_link: bool,
    /// The source, where it is open already.
    pub open: Option<OwnedFd>,
    /// The destination, if it is a directory whose contents are next.
    pub made: Option<OwnedFd>,
    pub src: Place<'a>,
    pub dst: Place<'a>,
    /// The device of the directory it goes to, or 0 where it is not known.
    pub dst_dev: u64,
    /// A directory's mode where modes are not kept, if it is to change.
    pub otherwise: Option<Mode>,
    /// The directories that the walk is in.
    pub outer: &'a [Level],
    /// How long the operand's paths are, with which this name's begin.
    pub operand_ends: (usize, usize),
    /// The source's metadata; at first no more than its type as the directory gave it.
    pub stat: Stat,
    /// What is in the destination's place.
    pub before: Stat,
}

impl<'a, 'ui> Engine<'a, 'ui> {
    /// A worker's engine; the first one's with the `team` of the others.
    #[inline(never)]
    pub(super) fn new(shared: &'a Shared<'ui>, team: Option<&'a Team<'a, Shared<'ui>>>) -> Self {
        Self {
            options: shared.options,
            names: 0,
            blocks: 0,
            umask: None,
            watch: None,
            shared,
            team,
            earlier: Vec::new(),
            data: DataMover::new(shared.options.io),
        }
    }

    /// Says what went wrong with one name.
    #[inline(never)]
    pub(super) fn settle(&self, src: Place<'_>, dst: Place<'_>, result: Result<()>) {
        if self.watch.is_none()
            && let Err(failure) = result
            && let Some(message) = failure.message()
        {
            let names = [src.shown(), dst.shown()];
            self.shared.ui().tell(message, &names, failure.errno());
        }
    }

    /// The process's umask, which can be read only by setting it.
    pub(super) fn umask(&mut self) -> Mode {
        *self.umask.get_or_insert_with(|| {
            let mask = sys::umask(NO_MODE);
            sys::umask(mask);
            mask
        })
    }

    /// Whether symlinks are followed for a name.
    pub(super) fn follows(&self, is_operand: bool) -> bool {
        match self.options.follow {
            Follow::Never => false,
            Follow::Operands => is_operand,
            Follow::Always => true,
        }
    }

    /// Copies one name; a directory's contents are left to the caller.
    #[inline(never)]
    pub(super) fn copy_name(&mut self, job: &mut Job<'_>) {
        let result = self.try_copy(job);
        self.settle(job.src, job.dst, result);
    }

    fn try_copy(&mut self, job: &mut Job<'_>) -> Result<()> {
        job.follow = self.follows(job.operand);
        look_at(job).during(Step::StatSource)?;
        let directory = job.stat.kind == FileType::Directory;
        if directory && !self.options.recursive {
            return Step::OmitDirectory.into();
        }
        let meets = job.operand && self.shared.many;
        if meets && !directory {
            self.check_given(job)?;
        }
        // A regular file can only be made, not overwrite anything, where nothing was found.
        let nothing_there = job.fresh || (job.absent && job.stat.kind == FileType::Regular);
        if !nothing_there {
            self.clear_the_way(job)?;
        }
        // Of what has data, together with which way that went.
        let traced = self.options.debug && self.copies_as_regular(job.stat.kind);
        if self.options.verbose && !directory && !traced {
            self.say_copied(job);
        }
        self.make(job)?;
        let mut made = Stat::default();
        if meets
            && sys::stat_at(
                job.dst.dir,
                job.dst.name(),
                AtFlags::SYMLINK_NOFOLLOW,
                &mut made,
            )
            .is_ok()
        {
            self.shared
                .met()
                .insert(Role::Created, &made.id, job.dst.shown());
        }
        Ok(())
    }

    /// Leaves a file alone that was an operand before, under the same name; remembers it.
    fn check_given(&mut self, job: &Job<'_>) -> Result<()> {
        let path = job.src.shown();
        let mut met = self.shared.met();
        if let Some(earlier) = met.find(Role::Given, &job.stat.id, b"")
            && same_entry(earlier.to_bytes(), path)
        {
            return Step::GivenTwice.into();
        }
        met.insert(Role::Given, &job.stat.id, path);
        Ok(())
    }

    /// Looks at what is in the destination's place, and removes it if it must go; what is to
    /// be written into is left, and the job says so.
    #[inline(never)]
    fn clear_the_way(&mut self, job: &mut Job<'_>) -> Result<()> {
        let mut found = stat_dst(job, AtFlags::SYMLINK_NOFOLLOW);
        if found.is_ok() && job.before.kind == FileType::Symlink {
            if self.made_here(job) {
                return Step::ThroughCreated.into();
            }
            // What is written as a regular file is written through symlinks.
            job.through_link = self.copies_as_regular(job.stat.kind);
            if job.through_link {
                found = stat_dst(job, AtFlags::empty());
                // A loop is in the way like any file that cannot be opened.
                if found == Err(Errno::ELOOP) && self.options.force {
                    found = Ok(());
                }
            }
        }
        // Of a dangling symlink, too, opening it decides.
        if found == Err(Errno::ENOENT) {
            return Ok(());
        }
        found.during(Step::StatDestination)?;
        job.exists = true;
        // Nothing is overwritten under -n, the source neither.
        if !self.options.no_clobber && same_file(job) {
            // One symlink under two names: nothing to do.
            let two_names = job.stat.kind == FileType::Symlink
                && job.before.kind == FileType::Symlink
                && !same_entry(job.src.shown(), job.dst.shown());
            return if two_names {
                Step::Nothing
            } else {
                Step::SameFile
            }
            .into();
        }
        self.weigh(job)
    }

    /// Whether an earlier operand was copied to this operand's destination.
    fn made_here(&self, job: &Job<'_>) -> bool {
        job.operand
            && self
                .shared
                .met()
                .find(Role::Created, &job.before.id, job.dst.shown())
                .is_some()
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
    fn weigh(&mut self, job: &mut Job<'_>) -> Result<()> {
        let directory = job.stat.kind == FileType::Directory;
        if !directory && self.options.no_clobber {
            return Step::Nothing.into();
        }
        if job.before.kind == FileType::Directory {
            return if directory {
                Ok(())
            } else {
                Step::DirectoryByNonDirectory.into()
            };
        }
        if directory {
            return Step::NonDirectoryByDirectory.into();
        }
        if self.made_here(job) {
            return Step::JustCreated.into();
        }
        // A further link to a file that keeps its links, and what is not written as data,
        // give way to a new file.
        let shared = self.options.preserve.contains(Preserve::LINKS) && job.before.nlink > 1;
        if shared || (!job.follow && job.stat.kind != FileType::Regular) {
            job.exists = false;
            return self.remove(job.dst);
        }
        Ok(())
    }

    /// Removes what is in the way.
    #[inline(never)]
    pub(super) fn remove(&mut self, dst: Place<'_>) -> Result<()> {
        let removed = sys::unlinkat(dst.dir, dst.name(), AtFlags::empty());
        if removed == Err(Errno::ENOENT) {
            return Ok(());
        }
        if removed.is_ok() && self.options.verbose {
            self.shared.ui().say("removed {0}", &[dst.shown()]);
        }
        removed.during(Step::Remove)
    }

    /// Makes the copy, now that the way is clear.
    fn make(&mut self, job: &mut Job<'_>) -> Result<()> {
        let kind = job.stat.kind;
        if kind == FileType::Directory {
            self.meet_directory(job)?;
            self.enter_directory(job)?;
            if job.operand {
                let mut met = self.shared.met();
                if met.find(Role::Copied, &job.stat.id, b"").is_none() {
                    met.insert(Role::Copied, &job.stat.id, job.dst.shown());
                }
            }
            return Ok(());
        }
        // Opening the source may find another file there, and the job then tells of that one.
        let id = job.stat.id;
        let again = self.may_turn_up_again(job);
        if again {
            self.link_to_earlier(job)?;
        }
        let copied = match kind {
            FileType::Symlink => self.copy_symlink(job),
            _ if self.copies_as_regular(kind) => self.copy_regular(job),
            FileType::Unknown => Step::UnknownType.into(),
            _ => self.copy_node(job),
        };
        if again {
            // Only now: a link to a copy that failed would be a link to something else.
            let path = copied.is_ok().then(|| job.dst.shown());
            self.shared.met().settle(&id, path);
            self.shared.met_settled.give();
        }
        copied
    }

    pub(super) fn say_copied(&mut self, job: &Job<'_>) {
        let names = [job.src.shown(), job.dst.shown()];
        let mut ui = self.shared.ui();
        ui.say("{0} -> {1}", &names);
        if self.options.debug && self.copies_as_regular(job.stat.kind) {
            self.data.trace.say(&mut **ui);
        }
    }
}

/// Finds out the source's metadata and, of what the directory says is a regular file, opens
/// it first: that costs one look-up instead of two.
#[inline(never)]
fn look_at(job: &mut Job<'_>) -> sys::Result<()> {
    let src = job.src;
    if job.stat.kind == FileType::Regular {
        // What the directory said may be outdated. NONBLOCK, NOCTTY: nothing happens if this
        // is a FIFO or a terminal by now.
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
        if let Ok(open) = plain::open(src.dir, src.name(), flags, NO_MODE)
            && sys::stat_fd(open.as_fd(), &mut job.stat).is_ok()
            && job.stat.kind == FileType::Regular
        {
            job.open = Some(open);
            return Ok(());
        }
    }
    let flags = if job.follow {
        AtFlags::empty()
    } else {
        AtFlags::SYMLINK_NOFOLLOW
    };
    sys::stat_at(src.dir, src.name(), flags, &mut job.stat)
}

/// Looks at what is in the destination's place.
pub(super) fn stat_dst(job: &mut Job<'_>, flags: AtFlags) -> sys::Result<()> {
    sys::stat_at(job.dst.dir, job.dst.name(), flags, &mut job.before)
}

/// Whether the source is what was found at the destination, under whatever name.
fn same_file(job: &Job<'_>) -> bool {
    let alike = (job.stat.kind == FileType::Symlink) == (job.before.kind == FileType::Symlink);
    if alike || job.follow {
        return job.before.id == job.stat.id;
    }
    // A symlink and, perhaps, what it points to, which it must not replace.
    let (mut a, mut b) = (Stat::default(), Stat::default());
    let follow = AtFlags::empty();
    sys::stat_at(job.src.dir, job.src.name(), follow, &mut a).is_ok()
        && sys::stat_at(job.dst.dir, job.dst.name(), follow, &mut b).is_ok()
        && a.id == b.id
}

/// Whether two paths are the same entry of the same directory.
pub(super) fn same_entry(a: &[u8], b: &[u8]) -> bool {
    let (mut of_a, mut of_b) = (Stat::default(), Stat::default());
    last_part(a) == last_part(b)
        && stat_parent(a, &mut of_a).is_ok()
        && stat_parent(b, &mut of_b).is_ok()
        && of_a.id == of_b.id
}

#[inline(never)]
fn stat_parent(path: &[u8], stat: &mut Stat) -> sys::Result<()> {
    sys::stat_fd(open_parent(CWD, path)?.as_fd(), stat)
}
