//! Where the tests work: a folder, the same folder far away, and one that is near; and what they
//! copy.
#![allow(unsafe_code)]

use std::ffi::CString;
use std::fs::{self, File, Permissions};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, PermissionsExt, lchown, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::standin::{Behaviour, Mounted, mount};
use crate::support::{TempDir, is_root, noise, odd_names, skip, temp_dir};

/// Made afresh for each test.
pub struct Place {
    // Dropped first: what is mounted there would keep the folders.
    pub mounted: Mounted,
    /// What lies behind the mount.
    pub behind: PathBuf,
    /// The mount.
    pub far: PathBuf,
    /// Not on it.
    pub near: PathBuf,
    _folder: TempDir,
}

/// A place for the test of that name with nothing in it, unless there is no FUSE to be had.
pub fn place(test: &str, behaviour: Behaviour) -> Option<Place> {
    if !is_root() {
        skip(test, "mounts, which takes root");
        return None;
    }
    let folder = temp_dir();
    let [behind, far, near] = ["behind", "far", "near"].map(|name| folder.path().join(name));
    for folder in [&behind, &far, &near] {
        fs::create_dir(folder).unwrap();
    }
    match mount(&behind, &far, behaviour) {
        Ok(mounted) => Some(Place {
            mounted,
            behind,
            far,
            near,
            _folder: folder,
        }),
        Err(error) => {
            skip(test, &format!("FUSE cannot be mounted: {error}"));
            None
        }
    }
}

/// Makes a tree with some of everything: files of many sizes, odd names, links of both kinds,
/// special files, modes, owners, times, holes, an extended attribute.
pub fn rich_tree(top: &Path) {
    fs::create_dir(top).unwrap();
    let sizes = [0, 1, 511, 4096, 5000, 70_000, 1 << 20, (1 << 20) + 1];
    for (seed, size) in (0..).zip(sizes) {
        fs::write(top.join(format!("small{seed}")), noise(size, seed)).unwrap();
    }
    set_xattr(&top.join("small0"), b"kept");
    for number in 0..60 {
        let folder = top.join(format!("folder{}", number % 5));
        fs::create_dir_all(&folder).unwrap();
        let size = usize::try_from(number * 100).unwrap();
        fs::write(folder.join(format!("file{number}")), noise(size, number)).unwrap();
    }
    let odd = top.join("odd names");
    fs::create_dir(&odd).unwrap();
    for name in odd_names() {
        fs::write(odd.join(&name), name.as_bytes()).unwrap();
    }
    fs::create_dir(top.join("empty")).unwrap();
    symlink("small1", top.join("link")).unwrap();
    symlink("nowhere", top.join("dangling")).unwrap();
    lchown(top.join("dangling"), Some(12), Some(34)).unwrap();
    fs::hard_link(top.join("small2"), top.join("folder1/same")).unwrap();
    let fifo = CString::new(top.join("fifo").as_os_str().as_bytes()).unwrap();
    // SAFETY: a text that ends in NUL.
    assert_eq!(unsafe { libc::mkfifo(fifo.as_ptr(), 0o640) }, 0);
    let sparse = File::create(top.join("sparse")).unwrap();
    sparse.set_len(3 << 20).unwrap();
    sparse.write_all_at(&noise(8192, 9), 1 << 20).unwrap();
    lchown(top.join("small3"), Some(1234), Some(5678)).unwrap();
    for (name, mode) in [
        ("small3", 0o4751),
        ("small4", 0o400),
        ("small5", 0),
        ("folder2", 0o2755),
        ("folder3", 0o1777),
        ("folder4", 0o500),
    ] {
        fs::set_permissions(top.join(name), Permissions::from_mode(mode)).unwrap();
    }
    // Before 1970 in whole seconds: fuser 0.18 takes parts of them the wrong way round there.
    let file = File::open(top.join("small7")).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH - Duration::from_secs(2))
        .unwrap();
    let long_ago = SystemTime::UNIX_EPOCH + Duration::new(1_000_000_000, 123_456_789);
    for name in ["small6", "folder0/file0", "folder0"] {
        let file = File::open(top.join(name)).unwrap();
        file.set_modified(long_ago).unwrap();
    }
}

const ATTRIBUTE: &std::ffi::CStr = c"user.annulet";

fn set_xattr(path: &Path, value: &[u8]) {
    let path = CString::new(path.as_os_str().as_bytes()).unwrap();
    // Where there are none, none are compared.
    // SAFETY: texts that end in NUL, and bytes of that length.
    unsafe {
        let start = value.as_ptr().cast();
        libc::setxattr(path.as_ptr(), ATTRIBUTE.as_ptr(), start, value.len(), 0);
    }
}

/// The attribute that [`rich_tree`] gives `small0`.
pub fn xattr(path: &Path) -> Option<Vec<u8>> {
    let path = CString::new(path.as_os_str().as_bytes()).unwrap();
    let mut room = vec![0_u8; 64];
    let start = room.as_mut_ptr().cast();
    // SAFETY: texts that end in NUL, and room of that length.
    let len = unsafe { libc::getxattr(path.as_ptr(), ATTRIBUTE.as_ptr(), start, room.len()) };
    room.truncate(usize::try_from(len).ok()?);
    Some(room)
}

/// Where a file's first data is.
pub fn first_data(file: &File) -> i64 {
    // SAFETY: takes numbers.
    unsafe { libc::lseek(file.as_raw_fd(), 0, libc::SEEK_DATA) }
}
