//! Measuring a checkpoint: benchmarks, held-out rows and a repository's own tests.
//!
//! `suite` reads benchmarks' files into [`row::EvalRow`]s, `holes` cuts some into a repository, `backend` completes them, `cut` ends completions as
//! benchmarks do, `metrics` compares them with the golden ones, `sandbox` runs what they belong to, `run`
//! keeps what was found out, and `figures` makes averages and intervals of it.

pub mod alike;
mod args;
pub mod backend;
mod chat;
mod chosen;
pub mod command;
pub mod cut;
pub mod decoding;
mod deliver;
pub mod figures;
pub mod gate;
pub mod holes;
pub mod measure;
pub mod metrics;
pub mod output;
pub mod recipe;
pub mod row;
pub mod run;
pub mod sandbox;
mod subject;
pub mod suite;
mod tables;
pub mod text;

#[cfg(test)]
mod reference;
