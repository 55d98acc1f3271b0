//! A set of files by device and inode number, each with a path.

use core::ffi::CStr;

use crate::sys::{FileId, Vec, until_nul};

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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CopyId {
    /// The file.
    pub file: FileId,
    /// What its path names: a symlink, if it was written through one, or the file.
    pub named: FileId,
}

/// Whose it is to copy a file that may turn up again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim<'a> {
    /// Whoever asked.
    Ours,
    /// Somebody's who has not said yet how it went.
    Others,
    /// It was copied to this path, and that is the copy.
    Copied(&'a CStr, CopyId),
}

/// In place of where a path begins: the file is being copied.
const BEING_COPIED: usize = usize::MAX;
/// Likewise: its copy failed.
const NOT_COPIED: usize = usize::MAX - 1;

/// Remembers files by [`Role`] and [`FileId`], each with a path; several entries may share
/// both.
///
/// A binary tree in which the bits of an entry's hash, one after the other, say where it
/// hangs: as deep as a balanced one, but nothing is ever moved. Two blocks of memory however
/// many files, 72 bytes and the path for each.
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
    /// Of a source that was copied, the copy.
    copy: CopyId,
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
            copy: CopyId::default(),
            below: [0; 2],
        });
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

    /// Finds out who is to copy file `id`; from now on whoever asked, if nobody else is.
    pub fn claim(&mut self, id: &FileId) -> Claim<'_> {
        if self.copied(id).is_none() {
            self.insert(Role::Copied, id, b"");
            if let Some(entry) = self.entries.last_mut() {
                entry.path_at = BEING_COPIED;
            }
            return Claim::Ours;
        }
        match self.copied(id) {
            Some(entry) if entry.path_at == NOT_COPIED => {
                entry.path_at = BEING_COPIED;
                Claim::Ours
            }
            Some(entry) if entry.path_at != BEING_COPIED => {
                let (path_at, copy) = (entry.path_at, entry.copy);
                Claim::Copied(self.path(path_at), copy)
            }
            _ => Claim::Others,
        }
    }

    /// Says where a file that was claimed was copied to, and what the copy is; or that it was not
    /// copied.
    pub fn settle(&mut self, id: &FileId, copied: Option<(&[u8], CopyId)>) {
        let (mut path_at, mut copy) = (NOT_COPIED, CopyId::default());
        if let Some((path, made)) = copied {
            path_at = self.paths.len();
            copy = made;
            self.paths.extend_from_slice(path);
            self.paths.push(0);
        }
        if let Some(entry) = self.copied(id) {
            entry.path_at = path_at;
            entry.copy = copy;
        }
    }

    /// Says that a file's `copy` is not where it was any more; whoever claims the file next is to
    /// copy it again.
    pub fn forget(&mut self, id: &FileId, copy: &CopyId) {
        if let Some(entry) = self.copied(id)
            && entry.copy == *copy
            && entry.path_at != BEING_COPIED
        {
            entry.path_at = NOT_COPIED;
        }
    }

    /// Whether a file was copied, and that is its `copy`.
    pub fn is_copy(&mut self, id: &FileId, copy: &FileId) -> bool {
        self.copied(id)
            .is_some_and(|entry| entry.copy.file == *copy)
    }

    /// The entry of a file that is copied.
    fn copied(&mut self, id: &FileId) -> Option<&mut Entry> {
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
        for n in 0..5000 {
            table.insert(Role::Copied, &id(n), format!("path {n}").as_bytes());
        }
        table.insert(Role::Copied, &id(7), b"second");
        for n in 0..5000 {
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
        let mut table = FileTable::default();
        let id = |ino| FileId { dev: 0, ino };
        let file = id(1);
        let [first, second] = [2, 3].map(|ino| CopyId {
            file: id(ino),
            named: id(ino + 10),
        });
        assert_eq!(table.claim(&file), Claim::Ours);
        assert_eq!(table.claim(&file), Claim::Others);
        table.forget(&file, &first);
        assert_eq!(table.claim(&file), Claim::Others);
        table.settle(&file, Some((b"a", first)));
        assert_eq!(table.claim(&file), Claim::Copied(c"a", first));
        table.forget(&file, &first);
        assert_eq!(table.claim(&file), Claim::Ours);
        table.settle(&file, Some((b"b", second)));
        // By one who has still found the first.
        table.forget(&file, &first);
        assert_eq!(table.claim(&file), Claim::Copied(c"b", second));
        assert!(table.is_copy(&file, &id(3)) && !table.is_copy(&file, &id(2)));
        assert!(!table.is_copy(&id(2), &id(3)));
    }
}
