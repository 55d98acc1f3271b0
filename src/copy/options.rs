//! What a copy is asked to do.
//!
//! Which files read which option (made by `tests/house`):
//!
//! <!-- options -->
//! | option | read in |
//! | --- | --- |
//! | `Flags::ATTRIBUTES_ONLY` | `attributes.rs`, `engine.rs`, `regular.rs`, `watch.rs` |
//! | `Flags::COPY_CONTENTS` | `engine.rs` |
//! | `Flags::DEBUG` | `engine.rs` |
//! | `Flags::FORCE` | `engine.rs`, `links.rs`, `regular.rs`, `special.rs` |
//! | `Flags::PROGRESS` | `workers.rs` |
//! | `Flags::KEEP_DIRECTORY_SYMLINK` | `engine.rs`, `workers.rs` |
//! | `Flags::LINK` | `engine.rs`, `links.rs`, `same.rs`, `watch.rs` |
//! | `Flags::ONE_FILE_SYSTEM` | `directory.rs` |
//! | `Flags::PARENTS` |  |
//! | `Flags::RECURSIVE` | `engine.rs`, `watch.rs` |
//! | `Flags::REMOVE_DESTINATION` | `engine.rs`, `same.rs` |
//! | `Flags::STRIP_SLASHES` |  |
//! | `Flags::SYMLINK` | `engine.rs`, `same.rs`, `special.rs`, `watch.rs`, `workers.rs` |
//! | `Flags::VERBOSE` | `backup.rs`, `directory.rs`, `engine.rs`, `parents.rs` |
//! | `Flags::THROUGH_DANGLING` | `regular.rs` |
//! | `Flags::INTERACTIVE` | `engine.rs`, `links.rs`, `regular.rs`, `workers.rs` |
//! | `Flags::DEFAULT_CONTEXT` | `attributes.rs` |
//! | `follow` | `engine.rs`, `links.rs`, `special.rs`, `watch.rs`, `workers.rs` |
//! | `Preserve::MODE` | `attributes.rs`, `metadata.rs`, `parents.rs`, `special.rs` |
//! | `Preserve::TIMESTAMPS` | `metadata.rs`, `parents.rs` |
//! | `Preserve::OWNERSHIP` | `metadata.rs`, `parents.rs` |
//! | `Preserve::LINKS` | `engine.rs`, `links.rs`, `special.rs` |
//! | `Preserve::CONTEXT` | `attributes.rs`, `metadata.rs` |
//! | `Preserve::XATTR` | `attributes.rs`, `metadata.rs`, `regular.rs` |
//! | `Preserve::NO_MODE` | `directory.rs`, `metadata.rs`, `parents.rs`, `special.rs` |
//! | `Preserve::XATTR_REQUIRED` | `attributes.rs` |
//! | `Preserve::XATTR_QUIET` | `attributes.rs` |
//! | `update` | `engine.rs` |
//! | `backup` | `backup.rs`, `engine.rs`, `same.rs`, `workers.rs` |
//! | `suffix` | `backup.rs` |
//! | `reflink` | `regular.rs`, `data/mover.rs` |
//! | `sparse` | `data/mover.rs` |
//! | `io` | `data/mover.rs`, `data/ranges.rs` |
//! | `jobs` | `workers.rs` |
//! <!-- /options -->

use bitflags::bitflags;

use crate::data::wish::{Io, Reflink, Sparse, Wish};

/// Which symlinks in the source are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Follow {
    /// None (`-P`).
    Never,
    /// Operands (`-H`).
    Operands,
    /// All (`-L`).
    Always,
}

/// Which existing files are overwritten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Update {
    /// All.
    All,
    /// None.
    None,
    /// None, and one that is met is an error.
    NoneFail,
    /// Those older than their source.
    Older,
}

/// How files that are to be overwritten are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backup {
    /// Not at all.
    None,
    /// Under their name with a suffix.
    Simple,
    /// By number where there are numbered ones, else with a suffix.
    Existing,
    /// By number: `NAME.~1~` and so on.
    Numbered,
}

bitflags! {
    /// What a copy keeps of its source besides the data.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct Preserve: u16 {
        /// Permission bits and access control lists.
        const MODE = 1;
        /// Times of last access and change.
        const TIMESTAMPS = 2;
        /// Owner and group.
        const OWNERSHIP = 4;
        /// Hard links among the files that are copied.
        const LINKS = 8;
        /// The security context.
        const CONTEXT = 0x10;
        /// Extended attributes.
        const XATTR = 0x20;
        /// Not even the permission bits that a new file has without being asked for.
        const NO_MODE = 0x40;
        /// An extended attribute that cannot be kept is an error.
        const XATTR_REQUIRED = 0x80;
        /// One that cannot be kept is not worth a message.
        const XATTR_QUIET = 0x100;
    }

    /// What a copy is asked to do that is either so or not so.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct Flags: u32 {
        /// Copy no data.
        const ATTRIBUTES_ONLY = 1;
        /// Read FIFOs and devices in directories like files.
        const COPY_CONTENTS = 2;
        /// Say which way the data of each file went.
        const DEBUG = 4;
        /// Remove a destination that cannot be opened, and try again.
        const FORCE = 8;
        /// Show how far the copy has come.
        const PROGRESS = 0x10;
        /// Follow a symlink to a directory where a directory goes.
        const KEEP_DIRECTORY_SYMLINK = 0x20;
        /// Make hard links instead of copies.
        const LINK = 0x40;
        /// Make directories that are mount points, but copy nothing in them.
        const ONE_FILE_SYSTEM = 0x80;
        /// Make the directories that lead to an operand as well.
        const PARENTS = 0x100;
        /// Copy directories with what they hold.
        const RECURSIVE = 0x200;
        /// Remove what is in the way before anything else.
        const REMOVE_DESTINATION = 0x400;
        /// Take no notice of slashes at an operand's end.
        const STRIP_SLASHES = 0x800;
        /// Make symlinks instead of copies.
        const SYMLINK = 0x1000;
        /// Say what is copied.
        const VERBOSE = 0x2000;
        /// Write through a dangling symlink given as the destination (`POSIXLY_CORRECT`).
        const THROUGH_DANGLING = 0x4000;
        /// Ask before anything is overwritten.
        const INTERACTIVE = 0x8000;
        /// Leave the security context of what is made to the kernel.
        const DEFAULT_CONTEXT = 0x10000;
    }
}

/// What a copy is asked to do.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// What is so or not so.
    pub flags: Flags,
    /// Which symlinks are followed.
    pub follow: Follow,
    /// What is kept.
    pub preserve: Preserve,
    /// Which existing files are overwritten.
    pub update: Update,
    /// How they are kept.
    pub backup: Backup,
    /// The suffix of kept files that have no number.
    pub suffix: &'static [u8],
    /// When blocks are shared.
    pub reflink: Reflink,
    /// Where holes are made.
    pub sparse: Sparse,
    /// Which way data goes.
    pub io: Io,
    /// How many workers there are to be; 0 for as many as the machine has processors.
    pub jobs: u32,
}

impl Options {
    /// What a copy does where nothing else is asked of it.
    pub const USUAL: Self = Self {
        flags: Flags::empty(),
        follow: Follow::Always,
        preserve: Preserve::empty(),
        update: Update::All,
        backup: Backup::None,
        suffix: b"~",
        reflink: Reflink::Auto,
        sparse: Sparse::Auto,
        io: Io::Auto,
        jobs: 0,
    };

    /// What is asked of the way that data goes.
    #[must_use]
    pub const fn wish(&self) -> Wish {
        Wish {
            io: self.io,
            reflink: self.reflink,
            sparse: self.sparse,
            is_alone: self.jobs == 1,
        }
    }

    /// Whether any of `flags` is asked for.
    #[must_use]
    pub const fn has(&self, flags: Flags) -> bool {
        self.flags.intersects(flags)
    }
}
