//! Texts that say the same thing twice, and texts that a benchmark asks for.

mod benchmarks;
pub mod minhash;
pub mod words;

pub use benchmarks::{Benchmarks, Overlap};
