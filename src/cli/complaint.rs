//! What can be wrong with a command line.

use crate::copy::ui::messages;

messages! {
/// A message about the command line.
pub enum Complaint {
    WrongOption = "unrecognized option {0}",
    NoSuchCommand = "no such command: {0}",
    NoCommand = "missing command: cp or cat",
    WrongChoice = "invalid argument {\\0} for {1}\nValid arguments are:{=2}",
    AmbiguousChoice = "ambiguous argument {\\0} for {1}\nValid arguments are:{=2}",
    WrongJobs = "invalid number of jobs: {0} (1 to 256)",
    WrongLetter = "invalid option -- '{=0}'",
    LetterWithoutValue = "option requires an argument -- '{=0}'",
    WrongName = "unrecognized option '--{=0}'",
    AmbiguousName = "option '--{=0}' is ambiguous; possibilities:{=1}",
    NameWithValue = "option '--{=0}' doesn't allow an argument",
    NameWithoutValue = "option '--{=0}' requires an argument",
    TwoTargets = "multiple target directories specified",
    TargetAndNoTarget = "cannot combine --target-directory (-t) and --no-target-directory (-T)",
    NoFile = "missing file operand",
    NoDestination = "missing destination file operand after {0}",
    Extra = "extra operand {0}",
    ParentsNoDirectory = "with --parents, the destination must be a directory",
    BothLinks = "cannot make both hard and symbolic links",
    BackupOfNone = "--backup is mutually exclusive with -n or --update=none-fail",
    ReflinkSparse = "--reflink can be used only with --sparse=auto",
    ContextTwice = "cannot set target context and preserve it",
    NoContexts = "cannot preserve security context without an SELinux-enabled kernel",
    ContextIgnored = "warning: ignoring --context; it requires an SELinux-enabled kernel",
    SetContext = "failed to set default file creation context to {\\0}",
    TargetDirectory = "target directory {0}",
    Target = "target {0}",
}
}
