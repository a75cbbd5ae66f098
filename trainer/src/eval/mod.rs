//! Measuring a checkpoint: benchmarks, held-out rows and a repository's own tests.
//!
//! [`row::EvalRow`] is a row of any benchmark, `metrics` compares a completion with the golden one, `cut`
//! ends completions as benchmarks do. Nothing reads benchmarks or runs completions yet.

pub mod cut;
pub mod metrics;
pub mod row;
pub mod text;

#[cfg(test)]
mod reference;
