//! The look-ups that rules may need, made where the files are.

use alloc::vec::Vec;

use super::entry::{Look, Name};
use super::path::{Place, basename, last_part, same_entry, trim_slashes};
use super::plan::{Facts, Side};
use super::seen::Role;
use super::worker::Worker;
use crate::sys::{self, FileId, Stat, c_string};

/// What can be found out about a name.
pub struct Found<'a> {
    /// Who copies it.
    pub worker: &'a Worker<'a>,
    /// The name.
    pub name: &'a Name<'a>,
    /// Whether it was looked at before.
    pub look: Look,
}

impl Found<'_> {
    const fn place(&self, side: Side) -> &Place<'_> {
        match side {
            Side::Source => &self.name.entry.src,
            Side::Destination => &self.name.entry.dst,
        }
    }
}

impl Facts for Found<'_> {
    fn same_entry(&self) -> bool {
        same_entry(self.name.entry.src_shown(), self.name.entry.dst_shown())
    }

    fn are_held_apart(&self) -> bool {
        match (holder(&self.name.entry.src), holder(&self.name.entry.dst)) {
            (Ok(of_src), Ok(of_dst)) => of_src.id != of_dst.id,
            _ => false,
        }
    }

    fn itself(&self, side: Side) -> sys::Result<Stat> {
        self.place(side).stat(false)
    }

    fn led_to(&self, side: Side) -> sys::Result<Stat> {
        self.place(side).stat(true)
    }

    fn created_here(&self, id: FileId) -> bool {
        let here = self.name.entry.dst_shown();
        let files = || self.worker.shared.seen.files();
        let may_be = self.worker.may_meet(self.name.entry);
        may_be && files().any(Role::Created, &id, &|path| path == here)
    }

    fn given_before(&self) -> bool {
        let path = self.name.entry.src_shown();
        let is_same = |earlier: &[u8]| same_entry(earlier, path);
        let id = &self.name.source.stat.id;
        let files = || self.worker.shared.seen.files();
        let is_first = self.look == Look::First;
        is_first && self.worker.may_meet(self.name.entry) && files().any(Role::Given, id, &is_same)
    }

    fn is_its_copy(&self, there: FileId) -> bool {
        let mut files = self.worker.shared.seen.files();
        files.is_copy(&self.name.source.stat.id, &there)
    }

    fn is_own_backup(&self) -> bool {
        let dst = &self.name.entry.dst;
        let name = trim_slashes(dst.name.to_bytes());
        let mut path = Vec::new();
        let suffix = self.worker.options().suffix;
        let backup = Place {
            dir: dst.dir,
            name: c_string(&mut path, name, suffix),
        };
        last_part(backup.name.to_bytes()) == basename(self.name.entry.src_shown())
            && backup
                .stat(true)
                .is_ok_and(|found| found.id == self.name.source.stat.id)
    }

    fn may_write(&self) -> bool {
        let dst = &self.name.entry.dst;
        sys::geteuid() == 0 || sys::may_write(dst.dir, dst.name)
    }
}

/// The directory that holds a name, a symlink to it as itself.
fn holder(place: &Place<'_>) -> sys::Result<Stat> {
    let name = trim_slashes(place.name.to_bytes());
    let above = name.len() - last_part(name).len();
    let parent = trim_slashes(name.get(..above).unwrap_or_default());
    let here = Place {
        dir: place.dir,
        name: c".",
    };
    if parent.is_empty() {
        return here.stat(true);
    }
    let mut path = Vec::new();
    let name = c_string(&mut path, b"", parent);
    Place { name, ..here }.stat(false)
}
