//! The freestanding program: the library's commands behind a runtime of its own.

#![cfg_attr(not(feature = "std"), no_std)]
#![no_main]

// With std, and without the runtime, nothing else is wrong beside what this says.
#[cfg(feature = "std")]
compile_error!(
    "the feature `std` is for other programs that use the library: annulet itself has no std"
);
#[cfg(not(feature = "std"))]
mod rt;
