//! The names that operands get in the directory that they go to: which of them may meet there, and
//! which are taken already.
//!
//! What is kept of a name is a hash, in a table that has room for twice as many: names that differ
//! and share one are taken for one, which is slower and as right. So are those that differ in
//! their ASCII letters' case, or in dots and blanks at their end: to some file systems they are
//! one.

use alloc::vec::Vec;
use core::ffi::CStr;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use super::path::basename;

/// Several operands have the name.
const REPEATED: u32 = 1;
/// The directory has it.
const LISTED: u32 = 2;
/// What is left of a hash beside these marks. Never 0, which is nobody's.
const HASH: u32 = !3;

/// The names of all operands, or of none, if nobody is to know.
#[derive(Debug, Default)]
pub struct Names {
    /// A power of two of them; a name's is the first from where its hash points that has its hash,
    /// or nothing.
    slots: Vec<AtomicU32>,
    are_listed: AtomicBool,
}

// Relaxed throughout: all is set before others are let to the operands, under a lock.

impl Names {
    /// The last parts of those paths.
    pub fn of(paths: &[&CStr]) -> Self {
        let mut slots = Vec::new();
        slots.resize_with((paths.len() * 2).next_power_of_two(), AtomicU32::default);
        let names = Self {
            slots,
            are_listed: AtomicBool::new(false),
        };
        for path in paths {
            let name = basename(path.to_bytes());
            if let Some(slot) = names.slot(name) {
                let marks = match slot.load(Ordering::Relaxed) {
                    0 => 0,
                    _ => REPEATED,
                };
                slot.fetch_or(hash(name) | marks, Ordering::Relaxed);
            }
        }
        names
    }

    /// Whether more than one operand may have the name.
    pub fn is_repeated(&self, name: &[u8]) -> bool {
        self.has(name, REPEATED)
    }

    /// Whether the directory may have the name.
    pub fn is_taken(&self, name: &[u8]) -> bool {
        !self.are_listed() || self.has(name, LISTED)
    }

    /// Whether it is known which names the directory has.
    pub fn are_listed(&self) -> bool {
        self.are_listed.load(Ordering::Relaxed)
    }

    /// Takes down a name that the directory has.
    pub fn list(&self, name: &[u8]) {
        if let Some(slot) = self.slot(name)
            && slot.load(Ordering::Relaxed) != 0
        {
            slot.fetch_or(LISTED, Ordering::Relaxed);
        }
    }

    /// All that it has were taken down.
    pub fn end_of_list(&self) {
        self.are_listed.store(true, Ordering::Relaxed);
    }

    /// There may be others by now.
    pub fn forget_list(&self) {
        self.are_listed.store(false, Ordering::Relaxed);
    }

    fn has(&self, name: &[u8], mark: u32) -> bool {
        self.slot(name)
            .is_none_or(|slot| slot.load(Ordering::Relaxed) & mark != 0)
    }

    /// The slot that a name has, or would have.
    fn slot(&self, name: &[u8]) -> Option<&AtomicU32> {
        let hash = hash(name);
        let mask = self.slots.len().checked_sub(1)?;
        let mut at = hash as usize >> 2;
        loop {
            let slot = self.slots.get(at & mask)?;
            if matches!(slot.load(Ordering::Relaxed) & HASH, found if found == 0 || found == hash) {
                return Some(slot);
            }
            at += 1;
        }
    }
}

/// FNV-1a (Fowler, Noll, Vo) of a name as all file systems take it, without the bits of the marks.
fn hash(mut name: &[u8]) -> u32 {
    while let [rest @ .., b'.' | b' '] = name {
        name = rest;
    }
    let hash = name.iter().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte.to_ascii_lowercase())).wrapping_mul(0x0100_0193)
    });
    // The highest bits are the best ones.
    (hash >> 7 ^ hash) << 2 | 4
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CString;
    use std::format;

    fn names(paths: &[&CStr]) -> Names {
        Names::of(paths)
    }

    #[test]
    fn names_that_operands_share_are_told() {
        let names = names(&[
            c"a/x", c"b/x", c"y", c"c/Z", c"z", c"w.", c"d/w", c"e/", c"v",
        ]);
        for (name, is_repeated) in [
            (&b"x"[..], true),
            (b"y", false),
            (b"z", true),
            (b"Z", true),
            (b"w", true),
            (b"e", false),
            (b"v", false),
            (b"none", false),
        ] {
            assert_eq!(names.is_repeated(name), is_repeated, "{name:?}");
        }
    }

    #[test]
    fn few_of_many_names_are_taken_for_one() {
        let count = if cfg!(miri) { 100 } else { 50_000 };
        let paths: std::vec::Vec<_> = (0..count)
            .map(|n| CString::new(format!("img_{n:05}.jpg")).unwrap())
            .collect();
        let paths: std::vec::Vec<_> = paths.iter().map(CString::as_c_str).collect();
        let names = names(&paths);
        let repeated = paths
            .iter()
            .filter(|path| names.is_repeated(path.to_bytes()));
        let repeated = repeated.count();
        assert!(repeated <= count / 1000, "{repeated}");
    }

    #[test]
    fn what_the_directory_has_is_known_once_it_was_listed() {
        let names = names(&[c"a", c"b"]);
        assert!(names.is_taken(b"a") && names.is_taken(b"b"));
        names.list(b"a");
        names.list(b"others");
        names.end_of_list();
        assert!(names.is_taken(b"a") && !names.is_taken(b"b"));
    }

    #[test]
    fn of_names_that_nobody_knows_all_may_be() {
        let names = Names::default();
        names.list(b"a");
        assert!(names.is_repeated(b"a") && names.is_taken(b"a"));
    }
}
