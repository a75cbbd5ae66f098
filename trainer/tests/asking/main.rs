//! Steps that ask models over HTTP, as processes against a scripted server.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests fail a test the same way"
)]

#[path = "../../../crates/remote/tests/support/mod.rs"]
mod support;

mod batch;
mod budget;
mod killed;
#[path = "../support/left.rs"]
mod left;
mod mock;
mod process;
mod secrets;
mod selector;
mod teacher;
mod types;
