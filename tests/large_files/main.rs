//! Large files are written in order: whatever stops a copy, what is left is a prefix of the
//! source, and who reads the destination meanwhile never sees a byte that is not the source's.
#![allow(unsafe_code)]

mod changing;
mod copies;
#[path = "../cp/mod.rs"]
mod cp;
mod file_systems;
mod full;
mod notified;
mod read_errors;
mod ring;
mod sources;
mod stopped;
#[path = "../support/mod.rs"]
mod support;
mod undisturbed;
