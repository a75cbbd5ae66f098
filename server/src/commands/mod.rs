//! What a user can run, a file each.

pub mod arms;
pub mod bench;
pub mod complete;
pub mod demo;
pub mod doctor;
pub mod journal;
pub mod models;
pub mod serve;
pub mod stats;
