//! Concatenation.
//!
//! | file | subject |
//! | --- | --- |
//! | `engine.rs` | operands one after the other, and which way each one's data goes |
//! | `filter.rs` | numbered lines, squeezed blank lines, bytes made visible |
//! | `relay.rs` | a file through the ring: read ahead, written in order |

mod engine;
mod filter;
mod relay;

pub use engine::{Cat, Failure};
pub use filter::{Filter, Numbered, Shown};
