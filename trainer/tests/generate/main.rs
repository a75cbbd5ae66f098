//! `generate`, over the golden corpus and as a process.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests fail a test the same way"
)]

#[path = "../../../crates/remote/tests/support/mod.rs"]
mod support;

mod corpus;
mod http;
mod mutations;
mod process;
mod verdicts;
