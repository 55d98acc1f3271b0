//! A pipe of our own, through which the kernel moves data by `splice`: from file to file, and for
//! `cat` into another pipe or nowhere.
//!
//! What goes through it are the source's own pages, not copies: one copy is made, into the
//! destination's pages, where reading and writing make two. With room for 1 MiB it takes 0.8
//! of the time of `copy_file_range`, which does the same through a pipe of 64 KiB.

use core::mem::take;

use super::transfer::Transfer;
use crate::sys::{self, BorrowedFd, Errno, OwnedFd, Result, STDERR};

/// How much a pipe shall hold from file to file: 16 times the usual, what anyone may ask for.
const PIPE_BYTES: usize = 1 << 20;

/// How much the kernel is best asked to move at a time from one file to another: with all of
/// [`PIPE_BYTES`], files of 4 to 8 MiB take a quarter longer. Where each write is waited for, they are
/// best few: with all of it.
const FILE_TO_FILE_BYTES: usize = 256 << 10;

/// How much goes through a pipe before it is said how far the copy has come; less where it is waited
/// for, so that more is read ahead in time.
const PART_BYTES: u64 = 4 << 20;
const AWAITED_PART_BYTES: u64 = PIPE_BYTES as u64;

/// A pipe that data is moved through.
#[derive(Debug)]
pub struct Pipe {
    /// Where what is in the pipe comes out.
    pub outlet: OwnedFd,
    /// Where it goes in.
    pub inlet: OwnedFd,
    /// How many bytes are moved at a time.
    pub at_a_time: usize,
}

impl Pipe {
    /// Makes a pipe to move `at_a_time` bytes at a time through, and widens it to `holds` if that
    /// may be.
    ///
    /// # Errors
    /// `EMFILE`, `ENFILE`; `EMFILE` too where one of the three standard descriptors is free,
    /// which an end of it would become: what is said there must not be taken for data.
    pub fn new(at_a_time: usize, holds: usize) -> Result<Self> {
        let (outlet, inlet) = sys::pipe()?;
        if outlet.raw().min(inlet.raw()) <= STDERR.raw() {
            return Err(Errno::EMFILE);
        }
        widen(inlet.as_fd(), holds);
        Ok(Self {
            outlet,
            inlet,
            at_a_time,
        })
    }

    /// Lets the kernel put up to `most` bytes of `from` into the empty pipe, or as many as it is to
    /// move at a time, and says how many that were: none at the end, and where it will not. With
    /// an offset they are read there, and that is moved.
    #[must_use]
    pub fn fill(&self, from: BorrowedFd<'_>, offset: Option<&mut u64>, most: u64) -> usize {
        let most = usize::try_from(most).map_or(self.at_a_time, |most| most.min(self.at_a_time));
        sys::splice(from, offset, self.inlet.as_fd(), None, most).unwrap_or(0)
    }

    /// Lets the kernel move the `held` bytes that are in the pipe to `to`, and says how many of them
    /// it left. With an offset they are written there, and that is moved.
    #[must_use]
    pub fn drain(
        &self,
        to: BorrowedFd<'_>,
        mut offset: Option<&mut u64>,
        mut held: usize,
    ) -> usize {
        while held > 0 {
            let offset = offset.as_deref_mut();
            let Ok(moved @ 1..) = sys::splice(self.outlet.as_fd(), None, to, offset, held) else {
                break;
            };
            held -= moved;
        }
        held
    }
}

/// Copies through `pipe`, which is made if there is none, as far as the kernel will. What goes
/// through it are the source's own pages: where that was cut meanwhile, they end in zeros that no
/// read would have given.
pub fn copy(transfer: &mut Transfer<'_>, pipe: &mut Option<Pipe>) {
    let files = transfer.files;
    if pipe.is_none() {
        *pipe = Pipe::new(FILE_TO_FILE_BYTES, PIPE_BYTES).ok();
    }
    while let Some(made) = pipe
        && transfer.at < transfer.end
    {
        let mut at = transfer.at;
        let part_bytes = if made.at_a_time == PIPE_BYTES {
            AWAITED_PART_BYTES
        } else {
            PART_BYTES
        };
        let part_end = transfer.end.min(at + part_bytes);
        let mut left = 0;
        // The first piece of each part shows whether writes are waited for.
        let mut is_shown = true;
        while at < part_end && left == 0 {
            let mut read_at = at;
            let held = made.fill(files.from, Some(&mut read_at), part_end - at);
            if held == 0 {
                break;
            }
            let before = take(&mut is_shown).then(sys::waits_of_thread);
            left = made.drain(files.to, Some(&mut at), held);
            if let Some(before) = before {
                made.at_a_time = match sys::waits_of_thread() - before {
                    0 => FILE_TO_FILE_BYTES,
                    _ => PIPE_BYTES,
                };
            }
        }
        if left > 0 {
            // It cannot be emptied any more.
            *pipe = None;
        }
        let size = sys::size_fd(files.from).unwrap_or(u64::MAX);
        transfer.advance_to(at.min(size.max(transfer.at)));
        if transfer.at < part_end {
            break;
        }
    }
}

/// Makes a pipe hold `bytes`, if it is one, holds less and may.
pub fn widen(fd: BorrowedFd<'_>, bytes: usize) {
    if sys::pipe_size(fd).is_ok_and(|size| size < bytes) {
        // Advice only.
        let _ = sys::set_pipe_size(fd, bytes);
    }
}
