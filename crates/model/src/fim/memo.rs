//! Encodings that the next keystroke asks for again: the suffix, the text before the cursor's block.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use crate::tokenizer::{Tokenizer, TokenizerError};
use crate::tokens::TokenId;

/// Texts that are kept: a prompt has about four, and each keystroke adds one that is new.
const ENTRIES: usize = 12;
/// Below this, encoding is as fast as looking.
const MIN_BYTES: usize = 64;
/// Above this, keeping the text costs more than it is worth.
const MAX_BYTES: usize = 64 << 10;

/// The last texts and their ids, the newest last.
#[derive(Debug, Default)]
pub(super) struct Memo {
    entries: Mutex<VecDeque<(Box<str>, Vec<TokenId>)>>,
}

impl Memo {
    /// As [`Tokenizer::encode_lossy`].
    pub fn encode(
        &self,
        tokenizer: &Tokenizer,
        text: &str,
    ) -> Result<Vec<TokenId>, TokenizerError> {
        if !(MIN_BYTES..=MAX_BYTES).contains(&text.len()) {
            return tokenizer.encode_lossy(text);
        }
        if let Some(ids) = self.find(text) {
            return Ok(ids);
        }
        let ids = tokenizer.encode_lossy(text)?;
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() == ENTRIES {
            entries.pop_front();
        }
        entries.push_back((text.into(), ids.clone()));
        Ok(ids)
    }

    fn find(&self, text: &str) -> Option<Vec<TokenId>> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let at = entries.iter().position(|(known, _)| **known == *text)?;
        let entry = entries.remove(at)?;
        let ids = entry.1.clone();
        entries.push_back(entry);
        Some(ids)
    }
}
