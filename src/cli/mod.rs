//! The commands as a user meets them: which one is asked for, its options, its messages, its
//! exit status.

mod cat;
mod cp;
mod diagnostics;
mod options;
mod quote;

use core::ffi::CStr;

use crate::copy::options::Io;
use crate::sys::{CStrings, Startup};
use diagnostics::Diagnostics;
use quote::Quotes;

const USAGE: &[u8] = b"\
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
    /// Whether the environment holds `name`, whatever its value.
    fn has_env(&self, name: &[u8]) -> bool {
        self.env.clone().any(|entry| {
            entry
                .to_bytes()
                .strip_prefix(name)
                .is_some_and(|rest| rest.starts_with(b"="))
        })
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
    let command = command_named(started_as).or_else(|| {
        let mut rest = args.clone();
        let command = command_named(rest.next()?)?;
        args = rest;
        Some(command)
    });
    match command {
        Some((name, main)) => {
            // Under its own name it speaks as it was called, path and all, as GNU tools do.
            let own = command_named(started_as).is_some();
            let program = if own { started_as.to_bytes() } else { name };
            main(&Invocation {
                program,
                args,
                env: startup.env.clone(),
            })
        }
        None => no_command(started_as, args.next()),
    }
}

type Command = (&'static [u8], fn(&Invocation) -> u8);

const COMMANDS: [Command; 2] = [(b"cp", cp::main), (b"cat", cat::main)];

/// The command that a path's last part names.
fn command_named(path: &CStr) -> Option<Command> {
    let name = path.to_bytes().rsplit(|&b| b == b'/').next()?;
    COMMANDS.into_iter().find(|(command, _)| *command == name)
}

/// Answers for `annulet` itself.
fn no_command(started_as: &'static CStr, arg: Option<&CStr>) -> u8 {
    let mut diagnostics = Diagnostics::new(started_as.to_bytes(), Quotes::Always);
    match arg.map(CStr::to_bytes) {
        Some(b"--help") => diagnostics.print(USAGE),
        Some(b"--version") => print_version(&mut diagnostics, b"annulet"),
        Some(wrong @ [b'-', _, ..]) => {
            diagnostics.usage_error("unrecognized option {0}", &[wrong]);
        }
        Some(wrong) => {
            diagnostics.usage_error("no such command: {0}", &[wrong]);
        }
        None => diagnostics.usage_error("missing command: cp or cat", &[]),
    }
    let failed = diagnostics.has_failed();
    let status = diagnostics.finish();
    if failed { USAGE_STATUS } else { status }
}

fn print_version(diagnostics: &mut Diagnostics, name: &[u8]) {
    diagnostics.print(name);
    diagnostics.print(VERSION);
}

/// The value of `--io`. `None` if it is none; a message was given.
fn io_way(value: Option<&CStr>, diagnostics: &mut Diagnostics) -> Option<Io> {
    let value = value.unwrap_or_default().to_bytes();
    match value {
        b"auto" => Some(Io::Auto),
        b"ring" => Some(Io::Ring),
        b"sync" => Some(Io::Sync),
        _ => {
            diagnostics.usage_error("invalid argument {0} for '--io'\nValid arguments are:\n  - 'auto'\n  - 'ring'\n  - 'sync'", &[value]);
            None
        }
    }
}
