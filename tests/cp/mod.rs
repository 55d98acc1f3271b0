//! What the tests of `cp` share beyond `support`.
#![allow(dead_code)]

pub mod child;
pub mod command;
pub mod compare;
pub mod exceptions;
pub mod feeder;
pub mod forest;
pub mod fuse;
pub mod scene;
pub mod shrink;
pub mod table;
pub mod thicket;
pub mod trial;
