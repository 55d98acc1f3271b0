//! The copy engine.
//!
//! | file | subject |
//! | --- | --- |
//! | `engine.rs` | one name: what is in the way, and who copies it |
//! | `walk.rs`, `directory.rs` | trees |
//! | `workers.rs` | several workers in one tree |
//! | `progress.rs` | how far they have come |
//! | `regular.rs`, `data.rs` | files: opening both sides; which way the data goes |
//! | `plain.rs`, `conduit.rs` | data by plain calls, and within the kernel |
//! | `pump.rs`, `lazy_ring.rs` | data through the ring |
//! | `special.rs` | symlinks, device nodes, hard links |
//! | `metadata.rs` | times, owner, permission bits |
//! | `path.rs`, `table.rs` | where the walk stands; which files were met |
//! | `options.rs`, `ui.rs`, `failure.rs`, `refusal.rs`, `trace.rs` | what is asked for, and how the engine speaks |

pub mod conduit;
pub mod data;
mod directory;
mod engine;
pub mod failure;
pub mod lazy_ring;
mod metadata;
pub mod options;
mod path;
pub mod plain;
mod progress;
pub mod pump;
pub mod refusal;
mod regular;
mod special;
mod table;
mod trace;
pub mod ui;
mod walk;
mod workers;

pub use engine::Engine;
pub use path::basename;
pub use progress::Snapshot;
pub use walk::Walk;
pub use workers::Shared;
