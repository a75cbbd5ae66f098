//! Where a completion ends for a benchmark: models go on after the hole, and each protocol says how much
//! of that it forgives.
//!
//! Pure functions that return a prefix of the completion. Their names follow the protocols, which are
//! named with them.

pub mod lines;
pub mod safim;
pub mod statement;
