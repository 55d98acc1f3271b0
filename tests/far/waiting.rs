//! Where every call waits, many are under way at once.

use std::fs;
use std::time::Duration;

use crate::place::{Place, place};
use crate::standin::{Behaviour, Call};
use crate::support::{annulet, command, noise, run};

/// Long beside what a processor has to do for a call, also on a busy machine.
const DELAY: Duration = Duration::from_millis(10);

fn waiting_place(test: &str) -> Option<Place> {
    place(test, Behaviour::waiting(DELAY))
}

#[test]
fn a_large_file_is_read_ahead() {
    const SIZE: usize = (16 << 20) + 4321;
    let Some(place) = waiting_place("a_large_file_is_read_ahead") else {
        return;
    };
    let content = noise(SIZE, 1);
    fs::write(place.behind.join("large"), &content).unwrap();
    for way in ["auto", "sync", "ring", "splice", "thread", "read_write"] {
        let copy = place.near.join(way);
        place.mounted.count_anew();
        let io = format!("--io={way}");
        let ran = run(command(annulet())
            .args(["cp", &io])
            .args([&place.far.join("large"), &copy]));
        ran.expect_success();
        let counts = place.mounted.counts();
        assert!(fs::read(&copy).unwrap() == content, "{way}");
        assert!(counts.of(Call::Read).at_once >= 4, "{way}: {counts}");
    }
}
