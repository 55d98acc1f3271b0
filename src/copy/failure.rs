//! What can go wrong with one name, and how that is said.

use core::num::NonZeroU32;

use super::ui::Message;
use crate::sys::{self, Errno};

/// What was being done when it went wrong. Messages are GNU's, with `{0}` for the source and
/// `{1}` for the destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
#[allow(missing_docs)] // each is its message in `MESSAGES`, in the same order
pub enum Step {
    StatSource,
    StatDestination,
    OpenSource,
    FstatSource,
    FstatDestination,
    Replaced,
    OmitDirectory,
    SameFile,
    NonDirectoryByDirectory,
    DirectoryByNonDirectory,
    JustCreated,
    ThroughCreated,
    Remove,
    CreateRegular,
    Dangling,
    Read,
    Write,
    Truncate,
    LeaveGaps,
    RemoveGaps,
    Extend,
    Close,
    CloseSource,
    CreateDirectory,
    AccessSource,
    AccessDestination,
    Cyclic,
    ReadLink,
    CreateSymlink,
    CreateFifo,
    CreateSpecial,
    UnknownType,
    Times,
    ParentTimes,
    Owner,
    ClearMode,
    Mode,
    UsualMode,
    RestoreMode,
    Return,
    IntoItself,
    LinkToDirectory,
    HardLink,
    Link,
    LinkElsewhere,
    NotReplacing,
    BackUp,
    BackUpSource,
    PutBack,
    Clone,
    ListAttributes,
    GetAttribute,
    SetAttribute,
    SetAttributes,
    MakeParent,
    ParentAttributes,
    ParentNoDirectory,
    AskOverwrite,
    AskReplace,
    AskUnwritable,
    Ring,
    RingDisabled,
    RingUnknown,
    RingRefused,
    RingMemory,
    RingDescriptors,
    /// The first one that is no failure: the name is rightly not copied, or it is no name's.
    GivenTwice,
    DirectoryTwice,
    TraceRefused,
    /// There is nothing to say.
    Nothing,
    /// A message was given already.
    Told,
}

impl From<Step> for Message {
    fn from(step: Step) -> Self {
        Self::new(step as u8)
    }
}

/// The messages of [`Step`], which are told apart by their numbers only.
pub const MESSAGES: &str = "\
cannot stat {0}\0\
cannot stat {1}\0\
cannot open {0} for reading\0\
cannot fstat {0}\0\
cannot fstat {1}\0\
skipping file {0}, as it was replaced while being copied\0\
-r not specified; omitting directory {0}\0\
{0} and {1} are the same file\0\
cannot overwrite non-directory {1} with directory {0}\0\
cannot overwrite directory {1} with non-directory {0}\0\
will not overwrite just-created {1} with {0}\0\
will not copy {0} through just-created symlink {1}\0\
cannot remove {1}\0\
cannot create regular file {1}\0\
not writing through dangling symlink {1}\0\
error reading {0}\0\
error writing {1}\0\
cannot truncate {1}\0\
cannot truncate {1}, which may have gaps\0\
cannot truncate {1}, removed as it may have gaps\0\
failed to extend {1}\0\
failed to close {1}\0\
failed to close {0}\0\
cannot create directory {1}\0\
cannot access {0}\0\
cannot access {1}\0\
cannot copy cyclic symbolic link {0}\0\
cannot read symbolic link {0}\0\
cannot create symbolic link {1}\0\
cannot create fifo {1}\0\
cannot create special file {1}\0\
{0} has unknown file type\0\
preserving times for {1}\0\
failed to preserve times for {1}\0\
failed to preserve ownership for {1}\0\
clearing permissions for {1}\0\
preserving permissions for {\\1}\0\
setting permissions for {\\1}\0\
preserving permissions for {1}\0\
cannot return to the directory that holds {0}\0\
cannot copy a directory, {0}, into itself, {1}\0\
will not create hard link {0} to directory {1}\0\
cannot create hard link {1} to {0}\0\
cannot create symbolic link {1} to {0}\0\
{~1}: can make relative symbolic links only in current directory\0\
not replacing {1}\0\
cannot backup {1}\0\
backing up {1} might destroy source;  {0} not copied\0\
cannot un-backup {1}\0\
failed to clone {1} from {0}\0\
listing attributes of {0}\0\
getting attribute {2} of {0}\0\
setting attribute {2} for {1}\0\
setting attributes for {1}\0\
cannot make directory {1}\0\
failed to get attributes of {0}\0\
{1} exists but is not a directory\0\
overwrite {1}? \0\
replace {1}, overriding mode {=2} ({=3})? \0\
unwritable {1} (mode {=2}, {=3}); try anyway? \0\
cannot set up io_uring\0\
cannot set up io_uring (refused by a seccomp profile or by the sysctl kernel.io_uring_disabled)\0\
cannot set up io_uring (refused by a seccomp profile, or the kernel is older than 5.6 or built without it)\0\
cannot set up io_uring (refused by a seccomp profile or a sandbox)\0\
cannot set up io_uring (RLIMIT_MEMLOCK or the machine's memory is too small)\0\
cannot set up io_uring (too few descriptors are allowed)\0\
warning: source file {0} specified more than once\0\
warning: source directory {0} specified more than once\0\
io_uring\0";

/// How many they are.
pub const MESSAGE_COUNT: u8 = Step::Nothing as u8;

/// Why a name was not copied: a [`Step`] and what the kernel answered, if it was asked, in one
/// register, where `Ok` is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failure(NonZeroU32);

impl Failure {
    fn new(step: Step, errno: u16) -> Self {
        // The step's part is never 0, so `MIN` is never used.
        let bits = ((step as u32 + 1) << 16) | u32::from(errno);
        Self(NonZeroU32::new(bits).unwrap_or(NonZeroU32::MIN))
    }

    /// Whether this is what was being done.
    #[must_use]
    pub fn is(self, step: Step) -> bool {
        self.step() == step as u8
    }

    /// Whether the name is rightly not copied.
    #[must_use]
    pub fn is_harmless(self) -> bool {
        self.step() >= Step::GivenTwice as u8 && !self.is(Step::Told)
    }

    /// The message, or `None` if none is to be given.
    #[must_use]
    pub fn message(self) -> Option<Message> {
        let step = self.step();
        (step < MESSAGE_COUNT).then_some(Message::new(step))
    }

    fn step(self) -> u8 {
        #[allow(clippy::cast_possible_truncation)] // the step's part
        let step = (self.0.get() >> 16) as u8;
        step.wrapping_sub(1)
    }

    /// What the kernel answered.
    #[must_use]
    pub fn errno(self) -> Option<Errno> {
        #[allow(clippy::cast_possible_truncation)] // the errno's half
        Errno::from_number(self.0.get() as u16)
    }
}

/// What a part of copying one name gives.
pub type Result<T> = core::result::Result<T, Failure>;

impl<T> From<Step> for Result<T> {
    fn from(step: Step) -> Self {
        Err(Failure::new(step, 0))
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
        self.map_err(|errno| Failure::new(step, errno.number()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::vec::Vec;

    #[test]
    fn every_step_has_its_message() {
        let messages: Vec<&str> = MESSAGES.split_terminator('\0').collect();
        assert_eq!(messages.len(), usize::from(MESSAGE_COUNT));
        let message = |step| {
            let message = Failure::new(step, 0).message()?;
            Some(messages[usize::from(message.number())])
        };
        assert_eq!(message(Step::StatSource), Some("cannot stat {0}"));
        assert_eq!(message(Step::Remove), Some("cannot remove {1}"));
        assert_eq!(message(Step::Extend), Some("failed to extend {1}"));
        assert_eq!(message(Step::CreateFifo), Some("cannot create fifo {1}"));
        let last = "cannot return to the directory that holds {0}";
        assert_eq!(message(Step::Return), Some(last));
        assert_eq!(message(Step::Ring), Some("cannot set up io_uring"));
        assert_eq!(message(Step::Told), None);
        assert_eq!(message(Step::Nothing), None);
        for (number, message) in (0..).zip(messages) {
            let warning = Message::new(number).is_warning();
            assert_eq!(warning, message.starts_with("warning: "), "{message}");
        }
    }

    #[test]
    fn what_is_harmless() {
        let harmless = |step| Failure::new(step, 0).is_harmless();
        assert!(harmless(Step::Nothing) && harmless(Step::GivenTwice));
        assert!(!harmless(Step::Told) && !harmless(Step::RingDescriptors));
    }

    #[test]
    fn a_failure_keeps_step_and_errno() {
        let failure = Failure::new(Step::Mode, 4095);
        assert!(failure.is(Step::Mode) && !failure.is(Step::Return));
        assert_eq!(failure.errno().map(Errno::number), Some(4095));
        assert_eq!(Failure::new(Step::StatSource, 0).errno(), None);
        assert_eq!(size_of::<Result<()>>(), 4);
    }
}
