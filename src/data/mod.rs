//! How bytes move from one file to another.
//!
//! | file | subject |
//! | --- | --- |
//! | `wish.rs` | what is asked for |
//! | `route.rs`, `facts.rs` | which way data goes; what has to be known of files for that |
//! | `mover.rs` | one file's data, on one way after the other |
//! | `transfer.rs` | how far it has come: what every way works on |
//! | `clone.rs` | blocks are shared |
//! | `kernel_copy.rs` | `copy_file_range` |
//! | `pipe.rs` | `splice`, through a pipe |
//! | `pipeline.rs` | by two: one reads, one writes |
//! | `ring_writer.rs`, `thread_writer.rs` | who writes: the ring, or a thread |
//! | `read_write.rs` | reads and writes |
//! | `lazy_ring.rs` | the ring, set up when it is first used |
//! | `holes.rs` | blocks of zeros that are left out |
//! | `plain.rs` | calls that are repeated until they are answered |
//! | `progress.rs`, `trace.rs` | how far a copy has come; which way a file's data went |
//! | `limits.rs` | how many processors there are for it, and how much memory |

mod clone;
mod facts;
mod holes;
mod kernel_copy;
pub mod lazy_ring;
pub mod limits;
pub mod mover;
pub mod pipe;
pub mod pipeline;
pub mod plain;
pub mod progress;
mod read_write;
mod ring_writer;
pub mod route;
mod thread_writer;
pub mod trace;
pub mod transfer;
pub mod wish;

#[cfg(test)]
#[cfg(loom)]
mod interleaved;
