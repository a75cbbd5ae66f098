//! Measuring a checkpoint: benchmarks, held-out rows and a repository's own tests.
//!
//! [`row::EvalRow`] is a row of any benchmark, `metrics` compares a completion with the golden one, `cut`
//! ends completions as benchmarks do, `sandbox` runs what a completion belongs to. Nothing reads benchmarks
//! yet.

pub mod cut;
pub mod metrics;
pub mod row;
pub mod sandbox;
pub mod text;

#[cfg(test)]
mod reference;
