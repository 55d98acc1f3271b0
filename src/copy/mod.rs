//! The copy engine.
//!
//! | file | subject |
//! | --- | --- |
//! | `engine.rs` | one name: what is in the way, and who copies it |
//! | `walk.rs`, `directory.rs` | trees |
//! | `workers.rs` | several workers in one tree |
//! | `progress.rs`, `watch.rs`, `census.rs` | how far they have come, and how much there is |
//! | `processors.rs` | how many workers there are processors for |
//! | `regular.rs` | files: opening both sides |
//! | `data.rs`, `ranges.rs`, `route.rs` | their data, ranges of it, which way those go |
//! | `held.rs` | opening what was looked at, and nothing that was put in its place |
//! | `plain.rs`, `conduit.rs` | data by plain calls, and within the kernel |
//! | `pipeline.rs`, `writers.rs`, `lazy_ring.rs` | data by two: one reads, a thread or the ring writes |
//! | `holes.rs` | blocks of zeros that are left out |
//! | `same.rs`, `backup.rs` | source and destination that are one file; files that are kept |
//! | `special.rs` | symlinks, FIFOs, device nodes |
//! | `links.rs` | hard links that are kept; links instead of copies |
//! | `parents.rs` | the directories that lead to an operand |
//! | `metadata.rs`, `attributes.rs` | times, owner, permission bits; extended attributes |
//! | `handle.rs`, `proc.rs`, `apart.rs` | files that are reached by no name of theirs; names that are nobody else's |
//! | `path.rs`, `table.rs` | where the walk stands; which files were met |
//! | `options.rs`, `ui.rs`, `failure.rs`, `trace.rs` | what is asked for, and how the engine speaks |

mod apart;
mod attributes;
mod backup;
mod census;
pub mod conduit;
mod data;
mod directory;
mod engine;
pub mod failure;
mod handle;
mod held;
mod holes;
pub mod lazy_ring;
mod links;
mod metadata;
pub mod options;
mod parents;
mod path;
pub mod pipeline;
pub mod plain;
mod proc;
mod processors;
mod progress;
mod ranges;
mod regular;
pub mod route;
mod same;
mod special;
mod table;
mod trace;
pub mod ui;
mod walk;
mod watch;
mod workers;
mod writers;

pub use attributes::has_contexts;
pub use census::Known;
pub use engine::Engine;
pub use path::{basename, trim_slashes};
pub use progress::{Occasion, Snapshot, Total};
pub use walk::Walk;
pub use workers::Shared;
