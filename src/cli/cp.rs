//! `cp`: options, operands.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ffi::CStr;

use super::args::{
    Invocation, Kind, Misuse, Opt, Stop, Wrong, choose, help, read, read_args, split, version,
};
use super::diagnostics::Diagnostics;
use crate::copy::options::{Backup, Flags, Follow, Options, Preserve, Update};
use crate::copy::{Operands, Shared, backup_path_for, has_contexts, run, trim_slashes};
use crate::data::plain::{self, NO_MODE};
use crate::data::wish::{Io, Reflink, Sparse, Way};
use crate::report::{Message, Reporter};
use crate::sys::{
    self, BorrowedFd, CStrings, CWD, Errno, MAX_THREADS, Mutex, OFlags, OwnedFd, until_nul,
};

const HEAD: &str = "\
Usage: cp [OPTION]... [-T] SOURCE DEST
  or:  cp [OPTION]... SOURCE... DIRECTORY
  or:  cp [OPTION]... -t DIRECTORY SOURCE...
Copy SOURCE to DEST, or several SOURCEs to DIRECTORY.

";

const TAIL: &str = "
LIST is of mode,ownership,timestamps,links,context,xattr,all. CONTROL, or else
$VERSION_CONTROL, is none, simple, numbered, or existing: numbered where files
are. SUFFIX, or else $SIMPLE_BACKUP_SUFFIX, is usually ~. WAY auto uses io_uring
where it helps, sync never. On SIGUSR1 cp says how far it has come.
";

// What begins alike stands in GNU's order, by which a message lists it.
#[rustfmt::skip]
const OPTIONS: &[Opt<Settings>] = &[
    Opt::flag("-a --archive", "as -d -R --preserve=all", |s| {
        s.set(Flags::RECURSIVE);
        s.options.preserve |= ALL | Preserve::XATTR_QUIET;
        s.follow = Some(Follow::Never);
    }),
    Opt::flag("--attributes-only", "copy no data", |s| s.set(Flags::ATTRIBUTES_ONLY)),
    Opt::optional("--backup[=CONTROL]", "keep existing files, renamed", |s, control| {
        s.backs_up = true;
        s.control = control.map_or(s.control, CStr::to_bytes);
        Ok(())
    }),
    Opt::flag("-b", "as --backup, without a CONTROL", |s| s.backs_up = true),
    Opt::flag("--copy-contents", "copy the contents of special files",
        |s| s.set(Flags::COPY_CONTENTS)),
    Opt::flag("-d", "as -P --preserve=links", |s| {
        s.options.preserve |= Preserve::LINKS;
        s.follow = Some(Follow::Never);
    }),
    Opt::flag("--debug", "as -v, with which way data went", |s| s.set(Flags::DEBUG)),
    Opt::flag("-f --force", "replace what cannot be opened", |s| s.set(Flags::FORCE)),
    Opt::ours(Opt::flag("-g --progress", "show how far it has come", |s| s.set(Flags::PROGRESS))),
    Opt::flag("-H", "follow a SOURCE that is a symbolic link",
        |s| s.follow = Some(Follow::Operands)),
    Opt::flag("-i --interactive", "ask before overwriting", |s| {
        s.set(Flags::INTERACTIVE);
        s.no_clobber = false;
    }),
    Opt::ours(Opt::value("-j --jobs=N", "copy with N workers", Settings::jobs)),
    Opt::flag("--keep-directory-symlink", "follow symbolic links to directories",
        |s| s.set(Flags::KEEP_DIRECTORY_SYMLINK)),
    Opt::flag("-L --dereference", "follow all symbolic links in SOURCE",
        |s| s.follow = Some(Follow::Always)),
    Opt::flag("-l --link", "make hard links", |s| s.set(Flags::LINK)),
    Opt::flag("-n --no-clobber", "overwrite no existing files", |s| {
        s.options.flags -= Flags::INTERACTIVE;
        s.no_clobber = true;
    }),
    Opt::flag("-P --no-dereference", "follow no symbolic links in SOURCE",
        |s| s.follow = Some(Follow::Never)),
    Opt::flag("--parents --path", "copy to the path of SOURCE below DIRECTORY",
        |s| s.set(Flags::PARENTS)),
    Opt::flag("-p", "as --preserve=mode,ownership,timestamps", |s| s.options.preserve |= BASIC),
    Opt::optional("--preserve[=LIST]", "keep what LIST names, or as -p", Settings::preserve),
    Opt::value("--no-preserve=LIST", "do not keep what LIST names",
        |s, list| attributes("--no-preserve", list).map(|named| s.keep(named, false))),
    Opt::flag("-R -r --recursive", "copy directories", |s| s.set(Flags::RECURSIVE)),
    Opt::flag("--remove-destination", "remove files first", |s| s.set(Flags::REMOVE_DESTINATION)),
    Opt::optional("--reflink[=WHEN]", "share blocks: always, auto or never", |s, when| {
        s.options.reflink = match when {
            None => Reflink::Always,
            Some(when) => choose("--reflink", REFLINKS, when.to_bytes())?,
        };
        Ok(())
    }),
    Opt::value("--sparse=WHEN", "make holes: always, auto or never",
        |s, when| choose("--sparse", SPARSES, when.to_bytes()).map(|when| s.options.sparse = when)),
    Opt::flag("--strip-trailing-slashes", "ignore slashes at a SOURCE's end",
        |s| s.set(Flags::STRIP_SLASHES)),
    Opt::value("-S --suffix=SUFFIX", "SUFFIX for --backup", |s, suffix| {
        s.backs_up = true;
        s.suffix = Some(suffix.to_bytes());
        Ok(())
    }),
    Opt::flag("-s --symbolic-link", "make symbolic links", |s| s.set(Flags::SYMLINK)),
    Opt::value("-t --target-directory=DIRECTORY", "copy all SOURCEs into DIRECTORY",
        Settings::target),
    Opt::flag("-T --no-target-directory", "treat DEST as a file", |s| s.no_target = true),
    Opt::optional("--update[=WHICH]", "all, none, none-fail or older", |s, which| {
        s.options.update = match which {
            None => Update::Older,
            Some(which) => choose("--update", UPDATES, which.to_bytes())?,
        };
        Ok(())
    }),
    Opt::flag("-u", "as --update=older", |s| s.options.update = Update::Older),
    Opt::flag("-v --verbose", "say what is copied", |s| s.set(Flags::VERBOSE)),
    Opt::flag("-x --one-file-system", "copy nothing of other file systems",
        |s| s.set(Flags::ONE_FILE_SYSTEM)),
    Opt::optional("-Z --context[=CONTEXT]", "set the SELinux security context", Settings::context),
    Opt::ours(Opt::value("--io=WAY",
        "auto, sync, or the one way to move data: ring,\n\
         thread, splice, copy_file_range or read_write",
        |s, way| choose("--io", WAYS, way.to_bytes()).map(|way| s.options.io = way))),
    Opt::print("--help", "display this help and exit", || help(HEAD, OPTIONS, TAIL)),
    Opt::print("--version", "output version information and exit", || version("cp")),
];

const CONTROLS: &[(&str, Backup)] = &[
    ("none off", Backup::None),
    ("simple never", Backup::Simple),
    ("existing nil", Backup::Existing),
    ("numbered t", Backup::Numbered),
];

const ATTRIBUTES: &[(&str, Preserve)] = &[
    ("mode", Preserve::MODE),
    ("timestamps", Preserve::TIMESTAMPS),
    ("ownership", Preserve::OWNERSHIP),
    ("links", Preserve::LINKS),
    ("context", Preserve::CONTEXT.union(Preserve::XATTR_REQUIRED)),
    ("xattr", Preserve::XATTR.union(Preserve::XATTR_REQUIRED)),
    ("all", ALL),
];

/// What `-p` keeps.
const BASIC: Preserve = Preserve::MODE
    .union(Preserve::OWNERSHIP)
    .union(Preserve::TIMESTAMPS);

/// Contexts are kept with the other extended attributes, where there are any.
const ALL: Preserve = BASIC.union(Preserve::LINKS).union(Preserve::XATTR);

const UPDATES: &[(&str, Update)] = &[
    ("all", Update::All),
    ("none", Update::None),
    ("none-fail", Update::NoneFail),
    ("older", Update::Older),
];

const REFLINKS: &[(&str, Reflink)] = &[
    ("auto", Reflink::Auto),
    ("always", Reflink::Always),
    ("never", Reflink::Never),
];

const SPARSES: &[(&str, Sparse)] = &[
    ("never", Sparse::Never),
    ("auto", Sparse::Auto),
    ("always", Sparse::Always),
];

const WAYS: &[(&str, Io)] = &[
    ("auto", Io::Auto),
    ("ring", Io::Only(Way::Ring)),
    ("sync", Io::Sync),
    ("thread", Io::Only(Way::Thread)),
    ("splice", Io::Only(Way::Splice)),
    ("copy_file_range", Io::Only(Way::CopyFileRange)),
    ("read_write", Io::Only(Way::ReadWrite)),
];

/// The options as they were given.
struct Settings {
    /// What they mean; together, once [`Settings::agree`] has seen them all.
    options: Options,
    follow: Option<Follow>,
    no_clobber: bool,
    /// Whether existing files are to be kept, and how.
    backs_up: bool,
    control: &'static [u8],
    suffix: Option<&'static [u8]>,
    context: Option<&'static [u8]>,
    /// How many contexts were given to a kernel that has none.
    ignored_contexts: u32,
    target: Option<&'static CStr>,
    no_target: bool,
}

/// Runs `cp`.
pub fn main(invocation: &Invocation, reporter: &Mutex<Diagnostics>) -> Result<(), Stop> {
    let mut settings = Settings::new();
    let operands = read(OPTIONS, &mut settings, invocation);
    for _ in 0..settings.ignored_contexts {
        reporter.lock().warn(Message::ContextIgnored, &[], None);
    }
    let operands = operands?;
    settings.agree(invocation)?;
    // Who sets POSIXLY_CORRECT wants signals to do what they do, as with GNU dd.
    if !invocation.is_posix() {
        // Where that is refused, the signal ends the program as ever.
        let _ = sys::count_usr1();
    }
    let terminal = invocation.env(b"TERM=").unwrap_or_default();
    reporter.lock().is_dumb = terminal.is_empty() || terminal == b"dumb";
    let to = destination(&settings, &operands)?;
    let options = &mut settings.options;
    // A file that is copied onto itself goes to where it would be kept, if it is a regular one.
    let mut backup = None;
    if let [source] = to.sources
        && to.dir.is_none()
        && source.to_bytes() == to.path.to_bytes()
        && options.has(Flags::FORCE)
        && options.backup != Backup::None
    {
        backup = backup_path_for(options, source);
    }
    let mut path = to.path;
    if let Some(backup) = &backup {
        options.backup = Backup::None;
        path = until_nul(backup);
    }
    let mut shared = Shared::new(*options, to.sources, reporter);
    if let Some(dir) = to.dir {
        shared.into_directory(dir, to.path.to_bytes(), to.sources.len() > 1);
    }
    run(&shared, |operands| copy_to(&to, path, operands));
    Ok(())
}

/// What the options among the arguments mean where the environment is empty, and the operands: so that
/// tests can ask the rules that go by options. `None` where they are wrong.
pub fn options_of(
    next_arg: &mut dyn FnMut() -> Option<&'static CStr>,
) -> Option<(Options, Vec<&'static CStr>)> {
    let mut settings = Settings::new();
    let operands = read_args(OPTIONS, &mut settings, next_arg, false).ok()?;
    let invocation = Invocation {
        args: CStrings::NONE,
        env: CStrings::NONE,
    };
    settings.agree(&invocation).ok()?;
    Some((settings.options, operands))
}

/// What options do whose effect does not stand in their rows.
#[allow(clippy::unnecessary_wraps)] // a row takes what may go wrong
impl Settings {
    const fn new() -> Self {
        Self {
            options: Options::USUAL,
            follow: None,
            no_clobber: false,
            backs_up: false,
            control: b"",
            suffix: None,
            context: None,
            ignored_contexts: 0,
            target: None,
            no_target: false,
        }
    }

    fn set(&mut self, flags: Flags) {
        self.options.flags |= flags;
    }

    /// A number of workers.
    fn jobs(&mut self, value: &'static CStr) -> Result<(), Wrong> {
        let value = value.to_bytes();
        let mut number = 0_u32;
        for &digit in value {
            if !digit.is_ascii_digit() {
                return Err(Misuse::usage(Message::WrongJobs, value));
            }
            let digit = u32::from(digit - b'0');
            number = number.saturating_mul(10).saturating_add(digit);
        }
        if !(1..=MAX_THREADS).contains(&number) {
            return Err(Misuse::usage(Message::WrongJobs, value));
        }
        self.options.jobs = number;
        Ok(())
    }

    fn preserve(&mut self, list: Option<&'static CStr>) -> Result<(), Wrong> {
        match list {
            None => self.options.preserve |= BASIC,
            Some(list) => self.keep(attributes("--preserve", list)?, true),
        }
        Ok(())
    }

    fn keep(&mut self, attributes: Preserve, is_kept: bool) {
        let preserve = &mut self.options.preserve;
        preserve.set(attributes, is_kept);
        if attributes.contains(Preserve::MODE) {
            preserve.set(Preserve::NO_MODE, !is_kept);
        }
    }

    fn target(&mut self, directory: &'static CStr) -> Result<(), Wrong> {
        if self.target.is_some() {
            return Err(Misuse::new(Kind::Named, Message::TwoTargets, b""));
        }
        self.target = Some(directory);
        Ok(())
    }

    fn context(&mut self, context: Option<&'static CStr>) -> Result<(), Wrong> {
        if has_contexts() {
            self.set(Flags::DEFAULT_CONTEXT);
            self.context = context.map(CStr::to_bytes).or(self.context);
        } else if context.is_some() {
            self.ignored_contexts += 1;
        }
        Ok(())
    }
}

/// The attributes that a list names.
fn attributes(what: &'static str, list: &'static CStr) -> Result<Preserve, Wrong> {
    let mut attributes = Preserve::empty();
    for name in split(list.to_bytes(), b',') {
        attributes |= choose(what, ATTRIBUTES, name)?;
    }
    Ok(attributes)
}

impl Settings {
    /// Settles what the options mean together.
    fn agree(&mut self, invocation: &Invocation) -> Result<(), Wrong> {
        let options = &mut self.options;
        let usage = |message| Err(Misuse::usage(message, b""));

        if invocation.is_posix() {
            options.flags |= Flags::THROUGH_DANGLING;
        }
        if options.has(Flags::DEBUG) {
            options.flags |= Flags::VERBOSE;
        }
        if self.no_clobber {
            options.update = Update::None;
            options.flags -= Flags::FORCE;
        }
        options.follow = match self.follow {
            Some(follow) => follow,
            None if options.has(Flags::RECURSIVE) && !options.has(Flags::LINK) => Follow::Never,
            None => Follow::Always,
        };

        let overwrites = !matches!(options.update, Update::None | Update::NoneFail);
        if options.flags.contains(Flags::LINK | Flags::SYMLINK) {
            return usage(Message::BothLinks);
        }
        if self.backs_up && !overwrites {
            return usage(Message::BackupOfNone);
        }
        if options.reflink == Reflink::Always && options.sparse != Sparse::Auto {
            return usage(Message::ReflinkSparse);
        }

        if self.backs_up {
            let of_env = invocation.env(b"VERSION_CONTROL=").unwrap_or_default();
            options.backup = match (self.control, of_env) {
                (b"", b"") => Backup::Existing,
                (b"", control) => choose("$VERSION_CONTROL", CONTROLS, control)?,
                (control, _) => choose("backup type", CONTROLS, control)?,
            };
            let of_env = invocation.env(b"SIMPLE_BACKUP_SUFFIX=");
            let suffix = self.suffix.or(of_env).unwrap_or_default();
            // A path is none, but for slashes at its end: so it is with GNU.
            if !suffix.is_empty() && !trim_slashes(suffix).contains(&b'/') {
                options.suffix = suffix;
            }
        }

        let keeps_context = options.preserve.contains(Preserve::CONTEXT);
        let context = |message| Err(Misuse::new(Kind::Named, message, b""));
        if keeps_context && !has_contexts() {
            return context(Message::NoContexts);
        }
        if keeps_context && options.has(Flags::DEFAULT_CONTEXT) {
            return context(Message::ContextTwice);
        }
        if let Some(context) = self.context {
            let wrong = Misuse::new(Kind::Named, Message::SetContext, context);
            return Err(wrong.because(Errno::EOPNOTSUPP));
        }
        Ok(())
    }
}

/// Copies the sources to where they go.
fn copy_to(to: &Destination<'_>, path: &CStr, operands: &mut Operands<'_, '_>) {
    if to.dir.is_some() {
        return operands.copy_all();
    }
    for source in to.sources {
        operands.copy(source.to_bytes(), path.to_bytes(), to.absent);
    }
}

/// Where the operands go.
struct Destination<'a> {
    sources: &'a [&'static CStr],
    path: &'static CStr,
    /// What is at `path`, if it is a directory to copy into.
    dir: Option<BorrowedFd<'static>>,
    /// Whether nothing was found at `path`.
    absent: bool,
}

/// Tells sources from destination.
fn destination<'a>(
    settings: &Settings,
    operands: &'a [&'static CStr],
) -> Result<Destination<'a>, Wrong> {
    let usage = |message, name| Err(Misuse::usage(message, name));
    let Some((last, others)) = operands.split_last() else {
        return usage(Message::NoFile, b"");
    };
    let (mut sources, mut path) = (others, *last);
    if let Some(target) = settings.target {
        (sources, path) = (operands, target);
    } else if others.is_empty() {
        return usage(Message::NoDestination, path.to_bytes());
    }
    let mut to = Destination {
        sources,
        path,
        dir: None,
        absent: false,
    };
    let name = path.to_bytes();
    let parents = settings.options.has(Flags::PARENTS);
    if settings.no_target {
        return match operands.get(2) {
            _ if settings.target.is_some() => {
                Err(Misuse::new(Kind::Named, Message::TargetAndNoTarget, b""))
            }
            Some(extra) => usage(Message::Extra, extra.to_bytes()),
            None if parents => usage(Message::ParentsNoDirectory, b""),
            None => Ok(to),
        };
    }
    let named = |message, errno| Err(Misuse::new(Kind::Named, message, name).because(errno));
    match open_directory(path) {
        // Open until the program ends, which closes it.
        Ok(dir) => to.dir = Some(Box::leak(Box::new(dir)).as_fd()),
        Err(errno) if settings.target.is_some() => return named(Message::TargetDirectory, errno),
        Err(errno) if others.len() > 1 => return named(Message::Target, errno),
        Err(_) if parents => return usage(Message::ParentsNoDirectory, b""),
        Err(errno) => to.absent = errno == Errno::ENOENT,
    }
    Ok(to)
}

/// Opens a directory to put names into; what it holds need not be readable.
fn open_directory(path: &CStr) -> sys::Result<OwnedFd> {
    plain::open(CWD, path, OFlags::PATH | OFlags::DIRECTORY, NO_MODE)
}
