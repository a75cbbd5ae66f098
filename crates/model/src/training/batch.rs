//! Sequences that go through the model together.

use std::ops::Range;

use crate::error::{ModelError, Result};
use crate::tokens::TokenId;

/// One sequence and the positions whose next token is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sequence {
    /// The tokens.
    pub tokens: Vec<TokenId>,
    /// Positions, ascending and disjoint: position `t` is asked for token `t + 1`, so ranges end
    /// before the last position.
    pub wanted: Vec<Range<usize>>,
}

impl Sequence {
    /// A sequence whose tokens from `first` on are asked for: those of a completion that begins
    /// there.
    pub fn completion(tokens: Vec<TokenId>, first: usize) -> Self {
        let wanted = first.max(1) - 1..tokens.len().max(1) - 1;
        Self {
            tokens,
            wanted: std::iter::once(wanted).collect(),
        }
    }

    /// Wanted positions in all.
    pub fn wanted_len(&self) -> usize {
        self.wanted.iter().map(ExactSizeIterator::len).sum()
    }
}

/// Checked sequences. None is padded: they stand one after the other, each attends to itself.
#[derive(Clone, Debug)]
pub struct Batch {
    sequences: Vec<Sequence>,
}

impl Batch {
    /// A batch of sequences for a model of `vocabulary` tokens.
    ///
    /// # Errors
    /// [`ModelError::Batch`] for no sequences, an empty one, and ranges that are not ascending,
    /// overlap or ask for what follows the last token; [`ModelError::UnknownToken`].
    pub fn new(sequences: Vec<Sequence>, vocabulary: usize) -> Result<Self> {
        if sequences.is_empty() {
            return Err(ModelError::Batch {
                sequence: 0,
                problem: "expected at least one sequence, found none".into(),
            });
        }
        for (index, sequence) in sequences.iter().enumerate() {
            check(sequence, vocabulary).map_err(|problem| match problem {
                Problem::Shape(problem) => ModelError::Batch {
                    sequence: index,
                    problem,
                },
                Problem::Token(token) => ModelError::UnknownToken { token, vocabulary },
            })?;
        }
        Ok(Self { sequences })
    }

    /// The sequences.
    pub fn sequences(&self) -> &[Sequence] {
        &self.sequences
    }

    /// Tokens in all.
    pub fn tokens(&self) -> usize {
        self.sequences.iter().map(|s| s.tokens.len()).sum()
    }

    /// Wanted positions in all.
    pub fn wanted(&self) -> usize {
        self.sequences.iter().map(Sequence::wanted_len).sum()
    }
}

enum Problem {
    Shape(String),
    Token(u32),
}

fn check(sequence: &Sequence, vocabulary: usize) -> Result<(), Problem> {
    let length = sequence.tokens.len();
    if length == 0 {
        return Err(Problem::Shape(
            "expected at least one token, found none".into(),
        ));
    }
    let strange = |token: &&TokenId| token.0 as usize >= vocabulary;
    if let Some(token) = sequence.tokens.iter().find(strange) {
        return Err(Problem::Token(token.0));
    }
    let mut end = 0;
    for range in &sequence.wanted {
        if range.start < end || range.end < range.start || range.end > length - 1 {
            return Err(Problem::Shape(format!(
                "expected ascending ranges of positions before the last of {length}, found {range:?} \
                 after {end}"
            )));
        }
        end = range.end;
    }
    Ok(())
}
