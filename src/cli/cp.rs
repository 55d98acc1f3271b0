//! `cp`: usage, options, operands.

use core::ffi::CStr;
use core::mem::{ManuallyDrop, forget};

use super::complaint::Complaint;
use super::diagnostics::Diagnostics;
use super::options::Given;
use super::quote::Quotes;
use super::texts::Usage;
use super::{Command, Invocation, read_arguments};
use crate::copy::options::{Follow, Io, Options, Preserve};
use crate::copy::plain::{self, NO_MODE};
use crate::copy::ui::Ui;
use crate::copy::{Shared, basename};
use crate::sys::{self, CWD, Errno, MAX_THREADS, OFlags, OwnedFd, Vec, until_nul};

pub(super) const USAGE: &str = "\
Usage: cp [OPTION]... [-T] SOURCE DEST
  or:  cp [OPTION]... SOURCE... DIRECTORY
  or:  cp [OPTION]... -t DIRECTORY SOURCE...
Copy SOURCE to DEST, or several SOURCEs to DIRECTORY.

  -a, --archive             as -d -R -p, with hard links kept
  -d                        as -P, with hard links kept
      --debug               as -v, with which way data went
  -f, --force               replace what cannot be opened (not with -n)
  -g, --progress            show how far it has come
  -H                        follow symbolic links among the SOURCEs
  -j, --jobs=N              copy with N workers (usually one a processor)
  -L, --dereference         follow all symbolic links in SOURCE
  -n, --no-clobber          leave existing files alone
  -P, --no-dereference      follow no symbolic links in SOURCE
  -p                        keep mode, ownership and timestamps
  -R, -r, --recursive       copy directories as well
  -t, --target-directory=DIRECTORY
                            copy all SOURCEs into DIRECTORY
  -T, --no-target-directory
                            treat DEST as a file
  -v, --verbose             say what is copied
      --io=auto|ring|sync   use io_uring where it helps, always, never
      --help                display this help and exit
      --version             output version information and exit
";

/// The options' ids: the letters from A on without a gap, so that the table that
/// [`Settings::take`] jumps by is short. What is none of these is `-v`.
const ARCHIVE: u8 = b'A';
const LINKS_KEPT: u8 = b'B';
const DEBUG: u8 = b'C';
const FORCE: u8 = b'D';
const PROGRESS: u8 = b'E';
const FOLLOW_OPERANDS: u8 = b'F';
const JOBS: u8 = b'G';
const FOLLOW_ALL: u8 = b'H';
const NO_CLOBBER: u8 = b'I';
const FOLLOW_NONE: u8 = b'J';
const NO_TARGET: u8 = b'K';
const PRESERVE: u8 = b'L';
const RECURSIVE: u8 = b'M';
const TARGET: u8 = b'N';

/// See [`super::options`].
const COMMAND: Command = Command {
    name: b"cp",
    usage: Usage::Cp,
    table: b"\
Aa archive\n\
Bd \n\
C\0 debug\n\
Df force\n\
Eg progress\n\
FH \n\
Gj=jobs\n\
HL dereference\n\
In no-clobber\n\
JP no-dereference\n\
KT no-target-directory\n\
Lp \n\
Mr recursive\n\
MR \n\
Nt=target-directory\n\
Ov verbose\n\
i\0=io\n\
?\0 help\n\
!\0 version",
};

/// A command line, read.
struct Settings {
    options: Options,
    follow: Option<Follow>,
    target: Option<&'static CStr>,
    no_target: bool,
}

/// Runs `cp` and returns its exit status: 0, or 1 if anything was not copied as asked.
pub(super) fn main(invocation: &Invocation) -> u8 {
    let mut diagnostics = Diagnostics::new(invocation.program, Quotes::Always);
    let mut settings = Settings::new();
    let line = read_arguments(&COMMAND, invocation, &mut diagnostics, &mut |given, ui| {
        settings.take(given, ui)
    });
    if let Some(line) = line {
        settings.options.io = line.io;
        settings.options.through_dangling = line.posix;
        copy(&settings, &line.operands, &mut diagnostics);
        forget(line);
    }
    diagnostics.finish()
}

impl Settings {
    const fn new() -> Self {
        Self {
            options: Options {
                recursive: false,
                follow: Follow::Always,
                preserve: Preserve::empty(),
                force: false,
                no_clobber: false,
                verbose: false,
                debug: false,
                progress: false,
                through_dangling: false,
                io: Io::Auto,
                jobs: 0,
            },
            follow: None,
            target: None,
            no_target: false,
        }
    }

    /// Applies `-j`. Returns false if its value was wrong; a message was given.
    fn take_jobs(&mut self, given: Given, diagnostics: &mut Diagnostics) -> bool {
        let value = given.value.unwrap_or_default().to_bytes();
        if let Some(jobs) = number_of_jobs(value) {
            self.options.jobs = jobs;
            return true;
        }
        diagnostics.usage_error(Complaint::WrongJobs, &[value]);
        false
    }

    /// Applies one option. Returns false if it was wrong; a message was given.
    fn take(&mut self, given: Given, diagnostics: &mut Diagnostics) -> bool {
        let basic = Preserve::MODE | Preserve::OWNERSHIP | Preserve::TIMESTAMPS;
        let options = &mut self.options;
        match given.id {
            ARCHIVE => {
                options.recursive = true;
                options.preserve = Preserve::all();
                self.follow = Some(Follow::Never);
            }
            LINKS_KEPT => {
                options.preserve |= Preserve::LINKS;
                self.follow = Some(Follow::Never);
            }
            FORCE => options.force = true,
            FOLLOW_OPERANDS => self.follow = Some(Follow::Operands),
            FOLLOW_ALL => self.follow = Some(Follow::Always),
            NO_CLOBBER => options.no_clobber = true,
            FOLLOW_NONE => self.follow = Some(Follow::Never),
            NO_TARGET => self.no_target = true,
            PRESERVE => options.preserve |= basic,
            RECURSIVE => options.recursive = true,
            DEBUG => {
                options.verbose = true;
                options.debug = true;
            }
            PROGRESS => options.progress = true,
            JOBS => return self.take_jobs(given, diagnostics),
            TARGET => {
                if self.target.is_some() {
                    diagnostics.tell(Complaint::TwoTargets.into(), &[], None);
                    return false;
                }
                self.target = given.value;
            }
            _ => options.verbose = true,
        }
        true
    }
}

/// A number of workers, 1 to 256; `None` if it is none.
fn number_of_jobs(value: &[u8]) -> Option<u32> {
    let mut number = 0_u32;
    for byte in value {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 || number > MAX_THREADS {
            return None;
        }
        number = number * 10 + u32::from(digit);
    }
    (1..=MAX_THREADS).contains(&number).then_some(number)
}

/// Copies the operands as the settings say.
fn copy(settings: &Settings, operands: &[&'static CStr], diagnostics: &mut Diagnostics) {
    if settings.no_target && settings.target.is_some() && !operands.is_empty() {
        return diagnostics.tell(Complaint::TargetAndNoTarget.into(), &[], None);
    }
    let mut options = settings.options;
    options.force &= !options.no_clobber;
    options.follow = settings.follow.unwrap_or(if options.recursive {
        Follow::Never
    } else {
        Follow::Always
    });
    let to = match destination(settings, operands) {
        Ok(to) => &ManuallyDrop::new(to),
        Err((complaint, name, errno)) => {
            diagnostics.tell(complaint.into(), &[name], errno);
            if errno.is_none() {
                diagnostics.hint();
            }
            return;
        }
    };
    // The program ends after it: no time or code for giving things back.
    let mut shared = ManuallyDrop::new(Shared::new(options, to.sources, diagnostics));
    if let Some(dir) = &to.dir {
        shared.into_directory(dir.as_fd(), to.path.to_bytes(), to.sources.len() > 1);
    }
    shared.run(|engine, walk| {
        let mut name = Vec::new();
        for source in to.sources {
            let mut path = to.path;
            if to.dir.is_some() {
                name.clear();
                name.extend_from_slice(basename(source.to_bytes()));
                name.push(0);
                path = until_nul(&name);
            }
            engine.copy_operand(walk, source, path, to.absent);
        }
        forget(name);
    });
}

/// Where the operands go.
struct Destination<'a> {
    sources: &'a [&'static CStr],
    path: &'static CStr,
    /// What is at `path`, if it is a directory to copy into.
    dir: Option<OwnedFd>,
    /// Whether nothing was found at `path`.
    absent: bool,
}

/// A message, the name in it, and the kernel's error; without one it is about the usage.
type Wrong = (Complaint, &'static [u8], Option<Errno>);

/// Tells sources from destination.
fn destination<'a>(
    settings: &Settings,
    operands: &'a [&'static CStr],
) -> Result<Destination<'a>, Wrong> {
    let Some((last, others)) = operands.split_last() else {
        return Err((Complaint::NoFile, b"", None));
    };
    let (mut sources, mut path) = (others, *last);
    if let Some(target) = settings.target {
        (sources, path) = (operands, target);
    } else if others.is_empty() {
        return Err((Complaint::NoDestination, path.to_bytes(), None));
    }
    let mut to = Destination {
        sources,
        path,
        dir: None,
        absent: false,
    };
    if settings.no_target {
        return match operands.get(2) {
            Some(extra) => Err((Complaint::Extra, extra.to_bytes(), None)),
            None => Ok(to),
        };
    }
    match open_directory(path) {
        Ok(dir) => to.dir = Some(dir),
        Err(errno) if settings.target.is_some() => {
            return Err((Complaint::TargetDirectory, path.to_bytes(), Some(errno)));
        }
        Err(errno) if others.len() > 1 => {
            return Err((Complaint::Target, path.to_bytes(), Some(errno)));
        }
        Err(errno) => to.absent = errno == Errno::ENOENT,
    }
    Ok(to)
}

/// Opens a directory to put names into; what it holds need not be readable.
fn open_directory(path: &CStr) -> sys::Result<OwnedFd> {
    plain::open(CWD, path, OFlags::PATH | OFlags::DIRECTORY, NO_MODE)
}

#[cfg(test)]
mod tests {
    use super::super::options::id_of;
    use super::*;

    #[test]
    fn ids_are_those_of_the_table() {
        let id = |letter| id_of(COMMAND.table, letter);
        let expected = [
            ARCHIVE,
            LINKS_KEPT,
            FORCE,
            PROGRESS,
            FOLLOW_OPERANDS,
            JOBS,
            FOLLOW_ALL,
            NO_CLOBBER,
            FOLLOW_NONE,
            NO_TARGET,
            PRESERVE,
            RECURSIVE,
            RECURSIVE,
            TARGET,
        ];
        assert_eq!(b"adfgHjLnPTprRt".map(id), expected);
        assert!(COMMAND.table.windows(9).any(|line| line == b"C\0 debug\n"));
        assert_eq!(DEBUG, b'C');
        assert_eq!(id(b'v'), b'O');
    }
}
