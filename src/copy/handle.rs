//! Files by a descriptor that stands for them and can neither read nor write (`O_PATH`).
//!
//! Symlinks and device nodes cannot be opened otherwise; and a name that was looked up may be
//! another file's by the next call, where somebody else may write to its directory. For what
//! the kernel does not do by such a descriptor, it does it by the descriptor's name in `/proc`.

use core::ffi::CStr;
use core::sync::atomic::{AtomicBool, Ordering};

use super::path::Place;
use super::proc::{open_directory, path_of};
use crate::data::plain::{self, NO_MODE};
use crate::sys::{
    self, Access, AtFlags, Bearer, BorrowedFd, CWD, Errno, Mode, OFlags, OwnedFd, Stat, until_nul,
};

/// What is answered where neither the kernel does it by such a descriptor nor `/proc` helps.
pub const NO_WAY: Errno = Errno::ENOSYS;

/// Whether `/proc` was found.
static FOUND: AtomicBool = AtomicBool::new(false);

/// Opens what has a name, a symlink as itself unless it is to `follow`, and looks at it.
///
/// # Errors
/// As [`plain::open`], but none about the file's own permissions; those of [`sys::stat_fd`].
pub fn open(place: &Place<'_>, follow: bool) -> sys::Result<(OwnedFd, Stat)> {
    let flags = OFlags::PATH | following(follow);
    let file = plain::open(place.dir, place.name, flags, NO_MODE)?;
    let stat = sys::stat_fd(file.as_fd())?;
    Ok((file, stat))
}

/// How a name is opened where a symlink is, or is not, to be followed.
pub fn following(follow: bool) -> OFlags {
    if follow {
        OFlags::empty()
    } else {
        OFlags::NOFOLLOW
    }
}

/// Sets the times of last access and change to those of `from`.
///
/// # Errors
/// As [`sys::utimensat`]; [`NO_WAY`].
pub fn set_times(file: BorrowedFd<'_>, from: &Stat) -> sys::Result<()> {
    match sys::utimensat(file, c"", &from.times, AtFlags::EMPTY_PATH) {
        // Before Linux 5.8.
        Err(Errno::EINVAL | Errno::ENOSYS) => by_proc(file, b"", &mut |path| {
            sys::utimensat(CWD, path, &from.times, AtFlags::empty())
        }),
        answer => answer,
    }
}

/// Sets owner and group.
///
/// # Errors
/// As [`sys::fchownat`].
pub fn set_owner(file: BorrowedFd<'_>, uid: u32, gid: u32) -> sys::Result<()> {
    sys::fchownat(file, c"", uid, gid, AtFlags::EMPTY_PATH)
}

/// Sets the permission bits. Linux 6.6, or by `/proc`: there are seccomp profiles that answer a
/// call which they do not know as if it were forbidden.
///
/// # Errors
/// As [`sys::fchmod`]; [`NO_WAY`].
pub fn set_mode(file: BorrowedFd<'_>, mode: Mode) -> sys::Result<()> {
    sys::fchmodat2(file, c"", mode, AtFlags::EMPTY_PATH)
        .or_else(|_| by_proc(file, b"", &mut |path| sys::fchmodat(CWD, path, mode)))
}

/// Gives the file the further name `name` in `dir`. Before Linux 6.10 this takes a privilege,
/// unless it is done by `/proc`.
///
/// # Errors
/// As [`sys::linkat`]; [`NO_WAY`].
pub fn link(file: BorrowedFd<'_>, dir: BorrowedFd<'_>, name: &CStr) -> sys::Result<()> {
    match sys::linkat(file, c"", dir, name, AtFlags::EMPTY_PATH) {
        Err(errno) if errno != Errno::EEXIST => by_proc(file, b"", &mut |path| {
            sys::linkat(CWD, path, dir, name, AtFlags::SYMLINK_FOLLOW)
        }),
        answer => answer,
    }
}

/// Does something with the file's attributes.
///
/// # Errors
/// As [`sys::xattr`]; [`NO_WAY`].
pub fn xattr(
    file: BorrowedFd<'_>,
    access: Access,
    name: &CStr,
    value: &mut [u8],
) -> sys::Result<u32> {
    by_proc(file, b"", &mut |path| {
        sys::xattr(Bearer::Followed(path), access, name, value)
    })
}

/// Does something with the attributes of a name, a symlink's own.
///
/// # Errors
/// As [`sys::xattr`]; [`NO_WAY`].
pub fn xattr_of_name(
    place: &Place<'_>,
    access: Access,
    name: &CStr,
    value: &mut [u8],
) -> sys::Result<u32> {
    by_proc(place.dir, place.name.to_bytes(), &mut |path| {
        sys::xattr(Bearer::Named(path), access, name, value)
    })
}

/// Runs `call` with the descriptor's name in `/proc`, or with the path from there to a name `below`
/// that directory.
fn by_proc<T>(
    file: BorrowedFd<'_>,
    below: &[u8],
    call: &mut dyn FnMut(&CStr) -> sys::Result<T>,
) -> sys::Result<T> {
    let mut path = [0; 512];
    if !has_proc() || below.len() > path.len() / 2 {
        return Err(NO_WAY);
    }
    let descriptor = path_of(file);
    let slash: &[u8] = if below.is_empty() { b"" } else { b"/" };
    let parts = [until_nul(&descriptor).to_bytes(), slash, below];
    for (room, &byte) in path.iter_mut().zip(parts.iter().copied().flatten()) {
        *room = byte;
    }
    let is_shut = || sys::stat_at(CWD, until_nul(&descriptor), AtFlags::empty()).is_err();
    match call(until_nul(&path)) {
        // No answer about the file where a sandbox shuts `/proc`.
        Err(Errno::EACCES) if is_shut() => Err(NO_WAY),
        answer => answer,
    }
}

/// Whether descriptors have names.
fn has_proc() -> bool {
    // Relaxed: it does not change, and is asked again until it was found.
    if !FOUND.load(Ordering::Relaxed) {
        FOUND.store(open_directory().is_ok(), Ordering::Relaxed);
    }
    FOUND.load(Ordering::Relaxed)
}
