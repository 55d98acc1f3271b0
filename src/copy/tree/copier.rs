//! What a walk does to copy: each name by the worker.

use core::ffi::CStr;

use super::level::Directory;
use super::task::Task;
use super::walk::{DIRENT_BYTES, Visit, Walk};
use crate::copy::any_order::copy_in_any_order;
use crate::copy::entry::Entry;
use crate::copy::execute::copy_name;
use crate::copy::held::{self, Opener};
use crate::copy::make::directory;
use crate::copy::path::Place;
use crate::copy::worker::Worker;
use crate::report::Failure;
use crate::sys::{self, BorrowedFd, DirEntry, Errno, FileType, OFlags, OwnedFd};

/// Copies what a walk comes to.
pub struct Copier<'e, 'a> {
    pub worker: &'e mut Worker<'a>,
}

impl<'a> Copier<'_, 'a> {
    /// Its walk, wherever `task` stands.
    pub fn walk<'w>(&'w mut self, task: &'w mut Task) -> Walk<'w, 'a> {
        Walk {
            shared: self.worker.shared,
            visit: self,
            task,
        }
    }
}

impl Visit for Copier<'_, '_> {
    fn enter(&mut self, entry: &Entry<'_>) -> Option<Directory> {
        self.worker.team.count_name(&entry.src);
        copy_name(self.worker, entry)
    }

    fn leave(&mut self, dir: &Directory, name: &CStr, shown: &[&[u8]; 2]) {
        if let Some(dst) = &dir.dst
            && let Some(src_stat) = &dir.src_stat
            && let Err(stop) =
                directory::finish(self.worker, dir, src_stat, dst.as_fd(), name, shown)
        {
            self.worker.tell_stop(stop, shown);
        }
    }

    fn fail(&mut self, failure: Failure, shown: &[&[u8]; 2]) {
        self.worker.tell(failure, shown);
    }

    fn list(
        &mut self,
        dir: BorrowedFd<'_>,
        take: &mut dyn FnMut(&DirEntry<'_>, bool),
    ) -> sys::Result<()> {
        let buffer = self.worker.mover.buffer()?;
        let buffer = buffer.get_mut(..DIRENT_BYTES).unwrap_or_default();
        for entry in sys::getdents64(dir, buffer)? {
            take(&entry, true);
        }
        Ok(())
    }

    fn may_share(&mut self, task: &mut Task) -> bool {
        self.worker.team.may_share(task)
    }

    fn take_operands(&mut self, task: &mut Task) {
        copy_in_any_order(self.worker, task);
    }

    fn read_ahead(&mut self, file: &Place<'_>) {
        // Advice only: whatever goes wrong, goes wrong again when it matters.
        if let Ok(file) = open_listed(&mut self.worker.opener, file) {
            let _ = sys::fadvise_will_need(file.as_fd(), 0..0);
        }
    }
}

/// Opens what its directory lists as a regular file, if it is one.
fn open_listed(opener: &mut Opener, place: &Place<'_>) -> sys::Result<OwnedFd> {
    if opener.is_missing() {
        return held::open_listed(place);
    }
    let (held, stat) = held::hold(place, false)?;
    if stat.kind == FileType::Regular {
        opener.open(&held, OFlags::RDONLY)
    } else {
        Err(Errno::ESTALE)
    }
}
