//! The one way out for messages: complaints to standard error, a line each, and the lines of
//! `-v` to standard output.

use super::options::OptionError;
use super::quote::{Quotes, quote};
use crate::copy::plain::write_all;
use crate::copy::ui::Ui;
use crate::sys::{Errno, STDERR, STDOUT, Vec, decimal};

/// How much of `-v`'s output is gathered before it is written.
const OUTPUT_BYTES: usize = 4 << 10;

/// A command's messages, and whether any of them was about a failure.
#[derive(Debug)]
pub struct Diagnostics {
    /// The command's name as messages give it.
    program: &'static [u8],
    quotes: Quotes,
    failed: bool,
    /// Output that is not written yet.
    output: Vec<u8>,
    /// The first error of standard output.
    output_error: Option<Errno>,
    line: Vec<u8>,
}

impl Diagnostics {
    /// Messages that begin with `program` and quote names by `quotes`.
    #[must_use]
    pub const fn new(program: &'static [u8], quotes: Quotes) -> Self {
        Self {
            program,
            quotes,
            failed: false,
            output: Vec::new(),
            output_error: None,
            line: Vec::new(),
        }
    }

    /// Says what is wrong with the command line and where help is; the status to exit with is
    /// the caller's.
    pub fn usage_error(&mut self, template: &str, names: &[&[u8]]) {
        self.error(template, names, None);
        self.hint();
    }

    /// Says what is wrong with an option.
    pub fn option_error(&mut self, error: &OptionError) {
        self.usage_error(error.template, &[error.name, &error.candidates]);
    }

    /// Whether anything failed so far.
    #[must_use]
    pub const fn has_failed(&self) -> bool {
        self.failed
    }

    /// Points at `--help`.
    fn hint(&mut self) {
        self.line.clear();
        self.line.extend_from_slice(b"Try '");
        self.line.extend_from_slice(self.program);
        self.line
            .extend_from_slice(b" --help' for more information.\n");
        let _ = write_all(STDERR, &self.line);
    }

    /// Writes `text` to standard output, behind what was said before.
    pub fn print(&mut self, text: &[u8]) {
        self.output.extend_from_slice(text);
        if self.output.len() >= OUTPUT_BYTES {
            self.flush();
        }
    }

    /// Writes out what was gathered for standard output.
    fn flush(&mut self) {
        if self.output.is_empty() {
            return;
        }
        if self.output_error.is_none()
            && let Err(errno) = write_all(STDOUT, &self.output)
        {
            self.output_error = Some(errno);
        }
        self.output.clear();
    }

    /// Writes out what is left and returns the exit status: 1 if anything failed.
    #[must_use]
    pub fn finish(mut self) -> u8 {
        self.flush();
        if let Some(errno) = self.output_error {
            self.error("write error", &[], Some(errno));
        }
        u8::from(self.failed)
    }
}

impl Ui for Diagnostics {
    fn error(&mut self, template: &str, names: &[&[u8]], errno: Option<Errno>) {
        self.failed = true;
        self.warning(template, names, errno);
    }

    fn warning(&mut self, template: &str, names: &[&[u8]], errno: Option<Errno>) {
        // In order with the lines of -v where both go to one place.
        self.flush();
        self.line.clear();
        self.line.extend_from_slice(self.program);
        self.line.extend_from_slice(b": ");
        append(&mut self.line, template, names, self.quotes);
        if let Some(errno) = errno {
            self.line.extend_from_slice(b": ");
            append_errno(&mut self.line, errno);
        }
        self.line.push(b'\n');
        // Nobody is left to tell when this fails.
        let _ = write_all(STDERR, &self.line);
    }

    fn say(&mut self, template: &str, names: &[&[u8]]) {
        append(&mut self.output, template, names, self.quotes);
        self.print(b"\n");
    }
}

/// Appends `template` with `names` in their places (see [`Ui`]).
fn append(line: &mut Vec<u8>, template: &str, names: &[&[u8]], quotes: Quotes) {
    let mut rest = template.as_bytes();
    while let [byte, after @ ..] = rest {
        let (as_it_is, digit, after) = match rest {
            [b'{', b'=', digit, b'}', after @ ..] => (true, digit, after),
            [b'{', digit, b'}', after @ ..] => (false, digit, after),
            _ => {
                line.push(*byte);
                rest = after;
                continue;
            }
        };
        rest = after;
        let name = names
            .get(usize::from(*digit == b'1'))
            .copied()
            .unwrap_or_default();
        if as_it_is {
            line.extend_from_slice(name);
        } else {
            quote(line, name, quotes);
        }
    }
}

fn append_errno(line: &mut Vec<u8>, errno: Errno) {
    if let Some(text) = errno.text() {
        line.extend_from_slice(text.as_bytes());
        return;
    }
    line.extend_from_slice(b"Unknown error ");
    line.extend_from_slice(decimal(errno.number().into(), &mut [0; 10]));
}
