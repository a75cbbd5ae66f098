//! Measuring a checkpoint: benchmarks, held-out rows and a repository's own tests.
//!
//! [`row::EvalRow`] is a row of any benchmark and `suite` reads benchmarks' files into such rows. `cut` ends
//! completions as benchmarks do, `metrics` compares them with the golden ones, `sandbox` runs what they
//! belong to.

pub mod cut;
pub mod metrics;
pub mod row;
pub mod sandbox;
pub mod suite;
pub mod text;

#[cfg(test)]
mod reference;
