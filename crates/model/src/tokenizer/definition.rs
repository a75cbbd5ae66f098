//! What a tokenizer is, whichever file it came from.

use std::collections::{HashMap, HashSet};

use sha2::{Digest, Sha256};

use super::error::TokenizerError;
use super::split::SplitRule;
use crate::weights::shown;

/// What a row of the vocabulary is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A piece of text, made by merges.
    Text,
    /// A sentinel or another token that text never yields.
    Control,
    /// A literal that is cut out of the text before merges, as the model was trained.
    Literal,
    /// Stands for text that has no token.
    Unknown,
    /// A reserved row.
    Unused,
    /// One byte, for characters without a token of their own.
    Byte(u8),
}

/// One row of the vocabulary.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub text: String,
    pub kind: Kind,
}

/// How text becomes what the merges work on.
#[derive(Clone, Debug)]
pub(super) enum Scheme {
    /// Cut by rules, then bytes in a printable alphabet.
    ByteLevel { rules: Vec<SplitRule> },
    /// Spaces written as U+2581, characters outside the vocabulary as byte tokens.
    Sentence,
}

/// A whole tokenizer.
#[derive(Clone, Debug)]
pub(super) struct Definition {
    /// By id; a gap in the ids is an unused row without text.
    pub rows: Vec<Row>,
    /// Pairs of tokens, the first has the highest priority.
    pub merges: Vec<(String, String)>,
    /// A piece that is a token by itself is not merged from its parts.
    pub ignore_merges: bool,
    pub scheme: Scheme,
    /// Text alone is encoded with a space in front, by the vocabulary's own convention.
    pub lead_space: bool,
    pub bos: Option<u32>,
    pub eos: Option<u32>,
    pub add_bos: bool,
}

/// Rows that a vocabulary may have: over three times the largest that is published.
pub(crate) const MAX_TOKENS: usize = 1 << 20;

impl Definition {
    /// Text to id for the rows that text can yield, the lowest id where a text stands twice.
    pub fn text_ids(&self) -> HashMap<&str, u32> {
        let mut ids = HashMap::with_capacity(self.rows.len());
        for (id, row) in self.rows.iter().enumerate() {
            if matches!(row.kind, Kind::Text | Kind::Literal | Kind::Byte(_)) {
                ids.entry(row.text.as_str()).or_insert(id as u32);
            }
        }
        ids
    }

    /// Refuses what the library would trip over.
    pub fn check(&self) -> Result<(), TokenizerError> {
        if self.rows.is_empty() || self.rows.len() > MAX_TOKENS {
            return Err(TokenizerError::Vocabulary(format!(
                "expected 1 to {MAX_TOKENS} tokens, found {}",
                self.rows.len()
            )));
        }
        let rows = self.rows.len() as u32;
        for (name, id) in [("begin", self.bos), ("end", self.eos)] {
            if let Some(id) = id.filter(|id| *id >= rows) {
                return Err(TokenizerError::Vocabulary(format!(
                    "the {name} token's id: expected one below {rows}, found {id}"
                )));
            }
        }
        self.check_merges()
    }

    fn check_merges(&self) -> Result<(), TokenizerError> {
        let ids = self.text_ids();
        let mut whole = String::new();
        for (nth, (left, right)) in self.merges.iter().enumerate() {
            whole.clear();
            whole.push_str(left);
            whole.push_str(right);
            for token in [left, right, &whole] {
                if !ids.contains_key(token.as_str()) {
                    return Err(TokenizerError::Vocabulary(format!(
                        "merge {nth} is `{}` + `{}`: expected tokens, found that `{}` is no token",
                        shown(left),
                        shown(right),
                        shown(token)
                    )));
                }
            }
        }
        Ok(())
    }

    /// Marks tokens that are written like sentinels and that no merge makes. Older files give
    /// them the type of ordinary text.
    pub fn find_sentinels(&mut self) {
        // Most merges are passed over by their first character.
        let may_be = |left: &str| left.starts_with(['<', '[', '\u{2581}']);
        let merges = self.merges.iter().filter(|(left, _)| may_be(left));
        let made: HashSet<String> = merges
            .map(|(left, right)| format!("{left}{right}"))
            .collect();
        for row in &mut self.rows {
            let written_so = matches!(row.kind, Kind::Text | Kind::Literal)
                && looks_like_sentinel(&row.text)
                && !made.contains(&row.text);
            if written_so {
                row.kind = Kind::Control;
            }
        }
    }

    /// Without what no text and no id of a model depends on: the names of unused rows, and unused rows
    /// at the end, by which some files fill the vocabulary up.
    #[must_use]
    pub fn canonical(mut self) -> Self {
        self.find_sentinels();
        for row in self.rows.iter_mut().filter(|row| row.kind == Kind::Unused) {
            row.text.clear();
        }
        while self.rows.pop_if(|row| row.kind == Kind::Unused).is_some() {}
        self
    }

    /// SHA-256 over all that decides which ids a text gets and which text the ids give back; the
    /// same for a `tokenizer.json` and a GGUF file that define the same.
    pub fn sha256(&self) -> String {
        let mut hasher = Sha256::new();
        let mut field = |bytes: &[u8]| {
            hasher.update((bytes.len() as u64).to_le_bytes());
            hasher.update(bytes);
        };
        field(b"truefill tokenizer 1");
        match &self.scheme {
            Scheme::Sentence => field(b"sentence"),
            Scheme::ByteLevel { rules } => {
                field(b"byte-level");
                for rule in rules {
                    field(rule.to_string().as_bytes());
                }
            }
        }
        field(&[u8::from(self.ignore_merges), u8::from(self.lead_space)]);
        for row in &self.rows {
            let kind = match row.kind {
                Kind::Text | Kind::Byte(_) => b't',
                Kind::Control | Kind::Unknown => b'c',
                Kind::Literal => b'l',
                Kind::Unused => b'u',
            };
            field(&[kind]);
            field(row.text.as_bytes());
        }
        for (left, right) in &self.merges {
            field(left.as_bytes());
            field(right.as_bytes());
        }
        hex::encode(hasher.finalize())
    }
}

/// Sentinels that are words in angle brackets without any mark of their own.
const NAMED_SENTINELS: &[&str] = &[
    "<s>",
    "</s>",
    "<bos>",
    "<eos>",
    "<pad>",
    "<unk>",
    "<mask>",
    "<repo_name>",
    "<reponame>",
    "<file_sep>",
    "<filename>",
    "<start_of_turn>",
    "<end_of_turn>",
];

/// Whether a token is written the way in which models write control tokens: `<|…|>`, `<｜…｜>`,
/// `<[…]>`, `<fim…>`, `<PRE>`, `[SUFFIX]` and a few names.
pub(crate) fn looks_like_sentinel(token: &str) -> bool {
    let token = token.trim_start_matches('\u{2581}');
    let within = |open: &str, close: &str| {
        token.len() > open.len() + close.len() && token.starts_with(open) && token.ends_with(close)
    };
    let capitals = |text: &str| {
        text.len() >= 3
            && text
                .chars()
                .all(|c| c.is_ascii_uppercase() || matches!(c, '_' | '0'..='9'))
    };
    let inner = token
        .get(1..token.len().saturating_sub(1))
        .unwrap_or_default();
    within("<|", "|>")
        || within("<｜", "｜>")
        || within("<[", "]>")
        || within("<fim", ">")
        || within("<unused", ">")
        || (within("<", ">") || within("[", "]")) && capitals(inner)
        || NAMED_SENTINELS.contains(&token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentinels_are_told_from_markup() {
        let table = [
            ("<|fim_prefix|>", true),
            ("<｜fim▁hole｜>", true),
            ("<[fim-suffix]>", true),
            ("<fim_middle>", true),
            ("▁<PRE>", true),
            ("[SUFFIX]", true),
            ("<file_sep>", true),
            ("</s>", true),
            ("<0x0A>", false),
            ("<table>", false),
            ("</h1>", false),
            ("[]", false),
            ("<>", false),
            ("<T>", false),
            ("\n\n", false),
            ("<|", false),
            ("", false),
        ];
        for (token, expected) in table {
            assert_eq!(looks_like_sentinel(token), expected, "{token}");
        }
    }
}
