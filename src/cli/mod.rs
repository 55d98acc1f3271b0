//! The commands as a user meets them: which one is asked for, its options, its messages, its
//! exit status.

mod cat;
mod choices;
mod cp;
mod diagnostics;
mod options;
mod progress_line;
mod quote;

use core::ffi::CStr;
use core::mem::ManuallyDrop;

use crate::copy::basename;
use crate::data::wish::{Io, Way};
use crate::report::Message;
use crate::sys::{CStrings, Mutex, Startup};
use choices::{Choices, choose};
use diagnostics::Diagnostics;
use options::{Given, OptionParser};

const USAGE: &str = "\
Usage: annulet COMMAND [ARGUMENT]...
  or:  COMMAND [ARGUMENT]...   where annulet is started under that name
Copy and print files, without a libc.

Commands:
  cp     copy files and directories
  cat    concatenate files to standard output

      --help     display this help and exit
      --version  output version information and exit

'annulet COMMAND --help' tells more of a command.
Exit status: 2 if no such command was asked for, else the command's.
";

/// What `--version` prints, behind the command's name.
const VERSION: &[u8] = concat!(" (annulet) ", env!("CARGO_PKG_VERSION"), "\n").as_bytes();

/// The exit status for a wrong use of `annulet` itself.
const USAGE_STATUS: u8 = 2;

/// What reads a command's arguments.
type Parser = ManuallyDrop<OptionParser<CStrings>>;

/// What a command is started with.
struct Invocation {
    /// What follows the command's name.
    args: CStrings,
    env: CStrings,
}

impl Invocation {
    /// The parser of the arguments. The program ends after it: no code for giving things back.
    fn parser(&self, table: &'static [u8]) -> Parser {
        let posix = self.env(b"POSIXLY_CORRECT=").is_some();
        ManuallyDrop::new(OptionParser::new(table, self.args.clone(), posix))
    }

    /// The value of the first entry of the environment that begins with `start`: a name and `=`.
    fn env(&self, start: &[u8]) -> Option<&'static [u8]> {
        let mut entries = self.env.clone();
        let entry = entries.find(|entry| entry.to_bytes().starts_with(start))?;
        entry.to_bytes().get(start.len()..)
    }
}

/// Runs the command that the program was started as and returns the status to exit with.
#[must_use]
pub fn run(startup: &Startup) -> u8 {
    let mut args = startup.args.clone();
    let started_as = args
        .next()
        .or_else(|| startup.exec_path())
        .unwrap_or(c"annulet");
    let mut program = started_as.to_bytes();
    let mut command = command_named(basename(program));
    let mut arg = None;
    if command.is_none() {
        arg = args.next().map(CStr::to_bytes);
        let name = basename(arg.unwrap_or_default());
        command = command_named(name);
        if command.is_some() {
            program = name;
        }
    }
    // The program ends after it: no time or code for giving things back.
    let diagnostics = ManuallyDrop::new(Mutex::new(Diagnostics::new(program)));
    let mut status = 0;
    if let Some(main) = command {
        let env = startup.env.clone();
        main(&Invocation { args, env }, &diagnostics);
    } else if !answer(arg, &mut diagnostics.lock()) {
        status = USAGE_STATUS;
    }
    let failed = diagnostics.lock().finish();
    failed.max(status)
}

/// Runs a command; what fails, it tells.
type Main = fn(&Invocation, &Mutex<Diagnostics>);

/// The command of that name.
fn command_named(name: &[u8]) -> Option<Main> {
    match name {
        b"cp" => Some(cp::main),
        b"cat" => Some(cat::main),
        _ => None,
    }
}

/// Answers for `annulet` itself. Returns false, after a message, where it was used wrongly.
fn answer(arg: Option<&[u8]>, diagnostics: &mut Diagnostics) -> bool {
    // By comparison: a pattern is compared byte by byte, in twice as much code.
    let (complaint, wrong) = match arg {
        Some(arg) if arg == b"--help" => {
            diagnostics.print(USAGE.as_bytes());
            return true;
        }
        Some(arg) if arg == b"--version" => {
            print_version(diagnostics, b"annulet");
            return true;
        }
        Some(wrong @ [b'-', _, ..]) => (Message::WrongOption, wrong),
        Some(wrong) => (Message::NoSuchCommand, wrong),
        None => (Message::NoCommand, &b""[..]),
    };
    diagnostics.usage_error(complaint, &[wrong]);
    false
}

fn print_version(diagnostics: &mut Diagnostics, name: &[u8]) {
    diagnostics.print(name);
    diagnostics.print(VERSION);
}

/// What reading a command's options needs to know of it.
struct Command {
    name: &'static [u8],
    usage: &'static str,
    /// See [`options`]. The ids `i`, `?` and `!` are `--io`, `--help` and `--version`.
    table: &'static [u8],
    /// What `--io` may be.
    ways: Choices,
}

/// The first of [`Command::ways`], and the numbers of all that there are.
const USUAL_WAYS: Choices = ("--io", b"0auto\x001ring\x002sync\0");

/// Reads a command's arguments and gives its own options to `apply`, which returns false for a
/// wrong one, after a message. Returns which way data is to go; `None` if there is nothing more
/// to do: something was wrong, or help was asked for.
fn read_arguments(
    command: &Command,
    parser: &mut Parser,
    diagnostics: &mut Diagnostics,
    apply: &mut dyn FnMut(&Given, &mut Diagnostics) -> bool,
) -> Option<Io> {
    let mut io = Io::Auto;
    loop {
        match parser.next_option() {
            Ok(false) => return Some(io),
            Ok(true) => match parser.given.id {
                b'?' => {
                    diagnostics.print(command.usage.as_bytes());
                    return None;
                }
                b'!' => {
                    print_version(diagnostics, command.name);
                    return None;
                }
                b'i' => io = io_way(command.ways, parser.given.value, diagnostics)?,
                _ if apply(&parser.given, diagnostics) => {}
                _ => return None,
            },
            Err(complaint) => {
                diagnostics.with_path();
                diagnostics.usage_error(complaint, &[parser.name, &parser.candidates]);
                return None;
            }
        }
    }
}

/// The value of `--io`. `None` if it is none; a message was given.
fn io_way(ways: Choices, value: Option<&CStr>, diagnostics: &mut Diagnostics) -> Option<Io> {
    let value = value.unwrap_or_default().to_bytes();
    Some(match choose(ways, value, diagnostics)? {
        0 => Io::Auto,
        1 => Io::Only(Way::Ring),
        2 => Io::Sync,
        3 => Io::Only(Way::Thread),
        4 => Io::Only(Way::Splice),
        5 => Io::Only(Way::CopyFileRange),
        _ => Io::Only(Way::ReadWrite),
    })
}
