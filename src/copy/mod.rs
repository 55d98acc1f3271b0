//! The copy engine.
//!
//! | file | subject |
//! | --- | --- |
//! | `engine.rs` | one name: what is in the way, and who copies it |
//! | `walk.rs`, `directory.rs` | trees |
//! | `workers.rs` | several workers in one tree |
//! | `regular.rs` | files: opening both sides |
//! | `held.rs` | opening what was looked at, and nothing that was put in its place |
//! | `same.rs`, `backup.rs` | source and destination that are one file; files that are kept |
//! | `special.rs` | symlinks, FIFOs, device nodes |
//! | `links.rs` | hard links that are kept; links instead of copies |
//! | `parents.rs` | the directories that lead to an operand |
//! | `metadata.rs`, `attributes.rs` | times, owner, permission bits; extended attributes |
//! | `handle.rs`, `proc.rs`, `apart.rs` | files that are reached by no name of theirs; names that are nobody else's |
//! | `path.rs`, `table.rs` | where the walk stands; which files were met |
//! | `watch.rs`, `census.rs` | how much there is to copy |
//! | `options.rs` | what is asked for |

mod apart;
mod attributes;
mod backup;
mod census;
mod directory;
mod engine;
mod handle;
mod held;
mod links;
mod metadata;
pub mod options;
mod parents;
mod path;
mod proc;
mod regular;
mod same;
mod special;
mod table;
mod walk;
mod watch;
mod workers;

pub use attributes::has_contexts;
pub use engine::Engine;
pub use path::{basename, trim_slashes};
pub use walk::Walk;
pub use workers::Shared;
