//! Setting a ring up fails at every step, and leaves nothing behind.
//!
//! Apart from the other tests of the ring, as descriptors and mappings of the whole process
//! are counted; one test at a time, for the same reason.
#![allow(missing_docs, unsafe_code)]

mod support;

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use annulet::ring::{IoUring, SetupFlags, SlotRing, Step};
use annulet::sys::{BorrowedFd, Errno, Mapping, Result};

static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Descriptors of this process, and its mappings of rings.
fn resources() -> (usize, usize) {
    let descriptors = std::fs::read_dir("/proc/self/fd").unwrap().count();
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
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
    let _alone = alone();
    let before = resources();
    for flags in [SetupFlags::empty(), SetupFlags::NO_SQARRAY] {
        let one = IoUring::builder(4).setup_flags(flags);
        if one.build().is_err() {
            continue;
        }
        for (builder, maps) in [(one.clone(), 2), (one.separate_maps(), 3)] {
            for left in 0..maps {
                MAPS_LEFT.store(left, Ordering::Relaxed);
                let refused = builder.build_with(failing_map);
                assert_eq!(refused.map(drop), Err(Errno::ENOMEM));
                assert_eq!(resources(), before, "at mapping {left} of {maps}");
            }
            MAPS_LEFT.store(maps, Ordering::Relaxed);
            let ring = builder.build_with(failing_map).unwrap();
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
    let _alone = alone();
    let before = resources();
    let refused = IoUring::builder(4).build_with(small);
    assert_eq!(refused.map(drop), Err(Errno::EPROTO));
    assert_eq!(resources(), before);
}

/// Runs `test` in a child with `resource` limited to `limit`; it gives the exit status.
fn limited(resource: libc::__rlimit_resource_t, limit: u64, test: fn() -> bool) {
    let _alone = alone();
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
    let _alone = alone();
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
        let mut made = SlotRing::new(2, 65536);
        for _ in 0..1000 {
            if made.is_ok() {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
            made = SlotRing::new(2, 65536);
        }
        let Ok(mut ring) = made else {
            return false;
        };
        for _ in 0..100 {
            // Standard input may be anything: that the operations end is what counts.
            if ring.read(0, zero, 0..0, None).is_err() || ring.wait().is_err() {
                return false;
            }
        }
        !ring.is_registered()
    });
}

#[test]
fn a_thousand_rings_one_after_the_other() {
    let _alone = alone();
    let before = resources();
    for _ in 0..1000 {
        let mut ring = IoUring::new(8).unwrap();
        ring.push_nop(1).unwrap();
        ring.wait().unwrap();
    }
    assert_eq!(resources(), before);
}

/// Numbers of this process's descriptors that are rings.
fn rings() -> BTreeSet<i32> {
    std::fs::read_dir("/proc/self/fd")
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            let link = std::fs::read_link(path);
            link.is_ok_and(|link| link.to_string_lossy().contains("[io_uring]"))
        })
        .map(|path| path.file_name().unwrap().to_str().unwrap().parse().unwrap())
        .collect()
}

/// Whether all of a range of addresses is mapped.
fn is_mapped(range: &Range<usize>) -> bool {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
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
    let _alone = alone();
    let (reader, _writer) = std::io::pipe().unwrap();
    let others = rings();
    let mut ring = SlotRing::new(2, SLOT).unwrap();
    let start = ring.slot(0).as_ptr().addr();
    let slots = start..start + 2 * SLOT;
    let fd = reader.try_clone().unwrap();
    // SAFETY: the number stays open until the process ends.
    let fd = unsafe { annulet::sys::OwnedFd::from_raw(std::os::fd::IntoRawFd::into_raw_fd(fd)) };
    ring.read(0, fd.as_fd(), 0..100, None).unwrap();
    ring.submit().unwrap();
    let new: Vec<_> = rings().difference(&others).copied().collect();
    assert_eq!(new.len(), 1);
    let null = std::fs::File::open("/dev/null").unwrap();
    // SAFETY: /dev/null takes the ring's number, so that nothing else is closed in its place.
    unsafe { libc::dup2(std::os::fd::AsRawFd::as_raw_fd(&null), new[0]) };
    assert_eq!(ring.wait().map(drop), Err(Errno::EOPNOTSUPP));
    assert_eq!(ring.wait().map(drop), Err(Errno::EIO));
    assert_eq!(ring.read(1, fd.as_fd(), 0..1, None), Err(Errno::EIO));
    assert!(is_mapped(&slots));
    drop(ring);
    assert!(is_mapped(&slots), "the slots were unmapped");
}
