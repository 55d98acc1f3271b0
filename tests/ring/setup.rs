//! What the builder takes and refuses, the ladder, one mapping and two.

use annulet::ring::{IoUring, IoUringBuilder, SetupFlags, SetupLevel, Sqe};
use annulet::sys::Errno;

use super::support::{made, made_in_time, reap, ring, run, skip};

fn refusal(builder: &IoUringBuilder<'_>) -> Option<Errno> {
    builder.build().err()
}

#[test]
fn zero_entries_and_too_many() {
    if ring(1).is_none() {
        return;
    }
    assert_eq!(IoUring::new(0).map(drop), Err(Errno::EINVAL));
    assert_eq!(refusal(&IoUring::builder(0)), Some(Errno::EINVAL));
    assert_eq!(refusal(&IoUring::builder(0).clamp()), Some(Errno::EINVAL));
    assert_eq!(IoUring::new(u32::MAX).map(drop), Err(Errno::EINVAL));
    let clamped = IoUring::builder(u32::MAX).clamp();
    let Some(clamped) = made(made_in_time(|| clamped.build())) else {
        return;
    };
    assert!(clamped.sq_entries() >= 4096);
    assert!(clamped.sq_entries().is_power_of_two());
}

#[test]
fn sizes_are_rounded_up() {
    for (asked, given) in [(1, 1), (2, 2), (3, 4), (5, 8), (33, 64)] {
        let Some(ring) = ring(asked) else { return };
        assert_eq!(ring.sq_entries(), given);
        assert_eq!(ring.cq_entries(), 2 * given);
    }
    let ring = IoUring::builder(4).cq_entries(100).build().unwrap();
    assert_eq!((ring.sq_entries(), ring.cq_entries()), (4, 128));
    let smaller = IoUring::builder(8).cq_entries(4);
    assert_eq!(refusal(&smaller), Some(Errno::EINVAL));
}

#[test]
fn flags_that_the_ring_is_not_mapped_for_are_refused() {
    for flags in [
        SetupFlags::SQE128,
        SetupFlags::CQE32,
        SetupFlags::NO_MMAP,
        SetupFlags::REGISTERED_FD_ONLY,
        SetupFlags::NO_MMAP | SetupFlags::REGISTERED_FD_ONLY,
        SetupFlags::CQE_MIXED,
        SetupFlags::SQE_MIXED,
        SetupFlags::from_bits_retain(1 << 20),
        SetupFlags::from_bits_retain(1 << 31),
    ] {
        let builder = IoUring::builder(4).setup_flags(flags);
        assert_eq!(refusal(&builder), Some(Errno::EINVAL), "{flags:?}");
    }
}

#[test]
fn each_flag_alone() {
    if ring(1).is_none() {
        return;
    }
    for (builder, flags, since) in [
        (IoUring::builder(4).clamp(), SetupFlags::CLAMP, "5.6"),
        (
            IoUring::builder(4).single_issuer(),
            SetupFlags::SINGLE_ISSUER,
            "6.0",
        ),
        (
            IoUring::builder(4).coop_taskrun(),
            SetupFlags::COOP_TASKRUN,
            "5.19",
        ),
        (
            IoUring::builder(4).defer_taskrun(),
            SetupFlags::DEFER_TASKRUN | SetupFlags::SINGLE_ISSUER,
            "6.1",
        ),
        (
            IoUring::builder(4).setup_flags(SetupFlags::NO_SQARRAY),
            SetupFlags::NO_SQARRAY,
            "6.6",
        ),
    ] {
        match builder.build() {
            Ok(mut ring) => {
                assert_eq!(ring.setup_flags(), flags);
                assert_eq!(run(&mut ring, Sqe::nop()), Ok(0));
            }
            Err(errno) => {
                assert_eq!(errno, Errno::EINVAL);
                skip(
                    "each_flag_alone",
                    &format!("no {flags:?} before Linux {since}"),
                );
            }
        }
    }
    // Deferred work needs its one issuer: the kernel refuses it alone.
    let alone = IoUring::builder(4).setup_flags(SetupFlags::DEFER_TASKRUN);
    assert_eq!(refusal(&alone), Some(Errno::EINVAL));
}

#[test]
fn the_ladder_ends_on_the_highest_rung_there_is() {
    let Some(ring) = ring(4) else { return };
    let top = [SetupLevel::NoArray, SetupLevel::Deferred, SetupLevel::Plain]
        .into_iter()
        .find(|level| {
            let builder = IoUring::builder(1).setup_flags(level.flags());
            made_in_time(|| builder.build()).is_ok()
        });
    assert_eq!(Some(ring.setup_level()), top);
    assert_eq!(ring.setup_flags(), ring.setup_level().flags());
}

#[test]
fn rungs_are_told_from_flags() {
    for level in [SetupLevel::NoArray, SetupLevel::Deferred, SetupLevel::Plain] {
        assert_eq!(SetupLevel::of(level.flags()), level);
        assert_eq!(SetupLevel::of(level.flags() | SetupFlags::CLAMP), level);
    }
    assert_eq!(SetupLevel::of(SetupFlags::NO_SQARRAY), SetupLevel::Plain);
}

/// Twice round both queues.
fn assert_goes_round(ring: &mut IoUring, entries: u32) {
    for round in 0..5 {
        for i in 0..entries {
            ring.push_nop(u64::from(round * entries + i)).unwrap();
        }
        let seen = reap(ring, entries as usize);
        let first = u64::from(round * entries);
        assert!((first..).zip(&seen).all(|(i, c)| c.user_data == i));
    }
}

#[test]
fn one_mapping_and_two_with_and_without_the_array() {
    for level in [SetupLevel::NoArray, SetupLevel::Deferred, SetupLevel::Plain] {
        for entries in [1, 4, 64, 4096] {
            let one = IoUring::builder(entries).setup_flags(level.flags());
            for builder in [one.clone(), one.separate_maps()] {
                match builder.build() {
                    Ok(mut ring) => assert_goes_round(&mut ring, entries),
                    Err(_) => skip("one_mapping_and_two", &format!("no {level:?}")),
                }
            }
        }
    }
}
