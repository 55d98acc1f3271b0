//! The look-ups that rules may need, made in memory: as `src/copy/facts.rs` makes them.

use annulet::copy::basename;
use annulet::copy::case::{Facts, Side};
use annulet::sys::{self, FileId, Stat};

use super::model::{Name, Run};
use super::scene::{Number, Place, id, split, trim};

/// What can be found out about a name.
pub struct InMemory<'a> {
    pub run: &'a Run,
    pub name: &'a Name,
    /// The source.
    pub number: Number,
}

impl InMemory<'_> {
    fn place(&self, side: Side) -> &Place {
        match side {
            Side::Source => &self.name.src,
            Side::Destination => &self.name.dst,
        }
    }

    /// The directory that holds a name, a symlink to it as itself.
    fn holder(&self, side: Side) -> sys::Result<Number> {
        let place = self.place(side);
        self.run
            .scene
            .find(&Place::new(place.dir, split(&place.name).0), false)
    }
}

impl Facts for InMemory<'_> {
    fn same_entry(&self) -> bool {
        self.run
            .is_one_entry(&self.name.shown[0], &self.name.shown[1])
    }

    fn are_held_apart(&self) -> bool {
        match (self.holder(Side::Source), self.holder(Side::Destination)) {
            (Ok(of_src), Ok(of_dst)) => of_src != of_dst,
            _ => false,
        }
    }

    fn itself(&self, side: Side) -> sys::Result<Stat> {
        self.run.scene.stat_at(self.place(side), false)
    }

    fn led_to(&self, side: Side) -> sys::Result<Stat> {
        self.run.scene.stat_at(self.place(side), true)
    }

    fn created_here(&self, file: FileId) -> bool {
        let here = &self.name.shown[1];
        let is_it = |(made, path): &(Number, String)| id(*made) == file && path == here;
        self.name.is_operand && self.run.seen.created.iter().any(is_it)
    }

    fn given_before(&self) -> bool {
        let path = &self.name.shown[0];
        let mut given = self.run.seen.given.iter();
        self.name.is_operand
            && self.run.is_many
            && given.any(|(number, earlier)| {
                *number == self.number && self.run.is_one_entry(earlier, path)
            })
    }

    fn is_its_copy(&self, there: FileId) -> bool {
        let mut copied = self.run.seen.copied.iter();
        let found = copied.find(|copied| copied.source == self.number);
        found.is_some_and(|copied| id(copied.file) == there)
    }

    fn is_own_backup(&self) -> bool {
        let dst = &self.name.dst;
        let suffix = str::from_utf8(self.run.command.options.suffix).expect("UTF-8");
        let backup = format!("{}{suffix}", trim(&dst.name));
        split(&backup).1.as_bytes() == basename(self.name.shown[0].as_bytes())
            && self.run.scene.find(&Place::new(dst.dir, &backup), true) == Ok(self.number)
    }

    fn may_write(&self) -> bool {
        let found = self.run.scene.stat_at(&self.name.dst, true);
        let may = |stat: &Stat| stat.mode.bits() & 0o200 != 0;
        !self.run.command.is_ordinary || found.as_ref().is_ok_and(may)
    }
}
