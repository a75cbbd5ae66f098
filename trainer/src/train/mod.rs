//! `train`: from curated rows to a better checkpoint.

mod asked;
pub mod batches;
pub mod chat;
pub mod data;
pub mod error;
pub mod example;
pub mod held_out;
mod levenshtein;
pub mod mask;
pub mod objective;
pub mod recipe;
pub mod recut;
pub mod run;
pub mod sample;
pub mod schedule;
pub mod set;
pub mod vary;
