//! How completions are made: part of what a result depends on.

use serde::{Deserialize, Serialize};
use truefill_model::fim::Layout;

/// How completions are made. Defaults are the papers' greedy decoding.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Decoding {
    /// The FIM format; without one, the checkpoint's.
    pub format: Option<String>,
    /// The format's layout; without one, the layout that it is served with.
    pub layout: Option<Layout>,
    /// Tokens of a prompt at most; of a server, which has the tokenizer, a third of the bytes.
    pub context_tokens: usize,
    /// Tokens of a completion at most; without a number 128 in a hole, and 512 for a whole program.
    pub max_tokens: Option<usize>,
    /// 0 is greedy.
    pub temperature: f32,
    /// Share of the probability to sample from.
    pub top_p: f32,
    /// Of the sampling, together with the row.
    pub seed: u64,
}

impl Default for Decoding {
    fn default() -> Self {
        Self {
            format: None,
            layout: None,
            context_tokens: 2048,
            max_tokens: None,
            temperature: 0.0,
            top_p: 1.0,
            seed: 1,
        }
    }
}

/// Tokens of a completion in a hole.
const IN_A_HOLE: usize = 128;
/// Tokens of a whole program.
const OF_A_PROGRAM: usize = 512;

impl Decoding {
    /// Tokens of a completion at most.
    #[must_use]
    pub fn most_tokens(&self, in_a_hole: bool) -> usize {
        self.max_tokens
            .unwrap_or(if in_a_hole { IN_A_HOLE } else { OF_A_PROGRAM })
    }

    /// Refuses what cannot be meant.
    ///
    /// # Errors
    /// A sentence.
    pub fn check(&self) -> Result<(), String> {
        let number = |name: &str, found: f32, least: f32, most: f32| {
            let within = (least..=most).contains(&found);
            let expected = format!("`{name}`: expected {least} to {most}, found {found}");
            within.then_some(()).ok_or(expected)
        };
        number("temperature", self.temperature, 0.0, 10.0)?;
        number("top_p", self.top_p, 0.001, 1.0)?;
        let context = self.context_tokens as f32;
        number("context_tokens", context, 16.0, 1_048_576.0)?;
        let most = self.max_tokens.unwrap_or(IN_A_HOLE) as f32;
        number("max_tokens", most, 1.0, 65_536.0)
    }
}
