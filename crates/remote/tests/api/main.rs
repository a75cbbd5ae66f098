//! Models behind an API: what is retried, what is paid, what is kept.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests fail a test the same way"
)]

#[path = "../support/mod.rs"]
mod support;

mod batches;
mod faults;
mod killed;
mod shared;
mod stops;
