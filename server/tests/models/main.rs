//! `truefill models`, run in an environment that the tests make.

#![allow(
    clippy::unwrap_used,
    reason = "helpers outside of test functions fail a test the same way"
)]

mod adapters;
mod default;
mod pulled;
mod upkeep;
mod user;
