//! The one way out for messages: complaints to standard error, a line each, and the lines of
//! `-v` to standard output. Of what standard error does not take, nobody is left to be told.

use super::args::{Kind, Misuse};
use super::progress_line;
use super::quote::{Quotes, quote};
use crate::copy::basename;
use crate::data::plain::{read, write_all};
use crate::report::{Message, Occasion, Reporter, Snapshot};
use crate::sys::{Errno, STDERR, STDIN, STDOUT, decimal, set_program_name, terminal_columns};
use alloc::vec::Vec;

/// How much of `-v`'s output is gathered before it is written.
const OUTPUT_BYTES: usize = 4 << 10;

/// Has a terminal begin the line again, and empties it.
const START_OF_LINE: &[u8] = b"\r\x1b[K";

/// How long a line may be on a terminal that does not know how wide it is.
const USUAL_COLUMNS: usize = 79;

/// How a command has ended.
#[derive(Debug)]
pub struct Ended {
    /// What to exit with.
    pub status: u8,
    /// Standard output was written to, and is still to be closed: some file systems tell only then
    /// that what was written is lost ([`super::tell_lost_output`]).
    pub output_is_open: bool,
}

/// A command's messages, and whether any of them was about a failure.
#[derive(Debug)]
#[allow(clippy::struct_excessive_bools)] // they have nothing to do with each other
pub struct Diagnostics {
    /// The name that the program was started by, path and all.
    program: &'static [u8],
    /// What of it messages begin with.
    name: &'static [u8],
    /// Which names are quoted.
    pub quotes: Quotes,
    failed: bool,
    /// Output that is not written yet.
    output: Vec<u8>,
    /// A line of `--progress` stands on the terminal, to be renewed or removed.
    progress_shown: bool,
    /// A terminal understands nothing but lines (`TERM`).
    pub is_dumb: bool,
    /// Something was written to standard output.
    pub output_used: bool,
    /// The first error of standard output.
    output_error: Option<Errno>,
    line: Vec<u8>,
}

impl Diagnostics {
    /// Messages that begin with the last part of `program` and quote all names.
    #[must_use]
    pub fn new(program: &'static [u8]) -> Self {
        let name = basename(program);
        set_program_name(name);
        Self {
            program,
            name,
            quotes: Quotes::Always,
            failed: false,
            output: Vec::new(),
            progress_shown: false,
            is_dumb: false,
            output_used: false,
            output_error: None,
            line: Vec::new(),
        }
    }

    /// Says what is wrong with the command line, and where help is if that helps.
    pub fn tell(&mut self, wrong: &Misuse) {
        if wrong.kind == Kind::Option {
            // As `getopt_long` does.
            self.name = self.program;
        }
        let [first, second] = wrong.names;
        self.error(wrong.message, &[first, second, &wrong.choices], wrong.errno);
        if wrong.kind != Kind::Named {
            let hint = b"Try '{=0} --help' for more information.\n";
            self.line.clear();
            append(&mut self.line, hint, &[self.program], self.quotes);
            let _ = write_all(STDERR, &self.line);
        }
    }

    /// Writes `text` to standard output, behind what was said before.
    pub fn print(&mut self, text: &[u8]) {
        self.output.extend_from_slice(text);
        if self.output.len() >= OUTPUT_BYTES {
            self.flush();
        }
    }

    /// Begins a line of standard error.
    fn begin_line(&mut self) {
        // In order with the lines of -v where both go to one place.
        self.flush();
        self.hide_progress();
        self.line.clear();
        self.line.extend_from_slice(self.name);
        self.line.extend_from_slice(b": ");
    }

    /// Removes the line of `--progress`, which is drawn again soon.
    fn hide_progress(&mut self) {
        if self.progress_shown {
            self.progress_shown = false;
            let _ = write_all(STDERR, START_OF_LINE);
        }
    }

    /// Writes out what was gathered for standard output.
    fn flush(&mut self) {
        if self.output.is_empty() {
            return;
        }
        self.hide_progress();
        self.output_used = true;
        if self.output_error.is_none()
            && let Err(errno) = write_all(STDOUT, &self.output)
        {
            self.output_error = Some(errno);
        }
        self.output.clear();
    }

    /// Writes out what is left, and says how the command has ended: with 1 if anything failed.
    #[must_use]
    pub fn finish(&mut self) -> Ended {
        self.flush();
        if let Some(errno) = self.output_error {
            self.error(Message::WriteError, &[], Some(errno));
        }
        Ended {
            status: u8::from(self.failed),
            output_is_open: self.output_used && self.output_error.is_none(),
        }
    }
}

impl Reporter for Diagnostics {
    fn error(&mut self, message: Message, names: &[&[u8]], errno: Option<Errno>) {
        self.failed |= !message.is_warning();
        self.warn(message, names, errno);
    }

    fn warn(&mut self, message: Message, names: &[&[u8]], errno: Option<Errno>) {
        self.begin_line();
        append_message(&mut self.line, message, names, errno, self.quotes);
        self.line.push(b'\n');
        // Nobody is left to tell when this fails.
        let _ = write_all(STDERR, &self.line);
    }

    fn ask(&mut self, message: Message, names: &[&[u8]]) -> bool {
        self.begin_line();
        append_message(&mut self.line, message, names, None, self.quotes);
        let _ = write_all(STDERR, &self.line);
        let yes = is_yes();
        self.failed |= !yes;
        yes
    }

    fn say(&mut self, message: Message, names: &[&[u8]], errno: Option<Errno>) {
        append_message(&mut self.output, message, names, errno, self.quotes);
        self.print(b"\n");
    }

    fn show_progress(&mut self, now: &Snapshot) {
        // In order with the lines of -v.
        self.flush();
        self.line.clear();
        if self.progress_shown {
            self.line.extend_from_slice(START_OF_LINE);
        }
        let columns = terminal_columns(STDERR).map(|columns| match columns {
            // It does not know.
            0 => USUAL_COLUMNS,
            // In the last one some terminals begin a new line at once.
            columns => usize::from(columns) - 1,
        });
        progress_line::push_line(&mut self.line, now, columns);
        self.progress_shown = now.occasion == Occasion::Renewal && self.renews_progress();
        if !self.progress_shown {
            self.line.push(b'\n');
        }
        let _ = write_all(STDERR, &self.line);
    }

    fn renews_progress(&self) -> bool {
        !self.is_dumb && terminal_columns(STDERR).is_some()
    }
}

/// Appends a message, and the text of its errno.
fn append_message(
    line: &mut Vec<u8>,
    message: Message,
    names: &[&[u8]],
    errno: Option<Errno>,
    quotes: Quotes,
) {
    append(line, message.text().as_bytes(), names, quotes);
    let Some(errno) = errno else {
        return;
    };
    line.extend_from_slice(b": ");
    if let Some(text) = errno.text() {
        line.extend_from_slice(text.as_bytes());
    } else {
        line.extend_from_slice(b"Unknown error ");
        line.extend_from_slice(decimal(errno.number().into(), &mut [0; 20]));
    }
}

/// Appends `template` with `names` in their places (see [`Reporter`]); a `{` stands for nothing
/// else.
fn append(line: &mut Vec<u8>, template: &[u8], names: &[&[u8]], quotes: Quotes) {
    let mut bytes = template.iter().copied();
    while let Some(byte) = bytes.next() {
        if byte != b'{' {
            line.push(byte);
            continue;
        }
        let mut digit = bytes.next().unwrap_or_default();
        let quotes = match digit {
            b'=' => Quotes::Never,
            b'~' => Quotes::WhereNeeded,
            b'\\' => Quotes::AsInC,
            _ => quotes,
        };
        if !digit.is_ascii_digit() {
            digit = bytes.next().unwrap_or_default();
        }
        // What closes it.
        bytes.next();
        let number = usize::from(digit.wrapping_sub(b'0'));
        quote(line, names.get(number).unwrap_or(&&b""[..]), quotes);
    }
}

/// Reads a line of standard input, byte by byte: what follows it is for whoever reads next.
/// Returns whether it begins as yes does in the C locale.
fn is_yes() -> bool {
    let (mut first, mut byte) = (None, [0]);
    while let Ok(1) = read(STDIN, &mut byte)
        && byte != *b"\n"
    {
        first.get_or_insert(byte[0]);
    }
    matches!(first, Some(b'y' | b'Y'))
}
