//! Rings with a polling thread, and rings that share workers.

use std::time::{Duration, Instant};

use annulet::ring::{IoUring, Sqe};
use annulet::sys::Errno;

use super::support::{push, ring, skip};

/// Polls for a completion without entering the kernel.
fn spin(ring: &mut IoUring) -> u64 {
    let start = Instant::now();
    loop {
        if let Some(completion) = ring.complete() {
            return completion.user_data;
        }
        assert!(start.elapsed().as_secs() < 10, "no completion came");
        std::thread::yield_now();
    }
}

fn polled(test: &str, idle_ms: u32) -> Option<IoUring> {
    match IoUring::builder(4).sqpoll(idle_ms).build() {
        Ok(ring) => Some(ring),
        Err(errno) => {
            skip(test, &format!("no polling thread: {errno:?}"));
            None
        }
    }
}

#[test]
fn the_thread_takes_submissions() {
    let Some(mut ring) = polled("the_thread_takes_submissions", 1000) else {
        return;
    };
    for i in 0..1000 {
        ring.push_nop(i).unwrap();
        ring.submit_sqpoll().unwrap();
        assert_eq!(spin(&mut ring), i);
    }
}

#[test]
fn a_sleeping_thread_is_woken() {
    let Some(mut ring) = polled("a_sleeping_thread_is_woken", 1) else {
        return;
    };
    for i in 0..5 {
        let start = Instant::now();
        while !ring.sq_need_wakeup() {
            assert!(start.elapsed().as_secs() < 10, "it never sleeps");
            std::thread::sleep(Duration::from_millis(1));
        }
        // Shown but not woken, it stays asleep.
        ring.push_nop(i).unwrap();
        ring.flush_sq_tail();
        assert!(ring.sq_need_wakeup());
        assert_eq!(ring.queued(), 1);
        ring.submit_sqpoll().unwrap();
        assert_eq!(spin(&mut ring), i);
    }
}

#[test]
fn many_rounds_with_sleep_in_between_lose_no_wakeup() {
    let Some(mut ring) = polled("many_rounds", 1) else {
        return;
    };
    for i in 0..300 {
        // Around the thread's idle time, so that it is falling asleep now and then.
        std::thread::sleep(Duration::from_micros(900 + i));
        ring.push_nop(i).unwrap();
        ring.submit().unwrap();
        assert_eq!(ring.wait().unwrap().user_data, i);
    }
}

#[test]
fn a_full_queue_is_waited_for() {
    let Some(mut ring) = polled("a_full_queue_is_waited_for", 1000) else {
        return;
    };
    let mut seen = 0;
    for i in 0..200 {
        while let Err(errno) = ring.push_nop(i) {
            match errno {
                Errno::EAGAIN => ring.wait_for_room().unwrap(),
                Errno::EBUSY => seen += u32::from(ring.wait().is_ok()),
                other => panic!("{other:?}"),
            }
        }
    }
    while ring.in_flight() != Some(0) {
        ring.wait().unwrap();
        seen += 1;
    }
    assert_eq!(seen, 200);
}

#[test]
fn on_a_given_processor() {
    if ring(1).is_none() {
        return;
    }
    match IoUring::builder(4).sqpoll_cpu(0).build() {
        Ok(mut ring) => {
            ring.push_nop(5).unwrap();
            assert_eq!(ring.wait().unwrap().user_data, 5);
        }
        Err(errno) => skip("on_a_given_processor", &format!("{errno:?}")),
    }
    let nowhere = IoUring::builder(4).sqpoll_cpu(1 << 20).build();
    assert_eq!(nowhere.map(drop), Err(Errno::EINVAL));
}

#[test]
fn a_ring_without_a_thread_says_so() {
    let Some(mut ring) = ring(2) else { return };
    assert_eq!(ring.submit_sqpoll(), Err(Errno::EINVAL));
    assert_eq!(ring.wait_for_room(), Err(Errno::EINVAL));
}

#[test]
fn workers_are_shared() {
    let Some(first) = ring(2) else { return };
    let mut second = IoUring::builder(2)
        .attach_wq(first.as_fd())
        .build()
        .unwrap();
    push(&mut second, Sqe::nop().user_data(8).force_async());
    assert_eq!(second.wait().unwrap().user_data, 8);
    drop(first);
    push(&mut second, Sqe::nop().user_data(9).force_async());
    assert_eq!(second.wait().unwrap().user_data, 9);
    let null = super::support::own(std::fs::File::open("/dev/null").unwrap());
    let refused = IoUring::builder(2).attach_wq(null.as_fd()).build();
    assert_eq!(refused.map(drop), Err(Errno::EINVAL));
}
