//! Models behind an API: what is retried, what is paid, what is kept.

#[path = "../support/mod.rs"]
mod support;

mod batches;
mod faults;
mod killed;
mod shared;
