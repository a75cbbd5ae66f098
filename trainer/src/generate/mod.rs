//! `generate`: hard negatives for contexts, by a panel, by the checkpoint itself, or by rule.
//!
//! Every generator proposes candidates; the [contract](crate::contract) decides what becomes a row,
//! and everything else is counted with its reason. Contexts stream through in their order; what a
//! run writes depends on its inputs, its seed and the panel's replies alone, and replies are kept
//! in the ledger, so a run that was killed and started again writes the same file.

mod ask;
mod batches;
pub mod command;
mod cut;
mod encoder;
mod generator;
mod local;
mod mutate;
mod panel;
mod recipe;
mod reply;
mod run;
mod scene;
mod similar;
mod split;
mod tally;
mod teacher;
mod vocabulary;
mod words;

pub use ask::{Asked, Asking, Prompts};
pub use generator::{Answered, Generator, Outcome, Proposal, Refusal};
pub use local::{Local, LocalConfig};
pub use mutate::Mutate;
pub use recipe::{Recipe, TeacherConfig};
pub use run::{Work, over, run};
pub use scene::Scene;
pub use similar::{Embeddings, Lexical, Similarity};
pub use tally::{Cell, Tally};
pub use teacher::Teacher;
pub use vocabulary::Vocabulary;
