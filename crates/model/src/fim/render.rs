//! From a request to tokens.

use std::ops::Range;

use super::bind::{BoundFormat, BoundItem};
use super::format::{Layout, Slot};
use super::window::{PrefixLimits, PrefixWindow, anchor, fit_front, fit_prefix};
use super::{Budget, FimError, Prompt, PromptParts, TrainingExample, context};
use crate::tokens::TokenId;

/// No share is above this: the prefix always keeps some room.
const MAX_SHARE: f32 = 0.9;

impl BoundFormat {
    /// Renders the prompt for a cursor.
    ///
    /// The prompt never has more than [`Budget::total`] tokens. Of the prefix it shows the end,
    /// from a place on a grid of lines that moves once per some hundred bytes; of the suffix the
    /// beginning, up to a line's end; never part of a character. It looks at a few bytes per token
    /// of budget, however long the document is. Text that spells a sentinel stays text; characters
    /// that the vocabulary cannot express are left out.
    ///
    /// The prompt depends on the arguments alone. While text is appended to the prefix and the rest
    /// stays, layouts that end with the prefix (`spm`, `psm-line`, `causal`) keep all tokens but
    /// those of the last words before the cursor, except where the window moves on.
    ///
    /// # Errors
    /// [`FimError::Budget`] where the sentinels alone do not fit.
    pub fn render(&self, parts: &PromptParts<'_>, budget: &Budget) -> Result<Prompt, FimError> {
        let sentinels = self.sentinel_count();
        if budget.total < sentinels.max(1) {
            return Err(FimError::Budget {
                needed: sentinels.max(1),
                total: budget.total,
            });
        }
        let mut left = budget.total - sentinels;
        let share = |share: f32| (budget.total as f32 * clamp(share)) as usize;

        let context_space = self.lead_space(Slot::Context);
        let path = (budget.total / 8).min(left);
        let chunks = share(budget.chunk_share).min(left - path);
        let context = context::render(
            &self.tokenizer,
            &self.context,
            parts,
            path,
            chunks,
            context_space,
        )?;
        left -= context.tokens.len() + context.file.len();

        let suffix_room = if self.has(Slot::Suffix) {
            share(budget.suffix_share).min(left)
        } else {
            0
        };
        let suffix = fit_front(parts.suffix, suffix_room, |text| {
            self.memo.encode(&self.tokenizer, text)
        })?;
        left -= suffix.1.len();

        let space = context_space && context.tokens.is_empty();
        let prefix = self.fit_prefix(parts.prefix, left, block(budget), space)?;
        let prompt = Parts {
            context: context.tokens,
            file: context.file,
            prefix: &prefix,
            suffix: suffix.1,
        };
        Ok(Prompt {
            tokens: self.not_empty(self.assemble(&prompt))?,
            prefix_window: prefix.start..parts.prefix.len(),
            suffix_window: 0..suffix.0,
            chunks: context.chunks,
        })
    }

    /// Renders a training example: the prompt as [`Self::render`] gives it for the same budget, then
    /// the middle's tokens and the end token. The middle adds to [`Budget::total`] and is never cut.
    ///
    /// # Errors
    /// As [`Self::render`]; [`FimError::MissingToken`] where the tokenizer has no end token; a middle
    /// that the vocabulary cannot express.
    pub fn render_training(
        &self,
        parts: &PromptParts<'_>,
        middle: &str,
        budget: &Budget,
    ) -> Result<TrainingExample, FimError> {
        let end = self.end.ok_or_else(|| self.no_end())?;
        let prompt = self.render(parts, budget)?;
        let mut tokens = prompt.tokens;
        let begin = tokens.len();
        tokens.extend(self.tokenizer.encode(middle)?);
        tokens.push(end);
        let supervised: Range<usize> = begin..tokens.len();
        let Prompt {
            prefix_window,
            suffix_window,
            ..
        } = prompt;
        Ok(TrainingExample {
            tokens,
            supervised,
            prefix_window,
            suffix_window,
        })
    }

    fn fit_prefix(
        &self,
        text: &str,
        tokens: usize,
        block: usize,
        lead_space: bool,
    ) -> Result<PrefixWindow, FimError> {
        let anchor = match self.layout {
            Layout::PsmLine => anchor(text, self.format.anchor_bytes, block),
            _ => text.len(),
        };
        let encode = |text: &str| Ok(self.memo.encode(&self.tokenizer, text)?);
        // The libraries that a space comes from put none before nothing.
        let encode_head = |text: &str| match lead_space && !text.is_empty() {
            true => encode(&format!(" {text}")),
            false => encode(text),
        };
        let bytes = |id| self.tokenizer.token_bytes(id).map_or(0, <[u8]>::len);
        let limits = PrefixLimits {
            tokens,
            block,
            anchor,
        };
        fit_prefix(text, limits, encode_head, encode, bytes)
    }

    fn assemble(&self, parts: &Parts<'_>) -> Vec<TokenId> {
        let mut tokens = Vec::new();
        for item in &self.items {
            match item {
                BoundItem::Token(id) => tokens.push(*id),
                BoundItem::Text(_) => {}
                BoundItem::Slot { slot, .. } => tokens.extend_from_slice(match slot {
                    Slot::Context => &parts.context,
                    Slot::File => &parts.file,
                    Slot::Prefix | Slot::Head => &parts.prefix.head,
                    Slot::Line => &parts.prefix.line,
                    Slot::Suffix => &parts.suffix,
                }),
            }
        }
        tokens
    }

    /// A model needs something to continue; a text begins where another one ended.
    fn not_empty(&self, mut tokens: Vec<TokenId>) -> Result<Vec<TokenId>, FimError> {
        if tokens.is_empty() {
            let first = self.tokenizer.bos().or(self.end);
            tokens.push(first.ok_or_else(|| self.no_end())?);
        }
        Ok(tokens)
    }

    fn no_end(&self) -> FimError {
        let token = self.format.end.first().cloned().unwrap_or_default();
        FimError::MissingToken {
            format: self.name().to_owned(),
            token,
        }
    }

    fn sentinel_count(&self) -> usize {
        let sentinel = |item: &&BoundItem| matches!(item, BoundItem::Token(_));
        self.items.iter().filter(sentinel).count()
    }

    fn has(&self, wanted: Slot) -> bool {
        self.items
            .iter()
            .any(|item| matches!(item, BoundItem::Slot { slot, .. } if *slot == wanted))
    }

    fn lead_space(&self, wanted: Slot) -> bool {
        let found = |item: &BoundItem| matches!(item, BoundItem::Slot { slot, lead_space: true } if *slot == wanted);
        self.items.iter().any(found)
    }
}

struct Parts<'a> {
    context: Vec<TokenId>,
    file: Vec<TokenId>,
    prefix: &'a PrefixWindow,
    suffix: Vec<TokenId>,
}

fn clamp(share: f32) -> f32 {
    if share.is_nan() {
        0.0
    } else {
        share.clamp(0.0, MAX_SHARE)
    }
}

/// The grid of the prefix's window, in bytes: about a fifth of the tokens that are left for it when
/// suffix and chunks take their share. It depends on the budget alone, so that it stays the same
/// while the user types.
fn block(budget: &Budget) -> usize {
    let taken = clamp(budget.suffix_share) + clamp(budget.chunk_share);
    let tokens = budget.total as f32 * (1.0 - taken.min(MAX_SHARE));
    ((tokens * 0.7) as usize).max(16)
}
