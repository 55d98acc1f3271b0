//! Names of our own beside the destination: for files that take another's place once they are
//! whole, and for what nobody else is to get at meanwhile.

use core::ffi::CStr;

use super::path::{Place, last_part, open_parent};
use crate::data::plain::{self, NO_MODE};
use crate::sys::{
    self, AtFlags, BorrowedFd, Errno, FileId, Mode, OFlags, OwnedFd, Result, until_nul,
};

/// Makes a file under another name, and renames it to `dst`: what is there stays if it fails.
pub fn replace(dst: &Place<'_>, make: &dyn Fn(BorrowedFd<'_>, &CStr) -> Result<()>) -> Result<()> {
    let (parent, last) = parent_and_name(dst)?;
    let parent = parent.as_fd();
    let other = take_name(&|name| make(parent, name))?;
    let other = until_nul(&other);
    let renamed = sys::renameat2(parent, other, parent, last, false);
    // Where both are names of one file, both are left.
    match sys::unlinkat(parent, other, AtFlags::empty()) {
        Err(errno) if errno != Errno::ENOENT => renamed.and(Err(errno)),
        _ => renamed,
    }
}

/// Runs `finish` with the place of file `id` while that is in a directory that nobody else gets
/// into, and not at `dst`, where it was made: there what is done by name is done to no other.
///
/// # Errors
/// What `finish` gives, and those of the way there and back; `ESTALE` where another file is at
/// `dst`, which then stays there.
pub fn in_private_directory<T>(
    dst: &Place<'_>,
    id: &FileId,
    finish: impl FnOnce(&Place<'_>) -> T,
) -> Result<T> {
    let (parent, last) = parent_and_name(dst)?;
    let parent = parent.as_fd();
    let directory = take_name(&|name| make_private(parent, name))?;
    let directory = until_nul(&directory);
    let done = finish_in(parent, directory, last, id, finish);
    // It stays with somebody else's file in it that could not go back.
    sys::unlinkat(parent, directory, AtFlags::REMOVEDIR).and(done)
}

/// As [`in_private_directory`], in `directory`.
fn finish_in<T>(
    parent: BorrowedFd<'_>,
    directory: &CStr,
    last: &CStr,
    id: &FileId,
    finish: impl FnOnce(&Place<'_>) -> T,
) -> Result<T> {
    let private = open_private(parent, directory)?;
    let place = Place {
        dir: private.as_fd(),
        name: c"new",
    };
    sys::renameat2(parent, last, place.dir, place.name, false)?;
    let is_it = place.stat(false)?.id == *id;
    let done = if is_it {
        Ok(finish(&place))
    } else {
        Err(Errno::ESTALE)
    };
    let back = put(&place, parent, last);
    if back.is_err() && is_it {
        // Its place was taken meanwhile.
        sys::unlinkat(place.dir, place.name, AtFlags::empty())?;
    }
    back.and(done)
}

/// Moves what is at `place` to `name` in `dir`, where nothing may be.
fn put(place: &Place<'_>, dir: BorrowedFd<'_>, name: &CStr) -> Result<()> {
    match sys::renameat2(place.dir, place.name, dir, name, true) {
        // A file system that cannot promise to overwrite nothing; a link never does.
        Err(Errno::EINVAL) => {
            sys::linkat(place.dir, place.name, dir, name, AtFlags::empty())?;
            sys::unlinkat(place.dir, place.name, AtFlags::empty())
        }
        answer => answer,
    }
}

/// Makes a directory for nobody else, whatever the umask.
fn make_private(parent: BorrowedFd<'_>, name: &CStr) -> Result<()> {
    let umask = sys::umask(Mode::RWXG | Mode::RWXO);
    let made = sys::mkdirat(parent, name, Mode::RWXU);
    sys::umask(umask);
    made
}

/// Opens it. Another that was put in its place meanwhile is not ours, or no less private.
fn open_private(parent: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW;
    let private = plain::open(parent, name, flags, NO_MODE)?;
    let found = sys::stat_fd(private.as_fd())?;
    let others = Mode::RWXG | Mode::RWXO;
    if found.uid != sys::geteuid() || found.mode.intersects(others) {
        return Err(Errno::ESTALE);
    }
    Ok(private)
}

/// The directory that holds what is at `place`, and its name there.
fn parent_and_name<'a>(place: &Place<'a>) -> Result<(OwnedFd, &'a CStr)> {
    let name = place.name;
    let parent = open_parent(place.dir, name.to_bytes())?;
    Ok((parent, until_nul(last_part(name.to_bytes_with_nul()))))
}

/// Has `make` make something under a name that nothing has yet, and nobody else would choose. Gives
/// the name with its NUL.
fn take_name(make: &dyn Fn(&CStr) -> Result<()>) -> Result<[u8; 18]> {
    // Not one that another copy takes at the same time: it would remove ours for its own.
    let mut number = sys::random_number();
    loop {
        let mut name = *b".annulet-00000000\0";
        let mut digits = number;
        for digit in name.iter_mut().skip(9).take(8) {
            *digit = b'a' + (digits & 15) as u8;
            digits >>= 4;
        }
        match make(until_nul(&name)) {
            Err(Errno::EEXIST) => number = number.wrapping_add(1),
            answer => return answer.map(|()| name),
        }
    }
}
