//! What one worker has for itself, and all that it shares with others.

use alloc::vec::Vec;

use super::entry::{Entry, Name};
use super::held::Opener;
use super::options::{Flags, Options};
use super::outcome::{Stop, Told};
use super::path::basename;
use super::shared::Shared;
use super::team::Team;
use crate::data::mover::DataMover;
use crate::data::plain::NO_MODE;
use crate::report::{Failure, Message};
use crate::sys::{self, Mode};

/// What a worker copies with.
pub struct Worker<'a> {
    /// What all workers have.
    pub shared: &'a Shared<'a>,
    /// Moves data.
    pub mover: DataMover<'a>,
    /// Opens what is held.
    pub opener: Opener,
    /// Calls others in.
    pub team: Team<'a>,
    /// The path of the file that was kept last, with its NUL.
    pub backup_path: Vec<u8>,
    /// Where a source that was met before was copied to, with its NUL.
    pub earlier_path: Vec<u8>,
    umask: Option<Mode>,
    euid: Option<u32>,
}

impl<'a> Worker<'a> {
    /// One that has copied nothing yet, and calls in a `team`.
    #[must_use]
    pub fn new(shared: &'a Shared<'a>, team: Team<'a>) -> Self {
        Self {
            team,
            shared,
            mover: DataMover::new(shared.options.wish(), &shared.progress),
            opener: Opener::Untried,
            backup_path: Vec::new(),
            earlier_path: Vec::new(),
            umask: None,
            euid: None,
        }
    }

    /// What is asked for.
    pub const fn options(&self) -> &'a Options {
        &self.shared.options
    }

    /// Whether another operand may go to where this name goes.
    pub fn may_meet(&self, entry: &Entry<'_>) -> bool {
        let shared = self.shared;
        let name = || basename(entry.dst_shown());
        entry.is_operand && shared.target.many && shared.line.names.is_repeated(name())
    }

    /// Whether it matters that a name may be given once more: of directories, and where files are
    /// kept, it does not.
    pub fn may_be_given_again(&self, name: &Name<'_>) -> bool {
        let is_kept = name.source.is_directory() || self.options().backs_up();
        self.may_meet(name.entry) && !is_kept
    }

    /// Tells what went wrong with a name, of which messages show both paths so.
    pub fn tell(&self, failure: Failure, shown: &[&[u8]]) -> Told {
        self.shared.tell(failure.message, shown, failure.errno)
    }

    /// Tells it if that was not done.
    pub fn tell_stop(&self, stop: Stop, shown: &[&[u8]]) -> Told {
        match stop {
            Stop::Failed(failure) => self.tell(failure, shown),
            Stop::Told(told) => told,
            // Who puts it off has not done with it.
            Stop::PutOff => Told,
        }
    }

    /// Says something about a name under `-v`.
    pub fn say_verbosely(&self, message: Message, shown: &[&[u8]]) {
        if self.options().has(Flags::VERBOSE) {
            self.shared.reporter().say(message, shown, None);
        }
    }

    /// The process's umask, which can be read only by setting it.
    pub fn umask(&mut self) -> Mode {
        *self.umask.get_or_insert_with(|| {
            let mask = sys::umask(NO_MODE);
            sys::umask(mask);
            mask
        })
    }

    /// The user on whose behalf it copies.
    pub fn euid(&mut self) -> u32 {
        *self.euid.get_or_insert_with(sys::geteuid)
    }
}
