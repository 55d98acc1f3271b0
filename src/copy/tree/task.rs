//! A tree, or a part of one, that one worker has to do, and how far it has come.
//!
//! A directory's names are kept on one stack for all open levels.

use alloc::vec::Vec;
use core::ffi::CStr;
use core::ops::Range;

use super::level::{Directory, Level};
use crate::copy::entry::Entry;
use crate::copy::path::Path;
use crate::sys::{BorrowedFd, CWD, FileType, OwnedFd, until_nul};

/// A name of a directory.
#[derive(Debug, Clone, Copy)]
pub struct Item {
    pub ino: u64,
    /// Where the name begins in [`Task::names`]; it ends before the next NUL.
    pub name_at: usize,
    /// Its type as the directory lists it.
    pub kind: FileType,
}

impl Item {
    /// The name, out of all `names`.
    pub fn name<'n>(&self, names: &'n [u8]) -> &'n CStr {
        until_nul(names.get(self.name_at..).unwrap_or_default())
    }
}

/// What a worker has to do. Kept for its memory when that is done.
#[derive(Debug, Default)]
pub struct Task {
    pub levels: Vec<Level>,
    /// The names that are next, the first of them last.
    pub items: Vec<Item>,
    pub names: Vec<u8>,
    /// Where the walk is.
    pub src: Path,
    pub dst: Path,
    /// The node of the directory around the first level, if others have that one.
    pub base: Option<usize>,
    /// Whether anything of it may be handed over, once that was found out.
    pub may_share: Option<bool>,
    /// How long the operand's paths are.
    pub operand_ends: (usize, usize),
    /// How many levels lead to the operand.
    pub parents: usize,
    /// It is to take operands ([`crate::copy::line`]), and to begin with there is nothing else.
    pub is_in_line: bool,
}

impl Task {
    /// Forgets the operand before.
    pub const fn begin_operand(&mut self) {
        self.base = None;
        self.may_share = None;
        self.parents = 0;
        self.is_in_line = false;
    }

    /// Both paths, as messages show them.
    pub fn shown(&self) -> [&[u8]; 2] {
        [self.src.shown(), self.dst.shown()]
    }

    /// Goes to an item of the innermost level.
    pub fn go_to(&mut self, item: &Item) {
        let name = item.name(&self.names).to_bytes();
        if let Some(level) = self.levels.last() {
            self.src.push(level.src_end, name);
            self.dst.push(level.dst_end, name);
        }
    }

    /// The name that the paths stand at, of type `hint` as far as that is known; an operand is
    /// relative to the working directory and to `root`, or the directory that leads to it.
    pub fn entry<'a>(&'a self, root: BorrowedFd<'a>, hint: FileType) -> Entry<'a> {
        let (mut src_dir, mut dst_dir) = (CWD, root);
        if let Some(Level { dir, .. }) = self.levels.last() {
            src_dir = dir.src.as_ref().map_or(CWD, OwnedFd::as_fd);
            dst_dir = dir.dst.as_ref().map_or(root, OwnedFd::as_fd);
        }
        Entry {
            src: self.src.place(src_dir),
            dst: self.dst.place(dst_dir),
            shown: self.shown(),
            hint,
            is_operand: self.levels.len() == self.parents && self.base.is_none(),
            is_absent: false,
            above: &self.levels,
            operand_ends: self.operand_ends,
        }
    }

    /// Adds the directory that the paths stand at as the innermost level.
    pub fn add_level(&mut self, dir: Directory) {
        self.levels.push(Level {
            src_end: self.src.end(),
            dst_end: self.dst.end(),
            items_at: self.items.len(),
            names_at: self.names.len(),
            ahead: usize::MAX,
            position: 0,
            is_part: false,
            node: None,
            dir,
        });
    }

    /// The items that are left of that level.
    pub fn items_of(&self, level: usize) -> Range<usize> {
        let begin = |at: usize| self.levels.get(at).map(|level| level.items_at);
        let end = self.items.len();
        begin(level).unwrap_or(end)..begin(level + 1).unwrap_or(end)
    }

    /// Moves `items`, with their names, to `part`; the innermost level is to go with them.
    pub fn give_items(&mut self, items: Range<usize>, part: &mut Self) {
        part.items.clear();
        part.names.clear();
        if let Some(level) = self.levels.last_mut() {
            (level.items_at, level.names_at) = (0, 0);
        }
        for item in self.items.drain(items) {
            let name_at = part.names.len();
            part.items.push(Item { name_at, ..item });
            let name = item.name(&self.names).to_bytes_with_nul();
            part.names.extend_from_slice(name);
        }
    }
}
