//! annulet: `cp` and `cat` in one static Linux binary without a libc.
//!
//! The library holds everything but the runtime (entry point, allocator, panic handler), so
//! that it can be tested on the host with the ordinary test harness. Its layers, each of
//! which knows only those before it: [`sys`], `ring`, `copy`, `cat`, `cli`.

#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod cat;
pub mod cli;
pub mod copy;
pub mod ring;
pub mod sys;
