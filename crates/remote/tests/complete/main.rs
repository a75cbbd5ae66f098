//! Completion servers that behave, and ones that do not.

#![allow(
    clippy::unwrap_used,
    reason = "helpers outside of test functions fail a test the same way"
)]

mod asking;
mod faults;
mod shared;
#[path = "../support/mod.rs"]
mod support;
