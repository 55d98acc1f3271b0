//! How commands speak: every message there is, what makes a failure, and who shows it.

use crate::sys::{self, Errno};

/// Makes an enum of messages, each with its text beside its name.
macro_rules! messages {
    ($(#[$what:meta])* pub enum $all:ident { $($(#[$note:meta])* $name:ident = $text:literal,)* }) => {
        $(#[$what])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $all {
            $($(#[$note])* #[doc = concat!("`", $text, "`")] $name,)*
        }

        impl $all {
            /// Its text, in which names have their places: see [`Reporter`].
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

messages! {
/// All that is ever said. Of a copy `{0}` is the source and `{1}` the destination; errors are in
/// GNU's words.
pub enum Message {
    StatSource = "cannot stat {0}",
    StatDestination = "cannot stat {1}",
    OpenSource = "cannot open {0} for reading",
    FstatSource = "cannot fstat {0}",
    FstatDestination = "cannot fstat {1}",
    Replaced = "skipping file {0}, as it was replaced while being copied",
    OmitDirectory = "-r not specified; omitting directory {0}",
    SameFile = "{0} and {1} are the same file",
    NonDirectoryByDirectory = "cannot overwrite non-directory {1} with directory {0}",
    DirectoryByNonDirectory = "cannot overwrite directory {1} with non-directory {0}",
    JustCreated = "will not overwrite just-created {1} with {0}",
    ThroughCreated = "will not copy {0} through just-created symlink {1}",
    Remove = "cannot remove {1}",
    CreateRegular = "cannot create regular file {1}",
    Dangling = "not writing through dangling symlink {1}",
    Read = "error reading {0}",
    Write = "error writing {1}",
    Truncate = "cannot truncate {1}",
    LeaveGaps = "cannot truncate {1}, which may have gaps",
    RemoveGaps = "cannot truncate {1}, removed as it may have gaps",
    Extend = "failed to extend {1}",
    Close = "failed to close {1}",
    CloseSource = "failed to close {0}",
    CreateDirectory = "cannot create directory {1}",
    AccessSource = "cannot access {0}",
    AccessDestination = "cannot access {1}",
    Cyclic = "cannot copy cyclic symbolic link {0}",
    ReadLink = "cannot read symbolic link {0}",
    CreateSymlink = "cannot create symbolic link {1}",
    CreateFifo = "cannot create fifo {1}",
    CreateSpecial = "cannot create special file {1}",
    UnknownType = "{0} has unknown file type",
    Times = "preserving times for {1}",
    ParentTimes = "failed to preserve times for {1}",
    Owner = "failed to preserve ownership for {1}",
    ClearMode = "clearing permissions for {1}",
    Mode = "preserving permissions for {\\1}",
    UsualMode = "setting permissions for {\\1}",
    RestoreMode = "preserving permissions for {1}",
    Return = "cannot return to the directory that holds {0}",
    IntoItself = "cannot copy a directory, {0}, into itself, {1}",
    LinkToDirectory = "will not create hard link {0} to directory {1}",
    HardLink = "cannot create hard link {1} to {0}",
    Link = "cannot create symbolic link {1} to {0}",
    LinkElsewhere = "{~1}: can make relative symbolic links only in current directory",
    NotReplacing = "not replacing {1}",
    BackUp = "cannot backup {1}",
    BackUpSource = "backing up {1} might destroy source;  {0} not copied",
    PutBack = "cannot un-backup {1}",
    Clone = "failed to clone {1} from {0}",
    ListAttributes = "listing attributes of {0}",
    GetAttribute = "getting attribute {2} of {0}",
    SetAttribute = "setting attribute {2} for {1}",
    SetAttributes = "setting attributes for {1}",
    MakeParent = "cannot make directory {1}",
    ParentAttributes = "failed to get attributes of {0}",
    ParentNoDirectory = "{1} exists but is not a directory",
    AskOverwrite = "overwrite {1}? ",
    AskReplace = "replace {1}, overriding mode {=2} ({=3})? ",
    AskUnwritable = "unwritable {1} (mode {=2}, {=3}); try anyway? ",
    Ring = "cannot set up io_uring",
    RingDisabled = "cannot set up io_uring (refused by a seccomp profile or by the sysctl kernel.io_uring_disabled)",
    RingUnknown = "cannot set up io_uring (refused by a seccomp profile, or the kernel is older than 5.6 or built without it)",
    RingRefused = "cannot set up io_uring (refused by a seccomp profile or a sandbox)",
    RingMemory = "cannot set up io_uring (RLIMIT_MEMLOCK or the machine's memory is too small)",
    RingDescriptors = "cannot set up io_uring (too few descriptors are allowed)",
    GivenTwice = "warning: source file {0} specified more than once",
    DirectoryTwice = "warning: source directory {0} specified more than once",
    TraceRefused = "io_uring",
    Copied = "{0} -> {1}",
    CopiedAndKept = "{0} -> {1} (backup: {2})",
    MadeParent = "{=0} -> {=1}",
    Removed = "removed {1}",
    Skipped = "skipped {1}",
    PutBackKept = "{2} -> {1} (unbackup)",
    TraceOffload = "copy offload: {=0}, reflink: {=1}, sparse detection: {=2}",
    TraceWays = "data: {=0}",
    TraceWorkers = "workers: {=0}, {=1}",
    TraceDisordered = "io_uring did not keep the order of writes, and was given up",
    Operand = "{0}",
    InputIsOutput = "{0}: input file is output file",
    WriteError = "write error",
    StandardOutput = "standard output",
    CloseInput = "closing standard input",
    WrongOption = "unrecognized option {0}",
    NoSuchCommand = "no such command: {0}",
    NoCommand = "missing command: cp or cat",
    WrongChoice = "invalid argument {\\0} for {1}\nValid arguments are:{=2}",
    AmbiguousChoice = "ambiguous argument {\\0} for {1}\nValid arguments are:{=2}",
    WrongJobs = "invalid number of jobs: {0} (1 to 256)",
    WrongLetter = "invalid option -- '{=0}'",
    LetterWithoutValue = "option requires an argument -- '{=0}'",
    WrongName = "unrecognized option '{=0}'",
    AmbiguousName = "option '{=0}' is ambiguous; possibilities:{=2}",
    NameWithValue = "option '{=0}' doesn't allow an argument",
    NameWithoutValue = "option '{=0}' requires an argument",
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

impl Message {
    /// Whether it is worth knowing and tells of no failure.
    #[must_use]
    pub fn is_warning(self) -> bool {
        self.text().starts_with("warning: ")
    }
}

/// Why a name was not copied: what was being done, and what the kernel answered, if it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failure {
    /// What was being done.
    pub message: Message,
    /// What the kernel answered.
    pub errno: Option<Errno>,
}

impl Failure {
    /// No call has failed.
    #[must_use]
    pub const fn without_errno(message: Message) -> Self {
        Self {
            message,
            errno: None,
        }
    }

    /// A call has failed.
    #[must_use]
    pub const fn new(message: Message, errno: Errno) -> Self {
        Self {
            message,
            errno: Some(errno),
        }
    }
}

/// What a part of copying one name gives.
pub type Result<T> = core::result::Result<T, Failure>;

impl<T> From<Message> for Result<T> {
    fn from(message: Message) -> Self {
        Err(Failure {
            message,
            errno: None,
        })
    }
}

/// Tells what was being done when a call failed.
pub trait During<T> {
    /// Adds `message` to the error.
    ///
    /// # Errors
    /// The call's.
    fn during(self, message: Message) -> Result<T>;
}

impl<T> During<T> for sys::Result<T> {
    fn during(self, message: Message) -> Result<T> {
        self.map_err(|errno| Failure {
            message,
            errno: Some(errno),
        })
    }
}

/// Shows messages. Each call is one whole message, in whose text every `{0}` or
/// `{1}` stands for one of `names`, to be quoted as a file name, every `{~0}` for one to be
/// quoted where a shell needs it, every `{\0}` for one to be quoted as in C, and every `{=0}` to
/// `{=9}` for one of them as it is.
pub trait Reporter {
    /// Something failed, or is worth a warning; of a failure the command's exit status tells at
    /// the end. The errno's text follows the message.
    fn error(&mut self, message: Message, names: &[&[u8]], errno: Option<Errno>);

    /// As [`Self::error`], but no failure.
    fn warn(&mut self, message: Message, names: &[&[u8]], errno: Option<Errno>);

    /// Asks whether to go on. Returns false, which is a failure, unless the answer is yes.
    fn ask(&mut self, message: Message, names: &[&[u8]]) -> bool;

    /// Shows how far the copy has come.
    fn show_progress(&mut self, now: &Snapshot);

    /// Whether what [`Self::show_progress`] shows takes the place of what it has shown before.
    fn renews_progress(&self) -> bool;

    /// A line of output that the user asked for (`-v`, `--debug`), to standard output; an errno's
    /// text follows it.
    fn say(&mut self, message: Message, names: &[&[u8]], errno: Option<Errno>);
}

/// Nobody, who is to be told nothing.
#[cfg(all(test, loom))]
pub struct Nobody;

#[cfg(all(test, loom))]
impl Reporter for Nobody {
    fn error(&mut self, message: Message, _: &[&[u8]], _: Option<Errno>) {
        std::panic!("{message:?}");
    }
    fn warn(&mut self, message: Message, _: &[&[u8]], _: Option<Errno>) {
        std::panic!("{message:?}");
    }
    fn ask(&mut self, message: Message, _: &[&[u8]]) -> bool {
        std::panic!("{message:?}");
    }
    fn show_progress(&mut self, _: &Snapshot) {}
    fn renews_progress(&self) -> bool {
        false
    }
    fn say(&mut self, message: Message, _: &[&[u8]], _: Option<Errno>) {
        std::panic!("{message:?}");
    }
}

/// How far a copy has come.
#[derive(Debug, Clone, Copy)]
pub struct Snapshot {
    /// How many files are done.
    pub files: u64,
    /// How many bytes.
    pub bytes: u64,
    /// How many of them since the clock was started.
    pub timed_bytes: u64,
    /// Time since then.
    pub elapsed_ms: u64,
    /// How much there is to do, where that was counted.
    pub total: Option<Total>,
    /// Why it is shown.
    pub occasion: Occasion,
}

/// How much there is to do.
#[derive(Debug, Clone, Copy)]
pub struct Total {
    /// No fewer than are done.
    pub files: u64,
    /// No fewer than are done.
    pub bytes: u64,
    /// How well it is known.
    pub known: Known,
}

/// Why it is shown how far a copy has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    /// Time has passed.
    Renewal,
    /// A signal asked for it.
    Signal,
    /// The copy has ended.
    End,
}

/// How well a total is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Known {
    /// More is being found.
    #[default]
    Growing,
    /// All names were found, and some sizes looked at.
    Estimated,
    /// All was looked at.
    Exact,
}
