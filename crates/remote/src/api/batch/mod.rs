//! OpenAI Batch: the same questions, a day later, for half the price.
//!
//! A batch only fills the ledger: afterwards the questions are asked as ever and answered from it.
//! The ledger knows of a batch before it is created, and the batch carries its input's hash as
//! metadata, so one that was created just before a crash is found again and not paid for twice.

mod file;
mod lines;
mod run;

pub use file::{BatchFile, BatchWriter, FILE_BYTES, FILE_REQUESTS};
pub use run::{BatchEvent, BatchRun};
