//! What a copy is asked to do.
//!
//! Which files read which option (made by `tests/house`). What several files go by is a choice with a
//! name of its own: a method of [`Options`], which alone reads the option. Where the table says
//! nothing, only such a method does.
//!
//! <!-- options -->
//! | option | read in |
//! | --- | --- |
//! | `Flags::ATTRIBUTES_ONLY` |  |
//! | `Flags::COPY_CONTENTS` |  |
//! | `Flags::DEBUG` | `execute.rs`, `team.rs` |
//! | `Flags::FORCE` |  |
//! | `Flags::PROGRESS` | `shared.rs` |
//! | `Flags::KEEP_DIRECTORY_SYMLINK` | `entry.rs` |
//! | `Flags::LINK` | `plan.rs`, `same.rs` |
//! | `Flags::ONE_FILE_SYSTEM` | `make/directory.rs` |
//! | `Flags::PARENTS` | `operands.rs`, `shared.rs` |
//! | `Flags::RECURSIVE` | `plan.rs`, `tree/counter.rs` |
//! | `Flags::REMOVE_DESTINATION` |  |
//! | `Flags::STRIP_SLASHES` | `operands.rs` |
//! | `Flags::SYMLINK` | `plan.rs`, `same.rs` |
//! | `Flags::VERBOSE` | `execute.rs`, `worker.rs` |
//! | `Flags::THROUGH_DANGLING` | `make/regular.rs` |
//! | `Flags::INTERACTIVE` | `make/regular.rs`, `plan.rs` |
//! | `Flags::DEFAULT_CONTEXT` | `xattr.rs` |
//! | `follow` |  |
//! | `Preserve::MODE` | `attributes.rs`, `xattr.rs` |
//! | `Preserve::TIMESTAMPS` | `attributes.rs` |
//! | `Preserve::OWNERSHIP` | `attributes.rs` |
//! | `Preserve::LINKS` | `make/node.rs`, `plan.rs` |
//! | `Preserve::CONTEXT` | `attributes.rs`, `xattr.rs` |
//! | `Preserve::XATTR` | `attributes.rs`, `xattr.rs` |
//! | `Preserve::NO_MODE` | `attributes.rs` |
//! | `Preserve::XATTR_REQUIRED` | `xattr.rs` |
//! | `Preserve::XATTR_QUIET` | `xattr.rs` |
//! | `update` | `plan.rs` |
//! | `backup` | `make/backup.rs`, `plan.rs` |
//! | `suffix` | `make/backup.rs` |
//! | `reflink` | `data/mover.rs`, `data/route.rs` |
//! | `sparse` | `data/route.rs` |
//! | `io` | `data/mover.rs`, `data/route.rs` |
//! | `jobs` | `run.rs`, `team.rs` |
//! <!-- /options -->

use bitflags::bitflags;

use crate::data::wish::{Io, Reflink, Sparse, Wish};
use crate::sys::{FileType, Stat};

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
    /// How many workers there are to be; 0 for as many as is best.
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

    /// Whether the program is to choose how many workers there are.
    #[must_use]
    pub const fn chooses_workers(&self) -> bool {
        self.jobs == 0
    }

    /// Whether symlinks are followed for a name.
    #[must_use]
    pub fn follows(&self, is_operand: bool) -> bool {
        match self.follow {
            Follow::Never => false,
            Follow::Operands => is_operand,
            Follow::Always => true,
        }
    }

    /// Whether a name of type `kind` is read and written as data.
    #[must_use]
    pub const fn copies_as_regular(&self, kind: FileType) -> bool {
        match kind {
            FileType::Regular => true,
            FileType::Directory | FileType::Symlink => false,
            _ => !self.has(Flags::RECURSIVE) || self.has(Flags::COPY_CONTENTS),
        }
    }

    /// Whether links are made instead of copies.
    #[must_use]
    pub const fn makes_links(&self) -> bool {
        self.has(Flags::LINK.union(Flags::SYMLINK))
    }

    /// Whether files get their source's data.
    #[must_use]
    pub const fn copies_data(&self) -> bool {
        !self.has(Flags::ATTRIBUTES_ONLY)
    }

    /// Whether a file that is there is emptied before it gets its source's data: not where that
    /// may turn out to be impossible, so that what it holds is still needed.
    #[must_use]
    pub fn empties_first(&self) -> bool {
        self.copies_data() && self.reflink != Reflink::Always
    }

    /// Whether what is in the way is removed before anything else.
    #[must_use]
    pub const fn removes(&self) -> bool {
        self.has(Flags::REMOVE_DESTINATION)
    }

    /// Whether what is in the way and cannot be opened is removed.
    #[must_use]
    pub const fn forces(&self) -> bool {
        self.has(Flags::FORCE)
    }

    /// Whether anything that is in the way may be removed.
    #[must_use]
    pub const fn may_remove(&self) -> bool {
        self.forces() || self.removes()
    }

    /// Whether files that are to be overwritten are kept.
    #[must_use]
    pub fn backs_up(&self) -> bool {
        self.backup != Backup::None
    }

    /// Whether all symlinks are followed.
    #[must_use]
    pub fn follows_all(&self) -> bool {
        self.follow == Follow::Always
    }

    /// Whether one worker copies alone, as what comes of a name depends on those before: what is
    /// asked, what a symlink in the destination leads to, which of a file's names symlinks point
    /// to, what is kept under which name. Through symlinks one may come to either side, and round
    /// in circles.
    #[must_use]
    pub fn depends_on_order(&self) -> bool {
        let flags = Flags::INTERACTIVE | Flags::SYMLINK | Flags::KEEP_DIRECTORY_SYMLINK;
        self.has(flags) || self.backs_up() || self.follows_all()
    }

    /// Whether operands are copied one after the other, whatever they are: what is asked, what is
    /// kept under which name, what is in a directory that is reached on two ways. Links are made too
    /// quickly to be worth more workers.
    #[must_use]
    pub fn operands_depend_on_order(&self) -> bool {
        let flags = Flags::INTERACTIVE | Flags::PARENTS | Flags::KEEP_DIRECTORY_SYMLINK;
        self.has(flags) || self.backs_up() || self.makes_links()
    }

    /// Whether a source of type `kind` is written into what the destination leads to, and does
    /// not take the place of what is there.
    #[must_use]
    pub fn writes_through(&self, kind: FileType) -> bool {
        self.copies_as_regular(kind) && !self.makes_links() && !self.removes() && !self.backs_up()
    }

    /// Whether a source can be met under another name that is to be a link to its copy.
    #[must_use]
    pub fn claims(&self, source: &Stat, is_followed: bool) -> bool {
        self.preserve.contains(Preserve::LINKS)
            && !self.has(Flags::LINK)
            && (source.nlink > 1 || (is_followed && self.follow != Follow::Never))
    }

    /// Whether any of `flags` is asked for.
    #[must_use]
    pub const fn has(&self, flags: Flags) -> bool {
        self.flags.intersects(flags)
    }
}
