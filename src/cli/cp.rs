//! `cp`: usage, options, operands.

use core::ffi::CStr;
use core::mem::ManuallyDrop;

use super::choices::{Choices, choose};
use super::diagnostics::Diagnostics;
use super::options::Given;
use super::quote::is_one_of;
use super::{Command, Invocation, USUAL_WAYS, read_arguments};
use crate::copy::options::{Backup, Flags, Follow, Options, Preserve, Update};
use crate::copy::{Operands, Shared, basename, has_contexts, run, trim_slashes};
use crate::data::plain::{self, NO_MODE};
use crate::data::wish::{Io, Reflink, Sparse};
use crate::report::Message;
use crate::report::Reporter;
use crate::sys::{self, CWD, Errno, MAX_THREADS, Mutex, OFlags, OwnedFd, Vec};

const USAGE: &str = "\
Usage: cp [OPTION]... [-T] SOURCE DEST
  or:  cp [OPTION]... SOURCE... DIRECTORY
  or:  cp [OPTION]... -t DIRECTORY SOURCE...
Copy SOURCE to DEST, or several SOURCEs to DIRECTORY.

  -a, --archive                as -d -R --preserve=all
      --attributes-only        copy no data
      --backup[=CONTROL]       keep existing files, renamed
  -b                           as --backup, without a CONTROL
      --copy-contents          copy the contents of special files
  -d                           as -P --preserve=links
      --debug                  as -v, with which way data went
  -f, --force                  replace what cannot be opened
  -g, --progress               show how far it has come
  -H                           follow a SOURCE that is a symbolic link
  -i, --interactive            ask before overwriting
  -j, --jobs=N                 copy with N workers
      --keep-directory-symlink
                               follow symbolic links to directories
  -L, --dereference            follow all symbolic links in SOURCE
  -l, --link                   make hard links
  -n, --no-clobber             overwrite no existing files
  -P, --no-dereference         follow no symbolic links in SOURCE
  -p                           as --preserve=mode,ownership,timestamps
      --preserve[=LIST]        keep what LIST names, or as -p
      --no-preserve=LIST       do not keep what LIST names
      --parents                copy to the path of SOURCE below DIRECTORY
  -R, -r, --recursive          copy directories
      --reflink[=WHEN]         share blocks: always, auto or never
      --remove-destination     remove files first
      --sparse=WHEN            make holes: always, auto or never
      --strip-trailing-slashes
                               ignore slashes at a SOURCE's end
  -s, --symbolic-link          make symbolic links
  -S, --suffix=SUFFIX          SUFFIX for --backup
  -t, --target-directory=DIRECTORY
                               copy all SOURCEs into DIRECTORY
  -T, --no-target-directory    treat DEST as a file
      --update[=WHICH]         all, none, none-fail or older
  -u                           as --update=older
  -v, --verbose                say what is copied
  -x, --one-file-system        copy nothing of other file systems
  -Z, --context[=CONTEXT]      set the SELinux security context
      --io=WAY                 auto, sync, or the one way to move data: ring, thread,
                               splice, copy_file_range or read_write
      --help                   display this help and exit
      --version                output version information and exit

LIST is of mode,ownership,timestamps,links,context,xattr,all. CONTROL, or else
$VERSION_CONTROL, is none, simple, numbered, or existing: numbered where files
are. SUFFIX, or else $SIMPLE_BACKUP_SUFFIX, is usually ~. WAY auto uses io_uring
where it helps, sync never. On SIGUSR1 cp says how
far it has come.
";

/// The options' ids: letters and what follows them without a gap, so that the table that
/// [`Settings::take`] jumps by is short. Those before these stand for the bits of [`Flags`].
const ARCHIVE: u8 = b'O';
const LINKS_KEPT: u8 = b'P';
const FOLLOW_OPERANDS: u8 = b'Q';
const FOLLOW_ALL: u8 = b'R';
const FOLLOW_NONE: u8 = b'S';
const INTERACTIVE: u8 = b'T';
const NO_CLOBBER: u8 = b'U';
const PRESERVE: u8 = b'V';
const NO_PRESERVE: u8 = b'W';
const UPDATE: u8 = b'X';
const BACKUP: u8 = b'Y';
const SUFFIX: u8 = b'Z';
const TARGET: u8 = b'[';
const CONTEXT: u8 = b'\\';
const JOBS: u8 = b']';
const NO_TARGET: u8 = b'^';
const SPARSE: u8 = b'_';
const REFLINK: u8 = b'`';

/// See [`super::options`].
const COMMAND: Command = Command {
    name: b"cp",
    usage: USAGE,
    table: b"\
Oa archive\n\
A\0 attributes-only\n\
Y\0?backup\n\
B\0 copy-contents\n\
C\0 debug\n\
RL dereference\n\
Df force\n\
Ti interactive\n\
i\0:io\n\
]j:jobs\n\
F\0 keep-directory-symlink\n\
Gl link\n\
Un no-clobber\n\
SP no-dereference\n\
W\0=no-preserve\n\
^T no-target-directory\n\
Hx one-file-system\n\
I\0 parents\n\
I\0 path\n\
V\0?preserve\n\
Eg.progress\n\
Jr recursive\n\
K\0 remove-destination\n\
`\0?reflink\n\
_\0=sparse\n\
L\0 strip-trailing-slashes\n\
ZS=suffix\n\
Ms symbolic-link\n\
[t=target-directory\n\
X\0?update\n\
Nv verbose\n\
\\\0?context\n\
JR \n\
Pd \n\
QH \n\
Vp \n\
Xu \n\
Yb \n\
\\Z \n\
?\0 help\n\
!\0 version",
    ways: (
        USUAL_WAYS.0,
        b"0auto\x001ring\x002sync\x003thread\x004splice\x005copy_file_range\x006read_write\0",
    ),
};

/// `--backup`'s values, [`Backup`] after [`Backup`].
const CONTROLS: &[u8] =
    b"0none\x000off\x001simple\x001never\x002existing\x002nil\x003numbered\x003t\0";
/// What `--preserve` and `--no-preserve` name: the bits of [`Preserve`], and all.
const ATTRIBUTES: &[u8] =
    b"0mode\x001timestamps\x002ownership\x003links\x004context\x005xattr\x006all\0";
const UPDATES: Choices = ("--update", b"0all\x001none\x002none-fail\x003older\0");
const SPARSES: Choices = ("--sparse", b"0never\x001auto\x002always\0");
const REFLINKS: Choices = ("--reflink", b"0auto\x001always\x002never\0");

/// What `-p` keeps.
const BASIC: Preserve = Preserve::MODE
    .union(Preserve::OWNERSHIP)
    .union(Preserve::TIMESTAMPS);

/// What is kept of everything that can be.
const ALL: Preserve = BASIC.union(Preserve::LINKS).union(Preserve::XATTR);

/// A command line, read.
struct Settings {
    options: Options,
    follow: Option<Follow>,
    target: Option<&'static CStr>,
    no_target: bool,
    no_clobber: bool,
    /// Existing files are to be kept, and by which control.
    backs_up: bool,
    control: &'static [u8],
    suffix: Option<&'static [u8]>,
    context: Option<&'static [u8]>,
}

/// Runs `cp`.
pub(super) fn main(invocation: &Invocation, reporter: &Mutex<Diagnostics>) {
    let mut settings = Settings::new();
    let mut parser = invocation.parser(COMMAND.table);
    let mut apply =
        |given: &Given, diagnostics: &mut Diagnostics| settings.take(given, diagnostics).is_some();
    let Some(io) = read_arguments(&COMMAND, &mut parser, &mut reporter.lock(), &mut apply) else {
        return;
    };
    settings.options.io = io;
    if parser.stops_at_operand {
        settings.options.flags |= Flags::THROUGH_DANGLING;
    }
    if !settings.agree(invocation, &mut reporter.lock()) {
        return;
    }
    // Who sets POSIXLY_CORRECT wants signals to do what they do, as with GNU dd.
    if !parser.stops_at_operand {
        // Where that is refused, the signal ends the program as ever.
        let _ = sys::count_usr1();
    }
    let terminal = invocation.env(b"TERM=").unwrap_or_default();
    reporter.lock().is_dumb = matches!(terminal, b"" | b"dumb");
    copy(&settings, &parser.operands, reporter);
}

impl Settings {
    const fn new() -> Self {
        Self {
            options: Options {
                flags: Flags::empty(),
                follow: Follow::Always,
                preserve: Preserve::empty(),
                update: Update::All,
                backup: Backup::None,
                suffix: b"~",
                reflink: Reflink::Auto,
                sparse: Sparse::Auto,
                io: Io::Auto,
                jobs: 0,
            },
            follow: None,
            target: None,
            no_target: false,
            no_clobber: false,
            backs_up: false,
            control: b"",
            suffix: None,
            context: None,
        }
    }

    /// Applies `-j`. `None` if its value was wrong; a message was given.
    fn take_jobs(&mut self, value: &[u8], diagnostics: &mut Diagnostics) -> Option<()> {
        let jobs = number_of_jobs(value);
        if let Some(jobs) = jobs {
            self.options.jobs = jobs;
            return Some(());
        }
        diagnostics.usage_error(Message::WrongJobs, &[value]);
        None
    }

    /// Applies `--preserve` and, with `keep` false, `--no-preserve`.
    fn take_attributes(&mut self, list: &[u8], keep: bool, ui: &mut Diagnostics) -> Option<()> {
        let what = if keep { "--preserve" } else { "--no-preserve" };
        let preserve = &mut self.options.preserve;
        for name in list.split(|&byte| byte == b',') {
            let number = choose((what, ATTRIBUTES), name, ui)?;
            // Of all, contexts are kept with the other attributes, where there are any.
            let mut named = ALL;
            if number < 6 {
                named = Preserve::from_bits_truncate(1 << number);
            }
            if named == Preserve::XATTR || named == Preserve::CONTEXT {
                named |= Preserve::XATTR_REQUIRED;
            }
            preserve.set(named, keep);
            if named.contains(Preserve::MODE) {
                preserve.set(Preserve::NO_MODE, !keep);
            }
        }
        Some(())
    }

    /// Applies one option. `None` if it was wrong; a message was given.
    fn take(&mut self, given: &Given, diagnostics: &mut Diagnostics) -> Option<()> {
        let options = &mut self.options;
        let value = given.value.unwrap_or_default().to_bytes();
        match given.id {
            ARCHIVE => {
                options.flags |= Flags::RECURSIVE;
                options.preserve |= ALL | Preserve::XATTR_QUIET;
                self.follow = Some(Follow::Never);
            }
            LINKS_KEPT => {
                options.preserve |= Preserve::LINKS;
                self.follow = Some(Follow::Never);
            }
            FOLLOW_OPERANDS => self.follow = Some(Follow::Operands),
            FOLLOW_ALL => self.follow = Some(Follow::Always),
            FOLLOW_NONE => self.follow = Some(Follow::Never),
            INTERACTIVE => {
                options.flags |= Flags::INTERACTIVE;
                self.no_clobber = false;
            }
            NO_CLOBBER => {
                options.flags -= Flags::INTERACTIVE;
                self.no_clobber = true;
            }
            PRESERVE if given.value.is_none() => options.preserve |= BASIC,
            PRESERVE | NO_PRESERVE => {
                return self.take_attributes(value, given.id == PRESERVE, diagnostics);
            }
            UPDATE if given.value.is_none() => options.update = Update::Older,
            UPDATE => {
                options.update = match choose(UPDATES, value, diagnostics)? {
                    0 => Update::All,
                    1 => Update::None,
                    2 => Update::NoneFail,
                    _ => Update::Older,
                };
            }
            BACKUP => {
                self.backs_up = true;
                if given.value.is_some() {
                    self.control = value;
                }
            }
            SUFFIX => {
                self.backs_up = true;
                self.suffix = Some(value);
            }
            TARGET => {
                if self.target.is_some() {
                    diagnostics.error(Message::TwoTargets, &[], None);
                    return None;
                }
                self.target = given.value;
            }
            CONTEXT => {
                if has_contexts() {
                    options.flags |= Flags::DEFAULT_CONTEXT;
                    if given.value.is_some() {
                        self.context = Some(value);
                    }
                } else if given.value.is_some() {
                    diagnostics.warn(Message::ContextIgnored, &[], None);
                }
            }
            JOBS => return self.take_jobs(value, diagnostics),
            NO_TARGET => self.no_target = true,
            SPARSE => {
                options.sparse = match choose(SPARSES, value, diagnostics)? {
                    0 => Sparse::Never,
                    1 => Sparse::Auto,
                    _ => Sparse::Always,
                };
            }
            REFLINK if given.value.is_none() => options.reflink = Reflink::Always,
            REFLINK => {
                options.reflink = match choose(REFLINKS, value, diagnostics)? {
                    0 => Reflink::Auto,
                    1 => Reflink::Always,
                    _ => Reflink::Never,
                };
            }
            id => options.flags |= Flags::from_bits_truncate(1 << (id - b'A')),
        }
        Some(())
    }

    /// Sees what the options come to together. Returns false, after a message, where they do not
    /// agree.
    fn agree(&mut self, invocation: &Invocation, diagnostics: &mut Diagnostics) -> bool {
        let options = &mut self.options;
        if self.no_clobber {
            options.update = Update::None;
            options.flags -= Flags::FORCE;
        }
        if options.has(Flags::DEBUG) {
            options.flags |= Flags::VERBOSE;
        }
        let follows = if options.has(Flags::RECURSIVE) && !options.has(Flags::LINK) {
            Follow::Never
        } else {
            Follow::Always
        };
        options.follow = self.follow.unwrap_or(follows);
        let none = matches!(options.update, Update::None | Update::NoneFail);
        let disagreement = if options.flags.contains(Flags::LINK | Flags::SYMLINK) {
            Some(Message::BothLinks)
        } else if self.backs_up && none {
            Some(Message::BackupOfNone)
        } else if options.reflink == Reflink::Always && options.sparse != Sparse::Auto {
            Some(Message::ReflinkSparse)
        } else {
            None
        };
        if let Some(complaint) = disagreement {
            diagnostics.usage_error(complaint, &[]);
            return false;
        }
        if self.backs_up {
            let of_env = invocation.env(b"VERSION_CONTROL=").unwrap_or_default();
            let (what, value) = match (self.control, of_env) {
                (b"", b"") => ("", &b"existing"[..]),
                (b"", value) => ("$VERSION_CONTROL", value),
                (value, _) => ("backup type", value),
            };
            let Some(number) = choose((what, CONTROLS), value, diagnostics) else {
                return false;
            };
            options.backup = match number {
                0 => Backup::None,
                1 => Backup::Simple,
                2 => Backup::Existing,
                _ => Backup::Numbered,
            };
            let suffix = match self.suffix {
                Some(suffix) => suffix,
                None => invocation.env(b"SIMPLE_BACKUP_SUFFIX=").unwrap_or_default(),
            };
            // A path is none, but for slashes at its end: so it is with GNU.
            if !suffix.is_empty() && !is_one_of(b'/', trim_slashes(suffix)) {
                options.suffix = suffix;
            }
        }
        self.agree_on_context(diagnostics)
    }

    /// As [`Self::agree`], of security contexts.
    fn agree_on_context(&self, diagnostics: &mut Diagnostics) -> bool {
        let preserves = self.options.preserve.contains(Preserve::CONTEXT);
        let sets = self.options.has(Flags::DEFAULT_CONTEXT);
        let context = self.context.unwrap_or_default();
        let (complaint, errno) = if preserves && !has_contexts() {
            (Message::NoContexts, None)
        } else if preserves && sets {
            (Message::ContextTwice, None)
        } else if self.context.is_some() {
            (Message::SetContext, Some(Errno::EOPNOTSUPP))
        } else {
            return true;
        };
        diagnostics.error(complaint, &[context], errno);
        false
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
fn copy(settings: &Settings, operands: &[&'static CStr], reporter: &Mutex<Diagnostics>) {
    if settings.no_target && settings.target.is_some() && !operands.is_empty() {
        return reporter.lock().error(Message::TargetAndNoTarget, &[], None);
    }
    let options = settings.options;
    let to = match destination(settings, operands) {
        Ok(to) => &ManuallyDrop::new(to),
        Err((complaint, name, errno)) => {
            reporter.lock().error(complaint, &[name], errno);
            if errno.is_none() {
                reporter.lock().hint();
            }
            return;
        }
    };
    // The program ends after it: no time or code for giving things back.
    let mut shared = ManuallyDrop::new(Shared::new(options, to.sources, reporter));
    if let Some(dir) = &to.dir {
        shared.into_directory(dir.as_fd(), to.path.to_bytes(), to.sources.len() > 1);
    }
    run(&shared, |operands| copy_to(to, &options, operands));
}

/// Copies the sources to where they go.
fn copy_to(to: &Destination<'_>, options: &Options, operands: &mut Operands<'_, '_>) {
    let mut name = ManuallyDrop::new(Vec::new());
    let mut stripped = ManuallyDrop::new(Vec::new());
    for &(mut source) in to.sources {
        if to.dir.is_none() {
            if options.has(Flags::FORCE)
                && options.backup != Backup::None
                && source.to_bytes() == to.path.to_bytes()
                && operands.copy_to_backup(source)
            {
                continue;
            }
            operands.copy(source, to.path, to.absent);
            continue;
        }
        // As GNU cp, only of what goes into a directory.
        if options.has(Flags::STRIP_SLASHES) {
            source = sys::c_string(&mut stripped, trim_slashes(source.to_bytes()), b"");
        }
        if options.has(Flags::PARENTS) {
            operands.copy_with_parents(source);
        } else {
            let name = sys::c_string(&mut name, basename(source.to_bytes()), b"");
            operands.copy(source, name, to.absent);
        }
    }
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
type Wrong = (Message, &'static [u8], Option<Errno>);

/// Tells sources from destination.
fn destination<'a>(
    settings: &Settings,
    operands: &'a [&'static CStr],
) -> Result<Destination<'a>, Wrong> {
    let Some((last, others)) = operands.split_last() else {
        return Err((Message::NoFile, b"", None));
    };
    let (mut sources, mut path) = (others, *last);
    if let Some(target) = settings.target {
        (sources, path) = (operands, target);
    } else if others.is_empty() {
        return Err((Message::NoDestination, path.to_bytes(), None));
    }
    let mut to = Destination {
        sources,
        path,
        dir: None,
        absent: false,
    };
    let parents = settings.options.has(Flags::PARENTS);
    let no_directory = Err((Message::ParentsNoDirectory, &b""[..], None));
    if settings.no_target {
        return match operands.get(2) {
            Some(extra) => Err((Message::Extra, extra.to_bytes(), None)),
            None if parents => no_directory,
            None => Ok(to),
        };
    }
    match open_directory(path) {
        Ok(dir) => to.dir = Some(dir),
        Err(errno) if settings.target.is_some() => {
            return Err((Message::TargetDirectory, path.to_bytes(), Some(errno)));
        }
        Err(errno) if others.len() > 1 => {
            return Err((Message::Target, path.to_bytes(), Some(errno)));
        }
        Err(_) if parents => return no_directory,
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
        let flags = [
            Flags::FORCE,
            Flags::PROGRESS,
            Flags::LINK,
            Flags::ONE_FILE_SYSTEM,
            Flags::RECURSIVE,
            Flags::RECURSIVE,
            Flags::SYMLINK,
            Flags::VERBOSE,
        ];
        let flag = |letter| Flags::from_bits_truncate(1 << (id(letter) - b'A'));
        assert_eq!(b"fglxrRsv".map(flag), flags);
        let long = [
            ("attributes-only", Flags::ATTRIBUTES_ONLY),
            ("copy-contents", Flags::COPY_CONTENTS),
            ("debug", Flags::DEBUG),
            ("keep-directory-symlink", Flags::KEEP_DIRECTORY_SYMLINK),
            ("parents", Flags::PARENTS),
            ("remove-destination", Flags::REMOVE_DESTINATION),
            ("strip-trailing-slashes", Flags::STRIP_SLASHES),
        ];
        let line = |id, takes, name: &str| {
            let line = [&[id, 0, takes], name.as_bytes(), b"\n"].concat();
            let mut windows = COMMAND.table.windows(line.len());
            assert!(windows.any(|window| window == line), "{name}");
        };
        for (name, flag) in long {
            line(
                b'A' + u8::try_from(flag.bits().ilog2()).unwrap(),
                b' ',
                name,
            );
        }
        line(NO_PRESERVE, b'=', "no-preserve");
        line(SPARSE, b'=', "sparse");
        line(REFLINK, b'?', "reflink");
        let others = [
            ARCHIVE,
            LINKS_KEPT,
            FOLLOW_OPERANDS,
            FOLLOW_ALL,
            FOLLOW_NONE,
            INTERACTIVE,
            NO_CLOBBER,
            PRESERVE,
            UPDATE,
            BACKUP,
            SUFFIX,
            TARGET,
            CONTEXT,
            JOBS,
            NO_TARGET,
        ];
        assert_eq!(b"adHLPinpubStZjT".map(id), others);
    }
}
