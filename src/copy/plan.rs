//! What is to become of one name: GNU's rules, in GNU's order, without a system call.
//!
//! [`decide`] says it before anything is touched, and once more when the user has said yes;
//! [`admit`] says, after the way was cleared, what it means that a file was met before, which may
//! have had to wait for another worker; [`decide_parent`] is about the directories of `--parents`.
//! The first of [`RULES`] that has something to say is the one that counts.
//!
//! Some rules show only by a call that fails, or by what an open file turns out to be:
//!
//! | rule | where it stands |
//! | --- | --- |
//! | a dangling symlink is not written through | `make/regular.rs`, `create`: `EEXIST`, then a look |
//! | a source that was replaced since the look is skipped | `make/regular.rs`, `open_source` |
//! | source and destination are one file, seen when that is open | `make/regular.rs`, `reuse` |
//! | `-f` removes only what cannot be opened | `make/regular.rs`, `open_destination` |
//! | a backup's number that somebody takes meanwhile | `make/backup.rs`, `back_up`: `EEXIST`, again |
//! | `--reflink=always` removes what it made in vain | `make/regular.rs`, `copy_data` |
//! | a relative symlink is made in the working directory only | `make/link.rs`, `link_symbolically` |
//! | what was made of an operand is remembered | `execute.rs`, `remember_created` |

pub use super::case::{Case, Facts, Same, Side};
use super::entry::Occupant;
use super::options::{Backup, Flags, Preserve, Update};
use super::same::same;
use crate::report::{Failure, Message};
use crate::sys::{self, Errno, FileType, Stat};

/// What is to be done with one name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// This.
    Go(Plan),
    /// Nothing.
    Leave(Reason),
    /// The user is to be asked first.
    Ask(Message),
    /// Nothing, and it is to be told why.
    Refuse(Failure),
}

/// Why a name is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// What is there is not to be overwritten.
    Skipped,
    /// It is not older: it stands for the source, whose other names are to be linked to it.
    UpToDate,
    /// It is the source, or its copy already.
    Done,
    /// The user has said no.
    Declined,
}

/// How a copy is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// How the way is cleared.
    pub clear: Clear,
    /// What is made.
    pub make: Make,
    /// The source can be met under another name, which is to be a link to its copy.
    pub is_claimed: bool,
    /// What is there stays: a file is written to, a directory filled.
    pub is_reused: bool,
}

impl Plan {
    /// The same, once nothing is there any more that could be written to or filled.
    #[must_use]
    pub const fn for_nothing_there(self, clear: Clear) -> Self {
        Self {
            clear,
            is_reused: false,
            ..self
        }
    }

    /// What is in the destination's place, if it is written to or filled.
    #[must_use]
    pub fn reused<'o>(&self, occupant: &'o Occupant) -> Option<&'o Stat> {
        occupant.there().filter(|_| self.is_reused)
    }
}

/// How the way is cleared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clear {
    /// Not at all.
    Nothing,
    /// What is there is removed.
    Remove,
    /// It is kept under another name.
    BackUp,
}

/// What is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Make {
    /// A directory, unless it exists.
    Directory,
    /// A file with the source's data.
    Data {
        /// What is there is emptied: its data is not needed, not even until blocks are shared.
        empties: bool,
        /// What is there and cannot be opened is removed.
        removes_unopenable: bool,
    },
    /// A further name of the source; in the place of what is there.
    HardLink {
        /// It may take the place of what appears there.
        replaces: bool,
    },
    /// A symlink to the source's path.
    SymlinkToSource {
        /// Likewise.
        replaces: bool,
    },
    /// A symlink with the source's target.
    Symlink {
        /// Likewise.
        replaces: bool,
    },
    /// A FIFO, a socket, a device node.
    Node,
}

/// What a source of that type becomes.
fn make(case: &Case<'_>) -> Make {
    let replaces = case.options.forces();
    match case.source.stat.kind {
        FileType::Directory => Make::Directory,
        _ if case.options.has(Flags::SYMLINK) => Make::SymlinkToSource { replaces },
        _ if case.options.has(Flags::LINK) => Make::HardLink {
            replaces: replaces || case.options.has(Flags::INTERACTIVE),
        },
        FileType::Symlink => Make::Symlink { replaces },
        kind if case.options.copies_as_regular(kind) => Make::Data {
            empties: case.options.empties_first(),
            removes_unopenable: replaces,
        },
        _ => Make::Node,
    }
}

/// Goes on; what is there is written to or filled where it `is_reused`.
fn go(case: &Case<'_>, clear: Clear, is_reused: bool) -> Decision {
    let make = make(case);
    Decision::Go(Plan {
        clear,
        make,
        is_claimed: make != Make::Directory && case.is_claimed(),
        is_reused,
    })
}

const fn refuse(message: Message) -> Decision {
    Decision::Refuse(Failure::without_errno(message))
}

/// A rule: what it says of a name, if it has something to say.
pub type Rule = fn(&Case<'_>) -> Option<Decision>;

/// What is to be done with a name, before anything is touched; and again once the user has said
/// yes, as much may have happened meanwhile.
#[must_use]
pub fn decide(case: &Case<'_>) -> Decision {
    let said = RULES.iter().find_map(|(_, rule)| rule(case));
    said.unwrap_or_else(|| written_to(case))
}

/// All rules in GNU's order, each with its name; where one stands in GNU's `copy.c` is said
/// before it.
pub const RULES: &[(&str, Rule)] = &[
    // `copy_internal`: without `-r` directories are not copied.
    ("directory_omitted", |case| {
        let is_omitted = case.is_directory() && !case.options.has(Flags::RECURSIVE);
        is_omitted.then_some(refuse(Message::OmitDirectory))
    }),
    // `copy_internal`, `seen_file`: of an operand given twice one copy is enough.
    ("given_twice", |case| {
        let matters = !case.is_directory() && !case.options.backs_up();
        (matters && case.facts.given_before()).then_some(refuse(Message::GivenTwice))
    }),
    // `copy_internal`, at its end: there it has cleared the way already.
    ("unknown_type", |case| {
        let (options, kind) = (case.options, case.source.stat.kind);
        let is_made = options.copies_as_regular(kind) || options.makes_links();
        (kind == FileType::Unknown && !is_made).then_some(refuse(Message::UnknownType))
    }),
    // `copy_internal`: what cannot be looked at cannot be judged. Of a symlink that leads to nothing
    // opening it decides.
    ("unreadable", |case| match case.occupant {
        Occupant::Symlink {
            leads_to: Err(Errno::ENOENT),
            ..
        } => None,
        Occupant::Unreadable(errno)
        | Occupant::Symlink {
            leads_to: Err(errno),
            ..
        } => {
            let failure = Failure::new(Message::StatDestination, *errno);
            Some(Decision::Refuse(failure))
        }
        _ => None,
    }),
    // `copy_internal`: nothing is written through a symlink that an earlier operand has brought.
    // One that leads nowhere comes here at once, others last.
    ("astray_by_created", |case| match case.occupant {
        Occupant::Loop(_) => through_created(case),
        _ if case.there().is_none() => through_created(case),
        _ => None,
    }),
    // `copy_internal`, `new_dst`.
    ("nothing_there", |case| match case.there() {
        None => Some(go(case, Clear::Nothing, false)),
        Some(_) => None,
    }),
    // `same_file_ok`: the source would be lost. Nothing is overwritten under `-n`, the source
    // neither.
    ("same_file", |case| {
        (same_as(case)? == Same::Lost).then_some(refuse(Message::SameFile))
    }),
    // `copy_internal`, `UPDATE_OLDER`. Symlinks in circles are older than anything.
    ("not_older", |case| {
        let is_loop = matches!(case.occupant, Occupant::Loop(_));
        let is_older = is_loop || case.there()?.times[1] < case.source.stat.times[1];
        let is_left = case.options.update == Update::Older && !case.is_directory() && !is_older;
        let reason = if case.is_claimed() {
            Reason::UpToDate
        } else {
            Reason::Skipped
        };
        is_left.then_some(Decision::Leave(reason))
    }),
    // `copy_internal`, `UPDATE_NONE`.
    ("not_overwritten", |case| {
        case.there()?;
        let is_left = case.options.update == Update::None && !case.is_directory();
        is_left.then_some(Decision::Leave(Reason::Skipped))
    }),
    // `copy_internal`, `UPDATE_NONE_FAIL`.
    ("not_replaced", |case| {
        case.there()?;
        let is_left = case.options.update == Update::NoneFail && !case.is_directory();
        is_left.then_some(refuse(Message::NotReplacing))
    }),
    // `overwrite_ok`: three questions, by who may do what.
    ("asked", |case| {
        let there = case.there()?;
        let is_asked = case.options.has(Flags::INTERACTIVE) && !case.is_directory();
        let question = match there.kind {
            _ if case.is_answered || !is_asked => return None,
            FileType::Symlink => Message::AskOverwrite,
            _ if case.facts.may_write() => Message::AskOverwrite,
            _ if case.options.may_remove() => Message::AskReplace,
            _ => Message::AskUnwritable,
        };
        Some(Decision::Ask(question))
    }),
    // `copy_internal`, `return_now`: all is as it is to be.
    ("is_the_source", |case| {
        (same_as(case)? == Same::Done).then_some(Decision::Leave(Reason::Done))
    }),
    // `copy_internal`: the directory that is there is filled.
    ("directory_into_directory", |case| {
        let are_both = case.is_directory() && case.there()?.kind == FileType::Directory;
        are_both.then(|| go(case, Clear::Nothing, true))
    }),
    // `copy_internal`: no directory gives way to something else. Where others would be kept, the
    // call that fails says so.
    ("directory_by_other", |case| match case.there()?.kind {
        FileType::Directory if case.options.backs_up() => Some(go(case, Clear::Nothing, true)),
        FileType::Directory => Some(refuse(Message::DirectoryByNonDirectory)),
        _ => None,
    }),
    // `copy_internal`: nothing else gives way to a directory, unless it is kept.
    ("other_by_directory", |case| {
        let is_in_the_way = case.is_directory() && !case.options.backs_up();
        is_in_the_way.then_some(refuse(Message::NonDirectoryByDirectory))
    }),
    // `copy_internal`: a directory's contents (`DIR/.`) keep nothing. Making the directory says that
    // something is in the way.
    ("contents_by_directory", |case| {
        let keeps_nothing = case.is_directory() && !case.keeps(case.there()?);
        keeps_nothing.then(|| go(case, Clear::Nothing, false))
    }),
    // `copy_internal`: what an earlier operand has brought is not overwritten by another one.
    ("just_created", |case| {
        let matters = case.options.backup != Backup::Numbered;
        let is_created = matters && case.facts.created_here(case.there()?.id);
        is_created.then_some(refuse(Message::JustCreated))
    }),
    // Not GNU's, which removes it for a link to itself.
    ("is_its_copy", |case| {
        let may_be = case.is_claimed() && case.occupant.through().is_none();
        let is_its_copy = may_be && case.facts.is_its_copy(case.there()?.id);
        is_its_copy.then_some(Decision::Leave(Reason::Done))
    }),
    // `source_is_dst_backup`.
    ("backup_of_source", |case| {
        let by_name = case.options.backup != Backup::Numbered && case.keeps(case.there()?);
        (by_name && case.facts.is_own_backup()).then_some(refuse(Message::BackUpSource))
    }),
    // `copy_internal`: it is renamed.
    ("kept", |case| {
        case.keeps(case.there()?)
            .then(|| go(case, Clear::BackUp, false))
    }),
    // `copy_internal`: a further link to a file that keeps its links, and what is not written as
    // data, give way to a new file.
    ("removed", |case| {
        let there = case.there()?;
        let is_shared = case.options.preserve.contains(Preserve::LINKS) && there.nlink > 1;
        let is_other = !case.source.is_followed && case.source.stat.kind != FileType::Regular;
        let gives_way = (is_shared || is_other) && case.options.copies_data();
        (gives_way || case.options.removes()).then(|| go(case, Clear::Remove, false))
    }),
    // As above.
    ("through_created", through_created),
    // `copy_reg`: it is written to; links say that it is in the way.
    ("written_to", |case| Some(written_to(case))),
];

fn written_to(case: &Case<'_>) -> Decision {
    go(case, Clear::Nothing, case.there().is_some())
}

fn through_created(case: &Case<'_>) -> Option<Decision> {
    let link = case.occupant.through()?;
    let is_created = !case.is_directory() && case.facts.created_here(link);
    is_created.then_some(refuse(Message::ThroughCreated))
}

fn same_as(case: &Case<'_>) -> Option<Same> {
    if matches!(case.options.update, Update::None | Update::NoneFail) {
        return None;
    }
    let there = case.there()?;
    Some(*case.same.get_or_init(|| same(case, there)))
}

/// What a source was met as before, by this worker or another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Met {
    /// It was not, or nobody wants to know.
    Never,
    /// A file whose copy is elsewhere.
    File,
    /// A file whose copy this name is.
    FileHere,
    /// A directory.
    Directory {
        /// It was made by this copy, or is the copy of what is copied.
        is_made: bool,
        /// The walk stands in it, having come by symlinks.
        is_cyclic: bool,
        /// As an earlier operand, which was copied to this place.
        was_here: bool,
        /// As an earlier operand, which was copied elsewhere.
        was_elsewhere: bool,
    },
}

/// What being met before comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It is copied.
    Make,
    /// It becomes a further name of the copy.
    LinkToCopy,
    /// It is as it is to be.
    Leave,
    /// Nothing more of the operand is copied: it would never end.
    Stop(Message),
    /// It is not copied, and it is told why.
    Refuse(Message),
}

/// What becomes of a source that was `met`, now that the way is clear. With `is_followed` it may
/// be reached by symlinks, and rightly more than once.
///
/// `copy_internal`, after `remember_copied`: into itself, the same directory twice, hard links to
/// directories; `is_ancestor` for cycles.
#[must_use]
pub const fn admit(met: Met, is_followed: bool) -> Admission {
    match met {
        Met::File => Admission::LinkToCopy,
        Met::FileHere => Admission::Leave,
        Met::Directory { is_made: true, .. } => Admission::Stop(Message::IntoItself),
        Met::Directory { was_here: true, .. } => Admission::Refuse(Message::DirectoryTwice),
        Met::Directory {
            was_elsewhere: true,
            ..
        } if !is_followed => Admission::Refuse(Message::LinkToDirectory),
        Met::Directory {
            is_cyclic: true, ..
        } => Admission::Refuse(Message::Cyclic),
        Met::Never | Met::Directory { .. } => Admission::Make,
    }
}

/// What is to be done with a directory that leads to an operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParentDecision {
    /// It is there, and is gone through.
    Enter,
    /// It is made.
    Make,
    /// Nothing of the operand is copied.
    Refuse(Failure),
}

/// `make_dir_parents_private`: what is `there`, symlinks followed, has to be a directory, and the
/// `source`, where anybody wants to know it, too.
#[must_use]
pub fn decide_parent(
    there: Option<FileType>,
    source: Option<sys::Result<FileType>>,
) -> ParentDecision {
    let failure = |message, errno| ParentDecision::Refuse(Failure { message, errno });
    let source = source.map(|looked| {
        looked.and_then(|kind| match kind {
            FileType::Directory => Ok(()),
            _ => Err(Errno::ENOTDIR),
        })
    });
    match (there, source) {
        (_, Some(Err(errno))) => failure(Message::ParentAttributes, Some(errno)),
        (Some(kind), _) if kind != FileType::Directory => failure(Message::ParentNoDirectory, None),
        (Some(_), _) => ParentDecision::Enter,
        (None, _) => ParentDecision::Make,
    }
}
