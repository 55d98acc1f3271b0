//! A file system in user space, spoken to without a library: one file whose size is no promise,
//! read past the page cache, and given out in short pieces (`include/uapi/linux/fuse.h`).

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
const OPEN: u32 = 14;
const READ: u32 = 15;
const RELEASE: u32 = 18;
const FLUSH: u32 = 25;
const INIT: u32 = 26;
const BATCH_FORGET: u32 = 42;

/// In the answer to `OPEN`: reads are handed on as they are made.
const DIRECT_IO: u32 = 1;
/// Requests begin with length, operation, number, node, and 16 bytes more.
const HEADER_BYTES: usize = 40;
/// The root's node; the file's is the next.
const ROOT: u64 = 1;

/// The file system, mounted until this is dropped.
pub struct Mounted(CString);

impl Drop for Mounted {
    fn drop(&mut self) {
        // Nobody is left to tell.
        let _ = child::unmount(&self.0);
    }
}

/// Mounts at `dir` a file system in which every name is that of one file: it says that it has
/// `size` bytes, holds `content`, and gives `most` bytes at a time.
///
/// # Errors
///
/// Where FUSE is not to be had.
pub fn mount(dir: &Path, size: usize, content: Vec<u8>, most: usize) -> io::Result<Mounted> {
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
        let mut request = vec![0; 1 << 20];
        while device.read(&mut request).is_ok() {
            let word = |at: usize| u32::from_le_bytes(request[at..at + 4].try_into().unwrap());
            let long = |at: usize| u64::from_le_bytes(request[at..at + 8].try_into().unwrap());
            let (operation, number, node) = (word(4), long(8), long(16));
            let answer = match operation {
                FORGET | BATCH_FORGET => continue,
                // Version 7.31, and no more than was ever there.
                INIT => Ok([words(&[7, 31, 0, 0, 0, 1 << 16, 1]), vec![0; 36]].concat()),
                LOOKUP => {
                    Ok([words(&[2, 0, 0, 0, 1, 0, 1, 0, 0, 0]), attributes(2, size)].concat())
                }
                GETATTR => Ok([words(&[1, 0, 0, 0]), attributes(node, size)].concat()),
                OPEN => Ok(words(&[0, 0, DIRECT_IO, 0])),
                READ => {
                    let start = usize::try_from(long(HEADER_BYTES + 8)).unwrap();
                    let rest = content.get(start..).unwrap_or_default();
                    let wanted = word(HEADER_BYTES + 16) as usize;
                    Ok(rest[..rest.len().min(wanted).min(most)].to_vec())
                }
                RELEASE | FLUSH => Ok(Vec::new()),
                _ => Err(libc::ENOSYS),
            };
            let error = answer.as_ref().err().map_or(0, |errno| -errno);
            let data = answer.unwrap_or_default();
            let mut reply = u32::try_from(16 + data.len())
                .unwrap()
                .to_le_bytes()
                .to_vec();
            reply.extend(error.to_le_bytes());
            reply.extend(number.to_le_bytes());
            reply.extend(data);
            let _ = device.write_all(&reply);
        }
    });
    Ok(Mounted(path))
}

fn words(values: &[u32]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect()
}

/// `struct fuse_attr`: the root's, or the file's.
fn attributes(node: u64, size: usize) -> Vec<u8> {
    let (mode, size) = if node == ROOT {
        (libc::S_IFDIR | 0o755, 0)
    } else {
        (libc::S_IFREG | 0o644, size)
    };
    let mut bytes = Vec::new();
    let (size, blocks) = (size as u64, size.div_ceil(512) as u64);
    for value in [node, size, blocks, 0, 0, 0] {
        bytes.extend(value.to_le_bytes());
    }
    // Parts of a second, mode, links, owner, group, device, block size, flags.
    bytes.extend(words(&[0, 0, 0, mode, 1, 0, 0, 0, 4096, 0]));
    bytes
}
