//! One name on its way: what the walk knows of it.

use super::options::Follow;
use super::path::Place;
use super::tree::level::Level;
use crate::sys::FileType;

/// A name that the walk has come to, on both sides.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    pub src: Place<'a>,
    pub dst: Place<'a>,
    /// Both paths, as messages show them.
    pub shown: [&'a [u8]; 2],
    /// Its type as its directory lists it.
    pub hint: FileType,
    pub is_operand: bool,
    /// Nothing was found at the destination, symlinks followed.
    pub is_absent: bool,
    /// The directories that the walk is in.
    pub above: &'a [Level],
    /// How long the operand's paths are, with which this name's begin.
    pub operand_ends: (usize, usize),
}

impl Entry<'_> {
    /// Whether a symlink is followed here.
    pub fn is_followed(&self, follow: Follow) -> bool {
        match follow {
            Follow::Never => false,
            Follow::Operands => self.is_operand,
            Follow::Always => true,
        }
    }

    /// Whether the directory it goes to was made by this copy: nothing can be in the way.
    pub fn is_in_new_directory(&self) -> bool {
        self.above.last().is_some_and(|level| !level.dir.existed)
    }

    /// The device of the directory it goes to, or 0 where it is not known.
    pub fn dst_dev(&self) -> u64 {
        self.above
            .last()
            .map_or(0, |level| level.dir.dst_stat.id.dev)
    }
}
