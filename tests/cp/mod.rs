//! What the tests of `cp` share beyond `support`.
#![allow(dead_code)]

pub mod child;
pub mod compare;
pub mod forest;
pub mod fuse;
pub mod scene;
