//! A stand-in for file systems that are far away: a FUSE file system that hands every call on to
//! a folder, after a wait. It answers many calls at once, as servers do, counts them, and notes
//! in which order files are written.
//!
//! It needs root, `/dev/fuse` and mount(2), and neither libfuse nor fusermount. What is in the
//! folder is changed through the mount only, and lies on one file system.
#![allow(unsafe_code, dead_code)]

mod calls;
mod nodes;
mod passthrough;
mod system;

use std::ffi::CString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use fuser::{BackgroundSession, Config, MountOption, Session, SessionACL};

#[allow(unused_imports)] // who includes this takes what it needs
pub use calls::{Call, Count, Counts};
use passthrough::{Passthrough, Shared};

/// So many calls are answered at once.
const THREADS: usize = 128;

/// How the file system behaves.
pub struct Behaviour {
    /// How long a call waits before it is done.
    pub delay: Box<dyn Fn(Call) -> Duration + Send + Sync>,
    /// The errno a call fails with after its wait, or 0. Asked once a call.
    pub error: Box<dyn Fn(Call) -> i32 + Send + Sync>,
    /// A read gives so many bytes at most. The page cache would take that for the file's end, so
    /// reads go past it then.
    pub most_read: Option<usize>,
    /// So many reads ahead are in flight at most, for all files together. libfuse has 12.
    pub background: u16,
}

impl Default for Behaviour {
    /// A file system that is near, and has no faults.
    fn default() -> Self {
        Self {
            delay: Box::new(|_| Duration::ZERO),
            error: Box::new(|_| 0),
            most_read: None,
            background: 12,
        }
    }
}

impl Behaviour {
    /// Each call waits for so long.
    #[must_use]
    pub fn waiting(delay: Duration) -> Self {
        Self {
            delay: Box::new(move |_| delay),
            ..Self::default()
        }
    }
}

/// The file system, mounted until this is dropped.
pub struct Mounted {
    at: CString,
    shared: Arc<Shared>,
    session: Option<BackgroundSession>,
}

/// Shows `folder` at `at`.
///
/// # Errors
///
/// Where there is no `/dev/fuse`, or nothing can be mounted.
pub fn mount(folder: &Path, at: &Path, behaviour: Behaviour) -> io::Result<Mounted> {
    let at_path = CString::new(at.as_os_str().as_bytes())?;
    // fuser has one of 16 MiB for each thread.
    system::map_large_buffers();
    let (file_system, shared) = Passthrough::new(folder, behaviour)?;
    let mut config = Config::default();
    config.mount_options = vec![
        MountOption::FSName("annulet-far".into()),
        MountOption::DefaultPermissions,
        MountOption::Dev,
        MountOption::Suid,
    ];
    config.acl = SessionACL::All;
    config.n_threads = Some(THREADS);
    let session = Session::new(file_system, at, &config)?.spawn()?;
    Ok(Mounted {
        at: at_path,
        shared,
        session: Some(session),
    })
}

impl Mounted {
    /// The calls since the mount, or since [`Self::count_anew`]. Files that a program closed may
    /// be released a moment after it has ended.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.shared.counter.counts()
    }

    /// Counts from nothing again.
    pub fn count_anew(&self) {
        self.shared.counter.start();
    }

    /// Where each write to the file of this name, relative to the mount, began, and its length; in
    /// the order in which they came. For two in flight at once that order means nothing:
    /// [`Counts`] tells.
    #[must_use]
    pub fn writes(&self, name: impl AsRef<Path>) -> Vec<(u64, usize)> {
        self.shared.writes(name.as_ref())
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let clean = system::unmount(&self.at, 0).is_ok();
        if !clean {
            // Somebody still has something open there: the name goes now, the rest with them.
            let _ = system::unmount(&self.at, libc::MNT_DETACH);
        }
        let session = self.session.take().filter(|_| clean);
        if let Some(session) = session {
            let ended = session.join();
            // A second failure at once would end all tests.
            assert!(ended.is_ok() || thread::panicking(), "{ended:?}");
        }
    }
}
