//! What can go wrong with one name, and how that is said.

use core::num::NonZeroU32;

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
    Extend,
    Close,
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
    Owner,
    ClearMode,
    Mode,
    Return,
    /// A message was given already.
    Told,
    /// No failure: the name is rightly not copied.
    Nothing,
}

/// The messages of [`Step`], a line each: one text takes half the room of a table of them.
const MESSAGES: &str = "\
cannot stat {0}
cannot stat {1}
cannot open {0} for reading
cannot fstat {0}
cannot fstat {1}
skipping file {0}, as it was replaced while being copied
-r not specified; omitting directory {0}
{0} and {1} are the same file
cannot overwrite non-directory {1} with directory {0}
cannot overwrite directory {1} with non-directory
will not overwrite just-created {1} with {0}
will not copy {0} through just-created symlink {1}
cannot remove {1}
cannot create regular file {1}
not writing through dangling symlink {1}
error reading {0}
error writing {1}
cannot truncate {1}
failed to extend {1}
failed to close {1}
cannot create directory {1}
cannot access {0}
cannot access {1}
cannot copy cyclic symbolic link {0}
cannot read symbolic link {0}
cannot create symbolic link {1}
cannot create fifo {1}
cannot create special file {1}
{0} has unknown file type
preserving times for {1}
failed to preserve ownership for {1}
clearing permissions for {1}
preserving permissions for {1}
cannot return to the directory that holds {0}";

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
        self.0.get() >> 16 == step as u32 + 1
    }

    /// The message, or `None` if none is to be given.
    #[must_use]
    pub fn message(self) -> Option<&'static str> {
        // Without `lines`, whose search is made for long texts.
        let mut rest = MESSAGES;
        for _ in 1..self.0.get() >> 16 {
            let end = rest.bytes().position(|byte| byte == b'\n')?;
            rest = rest.get(end + 1..)?;
        }
        let end = rest.bytes().position(|byte| byte == b'\n');
        end.map_or(Some(rest), |end| rest.get(..end))
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

    #[test]
    fn every_step_has_its_message() {
        assert_eq!(MESSAGES.lines().count(), Step::Told as usize);
        let message = |step| Failure::new(step, 0).message();
        assert_eq!(message(Step::StatSource), Some("cannot stat {0}"));
        assert_eq!(message(Step::Remove), Some("cannot remove {1}"));
        assert_eq!(message(Step::Extend), Some("failed to extend {1}"));
        assert_eq!(message(Step::CreateFifo), Some("cannot create fifo {1}"));
        let last = "cannot return to the directory that holds {0}";
        assert_eq!(message(Step::Return), Some(last));
        assert_eq!(message(Step::Told), None);
        assert_eq!(message(Step::Nothing), None);
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
