//! What a copy keeps of its source besides the data: times, owner, extended attributes, access
//! control lists, permission bits.
//!
//! Always in this order, after the data: writing changes times, a change of owner clears
//! setuid, setgid and capabilities, and the final permission bits may lock us out.

use super::options::Preserve;
use super::outcome::Stop;
use super::target::{Copied, Target};
use super::worker::Worker;
use super::xattr;
use crate::report::{During, Message, Result};
use crate::sys::{self, BorrowedFd, Errno, FileType, KEEP_ID, Mode, Stat};

/// What is not kept in metadata, or not there alone.
pub const KEPT_IN_ATTRIBUTES: Preserve = Preserve::MODE
    .union(Preserve::XATTR)
    .union(Preserve::CONTEXT);

/// Permission bits that a new file is made without until its owner is set: those through
/// which somebody could get at it, or at what is put into it, in between.
pub fn withheld(preserve: Preserve, kind: FileType, mode: Mode) -> Mode {
    let bits = if preserve.contains(Preserve::OWNERSHIP) {
        Mode::RWXG | Mode::RWXO
    } else if kind == FileType::Directory {
        Mode::WRITE_OTHERS
    } else {
        Mode::empty()
    };
    mode & bits
}

/// Gives a finished copy the times, owner and permission bits that the options ask for.
/// What cannot be kept ends it, as in GNU cp.
///
/// # Errors
/// The first that matters.
pub fn keep(
    worker: &mut Worker<'_>,
    from: &Stat,
    copied: &Copied<'_>,
) -> core::result::Result<(), Stop> {
    let preserve = worker.options().preserve;
    if preserve.contains(Preserve::TIMESTAMPS) {
        let message = if copied.others {
            Message::Times
        } else {
            Message::ParentTimes
        };
        copied.target.set_times(from).during(message)?;
    }
    let mut mode = from.mode;
    if preserve.contains(Preserve::OWNERSHIP) && !keep_owner(worker, from, copied)? && copied.others
    {
        // Of a directory that leads to an operand they are kept, as in GNU cp.
        mode -= Mode::SPECIAL;
    }
    let mut kept = Ok(());
    if preserve.intersects(KEPT_IN_ATTRIBUTES)
        && let Some(source) = copied.source
    {
        kept = xattr::keep(worker, source, copied);
    }
    let mut wanted = copied.mode;
    if preserve.contains(Preserve::MODE) {
        wanted = Some(mode);
    } else if preserve.contains(Preserve::NO_MODE) && copied.before.is_none() && copied.others {
        xattr::drop_access_list(worker, copied.target).during(mode_message(preserve))?;
    }
    if let Some(mode) = wanted
        && !copied.is_symlink
    {
        copied
            .target
            .set_mode(mode)
            .during(mode_message(preserve))?;
    }
    kept
}

/// What it is to set a mode: GNU cp has three messages.
const fn mode_message(preserve: Preserve) -> Message {
    if preserve.contains(Preserve::MODE) {
        Message::Mode
    } else if preserve.contains(Preserve::NO_MODE) {
        Message::UsualMode
    } else {
        Message::RestoreMode
    }
}

/// The mode for a new file of type `kind` that was made with `withheld` bits missing from
/// `mode`, where the umask lets it have any of them, or the source's is not wanted.
pub fn released(
    worker: &mut Worker<'_>,
    kind: FileType,
    mode: Mode,
    withheld: Mode,
) -> Option<Mode> {
    if worker.options().preserve.contains(Preserve::NO_MODE) {
        let usual = match kind {
            FileType::Directory | FileType::Socket => Mode::PERMISSIONS,
            _ => Mode::READ_WRITE,
        };
        return Some((usual - worker.umask()) | (mode & Mode::SPECIAL));
    }
    if withheld.is_empty() {
        return None;
    }
    let umask = worker.umask();
    (!umask.contains(withheld)).then_some(mode - umask)
}

/// Sets the owner, and says whether it is the right one. An ordinary user may not give files
/// away, which is expected, and no error; but privileges that go with the owner are not for
/// somebody else then.
fn keep_owner(worker: &mut Worker<'_>, from: &Stat, copied: &Copied<'_>) -> Result<bool> {
    if let Some(before) = copied.before {
        if (before.uid, before.gid) == (from.uid, from.gid) {
            return Ok(true);
        }
        // Before an existing file changes hands, its old owner's permissions that its new one
        // may not want are taken away, and who else has any; not of a directory that leads to an
        // operand, as in GNU cp.
        if copied.others && worker.options().preserve.contains(Preserve::MODE) {
            let common = before.mode & from.mode & Mode::RWXU;
            xattr::drop_access_list(worker, copied.target).during(Message::Mode)?;
            copied.target.set_mode(common).during(Message::ClearMode)?;
        }
    }
    let set = copied.target.set_owner(from.uid, from.gid);
    // There are file systems that refuse it whoever the owner is.
    if set.is_err() && copied.target.is_owned_by(from.uid, from.gid) {
        return Ok(true);
    }
    if matches!(set, Err(Errno::EPERM | Errno::EINVAL)) {
        // The group may be one of ours even so.
        let _ = copied.target.set_owner(KEEP_ID, from.gid);
        if sys::geteuid() != 0 {
            return Ok(false);
        }
    }
    set.map(|()| true).during(Message::Owner)
}

/// What a directory that leads to an operand is made with: its mode, where the source's is `mode`,
/// and the permissions that it has only once it is finished.
#[must_use]
pub fn of_parent(preserve: Preserve, mode: Mode) -> (Mode, Mode) {
    let keeps = preserve.intersects(Preserve::MODE | Preserve::OWNERSHIP);
    let missing = if keeps {
        withheld(preserve, FileType::Directory, mode)
    } else {
        Mode::empty()
    };
    let is_usual = preserve.contains(Preserve::NO_MODE) && !preserve.contains(Preserve::MODE);
    (if is_usual { Mode::PERMISSIONS } else { mode }, missing)
}

/// Whether a directory that leads to an operand, and that is there, is given anything.
#[must_use]
pub const fn changes_parents(preserve: Preserve) -> bool {
    let kept = Preserve::MODE
        .union(Preserve::OWNERSHIP)
        .union(Preserve::TIMESTAMPS);
    preserve.intersects(kept)
}

/// The mode that a new directory gets when it is finished, if not the one that it has from the
/// `kernel`: it was made of `mode` with the `withheld` bits missing.
pub fn of_new_directory(
    worker: &mut Worker<'_>,
    is_parent: bool,
    mode: Mode,
    withheld: Mode,
    kernel: Mode,
) -> Option<Mode> {
    if worker.options().preserve.contains(Preserve::NO_MODE) && !is_parent {
        // As GNU cp, which sets a mode where the directory around it has setgid, and
        // elsewhere an access list.
        let mut inherited = kernel & Mode::ISGID;
        if inherited.is_empty() {
            inherited = kernel & Mode::ISVTX;
        }
        return released(worker, FileType::Directory, inherited, withheld);
    }
    // What the source has as far as the umask or the parent's default access list lets
    // it, and what the kernel added (setgid from the parent).
    let given = kernel & (mode | !Mode::RWXU);
    let mode = given | (withheld - worker.umask());
    // Not needlessly: it takes setgid away where the group is not the user's.
    (mode != kernel || !kernel.contains(Mode::RWXU)).then_some(mode)
}

/// Gives a node that was made of `mode` with the `withheld` bits missing its permissions, where
/// they are not kept.
///
/// # Errors
/// As [`Target::set_mode`].
pub fn release_node(
    worker: &mut Worker<'_>,
    target: Target<'_>,
    source: &Stat,
    withheld: Mode,
) -> Result<()> {
    let preserve = worker.options().preserve;
    if preserve.contains(Preserve::MODE) {
        return Ok(());
    }
    if let Some(mode) = released(worker, source.kind, source.mode, withheld)
        && let Ok(now) = target.stat()
    {
        // What a default access list or a change of owner has taken away stays away.
        let (kept, given) = if preserve.contains(Preserve::NO_MODE) {
            (Mode::SPECIAL, mode - Mode::SPECIAL)
        } else {
            (Mode::all(), mode & withheld)
        };
        let mode = (now.mode & kept) | given;
        target.set_mode(mode).during(mode_message(preserve))?;
    }
    Ok(())
}

/// Lets the owner write to a new file that is open as `fd` until its attributes are written, which
/// only root may do without. Gives the mode that it is to have then, if it changed.
pub fn let_owner_write(
    worker: &mut Worker<'_>,
    fd: BorrowedFd<'_>,
    mode: Mode,
    withheld: Mode,
) -> Option<Mode> {
    let is_needed = worker.options().preserve.contains(Preserve::XATTR)
        && !mode.contains(Mode::WUSR)
        && worker.euid() != 0;
    if !is_needed {
        return None;
    }
    let usual = mode - worker.umask();
    // Where that is refused, attributes may be as well, and are told of then.
    let changed = sys::fchmod(fd, (usual - withheld) | Mode::WUSR);
    changed.is_ok().then_some(usual)
}
