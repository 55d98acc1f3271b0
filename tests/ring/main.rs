//! The ring against the running kernel.
#![allow(missing_docs, unsafe_code)]

#[path = "../support/mod.rs"]
mod all_tests;
mod chains;
mod operations;
mod registration;
mod setup;
mod slots;
mod sockets;
mod sqpoll;
mod submission;
mod support;
