//! `generate`, over the golden corpus and as a process.

#[path = "../../../crates/remote/tests/support/mod.rs"]
mod support;

mod corpus;
mod http;
mod mutations;
mod process;
