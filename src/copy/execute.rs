//! What happens to one name: look, decide, ask, clear the way, admit, make, report.

use core::sync::atomic::Ordering;

use super::entry::{Entry, Look, Name, Occupant, Source};
use super::facts::Found;
use super::make::link::Claim;
use super::make::{backup, directory, link, node, regular, remove};
use super::options::Flags;
use super::outcome::{Stop, Unmade};
use super::path::same_entry;
use super::plan::{Admission, Case, Clear, Decision, Make, Met, Plan, Reason, admit, decide};
use super::seen::{CopyId, Role};
use super::tree::level::Directory;
use super::worker::Worker;
use crate::data::plain::NO_MODE;
use crate::data::trace::Trace;
use crate::report::{Failure, Message};
use crate::sys::{FileType, Mode, Stat, c_string, until_nul};

/// So often at most it is looked again at what has appeared in a destination's place. Of several
/// copies that go to one place each comes first once; what is always in the way is so for good.
const MOST_LOOKS: u32 = 100;

/// Copies one name. Of a directory that is to be gone down into, gives both sides; whatever went
/// wrong is told.
pub fn copy_name(worker: &mut Worker<'_>, entry: &Entry<'_>) -> Option<Directory> {
    let copied = match Name::look(worker.options(), &worker.opener, entry) {
        Ok(name) => copy_looked_at(worker, name),
        Err(errno) => {
            count(worker, entry.hint, 0, false);
            Err(Failure::new(Message::StatSource, errno).into())
        }
    };
    copied.unwrap_or_else(|stop| {
        worker.tell_stop(stop, &entry.shown);
        None
    })
}

/// As [`copy_name`], of a name that was looked at.
///
/// # Errors
/// What is to be told; [`Stop::PutOff`].
pub fn copy_looked_at(
    worker: &mut Worker<'_>,
    mut name: Name<'_>,
) -> Result<Option<Directory>, Stop> {
    let copied = copy(worker, &mut name);
    if !matches!(copied, Err(Stop::PutOff)) {
        let from = &name.source.stat;
        count(worker, from.kind, from.size_bytes, name.is_begun);
    }
    copied
}

/// Counts a name that is done.
fn count(worker: &Worker<'_>, kind: FileType, size_bytes: u64, is_begun: bool) {
    let progress = &worker.shared.progress;
    if kind == FileType::Regular && !is_begun {
        progress.open(size_bytes, false);
    }
    if kind != FileType::Directory {
        progress.finished();
    }
}

fn copy(worker: &mut Worker<'_>, name: &mut Name<'_>) -> Result<Option<Directory>, Stop> {
    let entry = name.entry;
    let options = worker.options();
    let Some(mut plan) = plan_for(worker, name, Look::First)? else {
        return Ok(None);
    };
    let mut is_kept = clear(worker, entry, plan)?;
    let is_directory = name.source.is_directory();
    let is_traced = options.has(Flags::DEBUG) && !is_directory;
    let may_be_put_off = matches!(name.occupant, Occupant::NotListed);
    // Where other workers speak as well, the lines about one file are said at once.
    let is_said_later = options.has(Flags::VERBOSE)
        && (may_be_put_off || (is_traced && worker.shared.pool.has_others()));
    if !is_directory && !is_said_later {
        worker.say_verbosely(copied_message(is_kept), &shown(worker, entry));
    }
    if is_traced {
        worker.mover.trace = Trace::default();
    }
    let mut made = make(worker, name, plan);
    for _ in 0..MOST_LOOKS {
        match made {
            Err(Unmade::Taken(_)) if may_be_put_off => return Err(Stop::PutOff),
            Err(Unmade::Gone(_)) => plan = plan.for_nothing_there(Clear::Nothing),
            // Only as removing it is asked for; and what was kept has no other name than that.
            Err(Unmade::Taken(_)) if is_kept || !options.may_remove() => break,
            // In a directory of our own nothing is written into what appears, or through it.
            Err(Unmade::Taken(_)) if entry.is_in_new_directory() && !is_directory => {
                plan = plan.for_nothing_there(Clear::Remove);
            }
            Err(Unmade::Taken(_)) => {
                let before = name.occupant.there().map(|there| there.id);
                name.occupant = Occupant::look(options, entry, &name.source, Look::Again);
                let now = name.occupant.there().map(|there| there.id);
                if plan.clear == Clear::Nothing && now.is_some() && now == before {
                    // It was there when that was decided. What is gone again is in nobody's way.
                    break;
                }
                match plan_for(worker, name, Look::Again)? {
                    Some(again) => plan = again,
                    None => return Ok(None),
                }
            }
            _ => break,
        }
        is_kept |= clear(worker, entry, plan)?;
        made = make(worker, name, plan);
    }
    if is_traced || is_said_later {
        say_trace(worker, entry, is_kept, is_said_later);
    }
    if let Err(unmade) = made
        && is_kept
    {
        let told = worker.tell_stop(unmade.into(), &entry.shown);
        backup::put_back(worker, entry);
        return Err(told.into());
    }
    let made = made?;
    if worker.may_meet(entry) {
        remember_created(worker, name, &made);
    }
    match made {
        Made::Directory(directory) => Ok(Some(directory)),
        Made::Other(_) | Made::Nothing => Ok(None),
    }
}

/// Remembers what was made of an operand: by what its descriptor has told, if its name is no
/// symlink's; else by a look. What cannot be looked at is not told from others: as GNU cp does.
fn remember_created(worker: &Worker<'_>, name: &Name<'_>, made: &Made) {
    let entry = name.entry;
    let looked = || entry.dst.stat(false).ok().map(|stat| stat.id);
    let id = match made {
        Made::Nothing => return,
        Made::Other(Some(copy)) if name.occupant.through().is_none() => Some(copy.file),
        Made::Directory(_) | Made::Other(_) => looked(),
    };
    if let Some(id) = id {
        let seen = &worker.shared.seen;
        seen.remember(Role::Created, &id, entry.dst_shown());
    }
}

/// Decides what is to be done with a name; asks the user where that is wanted. `None` where it is
/// left alone.
fn plan_for(
    worker: &mut Worker<'_>,
    name: &mut Name<'_>,
    look: Look,
) -> Result<Option<Plan>, Stop> {
    let (entry, options) = (name.entry, worker.options());
    let facts = Found { worker, name, look };
    let mut case = Case::new(options, entry, &name.source, &name.occupant, &facts);
    let decision = loop {
        match decide(&case) {
            Decision::Ask(question) if !ask(worker, &case, question) => {
                break Decision::Leave(Reason::Declined);
            }
            Decision::Ask(_) => case = case.answered(),
            decision => break decision,
        }
    };
    let is_given_twice =
        matches!(decision, Decision::Refuse(failure) if failure.message == Message::GivenTwice);
    if look == Look::First && worker.may_be_given_again(name) && !is_given_twice {
        let seen = &worker.shared.seen;
        seen.remember(Role::Given, &name.source.stat.id, entry.src_shown());
    }
    match decision {
        Decision::Go(plan) => return Ok(Some(plan)),
        Decision::Refuse(failure) => return Err(failure.into()),
        Decision::Leave(Reason::Done) => return Ok(None),
        Decision::Leave(Reason::UpToDate) => stand_for_source(worker, name)?,
        Decision::Leave(_) | Decision::Ask(_) => {}
    }
    if options.has(Flags::DEBUG) {
        let mut reporter = worker.shared.reporter();
        reporter.say(Message::Skipped, &entry.shown, None);
    }
    Ok(None)
}

/// Lets what is there stand for the source, whose other names are to be linked to it.
fn stand_for_source(worker: &mut Worker<'_>, name: &mut Name<'_>) -> Result<(), Stop> {
    let id = name.source.stat.id;
    if let Some(there) = name.occupant.there()
        && let copy = CopyId::new(there.id, name.occupant.through())
        && link::claim(worker, name)? == Claim::Ours
    {
        let here = name.entry.dst_shown();
        worker.shared.seen.record_copy(&id, Some((here, copy)));
    }
    Ok(())
}

/// Asks whether what is there may be overwritten.
fn ask(worker: &Worker<'_>, case: &Case<'_>, question: Message) -> bool {
    let mode = case.there().map_or(NO_MODE, |there| there.mode);
    let (octal, letters) = (octal_of(mode), letters_of(mode));
    let [src, dst] = case.entry.shown;
    worker
        .shared
        .reporter()
        .ask(question, &[src, dst, &octal, &letters])
}

fn octal_of(mode: Mode) -> [u8; 4] {
    [9, 6, 3, 0].map(|shift| b'0' + (mode.bits() >> shift & 7) as u8)
}

/// A mode as `ls -l` shows it.
fn letters_of(mode: Mode) -> [u8; 9] {
    let mode = mode.bits();
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
    letters
}

/// Clears the way. Says whether something was kept.
fn clear(worker: &mut Worker<'_>, entry: &Entry<'_>, plan: Plan) -> Result<bool, Stop> {
    match plan.clear {
        Clear::Nothing => {}
        Clear::Remove => remove::remove(worker, entry)?,
        Clear::BackUp => return Ok(backup::back_up(worker, entry)?),
    }
    Ok(false)
}

/// What was made of a name.
#[allow(clippy::large_enum_variant)] // one a name, and taken apart at once
enum Made {
    /// A directory, to be gone down into.
    Directory(Directory),
    /// Something else; which file that is, if it was asked.
    Other(Option<CopyId>),
    /// Nothing, or a further name of what was copied already.
    Nothing,
}

/// Makes the copy, now that the way is clear.
fn make(worker: &mut Worker<'_>, name: &mut Name<'_>, plan: Plan) -> Result<Made, Unmade> {
    // Opening the source may find another file there.
    let id = name.source.stat.id;
    if plan.is_claimed && link::claim(worker, name)? == Claim::Linked {
        return Ok(Made::Nothing);
    }
    let copied = match plan.make {
        Make::Directory => return make_directory(worker, name, plan),
        Make::SymlinkToSource { replaces } => link::link_symbolically(worker, name, plan, replaces),
        Make::HardLink { replaces } => link::link_hard(name, replaces).map(|()| None),
        Make::Symlink { replaces } => node::copy_symlink(worker, name, plan, replaces),
        Make::Node => node::copy_node(worker, name, plan),
        Make::Data { .. } => regular::copy(worker, name, plan),
    };
    if plan.is_claimed {
        // Only now: a link to a copy that failed would be a link to something else.
        let made = copied.ok().flatten();
        let made = made.map(|copy| (name.entry.dst_shown(), copy));
        worker.shared.seen.record_copy(&id, made);
    }
    copied.map(Made::Other)
}

fn make_directory(worker: &mut Worker<'_>, name: &Name<'_>, plan: Plan) -> Result<Made, Unmade> {
    let (shared, entry, source) = (worker.shared, name.entry, &name.source);
    // The operand's paths, with which this one's begin.
    let (mut src, mut dst) = (entry.src_shown(), entry.dst_shown());
    if !entry.is_operand {
        src = src.get(..entry.operand_ends.0).unwrap_or_default();
        dst = dst.get(..entry.operand_ends.1).unwrap_or_default();
    }
    let met = met_directory(worker, entry, source);
    let told = match admit(met, source.is_followed) {
        Admission::Make | Admission::LinkToCopy | Admission::Leave => None,
        Admission::Stop(message) => {
            shared.is_stopped.store(true, Ordering::Relaxed);
            Some(shared.tell(message, &[src, dst], None))
        }
        Admission::Refuse(Message::LinkToDirectory) => {
            let earlier = until_nul(&worker.earlier_path).to_bytes();
            let names = [entry.dst_shown(), earlier];
            Some(shared.tell(Message::LinkToDirectory, &names, None))
        }
        Admission::Refuse(Message::Cyclic) => {
            Some(shared.tell(Message::Cyclic, &entry.shown, None))
        }
        Admission::Refuse(message) => Some(shared.tell(message, &[src], None)),
    };
    if let Some(told) = told {
        return Err(told.into());
    }
    let directory = directory::enter(worker, name, plan)?;
    if entry.is_operand {
        // Once more changes nothing: what was added first is found.
        let id = &source.stat.id;
        shared.seen.remember(Role::Copied, id, entry.dst_shown());
    }
    Ok(Made::Directory(directory))
}

/// What a directory was met as before: in this copy, or on the way down to here. Sets
/// [`Worker::earlier_path`] to where it was copied to.
fn met_directory(worker: &mut Worker<'_>, entry: &Entry<'_>, source: &Source) -> Met {
    let id = source.stat.id;
    let follows_all = worker.options().follows_all();
    let seen = worker.shared.seen.files();
    let mut is_made = seen.find(Role::Made, &id).is_some();
    let mut is_cyclic = false;
    for level in entry.above {
        // What was made in what was there is remembered; all else matters where this worker
        // stands in it: else it could go down for ever, by way of a symlink.
        let dir = &level.dir;
        let is_it = |stat: &Stat| stat.id == id;
        if !dir.is_parent {
            is_made |= !dir.existed && dir.dst_stat.as_ref().is_some_and(is_it);
            is_cyclic |= follows_all && dir.src_stat.as_ref().is_some_and(is_it);
        }
    }
    let (mut was_here, mut was_elsewhere) = (false, false);
    if let Some(earlier) = seen.find(Role::Copied, &id) {
        let earlier = earlier.to_bytes();
        // Its copy is it, which goes unnoticed where nothing is overwritten.
        is_made |= same_entry(earlier, entry.src_shown());
        was_here = same_entry(earlier, entry.dst_shown());
        was_elsewhere = !was_here;
        c_string(&mut worker.earlier_path, b"", earlier);
    }
    Met::Directory {
        is_made,
        is_cyclic,
        was_here,
        was_elsewhere,
    }
}

/// Both paths as messages show them, and that of what was kept.
fn shown<'w>(worker: &'w Worker<'_>, entry: &Entry<'w>) -> [&'w [u8]; 3] {
    let [src, dst] = entry.shown;
    [src, dst, backup::shown(worker)]
}

/// Says which way the data went of what has any, after the names where those were not said.
fn say_trace(worker: &Worker<'_>, entry: &Entry<'_>, is_kept: bool, with_names: bool) {
    let mut reporter = worker.shared.reporter();
    if with_names {
        reporter.say(copied_message(is_kept), &shown(worker, entry), None);
    }
    if worker.options().has(Flags::DEBUG) && worker.mover.trace.has_data {
        worker.mover.trace.say(&mut *reporter);
    }
}

const fn copied_message(is_kept: bool) -> Message {
    if is_kept {
        Message::CopiedAndKept
    } else {
        Message::Copied
    }
}
