//! A set of files by device and inode number, each with a path.

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
}

/// Remembers files by [`Role`] and [`FileId`], each with a path; several entries may share
/// both.
///
/// Open addressing over one array and all paths in another: two blocks of memory however many
/// files, 24 bytes and the path for each.
#[derive(Debug, Default)]
pub struct FileTable {
    /// Power-of-two many; never more than three quarters in use.
    slots: Vec<Option<Entry>>,
    used: usize,
    paths: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    role: Role,
    id: FileId,
    /// Where the path begins; it ends before the next NUL.
    path_at: usize,
}

impl FileTable {
    /// Adds a file.
    pub fn insert(&mut self, role: Role, id: FileId, path: &[u8]) {
        if (self.used + 1) * 4 > self.slots.len() * 3 {
            self.grow();
        }
        let entry = Entry {
            role,
            id,
            path_at: self.paths.len(),
        };
        self.paths.extend_from_slice(path);
        self.paths.push(0);
        self.place(entry);
        self.used += 1;
    }

    fn grow(&mut self) {
        let len = (self.slots.len() * 2).max(16);
        let old = core::mem::take(&mut self.slots);
        while self.slots.len() < len {
            self.slots.push(None);
        }
        for entry in old.iter().flatten() {
            self.place(*entry);
        }
    }

    /// Puts `entry` into the first free slot of its probe sequence.
    fn place(&mut self, entry: Entry) {
        let mut at = self.home(entry.id);
        while let Some(Some(_)) = self.slots.get(at) {
            at = self.after(at);
        }
        if let Some(slot) = self.slots.get_mut(at) {
            *slot = Some(entry);
        }
    }

    /// The path that `id` was added with first, or whether it was added with `path`: that
    /// path, then.
    pub fn find(&self, role: Role, id: FileId, path: Option<&[u8]>) -> Option<&[u8]> {
        let mut at = self.home(id);
        while let Some(Some(entry)) = self.slots.get(at) {
            if entry.id == id && entry.role == role {
                let found = self.path(entry.path_at);
                if path.is_none_or(|path| path == found) {
                    return Some(found);
                }
            }
            at = self.after(at);
        }
        None
    }

    fn path(&self, at: usize) -> &[u8] {
        let rest = self.paths.get(at..).unwrap_or_default();
        until_nul(rest).to_bytes()
    }

    /// Where to look for `id` first.
    fn home(&self, id: FileId) -> usize {
        // Inode numbers are dense; a multiplicative hash (Knuth, TAOCP 6.4) spreads them.
        let hash = (id.ino ^ id.dev.rotate_left(32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        #[allow(clippy::cast_possible_truncation)] // any part of the hash will do
        let hash = (hash >> 32) as usize;
        hash & self.slots.len().wrapping_sub(1)
    }

    /// Where to look next; a quarter of the slots is free, so that every search ends.
    fn after(&self, at: usize) -> usize {
        (at + 1) & self.slots.len().wrapping_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;

    #[test]
    fn every_file_is_found_again_by_its_paths() {
        let mut table = FileTable::default();
        let id = |n: u64| FileId {
            dev: n % 3,
            ino: n / 3,
        };
        assert_eq!(table.find(Role::Copied, id(1), None), None);
        for n in 0..5000 {
            table.insert(Role::Copied, id(n), format!("path {n}").as_bytes());
        }
        table.insert(Role::Copied, id(7), b"second");
        for n in 0..5000 {
            let path = format!("path {n}").into_bytes();
            assert_eq!(table.find(Role::Copied, id(n), None), Some(&path[..]));
            assert_eq!(table.find(Role::Created, id(n), None), None);
            assert_eq!(
                table.find(Role::Copied, id(n), Some(&path)),
                Some(&path[..])
            );
            assert_eq!(
                table.find(Role::Copied, id(n), Some(b"second")).is_some(),
                n == 7
            );
        }
        assert_eq!(
            table.find(Role::Copied, FileId { dev: 9, ino: 9 }, None),
            None
        );
    }
}
