//! One name on its way: where it comes from and goes to, and what was found at both ends.

use super::held::{self, Held, Opener};
use super::options::{Flags, Options};
use super::path::Place;
use super::tree::level::Level;
use crate::sys::{self, Errno, FileId, FileType, OwnedFd, Stat};

/// What the walk knows of a name.
#[derive(Debug)]
pub struct Entry<'a> {
    /// The source, relative to the directory that is read.
    pub src: Place<'a>,
    /// The destination, relative to the one that is filled.
    pub dst: Place<'a>,
    /// Both paths, as messages show them.
    pub shown: [&'a [u8]; 2],
    /// The source's type as its directory lists it.
    pub hint: FileType,
    /// It was named on the command line.
    pub is_operand: bool,
    /// Nothing was found at the destination, symlinks followed.
    pub is_absent: bool,
    /// The directories that the walk is in.
    pub above: &'a [Level],
    /// How long the operand's paths are, with which this name's begin.
    pub operand_ends: (usize, usize),
}

impl Entry<'_> {
    /// The source's path, as messages show it.
    #[must_use]
    pub const fn src_shown(&self) -> &[u8] {
        self.shown[0]
    }

    /// The destination's.
    #[must_use]
    pub const fn dst_shown(&self) -> &[u8] {
        self.shown[1]
    }

    /// Whether the directory it goes to was made by this copy: nothing can be in the way.
    #[must_use]
    pub fn is_in_new_directory(&self) -> bool {
        self.above.last().is_some_and(|level| !level.dir.existed)
    }

    /// The device of the directory it goes to, where that is known.
    #[must_use]
    pub fn dst_device(&self) -> Option<u64> {
        let dir = &self.above.last()?.dir;
        dir.dst_stat.as_ref().map(|stat| stat.id.dev)
    }
}

/// How a source is held until it is opened.
#[derive(Debug)]
pub enum Grip {
    /// By its name alone.
    Name,
    /// By a descriptor that stands for it.
    Held(Held),
    /// It is open already.
    Open(OwnedFd),
}

/// What a name leads to.
#[derive(Debug)]
pub struct Source {
    /// Its metadata.
    pub stat: Stat,
    /// How it is held.
    pub grip: Grip,
    /// A symlink would be followed.
    pub is_followed: bool,
}

impl Source {
    /// Looks at a name's source, and takes hold of it as well if its data is to be read.
    ///
    /// # Errors
    /// As [`sys::stat_at`].
    pub fn look(options: &Options, opener: &Opener, entry: &Entry<'_>) -> sys::Result<Self> {
        let is_followed = options.follows(entry.is_operand);
        let listed = entry.hint;
        // What its directory lists as a regular file is no symlink, or is looked at again.
        let follow = is_followed && listed != FileType::Regular;
        let may_be_data = listed == FileType::Unknown
            || options.copies_as_regular(listed)
            || (follow && listed == FileType::Symlink);
        if may_be_data && !options.makes_links() {
            if !opener.is_missing()
                && let Ok((held, stat)) = held::hold(&entry.src, follow)
                && options.copies_as_regular(stat.kind)
            {
                return Ok(Self {
                    stat,
                    grip: Grip::Held(held),
                    is_followed,
                });
            }
            if opener.is_missing()
                && listed == FileType::Regular
                && let Ok(open) = held::open_listed(&entry.src)
                && let Ok(stat) = sys::stat_fd(open.as_fd())
                && stat.kind == FileType::Regular
            {
                return Ok(Self {
                    stat,
                    grip: Grip::Open(open),
                    is_followed,
                });
            }
        }
        // Also what was held and is a directory: something may be mounted there only now, because
        // somebody comes by its name.
        Ok(Self {
            stat: entry.src.stat(is_followed)?,
            grip: Grip::Name,
            is_followed,
        })
    }

    /// Whether it is a directory.
    #[must_use]
    pub fn is_directory(&self) -> bool {
        self.stat.kind == FileType::Directory
    }
}

/// What was found in the destination's place.
#[derive(Debug)]
pub enum Occupant {
    /// It was not looked for: the directory is this copy's own.
    NotLooked,
    /// It was not looked for: the directory does not list its name.
    NotListed,
    /// Nothing, symlinks followed; there may be one that dangles.
    NothingFollowed,
    /// Nothing.
    Nothing,
    /// Something; a symlink as itself.
    There(Stat),
    /// A symlink that is to be followed.
    Symlink {
        /// The symlink.
        itself: Stat,
        /// What it leads to.
        leads_to: sys::Result<Stat>,
    },
    /// Symlinks that lead in circles, and what cannot be opened is to be replaced: the first of
    /// them is in the way like any other file.
    Loop(Stat),
    /// It cannot be looked at.
    Unreadable(Errno),
}

impl Occupant {
    /// Looks at what is in the destination's place.
    #[must_use]
    pub fn look(options: &Options, entry: &Entry<'_>, source: &Source, look: Look) -> Self {
        let kind = source.stat.kind;
        let writes_through = options.writes_through(kind);
        if look == Look::First && entry.is_in_new_directory() {
            return Self::NotLooked;
        }
        if look == Look::First && entry.is_absent && writes_through {
            return Self::NothingFollowed;
        }
        let itself = match entry.dst.stat(false) {
            Ok(itself) => itself,
            Err(Errno::ENOENT) => return Self::Nothing,
            Err(errno) => return Self::Unreadable(errno),
        };
        if itself.kind != FileType::Symlink {
            return Self::There(itself);
        }
        if writes_through {
            // What is written as a regular file is written through symlinks.
            let leads_to = entry.dst.stat(true);
            if leads_to.is_err_and(|errno| errno == Errno::ELOOP) && options.forces() {
                return Self::Loop(itself);
            }
            return Self::Symlink { itself, leads_to };
        }
        if kind == FileType::Directory
            && options.has(Flags::KEEP_DIRECTORY_SYMLINK)
            && let Ok(led_to) = entry.dst.stat(true)
            && led_to.kind == FileType::Directory
        {
            let leads_to = Ok(led_to);
            return Self::Symlink { itself, leads_to };
        }
        Self::There(itself)
    }

    /// What is in the way, or is to be written to: through a symlink where that is followed.
    #[must_use]
    pub const fn there(&self) -> Option<&Stat> {
        match self {
            Self::There(stat)
            | Self::Loop(stat)
            | Self::Symlink {
                leads_to: Ok(stat), ..
            } => Some(stat),
            _ => None,
        }
    }

    /// The symlink through which the destination is reached, if it is.
    #[must_use]
    pub const fn through(&self) -> Option<FileId> {
        match self {
            Self::Loop(itself) | Self::Symlink { itself, .. } => Some(itself.id),
            _ => None,
        }
    }
}

/// Whether a name is looked at for the first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// It is.
    First,
    /// Somebody else came first: what was known of the destination does not count.
    Again,
}

/// One name with what was found at both ends.
#[derive(Debug)]
pub struct Name<'a> {
    /// What the walk knows of it.
    pub entry: &'a Entry<'a>,
    /// What it leads to.
    pub source: Source,
    /// What is in the destination's place.
    pub occupant: Occupant,
    /// Its data is being copied.
    pub is_begun: bool,
}

impl<'a> Name<'a> {
    /// Looks at both ends.
    ///
    /// # Errors
    /// As [`Source::look`].
    pub fn look(options: &Options, opener: &Opener, entry: &'a Entry<'a>) -> sys::Result<Self> {
        let source = Source::look(options, opener, entry)?;
        let occupant = Occupant::look(options, entry, &source, Look::First);
        Ok(Self {
            entry,
            source,
            occupant,
            is_begun: false,
        })
    }
}
