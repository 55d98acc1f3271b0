//! What a copy is asked to do.

use bitflags::bitflags;

/// Which way data goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Io {
    /// Whichever is quickest: the ring where that pays and the kernel gives one.
    Auto,
    /// The ring for all data of regular files, or an error.
    Ring,
    /// Never the ring.
    Sync,
}

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

bitflags! {
    /// What a copy keeps of its source besides the data.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct Preserve: u8 {
        /// Permission bits.
        const MODE = 1;
        /// Owner and group.
        const OWNERSHIP = 2;
        /// Times of last access and change.
        const TIMESTAMPS = 4;
        /// Hard links among the files that are copied.
        const LINKS = 8;
    }
}

/// What a copy is asked to do.
#[derive(Debug, Clone, Copy)]
#[allow(clippy::struct_excessive_bools)] // options are
pub struct Options {
    /// Copy directories with what they hold.
    pub recursive: bool,
    /// Which symlinks are followed.
    pub follow: Follow,
    /// What is kept.
    pub preserve: Preserve,
    /// Remove a destination that cannot be opened, and try again.
    pub force: bool,
    /// Leave existing files alone.
    pub no_clobber: bool,
    /// Say what is copied.
    pub verbose: bool,
    /// Say which way the data of each file went.
    pub debug: bool,
    /// Write through a dangling symlink given as the destination (`POSIXLY_CORRECT`).
    pub through_dangling: bool,
    /// Which way data goes.
    pub io: Io,
    /// Show how far the copy has come.
    pub progress: bool,
    /// How many workers there are to be; 0 for as many as the machine has processors.
    pub jobs: u32,
}
