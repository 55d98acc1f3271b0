//! What can go wrong with one name, and how that is said.

use super::ui::{Message, messages};
use crate::sys::{self, Errno};

messages! {
/// What was being done when it went wrong. Messages are GNU's, with `{0}` for the source and
/// `{1}` for the destination.
pub enum Step {
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
    /// There is nothing to say.
    Nothing = "",
    /// A message was given already.
    Told = "",
}
}

/// Why a name was not copied: what was being done, and what the kernel answered, if it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failure {
    step: Step,
    errno: Option<Errno>,
}

impl Failure {
    /// Whether this is what was being done.
    #[must_use]
    pub fn is(self, step: Step) -> bool {
        self.step == step
    }

    /// Whether the name is rightly not copied.
    #[must_use]
    pub const fn is_harmless(self) -> bool {
        matches!(
            self.step,
            Step::GivenTwice | Step::DirectoryTwice | Step::Nothing
        )
    }

    /// The message, or `None` if none is to be given.
    #[must_use]
    pub fn message(self) -> Option<Message> {
        let has_text = !matches!(self.step, Step::Nothing | Step::Told);
        has_text.then_some(self.step.into())
    }

    /// What the kernel answered.
    #[must_use]
    pub const fn errno(self) -> Option<Errno> {
        self.errno
    }
}

/// What a part of copying one name gives.
pub type Result<T> = core::result::Result<T, Failure>;

impl<T> From<Step> for Result<T> {
    fn from(step: Step) -> Self {
        Err(Failure { step, errno: None })
    }
}

/// Tells what was being done when a call failed.
pub trait During<T> {
    /// Adds `step` to the error.
    ///
    /// # Errors
    /// The call's.
    fn during(self, step: Step) -> Result<T>;
}

impl<T> During<T> for sys::Result<T> {
    fn during(self, step: Step) -> Result<T> {
        self.map_err(|errno| Failure {
            step,
            errno: Some(errno),
        })
    }
}
