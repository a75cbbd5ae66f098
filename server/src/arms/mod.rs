//! Which arm of a comparison a request belongs to.

mod assign;

pub use assign::{Assigned, Assigner, Place};
