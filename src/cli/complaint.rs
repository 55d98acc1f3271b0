//! What can be wrong with a command line.

use crate::cat;
use crate::copy::ui::Message;

/// A message about the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Complaint {
    WrongOption = cat::MESSAGE_COUNT,
    NoSuchCommand,
    NoCommand,
    WrongChoice,
    AmbiguousChoice,
    WrongJobs,
    WrongLetter,
    LetterWithoutValue,
    WrongName,
    AmbiguousName,
    NameWithValue,
    NameWithoutValue,
    TwoTargets,
    TargetAndNoTarget,
    NoFile,
    NoDestination,
    Extra,
    ParentsNoDirectory,
    BothLinks,
    BackupOfNone,
    ReflinkSparse,
    ContextTwice,
    NoContexts,
    ContextIgnored,
    SetContext,
    TargetDirectory,
    Target,
    /// No message yet.
    End,
}

/// The messages of [`Complaint`].
pub const MESSAGES: &str = "\
unrecognized option {0}\0\
no such command: {0}\0\
missing command: cp or cat\0\
invalid argument {\\0} for {1}\nValid arguments are:{=2}\0\
ambiguous argument {\\0} for {1}\nValid arguments are:{=2}\0\
invalid number of jobs: {0} (1 to 256)\0\
invalid option -- '{=0}'\0\
option requires an argument -- '{=0}'\0\
unrecognized option '--{=0}'\0\
option '--{=0}' is ambiguous; possibilities:{=1}\0\
option '--{=0}' doesn't allow an argument\0\
option '--{=0}' requires an argument\0\
multiple target directories specified\0\
cannot combine --target-directory (-t) and --no-target-directory (-T)\0\
missing file operand\0\
missing destination file operand after {0}\0\
extra operand {0}\0\
with --parents, the destination must be a directory\0\
cannot make both hard and symbolic links\0\
--backup is mutually exclusive with -n or --update=none-fail\0\
--reflink can be used only with --sparse=auto\0\
cannot set target context and preserve it\0\
cannot preserve security context without an SELinux-enabled kernel\0\
warning: ignoring --context; it requires an SELinux-enabled kernel\0\
failed to set default file creation context to {\\0}\0\
target directory {0}\0\
target {0}\0";

/// How many messages there are, those of `copy` and `cat` and these.
pub const MESSAGE_COUNT: u8 = Complaint::End as u8;

impl From<Complaint> for Message {
    fn from(complaint: Complaint) -> Self {
        Self::new(complaint as u8)
    }
}
