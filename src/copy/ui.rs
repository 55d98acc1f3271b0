//! How the engines speak: to whoever shows errors and prints the lines of `-v`.

use crate::sys::Errno;

/// Takes the engine's messages. Each call is one whole message: `template`, in which every
/// `{0}` or `{1}` stands for one of `names`, to be quoted as a file name, and every `{=0}` or
/// `{=1}` for one of them as it is.
///
/// A template with its names costs a caller a third of the code that a list of pieces does;
/// with some thirty messages that is 2 KB of the program.
pub trait Ui {
    /// Something failed; the command's exit status tells of it at the end. The errno's text
    /// follows the message.
    fn error(&mut self, template: &str, names: &[&[u8]], errno: Option<Errno>);

    /// Something is worth knowing and no failure.
    fn warning(&mut self, template: &str, names: &[&[u8]], errno: Option<Errno>);

    /// A line of output that the user asked for (`-v`).
    fn say(&mut self, template: &str, names: &[&[u8]]);
}
