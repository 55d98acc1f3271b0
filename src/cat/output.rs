//! Standard output: what it is, and that no file's own pages are left in it.
//!
//! What `splice` puts into a pipe are a file's own pages. Who writes to the file or cuts it
//! before they are read at the other end changes what is read. While `cat` runs that is so; but
//! when it has ended, what it has printed is to stay as it is. So of each file the last bytes,
//! as many as the pipe holds, are copied into it: a pipe has room for as many pieces as what it
//! holds is pages, a copied piece is at most a page, and so, once as much was copied, all that was
//! put in before has been taken out. Where there were fewer to copy, because the file was
//! cut or the pipe was made larger meanwhile, [`Output::wait_for_reader`] waits.

use super::input::look;
use crate::data::plain;
use crate::report::{During, Message, Result};
use crate::sys::{self, DeviceNumbers, FileId, FileType, STDOUT};

/// What it is, as far as the way of its data depends on that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File(FileId),
    /// A pipe.
    Pipe,
    /// `/dev/null`.
    Null,
    /// Anything else: a terminal, a device; a socket, whose queue would keep a file's own pages
    /// until the other side has them, which cannot be asked.
    Other,
}

/// `/dev/null`'s numbers.
const NULL: DeviceNumbers = DeviceNumbers { major: 1, minor: 3 };

/// For how many milliseconds the reader is left alone at first and at the most.
const SHORTEST_PAUSE_MS: u32 = 1;
const LONGEST_PAUSE_MS: u32 = 64;

/// Standard output.
#[derive(Debug)]
pub struct Output {
    /// What it is.
    pub kind: Kind,
    /// How many bytes were copied into it since it was last spliced to; more than any pipe holds
    /// if it was not.
    copied: u64,
}

impl Output {
    /// Finds out what it is; where nobody may look, it is as anything else.
    ///
    /// # Errors
    /// `EBADF` where it is closed, and what its file system answers.
    pub fn look() -> sys::Result<Self> {
        let kind = match look(STDOUT)? {
            Some(stat) if stat.kind == FileType::Regular => Kind::File(stat.id),
            Some(stat) if stat.kind == FileType::Fifo => Kind::Pipe,
            Some(stat) if stat.kind == FileType::CharDevice && stat.rdev == NULL => Kind::Null,
            _ => Kind::Other,
        };
        Ok(Self {
            kind,
            copied: u64::MAX,
        })
    }

    /// Writes all of `data`, as a copy.
    ///
    /// # Errors
    /// As [`plain::write_all`].
    pub fn write(&mut self, data: &[u8]) -> Result<()> {
        plain::write_all(STDOUT, data).during(Message::WriteError)?;
        self.copied = self.copied.saturating_add(data.len() as u64);
        Ok(())
    }

    /// Up to where a file that ends at `end` may be moved into it. What lies behind that is to be
    /// copied: as much as the pipe holds by now, which its reader may change.
    pub fn moved_end(&self, end: u64) -> u64 {
        match self.kind {
            Kind::Pipe => {
                end.saturating_sub(sys::pipe_size(STDOUT).map_or(end, |held| held as u64))
            }
            _ => end,
        }
    }

    /// Whether a file's own pages may go into it: not where it could not be found out afterwards
    /// that they were taken.
    pub fn may_be_spliced_to(&self) -> bool {
        match self.kind {
            Kind::Pipe => sys::bytes_in_pipe(STDOUT).is_ok(),
            Kind::Null => true,
            Kind::File(_) | Kind::Other => false,
        }
    }

    /// To be called when what was moved by the kernel is in it: in a pipe, a file's own pages.
    pub fn was_spliced_to(&mut self) {
        if self.kind == Kind::Pipe {
            self.copied = 0;
        }
    }

    /// Waits until all files' own pages were taken out of the pipe, or there is nobody to read them.
    pub fn wait_for_reader(&self) {
        let mut pause_ms = SHORTEST_PAUSE_MS;
        while !self.all_were_taken() {
            if sys::wait_for_hangup(STDOUT, pause_ms) == Ok(true) {
                return;
            }
            pause_ms = LONGEST_PAUSE_MS.min(pause_ms * 2);
        }
    }

    /// Whether only what was copied can be in the pipe: it is filled by that, or has no more.
    fn all_were_taken(&self) -> bool {
        self.copied == u64::MAX
            || sys::pipe_size(STDOUT).is_ok_and(|bytes| bytes as u64 <= self.copied)
            // What cannot be asked any more is no reason to stay for ever.
            || sys::bytes_in_pipe(STDOUT).map_or(true, |bytes| bytes <= self.copied)
    }
}
