//! The calls that the kernel makes, counted.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;

/// What is asked of a file system (`enum fuse_opcode`). `Readdir` with attributes is
/// `ReaddirPlus`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)] // the kernel's names
pub enum Call {
    Lookup,
    Getattr,
    Setattr,
    Readlink,
    Symlink,
    Mknod,
    Mkdir,
    Unlink,
    Rmdir,
    Rename,
    Link,
    Open,
    Read,
    Write,
    Statfs,
    Release,
    Fsync,
    Setxattr,
    Getxattr,
    Listxattr,
    Removexattr,
    Flush,
    Opendir,
    Readdir,
    ReaddirPlus,
    Releasedir,
    Fsyncdir,
    Create,
    Fallocate,
    Lseek,
    CopyFileRange,
}

/// Of one kind of call, or of all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// How many there were.
    pub made: u64,
    /// How many of them were in flight at once at most.
    pub at_once: u64,
}

/// The calls of some time.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// All of them.
    pub all: Count,
    by_kind: BTreeMap<Call, Count>,
}

impl Counts {
    /// Those of one kind.
    #[must_use]
    pub fn of(&self, call: Call) -> Count {
        self.by_kind.get(&call).copied().unwrap_or_default()
    }
}

/// In one line.
impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Count { made, at_once } = self.all;
        write!(f, "{made} calls, {at_once} at once:")?;
        for (call, Count { made, at_once }) in &self.by_kind {
            write!(f, " {call:?} {made} ({at_once})")?;
        }
        Ok(())
    }
}

#[derive(Default)]
struct State {
    counts: Counts,
    in_flight: BTreeMap<Call, u64>,
    all_in_flight: u64,
}

/// Counts calls as they come and go.
#[derive(Default)]
pub struct Counter(Mutex<State>);

impl Counter {
    /// A call has come.
    pub fn came(&self, call: Call) {
        let mut state = self.0.lock().unwrap();
        let state = &mut *state;
        let in_flight = state.in_flight.entry(call).or_default();
        *in_flight += 1;
        state.all_in_flight += 1;
        let count = state.counts.by_kind.entry(call).or_default();
        count.made += 1;
        count.at_once = count.at_once.max(*in_flight);
        let all = &mut state.counts.all;
        all.made += 1;
        all.at_once = all.at_once.max(state.all_in_flight);
    }

    /// A call is about to be answered.
    pub fn went(&self, call: Call) {
        let mut state = self.0.lock().unwrap();
        *state.in_flight.entry(call).or_default() -= 1;
        state.all_in_flight -= 1;
    }

    pub fn counts(&self) -> Counts {
        self.0.lock().unwrap().counts.clone()
    }

    /// Forgets what was counted; what is in flight stays so.
    pub fn start(&self) {
        self.0.lock().unwrap().counts = Counts::default();
    }
}
