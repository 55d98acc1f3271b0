//! The commands as a user meets them: which one is asked for, its options, its messages, its
//! exit status.

mod cat;
mod complaint;
mod cp;
mod diagnostics;
mod options;
mod packed;
mod progress;
mod quote;
mod texts;

use core::ffi::CStr;
use core::mem::{ManuallyDrop, forget, take};

use crate::copy::basename;
use crate::copy::options::Io;
use crate::sys::{CStrings, Startup, Vec};
use complaint::Complaint;
use diagnostics::Diagnostics;
use options::{Given, OptionParser};
use quote::Quotes;
use texts::Usage;

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

/// What a command is started with.
struct Invocation {
    /// The command's name as messages give it.
    program: &'static [u8],
    /// What follows the command's name.
    args: CStrings,
    env: CStrings,
}

impl Invocation {
    /// Whether the environment holds an entry that begins with `start`: a name and `=`.
    fn has_env(&self, start: &[u8]) -> bool {
        let mut entries = self.env.clone();
        entries.any(|entry| entry.to_bytes().starts_with(start))
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
    // Under its own name it speaks as it was called, path and all, as GNU tools do.
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
    let Some(main) = command else {
        return no_command(program, arg);
    };
    main(&Invocation {
        program,
        args,
        env: startup.env.clone(),
    })
}

/// The command of that name.
fn command_named(name: &[u8]) -> Option<fn(&Invocation) -> u8> {
    match name {
        b"cp" => Some(cp::main),
        b"cat" => Some(cat::main),
        _ => None,
    }
}

/// Answers for `annulet` itself.
fn no_command(program: &'static [u8], arg: Option<&[u8]>) -> u8 {
    let mut diagnostics = Diagnostics::new(program, Quotes::Always);
    // By comparison: a pattern is compared byte by byte, in twice as much code.
    let (complaint, wrong) = match arg {
        Some(arg) if arg == b"--help" => {
            diagnostics.print_usage(Usage::Annulet);
            return diagnostics.finish();
        }
        Some(arg) if arg == b"--version" => {
            print_version(&mut diagnostics, b"annulet");
            return diagnostics.finish();
        }
        Some(wrong @ [b'-', _, ..]) => (Complaint::WrongOption, wrong),
        Some(wrong) => (Complaint::NoSuchCommand, wrong),
        None => (Complaint::NoCommand, &b""[..]),
    };
    diagnostics.usage_error(complaint, &[wrong]);
    forget(diagnostics);
    USAGE_STATUS
}

fn print_version(diagnostics: &mut Diagnostics, name: &[u8]) {
    diagnostics.print(name);
    diagnostics.print(VERSION);
}

/// What reading a command's options needs to know of it.
struct Command {
    name: &'static [u8],
    usage: Usage,
    /// See [`options`]. The ids `i`, `?` and `!` are `--io`, `--help` and `--version`.
    table: &'static [u8],
}

/// A command line, but for the options that only the command knows.
struct CommandLine {
    operands: Vec<&'static CStr>,
    io: Io,
    /// Whether `POSIXLY_CORRECT` is set.
    posix: bool,
}

/// Reads a command's arguments and gives its own options to `apply`, which returns false for a
/// wrong one, after a message. `None` if there is nothing more to do: something was wrong, or
/// help was asked for.
fn read_arguments(
    command: &Command,
    invocation: &Invocation,
    diagnostics: &mut Diagnostics,
    apply: &mut dyn FnMut(Given, &mut Diagnostics) -> bool,
) -> Option<CommandLine> {
    let posix = invocation.has_env(b"POSIXLY_CORRECT=");
    // The program ends after it: no code for giving things back.
    let mut parser = ManuallyDrop::new(OptionParser::new(
        command.table,
        invocation.args.clone(),
        posix,
    ));
    let mut io = Io::Auto;
    loop {
        match parser.next_option() {
            Ok(None) => break,
            Ok(Some(given)) => match given.id {
                b'?' => {
                    diagnostics.print_usage(command.usage);
                    return None;
                }
                b'!' => {
                    print_version(diagnostics, command.name);
                    return None;
                }
                b'i' => io = io_way(given.value, diagnostics)?,
                _ if apply(given, diagnostics) => {}
                _ => return None,
            },
            Err(error) => {
                diagnostics.usage_error(error.complaint, &[error.name, &parser.candidates]);
                return None;
            }
        }
    }
    Some(CommandLine {
        operands: take(&mut parser.operands),
        io,
        posix: parser.stops_at_operand,
    })
}

/// The value of `--io`. `None` if it is none; a message was given.
fn io_way(value: Option<&CStr>, diagnostics: &mut Diagnostics) -> Option<Io> {
    // Four letters are compared as one number.
    const AUTO: u32 = u32::from_ne_bytes(*b"auto");
    const RING: u32 = u32::from_ne_bytes(*b"ring");
    const SYNC: u32 = u32::from_ne_bytes(*b"sync");
    let value = value.unwrap_or_default().to_bytes();
    match value.try_into().map(u32::from_ne_bytes) {
        Ok(AUTO) => Some(Io::Auto),
        Ok(RING) => Some(Io::Ring),
        Ok(SYNC) => Some(Io::Sync),
        _ => {
            diagnostics.usage_error(Complaint::WrongIo, &[value]);
            None
        }
    }
}
