//! How the engines speak: to whoever shows errors and prints the lines of `-v`.

use crate::sys::Errno;

/// A piece of a message.
#[derive(Debug, Clone, Copy)]
pub enum Part<'a> {
    /// Words.
    Text(&'a str),
    /// Bytes as they are.
    Bytes(&'a [u8]),
    /// A file name, to be quoted.
    Name(&'a [u8]),
}

/// Takes the engine's messages. Each call is one whole message.
pub trait Ui {
    /// Something failed; the command's exit status tells of it at the end. The errno's text
    /// follows the message.
    fn error(&mut self, parts: &[Part<'_>], errno: Option<Errno>);

    /// Something is worth knowing and no failure.
    fn warning(&mut self, parts: &[Part<'_>], errno: Option<Errno>);

    /// A line of output that the user asked for (`-v`).
    fn say(&mut self, parts: &[Part<'_>]);
}
