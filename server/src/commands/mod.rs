//! What a user can run, a file each.

pub mod bench;
pub mod complete;
pub mod demo;
pub mod doctor;
pub mod models;
pub mod serve;
