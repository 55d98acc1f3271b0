//! What becomes of a scene: the way is cleared, and what is planned is made.

use annulet::copy::entry::Occupant;
use annulet::copy::options::Follow;
use annulet::copy::plan::{Admission, Clear, Make, Met, Plan, admit};
use annulet::report::{Failure, Message};
use annulet::sys::{Errno, FileType, Stat};

use super::model::{Admitted, Copied, Level, Name, Run, join, number_of};
use super::scene::{HERE, Number, Place, trim};

/// What is planned for what is there.
#[derive(Debug, Clone, Copy)]
pub struct Way<'a> {
    pub plan: Plan,
    pub occupant: &'a Occupant,
}

impl<'a> Way<'a> {
    /// What is written to or filled.
    fn there(&self) -> Option<&'a Stat> {
        self.plan.reused(self.occupant)
    }
}

impl Run {
    /// Does what is planned for a name.
    pub fn execute(&mut self, name: &Name, number: Number, is_followed: bool, way: Way<'_>) {
        let plan = way.plan;
        match plan.clear {
            Clear::Nothing => {}
            Clear::Remove => self.scene.remove(&name.dst),
            Clear::BackUp => {
                let moved = self.scene.find(&name.dst, false).expect("what is kept");
                self.scene.remove(&name.dst);
                let kept = self.kept_as(trim(&name.dst.name));
                self.scene.put(&Place::new(name.dst.dir, &kept), moved);
            }
        }
        if plan.is_claimed && !self.link_to_earlier(name, number, is_followed) {
            return;
        }
        let Some((file, named)) = self.make(name, number, is_followed, way) else {
            return;
        };
        if plan.is_claimed {
            self.record_copy(name, number, file, named);
        }
        if name.is_operand && self.is_many {
            let made = self.scene.find(&name.dst, false).expect("what was made");
            self.seen.created.push((made, name.shown[1].clone()));
        }
    }

    /// Makes what is planned. Gives the copy, and what its name is the name of.
    fn make(
        &mut self,
        name: &Name,
        number: Number,
        is_followed: bool,
        way: Way<'_>,
    ) -> Option<(Number, Number)> {
        let plan = way.plan;
        if plan.make == Make::Directory {
            let made = self.make_directory(name, number, is_followed, way)?;
            return Some((made, made));
        }
        let mut in_the_way = self.scene.find(&name.dst, false);
        let kind = self.scene.kind(number);
        let (kind, target, replaces) = match plan.make {
            Make::Data { .. } => {
                // A loop cannot be opened, and is removed.
                if let Some(there) = way.there()
                    && there.kind == FileType::Symlink
                {
                    self.scene.remove(&name.dst);
                    in_the_way = Err(Errno::ENOENT);
                } else if let Some(there) = way.there() {
                    let file = number_of(there.id);
                    return Some((file, in_the_way.expect("a name")));
                }
                (FileType::Regular, String::new(), false)
            }
            Make::SymlinkToSource { replaces } => {
                let is_here = self
                    .scene
                    .holder(&name.dst)
                    .is_ok_and(|(dir, _)| dir == HERE);
                if !is_here {
                    self.tell_of(name, Failure::without_errno(Message::LinkElsewhere));
                    return None;
                }
                (FileType::Symlink, name.shown[0].clone(), replaces)
            }
            Make::HardLink { replaces } => {
                if in_the_way.is_ok() && !replaces {
                    return self.fail();
                }
                self.scene.put(&name.dst, number);
                return Some((number, number));
            }
            Make::Symlink { replaces } => (kind, self.scene.file(number).target.clone(), replaces),
            Make::Node | Make::Directory => (kind, String::new(), false),
        };
        if (in_the_way.is_ok() && !replaces) || self.scene.holder(&name.dst).is_err() {
            return self.fail();
        }
        let made = self.scene.add(kind, &target);
        self.scene.put(&name.dst, made);
        Some((made, made))
    }

    fn fail<T>(&mut self) -> Option<T> {
        self.fails = true;
        self.has_failed = true;
        None
    }

    fn make_directory(
        &mut self,
        name: &Name,
        number: Number,
        is_followed: bool,
        way: Way<'_>,
    ) -> Option<Number> {
        let (met, earlier) = self.met_directory(name, number);
        let admission = self.admit(met, is_followed);
        let refused = match admission {
            Admission::Make | Admission::LinkToCopy | Admission::Leave => None,
            Admission::Stop(message) => {
                self.operand.is_stopped = true;
                Some((message, self.operand.shown.clone()))
            }
            Admission::Refuse(Message::Cyclic) => Some((Message::Cyclic, name.shown.clone())),
            Admission::Refuse(Message::LinkToDirectory) => {
                let names = [name.shown[1].clone(), earlier];
                Some((Message::LinkToDirectory, names))
            }
            Admission::Refuse(message) => Some((message, self.operand.shown.clone())),
        };
        if let Some((message, [src, dst])) = refused {
            self.tell(Failure::without_errno(message), &[&src, &dst]);
            return None;
        }
        let in_the_way = self.scene.find(&name.dst, false);
        let copy = match way.there() {
            Some(there) => number_of(there.id),
            None if in_the_way.is_ok() || self.scene.holder(&name.dst).is_err() => {
                return self.fail();
            }
            None => self.scene.add(FileType::Directory, ""),
        };
        let existed = way.there().is_some();
        if !existed {
            self.scene.put(&name.dst, copy);
            self.seen.made.push(copy);
        }
        if name.is_operand {
            let path = name.shown[1].clone();
            self.seen.directories.push((number, path));
        }
        self.levels.push(Level {
            source: number,
            copy,
            existed,
        });
        self.copy_contents(name, number, copy);
        self.levels.pop();
        Some(copy)
    }

    fn copy_contents(&mut self, of: &Name, source: Number, copy: Number) {
        let mut names: Vec<_> = self.scene.file(source).names.clone().into_iter().collect();
        names.sort_by_key(|(_, number)| *number);
        for (held, _) in names {
            if self.operand.is_stopped {
                return;
            }
            self.copy_name(&Name {
                src: Place::new(source, &held),
                dst: Place::new(copy, &held),
                shown: [0, 1].map(|side: usize| join(&of.shown[side], &held)),
                is_operand: false,
                is_absent: false,
            });
        }
    }

    /// As `copy::execute::met_directory`; with where it was copied to.
    fn met_directory(&self, name: &Name, number: Number) -> (Met, String) {
        let follows_all = self.command.options.follow == Follow::Always;
        let mut is_made = self.seen.made.contains(&number);
        let mut is_cyclic = false;
        for level in &self.levels {
            is_made |= !level.existed && level.copy == number;
            is_cyclic |= follows_all && level.source == number;
        }
        let (mut was_here, mut was_elsewhere) = (false, false);
        let mut copied = self.seen.directories.iter();
        let earlier = copied.find(|(source, _)| *source == number);
        let earlier = earlier.map_or("", |(_, path)| path);
        if !earlier.is_empty() {
            is_made |= self.is_one_entry(earlier, &name.shown[0]);
            was_here = self.is_one_entry(earlier, &name.shown[1]);
            was_elsewhere = !was_here;
        }
        let met = Met::Directory {
            is_made,
            is_cyclic,
            was_here,
            was_elsewhere,
        };
        (met, earlier.to_owned())
    }

    /// Links a name to the copy of what is met again. Whether it is still to be copied.
    pub fn link_to_earlier(&mut self, name: &Name, number: Number, is_followed: bool) -> bool {
        let mut copied = self.seen.copied.iter();
        let found = copied.find(|copied| copied.source == number);
        let earlier = found.map(|copied| (copied.path == name.shown[1], copied.file, copied.named));
        let met = match earlier {
            None => Met::Never,
            Some((true, ..)) => Met::FileHere,
            Some(_) => Met::File,
        };
        if self.admit(met, is_followed) == Admission::LinkToCopy {
            let (_, file, named) = earlier.expect("a copy");
            let linked = if is_followed { file } else { named };
            self.scene.put(&name.dst, linked);
        }
        met == Met::Never
    }

    fn admit(&mut self, met: Met, is_followed: bool) -> Admission {
        let admission = admit(met, is_followed);
        self.admitted.push(Admitted {
            met,
            is_followed,
            admission,
        });
        admission
    }

    /// Remembers a copy.
    pub fn record_copy(&mut self, name: &Name, source: Number, file: Number, named: Number) {
        let path = name.shown[1].clone();
        self.seen.copied.push(Copied {
            source,
            path,
            file,
            named,
        });
    }
}
