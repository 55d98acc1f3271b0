//! What the guest says.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

/// Keeps the verdict while the steps go by.
#[derive(Default)]
pub struct Report {
    pub failed: u32,
}

impl Report {
    /// Takes a step, which fails by a panic. Gives what it made, if it did not.
    pub fn step<R>(&mut self, name: &str, work: impl FnOnce() -> R) -> Option<R> {
        let start = Instant::now();
        match catch_unwind(AssertUnwindSafe(work)) {
            Ok(made) => {
                println!("ok {name} ({} ms)", start.elapsed().as_millis());
                Some(made)
            }
            Err(why) => {
                self.failed += 1;
                // One line a step, whatever a message holds.
                println!("FAIL {name}: {}", text(&*why).replace('\n', " | "));
                None
            }
        }
    }
}

/// The message of a panic.
fn text(why: &(dyn Any + Send)) -> String {
    let text = why.downcast_ref::<String>().cloned();
    text.or_else(|| why.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_else(|| "a panic without a text".to_owned())
}
