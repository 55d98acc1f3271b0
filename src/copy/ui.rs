//! How the engines speak: to whoever shows errors and prints the lines of `-v`.

use super::failure::Step;
use super::progress::Snapshot;
use crate::sys::Errno;

/// The number of a message. Texts are with who says them, and found by `cli`: first
/// those of [`copy`](super::failure::MESSAGES), then those of `cat`, then those about the
/// command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message(u8);

impl Message {
    /// The message of that number.
    #[must_use]
    pub const fn new(number: u8) -> Self {
        Self(number)
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.0
    }

    /// Whether it is worth knowing and tells of no failure.
    #[must_use]
    pub const fn is_warning(self) -> bool {
        self.0 == Step::GivenTwice as u8 || self.0 == Step::DirectoryTwice as u8
    }
}

/// Takes the engine's messages. Each call is one whole message, in whose text every `{0}` or
/// `{1}` stands for one of `names`, to be quoted as a file name, every `{~0}` for one to be
/// quoted where a shell needs it, every `{\0}` for one to be quoted as in C, and every `{=0}` to
/// `{=9}` for one of them as it is.
///
/// A number with the names costs a caller a third of the code that a list of pieces does;
/// with some thirty messages that is 2 KB of the program.
pub trait Ui {
    /// Something failed, or is worth a warning; of a failure the command's exit status tells at
    /// the end. The errno's text follows the message.
    fn tell(&mut self, message: Message, names: &[&[u8]], errno: Option<Errno>);

    /// As [`Self::tell`], but no failure.
    fn warn(&mut self, message: Message, names: &[&[u8]], errno: Option<Errno>);

    /// Asks whether to go on. Returns false, which is a failure, unless the answer is yes.
    fn ask(&mut self, message: Message, names: &[&[u8]]) -> bool;

    /// As [`Self::tell`], to standard output: something that was asked for (`--debug`).
    fn say_message(&mut self, message: Message, names: &[&[u8]], errno: Option<Errno>);

    /// Shows how far the copy has come.
    fn progress(&mut self, now: &Snapshot);

    /// Whether what [`Self::progress`] shows takes the place of what it has shown before.
    fn renews_progress(&self) -> bool;

    /// A line of output that the user asked for (`-v`), by a text and not a number: it is
    /// written for every file.
    fn say(&mut self, template: &str, names: &[&[u8]]);
}
