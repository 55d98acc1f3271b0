//! What `--debug` tells of a file: which way its data went, and why.

use super::failure::Step;
use super::ui::Ui;
use crate::ring::Rung;
use crate::sys::{Errno, nth_text};

/// What can be said of a part of the copy; the first ones are GNU's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
#[allow(missing_docs)] // each is its text in `WORDS`, in the same order
pub enum Word {
    Unknown,
    No,
    Yes,
    Unsupported,
    Avoided,
    SeekHole,
    Nothing,
    Cloned,
    Plain,
    CopyFileRange,
    Splice,
    RingNoArray,
    RingDeferred,
    RingPlain,
}

/// One text with NULs in it, which a table of slices would cost 16 bytes a word more.
const WORDS: &[u8] = b"\
unknown\0\
no\0\
yes\0\
unsupported\0\
avoided\0\
SEEK_HOLE\0\
none\0\
clone\0\
reads and writes\0\
copy_file_range\0\
splice\0\
io_uring (one issuer, deferred, no array)\0\
io_uring (one issuer, deferred)\0\
io_uring (no flags)\0";

/// Which way a file's data went.
#[derive(Debug, Clone, Copy)]
pub struct Trace {
    /// Whether the kernel copied.
    pub offload: Word,
    /// Whether blocks are shared.
    pub reflink: Word,
    /// How holes were found.
    pub sparse: Word,
    /// Which way the most of it went.
    pub way: Word,
    /// What `io_uring` was refused with.
    pub refused: Option<Errno>,
}

impl Trace {
    /// Nothing is known yet.
    pub const NEW: Self = Self {
        offload: Word::Unknown,
        reflink: Word::Unknown,
        sparse: Word::Unknown,
        way: Word::Nothing,
        refused: None,
    };

    /// The kernel copies, by `way`.
    pub const fn kernel(&mut self, way: Word) {
        self.offload = Word::Yes;
        self.way = way;
    }

    /// Data went through the ring that stands on `rung`.
    pub const fn by_ring(&mut self, rung: Rung) {
        self.offload = Word::Avoided;
        self.way = match rung {
            Rung::NoArray => Word::RingNoArray,
            Rung::Deferred => Word::RingDeferred,
            Rung::Plain => Word::RingPlain,
        };
    }

    /// Says it: GNU's line, and one about the data.
    #[allow(clippy::trivially_copy_pass_by_ref)] // its callers have it in memory
    pub fn say(&self, ui: &mut dyn Ui) {
        let word = |word: Word| nth_text(WORDS, word as usize).to_bytes();
        let words = [self.offload, self.reflink, self.sparse, self.way].map(word);
        ui.say_message(Step::Trace.into(), &words, None);
        if let Some(errno) = self.refused {
            ui.say_message(Step::TraceRefused.into(), &[], Some(errno));
        }
    }
}
