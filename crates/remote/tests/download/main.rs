//! Downloads over a network that fails in every way that a test can think of.

#![allow(
    clippy::unwrap_used,
    reason = "helpers outside of test functions fail a test the same way"
)]

mod faults;
mod resuming;
mod shared;
#[path = "../support/mod.rs"]
mod support;
