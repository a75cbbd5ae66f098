//! Cutting text into the pieces that merges never cross.

use std::fmt;

use tokenizers::utils::SysRegex;

use super::error::TokenizerError;

/// The first published byte-level split: contractions, words, numbers, signs, white space.
pub(super) const GPT2: &str =
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

/// One rule; each is applied to the pieces that the one before it left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SplitRule {
    /// Every match is a piece, and so is what stands between two matches.
    Regex(String),
    /// Every numeric character is a piece.
    EachDigit,
    /// Every run of numeric characters is a piece.
    DigitRuns,
}

impl fmt::Display for SplitRule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Regex(pattern) => write!(formatter, "regex {pattern}"),
            Self::EachDigit => formatter.write_str("each digit"),
            Self::DigitRuns => formatter.write_str("digit runs"),
        }
    }
}

enum Compiled {
    Regex(SysRegex),
    EachDigit,
    DigitRuns,
}

/// Rules, ready to run.
pub(super) struct Splitter {
    rules: Vec<Compiled>,
}

impl Splitter {
    pub fn new(rules: &[SplitRule]) -> Result<Self, TokenizerError> {
        let rules = rules.iter().map(compile).collect::<Result<_, _>>()?;
        Ok(Self { rules })
    }

    /// Gives all pieces in order; together they are the text.
    pub fn split<'t>(
        &self,
        text: &'t str,
        piece: &mut dyn FnMut(&'t str) -> Result<(), TokenizerError>,
    ) -> Result<(), TokenizerError> {
        apply(&self.rules, text, piece)
    }
}

fn compile(rule: &SplitRule) -> Result<Compiled, TokenizerError> {
    Ok(match rule {
        SplitRule::EachDigit => Compiled::EachDigit,
        SplitRule::DigitRuns => Compiled::DigitRuns,
        SplitRule::Regex(pattern) => {
            let regex = SysRegex::new(pattern).map_err(|error| TokenizerError::Unsupported {
                expected: "a regular expression that compiles".into(),
                found: format!("`{pattern}`: {error}"),
            })?;
            Compiled::Regex(regex)
        }
    })
}

fn apply<'t>(
    rules: &[Compiled],
    text: &'t str,
    piece: &mut dyn FnMut(&'t str) -> Result<(), TokenizerError>,
) -> Result<(), TokenizerError> {
    if text.is_empty() {
        return Ok(());
    }
    let Some((rule, rest)) = rules.split_first() else {
        return piece(text);
    };
    let mut done = 0;
    let mut take = |start: usize, end: usize| {
        if done < start {
            apply(rest, &text[done..start], piece)?;
        }
        done = end;
        apply(rest, &text[start..end], piece)
    };
    match rule {
        Compiled::Regex(regex) => {
            for (start, end) in regex.find_iter(text) {
                take(start, end)?;
            }
        }
        Compiled::EachDigit => {
            for (at, digit) in text.match_indices(char::is_numeric) {
                take(at, at + digit.len())?;
            }
        }
        Compiled::DigitRuns => {
            let mut begin = None;
            for (at, character) in text.char_indices() {
                match (begin, character.is_numeric()) {
                    (None, true) => begin = Some(at),
                    (Some(start), false) => {
                        take(start, at)?;
                        begin = None;
                    }
                    _ => {}
                }
            }
            if let Some(start) = begin {
                take(start, text.len())?;
            }
        }
    }
    apply(rest, &text[done..], piece)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces<'t>(rules: &[SplitRule], text: &'t str) -> Vec<&'t str> {
        let mut out = Vec::new();
        Splitter::new(rules)
            .unwrap()
            .split(text, &mut |piece| {
                out.push(piece);
                Ok(())
            })
            .unwrap();
        out
    }

    #[test]
    fn rules_follow_each_other() {
        let gpt2 = SplitRule::Regex(GPT2.into());
        assert_eq!(
            pieces(std::slice::from_ref(&gpt2), "x1 = 23;\n  y"),
            ["x", "1", " =", " 23", ";", "\n ", " y"]
        );
        assert_eq!(
            pieces(&[SplitRule::EachDigit, gpt2.clone()], "a 23b"),
            ["a", " ", "2", "3", "b"]
        );
        assert_eq!(
            pieces(&[SplitRule::DigitRuns, gpt2], "a 23b"),
            ["a", " ", "23", "b"]
        );
        assert_eq!(pieces(&[SplitRule::DigitRuns], "a23"), ["a", "23"]);
        assert_eq!(pieces(&[], "all of it"), ["all of it"]);
        assert_eq!(pieces(&[SplitRule::EachDigit], ""), [""; 0]);
    }

    #[test]
    fn bad_regular_expression_is_named() {
        let error = Splitter::new(&[SplitRule::Regex("(".into())])
            .err()
            .unwrap();
        assert!(error.to_string().contains("`(`"), "{error}");
    }
}
