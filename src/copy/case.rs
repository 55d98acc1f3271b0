//! What the rules go by: one name, what it leads to, what is in its way, and what else can be found
//! out.

use core::cell::OnceCell;

use super::entry::{Entry, Occupant, Source};
use super::options::Options;
use super::path::{last_part, trim_slashes};
use crate::sys::{self, FileId, FileType, Stat};

/// Which of two files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The one that is copied.
    Source,
    /// What is in the destination's place.
    Destination,
}

/// Dear look-ups: asked only by the rule that needs them.
pub trait Facts {
    /// Whether both paths are one entry of one directory.
    fn same_entry(&self) -> bool;

    /// Whether both are in different directories as their paths have it: a symlink to one is
    /// another.
    fn are_held_apart(&self) -> bool;

    /// What is there, a symlink as itself.
    ///
    /// # Errors
    /// As [`sys::stat_at`].
    fn itself(&self, side: Side) -> sys::Result<Stat>;

    /// What is there, symlinks followed.
    ///
    /// # Errors
    /// As [`sys::stat_at`].
    fn led_to(&self, side: Side) -> sys::Result<Stat>;

    /// Whether the destination is a file that was made of an earlier operand, under the same name.
    fn created_here(&self, id: FileId) -> bool;

    /// Whether the source was an operand before, under the same name.
    fn given_before(&self) -> bool;

    /// Whether `there` is the source's copy already, met again by way of another path.
    fn is_its_copy(&self, there: FileId) -> bool;

    /// Whether the source is where the destination would be kept.
    fn is_own_backup(&self) -> bool;

    /// Whether the user may write to the destination.
    fn may_write(&self) -> bool;
}

/// What the rules go by.
pub struct Case<'a> {
    /// What is asked for.
    pub options: &'a Options,
    /// The name.
    pub entry: &'a Entry<'a>,
    /// What it leads to.
    pub source: &'a Source,
    /// What is in the destination's place.
    pub occupant: &'a Occupant,
    /// What else can be found out.
    pub facts: &'a dyn Facts,
    /// The user has said yes.
    pub is_answered: bool,
    /// What comparing both came to.
    pub same: OnceCell<Same>,
}

/// What it comes to that source and destination may be one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Same {
    /// They are not, or the source outlives it.
    Harmless,
    /// All is as it is to be.
    Done,
    /// The source would be lost.
    Lost,
}

impl<'a> Case<'a> {
    /// A name that nobody was asked about yet.
    #[must_use]
    pub const fn new(
        options: &'a Options,
        entry: &'a Entry<'a>,
        source: &'a Source,
        occupant: &'a Occupant,
        facts: &'a dyn Facts,
    ) -> Self {
        Self {
            options,
            entry,
            source,
            occupant,
            facts,
            is_answered: false,
            same: OnceCell::new(),
        }
    }

    /// The same name, and the user has said yes: much may have happened meanwhile.
    #[must_use]
    pub const fn answered(&self) -> Self {
        let mut again = Self::new(
            self.options,
            self.entry,
            self.source,
            self.occupant,
            self.facts,
        );
        again.is_answered = true;
        again
    }

    /// What is in the way, or is to be written to.
    #[must_use]
    pub const fn there(&self) -> Option<&'a Stat> {
        self.occupant.there()
    }

    /// Whether a directory is copied.
    #[must_use]
    pub fn is_directory(&self) -> bool {
        self.source.is_directory()
    }

    /// Whether what is there is one of those that are kept.
    #[must_use]
    pub fn keeps(&self, there: &Stat) -> bool {
        self.options.backs_up()
            && there.kind != FileType::Directory
            && !matches!(
                last_part(trim_slashes(self.entry.src_shown())),
                b"." | b".."
            )
    }

    /// Whether the source can be met under another name, which is to be a link to its copy.
    #[must_use]
    pub fn is_claimed(&self) -> bool {
        let source = self.source;
        self.options.claims(&source.stat, source.is_followed)
    }
}
