//! Making a copy of each kind.
//!
//! | file | subject |
//! | --- | --- |
//! | `regular.rs` | files with data |
//! | `directory.rs` | directories: made or taken, opened, finished |
//! | `node.rs` | symlinks, FIFOs, sockets, device nodes |
//! | `link.rs` | further names of what was copied; links instead of copies |
//! | `backup.rs`, `remove.rs` | what is in the way: kept, removed |

pub mod backup;
pub mod directory;
pub mod link;
pub mod node;
pub mod regular;
pub mod remove;
