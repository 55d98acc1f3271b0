//! Concatenation.
//!
//! | file | subject |
//! | --- | --- |
//! | `cat.rs` | operands one after the other, and which way each one's data goes |
//! | `input.rs` | what an input is, and parts of it that are taken from others |
//! | `output.rs` | standard output, and that no file's own pages are left in its pipe |
//! | `ahead.rs` | a regular file through the ring |
//! | `filter.rs` | numbered lines, squeezed blank lines, bytes made visible |

mod ahead;
#[allow(clippy::module_inception)] // the command is called so
mod cat;
mod filter;
mod input;
mod output;

pub use cat::concatenate;
pub use filter::{Filter, Shown};
