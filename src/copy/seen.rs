//! Files that were met, by device and inode number, each with a path: for all workers.

use alloc::vec::Vec;
use core::ffi::CStr;

use crate::sys::{FileId, Guard, Mutex, Signal, c_string, until_nul};

/// What a file is remembered as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A source that may turn up again under another name; with its copy's path.
    Copied,
    /// A source that was given as an operand; with its path.
    Given,
    /// A copy that was made of an operand; with its path.
    Created,
    /// A directory that was made in one that was there before; without a path.
    Made,
}

/// A copy, to be told from what somebody else puts in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CopyId {
    /// The file.
    pub file: FileId,
    /// What its path names: a symlink, if it was written through one, or the file.
    pub named: FileId,
}

impl CopyId {
    /// The copy `file`, written by way of the symlink `through` if there is one.
    #[must_use]
    pub fn new(file: FileId, through: Option<FileId>) -> Self {
        let named = through.unwrap_or(file);
        Self { file, named }
    }
}

/// Whether a source was copied that may turn up again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Copied {
    /// It is to be.
    Not,
    /// Somebody is at it, and has not said yet how it went.
    Begun,
    /// This is the copy.
    As(CopyId),
}

/// The files that were met.
#[derive(Debug)]
pub struct Seen {
    files: Mutex<FileTable>,
    /// A file that a worker had set about copying is copied, or is not.
    recorded: Signal,
}

impl Seen {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            files: Mutex::new(FileTable::default()),
            recorded: Signal::new(),
        }
    }

    /// All of them, while nobody else may look.
    pub fn files(&self) -> Guard<'_, FileTable> {
        self.files.lock()
    }

    /// Remembers one more, with its path.
    pub fn remember(&self, role: Role, id: &FileId, path: &[u8]) {
        self.files().insert(role, id, path);
    }

    /// Finds out where file `id` was copied to, which `path` is set to, and what the copy is; waits
    /// for whoever copies it just now. `None` where whoever asks is to copy it, and then to say
    /// how that went ([`Self::record_copy`]).
    pub fn claim(&self, id: &FileId, path: &mut Vec<u8>) -> Option<CopyId> {
        let mut files = self.files();
        loop {
            let Some(entry) = files.entry(id) else {
                files.insert(Role::Copied, id, b"");
                continue;
            };
            match entry.copied {
                Copied::Not => {
                    entry.copied = Copied::Begun;
                    return None;
                }
                Copied::Begun => files = self.recorded.wait(files),
                Copied::As(copy) => {
                    // Taken along, not to keep others from the table meanwhile.
                    let copied_to = files.find(Role::Copied, id).unwrap_or_default();
                    c_string(path, b"", copied_to.to_bytes());
                    return Some(copy);
                }
            }
        }
    }

    /// Says where a file that was claimed was copied to, and what the copy is; or that it was not
    /// copied.
    pub fn record_copy(&self, id: &FileId, copied: Option<(&[u8], CopyId)>) {
        let mut files = self.files();
        let path_at = files.paths.len();
        if let Some((path, _)) = copied {
            files.add_path(path);
        }
        if let Some(entry) = files.entry(id) {
            entry.path_at = path_at;
            entry.copied = copied.map_or(Copied::Not, |(_, copy)| Copied::As(copy));
        }
        self.recorded.give();
    }
}

/// Remembers files by [`Role`] and [`FileId`], each with a path; several entries may share
/// both.
///
/// A binary tree in which the bits of an entry's hash, one after the other, say where it
/// hangs: as deep as a balanced one, but nothing is ever moved. Two blocks of memory however
/// many files, 80 bytes and the path for each.
#[derive(Debug, Default)]
pub struct FileTable {
    /// The tree's root first.
    entries: Vec<Entry>,
    paths: Vec<u8>,
}

#[derive(Debug)]
struct Entry {
    id: FileId,
    /// Where the path begins; it ends before the next NUL.
    path_at: usize,
    copied: Copied,
    /// The entries below this one, by the next bit of the hash; 0 where there is none.
    below: [usize; 2],
}

impl FileTable {
    /// Adds a file.
    pub fn insert(&mut self, role: Role, id: &FileId, path: &[u8]) {
        let added = self.entries.len();
        let (id, mut hash) = key(role, id);
        let mut at = 0;
        while let Some(entry) = self.entries.get_mut(at) {
            let below = &mut entry.below[branch(hash)];
            at = *below;
            if at == 0 {
                *below = added;
                break;
            }
            hash <<= 1;
        }
        self.entries.push(Entry {
            id,
            path_at: self.paths.len(),
            copied: Copied::Not,
            below: [0; 2],
        });
        self.add_path(path);
    }

    fn add_path(&mut self, path: &[u8]) {
        self.paths.extend_from_slice(path);
        self.paths.push(0);
    }

    /// The path that `id` was added with first.
    pub fn find(&self, role: Role, id: &FileId) -> Option<&CStr> {
        let at = self.index(role, id, &|_| true)?;
        Some(self.path(self.entries.get(at)?.path_at))
    }

    /// Whether `id` was added with a path that is `meant`.
    pub fn any(&self, role: Role, id: &FileId, meant: &dyn Fn(&[u8]) -> bool) -> bool {
        self.index(role, id, meant).is_some()
    }

    /// Says that a file's `copy` is not where it was any more; whoever claims the file next is to
    /// copy it again.
    pub fn forget(&mut self, id: &FileId, copy: &CopyId) {
        if let Some(entry) = self.entry(id)
            && entry.copied == Copied::As(*copy)
        {
            entry.copied = Copied::Not;
        }
    }

    /// Whether a file was copied, and that is its `copy`.
    pub fn is_copy(&mut self, id: &FileId, copy: &FileId) -> bool {
        let entry = self.entry(id);
        entry.is_some_and(|entry| matches!(entry.copied, Copied::As(made) if made.file == *copy))
    }

    /// The entry of a file that is copied.
    fn entry(&mut self, id: &FileId) -> Option<&mut Entry> {
        let at = self.index(Role::Copied, id, &|_| true)?;
        self.entries.get_mut(at)
    }

    fn path(&self, at: usize) -> &CStr {
        until_nul(self.paths.get(at..).unwrap_or_default())
    }

    /// Where in `entries` is the first of `id` whose path is `meant`.
    fn index(&self, role: Role, id: &FileId, meant: &dyn Fn(&[u8]) -> bool) -> Option<usize> {
        let (id, mut hash) = key(role, id);
        let mut at = 0;
        while let Some(entry) = self.entries.get(at) {
            if entry.id == id && meant(self.path(entry.path_at).to_bytes()) {
                return Some(at);
            }
            at = entry.below[branch(hash)];
            if at == 0 {
                break;
            }
            hash <<= 1;
        }
        None
    }
}

/// Which of the two entries below one is next for `hash`: its first bit.
const fn branch(hash: u64) -> usize {
    (hash >> 63) as usize
}

/// What a file is found by, and its hash.
const fn key(role: Role, id: &FileId) -> (FileId, u64) {
    let id = FileId {
        // Device numbers have 12 bits in the lower half and 20 in the upper.
        dev: id.dev | ((role as u64) << 62),
        ino: id.ino,
    };
    // Inode numbers are dense; a multiplicative hash (Knuth, TAOCP 6.4) spreads them.
    let hash = (id.ino ^ id.dev.rotate_left(32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (id, hash)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;

    #[test]
    fn every_file_is_found_again_by_its_paths() {
        let mut table = FileTable::default();
        let id = |n: u64| FileId {
            dev: n % 3 * ((0xf_ffff << 32) | 0xfff) / 2,
            ino: n / 3,
        };
        assert_eq!(table.find(Role::Copied, &id(1)), None);
        let count = if cfg!(miri) { 100 } else { 5000 };
        for n in 0..count {
            table.insert(Role::Copied, &id(n), format!("path {n}").as_bytes());
        }
        table.insert(Role::Copied, &id(7), b"second");
        for n in 0..count {
            let path = format!("path {n}\0").into_bytes();
            let path = until_nul(&path);
            assert_eq!(table.find(Role::Copied, &id(n)), Some(path));
            assert_eq!(table.find(Role::Created, &id(n)), None);
            let has = |wanted: &[u8]| table.any(Role::Copied, &id(n), &|path| path == wanted);
            assert!(has(path.to_bytes()) && !has(b"path"));
            assert_eq!(has(b"second"), n == 7);
        }
        assert_eq!(table.find(Role::Copied, &FileId { dev: 9, ino: 9 }), None);
    }

    #[test]
    fn a_copy_that_is_gone_is_forgotten_once() {
        let seen = Seen::new();
        let id = |ino| FileId { dev: 0, ino };
        let file = id(1);
        let [first, second] = [2, 3].map(|ino| CopyId {
            file: id(ino),
            named: id(ino + 10),
        });
        let mut path = Vec::new();
        let mut claim = || (seen.claim(&file, &mut path), path.clone());
        assert_eq!(claim().0, None);
        // It is being copied.
        seen.files().forget(&file, &first);
        assert!(!seen.files().is_copy(&file, &id(2)));
        seen.record_copy(&file, Some((b"a", first)));
        assert_eq!(claim(), (Some(first), b"a\0".to_vec()));
        seen.files().forget(&file, &first);
        assert_eq!(claim().0, None);
        seen.record_copy(&file, Some((b"b", second)));
        // By one who has still found the first.
        seen.files().forget(&file, &first);
        assert_eq!(claim(), (Some(second), b"b\0".to_vec()));
        let mut files = seen.files();
        assert!(files.is_copy(&file, &id(3)) && !files.is_copy(&file, &id(2)));
        assert!(!files.is_copy(&id(2), &id(3)));
    }

    #[test]
    fn what_was_not_copied_is_to_be_copied_again() {
        let seen = Seen::new();
        let (file, mut path) = (FileId { dev: 1, ino: 2 }, Vec::new());
        for _ in 0..2 {
            assert_eq!(seen.claim(&file, &mut path), None);
            seen.record_copy(&file, None);
        }
    }
}
