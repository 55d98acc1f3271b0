//! Trees that tests prepare: described once, made as often as needed, exactly the same each
//! time, and printed as a shell script when a test fails.
#![allow(dead_code)]

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::fs::{self, File, Permissions};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileExt, PermissionsExt, chown, lchown, symlink};
use std::path::{Path, PathBuf};

use super::child::{mknod, set_times, set_xattr};
use crate::support::noise;

/// What is in a part of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// Bytes that repeat nowhere near.
    Noise,
    /// Zeros that were written.
    Zeros,
    /// Nothing: zeros that were not.
    Hole,
}

/// What a name is.
#[derive(Clone, Debug)]
pub enum Node {
    Dir,
    /// A regular file: its size, and where it has data, as offset and length.
    File(u64, Vec<(u64, usize)>),
    /// A regular file of parts, one behind the other.
    Parts(Vec<(Fill, usize)>),
    Link(OsString),
    /// Another name of the file at this path.
    Hard(PathBuf),
    Fifo,
    Socket,
    /// A character or block device.
    Char(u32, u32),
    Block(u32, u32),
}

/// One name of a scene.
#[derive(Clone, Debug)]
pub struct Item {
    pub path: PathBuf,
    pub node: Node,
    pub mode: u32,
    pub owner: Option<(u32, u32)>,
    pub mtime: (i64, i64),
    /// Extended attributes, access lists among them: name and value.
    pub xattrs: Vec<(&'static str, Vec<u8>)>,
}

/// Names in the order in which they are made.
#[derive(Clone, Debug, Default)]
pub struct Scene {
    pub items: Vec<Item>,
}

impl Scene {
    /// A scene from text, a name to a line or between semicolons:
    ///
    /// ```text
    /// dir PATH [MODE]            file PATH [SIZE [MODE]]
    /// link PATH TARGET           hard PATH FIRST
    /// fifo|sock|null|blk PATH [MODE]
    /// hole PATH SIZE [START+LENGTH]...
    /// zeros PATH SIZE            all of them written
    /// ```
    ///
    /// # Panics
    ///
    /// If the text is not like that.
    pub fn parse(text: &str) -> Self {
        let mut scene = Self::default();
        for line in text.split([';', '\n']) {
            let words: Vec<_> = line.split_whitespace().collect();
            let Some((kind, rest)) = words.split_first() else {
                continue;
            };
            let path = *rest.first().unwrap_or_else(|| panic!("no path: {line}"));
            let mode = |at: usize, usual| {
                rest.get(at).map_or(usual, |mode| {
                    u32::from_str_radix(mode, 8).expect("an octal mode")
                })
            };
            let number = |text: &str| text.parse::<u64>().expect("a number");
            let node = match *kind {
                "dir" => Node::Dir,
                "file" => {
                    let size = rest.get(1).map_or(10, |size| number(size));
                    Node::File(size, vec![(0, usize::try_from(size).unwrap())])
                }
                "hole" => Node::File(
                    number(rest[1]),
                    rest[2..]
                        .iter()
                        .map(|part| {
                            let (at, len) = part.split_once('+').expect("start+length");
                            (number(at), usize::try_from(number(len)).unwrap())
                        })
                        .collect(),
                ),
                "zeros" => Node::Parts(vec![(
                    Fill::Zeros,
                    usize::try_from(number(rest[1])).unwrap(),
                )]),
                "link" => Node::Link(rest[1].into()),
                "hard" => Node::Hard(rest[1].into()),
                "fifo" => Node::Fifo,
                "sock" => Node::Socket,
                "null" => Node::Char(1, 3),
                "blk" => Node::Block(240, 77),
                kind => panic!("no such kind: {kind}"),
            };
            let mode = match node {
                Node::Dir => mode(1, 0o755),
                Node::File(..) if *kind == "file" => mode(2, 0o644),
                Node::Fifo | Node::Socket | Node::Char(..) | Node::Block(..) => mode(1, 0o644),
                _ => 0o644,
            };
            scene.add(path, node).mode = mode;
        }
        scene
    }

    /// Adds a name.
    pub fn add(&mut self, path: impl Into<PathBuf>, node: Node) -> &mut Item {
        // Old, and no two the same: a time that was not kept, or kept of something else, shows.
        let number = i64::try_from(self.items.len()).unwrap();
        let mode = if matches!(node, Node::Dir) {
            0o755
        } else {
            0o644
        };
        self.items.push(Item {
            path: path.into(),
            node,
            mode,
            owner: None,
            mtime: (1_000_000_000 + 1000 * number, 123_456_789 + number),
            xattrs: Vec::new(),
        });
        self.items.last_mut().expect("the item just added")
    }

    /// Gives everything that has no owner yet to `id`.
    pub fn own(&mut self, id: u32) {
        for item in &mut self.items {
            item.owner.get_or_insert((id, id));
        }
    }

    /// Makes the scene in the folder `top`.
    ///
    /// # Panics
    ///
    /// If that fails.
    pub fn build(&self, top: &Path) {
        for (number, item) in self.items.iter().enumerate() {
            item.make(top, number as u64);
        }
        // Contents before their folders: making them changes the folder's time, and the
        // folder's mode may shut an ordinary user out.
        for item in self.items.iter().rev() {
            item.finish(top);
        }
    }

    /// The commands that make the scene.
    pub fn script(&self) -> String {
        let mut script = String::new();
        for item in &self.items {
            let path = shell(item.path.as_os_str());
            let line = match &item.node {
                Node::Dir => format!("mkdir -m 700 {path}"),
                Node::File(size, data) => {
                    let mut line = format!("truncate -s {size} {path}");
                    for (at, len) in data.iter().filter(|(_, len)| *len > 0) {
                        let _ = write!(
                            line,
                            "; head -c {len} /dev/urandom | dd of={path} conv=notrunc \
                             oflag=seek_bytes seek={at} status=none"
                        );
                    }
                    line
                }
                Node::Parts(parts) => {
                    let size: usize = parts.iter().map(|(_, len)| len).sum();
                    let mut line = format!("truncate -s {size} {path}");
                    for (fill, at, len) in placed(parts) {
                        let from = match fill {
                            Fill::Noise => "/dev/urandom",
                            Fill::Zeros => "/dev/zero",
                            Fill::Hole => continue,
                        };
                        let _ = write!(
                            line,
                            "; head -c {len} {from} | dd of={path} conv=notrunc \
                             oflag=seek_bytes seek={at} status=none"
                        );
                    }
                    line
                }
                Node::Link(target) => format!("ln -s {} {path}", shell(target)),
                Node::Hard(first) => format!("ln {} {path}", shell(first.as_os_str())),
                Node::Fifo => format!("mkfifo {path}"),
                Node::Socket => format!(
                    "python3 -c 'import socket,sys; \
                     socket.socket(socket.AF_UNIX).bind(sys.argv[1])' {path}"
                ),
                Node::Char(major, minor) => format!("mknod {path} c {major} {minor}"),
                Node::Block(major, minor) => format!("mknod {path} b {major} {minor}"),
            };
            script.push_str(&line);
            script.push('\n');
        }
        for item in self.items.iter().rev() {
            let path = shell(item.path.as_os_str());
            if matches!(item.node, Node::Hard(_)) {
                continue;
            }
            if let Some((uid, gid)) = item.owner {
                let _ = write!(script, "chown -h {uid}:{gid} {path}; ");
            }
            if !matches!(item.node, Node::Link(_)) {
                let _ = write!(script, "chmod {:o} {path}; ", item.mode);
            }
            for (name, value) in &item.xattrs {
                let name = shell(OsStr::new(name));
                let _ = write!(script, "setfattr -h -n {name} -v 0x");
                for byte in value {
                    let _ = write!(script, "{byte:02x}");
                }
                let _ = write!(script, " {path}; ");
            }
            let (seconds, nanos) = item.mtime;
            let _ = writeln!(script, "touch -h -d @{seconds}.{nanos:09} {path}");
        }
        script
    }
}

impl Item {
    fn make(&self, top: &Path, number: u64) {
        let path = &top.join(&self.path);
        let made = match &self.node {
            Node::Dir => fs::create_dir(path),
            Node::File(size, data) => File::create(path).and_then(|file| {
                for &(at, len) in data {
                    // The bytes depend on the place, so that moved data shows.
                    file.write_all_at(&noise(len, number ^ at << 8 | 1), at)?;
                }
                file.set_len(*size)
            }),
            Node::Parts(parts) => File::create(path).and_then(|file| {
                for (fill, at, len) in placed(parts) {
                    match fill {
                        Fill::Noise => file.write_all_at(&noise(len, number ^ at << 8 | 1), at)?,
                        Fill::Zeros => file.write_all_at(&vec![0; len], at)?,
                        Fill::Hole => file.set_len(at + len as u64)?,
                    }
                }
                Ok(())
            }),
            Node::Link(target) => symlink(target, path),
            Node::Hard(first) => fs::hard_link(top.join(first), path),
            Node::Fifo => mknod(path, libc::S_IFIFO | 0o600, 0),
            Node::Socket => mknod(path, libc::S_IFSOCK | 0o600, 0),
            Node::Char(major, minor) => {
                mknod(path, libc::S_IFCHR | 0o600, libc::makedev(*major, *minor))
            }
            Node::Block(major, minor) => {
                mknod(path, libc::S_IFBLK | 0o600, libc::makedev(*major, *minor))
            }
        };
        made.unwrap_or_else(|e| panic!("cannot make {self:?}: {e}"));
    }

    fn finish(&self, top: &Path) {
        let path = &top.join(&self.path);
        if matches!(self.node, Node::Hard(_)) {
            return;
        }
        if let Some((uid, gid)) = self.owner {
            lchown(path, Some(uid), Some(gid)).expect("chown");
        }
        // The plain ones take a file that may be written to; an access list is part of the
        // mode and would be changed by it.
        let is_list = |name: &str| name.starts_with("system.");
        for (name, value) in self.xattrs.iter().filter(|(name, _)| !is_list(name)) {
            set_xattr(path, name, value).unwrap_or_else(|e| panic!("{name} of {self:?}: {e}"));
        }
        if !matches!(self.node, Node::Link(_)) {
            fs::set_permissions(path, Permissions::from_mode(self.mode)).expect("chmod");
        }
        for (name, value) in self.xattrs.iter().filter(|(name, _)| is_list(name)) {
            set_xattr(path, name, value).unwrap_or_else(|e| panic!("{name} of {self:?}: {e}"));
        }
        set_times(path, self.mtime, self.mtime).expect("times");
    }
}

/// Parts with the places where they begin.
fn placed(parts: &[(Fill, usize)]) -> impl Iterator<Item = (Fill, u64, usize)> {
    parts.iter().scan(0, |end, &(fill, len)| {
        let at = *end;
        *end += len as u64;
        Some((fill, at, len))
    })
}

/// A word as a shell takes it.
pub fn shell(word: &OsStr) -> String {
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"_./-+=:,@".contains(b);
    let bytes = word.as_bytes();
    if !bytes.is_empty() && bytes.iter().all(plain) {
        return word.to_string_lossy().into_owned();
    }
    let mut out = String::from("$'");
    for &byte in bytes {
        match byte {
            b'\'' | b'\\' => out.extend(['\\', byte as char]),
            b' '..=b'~' => out.push(byte as char),
            _ => {
                let _ = write!(out, "\\{byte:03o}");
            }
        }
    }
    out.push('\'');
    out
}

/// Joins bytes to a path.
pub fn bytes_path(bytes: &[u8]) -> PathBuf {
    OsString::from_vec(bytes.to_vec()).into()
}

/// Gives `path` to `id`.
pub fn give(path: &Path, id: u32) {
    chown(path, Some(id), Some(id)).expect("chown");
}
