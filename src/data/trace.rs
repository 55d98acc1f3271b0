//! What `--debug` tells of a file: GNU's line, and one about which way its data went.

use super::wish::Way;
use crate::report::{Message, Reporter};
use crate::ring::SetupLevel;
use crate::sys::Errno;
use alloc::vec::Vec;

/// Whether a copy shares its source's blocks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Blocks {
    /// It came to nothing before.
    #[default]
    Unknown,
    /// That was not tried.
    Own,
    /// That was refused, for this file or for another one of the same two file systems.
    Unshareable,
    /// It does.
    Shared,
}

/// Which way a file's data went.
#[derive(Debug, Clone, Copy, Default)]
#[allow(clippy::struct_excessive_bools)] // they are all independent
pub struct Trace {
    /// There is data to copy, and the source is open.
    pub has_data: bool,
    /// The ways by which any of it went, a bit for each: several, where one handed over to the
    /// next.
    ways: u8,
    /// On which level of its set-up the ring stands that was given some of it.
    pub ring: Option<SetupLevel>,
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
    /// The data of a file is being copied.
    pub const fn begin(&mut self, leaves_holes: bool) {
        self.began = true;
        self.zeros = leaves_holes;
        self.ways = 0;
        self.ring = None;
    }

    /// Some of it went that way.
    pub const fn add(&mut self, way: Way) {
        self.ways |= 1 << way as u8;
    }

    /// Whether any of it did.
    const fn has_gone(&self, way: Way) -> bool {
        self.ways & (1 << way as u8) != 0
    }

    /// Says it.
    pub fn say(&self, reporter: &mut dyn Reporter) {
        let reflink = match self.blocks {
            Blocks::Unknown => "unknown",
            Blocks::Own => "no",
            Blocks::Unshareable => "unsupported",
            Blocks::Shared => "yes",
        };
        // Nobody has looked for zeros where all was a hole.
        let zeros = self.zeros && !(self.seek_hole && self.ways == 0);
        let detection = match (self.seek_hole, zeros) {
            _ if !self.began => "unknown",
            (false, false) => "no",
            (false, true) => "zeros",
            (true, false) => "SEEK_HOLE",
            (true, true) => "SEEK_HOLE + zeros",
        };
        let offload = self.offload().as_bytes();
        let names = [offload, reflink.as_bytes(), detection.as_bytes()];
        reporter.say(Message::TraceOffload, &names, None);
        let by_ring = match self.ring {
            None | Some(SetupLevel::Plain) => "io_uring (no flags)",
            Some(SetupLevel::Deferred) => "io_uring (one issuer, deferred)",
            Some(SetupLevel::NoArray) => "io_uring (one issuer, deferred, no array)",
        };
        let by_thread = "reads, and writes by another thread";
        let ways = [
            (self.blocks == Blocks::Shared, "clone"),
            (self.has_gone(Way::CopyFileRange), "copy_file_range"),
            (self.ring.is_some(), by_ring),
            (self.has_gone(Way::Thread), by_thread),
            (self.has_gone(Way::Splice), "splice"),
            (self.has_gone(Way::ReadWrite), "reads and writes"),
        ];
        let mut line = Vec::new();
        for (_, name) in ways.into_iter().filter(|way| way.0) {
            if !line.is_empty() {
                line.extend_from_slice(b", ");
            }
            line.extend_from_slice(name.as_bytes());
        }
        if line.is_empty() {
            line.extend_from_slice(b"none");
        }
        reporter.say(Message::TraceWays, &[&line], None);
        if self.disordered {
            reporter.say(Message::TraceDisordered, &[], None);
        }
        if self.ring_refused.is_some() {
            reporter.say(Message::TraceRefused, &[], self.ring_refused);
        }
    }

    /// Whether the kernel copied by itself, without showing the data to the program: no matter by
    /// which of its calls.
    const fn offload(&self) -> &'static str {
        let has_moved = self.ways != 0;
        if self.has_gone(Way::CopyFileRange) || self.has_gone(Way::Splice) {
            "yes"
        } else if has_moved && self.kernel_refused {
            "unsupported"
        } else if has_moved || (self.kernel_avoided && !self.seek_hole) {
            "avoided"
        } else {
            "unknown"
        }
    }
}
