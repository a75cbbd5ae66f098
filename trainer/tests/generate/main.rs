//! `generate`, over the golden corpus and as a process.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests fail a test the same way"
)]

mod corpus;
mod golden;
mod mutations;
mod process;
mod verdicts;
