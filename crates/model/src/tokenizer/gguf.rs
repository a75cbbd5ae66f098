//! The vocabulary that a GGUF file carries.

use std::collections::HashMap;

use super::definition::{Definition, Kind, Row, Scheme};
use super::error::TokenizerError;
use super::flavours::flavour;
use crate::weights::shown;

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

/// Far longer than any published token, and short enough for work that grows with its length.
const MAX_TOKEN_BYTES: usize = 4096;
/// Bytes of a SentencePiece piece. Every way to cut one in two is looked at, so work grows with the
/// square; the longest that is published, a run of 31 spaces, has 93.
const MAX_PIECE_BYTES: usize = 256;
/// What a merge takes in memory beside its text: two strings.
const MERGE_BYTES: usize = 2 * size_of::<String>();
/// Memory for the merges of a SentencePiece vocabulary: so much for each token, and in all. The
/// published ones have two or three merges a token of some sixty bytes each.
const MERGE_BYTES_PER_TOKEN: usize = 512;
const MAX_MERGES_BYTES: usize = 256 << 20;

impl GgufVocabulary {
    pub(super) fn into_definition(mut self) -> Result<Definition, TokenizerError> {
        self.check_lengths()?;
        let sentence = match self.model.as_str() {
            "gpt2" => false,
            "llama" => true,
            other => {
                return Err(TokenizerError::Unsupported {
                    expected: "tokenizer.ggml.model `gpt2` or `llama`".into(),
                    found: format!("`{}`", shown(other)),
                });
            }
        };
        let rows = self.take_rows()?;
        let (scheme, merges, ignore_merges) = if sentence {
            let merges = merges_by_score(&rows, &self.scores)?;
            (Scheme::Sentence, merges, false)
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

    fn take_rows(&mut self) -> Result<Vec<Row>, TokenizerError> {
        let tokens = std::mem::take(&mut self.tokens).into_iter().enumerate();
        tokens
            .map(|(id, text)| {
                let kind = kind(id, &text, self.token_types.get(id).copied().unwrap_or(1))?;
                Ok(Row { text, kind })
            })
            .collect()
    }
}

fn kind(id: usize, text: &str, number: u32) -> Result<Kind, TokenizerError> {
    let refuse = |problem: String| Err(TokenizerError::Vocabulary(format!("token {id}{problem}")));
    if text.len() > MAX_TOKEN_BYTES {
        return refuse(format!(
            ": expected at most {MAX_TOKEN_BYTES} bytes, found {} bytes",
            text.len()
        ));
    }
    Ok(match number {
        0 | 1 => Kind::Text,
        2 => Kind::Unknown,
        3 => Kind::Control,
        4 => Kind::Literal,
        5 => Kind::Unused,
        6 => match parse_byte(text) {
            Some(byte) => Kind::Byte(byte),
            None => {
                return refuse(format!(
                    " is of the type byte: expected `<0x00>` to `<0xFF>`, found `{}`",
                    shown(text)
                ));
            }
        },
        other => {
            return refuse(format!(
                " (`{}`): expected a type from 0 to 6, found {other}",
                shown(text)
            ));
        }
    })
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
            "merge {nth}: expected two tokens with one space between, found \"{}\"",
            shown(merge)
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

/// Two pieces that make a third, by their ids.
struct Merge {
    score: f32,
    left: u32,
    right: u32,
}

/// SentencePiece has no list of merges: two pieces merge where their union is a piece, the best
/// score first. Among the halves of one piece the lower ids come first, as in the published
/// conversions.
///
/// # Errors
/// Where a piece is too long, or the merges would take memory out of proportion to the tokens: of
/// `a`, `aa`, `aaa` and so on every cut is a merge, and their number grows with the square.
fn merges_by_score(rows: &[Row], scores: &[f32]) -> Result<Vec<(String, String)>, TokenizerError> {
    let ids = piece_ids(rows)?;
    let limit = (rows.len() * MERGE_BYTES_PER_TOKEN + (1 << 20)).min(MAX_MERGES_BYTES);
    let mut taken = 0;
    let mut merges = Vec::new();
    for (id, row) in rows.iter().enumerate().filter(|(_, row)| mergeable(row)) {
        let first = merges.len();
        // Files without scores keep the order of training, the first is the best.
        let score = scores.get(id).copied().unwrap_or(-(id as f32));
        for (at, _) in row.text.char_indices().skip(1) {
            let (left, right) = row.text.split_at(at);
            if let (Some(&left), Some(&right)) = (ids.get(left), ids.get(right)) {
                merges.push(Merge { score, left, right });
                taken += MERGE_BYTES + row.text.len();
            }
        }
        if taken > limit {
            return Err(TokenizerError::Vocabulary(format!(
                "expected merges of at most {limit} bytes for {} tokens, found more by token {id}",
                rows.len()
            )));
        }
        merges[first..].sort_unstable_by_key(|merge| (merge.left, merge.right));
    }
    // Stable: pieces of one score keep the order of their ids.
    merges.sort_by(|a, b| b.score.total_cmp(&a.score));
    let text = |id: u32| rows[id as usize].text.clone();
    let texts = merges
        .iter()
        .map(|merge| (text(merge.left), text(merge.right)));
    Ok(texts.collect())
}

fn mergeable(row: &Row) -> bool {
    matches!(row.kind, Kind::Text | Kind::Literal)
}

/// The pieces that merges work on, the lowest id where one stands twice.
fn piece_ids(rows: &[Row]) -> Result<HashMap<&str, u32>, TokenizerError> {
    let mut ids: HashMap<&str, u32> = HashMap::with_capacity(rows.len());
    for (id, row) in rows.iter().enumerate().filter(|(_, row)| mergeable(row)) {
        if row.text.len() > MAX_PIECE_BYTES {
            return Err(TokenizerError::Vocabulary(format!(
                "piece {id}: expected at most {MAX_PIECE_BYTES} bytes, found {}",
                row.text.len()
            )));
        }
        ids.entry(row.text.as_str()).or_insert(id as u32);
    }
    Ok(ids)
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
        let merges = merges_by_score(&rows, &[0.0, 0.0, 0.0, -2.0, -1.0, -3.0]).unwrap();
        let expected = [("b", "c"), ("a", "b"), ("a", "bc"), ("ab", "c")];
        let expected: Vec<_> = expected
            .iter()
            .map(|(l, r)| ((*l).to_owned(), (*r).to_owned()))
            .collect();
        assert_eq!(merges, expected);
    }
}
