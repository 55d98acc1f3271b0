//! Concatenation.
//!
//! | file | subject |
//! | --- | --- |
//! | `engine.rs` | operands one after the other, and which way each one's data goes |
//! | `filter.rs` | numbered lines, squeezed blank lines, bytes made visible |

mod engine;
mod filter;

pub use engine::{MESSAGE_COUNT, MESSAGES, WRITE_ERROR, concatenate};
pub use filter::{Filter, Shown};
