//! Copying: trees, names, and what is made of each.
//!
//! | file | subject |
//! | --- | --- |
//! | `run.rs`, `team.rs` | the workers of one copy; how they are called in |
//! | `watch.rs`, `workers.rs` | what they are seen to take; how many that makes |
//! | `operands.rs`, `any_order.rs`, `line.rs` | operands one after the other; by all workers; how these take them |
//! | `shared.rs`, `worker.rs` | what they share, and what each has for itself |
//! | `tree/` | directory after directory, by one worker or several; counting what there is |
//! | `entry.rs` | one name: the source, and what is in the destination's place |
//! | `case.rs`, `plan.rs`, `same.rs` | what is to become of it: GNU's rules, without a system call |
//! | `facts.rs` | the look-ups that they may need |
//! | `execute.rs`, `outcome.rs` | what happens to it, from looking to reporting; why it may not |
//! | `make/` | making what is planned, a file for each kind |
//! | `attributes.rs`, `xattr.rs`, `target.rs` | times, owner, mode; extended attributes; how they are reached |
//! | `held.rs`, `handle.rs`, `proc.rs`, `temporary.rs` | files that no name is trusted for |
//! | `path.rs`, `seen.rs`, `names.rs` | where the walk stands; which files were met; which names operands get |
//! | `census.rs` | how much there is to copy |
//! | `options.rs` | what is asked for |

mod any_order;
mod attributes;
pub mod case;
mod census;
pub mod entry;
mod execute;
mod facts;
mod handle;
mod held;
mod line;
mod make;
mod names;
mod operands;
pub mod options;
mod outcome;
mod path;
pub mod plan;
mod proc;
mod run;
pub mod same;
mod seen;
mod shared;
mod target;
mod team;
mod temporary;
mod tree;
mod watch;
mod worker;
pub mod workers;
mod xattr;

pub use make::backup::path_for as backup_path_for;
pub use path::{Place, basename, trim_slashes};
pub use run::{Operands, run};
pub use shared::Shared;
pub use xattr::has_contexts;
