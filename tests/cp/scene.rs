//! Trees that tests prepare: described once, made as often as needed, exactly the same each
//! time, and printed as a shell script when a test fails.
#![allow(dead_code)]

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::fs::{self, File, Permissions};
use std::io;
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
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    Dir,
    /// A regular file: its size, and where it has data, as offset and length.
    File(u64, Vec<(u64, usize)>),
    /// A regular file of parts, one behind the other.
    Parts(Vec<(Fill, usize)>),
    /// A regular file that holds these bytes.
    Bytes(Vec<u8>),
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
#[derive(Clone, Debug, PartialEq)]
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
#[derive(Clone, Debug, Default, PartialEq)]
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
            if let [kind, path, rest @ ..] = &words[..] {
                let (node, mode) = Node::parse(kind, rest);
                let item = scene.add(*path, node);
                item.mode = mode.unwrap_or(item.mode);
            } else {
                assert!(words.is_empty(), "no path: {line}");
            }
        }
        scene
    }

    /// Whether each name has its folder, and each other name its first.
    pub fn can_be_made(&self) -> bool {
        let is_there = |at: usize, path: &Path| {
            let before = self.items[..at].iter().find(|item| item.path == path);
            before.map(|item| matches!(item.node, Node::Dir))
        };
        self.items.iter().enumerate().all(|(at, item)| {
            let parent = item.path.parent().unwrap_or(Path::new(""));
            let has_folder = parent.as_os_str().is_empty() || is_there(at, parent) == Some(true);
            let has_first = match &item.node {
                Node::Hard(first) => is_there(at, first) == Some(false),
                _ => true,
            };
            has_folder && has_first
        })
    }

    /// What is at such paths, and the rest.
    pub fn parted(&self, is_first: impl Fn(&Path) -> bool) -> (Self, Self) {
        let items = self.items.iter().cloned();
        let (first, rest) = items.partition(|item| is_first(&item.path));
        (Self { items: first }, Self { items: rest })
    }

    /// Adds a name.
    pub fn add(&mut self, path: impl Into<PathBuf>, node: Node) -> &mut Item {
        // Old, and no two the same: a time that was not kept, or kept of something else, shows.
        let number = i64::try_from(self.items.len()).unwrap();
        self.items.push(Item {
            path: path.into(),
            mode: node.usual_mode(),
            node,
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
            script.push_str(&item.node.script(&shell(item.path.as_os_str())));
            script.push('\n');
        }
        for item in self.items.iter().rev() {
            script.push_str(&item.script());
        }
        script
    }
}

impl Node {
    /// A line of [`Scene::parse`] behind the path, and the mode that is in it.
    fn parse(kind: &str, rest: &[&str]) -> (Self, Option<u32>) {
        let mode = |at: usize| {
            let digits = rest.get(at)?;
            Some(u32::from_str_radix(digits, 8).expect("an octal mode"))
        };
        let number = |text: &str| text.parse::<u64>().expect("a number");
        let length = |text: &str| usize::try_from(number(text)).expect("a length");
        let part = |part: &&str| {
            let (at, len) = part.split_once('+').expect("start+length");
            (number(at), length(len))
        };
        match kind {
            "dir" => (Self::Dir, mode(0)),
            "file" => {
                let size = rest.first().map_or(10, |size| length(size));
                (Self::File(size as u64, vec![(0, size)]), mode(1))
            }
            "hole" => {
                let data = rest[1..].iter().map(part).collect();
                (Self::File(number(rest[0]), data), None)
            }
            "zeros" => (Self::Parts(vec![(Fill::Zeros, length(rest[0]))]), None),
            "link" => (Self::Link(rest[0].into()), None),
            "hard" => (Self::Hard(rest[0].into()), None),
            "fifo" => (Self::Fifo, mode(0)),
            "sock" => (Self::Socket, mode(0)),
            "null" => (Self::Char(1, 3), mode(0)),
            "blk" => (Self::Block(240, 77), mode(0)),
            kind => panic!("no such kind: {kind}"),
        }
    }

    /// The mode of one of which none is said.
    pub const fn usual_mode(&self) -> u32 {
        if matches!(self, Self::Dir) {
            0o755
        } else {
            0o644
        }
    }

    /// The command that makes one at `path`, which is as a shell takes it.
    fn script(&self, path: &str) -> String {
        let parts = |size: u64, parts: &mut dyn Iterator<Item = (&str, u64, usize)>| {
            let mut line = format!("truncate -s {size} {path}");
            for (from, at, len) in parts.filter(|(.., len)| *len > 0) {
                let _ = write!(
                    line,
                    "; head -c {len} {from} | dd of={path} conv=notrunc \
                     oflag=seek_bytes seek={at} status=none"
                );
            }
            line
        };
        match self {
            Self::Dir => format!("mkdir -m 700 {path}"),
            Self::File(size, data) => {
                let mut data = data.iter().map(|&(at, len)| ("/dev/urandom", at, len));
                parts(*size, &mut data)
            }
            Self::Parts(all) => {
                let size = all.iter().map(|(_, len)| *len as u64).sum();
                let mut written = placed(all).filter_map(|(fill, at, len)| match fill {
                    Fill::Noise => Some(("/dev/urandom", at, len)),
                    Fill::Zeros => Some(("/dev/zero", at, len)),
                    Fill::Hole => None,
                });
                parts(size, &mut written)
            }
            Self::Bytes(bytes) => format!("{} >{path}", printed(bytes)),
            Self::Link(target) => format!("ln -s {} {path}", shell(target)),
            Self::Hard(first) => format!("ln {} {path}", shell(first.as_os_str())),
            Self::Fifo => format!("mkfifo {path}"),
            Self::Socket => format!(
                "python3 -c 'import socket,sys; \
                 socket.socket(socket.AF_UNIX).bind(sys.argv[1])' {path}"
            ),
            Self::Char(major, minor) => format!("mknod {path} c {major} {minor}"),
            Self::Block(major, minor) => format!("mknod {path} b {major} {minor}"),
        }
    }
}

impl Item {
    /// The command that gives it its owner, mode, attributes and time.
    fn script(&self) -> String {
        let mut script = String::new();
        if matches!(self.node, Node::Hard(_)) {
            return script;
        }
        let path = shell(self.path.as_os_str());
        if let Some((uid, gid)) = self.owner {
            let _ = write!(script, "chown -h {uid}:{gid} {path}; ");
        }
        if !matches!(self.node, Node::Link(_)) {
            let _ = write!(script, "chmod {:o} {path}; ", self.mode);
        }
        for (name, value) in &self.xattrs {
            let (name, value) = (shell(OsStr::new(name)), hex(value));
            let _ = write!(script, "setfattr -h -n {name} -v 0x{value} {path}; ");
        }
        let (seconds, nanos) = self.mtime;
        let _ = writeln!(script, "touch -h -d @{seconds}.{nanos:09} {path}");
        script
    }

    fn make(&self, top: &Path, number: u64) {
        let path = &top.join(&self.path);
        let made = match &self.node {
            Node::Dir => fs::create_dir(path),
            Node::File(size, data) => write_data(path, *size, data, number),
            Node::Parts(parts) => write_parts(path, parts, number),
            Node::Bytes(bytes) => fs::write(path, bytes),
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

/// Makes a file with data in some places. The bytes depend on the place, so that moved data shows.
fn write_data(path: &Path, size: u64, data: &[(u64, usize)], number: u64) -> io::Result<()> {
    let file = File::create(path)?;
    for &(at, len) in data {
        file.write_all_at(&noise(len, number ^ at << 8 | 1), at)?;
    }
    file.set_len(size)
}

fn write_parts(path: &Path, parts: &[(Fill, usize)], number: u64) -> io::Result<()> {
    let file = File::create(path)?;
    for (fill, at, len) in placed(parts) {
        match fill {
            Fill::Noise => file.write_all_at(&noise(len, number ^ at << 8 | 1), at)?,
            Fill::Zeros => file.write_all_at(&vec![0; len], at)?,
            Fill::Hole => file.set_len(at + len as u64)?,
        }
    }
    Ok(())
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

/// Bytes in hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Commands that print bytes, long runs of one byte in short.
pub fn printed(bytes: &[u8]) -> String {
    let mut parts = Vec::new();
    let mut text = String::new();
    for run in bytes.chunk_by(|a, b| a == b) {
        if run.len() > 40 {
            if !text.is_empty() {
                parts.push(format!("printf '{text}'"));
                text.clear();
            }
            let count = run.len();
            parts.push(format!(
                "head -c {count} /dev/zero | tr '\\0' '\\{:03o}'",
                run[0]
            ));
            continue;
        }
        for &byte in run {
            let _ = match byte {
                b'\n' => text.write_str("\\n"),
                b'\r' => text.write_str("\\r"),
                b'\t' => text.write_str("\\t"),
                b' '..=b'~' if !b"'\\%".contains(&byte) => write!(text, "{}", char::from(byte)),
                _ => write!(text, "\\{byte:03o}"),
            };
        }
    }
    if !text.is_empty() || parts.is_empty() {
        parts.push(format!("printf '{text}'"));
    }
    if parts.len() == 1 {
        return parts.remove(0);
    }
    format!("{{ {}; }}", parts.join("; "))
}

/// Joins bytes to a path.
pub fn bytes_path(bytes: &[u8]) -> PathBuf {
    OsString::from_vec(bytes.to_vec()).into()
}

/// Gives `path` to `id`.
pub fn give(path: &Path, id: u32) {
    chown(path, Some(id), Some(id)).expect("chown");
}
