//! What a user can run, a file each.

pub mod serve;
