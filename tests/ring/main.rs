//! The ring against the running kernel.
#![allow(missing_docs, unsafe_code)]

#[path = "../support/mod.rs"]
mod all_tests;
mod buffers;
mod calling_off;
mod chains;
mod descriptors;
mod futexes_and_children;
mod messages;
mod operations;
mod polls;
mod provided_buffers;
mod registration;
mod setup;
mod slots;
mod sockets;
mod sqpoll;
mod submission;
mod support;
mod syncing;
mod timed_waits;
