//! `truefill-trainer eval` as a process: over a tiny model, over a scripted server, killed and refused.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests fail a test the same way"
)]

#[path = "../../../crates/remote/tests/support/mod.rs"]
mod support;

mod ablation;
mod engine;
mod gate;
mod refusals;
mod report;
mod rows;
mod server;
