//! Extended attributes, access control lists and security contexts among them, all carried as
//! they are.

use core::ffi::CStr;

use super::engine::Engine;
use super::handle;
use super::metadata::{Copied, Target};
use super::options::{Flags, Options, Preserve};
use super::workers::Shared;
use crate::data::plain::{self, NO_MODE};
use crate::report::{During, Message, Result};
use crate::sys::{
    self, Access, Bearer, CWD, Errno, NAMES_BYTES, OFlags, OwnedFd, nth_text, until_nul,
};

/// The longest value that an attribute has (`XATTR_SIZE_MAX`).
const VALUE_BYTES: usize = 64 << 10;

/// What the names of attributes begin with that are not kept as all others are, each with a NUL:
/// the access list, what access list a directory gives to new files in it, the security context,
/// and those that speak of one inode alone, or of permissions in a way that is the file system's
/// own (as in libattr's `xattr.conf`).
const SPECIAL: &[u8] = b"\
system.posix_acl_access\0\
system.posix_acl_default\0\
security.selinux\0\
security.evm\0\
system.nfs4\0\
trusted.SGI_\0";

/// The list of who may access a file, beyond its permission bits (`man 5 acl`): the first of
/// [`SPECIAL`].
const ACCESS_LIST: &CStr = match CStr::from_bytes_until_nul(SPECIAL) {
    Ok(first) => first,
    Err(_) => unreachable!(),
};

impl Engine<'_> {
    /// Gives a copy its source's attributes, as far as the options ask for them.
    pub(super) fn keep_attributes(&mut self, from: Target<'_>, copied: &Copied<'_>) -> Result<()> {
        let (shared, options, home) = (self.shared, &self.options, &mut self.home);
        let mut kept = Ok(());
        let buffer = self.data.buffer().during(Message::Mode)?;
        let (list, values) = buffer.split_at_mut_checked(NAMES_BYTES).unwrap_or_default();
        let (value, present) = values.split_at_mut_checked(VALUE_BYTES).unwrap_or_default();
        let listed = access(from, home, Access::List, c"", list);
        if let Err(errno) = listed
            && options.preserve.contains(Preserve::XATTR)
        {
            kept = shared.lost(copied, Message::ListAttributes, c"", errno);
        }
        let names = list
            .get(..listed.unwrap_or_default() as usize)
            .unwrap_or_default();
        let mut left = names;
        // Access lists in a second round: they may forbid to write the others.
        let mut lists = false;
        while !(left.is_empty() && lists) {
            if left.is_empty() {
                lists = true;
                left = names;
                continue;
            }
            let name = until_nul(left);
            left = left.get(name.count_bytes() + 1..).unwrap_or_default();
            if !is_kept(name, options, copied, lists) {
                continue;
            }
            let mut step = Message::GetAttribute;
            let mut done = access(from, home, Access::Get, name, value);
            if let Ok(len) = done {
                step = Message::SetAttribute;
                let value = value.get_mut(..len as usize).unwrap_or_default();
                done = access(copied.target, home, Access::Set, name, value);
                // Refused, but there: from the directory around it, or by the file system.
                if done.is_err()
                    && let Ok(len) = access(copied.target, home, Access::Get, name, present)
                    && present.get(..len as usize) == Some(value)
                {
                    done = Ok(0);
                }
                if let (Target::Handle(_), Err(handle::NO_WAY)) = (copied.target, done) {
                    kept = done.map(drop).during(step);
                    break;
                }
            }
            if let Err(errno) = done {
                if lists && errno != Errno::ENODATA {
                    // Not told yet: of the mode, nothing more than this can go wrong.
                    kept = kept.and(done.map(drop).during(Message::Mode));
                } else {
                    kept = kept.and(shared.lost(copied, step, name, errno));
                }
                if errno == Errno::EOPNOTSUPP {
                    // No more than one is tried where none can be.
                    left = &[];
                }
            }
        }
        self.go_home();
        kept
    }

    /// Takes away the access list that a new file has from the directory around it.
    pub(super) fn drop_access_list(&mut self, target: Target<'_>) -> Result<()> {
        let dropped = access(target, &mut self.home, Access::Remove, ACCESS_LIST, &mut []);
        self.go_home();
        match (target, dropped) {
            (Target::Handle(_), Err(handle::NO_WAY)) => dropped.map(drop).during(self.mode_step()),
            // Most have none.
            _ => Ok(()),
        }
    }

    /// Returns to the working directory if the worker has left it.
    fn go_home(&mut self) {
        if let Some(home) = &self.home
            && sys::fchdir(home.as_fd()).is_err()
        {
            // Paths would lead elsewhere from now on.
            self.shared.reporter().error(Message::Return, &[b"."], None);
            sys::exit(1);
        }
        self.home = None;
    }
}

impl Shared<'_> {
    /// Says that an attribute was not kept, if anybody wants to know.
    fn lost(
        &self,
        copied: &Copied<'_>,
        mut step: Message,
        name: &CStr,
        errno: Errno,
    ) -> Result<()> {
        let preserve = self.options.preserve;
        let unsupported = errno == Errno::EOPNOTSUPP;
        let required = preserve.contains(Preserve::XATTR_REQUIRED);
        let quiet = unsupported || preserve.contains(Preserve::XATTR_QUIET);
        // One that is gone since it was listed need not be kept. Where there are none at all,
        // there is nothing to list.
        if errno == Errno::ENODATA
            || (unsupported && step == Message::ListAttributes)
            || (quiet && !required && !self.options.has(Flags::ATTRIBUTES_ONLY))
        {
            return Ok(());
        }
        if unsupported && step == Message::SetAttribute {
            step = Message::SetAttributes;
        }
        let names = [copied.shown[0], copied.shown[1], name.to_bytes()];
        if required {
            return self.tell(step, &names, Some(errno));
        }
        self.reporter().warn(step, &names, Some(errno));
        Ok(())
    }
}

/// Whether the kernel labels files with security contexts (`SELinux`).
#[must_use]
pub fn has_contexts() -> bool {
    const SELINUX: u64 = 0xf97c_ff8c;
    plain::open(CWD, c"/sys/fs/selinux", OFlags::PATH, NO_MODE)
        .and_then(|dir| sys::file_system_type(dir.as_fd()))
        == Ok(SELINUX)
}

/// Whether an attribute is kept in the round of access lists, or in that of the others.
fn is_kept(name: &CStr, options: &Options, copied: &Copied<'_>, lists: bool) -> bool {
    let begins_so = |number| {
        name.to_bytes()
            .starts_with(nth_text(SPECIAL, number).to_bytes())
    };
    match (0..6).find(|number| begins_so(*number)) {
        Some(0 | 1) => lists && options.preserve.contains(Preserve::MODE) && copied.lists,
        _ if lists || !copied.others => false,
        Some(2) => {
            let kept = Preserve::XATTR | Preserve::CONTEXT;
            options.preserve.intersects(kept) && !options.has(Flags::DEFAULT_CONTEXT)
        }
        Some(_) => false,
        None => options.preserve.contains(Preserve::XATTR),
    }
}

/// Does something with the attributes of `target`. Where no path leads to a name, its directory
/// becomes the worker's working directory, which is its own; `home` is then the one that it left.
fn access(
    target: Target<'_>,
    home: &mut Option<OwnedFd>,
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
    if home.is_none() {
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
        *home = Some(here);
    }
    let dir = match home {
        Some(home) if is_here => home.as_fd(),
        _ => place.dir,
    };
    sys::fchdir(dir)?;
    sys::xattr(Bearer::Named(place.name), access, name, value)
}
