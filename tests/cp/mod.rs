//! What the tests of `cp` share beyond `support`, and some of `cat`. To compare with GNU's
//! programs:
//!
//! | | |
//! | --- | --- |
//! | what is run | `scene` (a tree that is prepared), `case` (a command in it), `random_tree` and `random_command` (made up) |
//! | by whom | `oracle` (GNU's program and annulet, one beside the other), `child` (as whom, within which limits), `feeder` (FIFOs) |
//! | what comes of it | `outcome` (all that can be seen, and how two differ), `exceptions` (where GNU is not followed), `trees` |
//! | lists of it | `table` (written by hand), `seeds` (made up; what fails is made smaller by `shrink` with the steps of `smaller`) |
#![allow(dead_code)]

pub mod case;
pub mod child;
pub mod exceptions;
pub mod feeder;
pub mod fuse;
pub mod oracle;
pub mod outcome;
pub mod random_command;
pub mod random_tree;
pub mod scene;
pub mod seeds;
pub mod shrink;
pub mod smaller;
pub mod table;
pub mod trees;
