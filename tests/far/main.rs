//! Copies from and to file systems on which every call waits, beside GNU's.

#[path = "../cp/child.rs"]
mod child;
#[path = "../standin/mod.rs"]
mod standin;
#[path = "../support/mod.rs"]
mod support;

mod copies;
mod limited;
mod memory;
mod place;
mod standing_in;
mod waiting;
