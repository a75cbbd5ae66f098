//! `train`: from curated rows to a better checkpoint.

pub mod objective;
