//! Training, as far as it needs no weights: objectives, marks, examples, batches, schedules.
#![allow(clippy::unwrap_used)]

mod batches;
mod chats;
mod examples;
#[path = "../../../crates/model/tests/fim_support/mod.rs"]
mod fim_support;
mod gradients;
mod marks;
mod recipes;
mod reference;
mod refusals;
mod samples;
mod support;
