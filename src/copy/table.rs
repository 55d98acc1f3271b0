//! A set of files by device and inode number, each with a path.

use alloc::vec::Vec;

use crate::sys::FileId;

/// Remembers files by [`FileId`], each with the path it goes by; several entries may share
/// an id.
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
    id: FileId,
    /// Where the path begins; it ends before the next NUL.
    path_at: usize,
}

impl FileTable {
    /// An empty table; takes no memory yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            slots: Vec::new(),
            used: 0,
            paths: Vec::new(),
        }
    }

    /// Adds a file.
    pub fn insert(&mut self, id: FileId, path: &[u8]) {
        if (self.used + 1) * 4 > self.slots.len() * 3 {
            self.grow();
        }
        let entry = Entry {
            id,
            path_at: self.paths.len(),
        };
        self.paths.extend_from_slice(path);
        self.paths.push(0);
        place(&mut self.slots, entry);
        self.used += 1;
    }

    fn grow(&mut self) {
        let mut slots = Vec::new();
        slots.resize((self.slots.len() * 2).max(16), None);
        for entry in self.slots.iter().flatten() {
            place(&mut slots, *entry);
        }
        self.slots = slots;
    }

    /// The paths that `id` was added with.
    pub fn find(&self, id: FileId) -> impl Iterator<Item = &[u8]> {
        probe(id, self.slots.len())
            .map_while(|at| *self.slots.get(at)?)
            .filter(move |entry| entry.id == id)
            .filter_map(|entry| self.paths.get(entry.path_at..)?.split(|&b| b == 0).next())
    }
}

/// Where to look for `id` among `len` slots, a power of two, the likeliest place first.
fn probe(id: FileId, len: usize) -> impl Iterator<Item = usize> {
    // Inode numbers are dense; a multiplicative hash (Knuth, TAOCP 6.4) spreads them.
    let hash = (id.ino ^ id.dev.rotate_left(32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    #[allow(clippy::cast_possible_truncation)] // any part of the hash will do
    let start = (hash >> 32) as usize;
    (0..len).map(move |step| start.wrapping_add(step) & (len - 1))
}

/// Puts `entry` into the first free slot of its probe sequence.
fn place(slots: &mut [Option<Entry>], entry: Entry) {
    for at in probe(entry.id, slots.len()) {
        if let Some(slot @ None) = slots.get_mut(at) {
            *slot = Some(entry);
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;
    use std::vec;

    #[test]
    fn every_file_is_found_again_by_its_paths() {
        let mut table = FileTable::new();
        let id = |n: u64| FileId {
            dev: n % 3,
            ino: n / 3,
        };
        assert_eq!(table.find(id(1)).count(), 0);
        for n in 0..5000 {
            table.insert(id(n), format!("path {n}").as_bytes());
        }
        table.insert(id(7), b"second");
        for n in 0..5000 {
            let found: Vec<_> = table.find(id(n)).collect();
            let path = format!("path {n}").into_bytes();
            if n == 7 {
                assert_eq!(found, vec![&path[..], b"second"]);
            } else {
                assert_eq!(found, vec![&path[..]]);
            }
        }
        assert_eq!(table.find(FileId { dev: 9, ino: 9 }).count(), 0);
    }
}
