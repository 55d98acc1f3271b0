//! `cp`: usage, options, operands.

use core::ffi::CStr;

use super::Invocation;
use super::diagnostics::Diagnostics;
use super::options::{Given, OptionParser};
use super::quote::Quotes;
use crate::copy::options::{Follow, Io, Options, Preserve};
use crate::copy::plain::{self, NO_MODE};
use crate::copy::ui::Ui;
use crate::copy::{Engine, basename};
use crate::sys::{self, CWD, Errno, OFlags, OwnedFd, Vec};

const USAGE: &[u8] = b"\
Usage: cp [OPTION]... [-T] SOURCE DEST
  or:  cp [OPTION]... SOURCE... DIRECTORY
  or:  cp [OPTION]... -t DIRECTORY SOURCE...
Copy SOURCE to DEST, or several SOURCEs to DIRECTORY.

  -a, --archive             as -d -R -p, with hard links kept
  -d                        as -P, with hard links kept
  -f, --force               remove a destination that cannot be opened, and try
                              again (not with -n)
  -H                        follow symbolic links among the SOURCEs
  -L, --dereference         follow all symbolic links in SOURCE
  -n, --no-clobber          leave existing files alone
  -P, --no-dereference      follow no symbolic links in SOURCE
  -p                        keep mode, ownership and timestamps
  -R, -r, --recursive       copy directories with all they hold
  -t, --target-directory=DIRECTORY
                            copy all SOURCEs into DIRECTORY
  -T, --no-target-directory
                            treat DEST as a file, even if it is a directory
  -v, --verbose             say what is copied
      --io=auto|ring|sync   which way data goes: through io_uring where the
                              kernel allows it (auto, the default), always
                              (ring), never (sync)
      --help                display this help and exit
      --version             output version information and exit
";

/// See [`super::options`].
const TABLE: &[u8] = b"\
aa archive\n\
dd \n\
ff force\n\
HH \n\
LL dereference\n\
nn no-clobber\n\
PP no-dereference\n\
TT no-target-directory\n\
pp \n\
rr recursive\n\
rR \n\
tt=target-directory\n\
vv verbose\n\
i\0=io\n\
?\0 help\n\
!\0 version";

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
    let posix = invocation.has_env(b"POSIXLY_CORRECT");
    let mut parser = OptionParser::new(TABLE, invocation.args.clone(), posix);
    let mut settings = Settings::new(posix);
    loop {
        match parser.next_option() {
            Ok(None) => break,
            Ok(Some(Given { id: b'?', .. })) => {
                diagnostics.print(USAGE);
                return diagnostics.finish();
            }
            Ok(Some(Given { id: b'!', .. })) => {
                super::print_version(&mut diagnostics, b"cp");
                return diagnostics.finish();
            }
            Ok(Some(given)) => {
                if !settings.take(given, &mut diagnostics) {
                    return diagnostics.finish();
                }
            }
            Err(error) => {
                diagnostics.option_error(&error);
                return diagnostics.finish();
            }
        }
    }
    copy(settings, &parser.operands, &mut diagnostics);
    diagnostics.finish()
}

impl Settings {
    const fn new(posix: bool) -> Self {
        Self {
            options: Options {
                recursive: false,
                follow: Follow::Always,
                preserve: Preserve::empty(),
                force: false,
                no_clobber: false,
                verbose: false,
                through_dangling: posix,
                io: Io::Auto,
            },
            follow: None,
            target: None,
            no_target: false,
        }
    }

    /// Applies one option. Returns false if it was wrong; a message was given.
    fn take(&mut self, given: Given, diagnostics: &mut Diagnostics) -> bool {
        let basic = Preserve::MODE | Preserve::OWNERSHIP | Preserve::TIMESTAMPS;
        let options = &mut self.options;
        match given.id {
            b'a' => {
                options.recursive = true;
                options.preserve = Preserve::all();
                self.follow = Some(Follow::Never);
            }
            b'd' => {
                options.preserve |= Preserve::LINKS;
                self.follow = Some(Follow::Never);
            }
            b'f' => options.force = true,
            b'H' => self.follow = Some(Follow::Operands),
            b'L' => self.follow = Some(Follow::Always),
            b'n' => options.no_clobber = true,
            b'P' => self.follow = Some(Follow::Never),
            b'T' => self.no_target = true,
            b'p' => options.preserve |= basic,
            b'r' => options.recursive = true,
            b't' => {
                if self.target.is_some() {
                    diagnostics.error("multiple target directories specified", &[], None);
                    return false;
                }
                self.target = given.value;
            }
            b'v' => options.verbose = true,
            _ => match super::io_way(given.value, diagnostics) {
                Some(io) => options.io = io,
                None => return false,
            },
        }
        true
    }
}

/// Copies the operands as the settings say.
fn copy(settings: Settings, operands: &[&'static CStr], diagnostics: &mut Diagnostics) {
    let mut options = settings.options;
    options.force &= !options.no_clobber;
    options.follow = settings.follow.unwrap_or(if options.recursive {
        Follow::Never
    } else {
        Follow::Always
    });
    let Some((sources, destination)) = check_operands(&settings, operands, diagnostics) else {
        return;
    };
    match destination {
        Destination::Directory(path, dir) => {
            let mut engine = Engine::new(options, diagnostics);
            engine.into_directory(dir.as_fd(), path.to_bytes(), sources.len() > 1);
            let mut name = Vec::new();
            for source in sources {
                name.clear();
                name.extend_from_slice(basename(source.to_bytes()));
                name.push(0);
                let name = CStr::from_bytes_until_nul(&name).unwrap_or(c".");
                engine.copy_operand(source, name, false);
            }
        }
        Destination::Name(path, absent) => {
            let mut engine = Engine::new(options, diagnostics);
            for source in sources {
                engine.copy_operand(source, path, absent);
            }
        }
    }
}

/// Where the operands go.
enum Destination {
    /// Into this directory.
    Directory(&'static CStr, OwnedFd),
    /// To this name, at which nothing was found or not looked.
    Name(&'static CStr, bool),
}

type Operands<'a> = (&'a [&'static CStr], Destination);

/// Tells sources from destination. `None` if they are wrong; a message was given.
fn check_operands<'a>(
    settings: &Settings,
    operands: &'a [&'static CStr],
    diagnostics: &mut Diagnostics,
) -> Option<Operands<'a>> {
    let Some((last, others)) = operands.split_last() else {
        diagnostics.usage_error("missing file operand", &[]);
        return None;
    };
    if let Some(target) = settings.target {
        if settings.no_target {
            diagnostics.error(
                "cannot combine --target-directory (-t) and --no-target-directory (-T)",
                &[],
                None,
            );
            return None;
        }
        return match open_directory(target) {
            Ok(dir) => Some((operands, Destination::Directory(target, dir))),
            Err(errno) => {
                let path = target.to_bytes();
                diagnostics.error("target directory {0}", &[path], Some(errno));
                None
            }
        };
    }
    if others.is_empty() {
        let path = last.to_bytes();
        diagnostics.usage_error("missing destination file operand after {0}", &[path]);
        return None;
    }
    if settings.no_target {
        if let Some(extra) = operands.get(2) {
            diagnostics.usage_error("extra operand {0}", &[extra.to_bytes()]);
            return None;
        }
        return Some((others, Destination::Name(last, false)));
    }
    match open_directory(last) {
        Ok(dir) => Some((others, Destination::Directory(last, dir))),
        Err(errno) if others.len() > 1 => {
            diagnostics.error("target {0}", &[last.to_bytes()], Some(errno));
            None
        }
        Err(errno) => Some((others, Destination::Name(last, errno == Errno::ENOENT))),
    }
}

/// Opens a directory to put names into; what it holds need not be readable.
fn open_directory(path: &CStr) -> sys::Result<OwnedFd> {
    plain::open(CWD, path, OFlags::PATH | OFlags::DIRECTORY, NO_MODE)
}
