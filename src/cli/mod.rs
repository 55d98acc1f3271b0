//! The commands as a user meets them: which one is asked for, its options, its messages, its
//! exit status.
//!
//! | file | subject |
//! | --- | --- |
//! | `args.rs` | rows of options, the parser that goes by them, and what is wrong with arguments |
//! | `cp.rs`, `cat.rs` | each command's options, help, operands |
//! | `diagnostics.rs`, `quote.rs` | messages, and the names in them |
//! | `progress_line.rs` | the line that shows how far a copy has come |

mod args;
mod cat;
mod cp;
mod diagnostics;
mod progress_line;
mod quote;

use core::ffi::CStr;

use crate::copy::basename;
use crate::report::{Message, Reporter as _};
use crate::sys::{Errno, Mutex, Startup, program_name};
pub use cp::options_of;

use args::{Invocation, Misuse, Stop, version};
use diagnostics::Diagnostics;
pub use diagnostics::Ended;

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

/// The exit status for a wrong use of `annulet` itself.
const USAGE_STATUS: u8 = 2;

/// Runs the command that the program was started as.
#[must_use]
pub fn run(startup: &Startup) -> Ended {
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
    let diagnostics = Mutex::new(Diagnostics::new(program));
    let env = startup.env.clone();
    let stop = match command {
        Some(main) => main(&Invocation { args, env }, &diagnostics).err(),
        None => Some(answer(arg)),
    };
    let mut diagnostics = diagnostics.lock();
    let mut least_status = 0;
    match stop {
        None => {}
        Some(Stop::Print(text)) => diagnostics.print(&text()),
        Some(Stop::Wrong(wrong)) => {
            diagnostics.tell(&wrong);
            if command.is_none() {
                least_status = USAGE_STATUS;
            }
        }
    }
    let mut ended = diagnostics.finish();
    ended.status = ended.status.max(least_status);
    ended
}

/// Says what closing standard output has failed with, and returns the status to exit with.
#[must_use]
pub fn tell_lost_output(errno: Errno) -> u8 {
    let mut diagnostics = Diagnostics::new(program_name());
    diagnostics.error(Message::WriteError, &[], Some(errno));
    diagnostics.finish().status
}

/// Runs a command. What fails on the way, it tells.
type Main = fn(&Invocation, &Mutex<Diagnostics>) -> Result<(), Stop>;

/// The command of that name.
fn command_named(name: &[u8]) -> Option<Main> {
    match name {
        b"cp" => Some(cp::main),
        b"cat" => Some(cat::main),
        _ => None,
    }
}

/// What `annulet` itself answers to its first argument.
fn answer(arg: Option<&'static [u8]>) -> Stop {
    let wrong = match arg {
        Some(b"--help") => return Stop::Print(|| USAGE.into()),
        Some(b"--version") => return Stop::Print(|| version("annulet")),
        Some(wrong @ [b'-', _, ..]) => Misuse::usage(Message::WrongOption, wrong),
        Some(wrong) => Misuse::usage(Message::NoSuchCommand, wrong),
        None => Misuse::usage(Message::NoCommand, b""),
    };
    Stop::Wrong(wrong)
}
