//! File systems in user space, spoken to without a library (`include/uapi/linux/fuse.h`): one file
//! whose size is no promise, read past the page cache and given out in short pieces; and a store
//! of files that refuses what its [`Rules`] say.

use std::ffi::CString;
use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::thread;

use super::child;

const LOOKUP: u32 = 1;
const FORGET: u32 = 2;
const GETATTR: u32 = 3;
const SETATTR: u32 = 4;
const MKDIR: u32 = 9;
const UNLINK: u32 = 10;
const OPEN: u32 = 14;
const READ: u32 = 15;
const WRITE: u32 = 16;
const RELEASE: u32 = 18;
const FLUSH: u32 = 25;
const INIT: u32 = 26;
const OPENDIR: u32 = 27;
const READDIR: u32 = 28;
const RELEASEDIR: u32 = 29;
const CREATE: u32 = 35;
const BATCH_FORGET: u32 = 42;

/// In the answer to `OPEN`: reads are handed on as they are made.
const DIRECT_IO: u32 = 1;
/// In the answer to `INIT`: opening with `O_TRUNC` is handed on as that.
const ATOMIC_O_TRUNC: u32 = 1 << 3;
/// Requests begin with length, operation, number, node, and 16 bytes more.
const HEADER_BYTES: usize = 40;
/// The root's node.
const ROOT: u64 = 1;

/// The file system, mounted until this is dropped.
pub struct Mounted(CString);

impl Drop for Mounted {
    fn drop(&mut self) {
        // Nobody is left to tell.
        let _ = child::unmount(&self.0);
    }
}

/// A request of the kernel.
struct Request<'a>(&'a [u8]);

impl Request<'_> {
    /// The number that begins `at` bytes behind the header.
    fn word(&self, at: usize) -> u32 {
        let at = HEADER_BYTES + at;
        u32::from_le_bytes(self.0[at..at + 4].try_into().unwrap())
    }

    fn long(&self, at: usize) -> u64 {
        u64::from(self.word(at)) | u64::from(self.word(at + 4)) << 32
    }

    fn operation(&self) -> u32 {
        u32::from_le_bytes(self.0[4..8].try_into().unwrap())
    }

    fn node(&self) -> u64 {
        u64::from_le_bytes(self.0[16..24].try_into().unwrap())
    }

    /// The bytes from `at` on.
    fn rest(&self, at: usize) -> &[u8] {
        &self.0[HEADER_BYTES + at..]
    }

    /// The name that begins there.
    fn name(&self, at: usize) -> Vec<u8> {
        self.rest(at)
            .split(|&byte| byte == 0)
            .next()
            .unwrap()
            .to_vec()
    }
}

/// What a request is answered with: bytes, or an error.
type Answer = Result<Vec<u8>, i32>;

/// Mounts a file system at `dir` that gives these answers.
fn serve(
    dir: &Path,
    mut answer: impl FnMut(&Request<'_>) -> Answer + Send + 'static,
) -> io::Result<Mounted> {
    let mut device = OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/fuse")?;
    let fd = device.as_raw_fd();
    let options = CString::new(format!("fd={fd},rootmode=40000,user_id=0,group_id=0"))?;
    let path = child::c_path(dir);
    child::mount(c"fuse", &path, &options)?;
    // It ends when the file system is gone, by an error of its next read.
    thread::spawn(move || {
        let mut room = vec![0; 1 << 20];
        while let Ok(len) = device.read(&mut room) {
            let request = Request(&room[..len]);
            let answer = match request.operation() {
                FORGET | BATCH_FORGET => continue,
                // Version 7.31, and no more than was ever there.
                INIT => {
                    let head = words(&[7, 31, 0, ATOMIC_O_TRUNC, 0, 1 << 16, 1]);
                    Ok([head, vec![0; 36]].concat())
                }
                _ => answer(&request),
            };
            let error = answer.as_ref().err().map_or(0, |errno| -errno);
            let data = answer.unwrap_or_default();
            let len = u32::try_from(16 + data.len()).unwrap();
            let mut reply = len.to_le_bytes().to_vec();
            reply.extend(error.to_le_bytes());
            reply.extend(&room[8..16]);
            reply.extend(data);
            let _ = device.write_all(&reply);
        }
    });
    Ok(Mounted(path))
}

/// Mounts at `dir` a file system in which every name is that of one file: it says that it has
/// `size` bytes, holds `content`, and gives `most` bytes at a time.
///
/// # Errors
///
/// Where FUSE is not to be had.
pub fn mount(dir: &Path, size: usize, content: Vec<u8>, most: usize) -> io::Result<Mounted> {
    let file = move |node| {
        if node == ROOT {
            attributes(ROOT, libc::S_IFDIR | 0o755, 0)
        } else {
            attributes(node, libc::S_IFREG | 0o644, size)
        }
    };
    serve(dir, move |request| match request.operation() {
        LOOKUP => Ok(entry(file(2))),
        GETATTR => Ok(attributes_alone(file(request.node()))),
        OPEN => Ok(words(&[0, 0, DIRECT_IO, 0])),
        READ => {
            let start = usize::try_from(request.long(8)).unwrap();
            let wanted = request.word(16) as usize;
            let rest = content.get(start..).unwrap_or_default();
            Ok(rest[..rest.len().min(wanted).min(most)].to_vec())
        }
        RELEASE | FLUSH => Ok(Vec::new()),
        _ => Err(libc::ENOSYS),
    })
}

/// What a store refuses, each with the error that it answers; 0 for nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rules {
    /// Opening for writing a file that is there, unless it is emptied by that.
    pub opening: i32,
    /// Emptying a file by opening it.
    pub emptying: i32,
    /// Setting a file's length.
    pub cutting: i32,
    /// Writing beyond so many bytes of a file, and with what.
    pub writing: (usize, i32),
    /// Closing a file that was written to, and one that was read.
    pub closing: [i32; 2],
    /// Removing a file.
    pub removing: i32,
}

/// What a store holds: a directory if there is no content.
struct Node {
    parent: u64,
    name: Vec<u8>,
    mode: u32,
    content: Vec<u8>,
    removed: bool,
}

/// Directories and files in memory. A node's number is one more than its place.
struct Store {
    rules: Rules,
    nodes: Vec<Node>,
}

/// Mounts at `dir` an empty store of files that follows `rules`.
///
/// # Errors
///
/// Where FUSE is not to be had.
pub fn mount_store(dir: &Path, rules: Rules) -> io::Result<Mounted> {
    let mut store = Store {
        rules,
        nodes: Vec::new(),
    };
    store.add(0, Vec::new(), libc::S_IFDIR | 0o755);
    serve(dir, move |request| store.answer(request))
}

/// Fails with `errno` unless that is 0.
fn refuse(errno: i32) -> Result<(), i32> {
    if errno == 0 { Ok(()) } else { Err(errno) }
}

impl Store {
    fn add(&mut self, parent: u64, name: Vec<u8>, mode: u32) -> u64 {
        self.nodes.push(Node {
            parent,
            name,
            mode,
            content: Vec::new(),
            removed: false,
        });
        self.nodes.len() as u64
    }

    fn node(&mut self, number: u64) -> &mut Node {
        &mut self.nodes[usize::try_from(number - 1).unwrap()]
    }

    fn find(&self, parent: u64, name: &[u8]) -> Result<u64, i32> {
        let is_it = |node: &Node| node.parent == parent && node.name == name && !node.removed;
        let at = self.nodes.iter().position(is_it).ok_or(libc::ENOENT)?;
        Ok(at as u64 + 1)
    }

    fn attributes(&mut self, number: u64) -> Vec<u8> {
        let node = self.node(number);
        attributes(number, node.mode, node.content.len())
    }

    fn answer(&mut self, request: &Request<'_>) -> Answer {
        let (number, rules) = (request.node(), self.rules);
        match request.operation() {
            LOOKUP => {
                let found = self.find(number, &request.name(0))?;
                Ok(entry(self.attributes(found)))
            }
            GETATTR => Ok(attributes_alone(self.attributes(number))),
            SETATTR => self.set_attributes(number, request),
            MKDIR => {
                let mode = libc::S_IFDIR | request.word(0);
                let number = self.add(number, request.name(8), mode);
                Ok(entry(self.attributes(number)))
            }
            CREATE => {
                let mode = libc::S_IFREG | request.word(4) & 0o7777;
                let number = self.add(number, request.name(16), mode);
                Ok([entry(self.attributes(number)), opened(1)].concat())
            }
            OPEN => {
                let flags = request.word(0).cast_signed();
                let writes = flags & libc::O_ACCMODE != libc::O_RDONLY;
                if flags & libc::O_TRUNC != 0 {
                    refuse(rules.emptying)?;
                    self.node(number).content.clear();
                } else if writes {
                    refuse(rules.opening)?;
                }
                Ok(opened(u32::from(writes)))
            }
            READ => {
                let start = usize::try_from(request.long(8)).unwrap();
                let wanted = request.word(16) as usize;
                let rest = self.node(number).content.get(start..).unwrap_or_default();
                Ok(rest[..rest.len().min(wanted)].to_vec())
            }
            WRITE => {
                let start = usize::try_from(request.long(8)).unwrap();
                let data = &request.rest(40)[..request.word(16) as usize];
                let (most, errno) = rules.writing;
                if errno != 0 && start + data.len() > most {
                    return Err(errno);
                }
                let content = &mut self.node(number).content;
                content.resize(content.len().max(start + data.len()), 0);
                content[start..start + data.len()].copy_from_slice(data);
                Ok(words(&[request.word(16), 0]))
            }
            FLUSH => {
                refuse(rules.closing[usize::from(request.long(0) == 0)])?;
                Ok(Vec::new())
            }
            UNLINK => {
                refuse(rules.removing)?;
                let found = self.find(number, &request.name(0))?;
                self.node(found).removed = true;
                Ok(Vec::new())
            }
            OPENDIR => Ok(opened(0)),
            // Nobody lists what a store holds.
            READDIR | RELEASEDIR | RELEASE => Ok(Vec::new()),
            _ => Err(libc::ENOSYS),
        }
    }

    fn set_attributes(&mut self, number: u64, request: &Request<'_>) -> Answer {
        const MODE: u32 = 1;
        const SIZE: u32 = 1 << 3;
        let what = request.word(0);
        if what & SIZE != 0 {
            refuse(self.rules.cutting)?;
            let size = usize::try_from(request.long(16)).unwrap();
            self.node(number).content.resize(size, 0);
        }
        if what & MODE != 0 {
            let node = self.node(number);
            node.mode = node.mode & libc::S_IFMT | request.word(68) & 0o7777;
        }
        // Times and owners are all the same here.
        Ok(attributes_alone(self.attributes(number)))
    }
}

fn words(values: &[u32]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect()
}

/// `struct fuse_open_out` with a handle of that number.
fn opened(handle: u32) -> Vec<u8> {
    words(&[handle, 0, 0, 0])
}

/// `struct fuse_entry_out`, of what has these attributes.
fn entry(attributes: Vec<u8>) -> Vec<u8> {
    let mut bytes = attributes[..8].to_vec();
    // Generation; how long the name and the attributes are right.
    bytes.extend(words(&[0, 0, 0, 0, 0, 0, 0, 0]));
    bytes.extend(attributes);
    bytes
}

/// `struct fuse_attr_out`: right for a moment.
fn attributes_alone(attributes: Vec<u8>) -> Vec<u8> {
    [words(&[0, 0, 0, 0]), attributes].concat()
}

/// `struct fuse_attr`.
fn attributes(node: u64, mode: u32, size: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let (size, blocks) = (size as u64, size.div_ceil(512) as u64);
    for value in [node, size, blocks, 0, 0, 0] {
        bytes.extend(value.to_le_bytes());
    }
    // Parts of a second, mode, links, owner, group, device, block size, flags.
    bytes.extend(words(&[0, 0, 0, mode, 1, 0, 0, 0, 4096, 0]));
    bytes
}
