//! Measuring a checkpoint: benchmarks, held-out rows and a repository's own tests.
//!
//! `suite` reads a benchmark's files into [`row::EvalRow`]s, `metrics` compares a completion with the
//! golden one, `cut` ends completions as benchmarks do, `sandbox` runs what a completion belongs to.

pub mod cut;
pub mod metrics;
pub mod row;
pub mod text;

#[cfg(test)]
mod reference;
