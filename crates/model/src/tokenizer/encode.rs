//! From text to ids: literals, then pieces, then merges.

use std::collections::{HashMap, HashSet};

use tokenizers::Model;
use tokenizers::models::bpe::BPE;

use super::bytes;
use super::definition::{Definition, Kind, Scheme};
use super::error::TokenizerError;
use super::literal::Literals;
use super::split::Splitter;
use crate::tokens::TokenId;

/// How SentencePiece writes a space.
const SPACE: char = '\u{2581}';

pub(super) struct Encoder {
    model: BPE,
    literals: Literals,
    pieces: Pieces,
    spelling: Spelling,
}

enum Pieces {
    ByteLevel(Splitter),
    Sentence {
        /// No token holds U+2581 behind another character, so no merge crosses such a place.
        words: bool,
    },
}

/// What the vocabulary can write.
struct Spelling {
    /// Which bytes have a token.
    bytes: [bool; 256],
    /// Whether all bytes of UTF-8 have one, so that every text can be written.
    complete: bool,
    /// Characters that are tokens by themselves, where bytes are only a fallback.
    characters: HashSet<char>,
    /// The three byte tokens of U+2581, which otherwise means a space.
    space: Option<[u32; 3]>,
}

impl Encoder {
    pub fn new(definition: Definition) -> Result<Self, TokenizerError> {
        let vocabulary = definition.text_ids();
        let literals = literals(&definition);
        let spelling = Spelling::new(&definition, &vocabulary);
        let pieces = match &definition.scheme {
            Scheme::ByteLevel { rules } => Pieces::ByteLevel(Splitter::new(rules)?),
            Scheme::Sentence if !vocabulary.contains_key("\u{2581}") => {
                return Err(TokenizerError::Vocabulary(
                    "expected a token `\u{2581}`, which stands for a space, found none".into(),
                ));
            }
            Scheme::Sentence => Pieces::Sentence {
                words: words_stand_alone(&definition),
            },
        };
        let model_vocabulary: tokenizers::models::bpe::Vocab = vocabulary
            .iter()
            .map(|(text, id)| ((*text).to_owned(), *id))
            .collect();
        let model = BPE::builder()
            .vocab_and_merges(model_vocabulary, definition.merges)
            .ignore_merges(definition.ignore_merges)
            .byte_fallback(matches!(definition.scheme, Scheme::Sentence))
            .build()?;
        Ok(Self {
            model,
            literals,
            pieces,
            spelling,
        })
    }

    pub fn id(&self, token: &str) -> Option<u32> {
        self.model.token_to_id(token)
    }

    pub fn can_spell(&self, character: char) -> bool {
        self.spelling.has(character)
    }

    /// The first character that no tokens write, with its offset in bytes.
    pub fn unspellable(&self, text: &str) -> Option<(usize, char)> {
        if self.spelling.complete {
            return None;
        }
        text.char_indices()
            .find(|(_, character)| !self.spelling.has(*character))
    }

    /// Characters that the vocabulary cannot express are left out.
    pub fn encode(&self, text: &str) -> Result<Vec<TokenId>, TokenizerError> {
        let mut ids = Vec::with_capacity(text.len() / 3);
        let mut rest = text;
        while let Some((at, length, id)) = self.literals.find(rest) {
            self.encode_span(&rest[..at], &mut ids)?;
            ids.push(TokenId(id));
            rest = &rest[at + length..];
        }
        self.encode_span(rest, &mut ids)?;
        Ok(ids)
    }

    fn encode_span(&self, text: &str, ids: &mut Vec<TokenId>) -> Result<(), TokenizerError> {
        match &self.pieces {
            Pieces::ByteLevel(splitter) => {
                let mut printable = String::new();
                splitter.split(text, &mut |piece| {
                    printable.clear();
                    bytes::push_printable(piece, &mut printable);
                    self.merge(&printable, ids)
                })
            }
            Pieces::Sentence { words } => self.encode_sentence(text, *words, ids),
        }
    }

    fn encode_sentence(
        &self,
        text: &str,
        words: bool,
        ids: &mut Vec<TokenId>,
    ) -> Result<(), TokenizerError> {
        for (nth, span) in text.split(SPACE).enumerate() {
            if nth > 0 {
                ids.extend(self.spelling.space.into_iter().flatten().map(TokenId));
            }
            let written = span.replace(' ', "\u{2581}");
            if !words {
                self.merge(&written, ids)?;
                continue;
            }
            let mut start = 0;
            let mut before = SPACE;
            for (at, character) in written.char_indices() {
                if character == SPACE && before != SPACE {
                    self.merge(&written[start..at], ids)?;
                    start = at;
                }
                before = character;
            }
            self.merge(&written[start..], ids)?;
        }
        Ok(())
    }

    /// One piece; the model keeps the pieces that it has seen.
    fn merge(&self, piece: &str, ids: &mut Vec<TokenId>) -> Result<(), TokenizerError> {
        let tokens = self.model.tokenize(piece)?;
        ids.extend(tokens.into_iter().map(|token| TokenId(token.id)));
        Ok(())
    }
}

/// Literals by their text; those that write spaces as U+2581 are reached by merges alone.
fn literals(definition: &Definition) -> Literals {
    let rows = definition.rows.iter().enumerate();
    Literals::new(
        rows.filter(|(_, row)| row.kind == Kind::Literal && !row.text.contains(SPACE))
            .map(|(id, row)| (row.text.clone(), id as u32)),
    )
}

fn words_stand_alone(definition: &Definition) -> bool {
    let rows = definition
        .rows
        .iter()
        .filter(|row| matches!(row.kind, Kind::Text | Kind::Literal));
    let mut texts = rows.map(|row| row.text.as_str());
    !texts.any(|text| text.trim_start_matches(SPACE).contains(SPACE))
}

impl Spelling {
    fn new(definition: &Definition, vocabulary: &HashMap<&str, u32>) -> Self {
        let mut bytes = [false; 256];
        let mut byte_ids = [0; 256];
        let mut characters = HashSet::new();
        match definition.scheme {
            Scheme::ByteLevel { .. } => {
                for byte in 0..=255u8 {
                    let token = bytes::character(byte).to_string();
                    bytes[usize::from(byte)] = vocabulary.contains_key(token.as_str());
                }
            }
            Scheme::Sentence => {
                for (id, row) in definition.rows.iter().enumerate() {
                    if let Kind::Byte(byte) = row.kind {
                        bytes[usize::from(byte)] = true;
                        byte_ids[usize::from(byte)] = id as u32;
                    }
                }
                characters.extend(vocabulary.keys().filter_map(|text| single(text)));
            }
        }
        let complete = bytes::utf8_bytes().all(|byte| bytes[usize::from(byte)]);
        let space = [0xE2, 0x96, 0x81usize];
        let spelled = space.iter().all(|byte| bytes[*byte]);
        if characters.remove(&SPACE) {
            characters.insert(' ');
        }
        let space = spelled.then(|| space.map(|byte| byte_ids[byte]));
        Self {
            bytes,
            complete,
            characters,
            space,
        }
    }

    fn has(&self, character: char) -> bool {
        if self.complete || self.characters.contains(&character) {
            return true;
        }
        let mut buffer = [0; 4];
        character
            .encode_utf8(&mut buffer)
            .bytes()
            .all(|byte| self.bytes[usize::from(byte)])
    }
}

fn single(text: &str) -> Option<char> {
    let mut characters = text.chars();
    characters.next().filter(|_| characters.next().is_none())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::gguf::GgufVocabulary;
    use super::*;

    fn sentencepiece() -> Encoder {
        let data = include_str!("../../tests/data/tokenizer/sentencepiece.json");
        let data: serde_json::Value = serde_json::from_str(data).unwrap();
        let mut vocabulary = GgufVocabulary {
            model: "llama".into(),
            ..Default::default()
        };
        for piece in data["pieces"].as_array().unwrap() {
            vocabulary
                .tokens
                .push(piece[0].as_str().unwrap().to_owned());
            vocabulary.scores.push(piece[1].as_f64().unwrap() as f32);
            vocabulary
                .token_types
                .push(piece[2].as_u64().unwrap() as u32);
        }
        Encoder::new(vocabulary.into_definition().unwrap()).unwrap()
    }

    proptest! {
        #[test]
        fn words_give_the_same_ids_as_the_whole_text(text in "([a-z_.(]{1,6}| {1,5}|\n|\t|▁|é|[ -~]{1,8}){0,40}") {
            thread_local! {
                static ENCODERS: (Encoder, Encoder) = {
                    let mut whole = sentencepiece();
                    whole.pieces = Pieces::Sentence { words: false };
                    (sentencepiece(), whole)
                };
            }
            ENCODERS.with(|(words, whole)| {
                let by_words = matches!(words.pieces, Pieces::Sentence { words: true });
                prop_assert!(by_words);
                prop_assert_eq!(words.encode(&text).unwrap(), whole.encode(&text).unwrap());
                Ok(())
            })?;
        }
    }
}
