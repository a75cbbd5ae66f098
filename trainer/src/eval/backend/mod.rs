//! Who completes: our engine, or a server that speaks OpenAI's protocol.

mod engine;
mod server;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::row::EvalRow;

pub use engine::Engine;
pub use server::{Server, ServerConfig};

/// What a model wrote.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Completion {
    /// The text, up to where the model or a stop text ended it.
    pub text: String,
    /// Why it ended.
    pub stop: Stop,
    /// Tokens generated, where the backend tells.
    pub tokens: Option<u64>,
    /// Tokens of the prompt, where the backend tells.
    pub prompt_tokens: Option<u64>,
    /// The prompt lacks a part of the file.
    pub shortened: bool,
}

/// How long a completion took; another time each time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timing {
    /// From the request to the first token, in milliseconds.
    pub first_ms: f64,
    /// From the request to the end.
    pub ms: f64,
    /// Rows that were completed at the same time at most.
    pub width: usize,
}

/// What a model wrote, and how long that took.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timed {
    /// What it wrote.
    pub completion: Completion,
    /// How long it took.
    pub timing: Timing,
}

#[cfg(test)]
impl Timed {
    /// A completion that ended by itself, for tests.
    pub fn ended(text: String) -> Self {
        let completion = Completion {
            text,
            stop: Stop::End,
            tokens: None,
            prompt_tokens: None,
            shortened: false,
        };
        let timing = Timing {
            first_ms: 1.0,
            ms: 2.0,
            width: 1,
        };
        Self { completion, timing }
    }
}

/// Why a completion ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// The model ended it.
    End,
    /// It came to one of the row's stop texts.
    Text,
    /// The limit of tokens.
    Limit,
    /// A server did not say.
    Unsaid,
}

/// How likely a model takes a completion to be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Likelihood {
    /// Natural logarithm of its probability, its end included.
    pub log_probability: f64,
    /// Tokens that it is the sum over.
    pub tokens: u64,
}

impl Likelihood {
    /// The average over its tokens.
    #[must_use]
    pub fn per_token(&self) -> f64 {
        self.log_probability / self.tokens.max(1) as f64
    }
}

/// Hears of rows as they are done, in any order.
pub struct Hear<'a> {
    /// A row's place in the list, and its completion or why there is none. What it reports ends the work.
    pub done: &'a mut dyn FnMut(usize, Result<Timed, String>) -> Result<()>,
    /// Whether to end early.
    pub stop: &'a (dyn Fn() -> bool + Sync),
}

/// A model that can be measured.
pub trait Backend {
    /// What completions depend on beside the rows and the decoding: which model, in which program, on what
    /// kind of device.
    fn identity(&self) -> &str;

    /// What is to be known of all its completions.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }

    /// Completes rows. Returns early where it was told to stop.
    ///
    /// # Errors
    /// What is wrong with all rows alike, and what `hear` reports.
    fn complete(&mut self, rows: &[&EvalRow], hear: Hear<'_>) -> Result<()>;

    /// How likely `completion` is in a row's hole; nothing where this backend or this vocabulary cannot
    /// tell.
    ///
    /// # Errors
    /// What the model reports.
    fn likelihood(&mut self, row: &EvalRow, completion: &str) -> Result<Option<Likelihood>>;
}
