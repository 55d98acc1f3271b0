//! Concatenation.
//!
//! | file | subject |
//! | --- | --- |
//! | `engine.rs` | operands one after the other, and which way each one's data goes |
//! | `input.rs` | what an input is, and parts of it that are taken from others |
//! | `output.rs` | standard output, and that nothing borrowed is left in its pipe |
//! | `ahead.rs` | a regular file through the ring |
//! | `filter.rs` | numbered lines, squeezed blank lines, bytes made visible |

mod ahead;
mod engine;
mod filter;
mod input;
mod output;

pub use engine::concatenate;
pub use filter::{Filter, Shown};
