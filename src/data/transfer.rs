//! A file's data on its way: what every way of moving it works on.

use super::progress::Progress;
use super::route::FileFacts;
use crate::sys::{self, BorrowedFd};

/// How far ahead of what is written blocks are allocated at the most.
const AHEAD_BYTES: u64 = 64 << 20;

/// How far ahead of what is copied the source is read, where it is waited for.
const READ_AHEAD_BYTES: u64 = 8 << 20;

/// So much is read at a time by itself as a rule. More than this is read ahead from far away.
pub const READ_AT_ONCE_BYTES: u64 = 128 << 10;

/// So much is asked for at a time: one call begins to read no more than the device's read-ahead,
/// which is twice as much where it was said that a file is read in order.
const READ_AHEAD_STEP: u64 = 2 * READ_AT_ONCE_BYTES;

/// The two files of a copy.
#[derive(Debug, Clone, Copy)]
pub struct Files<'f> {
    /// The one that is read.
    pub from: BorrowedFd<'f>,
    /// The one that is written.
    pub to: BorrowedFd<'f>,
}

/// How far a file is copied. A way moves [`Self::at`] towards [`Self::end`], and may leave it
/// anywhere between: the next way begins there.
pub struct Transfer<'a> {
    /// From where to where.
    pub files: Files<'a>,
    /// What is known of them.
    pub file: FileFacts,
    /// Blocks of zeros are left out.
    pub leaves_holes: bool,
    /// Is told how far the copy has come.
    pub progress: &'a Progress<'a>,
    /// Up to here all is whole, whatever happens.
    pub at: u64,
    /// Up to here it is to be copied.
    pub end: u64,
    /// Blocks are allocated ahead of what is written. What is left of them `ftruncate` gives back.
    preallocates: bool,
    preallocation_refused: bool,
    /// Up to where blocks are allocated.
    allocated_to: u64,
    /// Up to where the source was read ahead; `None` where it is not.
    read_to: Option<u64>,
    /// Once all up to here is whole, the clock is looked at.
    pub lap_at: u64,
    /// What it said.
    lap_ns: u64,
}

impl<'a> Transfer<'a> {
    /// Nothing is copied yet, and nothing is to be.
    #[must_use]
    pub const fn new(files: Files<'a>, file: FileFacts, progress: &'a Progress<'a>) -> Self {
        Self {
            files,
            file,
            leaves_holes: false,
            progress,
            at: 0,
            end: 0,
            preallocates: false,
            preallocation_refused: false,
            allocated_to: 0,
            read_to: None,
            lap_at: u64::MAX,
            lap_ns: 0,
        }
    }

    /// How much is left, but no more than `most`.
    #[must_use]
    pub fn left(&self, most: usize) -> usize {
        let left = self.end.saturating_sub(self.at);
        usize::try_from(left).map_or(most, |left| left.min(most))
    }

    /// All up to `at` is whole.
    pub fn advance_to(&mut self, at: u64) {
        self.progress.moved(at - self.at);
        let has_grown = at > self.at;
        self.at = at;
        // Behind a hole not before the file reaches there: cutting it gives back what lies behind
        // its end, making it longer does not.
        if has_grown {
            self.preallocate();
        }
        self.read_ahead();
        if at >= self.lap_at {
            self.lap_at = u64::MAX;
            self.lap_ns = sys::monotonic_ns();
        }
    }

    /// What lies before `at` is a hole, which needs no blocks.
    pub fn skip_to(&mut self, at: u64) {
        self.progress.moved(at - self.at);
        self.at = at;
    }

    /// From here on blocks are allocated ahead, or not; and the source is read ahead, or not.
    pub fn begin_way(&mut self, preallocates: bool, reads_ahead: bool) {
        self.preallocates = preallocates;
        self.read_to = reads_ahead.then(|| self.read_to.unwrap_or(self.at));
        if self.at == 0 {
            self.preallocate();
        }
        self.read_ahead();
    }

    /// Has the kernel read the source ahead, so that many reads are in flight where each is waited
    /// for.
    fn read_ahead(&mut self) {
        let end = self.end.min(self.file.size_bytes);
        let Some(read_to) = &mut self.read_to else {
            return;
        };
        *read_to = self.at.max(*read_to);
        let to = end.min(self.at + READ_AHEAD_BYTES);
        while *read_to < to {
            let step_end = to.min(*read_to + READ_AHEAD_STEP);
            // Advice only.
            let _ = sys::fadvise_will_need(self.files.from, *read_to..step_end);
            *read_to = step_end;
        }
    }

    fn preallocate(&mut self) {
        let is_due = self.allocated_to < self.end.min(self.at + AHEAD_BYTES / 2);
        if self.preallocates && !self.preallocation_refused && is_due {
            let start = self.allocated_to.max(self.at);
            self.allocated_to = self.end.min(self.at + AHEAD_BYTES);
            // A disk that is full says so when it is written.
            let len_bytes = self.allocated_to - start;
            self.preallocation_refused = sys::preallocate(self.files.to, start, len_bytes).is_err();
        }
    }

    /// Gives up what may have been written behind what is whole.
    ///
    /// # Errors
    /// As [`sys::ftruncate`].
    pub fn cut(&mut self) -> sys::Result<()> {
        sys::ftruncate(self.files.to, self.at)?;
        self.allocated_to = self.at;
        Ok(())
    }

    /// How long ago the clock was looked at, in nanoseconds.
    pub fn end_lap(&mut self) -> u64 {
        self.lap_at = u64::MAX;
        sys::monotonic_ns() - self.lap_ns
    }
}
