//! Extended attributes (`man 7 xattr`).

use core::ffi::CStr;

use super::BorrowedFd;
use super::arch::nr;
use super::errno::{Errno, Result};
use super::restarted::syscall5;

/// The most that the names of a file's attributes take together (`XATTR_LIST_MAX`).
pub const NAMES_BYTES: usize = 64 << 10;

/// What has attributes.
#[derive(Debug, Clone, Copy)]
pub enum Bearer<'a> {
    /// An open file, but not one opened with `O_PATH`.
    Open(BorrowedFd<'a>),
    /// A name relative to the thread's working directory, a symlink as itself: before Linux
    /// 6.13 there are no calls relative to a descriptor.
    Named(&'a CStr),
    /// What a name of `/proc/self/fd` leads to: that descriptor's file, be it a symlink.
    Followed(&'a CStr),
}

/// What is to be done with a file's attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Write all names to the room for the value, each with its NUL.
    List,
    /// Write the named one's value.
    Get,
    /// Give the named one that value, whether or not it was there.
    Set,
    /// Remove the named one.
    Remove,
}

/// The number of the call.
const fn number_of(bearer: Bearer<'_>, access: Access) -> usize {
    match (bearer, access) {
        (Bearer::Open(_), Access::List) => nr::FLISTXATTR,
        (Bearer::Open(_), Access::Get) => nr::FGETXATTR,
        (Bearer::Open(_), Access::Set) => nr::FSETXATTR,
        (Bearer::Open(_), Access::Remove) => nr::FREMOVEXATTR,
        (Bearer::Named(_), Access::List) => nr::LLISTXATTR,
        (Bearer::Named(_), Access::Get) => nr::LGETXATTR,
        (Bearer::Named(_), Access::Set) => nr::LSETXATTR,
        (Bearer::Named(_), Access::Remove) => nr::LREMOVEXATTR,
        (Bearer::Followed(_), Access::List) => nr::LISTXATTR,
        (Bearer::Followed(_), Access::Get) => nr::GETXATTR,
        (Bearer::Followed(_), Access::Set) => nr::SETXATTR,
        (Bearer::Followed(_), Access::Remove) => nr::REMOVEXATTR,
    }
}

/// Does it, and returns the length of what was written.
///
/// # Errors
/// `EOPNOTSUPP`, `ENODATA` (there is no such attribute), `ERANGE` (the room is too small),
/// `EPERM`, `ENOSPC`, … (`man 2 listxattr`, `getxattr`, `setxattr`, `removexattr`).
pub fn xattr(bearer: Bearer<'_>, access: Access, name: &CStr, value: &mut [u8]) -> Result<u32> {
    let number = number_of(bearer, access);
    let bearer = match bearer {
        Bearer::Open(fd) => fd.arg(),
        Bearer::Named(path) | Bearer::Followed(path) => path.as_ptr() as usize,
    };
    let (start, len) = (value.as_mut_ptr() as usize, value.len());
    let mut args = [name.as_ptr() as usize, start, len];
    if access == Access::List {
        args = [start, len, 0];
    }
    // SAFETY: names are C strings that the calls only read; they write at most as many bytes as
    // `value` has, or read so many.
    let r = unsafe { syscall5(number, bearer, args[0], args[1], args[2], 0) };
    #[allow(clippy::cast_possible_truncation)] // not above 64 KiB
    Errno::check(r).map(|len| len as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::{CWD, Mode, OFlags, openat};

    use std::ffi::CString;
    use std::format;

    /// By descriptor and by name, where the file system holds attributes for users.
    #[test]
    #[cfg_attr(miri, ignore = "needs a kernel")]
    fn an_attribute_is_set_listed_read_and_removed() {
        let dir = temp_dir::TempDir::new().unwrap();
        let path = CString::new(dir.child("x").to_str().unwrap()).unwrap();
        let flags = OFlags::RDWR | OFlags::CREAT;
        let fd = openat(CWD, &path, flags, Mode::RWXU).unwrap();
        let mut room = [0; 64];
        let by_proc = CString::new(format!("/proc/self/fd/{}", fd.raw())).unwrap();
        let all = [
            Bearer::Open(fd.as_fd()),
            Bearer::Named(&path),
            Bearer::Followed(&by_proc),
        ];
        for bearer in all {
            let call = |access, value: &mut [u8]| xattr(bearer, access, c"user.a", value);
            match call(Access::Set, &mut { *b"value" }) {
                Err(Errno::EOPNOTSUPP) => return std::println!("no attributes for users here"),
                set => assert_eq!(set, Ok(0)),
            }
            let len = call(Access::List, &mut room).unwrap() as usize;
            assert!(room[..len].windows(7).any(|name| name == b"user.a\0"));
            let len = call(Access::Get, &mut room).unwrap() as usize;
            assert_eq!(room[..len], *b"value");
            assert_eq!(
                call(Access::Get, &mut room[..2]),
                Err(Errno::from_number(34).unwrap()) // ERANGE
            );
            assert_eq!(call(Access::Remove, &mut []), Ok(0));
            let none = Errno::from_number(61); // ENODATA
            assert_eq!(call(Access::Remove, &mut []).err(), none);
            assert_eq!(call(Access::Get, &mut room).err(), none);
        }
    }
}
