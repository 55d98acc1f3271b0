//! Extended attributes, access control lists and security contexts among them, all carried as
//! they are.

use core::ffi::CStr;

use super::handle::{self, NO_WAY};
use super::options::{Flags, Options, Preserve};
use super::outcome::Stop;
use super::shared::Shared;
use super::target::{Copied, Target};
use super::worker::Worker;
use crate::data::plain::{self, NO_MODE};
use crate::report::{During, Failure, Message};
use crate::sys::{self, Access, Bearer, CWD, Errno, NAMES_BYTES, OFlags, OwnedFd, until_nul};

/// The longest value that an attribute has (`XATTR_SIZE_MAX`).
const VALUE_BYTES: usize = 64 << 10;

/// The list of who may access a file, beyond its permission bits (`man 5 acl`).
const ACCESS_LIST: &CStr = c"system.posix_acl_access";

/// What an attribute is kept with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The permission bits: an access list, or the one that a directory gives to new files in it.
    AccessList,
    /// The security context.
    Context,
    /// Nothing: it speaks of one inode alone, or of permissions in a way that is the file system's
    /// own (as in libattr's `xattr.conf`).
    NotKept,
    /// The other attributes.
    Other,
}

/// What the names of attributes begin with that are not kept as all others are.
const KINDS: [(&[u8], Kind); 6] = [
    (ACCESS_LIST.to_bytes(), Kind::AccessList),
    (b"system.posix_acl_default", Kind::AccessList),
    (b"security.selinux", Kind::Context),
    (b"security.evm", Kind::NotKept),
    (b"system.nfs4", Kind::NotKept),
    (b"trusted.SGI_", Kind::NotKept),
];

fn kind_of(name: &CStr) -> Kind {
    KINDS
        .iter()
        .find(|(start, _)| name.to_bytes().starts_with(start))
        .map_or(Kind::Other, |(_, kind)| *kind)
}

/// Whether an attribute is kept: in the round of access lists, or in that of the others.
fn is_kept(name: &CStr, options: &Options, copied: &Copied<'_>, of_lists: bool) -> bool {
    match kind_of(name) {
        Kind::AccessList => of_lists && options.preserve.contains(Preserve::MODE) && copied.lists,
        _ if of_lists || !copied.others => false,
        Kind::NotKept => false,
        Kind::Context => {
            let kept = Preserve::XATTR | Preserve::CONTEXT;
            options.preserve.intersects(kept) && !options.has(Flags::DEFAULT_CONTEXT)
        }
        Kind::Other => options.preserve.contains(Preserve::XATTR),
    }
}

/// Calls about attributes. Where no path leads to a name, its directory becomes the worker's
/// working directory, which is its own.
struct Calls {
    /// The one that it was in.
    left: Option<OwnedFd>,
}

impl Calls {
    /// Does something with the attributes of `target`.
    fn call(
        &mut self,
        target: Target<'_>,
        access: Access,
        name: &CStr,
        value: &mut [u8],
    ) -> sys::Result<u32> {
        let place = match target {
            Target::Open(fd) => return sys::xattr(Bearer::Open(fd), access, name, value),
            Target::Handle(fd) => return handle::xattr(fd, access, name, value),
            Target::Named(place) => place,
        };
        let is_here = place.dir.raw() == CWD.raw();
        if self.left.is_none() {
            if is_here {
                return sys::xattr(Bearer::Named(place.name), access, name, value);
            }
            match handle::xattr_of_name(place, access, name, value) {
                // `/proc` is not there, or shut.
                Err(handle::NO_WAY | Errno::ENOENT | Errno::EPERM) => {}
                answer => return answer,
            }
            let here = plain::open(CWD, c".", OFlags::PATH | OFlags::DIRECTORY, NO_MODE)?;
            // Nobody leaves who may not return.
            sys::fchdir(here.as_fd())?;
            self.left = Some(here);
        }
        let dir = match &self.left {
            Some(left) if is_here => left.as_fd(),
            _ => place.dir,
        };
        sys::fchdir(dir)?;
        sys::xattr(Bearer::Named(place.name), access, name, value)
    }

    /// Returns to the working directory if the worker has left it.
    fn end(self, worker: &Worker<'_>) {
        if let Some(left) = self.left
            && sys::fchdir(left.as_fd()).is_err()
        {
            // Paths would lead elsewhere from now on.
            worker.shared.tell(Message::Return, &[b"."], None);
            sys::exit(1);
        }
    }
}

/// Gives a copy its source's attributes, as far as the options ask for them.
///
/// # Errors
/// The first that matters; most are told already.
pub fn keep(worker: &mut Worker<'_>, from: Target<'_>, copied: &Copied<'_>) -> Result<(), Stop> {
    let mut calls = Calls { left: None };
    let kept = keep_all(worker, &mut calls, from, copied);
    calls.end(worker);
    kept
}

fn keep_all(
    worker: &mut Worker<'_>,
    calls: &mut Calls,
    from: Target<'_>,
    copied: &Copied<'_>,
) -> Result<(), Stop> {
    let (shared, options) = (worker.shared, worker.options());
    let buffer = worker.mover.buffer().during(Message::Mode)?;
    let (list, values) = buffer.split_at_mut_checked(NAMES_BYTES).unwrap_or_default();
    let len = match calls.call(from, Access::List, c"", list) {
        Ok(len) => len as usize,
        Err(errno) if options.preserve.contains(Preserve::XATTR) => {
            return lost(shared, copied, Message::ListAttributes, c"", errno);
        }
        Err(_) => return Ok(()),
    };
    let list = list.get(..len).unwrap_or_default();
    let names = list.split_inclusive(|&byte| byte == 0).map(until_nul);
    let mut kept = Ok(());
    // Access lists in a second round: they may forbid to write the others.
    for of_lists in [false, true] {
        for name in names.clone() {
            if !is_kept(name, options, copied, of_lists) {
                continue;
            }
            let Err((message, errno)) = copy(calls, from, copied.target, name, values) else {
                continue;
            };
            let failed = |message| Err(Failure::new(message, errno).into());
            kept = match copied.target {
                Target::Handle(_) if (message, errno) == (Message::SetAttribute, NO_WAY) => {
                    return failed(message);
                }
                // Not told yet: of the mode, nothing more than this can go wrong.
                _ if of_lists && errno != Errno::ENODATA => kept.and(failed(Message::Mode)),
                _ => kept.and(lost(shared, copied, message, name, errno)),
            };
            // No more than one is tried where none can be.
            if errno == Errno::EOPNOTSUPP {
                break;
            }
        }
    }
    kept
}

/// Copies one attribute. What is refused and there all the same, from the directory around it or
/// by the file system, is no error.
fn copy(
    calls: &mut Calls,
    from: Target<'_>,
    to: Target<'_>,
    name: &CStr,
    values: &mut [u8],
) -> Result<(), (Message, Errno)> {
    let (value, present) = values.split_at_mut_checked(VALUE_BYTES).unwrap_or_default();
    let len = calls
        .call(from, Access::Get, name, value)
        .map_err(|errno| (Message::GetAttribute, errno))?;
    let value = value.get_mut(..len as usize).unwrap_or_default();
    let Err(errno) = calls.call(to, Access::Set, name, value) else {
        return Ok(());
    };
    match calls.call(to, Access::Get, name, present) {
        Ok(len) if present.get(..len as usize) == Some(value) => Ok(()),
        _ => Err((Message::SetAttribute, errno)),
    }
}

/// Takes away the access list that a new file has from the directory around it.
///
/// # Errors
/// [`NO_WAY`] alone: most files have none.
pub fn drop_access_list(worker: &Worker<'_>, target: Target<'_>) -> sys::Result<()> {
    let mut calls = Calls { left: None };
    let dropped = calls.call(target, Access::Remove, ACCESS_LIST, &mut []);
    calls.end(worker);
    match (target, dropped) {
        (Target::Handle(_), Err(NO_WAY)) => Err(NO_WAY),
        _ => Ok(()),
    }
}

/// Says that an attribute was not kept, if anybody wants to know.
fn lost(
    shared: &Shared<'_>,
    copied: &Copied<'_>,
    mut message: Message,
    name: &CStr,
    errno: Errno,
) -> Result<(), Stop> {
    let preserve = shared.options.preserve;
    let unsupported = errno == Errno::EOPNOTSUPP;
    let required = preserve.contains(Preserve::XATTR_REQUIRED);
    let quiet = unsupported || preserve.contains(Preserve::XATTR_QUIET);
    // One that is gone since it was listed need not be kept. Where there are none at all,
    // there is nothing to list.
    if errno == Errno::ENODATA
        || (unsupported && message == Message::ListAttributes)
        || (quiet && !required && shared.options.copies_data())
    {
        return Ok(());
    }
    if unsupported && message == Message::SetAttribute {
        message = Message::SetAttributes;
    }
    let names = [copied.shown[0], copied.shown[1], name.to_bytes()];
    if required {
        return Err(shared.tell(message, &names, Some(errno)).into());
    }
    shared.reporter().warn(message, &names, Some(errno));
    Ok(())
}

/// Whether the kernel labels files with security contexts (`SELinux`).
#[must_use]
pub fn has_contexts() -> bool {
    const SELINUX: u64 = 0xf97c_ff8c;
    plain::open(CWD, c"/sys/fs/selinux", OFlags::PATH, NO_MODE)
        .and_then(|dir| sys::file_system_type(dir.as_fd()))
        == Ok(SELINUX)
}
