//! A command line carried out on a scene, in memory: what the rules say of each name.

use std::ffi::CString;

use annulet::copy::case::{Case, Same};
use annulet::copy::entry::{Entry, Grip, Occupant, Source};
use annulet::copy::options::{Backup, Flags, Preserve};
use annulet::copy::plan::{
    Admission, Decision, Met, ParentDecision, RULES, Reason, decide, decide_parent,
};
use annulet::copy::same::same;
use annulet::copy::{Place as EntryPlace, basename};
use annulet::report::{Failure, Message};
use annulet::sys::{self, CWD, Errno, FileId, FileType, Stat};

use super::command::Command;
use super::facts::InMemory;
use super::making::Way;
use super::scene::{HERE, Number, Place, Scene, split, trim};
use super::words::{rendered, text};

/// What the rules say of one name.
#[derive(Debug)]
pub struct Step {
    /// Each rule that has something to say, and what, in the order of [`RULES`].
    pub said: Vec<(&'static str, String)>,
    /// What comparing source and destination comes to, where something is there.
    pub same: Option<Same>,
}

/// What being met before came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Admitted {
    pub met: Met,
    pub is_followed: bool,
    pub admission: Admission,
}

/// What was decided about a directory that leads to an operand, and by what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parent {
    pub there: Option<FileType>,
    pub source: Option<sys::Result<FileType>>,
    pub decision: ParentDecision,
}

/// A source that was copied.
pub struct Copied {
    pub source: Number,
    pub path: String,
    pub file: Number,
    /// What the path names.
    pub named: Number,
}

/// What was met.
#[derive(Default)]
pub struct Seen {
    /// Operands, each with its path.
    pub given: Vec<(Number, String)>,
    /// What was made of operands, each with its path.
    pub created: Vec<(Number, String)>,
    /// Files that may turn up again.
    pub copied: Vec<Copied>,
    /// Directories that were operands, each with the path of its copy.
    pub directories: Vec<(Number, String)>,
    /// Directories that were made.
    pub made: Vec<Number>,
}

/// The operand that is copied.
#[derive(Default)]
pub struct Operand {
    pub shown: [String; 2],
    /// Nothing more of it is copied.
    pub is_stopped: bool,
}

/// A directory that the copy is in.
pub struct Level {
    pub source: Number,
    pub copy: Number,
    pub existed: bool,
}

/// One name.
pub struct Name {
    pub src: Place,
    pub dst: Place,
    /// Both paths, as messages show them.
    pub shown: [String; 2],
    pub is_operand: bool,
    pub is_absent: bool,
}

/// A command line that is carried out.
pub struct Run {
    pub scene: Scene,
    pub command: Command,
    pub is_many: bool,
    /// Whether a call fails of which only the kernel knows; what the scene is then is not known.
    pub fails: bool,
    pub steps: Vec<Step>,
    pub admitted: Vec<Admitted>,
    pub parents: Vec<Parent>,
    /// The messages, and whether any tells of a failure.
    pub told: String,
    pub has_failed: bool,
    pub seen: Seen,
    /// The directories that the copy is in.
    pub levels: Vec<Level>,
    pub operand: Operand,
}

impl Run {
    /// Carries a command line out.
    pub fn new(scene: Scene, command: Command) -> Self {
        let mut run = Self {
            scene,
            command,
            is_many: false,
            fails: false,
            steps: Vec::new(),
            admitted: Vec::new(),
            parents: Vec::new(),
            told: String::new(),
            has_failed: false,
            seen: Seen::default(),
            levels: Vec::new(),
            operand: Operand::default(),
        };
        run.copy_operands();
        run
    }

    fn has(&self, flags: Flags) -> bool {
        self.command.options.has(flags)
    }

    fn copy_operands(&mut self) {
        let mut sources = self.command.operands.clone();
        let last = sources.pop().expect("operands");
        let found = self.scene.find(&Place::new(HERE, &last), true);
        let dir = found.ok().filter(|&number| {
            !self.command.is_no_target && self.scene.kind(number) == FileType::Directory
        });
        self.is_many = dir.is_some() && sources.len() > 1;
        let is_absent = !self.command.is_no_target && found == Err(Errno::ENOENT);
        for source in sources {
            self.operand.is_stopped = false;
            let Some(dir) = dir else {
                let last = self.backup_of_itself(&source, &last);
                self.copy_operand(&source, Place::new(HERE, &last), last.clone(), is_absent);
                continue;
            };
            let root = trim(&last);
            if self.has(Flags::PARENTS) {
                self.copy_with_parents(&source, dir, root);
                continue;
            }
            let name = basename(source.as_bytes());
            let name = str::from_utf8(name).expect("UTF-8");
            self.copy_operand(&source, Place::new(dir, name), join(root, name), false);
        }
    }

    /// Where a file goes that is copied onto itself with `-b -f`: to where it would be kept.
    fn backup_of_itself(&mut self, source: &str, dst: &str) -> String {
        let is_regular = |run: &Self| {
            let found = run.scene.find(&Place::new(HERE, dst), true);
            found.is_ok_and(|number| run.scene.kind(number) == FileType::Regular)
        };
        let options = &self.command.options;
        if source == dst
            && options.has(Flags::FORCE)
            && options.backup != Backup::None
            && is_regular(self)
        {
            let kept = self.kept_as(dst);
            self.command.options.backup = Backup::None;
            return kept;
        }
        dst.to_owned()
    }

    /// The name under which another is kept.
    pub fn kept_as(&self, name: &str) -> String {
        match self.command.options.backup {
            Backup::Numbered => format!("{name}.~1~"),
            _ => format!("{name}~"),
        }
    }

    fn copy_operand(&mut self, src: &str, dst: Place, dst_shown: String, is_absent: bool) {
        self.operand.shown = [src.to_owned(), dst_shown];
        self.copy_name(&Name {
            src: Place::new(HERE, src),
            dst,
            shown: self.operand.shown.clone(),
            is_operand: true,
            is_absent,
        });
    }

    fn copy_with_parents(&mut self, src: &str, root: Number, root_shown: &str) {
        let path = trim(src);
        let (above, name) = split(path);
        let is_untouched = self.scene.find(&Place::new(root, above), true).is_ok();
        let mut dir = root;
        for (end, _) in path.match_indices('/') {
            let Some(entered) = self.enter_parent(&path[..end], dir, root_shown, is_untouched)
            else {
                return;
            };
            dir = entered;
        }
        self.copy_operand(src, Place::new(dir, name), join(root_shown, path), false);
        self.levels.clear();
    }

    /// Goes into a directory that leads to an operand.
    fn enter_parent(
        &mut self,
        path: &str,
        dir: Number,
        root_shown: &str,
        is_untouched: bool,
    ) -> Option<Number> {
        let dst = Place::new(dir, split(path).1);
        let there = self.scene.find(&dst, true).ok();
        let kept = Preserve::MODE | Preserve::OWNERSHIP | Preserve::TIMESTAMPS;
        let keeps = self.command.options.preserve.intersects(kept);
        let is_wanted = !is_untouched && (there.is_none() || keeps);
        let kind_of = |number| self.scene.kind(number);
        let looked = self.scene.find(&Place::new(HERE, path), true).map(kind_of);
        let source = is_wanted.then_some(looked);
        let there_kind = there.map(kind_of);
        let decision = decide_parent(there_kind, source);
        self.parents.push(Parent {
            there: there_kind,
            source,
            decision,
        });
        match decision {
            ParentDecision::Enter => there,
            ParentDecision::Make => {
                let made = self.scene.add(FileType::Directory, "");
                self.scene.put(&dst, made);
                Some(made)
            }
            ParentDecision::Refuse(failure) => {
                self.tell(failure, &[path, &join(root_shown, path)]);
                None
            }
        }
    }

    /// As `copy::execute::copy_name`.
    pub fn copy_name(&mut self, name: &Name) {
        let is_followed = self.command.options.follows(name.is_operand);
        let number = match self.scene.find(&name.src, is_followed) {
            Ok(number) => number,
            Err(errno) => return self.tell_of(name, Failure::new(Message::StatSource, errno)),
        };
        let source = Source {
            stat: self.scene.stat(number),
            grip: Grip::Name,
            is_followed,
        };
        let occupant = self.look(name, &source);
        let decision = self.decide(name, number, &source, &occupant);
        let is_given_twice =
            matches!(decision, Decision::Refuse(failure) if failure.message == Message::GivenTwice);
        if !is_given_twice
            && name.is_operand
            && self.is_many
            && !source.is_directory()
            && self.command.options.backup == Backup::None
        {
            self.seen.given.push((number, name.shown[0].clone()));
        }
        match decision {
            Decision::Go(plan) => {
                let occupant = &occupant;
                self.execute(name, number, is_followed, Way { plan, occupant });
            }
            Decision::Refuse(failure) => self.tell_of(name, failure),
            Decision::Leave(Reason::UpToDate) => {
                let there = occupant.there().expect("what stands for the source");
                let file = number_of(there.id);
                let named = occupant.through().map_or(file, number_of);
                if self.link_to_earlier(name, number, is_followed) {
                    self.record_copy(name, number, file, named);
                }
            }
            Decision::Leave(_) => {}
            // What was not answered is declined.
            Decision::Ask(_) => self.has_failed = true,
        }
    }

    /// As [`Occupant::look`].
    fn look(&self, name: &Name, source: &Source) -> Occupant {
        let options = &self.command.options;
        let writes_through = options.writes_through(source.stat.kind);
        if self.levels.last().is_some_and(|level| !level.existed) {
            return Occupant::NotLooked;
        }
        if name.is_absent && writes_through {
            return Occupant::NothingFollowed;
        }
        let itself = match self.scene.stat_at(&name.dst, false) {
            Ok(itself) => itself,
            Err(Errno::ENOENT) => return Occupant::Nothing,
            Err(errno) => return Occupant::Unreadable(errno),
        };
        let leads_to = self.scene.stat_at(&name.dst, true);
        let is_directory = |stat: &Stat| stat.kind == FileType::Directory;
        let is_kept = options.has(Flags::KEEP_DIRECTORY_SYMLINK)
            && source.is_directory()
            && leads_to.as_ref().is_ok_and(is_directory);
        if itself.kind == FileType::Symlink && (writes_through || is_kept) {
            if leads_to.as_ref().is_err_and(|errno| *errno == Errno::ELOOP) && options.forces() {
                return Occupant::Loop(itself);
            }
            return Occupant::Symlink { itself, leads_to };
        }
        Occupant::There(itself)
    }

    /// Asks the rules, all of them, and once more what the user has said yes to.
    fn decide(
        &mut self,
        name: &Name,
        number: Number,
        source: &Source,
        occupant: &Occupant,
    ) -> Decision {
        let names = [&name.src, &name.dst].map(|place| CString::new(&*place.name).expect("no NUL"));
        let [src, dst] = [0, 1].map(|side: usize| EntryPlace {
            dir: CWD,
            name: &names[side],
        });
        let entry = Entry {
            src,
            dst,
            shown: [0, 1].map(|side: usize| name.shown[side].as_bytes()),
            hint: FileType::Unknown,
            is_operand: name.is_operand,
            is_absent: name.is_absent,
            above: &[],
            operand_ends: (0, 0),
        };
        let facts = InMemory {
            run: self,
            name,
            number,
        };
        let case = || Case::new(&self.command.options, &entry, source, occupant, &facts);
        let mut decision = decide(&case());
        let mut told = String::new();
        let mut steps = vec![step(name, decision, &case)];
        if let Decision::Ask(question) = decision {
            told = rendered(Failure::without_errno(question), &name.shown);
            if self.command.answer == Some(true) {
                decision = decide(&case().answered());
                steps.push(step(name, decision, &|| case().answered()));
            }
        }
        self.steps.append(&mut steps);
        self.told.push_str(&told);
        decision
    }

    /// Tells that a name is not copied.
    pub fn tell_of(&mut self, name: &Name, failure: Failure) {
        self.tell(failure, &[&name.shown[0], &name.shown[1]]);
    }

    /// Tells of a failure, or of what is worth a warning.
    pub fn tell(&mut self, failure: Failure, names: &[&str; 2]) {
        let names = names.map(str::to_owned);
        self.told.push_str(&rendered(failure, &names));
        self.told.push('\n');
        self.has_failed |= !failure.message.is_warning();
    }

    /// Whether two paths are one entry of one directory.
    pub fn is_one_entry(&self, a: &str, b: &str) -> bool {
        let [a, b] = [a, b].map(|path| self.scene.holder(&Place::new(HERE, path)));
        a.is_ok() && a == b
    }
}

/// What each rule says of a case by itself. The first is the one that counts.
fn step<'c>(name: &Name, decision: Decision, case: &dyn Fn() -> Case<'c>) -> Step {
    let mut said = Vec::new();
    for (rule, says) in RULES {
        if let Some(decision) = says(&case()) {
            said.push((*rule, text(decision, case().occupant, &name.shown)));
        }
    }
    assert_eq!(
        said[0].1,
        text(decision, case().occupant, &name.shown),
        "what counts"
    );
    let case = case();
    let same = case.there().map(|there| same(&case, there));
    Step { said, same }
}

/// The path of a name in a directory.
pub fn join(dir: &str, name: &str) -> String {
    let between = if dir.ends_with('/') { "" } else { "/" };
    format!("{dir}{between}{name}")
}

/// Which file has that identity.
pub fn number_of(file: FileId) -> Number {
    usize::try_from(file.ino).expect("a number") - 1
}
