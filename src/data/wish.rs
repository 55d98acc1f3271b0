//! What is asked of the way that data goes.

use crate::sys::FileType;

/// Which way data goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Io {
    /// Whichever is quickest.
    Auto,
    /// As that, but not the ring; of `cat`, reads and writes only.
    Sync,
    /// That one, as far as it goes: of large files, and the ring of all regular files, or there is
    /// an error. Of `cat` the ring reads ahead.
    Only(Way),
}

/// A way by which data goes from one file to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// `copy_file_range`.
    CopyFileRange,
    /// Reads, and writes through the ring.
    Ring,
    /// Reads, and writes by another thread.
    Thread,
    /// `splice`, through a pipe.
    Splice,
    /// Reads and writes.
    ReadWrite,
}

impl Way {
    /// Whether it gains by blocks that are allocated ahead of what is written.
    #[must_use]
    pub const fn allocates_ahead(self) -> bool {
        matches!(self, Self::Ring | Self::Thread | Self::Splice)
    }
}

/// When a copy shares its source's blocks (`FICLONE`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // as they are given: `--reflink=WHEN`
pub enum Reflink {
    Auto,
    Always,
    Never,
}

/// Where a copy has holes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sparse {
    /// Nowhere.
    Never,
    /// Where the source has them.
    Auto,
    /// Wherever blocks hold nothing but zeros.
    Always,
}

/// What is asked of all data of a copy.
#[derive(Debug, Clone, Copy)]
pub struct Wish {
    /// Which way it goes.
    pub io: Io,
    /// When blocks are shared.
    pub reflink: Reflink,
    /// Where holes are made.
    pub sparse: Sparse,
    /// No further thread is to be started for it.
    pub is_alone: bool,
}

impl Wish {
    /// Whether a copy may have blocks in common with its source, and holes where that has them.
    #[must_use]
    pub fn shares_blocks(&self) -> bool {
        self.reflink != Reflink::Never && self.sparse == Sparse::Auto
    }

    /// Whether blocks of zeros are left out of what goes into such a file.
    #[must_use]
    pub fn leaves_holes(&self, destination: FileType) -> bool {
        self.sparse == Sparse::Always && destination == FileType::Regular
    }
}
