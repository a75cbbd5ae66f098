//! The tokenizer's data, which a GGUF file carries as metadata.

use super::super::WeightError;
use super::GgufFile;
use crate::tokenizer::{GgufVocabulary, MAX_TOKENS};

/// Merges that a token may have part in on average; published vocabularies have one to three.
const MERGES_PER_TOKEN: usize = 8;

impl GgufFile {
    /// The vocabulary and merges under `tokenizer.ggml.`, copied out of the file.
    ///
    /// `token_types` and `scores` have one entry a token, or none where the file has none.
    ///
    /// # Errors
    /// [`WeightError::Damaged`] where the tokens are missing, no UTF-8 or more than any vocabulary
    /// has, a list is not as long as the tokens are many, or a token's id lies outside of them.
    pub fn vocabulary(&self) -> Result<GgufVocabulary, WeightError> {
        let tokens = self
            .strings("tokenizer.ggml.tokens", MAX_TOKENS)?
            .ok_or_else(|| self.absent("tokenizer.ggml.tokens", "the vocabulary's tokens"))?;
        if tokens.is_empty() {
            return Err(self.absent("tokenizer.ggml.tokens", "at least one token"));
        }
        let count = tokens.len();
        let model = self
            .string("tokenizer.ggml.model")?
            .ok_or_else(|| self.absent("tokenizer.ggml.model", "the tokenizer's kind"))?;
        Ok(GgufVocabulary {
            model: model.to_owned(),
            pre: self.string("tokenizer.ggml.pre")?.map(str::to_owned),
            tokens,
            token_types: self.per_token("tokenizer.ggml.token_type", count, |value| {
                value
                    .as_unsigned()
                    .and_then(|kind| u32::try_from(kind).ok())
            })?,
            scores: self.per_token("tokenizer.ggml.scores", count, |value| {
                value
                    .as_float()
                    .map(|score| score as f32)
                    .filter(|score| !score.is_nan())
            })?,
            merges: self
                .strings("tokenizer.ggml.merges", count * MERGES_PER_TOKEN)?
                .unwrap_or_default(),
            bos: self.token("tokenizer.ggml.bos_token_id", count)?,
            eos: self.token("tokenizer.ggml.eos_token_id", count)?,
            add_bos: self.boolean("tokenizer.ggml.add_bos_token")?,
            add_space_prefix: self.boolean("tokenizer.ggml.add_space_prefix")?,
        })
    }

    fn absent(&self, key: &str, expected: &str) -> WeightError {
        self.damaged_metadata(key, expected, "none")
    }

    /// Copies an array of strings, refusing one of more than `most` before it copies any.
    fn strings(&self, key: &str, most: usize) -> Result<Option<Vec<String>>, WeightError> {
        let Some(array) = self.array(key)? else {
            return Ok(None);
        };
        let Some(strings) = array.strings() else {
            let found = super::GgufValue::Array(array).describe();
            return Err(self.damaged_metadata(key, "an array of strings", found));
        };
        if array.len() > most {
            let expected = format!("at most {most} strings");
            return Err(self.damaged_metadata(key, expected, array.len().to_string()));
        }
        let mut owned = Vec::with_capacity(array.len());
        for bytes in strings {
            let text = std::str::from_utf8(bytes).map_err(|_| {
                let found = format!("bytes that are none in string {}", owned.len());
                self.damaged_metadata(key, "UTF-8", found)
            })?;
            owned.push(text.to_owned());
        }
        Ok(Some(owned))
    }

    /// An array with an entry for each token; empty where the file has none.
    fn per_token<'a, T>(
        &'a self,
        key: &str,
        tokens: usize,
        convert: impl Fn(super::GgufValue<'a>) -> Option<T>,
    ) -> Result<Vec<T>, WeightError> {
        let Some(array) = self.array(key)? else {
            return Ok(Vec::new());
        };
        let refuse = |found| {
            let expected = format!("a sound number for each of {tokens} tokens");
            self.damaged_metadata(key, expected, found)
        };
        let described = || super::GgufValue::Array(array).describe();
        if array.len() != tokens {
            return Err(refuse(described()));
        }
        let values = array.scalars().ok_or_else(|| refuse(described()))?;
        values
            .enumerate()
            .map(|(token, value)| {
                let found = || format!("{} for token {token}", value.describe());
                convert(value).ok_or_else(|| refuse(found()))
            })
            .collect()
    }

    fn token(&self, key: &str, tokens: usize) -> Result<Option<u32>, WeightError> {
        let Some(id) = self.unsigned(key)? else {
            return Ok(None);
        };
        match u32::try_from(id) {
            Ok(token) if (token as usize) < tokens => Ok(Some(token)),
            _ => Err(self.damaged_metadata(
                key,
                format!("the id of one of {tokens} tokens"),
                id.to_string(),
            )),
        }
    }
}
