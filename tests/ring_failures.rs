//! Setting a ring up fails at every step, and leaves nothing behind.
//!
//! Apart from the other tests of the ring, as descriptors and mappings of the whole process
//! are counted; one test at a time, for the same reason.
#![allow(missing_docs, unsafe_code)]

mod support;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::ops::Range;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use annulet::ring::{IoUring, SetupFlags, SlotRing, Sqe, Step};
use annulet::sys::{BorrowedFd, CWD, Errno, Mapping, Result, is_open};

use support::{lend, made, made_in_time, temp_dir};

static ALONE: Mutex<()> = Mutex::new(());

/// Waits for the other tests, unless there are no rings to be had.
fn alone() -> Option<MutexGuard<'static, ()>> {
    let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    made(made_in_time(|| IoUring::new(1))).map(|_| alone)
}

/// Descriptors of this process, and its mappings of rings.
fn resources() -> (usize, usize) {
    let descriptors = fs::read_dir("/proc/self/fd").unwrap().count();
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    (descriptors, maps.matches("[io_uring]").count())
}

/// How many more mappings succeed.
static MAPS_LEFT: AtomicUsize = AtomicUsize::new(0);

fn failing_map(fd: BorrowedFd<'_>, offset: u64, len_bytes: usize) -> Result<Mapping> {
    let left = MAPS_LEFT.load(Ordering::Relaxed);
    if left == 0 {
        return Err(Errno::ENOMEM);
    }
    MAPS_LEFT.store(left - 1, Ordering::Relaxed);
    Mapping::shared(fd, offset, len_bytes)
}

#[test]
fn a_mapping_that_fails() {
    let Some(_alone) = alone() else { return };
    let before = resources();
    for flags in [SetupFlags::empty(), SetupFlags::NO_SQARRAY] {
        let one = IoUring::builder(4).setup_flags(flags);
        if one.build().is_err() {
            continue;
        }
        for (builder, maps) in [(one.clone(), 2), (one.separate_maps(), 3)] {
            for left in 0..maps {
                MAPS_LEFT.store(left, Ordering::Relaxed);
                // SAFETY: the map is the right one, or none.
                let refused = unsafe { builder.build_with(failing_map) };
                assert_eq!(refused.map(drop), Err(Errno::ENOMEM));
                assert_eq!(resources(), before, "at mapping {left} of {maps}");
            }
            MAPS_LEFT.store(maps, Ordering::Relaxed);
            // SAFETY: as above.
            let ring = unsafe { builder.build_with(failing_map) }.unwrap();
            let held = resources();
            assert_eq!(held, (before.0 + 1, before.1 + maps));
            drop(ring);
            assert_eq!(resources(), before);
        }
    }
}

/// A ring's memory is mapped as big as asked for, so a mapping too small to hold what the
/// kernel says lies in it has to be noticed.
#[test]
fn a_mapping_too_small_for_the_kernels_offsets() {
    fn small(fd: BorrowedFd<'_>, offset: u64, _: usize) -> Result<Mapping> {
        Mapping::shared(fd, offset, 16)
    }
    let Some(_alone) = alone() else { return };
    let before = resources();
    // SAFETY: the map is the right one's beginning.
    let refused = unsafe { IoUring::builder(4).build_with(small) };
    assert_eq!(refused.map(drop), Err(Errno::EPROTO));
    assert_eq!(resources(), before);
}

/// Runs `test` in a child with `resource` limited to `limit`; it gives the exit status.
fn limited(resource: libc::__rlimit_resource_t, limit: u64, test: fn() -> bool) {
    let Some(_alone) = alone() else { return };
    // SAFETY: the child calls nothing that takes locks or allocates, then exits.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let limit = libc::rlimit {
            rlim_cur: limit,
            rlim_max: limit,
        };
        // SAFETY: one rlimit to read.
        let set = unsafe { libc::setrlimit(resource, &raw const limit) };
        let passed = set == 0 && test();
        // SAFETY: no conditions.
        unsafe { libc::_exit(i32::from(!passed)) };
    }
    let mut status = 0;
    // SAFETY: one int to write.
    unsafe { libc::waitpid(child, &raw mut status, 0) };
    assert_eq!(status, 0);
}

/// Open descriptors below 64, without allocating.
fn open_descriptors() -> usize {
    // SAFETY: F_GETFD touches no memory.
    let open = |fd: &i32| unsafe { libc::fcntl(*fd, libc::F_GETFD) } >= 0;
    (0..64).filter(open).count()
}

#[test]
fn no_descriptor_left() {
    limited(libc::RLIMIT_NOFILE, 0, || {
        let before = open_descriptors();
        IoUring::new(4).map(drop) == Err(Errno::EMFILE)
            && SlotRing::new(4, 4096).is_err_and(|error| error.step == Step::Setup)
            && open_descriptors() == before
    });
}

#[test]
fn no_address_space_left() {
    limited(libc::RLIMIT_AS, 0, || {
        let before = open_descriptors();
        IoUring::new(4).map(drop) == Err(Errno::ENOMEM) && open_descriptors() == before
    });
}

#[test]
fn no_address_space_for_the_slots() {
    let Some(_alone) = alone() else { return };
    let before = resources();
    // 32 GiB of slots fit; 64 times as much is beyond what the machine can map.
    let refused = SlotRing::new(64, 1 << 30);
    if let Err(error) = refused {
        assert_eq!((error.step, error.errno), (Step::Map, Errno::ENOMEM));
    }
    assert_eq!(resources(), before);
}

#[test]
fn memory_that_may_not_be_locked_means_unregistered_slots() {
    // An ordinary user, with enough for the ring itself (which counts up to Linux 5.11 and again
    // from about 6.14 on) and not for two slots.
    limited(libc::RLIMIT_MEMLOCK, 64 << 10, || {
        // SAFETY: takes nothing and cannot fail.
        if unsafe { libc::geteuid() } == 0 {
            let user = support::lonely_user();
            // SAFETY: no memory is touched.
            if unsafe { libc::setresuid(user, user, user) } != 0 {
                return false;
            }
        }
        let zero = annulet::sys::STDIN;
        // What counts is all that the user's processes have locked, other tests' too.
        let made = made_in_time(|| SlotRing::new(2, 65536).map_err(|error| error.errno));
        let Ok(mut ring) = made else {
            return false;
        };
        for _ in 0..100 {
            // Standard input may be anything: that the operations end is what counts.
            let mut session = ring.session();
            if session.read(0, zero, 0..0, None).is_err() || session.wait().is_err() {
                return false;
            }
        }
        !ring.is_registered()
    });
}

#[test]
fn a_hundred_rings_one_after_the_other() {
    let Some(_alone) = alone() else { return };
    let before = resources();
    for _ in 0..100 {
        let mut ring = made_in_time(|| IoUring::new(8)).unwrap();
        ring.push_nop(1).unwrap();
        ring.wait().unwrap();
    }
    assert_eq!(resources(), before);
}

/// Numbers of this process's descriptors that are rings.
fn rings() -> BTreeSet<i32> {
    fs::read_dir("/proc/self/fd")
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            let link = fs::read_link(path);
            link.is_ok_and(|link| link.to_string_lossy().contains("[io_uring]"))
        })
        .map(|path| path.file_name().unwrap().to_str().unwrap().parse().unwrap())
        .collect()
}

/// Whether all of a range of addresses is mapped.
fn is_mapped(range: &Range<usize>) -> bool {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let number = |hex| usize::from_str_radix(hex, 16).unwrap();
    let mut at = range.start;
    // In the order of their addresses.
    for line in maps.lines() {
        let (start, rest) = line.split_once('-').unwrap();
        let (end, _) = rest.split_once(' ').unwrap();
        if (number(start)..number(end)).contains(&at) {
            at = number(end);
        }
    }
    at >= range.end
}

/// A ring whose descriptor somebody closed: the error is told, and the slots' memory stays
/// mapped where an operation may still be writing to it.
#[test]
fn memory_is_kept_when_draining_is_impossible() {
    const SLOT: usize = 64 << 20;
    let Some(_alone) = alone() else { return };
    let (reader, _writer) = std::io::pipe().unwrap();
    let others = rings();
    let mut ring = SlotRing::new(2, SLOT).unwrap();
    let start = ring.slot(0).as_ptr().addr();
    let slots = start..start + 2 * SLOT;
    let mut session = ring.session();
    session.read(0, lend(&reader), 0..100, None).unwrap();
    session.submit().unwrap();
    let new: Vec<_> = rings().difference(&others).copied().collect();
    assert_eq!(new.len(), 1);
    let null = fs::File::open("/dev/null").unwrap();
    // SAFETY: /dev/null takes the ring's number, so that nothing else is closed in its place.
    unsafe { libc::dup2(null.as_raw_fd(), new[0]) };
    assert_eq!(session.wait().map(drop), Err(Errno::EOPNOTSUPP));
    assert_eq!(session.wait().map(drop), Err(Errno::EIO));
    assert_eq!(session.read(1, lend(&reader), 0..1, None), Err(Errno::EIO));
    assert!(is_mapped(&slots));
    drop(session);
    drop(ring);
    assert!(is_mapped(&slots), "the slots were unmapped");
}

/// The descriptor of a forgotten session may be another file's by the time that the next one
/// hands operations over.
#[test]
fn what_a_forgotten_session_has_queued_is_never_handed_over() {
    let Some(_alone) = alone() else { return };
    let dir = temp_dir();
    let create = |name| OwnedFd::from(File::create(dir.child(name)).unwrap());
    for is_used_again in [true, false] {
        let mut ring = SlotRing::new(2, 8).unwrap();
        let before = create("before");
        let number = before.as_raw_fd();
        let mut session = ring.session();
        session.slot_mut(1).fill(b'!');
        for slot in 0..2 {
            let write = session.write(slot, lend(&before), 0..8, Some(8 * u64::from(slot)));
            write.unwrap();
        }
        std::mem::forget(session);
        assert_eq!(ring.in_flight(), 2);
        drop(before);
        let other = create("other");
        assert_eq!(other.as_raw_fd(), number, "else nothing is tried");
        if is_used_again {
            let mut session = ring.session();
            assert_eq!(session.in_flight(), 0);
            assert_eq!(session.wait(), Err(Errno::ECHILD));
            session.slot_mut(1).fill(b'?');
            session.write(1, lend(&other), 0..2, Some(0)).unwrap();
            assert_eq!(session.wait().unwrap().result, Ok(2));
        }
        drop(ring);
        let expected: &[u8] = if is_used_again { b"??" } else { b"" };
        assert_eq!(fs::read(dir.child("other")).unwrap(), expected);
        assert_eq!(fs::read(dir.child("before")).unwrap(), b"");
    }
}

/// A check in the ring's own `Drop` would turn it into an abort.
#[test]
fn a_panic_with_operations_running_unwinds() {
    let Some(_alone) = alone() else { return };
    let (reader, _writer) = std::io::pipe().unwrap();
    // Outlives the ring, which does not wait.
    let buf: &mut [u8; 8] = Box::leak(Box::default());
    let read = Sqe::read(reader.as_raw_fd(), buf.as_mut_ptr(), 8, u64::MAX);
    let panicked = std::panic::catch_unwind(|| {
        let mut ring = IoUring::new(2).unwrap();
        // SAFETY: the buffer stays for good, the pipe until the end.
        unsafe { ring.push(&read) }.unwrap();
        ring.submit().unwrap();
        std::panic::resume_unwind(Box::new(4711));
    });
    assert_eq!(panicked.unwrap_err().downcast_ref(), Some(&4711));
}

#[test]
fn no_slot_stands_for_an_ordinary_descriptor() {
    let Some(_alone) = alone() else { return };
    let dir = temp_dir();
    let Some(mut ring) = made(IoUring::new(2)) else {
        return;
    };
    if ring.register_files_sparse(2).is_err() {
        return support::skip(
            "no_slot_stands_for_an_ordinary_descriptor",
            "before Linux 5.19",
        );
    }
    let path = dir.child("file").into_os_string().into_encoded_bytes();
    let path = std::ffi::CString::new(path).unwrap();
    let flags = annulet::sys::OFlags::WRONLY | annulet::sys::OFlags::CREAT;
    let mode = annulet::sys::Mode::from_bits_retain(0o600);
    let before = resources();
    for slot in [2, u32::MAX - 2, u32::MAX - 1, u32::MAX] {
        let open = Sqe::openat(CWD.raw(), path.as_ptr(), flags, mode).direct(slot);
        for sqe in [Sqe::close_direct(slot), open] {
            // SAFETY: `path` lives on; the operation is waited for.
            unsafe { ring.push(&sqe) }.unwrap();
            let result = ring.wait().unwrap().into_result();
            assert_eq!(result, Err(Errno::EINVAL), "{slot}");
        }
        assert_eq!(resources(), before);
        assert!(is_open(0) || slot < u32::MAX);
    }
}

/// The largest number would have the kernel pick slots and write their numbers to the list.
#[test]
fn the_list_of_files_to_register_is_only_read() {
    const NAME: &str = "the_list_of_files_to_register_is_only_read";
    let mut ring = IoUring::new(2).unwrap();
    if ring.register_files_sparse(2).is_err() {
        return support::skip(NAME, "before Linux 5.19");
    }
    let file = File::open("/dev/null").unwrap();
    let list = [file.as_raw_fd()];
    for first in [2, u32::MAX - 1, u32::MAX] {
        let update = Sqe::files_update(list.as_ptr(), 1, first);
        // SAFETY: the list and its descriptor live on; the operation is waited for.
        unsafe { ring.push(&update) }.unwrap();
        let result = ring.wait().unwrap().into_result();
        assert!(
            matches!(result, Err(Errno::EINVAL | Errno::EOVERFLOW)),
            "{first}: {result:?}"
        );
        // SAFETY: an `i32` that lives on; what the kernel has written to it shall be seen.
        assert_eq!(unsafe { list.as_ptr().read_volatile() }, file.as_raw_fd());
    }
}

/// It would attach to descriptor 0.
#[test]
fn the_flag_alone_attaches_to_nothing() {
    limited(libc::RLIMIT_CORE, 0, || {
        let ring = IoUring::new(2).unwrap();
        // SAFETY: the child does not read its standard input.
        let copied = unsafe { libc::dup2(ring.as_fd().raw(), 0) };
        let builder = IoUring::builder(2).setup_flags(SetupFlags::ATTACH_WQ);
        copied == 0 && builder.build().map(drop) == Err(Errno::EINVAL)
    });
}

#[test]
fn the_working_directory_is_no_ring_to_attach_to() {
    const SOMEBODYS: i32 = 100;
    let Some(_alone) = alone() else { return };
    let ring = IoUring::new(2).unwrap();
    assert!(!is_open(SOMEBODYS));
    // SAFETY: nobody has the number, and nobody but this test opens files here meanwhile.
    let copied = unsafe { libc::dup2(ring.as_fd().raw(), SOMEBODYS) };
    assert_eq!(copied, SOMEBODYS);
    let refused = IoUring::builder(2).attach_wq(CWD).build();
    // SAFETY: made above.
    unsafe { libc::close(SOMEBODYS) };
    assert_eq!(refused.map(drop), Err(Errno::ENXIO));
}

/// They would share the thread-local storage of this one, and with it the allocator's state.
#[test]
fn a_team_has_no_threads_where_there_is_a_libc() {
    fn allocate(sum: &AtomicUsize) {
        for len in 1..10_000 {
            sum.fetch_add(vec![1_u8; len].len(), Ordering::Relaxed);
        }
    }
    let sum = AtomicUsize::new(0);
    let started = annulet::sys::Team::with(&sum, allocate, 4, |team| {
        let started = team.start(4);
        allocate(&sum);
        (started, team.running())
    });
    assert_eq!(started, (Err(Errno::EPERM), 0));
    assert_eq!(sum.into_inner(), 49_995_000);
}
