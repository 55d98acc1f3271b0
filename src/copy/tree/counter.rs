//! What a walk does to count what there is to copy, for `--progress`; and the thread that does so
//! and shows how far the copy has come.

use super::level::Directory;
use super::task::Task;
use super::walk::{DIRENT_BYTES, Visit, Walk};
use crate::copy::census::Census;
use crate::copy::entry::Entry;
use crate::copy::handle::following;
use crate::copy::options::Flags;
use crate::copy::shared::Shared;
use crate::data::plain::{self, NO_MODE};
use crate::report::Occasion;
use crate::sys::{self, BorrowedFd, Buffer, DirEntry, FileType, OFlags};

/// How often the line is renewed, and how often one is written where it cannot be.
const STEP_MS: u64 = 200;
const STEP_ELSEWHERE_MS: u64 = 10_000;

/// So many entries are looked at between two looks at the clock.
const LOOK_EVERY: u32 = 64;

/// For so long the thread that counts rests after [`LOOK_EVERY`] entries the second time. They
/// take it a fortieth of that: so exactness costs a copy no more than that part of a processor.
const REST_MS: u64 = 4;

/// Counts what there is and shows how far the copy has come, until it ends.
pub fn count_and_show(shared: &Shared<'_>) {
    // This thread alone answers signals: those that copy are not interrupted.
    sys::let_usr1(true);
    shared.progress.begin();
    let mut counter = Counter::new(shared);
    let mut task = Task::default();
    if shared.may_count() {
        counter.count_operands(&mut task);
        if counter.census.end_of_names() {
            counter.rest_ms = REST_MS;
            counter.count_operands(&mut task);
        }
        counter.census.end_of_sizes();
    }
    // A signal that comes just before it waits is seen after it.
    while !shared.counting.copy_ended.wait(STEP_MS) {
        counter.show_if_due();
    }
    counter.show(Occasion::End);
}

/// Counts what a walk comes to, and shows now and then how far the copy has come.
struct Counter<'s, 'a> {
    shared: &'s Shared<'a>,
    census: Census,
    /// For names as the kernel gives them.
    buffer: Option<Buffer>,
    next_ms: u64,
    step_ms: u64,
    looks: u32,
    /// How long it rests now and then.
    rest_ms: u64,
    /// The copy has ended.
    is_over: bool,
}

impl<'s, 'a> Counter<'s, 'a> {
    fn new(shared: &'s Shared<'a>) -> Self {
        let renews = shared.reporter().renews_progress();
        let step_ms = if renews { STEP_MS } else { STEP_ELSEWHERE_MS };
        let options = &shared.options;
        Self {
            shared,
            census: Census::new(
                options.follows_all(),
                options.makes_links() || !options.copies_data(),
            ),
            buffer: None,
            next_ms: shared.progress.begun_ms() + step_ms,
            step_ms,
            looks: 0,
            rest_ms: 0,
            is_over: false,
        }
    }

    /// Counts all operands with all they hold.
    fn count_operands(&mut self, task: &mut Task) {
        let shared = self.shared;
        for source in shared.line.operands {
            task.begin_operand();
            task.src.start(b"", source.to_bytes());
            let mut walk = Walk {
                shared,
                visit: self,
                task,
            };
            walk.visit_operand_alone();
        }
    }

    /// Looks at a name, as far as it may be gone down into or is to be counted.
    fn look(&mut self, entry: &Entry<'_>) -> Option<Directory> {
        let options = &self.shared.options;
        let is_uncounted = entry.hint != FileType::Regular;
        let Ok(stat) = entry.src.stat(options.follows(entry.is_operand)) else {
            if !is_uncounted {
                self.census.look(None, false);
            }
            return None;
        };
        match stat.kind {
            FileType::Regular => self.census.look(Some(stat.size_bytes), is_uncounted),
            FileType::Directory if !options.has(Flags::RECURSIVE) => {}
            FileType::Directory => {
                // Through no symlink but an operand: where others lead, this might never end.
                let flags = OFlags::DIRECTORY | following(entry.is_operand);
                let src = plain::open(entry.src.dir, entry.src.name, flags, NO_MODE).ok()?;
                return Some(Directory {
                    src: Some(src),
                    src_stat: Some(stat),
                    ..Directory::default()
                });
            }
            _ => self.census.look_at_other(),
        }
        None
    }

    /// Shows where the copy stands if it is time to, or a signal asks.
    fn show_if_due(&mut self) {
        if self.shared.progress.is_asked() {
            self.show(Occasion::Signal);
        }
        let now = sys::monotonic_ms();
        if now >= self.next_ms {
            self.next_ms = now + self.step_ms;
            self.show(Occasion::Renewal);
        }
    }

    fn show(&self, occasion: Occasion) {
        let progress = &self.shared.progress;
        let total = self.census.total(progress.opened());
        progress.show(Some(total), occasion);
    }
}

impl Visit for Counter<'_, '_> {
    fn enter(&mut self, entry: &Entry<'_>) -> Option<Directory> {
        let found = self.look(entry);
        self.looks += 1;
        if self.looks.is_multiple_of(LOOK_EVERY) {
            self.show_if_due();
            self.is_over = self.shared.counting.copy_ended.wait(self.rest_ms);
        }
        found
    }

    fn is_over(&self) -> bool {
        self.is_over
    }

    fn list(
        &mut self,
        dir: BorrowedFd<'_>,
        take: &mut dyn FnMut(&DirEntry<'_>, bool),
    ) -> sys::Result<()> {
        let buffer = plain::buffer(&mut self.buffer, DIRENT_BYTES)?;
        for entry in sys::getdents64(dir, buffer)? {
            let is_counted = self.census.passes_over(entry.kind);
            take(&entry, !is_counted);
        }
        Ok(())
    }
}
