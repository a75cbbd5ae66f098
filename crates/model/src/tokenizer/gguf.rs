//! The vocabulary that a GGUF file carries.

use std::collections::HashMap;

use super::definition::{Definition, Kind, Row, Scheme};
use super::error::TokenizerError;
use super::flavours::flavour;

/// A GGUF file's `tokenizer.ggml.*` metadata, as it stands there.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GgufVocabulary {
    /// `tokenizer.ggml.model`: `gpt2` (byte-level BPE) or `llama` (SentencePiece BPE).
    pub model: String,
    /// `tokenizer.ggml.pre`: how text is cut before merges; `gpt2` only.
    pub pre: Option<String>,
    /// `tokenizer.ggml.tokens`, by id.
    pub tokens: Vec<String>,
    /// `tokenizer.ggml.token_type`, by id: 1 normal, 2 unknown, 3 control, 4 user-defined,
    /// 5 unused, 6 byte. Empty where the file has none.
    pub token_types: Vec<u32>,
    /// `tokenizer.ggml.scores`, by id; `llama` only. Empty where the file has none.
    pub scores: Vec<f32>,
    /// `tokenizer.ggml.merges`: pairs by a space, the first has the highest priority; `gpt2` only.
    pub merges: Vec<String>,
    /// `tokenizer.ggml.bos_token_id`.
    pub bos: Option<u32>,
    /// `tokenizer.ggml.eos_token_id`.
    pub eos: Option<u32>,
    /// `tokenizer.ggml.add_bos_token`; absent means yes for `llama` and no for `gpt2`.
    pub add_bos: Option<bool>,
    /// `tokenizer.ggml.add_space_prefix`; absent means yes for `llama` and no for `gpt2`.
    pub add_space_prefix: Option<bool>,
}

/// Far longer than any published token, and short enough for work that grows with its square.
const MAX_TOKEN_BYTES: usize = 4096;

impl GgufVocabulary {
    pub(super) fn into_definition(self) -> Result<Definition, TokenizerError> {
        self.check_lengths()?;
        let sentence = match self.model.as_str() {
            "gpt2" => false,
            "llama" => true,
            other => {
                return Err(TokenizerError::Unsupported {
                    expected: "tokenizer.ggml.model `gpt2` or `llama`".into(),
                    found: format!("`{other}`"),
                });
            }
        };
        let rows = self.rows()?;
        let (scheme, merges, ignore_merges) = if sentence {
            (
                Scheme::Sentence,
                merges_by_score(&rows, &self.scores),
                false,
            )
        } else {
            let (rules, ignore_merges) = flavour(self.pre.as_deref().unwrap_or("default"))?;
            (
                Scheme::ByteLevel { rules },
                parse_merges(&self.merges)?,
                ignore_merges,
            )
        };
        Ok(Definition {
            rows,
            merges,
            ignore_merges,
            scheme,
            lead_space: self.add_space_prefix.unwrap_or(sentence),
            bos: self.bos,
            eos: self.eos,
            add_bos: self.add_bos.unwrap_or(sentence),
        })
    }

    fn check_lengths(&self) -> Result<(), TokenizerError> {
        let tokens = self.tokens.len();
        let lists = [
            ("token types", self.token_types.len()),
            ("scores", self.scores.len()),
        ];
        match lists
            .into_iter()
            .find(|(_, length)| *length != 0 && *length != tokens)
        {
            None => Ok(()),
            Some((name, length)) => Err(TokenizerError::Vocabulary(format!(
                "expected as many {name} as tokens ({tokens}), found {length}"
            ))),
        }
    }

    fn rows(&self) -> Result<Vec<Row>, TokenizerError> {
        let row = |(id, text): (usize, &String)| {
            if text.len() > MAX_TOKEN_BYTES {
                return Err(TokenizerError::Vocabulary(format!(
                    "token {id}: expected at most {MAX_TOKEN_BYTES} bytes, found {} bytes",
                    text.len()
                )));
            }
            let kind = match self.token_types.get(id).copied().unwrap_or(1) {
                0 | 1 => Kind::Text,
                2 => Kind::Unknown,
                3 => Kind::Control,
                4 => Kind::Literal,
                5 => Kind::Unused,
                6 => Kind::Byte(parse_byte(text).ok_or_else(|| {
                    TokenizerError::Vocabulary(format!(
                        "token {id} is of the type byte: expected `<0x00>` to `<0xFF>`, found `{text}`"
                    ))
                })?),
                other => {
                    return Err(TokenizerError::Vocabulary(format!(
                        "token {id} (`{text}`): expected a type from 0 to 6, found {other}"
                    )));
                }
            };
            Ok(Row {
                text: text.clone(),
                kind,
            })
        };
        self.tokens.iter().enumerate().map(row).collect()
    }
}

/// `<0x0A>` is byte 10.
pub(super) fn parse_byte(token: &str) -> Option<u8> {
    let hex = token.strip_prefix("<0x")?.strip_suffix('>')?;
    let digits = hex.len() == 2 && hex.bytes().all(|digit| digit.is_ascii_hexdigit());
    digits.then(|| u8::from_str_radix(hex, 16).ok()).flatten()
}

/// Splits `a b` at its space; tokens in the printable alphabet hold none.
pub(super) fn parse_merge(nth: usize, merge: &str) -> Result<(String, String), TokenizerError> {
    match merge.split_once(' ') {
        Some((left, right)) if !right.contains(' ') => Ok((left.into(), right.into())),
        _ => Err(TokenizerError::Vocabulary(format!(
            "merge {nth}: expected two tokens with one space between, found {merge:?}"
        ))),
    }
}

fn parse_merges(merges: &[String]) -> Result<Vec<(String, String)>, TokenizerError> {
    merges
        .iter()
        .enumerate()
        .map(|(nth, merge)| parse_merge(nth, merge))
        .collect()
}

/// SentencePiece has no list of merges: two pieces merge where their union is a piece, the best
/// score first. Among the halves of one piece the lower ids come first, as in the published
/// conversions.
fn merges_by_score(rows: &[Row], scores: &[f32]) -> Vec<(String, String)> {
    let mergeable = |row: &Row| matches!(row.kind, Kind::Text | Kind::Literal);
    let mut ids: HashMap<&str, u32> = HashMap::with_capacity(rows.len());
    for (id, row) in rows.iter().enumerate().filter(|(_, row)| mergeable(row)) {
        ids.entry(row.text.as_str()).or_insert(id as u32);
    }
    let mut merges: Vec<(f32, &str, &str)> = Vec::new();
    for (id, row) in rows.iter().enumerate().filter(|(_, row)| mergeable(row)) {
        // Files without scores keep the order of training, the first is the best.
        let score = scores.get(id).copied().unwrap_or(-(id as f32));
        let halves = row
            .text
            .char_indices()
            .skip(1)
            .map(|(at, _)| row.text.split_at(at));
        let mut found: Vec<_> = halves
            .filter_map(|(left, right)| Some((*ids.get(left)?, *ids.get(right)?, left, right)))
            .collect();
        found.sort_unstable_by_key(|(left, right, ..)| (*left, *right));
        merges.extend(
            found
                .into_iter()
                .map(|(_, _, left, right)| (score, left, right)),
        );
    }
    // Stable: pieces of one score keep the order of their ids.
    merges.sort_by(|a, b| b.0.total_cmp(&a.0));
    merges
        .into_iter()
        .map(|(_, left, right)| (left.to_owned(), right.to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_merges_are_parsed_strictly() {
        assert_eq!(parse_byte("<0x0A>"), Some(10));
        assert_eq!(parse_byte("<0x+A>"), None);
        assert_eq!(parse_byte("<0x100>"), None);
        assert_eq!(parse_merge(0, "Ġ t").unwrap(), ("Ġ".into(), "t".into()));
        assert!(
            parse_merge(7, "a b c")
                .unwrap_err()
                .to_string()
                .contains("merge 7")
        );
        assert!(parse_merge(7, "ab").is_err());
    }

    #[test]
    fn scores_order_the_merges() {
        let texts = ["a", "b", "c", "ab", "bc", "abc"];
        let rows: Vec<Row> = texts
            .iter()
            .map(|text| Row {
                text: (*text).into(),
                kind: Kind::Text,
            })
            .collect();
        let merges = merges_by_score(&rows, &[0.0, 0.0, 0.0, -2.0, -1.0, -3.0]);
        let expected = [("b", "c"), ("a", "b"), ("a", "bc"), ("ab", "c")];
        let expected: Vec<_> = expected
            .iter()
            .map(|(l, r)| ((*l).to_owned(), (*r).to_owned()))
            .collect();
        assert_eq!(merges, expected);
    }
}
