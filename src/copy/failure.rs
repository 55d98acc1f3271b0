//! What can go wrong with one name, and how that is said.

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
}

/// The messages of [`Step`], a line each: one text takes half the room of a table of them.
const MESSAGES: &str = "\
cannot stat {0}
cannot stat {1}
cannot open {0} for reading
cannot fstat {0}
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

impl Step {
    /// The message, or `None` if it was given already.
    #[must_use]
    pub fn message(self) -> Option<&'static str> {
        MESSAGES.lines().nth(self as usize)
    }
}

/// Why a name was not copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failure {
    /// What was being done.
    pub step: Step,
    /// What the kernel answered, if it was asked.
    pub errno: Option<Errno>,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_has_its_message() {
        assert_eq!(MESSAGES.lines().count(), Step::Told as usize);
        assert_eq!(Step::StatSource.message(), Some("cannot stat {0}"));
        assert_eq!(Step::Remove.message(), Some("cannot remove {1}"));
        assert_eq!(Step::Extend.message(), Some("failed to extend {1}"));
        assert_eq!(Step::CreateFifo.message(), Some("cannot create fifo {1}"));
        let last = "cannot return to the directory that holds {0}";
        assert_eq!(Step::Return.message(), Some(last));
        assert_eq!(Step::Told.message(), None);
    }
}
