//! Why a name is not copied.

use crate::report::{Failure, Message};
use crate::sys::Errno;

/// It was told already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told;

/// Nothing more is done with a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// It is still to be told why.
    Failed(Failure),
    /// It was told.
    Told(Told),
    /// Nothing was done yet: it is to be copied later, as something is where nothing was expected.
    PutOff,
}

/// Nothing was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unmade {
    /// What was to be written to is gone.
    Gone(Failure),
    /// Something has appeared at the destination since that was looked at, or has taken the place
    /// of what was just made.
    Taken(Failure),
    /// As usual.
    Stopped(Stop),
}

impl Unmade {
    /// By a call that makes something.
    #[must_use]
    pub fn by_making(message: Message, errno: Errno) -> Self {
        let failure = Failure::new(message, errno);
        if errno == Errno::EEXIST {
            Self::Taken(failure)
        } else {
            failure.into()
        }
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<Told> for Stop {
    fn from(told: Told) -> Self {
        Self::Told(told)
    }
}

impl From<Unmade> for Stop {
    fn from(unmade: Unmade) -> Self {
        match unmade {
            Unmade::Gone(failure) | Unmade::Taken(failure) => Self::Failed(failure),
            Unmade::Stopped(stop) => stop,
        }
    }
}

impl From<Stop> for Unmade {
    fn from(stop: Stop) -> Self {
        Self::Stopped(stop)
    }
}

impl From<Failure> for Unmade {
    fn from(failure: Failure) -> Self {
        Self::Stopped(failure.into())
    }
}

impl From<Told> for Unmade {
    fn from(told: Told) -> Self {
        Self::Stopped(told.into())
    }
}
