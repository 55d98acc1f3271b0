//! The runtime: what a libc would otherwise bring. Part of the program only, never of the
//! library: the unmangled symbols in here would replace those of the test harness.

#![allow(unsafe_code)]

mod allocator;
mod panic;
mod start;
mod symbols;
