//! Text to token ids and back, exactly.
//!
//! A tokenizer comes from a `tokenizer.json` or from a GGUF file's own vocabulary. Either becomes
//! one definition: rows with their kinds, merges, and one of two schemes (byte-level BPE, or
//! SentencePiece's BPE with byte fallback).
//!
//! All text is plain: the spelling of a control token in a user's file becomes ordinary tokens.
//! What [`Tokenizer::encode`] gives back decodes to the same bytes; so the leading space that some
//! vocabularies put before a text is left to the caller ([`Tokenizer::lead_space`]), and Unicode
//! normal forms are not applied.

mod bytes;
mod convert;
mod definition;
mod encode;
mod error;
mod flavours;
mod gguf;
mod json;
mod literal;
mod split;
mod stream;

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use crate::tokens::TokenId;

use definition::{Definition, Kind, Row, Scheme};
use encode::Encoder;

pub use convert::{gguf_from_json, json_from_gguf};
pub(crate) use definition::MAX_TOKENS;
pub use error::TokenizerError;
pub use gguf::GgufVocabulary;
pub use stream::Utf8Stream;

/// A vocabulary with its rules. Clones share everything.
#[derive(Clone)]
pub struct Tokenizer {
    inner: Arc<Inner>,
    bos: Option<TokenId>,
    eos: Option<TokenId>,
}

struct Inner {
    encoder: Encoder,
    /// All tokens' bytes, one after the other.
    bytes: Vec<u8>,
    /// Where each token's bytes end.
    ends: Vec<u32>,
    kinds: Vec<Kind>,
    /// Literal text to id, for the tokens that text does not yield.
    apart: HashMap<String, u32>,
    lead_space: bool,
    add_bos: bool,
    sha256: String,
}

impl Tokenizer {
    /// Reads a `tokenizer.json`.
    ///
    /// # Errors
    /// Where it is no such file, or defines a tokenizer whose text would not come back exactly.
    pub fn from_json(bytes: &[u8]) -> Result<Self, TokenizerError> {
        Self::new(json::parse(bytes)?)
    }

    /// Builds the tokenizer that a GGUF file defines.
    ///
    /// # Errors
    /// For an unknown model or `pre` (which names the known ones), and lists that do not fit.
    pub fn from_gguf(vocabulary: GgufVocabulary) -> Result<Self, TokenizerError> {
        Self::new(vocabulary.into_definition()?)
    }

    fn new(mut definition: Definition) -> Result<Self, TokenizerError> {
        definition.find_sentinels();
        definition.check()?;
        let mut bytes = Vec::new();
        let mut ends = Vec::with_capacity(definition.rows.len());
        for row in &definition.rows {
            bytes.extend_from_slice(&row_bytes(row, &definition.scheme));
            ends.push(bytes.len() as u32);
        }
        let apart = definition.rows.iter().enumerate().filter(|(_, row)| {
            !row.text.is_empty() && !matches!(row.kind, Kind::Text | Kind::Byte(_))
        });
        let mut names: HashMap<String, u32> = HashMap::new();
        for (id, row) in apart {
            names.entry(row.text.clone()).or_insert(id as u32);
        }
        let (bos, eos) = (definition.bos.map(TokenId), definition.eos.map(TokenId));
        let inner = Inner {
            apart: names,
            bytes,
            ends,
            kinds: definition.rows.iter().map(|row| row.kind).collect(),
            lead_space: definition.lead_space,
            add_bos: definition.add_bos,
            sha256: definition.sha256(),
            encoder: Encoder::new(definition)?,
        };
        Ok(Self {
            inner: Arc::new(inner),
            bos,
            eos,
        })
    }

    /// The same tokenizer with other begin and end tokens, as a `config.json` names them; `None` keeps
    /// what is there.
    #[must_use]
    pub fn with_ends(self, bos: Option<TokenId>, eos: Option<TokenId>) -> Self {
        Self {
            bos: bos.or(self.bos),
            eos: eos.or(self.eos),
            ..self
        }
    }

    /// The ids of a text, taken as plain text: no begin token, no leading space, no control token
    /// whatever the text spells. Decoding them gives the same bytes.
    ///
    /// # Errors
    /// [`TokenizerError::Unspellable`] for a character that the vocabulary cannot express. Some
    /// vocabularies lack rare control characters or whole planes; most lack nothing.
    pub fn encode(&self, text: &str) -> Result<Vec<TokenId>, TokenizerError> {
        match self.inner.encoder.unspellable(text) {
            None => self.inner.encoder.encode(text),
            Some((offset, character)) => Err(TokenizerError::Unspellable { character, offset }),
        }
    }

    /// As [`Self::encode`], without the characters that the vocabulary cannot express.
    ///
    /// # Errors
    /// Only what the library reports.
    pub fn encode_lossy(&self, text: &str) -> Result<Vec<TokenId>, TokenizerError> {
        self.inner.encoder.encode(&self.spellable(text))
    }

    /// The text without the characters that the vocabulary cannot express.
    pub fn spellable<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let encoder = &self.inner.encoder;
        match encoder.unspellable(text) {
            None => Cow::Borrowed(text),
            Some(_) => Cow::Owned(text.chars().filter(|c| encoder.can_spell(*c)).collect()),
        }
    }

    /// The text of ids, control tokens by their names; U+FFFD where their bytes are not UTF-8.
    /// Use [`Utf8Stream`] with [`Self::token_bytes`] for tokens that come one by one.
    pub fn decode(&self, ids: &[TokenId]) -> String {
        let bytes: Vec<u8> = ids
            .iter()
            .flat_map(|id| self.token_bytes(*id).unwrap_or_default())
            .copied()
            .collect();
        String::from_utf8(bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
    }

    /// A token's bytes, which may be part of a character; a control token's are its name. `None`
    /// outside the vocabulary.
    pub fn token_bytes(&self, id: TokenId) -> Option<&[u8]> {
        let index = id.0 as usize;
        let end = *self.inner.ends.get(index)? as usize;
        let start = match index.checked_sub(1) {
            None => 0,
            Some(before) => *self.inner.ends.get(before)? as usize,
        };
        self.inner.bytes.get(start..end)
    }

    /// The id of a token by its literal spelling in the vocabulary, control tokens included.
    pub fn id(&self, token: &str) -> Option<TokenId> {
        let apart = self.inner.apart.get(token).copied();
        apart.or_else(|| self.inner.encoder.id(token)).map(TokenId)
    }

    /// Whether this is a sentinel or another token that is not text.
    pub fn is_special(&self, id: TokenId) -> bool {
        matches!(
            self.inner.kinds.get(id.0 as usize),
            Some(Kind::Control | Kind::Unknown)
        )
    }

    /// Whether text yields this token, so that it can mean nothing else.
    pub fn is_text(&self, id: TokenId) -> bool {
        let kind = self.inner.kinds.get(id.0 as usize);
        matches!(kind, Some(Kind::Text | Kind::Byte(_)))
    }

    /// All tokens for which [`Self::is_special`] holds, in order.
    pub fn specials(&self) -> impl Iterator<Item = TokenId> {
        (0..self.vocabulary_size() as u32)
            .map(TokenId)
            .filter(|id| self.is_special(*id))
    }

    /// Rows of the vocabulary. A model's embedding may have more, for alignment.
    pub fn vocabulary_size(&self) -> usize {
        self.inner.kinds.len()
    }

    /// The token that begins a text.
    pub fn bos(&self) -> Option<TokenId> {
        self.bos
    }

    /// The token that ends a text.
    pub fn eos(&self) -> Option<TokenId> {
        self.eos
    }

    /// Whether the model expects [`Self::bos`] before a prompt.
    pub fn add_bos(&self) -> bool {
        self.inner.add_bos
    }

    /// Whether the model expects a space before a text that stands alone.
    pub fn lead_space(&self) -> bool {
        self.inner.lead_space
    }

    /// SHA-256 in hexadecimal over everything that decides about ids and text; equal for a
    /// `tokenizer.json` and a GGUF file that define the same tokenizer.
    pub fn sha256(&self) -> &str {
        &self.inner.sha256
    }
}

impl std::fmt::Debug for Tokenizer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Tokenizer")
            .field("vocabulary_size", &self.vocabulary_size())
            .field("bos", &self.bos())
            .field("eos", &self.eos())
            .field("sha256", &self.sha256())
            .finish_non_exhaustive()
    }
}

fn row_bytes(row: &Row, scheme: &Scheme) -> Vec<u8> {
    match (row.kind, scheme) {
        (Kind::Byte(byte), _) => vec![byte],
        (Kind::Text, Scheme::ByteLevel { .. }) => {
            bytes::parse_printable(&row.text).unwrap_or_else(|| row.text.clone().into_bytes())
        }
        // The mark of a space is part of such a name: other programs know the token by it.
        (Kind::Control | Kind::Unknown, _) => row.text.clone().into_bytes(),
        (_, Scheme::Sentence) => row.text.replace('\u{2581}', " ").into_bytes(),
        (_, Scheme::ByteLevel { .. }) => row.text.clone().into_bytes(),
    }
}
