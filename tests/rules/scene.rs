//! A scene: a few files, in memory and on the disk.
//!
//! One line of text tells it, an item after the other:
//!
//! | item | file |
//! | --- | --- |
//! | `f a` | a regular file |
//! | `d e` | a directory |
//! | `l c -> a` | a symlink |
//! | `h b a` | one more name of `a` |
//! | `p q`, `s t` | a FIFO, a socket |
//! | `? u` | something of an unknown type: in memory only |
//!
//! All were changed at one time, but for those that are `old` or `new`, and nobody is kept from
//! them, but for those with a mode: `f a 444`.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, lchown, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;

use annulet::sys::{self, Errno, FileId, FileType, Mode, Stat, Timestamp};

use crate::support;

/// When files were changed that are neither old nor new.
const USUAL_TIME: i64 = 1_000_000_000;

/// So many symlinks are followed on the way to one file (`MAXSYMLINKS` in the kernel).
const MOST_SYMLINKS: u32 = 40;

/// A file, by its place among all that there have been.
pub type Number = usize;

/// The working directory.
pub const HERE: Number = 0;

#[derive(Debug, Clone)]
pub struct File {
    pub kind: FileType,
    mode: u32,
    mtime: i64,
    /// A symlink's.
    pub target: String,
    /// A directory's.
    pub names: BTreeMap<String, Number>,
}

/// A name in a directory.
#[derive(Debug, Clone)]
pub struct Place {
    pub dir: Number,
    pub name: String,
}

impl Place {
    pub fn new(dir: Number, name: &str) -> Self {
        let name = name.to_owned();
        Self { dir, name }
    }
}

#[derive(Debug, Clone)]
pub struct Scene {
    files: Vec<File>,
}

impl Scene {
    pub fn new(text: &str) -> Self {
        let mut scene = Self { files: Vec::new() };
        scene.add(FileType::Directory, "");
        for item in text.split(';').map(str::trim) {
            if !item.is_empty() {
                scene.add_item(item);
            }
        }
        scene
    }

    fn add_item(&mut self, item: &str) {
        let words: Vec<&str> = item.split(' ').collect();
        let (letter, path) = (words[0], words[1]);
        let place = Place::new(HERE, path);
        if letter == "h" {
            let file = self.find(&Place::new(HERE, words[2]), false);
            return self.put(&place, file.expect("what is linked"));
        }
        let kind = match letter {
            "f" => FileType::Regular,
            "d" => FileType::Directory,
            "l" => FileType::Symlink,
            "p" => FileType::Fifo,
            "s" => FileType::Socket,
            "?" => FileType::Unknown,
            _ => panic!("{item}"),
        };
        let mut rest = &words[2..];
        let mut target = "";
        if let ["->", to, after @ ..] = rest {
            (target, rest) = (to, after);
        }
        let file = self.add(kind, target);
        for word in rest {
            match *word {
                "old" => self.files[file].mtime -= 1000,
                "new" => self.files[file].mtime += 1000,
                mode => self.files[file].mode = u32::from_str_radix(mode, 8).expect("a mode"),
            }
        }
        self.put(&place, file);
    }

    /// Adds a file that has no name yet.
    pub fn add(&mut self, kind: FileType, target: &str) -> Number {
        let mode = if kind == FileType::Directory {
            0o755
        } else {
            0o644
        };
        self.files.push(File {
            kind,
            mode,
            mtime: USUAL_TIME,
            target: target.to_owned(),
            names: BTreeMap::new(),
        });
        self.files.len() - 1
    }

    /// Gives a file a name; what had it has one less.
    pub fn put(&mut self, place: &Place, file: Number) {
        let (dir, name) = self.holder(place).expect("a directory");
        self.files[dir].names.insert(name, file);
    }

    /// Takes a name away.
    pub fn remove(&mut self, place: &Place) {
        let (dir, name) = self.holder(place).expect("a directory");
        self.files[dir].names.remove(&name);
    }

    pub fn file(&self, number: Number) -> &File {
        &self.files[number]
    }

    pub fn kind(&self, number: Number) -> FileType {
        self.files[number].kind
    }

    /// What a place leads to; of a symlink at its end, itself unless it is to `follow`.
    pub fn find(&self, place: &Place, follow: bool) -> sys::Result<Number> {
        self.walk(place.dir, &place.name, follow, &mut { MOST_SYMLINKS })
    }

    fn walk(
        &self,
        dir: Number,
        path: &str,
        follow: bool,
        symlinks: &mut u32,
    ) -> sys::Result<Number> {
        if path.is_empty() {
            return Err(Errno::ENOENT);
        }
        let mut at = dir;
        let mut parts = path.split('/').peekable();
        while let Some(part) = parts.next() {
            if self.kind(at) != FileType::Directory {
                return Err(Errno::ENOTDIR);
            }
            let next = match part {
                "" | "." => at,
                ".." => self.parent(at),
                name => *self.files[at].names.get(name).ok_or(Errno::ENOENT)?,
            };
            let is_last = parts.peek().is_none();
            if self.kind(next) == FileType::Symlink && (follow || !is_last) {
                *symlinks = symlinks.checked_sub(1).ok_or(Errno::ELOOP)?;
                at = self.walk(at, &self.files[next].target, true, symlinks)?;
            } else {
                at = next;
            }
        }
        Ok(at)
    }

    fn parent(&self, dir: Number) -> Number {
        let holds = |file: &File| file.names.values().any(|held| *held == dir);
        self.files.iter().position(holds).unwrap_or(HERE)
    }

    /// The directory that holds what a place names, and its name there.
    pub fn holder(&self, place: &Place) -> sys::Result<(Number, String)> {
        let (above, name) = split(&place.name);
        let dir = self.find(&Place::new(place.dir, above), true)?;
        Ok((dir, name.to_owned()))
    }

    pub fn stat(&self, number: Number) -> Stat {
        let file = &self.files[number];
        let names = self.files.iter().flat_map(|dir| dir.names.values());
        let mut nlink = names.filter(|named| **named == number).count();
        if file.kind == FileType::Directory {
            // `.`, and the `..` of each directory in it.
            let held = file.names.values();
            nlink += 1 + held.filter(|held| self.kind(**held) == file.kind).count();
        }
        let mtime = Timestamp {
            sec: file.mtime,
            nsec: 0,
        };
        Stat {
            kind: file.kind,
            mode: Mode::from_bits_truncate(file.mode),
            id: id(number),
            nlink: u32::try_from(nlink).expect("few names"),
            times: [mtime, mtime],
            ..Stat::default()
        }
    }

    /// What a place leads to, as calls tell it.
    pub fn stat_at(&self, place: &Place, follow: bool) -> sys::Result<Stat> {
        self.find(place, follow).map(|number| self.stat(number))
    }

    /// All paths, each with what it names: a directory's before what comes behind it.
    pub fn paths(&self) -> Vec<(String, Number)> {
        let mut paths = Vec::new();
        let mut waiting = vec![(String::new(), HERE)];
        while let Some((path, number)) = waiting.pop() {
            let above = if path.is_empty() {
                String::new()
            } else {
                format!("{path}/")
            };
            for (name, &held) in self.files[number].names.iter().rev() {
                waiting.push((format!("{above}{name}"), held));
            }
            if number != HERE {
                paths.push((path, number));
            }
        }
        paths
    }

    /// Whether there can be such files on a disk.
    pub fn is_possible(&self) -> bool {
        self.files.iter().all(|file| file.kind != FileType::Unknown)
    }

    /// Makes all of it below `top`, `owner`'s if there is one.
    pub fn lay(&self, top: &Path, owner: Option<u32>) {
        let mut made: BTreeMap<Number, String> = BTreeMap::new();
        for (path, number) in self.paths() {
            let full = top.join(&path);
            let file = &self.files[number];
            match (made.get(&number), file.kind) {
                (Some(first), _) => fs::hard_link(top.join(first), &full).expect("a link"),
                (None, FileType::Regular) => fs::write(&full, &path).expect("a file"),
                (None, FileType::Directory) => fs::create_dir(&full).expect("a directory"),
                (None, FileType::Symlink) => symlink(&file.target, &full).expect("a symlink"),
                (None, FileType::Socket) => drop(UnixListener::bind(&full).expect("a socket")),
                (None, _) => {
                    let _ = support::run(support::command("mkfifo").arg(&full)).expect_success();
                }
            }
            made.insert(number, path);
        }
        for (number, path) in made {
            let (full, file) = (top.join(path), &self.files[number]);
            lchown(&full, owner, owner).expect("an owner");
            if file.kind != FileType::Symlink {
                let permissions = fs::Permissions::from_mode(file.mode);
                fs::set_permissions(&full, permissions).expect("a mode");
            }
            if file.mtime != USUAL_TIME || file.kind != FileType::Directory {
                set_time(&full, file.mtime);
            }
        }
        lchown(top, owner, owner).expect("an owner");
    }
}

/// Sets when a file was changed, a symlink itself.
fn set_time(path: &Path, seconds: i64) {
    use std::os::unix::ffi::OsStrExt;
    let path = std::ffi::CString::new(path.as_os_str().as_bytes()).expect("a path");
    let time = libc::timespec {
        tv_sec: seconds,
        tv_nsec: 0,
    };
    let flags = libc::AT_SYMLINK_NOFOLLOW;
    // SAFETY: a C string and two times, all of them alive.
    #[allow(unsafe_code)]
    let set =
        unsafe { libc::utimensat(libc::AT_FDCWD, path.as_ptr(), [time, time].as_ptr(), flags) };
    assert_eq!(set, 0);
}

/// The identity of a file.
pub fn id(number: Number) -> FileId {
    FileId {
        dev: 1,
        ino: number as u64 + 1,
    }
}

/// A path without slashes at its end, in two: what leads to it, and its last part.
pub fn split(path: &str) -> (&str, &str) {
    let path = trim(path);
    match path.rsplit_once('/') {
        Some(("", name)) => ("/", name),
        Some(parts) => parts,
        None => (".", path),
    }
}

/// A path without slashes at its end.
pub fn trim(path: &str) -> &str {
    let trimmed = path.trim_end_matches('/');
    if trimmed.is_empty() { path } else { trimmed }
}
