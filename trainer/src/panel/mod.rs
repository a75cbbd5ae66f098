//! Panels: the models behind an API that generate negatives and judge them, named in the recipe.
//!
//! Steps ask through [`Member`]; what is asked, cached, paid for and retried is the business of
//! whatever implements it. Steps are tested with members that answer from a table.

pub mod http;
mod open;
mod roll;

use std::pin::Pin;

use serde::{Deserialize, Serialize};

pub use open::{Books, ledger_beside, open};
pub use roll::{Heard, Roll};

/// One question to one model.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// What is asked about, as it stands in files and logs: `<row id>/<sample>`.
    pub subject: String,
    /// Version of the prompt.
    pub prompt_version: String,
    /// Instructions.
    pub system: String,
    /// What the instructions are applied to.
    pub user: String,
    /// 0 is greedy.
    pub temperature: f32,
    /// For models that take one.
    pub seed: Option<u64>,
    /// Tokens of the reply at most.
    pub max_tokens: u32,
}

/// What a model said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// Its text.
    pub text: String,
    /// Why it ended.
    pub finish: Finish,
    /// Tokens of the question, as the server counts them.
    pub input_tokens: u64,
    /// Tokens of the reply.
    pub output_tokens: u64,
}

/// Why a reply ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finish {
    /// The model had said everything.
    Stop,
    /// The limit of tokens.
    Length,
    /// A content filter: the text is not an answer.
    Blocked,
}

/// Why there is no reply. What may succeed in another run is not kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// The server refused the key or the account: every further question would fail too.
    #[error("{0}")]
    Stop(String),
    /// The budget is spent.
    #[error("the budget is spent: {0}")]
    Budget(String),
    /// The text may not leave this machine.
    #[error("the question holds a secret")]
    Secret,
    /// This one question failed, after all retries.
    #[error("{0}")]
    Failed(String),
}

/// A reply that is on its way.
pub type Answer<'a> = Pin<Box<dyn Future<Output = Result<Reply, AskError>> + Send + 'a>>;

/// A model that can be asked.
pub trait Member: Send + Sync {
    /// Its name in the recipe, which stands in rows and tables.
    fn name(&self) -> &str;

    /// Asks. The same question, asked again in a later run, is answered from what was kept.
    fn ask<'a>(&'a self, question: &'a Question) -> Answer<'a>;
}
