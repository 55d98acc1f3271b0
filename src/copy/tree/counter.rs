//! What a walk does to count what there is to copy, for `--progress`; and the thread that does so
//! and shows how far the copy has come.

use super::level::Directory;
use super::task::Task;
use super::walk::{DIRENT_BYTES, Visit, Walk};
use crate::copy::census::Census;
use crate::copy::entry::Entry;
use crate::copy::options::{Flags, Follow};
use crate::copy::shared::Shared;
use crate::data::plain::{self, NO_MODE};
use crate::report::Occasion;
use crate::sys::{
    self, AtFlags, BorrowedFd, Buffer, DirEntry, Errno, FileType, OFlags, OwnedFd, Stat,
};

/// How often the line is renewed, and how often one is written where it cannot be.
const STEP_MS: u64 = 200;
const STEP_ELSEWHERE_MS: u64 = 10_000;

/// So many entries are looked at between two looks at the clock.
const LOOK_EVERY: u32 = 64;

/// For so long the thread that counts rests after [`LOOK_EVERY`] entries the second time. They
/// take it a fortieth of that: so exactness costs a copy no more than that part of a processor.
const REST_MS: u64 = 4;

/// With these no data is copied.
const NO_DATA: Flags = Flags::ATTRIBUTES_ONLY
    .union(Flags::LINK)
    .union(Flags::SYMLINK);

/// Counts what there is and shows how far the copy has come, until it ends.
pub fn count_and_show(shared: &Shared<'_>) {
    // This thread alone answers signals: those that copy are not interrupted.
    sys::let_usr1(true);
    shared.progress.begin();
    let mut counter = Counter::new(shared);
    let mut task = Task::new();
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
        let mut step_ms = STEP_ELSEWHERE_MS;
        if shared.reporter().renews_progress() {
            step_ms = STEP_MS;
        }
        let options = &shared.options;
        Self {
            shared,
            census: Census::new(options.follow == Follow::Always, options.has(NO_DATA)),
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
        for source in shared.counting.sources {
            task.begin_operand();
            task.src.start(b"", source.to_bytes());
            Walk::new(shared, self, task).visit_operand_alone();
        }
    }

    /// Looks at a name, as far as it may be gone down into or is to be counted.
    fn look(&mut self, entry: &Entry<'_>) -> Option<Directory> {
        let options = &self.shared.options;
        let is_uncounted = entry.hint != FileType::Regular;
        let mut flags = AtFlags::SYMLINK_NOFOLLOW;
        if entry.is_followed(options.follow) {
            flags = AtFlags::empty();
        }
        let mut stat = Stat::default();
        if entry.src.stat(flags, &mut stat).is_err() {
            if !is_uncounted {
                self.census.look(None, false);
            }
            return None;
        }
        match stat.kind {
            FileType::Regular => self.census.look(Some(stat.size_bytes), is_uncounted),
            FileType::Directory if !options.has(Flags::RECURSIVE) => {}
            FileType::Directory => {
                return open(entry).map(|src| Directory::counted(src, stat));
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
        if self.buffer.is_none() {
            self.buffer = Some(Buffer::new(DIRENT_BYTES)?);
        }
        let buffer = self.buffer.as_deref_mut().ok_or(Errno::ENOMEM)?;
        for entry in sys::getdents64(dir, buffer)? {
            let is_counted = self.census.passes_over(entry.kind);
            take(&entry, !is_counted);
        }
        Ok(())
    }
}

/// Opens a directory to be counted, through no symlink but an operand: where others lead, this
/// might never end.
fn open(entry: &Entry<'_>) -> Option<OwnedFd> {
    let mut flags = OFlags::DIRECTORY;
    if !entry.is_operand {
        flags |= OFlags::NOFOLLOW;
    }
    plain::open(entry.src.dir, entry.src.name, flags, NO_MODE).ok()
}
