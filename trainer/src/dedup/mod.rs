//! Rows that say the same thing twice, and rows that a benchmark asks for.

mod benchmarks;
mod minhash;
mod words;

pub use benchmarks::{Benchmarks, Overlap};
pub use minhash::{MinHash, NearDuplicates, Signature};
pub use words::{grams, words};
