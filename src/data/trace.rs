//! What `--debug` tells of a file: GNU's line, and one about which way its data went.

use bitflags::bitflags;

use crate::report::{Message, Reporter};
use crate::ring::Rung;
use crate::sys::{Errno, Vec};

bitflags! {
    /// The ways that a file's data went: several, where one handed over to the next.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct Ways: u8 {
        /// The copy shares the source's blocks.
        const CLONE = 1;
        /// `copy_file_range`.
        const COPY_FILE_RANGE = 2;
        /// `splice`, through a pipe.
        const SPLICE = 4;
        /// The ring.
        const RING = 8;
        /// `read`, and `write` by another thread.
        const THREAD = 0x10;
        /// `read` and `write`.
        const PLAIN = 0x20;
        /// Those by which the kernel copies without showing the data to the program.
        const WITHIN_KERNEL = Self::COPY_FILE_RANGE.bits() | Self::SPLICE.bits();
    }
}

/// Whether a copy shares its source's blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blocks {
    /// It came to nothing before.
    Unknown,
    /// That was not tried.
    Own,
    /// That was refused, for this file or for another one of the same two file systems.
    Unshareable,
    /// It does.
    Shared,
}

/// Which way a file's data went.
#[derive(Debug, Clone, Copy)]
#[allow(clippy::struct_excessive_bools)] // they are all independent
pub struct Trace {
    /// There is data to copy, and the source is open.
    pub has_data: bool,
    /// The ways by which any of it went.
    pub ways: Ways,
    /// On which rung of its set-up the ring stands, where that was used.
    pub ring: Option<Rung>,
    /// The ring did not keep the order of writes, and was given up.
    pub disordered: bool,
    /// What `io_uring` was refused with.
    pub ring_refused: Option<Errno>,
    /// The kernel was asked to copy, and would not.
    pub kernel_refused: bool,
    /// Options keep the kernel from being asked.
    pub kernel_avoided: bool,
    /// Whether blocks are shared.
    pub blocks: Blocks,
    /// The copying began, so it is known how holes are found.
    pub began: bool,
    /// The file system told where the source has holes.
    pub seek_hole: bool,
    /// Blocks of zeros are made holes.
    pub zeros: bool,
}

impl Trace {
    /// Nothing is known yet.
    pub const NEW: Self = Self {
        has_data: false,
        ways: Ways::empty(),
        ring: None,
        disordered: false,
        ring_refused: None,
        kernel_refused: false,
        kernel_avoided: false,
        blocks: Blocks::Unknown,
        began: false,
        seek_hole: false,
        zeros: false,
    };

    /// Says it.
    pub fn say(&self, reporter: &mut dyn Reporter) {
        reporter.say(
            Message::TraceOffload,
            &[
                self.offload().as_bytes(),
                self.reflink().as_bytes(),
                self.sparse_detection().as_bytes(),
            ],
            None,
        );
        let by_ring = match self.ring {
            None | Some(Rung::Plain) => "io_uring (no flags)",
            Some(Rung::Deferred) => "io_uring (one issuer, deferred)",
            Some(Rung::NoArray) => "io_uring (one issuer, deferred, no array)",
        };
        let ways = [
            (Ways::CLONE, "clone"),
            (Ways::COPY_FILE_RANGE, "copy_file_range"),
            (Ways::RING, by_ring),
            (Ways::THREAD, "reads, and writes by another thread"),
            (Ways::SPLICE, "splice"),
            (Ways::PLAIN, "reads and writes"),
        ];
        let mut line = Vec::new();
        for (way, word) in ways {
            if self.ways.contains(way) {
                if !line.is_empty() {
                    line.extend_from_slice(b", ");
                }
                line.extend_from_slice(word.as_bytes());
            }
        }
        if line.is_empty() {
            line.extend_from_slice(b"none");
        }
        reporter.say(Message::TraceWays, &[&line], None);
        if self.disordered {
            reporter.say(Message::TraceDisordered, &[], None);
        }
        if let Some(errno) = self.ring_refused {
            reporter.say(Message::TraceRefused, &[], Some(errno));
        }
    }

    /// Whether the kernel copied by itself: no matter by which of its calls.
    fn offload(&self) -> &'static str {
        let moved = self.ways - Ways::CLONE;
        if moved.intersects(Ways::WITHIN_KERNEL) {
            "yes"
        } else if !moved.is_empty() && self.kernel_refused {
            "unsupported"
        } else if !moved.is_empty() || (self.kernel_avoided && !self.seek_hole) {
            "avoided"
        } else {
            "unknown"
        }
    }

    const fn reflink(&self) -> &'static str {
        match self.blocks {
            Blocks::Unknown => "unknown",
            Blocks::Own => "no",
            Blocks::Unshareable => "unsupported",
            Blocks::Shared => "yes",
        }
    }

    fn sparse_detection(&self) -> &'static str {
        // Nobody has looked for zeros where all was a hole.
        let zeros = self.zeros && !(self.seek_hole && self.ways.is_empty());
        match (self.began, self.seek_hole, zeros) {
            (false, _, _) => "unknown",
            (true, false, false) => "no",
            (true, false, true) => "zeros",
            (true, true, false) => "SEEK_HOLE",
            (true, true, true) => "SEEK_HOLE + zeros",
        }
    }
}
