//! Trees: directory after directory, by one worker or several.
//!
//! | file | subject |
//! | --- | --- |
//! | `level.rs` | one directory on the way: both sides, closed and opened again |
//! | `task.rs` | a tree, or a part of one, that one worker has to do |
//! | `pool.rs` | tasks on their way from one worker to another |
//! | `walk.rs` | going through a task, name after name |
//! | `copier.rs`, `counter.rs` | what is done with a name: it is copied, or counted |
//! | `parents.rs` | the directories that lead to an operand |

pub mod copier;
pub mod counter;
pub mod level;
pub mod parents;
pub mod pool;
pub mod task;
pub mod walk;

#[cfg(test)]
#[cfg(loom)]
mod interleaved;
