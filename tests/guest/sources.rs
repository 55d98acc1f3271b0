//! What is copied.
#![allow(unsafe_code)]

use std::ffi::CString;
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, lchown, symlink};
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::support::{noise, odd_names};

/// What a file system cannot keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lack {
    Symlinks,
    HardLinks,
    Fifo,
    /// An attribute `user.annulet`.
    Xattr,
    Owners,
    Modes,
    Nanoseconds,
    /// All of [`odd_names`].
    OddNames,
}

/// Notes what could not be done.
struct Lacks(Vec<Lack>);

impl Lacks {
    fn tried(&mut self, what: Lack, done: &io::Result<()>) {
        if done.is_err() {
            self.0.push(what);
        }
    }

    fn kept(&mut self, what: Lack, kept: bool) {
        if !kept {
            self.0.push(what);
        }
    }
}

/// Makes a tree with some of everything that the file system takes; says what it does not.
pub fn rich_tree(top: &Path) -> Vec<Lack> {
    let mut lacks = Lacks(Vec::new());
    fs::create_dir(top).unwrap();
    for (seed, size) in (0..).zip([0, 1, 5000, 70_000, 300_000]) {
        fs::write(top.join(format!("small{seed}")), noise(size, seed)).unwrap();
    }
    for number in 0..12 {
        let folder = top.join(format!("folder{}", number % 3));
        fs::create_dir_all(&folder).unwrap();
        let size = usize::try_from(number * 100).unwrap();
        fs::write(folder.join(format!("file{number}")), noise(size, number)).unwrap();
    }
    fs::create_dir_all(top.join("a/b/c/empty")).unwrap();
    fs::write(top.join("a/b/c/deep"), "deep").unwrap();
    let sparse = File::create(top.join("sparse")).unwrap();
    sparse.set_len(3 << 20).unwrap();
    sparse.write_all_at(&noise(8192, 9), 1 << 20).unwrap();
    drop(sparse);
    names(top, &mut lacks);
    modes(top, &mut lacks);
    times(top, &mut lacks);
    lacks.0.sort();
    lacks.0.dedup();
    lacks.0
}

/// Odd names, links of both kinds, a FIFO.
fn names(top: &Path, lacks: &mut Lacks) {
    let odd = top.join("odd names");
    fs::create_dir(&odd).unwrap();
    for name in odd_names() {
        lacks.tried(Lack::OddNames, &fs::write(odd.join(&name), name.as_bytes()));
        // Some servers take another name instead.
        let mut entries = fs::read_dir(&odd).unwrap();
        let there = entries.any(|entry| entry.unwrap().file_name() == name);
        lacks.kept(Lack::OddNames, there);
    }
    let dangling = symlink("nowhere", top.join("dangling"));
    lacks.tried(
        Lack::Symlinks,
        &dangling.and_then(|()| symlink("small1", top.join("link"))),
    );
    for (name, other) in [("small2", "folder1/same"), ("folder2/file2", "a/b/same")] {
        let made = fs::hard_link(top.join(name), top.join(other));
        lacks.tried(Lack::HardLinks, &made);
        // Names that only look as if they were one file's.
        let ids =
            [name, other].map(|name| fs::metadata(top.join(name)).map(|meta| meta.ino()).ok());
        lacks.kept(Lack::HardLinks, ids[0] == ids[1]);
    }
    let fifo = text(&top.join("fifo"));
    // SAFETY: a text that ends in NUL.
    let made = unsafe { libc::mkfifo(fifo.as_ptr(), 0o640) };
    lacks.kept(Lack::Fifo, made == 0);
}

/// Modes, owners, an attribute.
fn modes(top: &Path, lacks: &mut Lacks) {
    lacks.kept(Lack::Xattr, set_xattr(&top.join("small0"), b"kept"));
    let file = top.join("small3");
    let made = lchown(&file, Some(1234), Some(5678));
    lacks.tried(Lack::Owners, &made);
    let meta = fs::metadata(&file).unwrap();
    lacks.kept(Lack::Owners, (meta.uid(), meta.gid()) == (1234, 5678));
    for (name, mode) in [
        ("small3", 0o4751),
        ("small4", 0o400),
        ("folder0/file3", 0),
        ("folder0", 0o2755),
        ("folder1", 0o1777),
        ("folder2", 0o500),
    ] {
        let path = top.join(name);
        lacks.tried(
            Lack::Modes,
            &fs::set_permissions(&path, Permissions::from_mode(mode)),
        );
        let found = fs::metadata(&path).unwrap().mode() & 0o7777;
        lacks.kept(Lack::Modes, found == mode);
    }
}

fn times(top: &Path, lacks: &mut Lacks) {
    let long_ago = SystemTime::UNIX_EPOCH + Duration::new(1_000_000_000, 123_456_700);
    for name in ["small1", "folder0/file0", "sparse", "folder0", "a/b"] {
        let path = top.join(name);
        File::open(&path).unwrap().set_modified(long_ago).unwrap();
        let kept = fs::metadata(&path).unwrap().mtime_nsec() == 123_456_700;
        lacks.kept(Lack::Nanoseconds, kept);
    }
}

const ATTRIBUTE: &std::ffi::CStr = c"user.annulet";

fn set_xattr(path: &Path, value: &[u8]) -> bool {
    let path = text(path);
    let start = value.as_ptr().cast();
    // SAFETY: texts that end in NUL, and bytes of that length.
    let set = unsafe { libc::setxattr(path.as_ptr(), ATTRIBUTE.as_ptr(), start, value.len(), 0) };
    set == 0
}

/// The attribute that [`rich_tree`] gives `small0`.
pub fn xattr(path: &Path) -> Option<Vec<u8>> {
    let path = text(path);
    let mut room = vec![0_u8; 64];
    let start = room.as_mut_ptr().cast();
    // SAFETY: texts that end in NUL, and room of that length.
    let len = unsafe { libc::getxattr(path.as_ptr(), ATTRIBUTE.as_ptr(), start, room.len()) };
    room.truncate(usize::try_from(len).ok()?);
    Some(room)
}

fn text(path: &Path) -> CString {
    CString::new(path.as_os_str().as_bytes()).unwrap()
}
