//! The freestanding program: the library's commands behind a runtime of its own.

#![no_std]
#![no_main]

mod rt;
