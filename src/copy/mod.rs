//! The copy engine.
//!
//! | file | subject |
//! | --- | --- |
//! | `workers.rs`, `team.rs` | the workers of one copy; how many, and when they are called in |
//! | `shared.rs` | what they share |
//! | `tree/` | directory after directory, by one worker or several; counting what there is |
//! | `entry.rs` | one name, as the walk gives it |
//! | `engine.rs` | one name: what is in the way, and who copies it |
//! | `directory.rs` | directories: opening both sides, finishing them |
//! | `regular.rs` | files: opening both sides |
//! | `held.rs` | opening what was looked at, and nothing that was put in its place |
//! | `same.rs`, `backup.rs` | source and destination that are one file; files that are kept |
//! | `special.rs` | symlinks, FIFOs, device nodes |
//! | `links.rs` | hard links that are kept; links instead of copies |
//! | `metadata.rs`, `attributes.rs` | times, owner, permission bits; extended attributes |
//! | `handle.rs`, `proc.rs`, `apart.rs` | files that are reached by no name of theirs; names that are nobody else's |
//! | `path.rs`, `table.rs` | where the walk stands; which files were met |
//! | `census.rs` | how much there is to copy |
//! | `options.rs` | what is asked for |

mod apart;
mod attributes;
mod backup;
mod census;
mod directory;
mod engine;
mod entry;
mod handle;
mod held;
mod links;
mod metadata;
pub mod options;
mod path;
mod proc;
mod regular;
mod same;
mod shared;
mod special;
mod table;
mod team;
mod tree;
mod workers;

/// For `backup.rs`, which does not ask for these in [`tree`] yet.
mod walk {
    pub use super::tree::task::Task as Walk;
    pub use super::tree::walk::DIRENT_BYTES;
}

pub use attributes::has_contexts;
pub use path::{basename, trim_slashes};
pub use shared::Shared;
pub use workers::{Operands, run};
