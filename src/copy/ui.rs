//! How the engines speak: to whoever shows errors and prints the lines of `-v`.

use super::progress::Snapshot;
use crate::sys::Errno;

/// A message's text, in which names have their places: see [`Ui`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message(pub &'static str);

impl Message {
    /// Whether it is worth knowing and tells of no failure.
    #[must_use]
    pub fn is_warning(self) -> bool {
        self.0.starts_with("warning: ")
    }
}

/// Makes an enum of messages, each with its text beside its name.
macro_rules! messages {
    ($(#[$what:meta])* $vis:vis enum $all:ident { $($(#[$note:meta])* $name:ident = $text:literal,)* }) => {
        $(#[$what])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        $vis enum $all {
            $($(#[$note])* #[doc = concat!("`", $text, "`")] $name,)*
        }

        impl From<$all> for $crate::copy::ui::Message {
            fn from(message: $all) -> Self {
                Self(match message {
                    $($all::$name => $text,)*
                })
            }
        }
    };
}
pub(crate) use messages;

/// Takes the engine's messages. Each call is one whole message, in whose text every `{0}` or
/// `{1}` stands for one of `names`, to be quoted as a file name, every `{~0}` for one to be
/// quoted where a shell needs it, every `{\0}` for one to be quoted as in C, and every `{=0}` to
/// `{=9}` for one of them as it is.
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

    /// A line of output that the user asked for (`-v`).
    fn say(&mut self, template: &str, names: &[&[u8]]);
}
