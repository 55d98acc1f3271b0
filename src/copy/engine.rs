//! Copying one name: what is there, what is in the way, and who takes it from here.

use super::held::{self, Held, Opener};
use super::options::{Backup, Flags, Follow, Options, Preserve, Update};
use super::path::Place;
use super::same::same_entry;
use super::table::{CopyId, Role};
use super::walk::Level;
use super::watch::Watch;
use super::workers::Shared;
use crate::data::mover::DataMover;
use crate::data::plain::NO_MODE;
use crate::data::trace::Trace;
use crate::report::Reporter;
use crate::report::{During, Failure, Message, Result};
use crate::sys::{self, AtFlags, Errno, FileId, FileType, Mode, OwnedFd, Stat, Vec};

/// So often at most it is looked again at what has appeared in a destination's place. Of several
/// copies that go to one place each comes first once; what is always in the way is so for good.
const MOST_LOOKS: u32 = 100;

/// What a worker copies with.
pub struct Engine<'a> {
    pub(super) options: Options,
    /// How many names it has met.
    pub(super) names: u32,
    /// How much had been read from a disk when that was last looked at.
    pub(super) blocks: u64,
    umask: Option<Mode>,
    pub(super) euid: Option<u32>,
    /// The working directory, while the worker has left it.
    pub(super) home: Option<OwnedFd>,
    pub(super) shared: &'a Shared<'a>,
    /// Starts so many other workers, and says how many there are: for the first one.
    pub(super) start_others: Option<&'a dyn Fn(u32) -> u32>,
    /// Where another worker has copied a file to.
    pub(super) earlier: Vec<u8>,
    pub(super) data: DataMover<'a>,
    /// The last name's data was to be copied.
    pub(super) data_opened: bool,
    pub(super) opener: Opener,
    /// It counts what is to be copied, and copies nothing.
    pub(super) watch: Option<Watch>,
    /// Where a file is kept that is overwritten, and whether by a suffix and not by number.
    pub(super) backup: Vec<u8>,
    pub(super) simple: bool,
}

/// A name on its way through the engine.
#[allow(clippy::struct_excessive_bools)] // they are all independent
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
    /// It was renamed to [`Engine::backup`].
    pub backed_up: bool,
    /// Of a directory, what it holds is not copied.
    pub shallow: bool,
    /// The source, held to be opened as it was looked at.
    pub held: Option<Held>,
    /// The source, where it is open already.
    pub open: Option<OwnedFd>,
    /// The destination, if it is a directory whose contents are next.
    pub made: Option<OwnedFd>,
    pub src: Place<'a>,
    pub dst: Place<'a>,
    /// Both paths, as messages show them.
    pub shown: [&'a [u8]; 2],
    /// The source's metadata; at first no more than its type as the directory gave it.
    pub stat: Stat,
    /// What is in the destination's place.
    pub before: Stat,
    /// The device of the directory it goes to, or 0 where it is not known.
    pub dst_dev: u64,
    /// A directory's mode where modes are not kept, if it is to change.
    pub otherwise: Option<Mode>,
    /// Which symlink it is reached through.
    pub link: FileId,
    /// Which file the copy is, if that was looked at.
    pub copy: Option<FileId>,
    /// The directories that the walk is in.
    pub outer: &'a [Level],
    /// How long the operand's paths are, with which this name's begin.
    pub operand_ends: (usize, usize),
}

impl<'a> Job<'a> {
    /// The source's path, as messages show it.
    pub(super) const fn src_shown(&self) -> &'a [u8] {
        self.shown[0]
    }

    /// The destination's.
    pub(super) const fn dst_shown(&self) -> &'a [u8] {
        self.shown[1]
    }

    /// How the copy is told from other files, which is this one.
    const fn copy_id(&self, file: FileId) -> CopyId {
        // Nothing is reached through what was removed.
        let named = if self.through_link && self.exists {
            self.link
        } else {
            file
        };
        CopyId { file, named }
    }
}

impl<'a> Engine<'a> {
    /// A worker's engine; the first one's with what starts the others.
    pub(super) fn new(
        shared: &'a Shared<'a>,
        start_others: Option<&'a dyn Fn(u32) -> u32>,
    ) -> Self {
        Self {
            options: shared.options,
            names: 0,
            blocks: 0,
            umask: None,
            euid: None,
            watch: None,
            shared,
            start_others,
            earlier: Vec::new(),
            backup: Vec::new(),
            simple: false,
            home: None,
            data: DataMover::new(shared.options.wish(), &shared.progress),
            data_opened: false,
            opener: Opener::Untried,
        }
    }

    /// Says what went wrong with one name, of which messages show both paths so.
    pub(super) fn settle(&self, shown: &[&[u8]; 2], result: Result<()>) {
        if self.watch.is_none()
            && let Err(failure) = result
            && let Some(message) = failure.text()
        {
            self.shared.reporter().error(message, shown, failure.errno);
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
    pub(super) fn copy_name(&mut self, job: &mut Job<'_>) {
        let result = self.try_copy(job);
        self.settle(&job.shown, result);
    }

    fn try_copy(&mut self, job: &mut Job<'_>) -> Result<()> {
        job.follow = self.follows(job.operand);
        let links = self.options.has(Flags::LINK | Flags::SYMLINK);
        self.look_at(job, !links).during(Message::StatSource)?;
        let directory = job.stat.kind == FileType::Directory;
        if directory && !self.options.has(Flags::RECURSIVE) {
            return Message::OmitDirectory.into();
        }
        let meets = job.operand && self.shared.many;
        if meets && !directory && self.options.backup == Backup::None {
            self.check_given(job)?;
        }
        // Where nothing was found, symlinks followed, there may be a symlink.
        let nothing_there = job.fresh || (job.absent && self.writes_through(job.stat.kind));
        if !nothing_there {
            self.clear_the_way(job)?;
        }
        let traced = self.options.has(Flags::DEBUG) && !directory;
        // Where other workers speak as well, the lines about one file are said at once.
        let said_later = traced && self.shared.are_there();
        if self.options.has(Flags::VERBOSE) && !directory && !said_later {
            self.say_copied(job);
        }
        if traced {
            self.data.trace = Trace::default();
        }
        let mut made = self.make(job);
        for _ in 0..MOST_LOOKS {
            let Err(failure) = made else { break };
            match self.clear_again(job, failure) {
                Some(cleared) => made = cleared.and_then(|()| self.make(job)),
                None => break,
            }
        }
        if traced {
            self.say_trace(job, said_later);
        }
        if let Err(failure) = made {
            // A directory that was made stays, whatever is wrong with it.
            if job.backed_up && job.made.is_none() && !failure.is_harmless() {
                self.settle(&job.shown, made);
                self.put_back(job);
                return Message::Told.into();
            }
            return made;
        }
        let mut made = Stat::default();
        // What cannot be looked at is not told from others: as GNU cp does.
        if meets && job.dst.stat(AtFlags::SYMLINK_NOFOLLOW, &mut made).is_ok() {
            self.shared
                .remember(Role::Created, &made.id, job.dst_shown());
        }
        Ok(())
    }

    /// Clears the way once more where somebody else came first: what was there is gone, or
    /// something has appeared since, or has taken the place of what was just made. `None` if the
    /// failure is another one, or is final.
    fn clear_again(&mut self, job: &mut Job<'_>, failure: Failure) -> Option<Result<()>> {
        let errno = failure.errno?;
        if errno == Errno::ENOENT && job.exists && failure.is(Message::CreateRegular) {
            job.exists = false;
            return Some(Ok(()));
        }
        // Only as removing it is asked for; and what was kept has no other name than that.
        if job.backed_up || !self.options.has(Flags::FORCE | Flags::REMOVE_DESTINATION) {
            return None;
        }
        let has_data = matches!(job.stat.kind, FileType::Regular | FileType::Directory);
        let by_name = [
            Message::Times,
            Message::Owner,
            Message::Mode,
            Message::AccessDestination,
        ];
        let is_replaced = matches!(errno, Errno::ENOENT | Errno::ESTALE)
            && !has_data
            && by_name.iter().any(|step| failure.is(*step));
        if errno != Errno::EEXIST && !is_replaced {
            return None;
        }
        job.exists = false;
        job.through_link = false;
        if job.fresh && job.stat.kind != FileType::Directory {
            // In a directory of our own nothing is written into what appears, or through it.
            return Some(self.remove(job));
        }
        Some(self.clear_the_way(job))
    }

    /// Leaves a file alone that was an operand before, under the same name; remembers it.
    fn check_given(&mut self, job: &Job<'_>) -> Result<()> {
        let path = job.src_shown();
        let is_same = |earlier: &[u8]| same_entry(earlier, path);
        if self.shared.met().any(Role::Given, &job.stat.id, &is_same) {
            return Message::GivenTwice.into();
        }
        self.shared.remember(Role::Given, &job.stat.id, path);
        Ok(())
    }

    /// Looks at what is in the destination's place, and removes it if it must go; what is to
    /// be written into is left, and the job says so.
    fn clear_the_way(&mut self, job: &mut Job<'_>) -> Result<()> {
        let mut found = stat_dst(job, AtFlags::SYMLINK_NOFOLLOW);
        if found.is_ok() && job.before.kind == FileType::Symlink {
            if self.writes_through(job.stat.kind) {
                let made_here = self.made_here(job);
                // What is written as a regular file is written through symlinks.
                job.through_link = true;
                job.link = job.before.id;
                found = stat_dst(job, AtFlags::empty());
                // A directory is in the way all the same.
                if made_here && (found.is_err() || job.before.kind != FileType::Directory) {
                    return Message::ThroughCreated.into();
                }
                // A loop is in the way like any file that cannot be opened.
                if found == Err(Errno::ELOOP) && self.options.has(Flags::FORCE) {
                    found = Ok(());
                    // It is older than anything.
                    job.before.times = Stat::default().times;
                }
            } else if job.stat.kind == FileType::Directory
                && self.options.has(Flags::KEEP_DIRECTORY_SYMLINK)
            {
                let mut led_to = Stat::default();
                if job.dst.stat(AtFlags::empty(), &mut led_to).is_ok()
                    && led_to.kind == FileType::Directory
                {
                    job.through_link = true;
                    job.before = led_to;
                }
            }
        }
        // Of a dangling symlink, too, opening it decides.
        if found == Err(Errno::ENOENT) {
            return Ok(());
        }
        found.during(Message::StatDestination)?;
        job.exists = true;
        // Nothing is overwritten under -n, the source neither.
        let mut same = Ok(());
        if !matches!(self.options.update, Update::None | Update::NoneFail) {
            same = self.check_same(job);
            if let Err(failure) = same
                && failure.is(Message::SameFile)
            {
                return same;
            }
        }
        if job.stat.kind != FileType::Directory {
            self.consider(job)?;
        }
        same?;
        self.weigh(job)
    }

    /// Leaves a destination alone that is not to be overwritten.
    fn consider(&mut self, job: &mut Job<'_>) -> Result<()> {
        let skipped = match self.options.update {
            Update::Older if job.before.times[1] >= job.stat.times[1] => {
                // It stands for the source, whose other names are to be linked to it.
                if self.may_turn_up_again(job) {
                    let id = job.stat.id;
                    match self.link_to_earlier(job) {
                        Ok(()) => {
                            let there = (job.dst_shown(), job.copy_id(job.before.id));
                            self.shared.met().settle(&id, Some(there));
                            self.shared.met_settled.give();
                        }
                        Err(failure) if failure.is(Message::Nothing) => {}
                        failed => return failed,
                    }
                }
                Message::Nothing
            }
            Update::None => Message::Nothing,
            Update::NoneFail => return Message::NotReplacing.into(),
            _ if self.options.has(Flags::INTERACTIVE) && !self.may_overwrite(job) => Message::Told,
            _ => return Ok(()),
        };
        if self.options.has(Flags::DEBUG) {
            self.shared
                .reporter()
                .say(Message::Skipped, &job.shown, None);
        }
        skipped.into()
    }

    /// Asks whether the destination may be overwritten.
    fn may_overwrite(&self, job: &Job<'_>) -> bool {
        let mode = job.before.mode.bits();
        let mut octal = [0; 4];
        for (at, digit) in octal.iter_mut().enumerate() {
            *digit = b'0' + (mode >> (9 - 3 * at) & 7) as u8;
        }
        let mut letters = *b"rwxrwxrwx";
        for (at, letter) in (0..).zip(&mut letters) {
            let is_set = mode >> (8 - at) & 1 != 0;
            // The last of three may stand for a special bit as well: `s` or `t`.
            if at % 3 == 2 && mode >> (11 - at / 3) & 1 != 0 {
                *letter = if is_set { b's' } else { b'S' } + at / 8;
            } else if !is_set {
                *letter = b'-';
            }
        }
        let names = [job.src_shown(), job.dst_shown(), &octal, &letters];
        let step = if job.before.kind == FileType::Symlink
            || sys::geteuid() == 0
            || sys::may_write(job.dst.dir, job.dst.name)
        {
            Message::AskOverwrite
        } else if self.options.has(Flags::FORCE | Flags::REMOVE_DESTINATION) {
            Message::AskReplace
        } else {
            Message::AskUnwritable
        };
        self.shared.reporter().ask(step, &names)
    }

    /// Whether a source of type `kind` is written into what the destination leads to, and does
    /// not take the place of what is there.
    fn writes_through(&self, kind: FileType) -> bool {
        let other = Flags::LINK | Flags::SYMLINK | Flags::REMOVE_DESTINATION;
        self.copies_as_regular(kind)
            && !self.options.has(other)
            && self.options.backup == Backup::None
    }

    /// Whether an earlier operand was copied to this operand's destination.
    fn made_here(&self, job: &Job<'_>) -> bool {
        job.operand
            && self
                .shared
                .met()
                .any(Role::Created, &job.before.id, &|path| {
                    path == job.dst_shown()
                })
    }

    /// Whether a name of type `kind` is read and written as data.
    pub(super) fn copies_as_regular(&self, kind: FileType) -> bool {
        match kind {
            FileType::Regular => true,
            FileType::Directory | FileType::Symlink => false,
            _ => !self.options.has(Flags::RECURSIVE) || self.options.has(Flags::COPY_CONTENTS),
        }
    }

    /// As [`Self::clear_the_way`], for a destination that exists and is another file.
    fn weigh(&mut self, job: &mut Job<'_>) -> Result<()> {
        let directory = job.stat.kind == FileType::Directory;
        let options = &self.options;
        let backs_up = options.backup != Backup::None;
        if job.before.kind == FileType::Directory {
            // Where others would be kept, the call that fails says it, as in GNU cp.
            return if directory || backs_up {
                Ok(())
            } else {
                Message::DirectoryByNonDirectory.into()
            };
        }
        if directory && !backs_up {
            return Message::NonDirectoryByDirectory.into();
        }
        if directory && !self.keeps_old(job) {
            // Making the directory says that it is in the way.
            job.exists = false;
            return Ok(());
        }
        if options.backup != Backup::Numbered && self.made_here(job) {
            return Message::JustCreated.into();
        }
        if self.is_copied_there(job) {
            return Message::Nothing.into();
        }
        if self.keeps_old(job) {
            return self.back_up(job);
        }
        // A further link to a file that keeps its links, and what is not written as data,
        // give way to a new file.
        let shared = options.preserve.contains(Preserve::LINKS) && job.before.nlink > 1;
        let other = !job.follow && job.stat.kind != FileType::Regular;
        let gives_way = (shared || other) && !options.has(Flags::ATTRIBUTES_ONLY);
        if options.has(Flags::REMOVE_DESTINATION) || gives_way {
            job.exists = false;
            return self.remove(job);
        }
        Ok(())
    }

    /// Removes what is in the way.
    pub(super) fn remove(&mut self, job: &Job<'_>) -> Result<()> {
        let removed = sys::unlinkat(job.dst.dir, job.dst.name, AtFlags::empty());
        if removed == Err(Errno::ENOENT) {
            return Ok(());
        }
        if removed.is_ok() {
            self.say_removed(job);
        }
        removed.during(Message::Remove)
    }

    /// Says that something was removed that was in the way, if that is of interest.
    pub(super) fn say_removed(&self, job: &Job<'_>) {
        if self.options.has(Flags::VERBOSE) {
            self.shared
                .reporter()
                .say(Message::Removed, &job.shown, None);
        }
    }

    /// Makes the copy, now that the way is clear.
    fn make(&mut self, job: &mut Job<'_>) -> Result<()> {
        let kind = job.stat.kind;
        if kind == FileType::Directory {
            self.meet_directory(job)?;
            let entered = self.enter_directory(job);
            if job.operand && job.made.is_some() {
                // Once more changes nothing: what was added first is found.
                let path = job.dst_shown();
                self.shared.remember(Role::Copied, &job.stat.id, path);
            }
            return entered;
        }
        // Opening the source may find another file there, and the job then tells of that one.
        let id = job.stat.id;
        let again = self.may_turn_up_again(job);
        if again {
            self.link_to_earlier(job)?;
        }
        let copied = match kind {
            _ if self.options.has(Flags::SYMLINK) => self.link_symbolically(job),
            _ if self.options.has(Flags::LINK) => self.link_hard(job),
            FileType::Symlink => self.copy_symlink(job),
            _ if self.copies_as_regular(kind) => self.copy_regular(job),
            FileType::Unknown => Message::UnknownType.into(),
            _ => self.copy_node(job),
        };
        if again {
            // Only now: a link to a copy that failed would be a link to something else.
            let made = job.copy.filter(|_| copied.is_ok());
            let made = made.map(|file| (job.dst_shown(), job.copy_id(file)));
            self.shared.met().settle(&id, made);
            self.shared.met_settled.give();
        }
        copied
    }

    /// Finds out the source's metadata, and takes hold of it as well if its data is `to_read`.
    fn look_at(&mut self, job: &mut Job<'_>, to_read: bool) -> sys::Result<()> {
        let listed = job.stat.kind;
        // What its directory lists as a regular file is no symlink, or is looked at again.
        let follow = job.follow && listed != FileType::Regular;
        let may_be_data = listed == FileType::Unknown
            || self.copies_as_regular(listed)
            || (follow && listed == FileType::Symlink);
        if to_read && may_be_data {
            if !self.opener.is_missing() {
                if let Ok(held) = held::hold(&job.src, follow, &mut job.stat)
                    && self.copies_as_regular(job.stat.kind)
                {
                    job.held = Some(held);
                    return Ok(());
                }
            } else if listed == FileType::Regular
                && let Ok(open) = held::open_listed(&job.src)
                && sys::stat_fd(open.as_fd(), &mut job.stat).is_ok()
                && job.stat.kind == FileType::Regular
            {
                job.open = Some(open);
                return Ok(());
            }
        }
        // Also what was held and is a directory: something may be mounted there only now, because
        // somebody comes by its name.
        let flags = if job.follow {
            AtFlags::empty()
        } else {
            AtFlags::SYMLINK_NOFOLLOW
        };
        job.src.stat(flags, &mut job.stat)
    }

    /// Says from where to where a name is copied.
    pub(super) fn say_copied(&self, job: &Job<'_>) {
        self.say_copied_to(job, &mut *self.shared.reporter());
    }

    fn say_copied_to(&self, job: &Job<'_>, ui: &mut dyn Reporter) {
        let names = [job.src_shown(), job.dst_shown(), self.backup_shown()];
        let mut line = Message::Copied;
        if job.backed_up && job.stat.kind != FileType::Directory {
            line = Message::CopiedAndKept;
        }
        ui.say(line, &names, None);
    }

    /// Says which way the data went of what has any, after the names where those were not said.
    fn say_trace(&self, job: &Job<'_>, with_names: bool) {
        let mut ui = self.shared.reporter();
        if with_names {
            self.say_copied_to(job, &mut *ui);
        }
        if self.data.trace.has_data {
            self.data.trace.say(&mut *ui);
        }
    }
}

/// Looks at what is in the destination's place.
pub(super) fn stat_dst(job: &mut Job<'_>, flags: AtFlags) -> sys::Result<()> {
    job.dst.stat(flags, &mut job.before)
}
