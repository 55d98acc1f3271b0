//! How bytes move from one file to another.
//!
//! | file | subject |
//! | --- | --- |
//! | `wish.rs`, `route.rs` | what is asked for; which way data goes |
//! | `mover.rs`, `ranges.rs` | one file's data; ranges of it |
//! | `plain.rs`, `pipe.rs` | by plain calls, and within the kernel |
//! | `pipeline.rs`, `writers.rs`, `lazy_ring.rs` | by two: one reads, a thread or the ring writes |
//! | `holes.rs` | blocks of zeros that are left out |
//! | `progress.rs`, `trace.rs` | how far it has come; which way it went |
//! | `processors.rs` | how many processors there are for it |

mod holes;
pub mod lazy_ring;
pub mod mover;
pub mod pipe;
pub mod pipeline;
pub mod plain;
pub mod processors;
pub mod progress;
mod ranges;
pub mod route;
pub mod trace;
pub mod wish;
mod writers;
