//! What a walk does to copy: each name by the worker's [`Engine`].

use core::ffi::CStr;

use super::level::Directory;
use super::task::Task;
use super::walk::{DIRENT_BYTES, Visit, Walk};
use crate::copy::directory;
use crate::copy::engine::{Engine, Job};
use crate::copy::entry::Entry;
use crate::copy::held;
use crate::copy::path::Place;
use crate::report::{Failure, Result};
use crate::sys::{self, BorrowedFd, DirEntry, Errno, FileType, OFlags, OwnedFd, Stat};

/// Copies what a walk comes to.
pub struct Copier<'e, 'a> {
    pub engine: &'e mut Engine<'a>,
}

impl Visit for Copier<'_, '_> {
    fn enter(&mut self, entry: &Entry<'_>) -> Option<Directory> {
        let engine = &mut *self.engine;
        let progress = &engine.shared.progress;
        engine.team.count_name();
        engine.data.is_opened = false;
        let mut job = Job::new(entry, &engine.options);
        engine.copy_name(&mut job);
        if job.stat.kind == FileType::Regular && !engine.data.is_opened {
            progress.open(job.stat.size_bytes, false);
        }
        if job.stat.kind != FileType::Directory {
            progress.finished();
        }
        if !entry.is_operand {
            engine.team.notice_cold();
        }
        job.into_directory()
    }

    fn leave(&mut self, dir: &Directory, name: &CStr, shown: &[&[u8]; 2]) -> Result<()> {
        match &dir.dst {
            Some(dst) if !dir.is_untouched => {
                directory::finish(self.engine, dir, dst.as_fd(), name, shown)
            }
            _ => Ok(()),
        }
    }

    fn fail(&mut self, failure: Failure, shown: &[&[u8]; 2]) {
        self.engine.settle(shown, Err(failure));
    }

    fn list(
        &mut self,
        dir: BorrowedFd<'_>,
        take: &mut dyn FnMut(&DirEntry<'_>, bool),
    ) -> sys::Result<()> {
        let buffer = self.engine.data.ranges.buffer()?;
        let buffer = buffer.get_mut(..DIRENT_BYTES).unwrap_or_default();
        for entry in sys::getdents64(dir, buffer)? {
            take(&entry, true);
        }
        Ok(())
    }

    fn may_share(&mut self, task: &mut Task) -> bool {
        self.engine.team.may_share(&self.engine.options, task)
    }

    fn read_ahead(&mut self, file: &Place<'_>) {
        // Advice only: whatever goes wrong, goes wrong again when it matters.
        if let Ok(file) = self.open_listed(file) {
            let _ = sys::fadvise_will_need(file.as_fd(), 0..0);
        }
    }
}

impl Copier<'_, '_> {
    /// Opens what its directory lists as a regular file, if it is one.
    fn open_listed(&mut self, place: &Place<'_>) -> sys::Result<OwnedFd> {
        let opener = &mut self.engine.opener;
        if opener.is_missing() {
            return held::open_listed(place);
        }
        let mut stat = Stat::default();
        let held = held::hold(place, false, &mut stat)?;
        if stat.kind == FileType::Regular {
            opener.open(&held, OFlags::RDONLY)
        } else {
            Err(Errno::ESTALE)
        }
    }
}

impl Engine<'_> {
    /// Copies `src`, relative to the working directory, to `dst`, relative to the copy's root,
    /// with all it holds. `is_absent` says that nothing was found at `dst`.
    pub fn copy_operand(&mut self, task: &mut Task, src: &CStr, dst: &CStr, is_absent: bool) {
        let shared = self.shared;
        shared.begin_operand();
        task.begin_operand();
        task.src.start(b"", src.to_bytes());
        task.dst.start(shared.target.root_path, dst.to_bytes());
        Walk::new(shared, &mut Copier { engine: self }, task).visit_operand(is_absent);
    }
}
