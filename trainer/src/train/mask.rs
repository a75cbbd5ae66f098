//! FGit's marks: which tokens of a golden and of a similar wrong completion differ, and how much.
//!
//! Lines are compared first, and characters only within runs of lines that differ, so a token with a
//! differing character always stands in a differing line, as paper B says (§II-A). Characters are
//! compared by Levenshtein's distance, as there. They become tokens by the tokens' byte ranges: a token
//! that overlaps a differing character is marked, one that holds a part of it alone too.

use std::ops::Range;

use serde::{Deserialize, Serialize};
use similar::{Algorithm, DiffTag, capture_diff_slices};
use truefill_model::tokenizer::Tokenizer;
use truefill_model::tokens::TokenId;

use super::levenshtein::edits;

/// What marks a token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Granularity {
    /// 1 in a line that differs.
    Line,
    /// 1 where a character differs.
    Token,
    /// The sum of both: 0, 1 or 2.
    #[default]
    Hybrid,
}

/// What becomes of a golden completion of one line, whose line marks would be 1 everywhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OneLine {
    /// Its characters decide alone.
    #[default]
    Token,
    /// Nothing is special about it.
    Keep,
}

/// How tokens are marked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marking {
    /// What marks a token.
    pub granularity: Granularity,
    /// What becomes of one line.
    pub one_line: OneLine,
}

/// A completion as it was tokenised.
#[derive(Clone, Copy, Debug)]
pub struct Side<'a> {
    /// Its text.
    pub text: &'a str,
    /// The bytes of each of its tokens; empty at the text's end for the end token.
    pub tokens: &'a [Range<usize>],
}

/// Marks of a pair, one for each token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// Of the golden completion.
    pub chosen: Vec<u8>,
    /// Of the rejected one.
    pub rejected: Vec<u8>,
    /// What was special.
    pub cases: Cases,
}

/// Cases that the paper's rule has no good answer for; counted over rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cases {
    /// The golden completion is one line, and its characters decided alone.
    pub one_line: u64,
    /// One side has nothing that differs, because the other only adds to it: its tokens on both sides
    /// of the addition are marked.
    pub addition: u64,
    /// The two are the same: nothing is marked.
    pub identical: u64,
}

impl Cases {
    /// Adds the counts of other rows.
    pub fn add(&mut self, other: &Self) {
        self.one_line += other.one_line;
        self.addition += other.addition;
        self.identical += other.identical;
    }
}

/// The bytes that each of `tokens` has in the text that they spell. The last token, the end, has none.
pub fn token_ranges(tokenizer: &Tokenizer, tokens: &[TokenId]) -> Vec<Range<usize>> {
    let mut start = 0;
    let last = tokens.len().saturating_sub(1);
    let range = |(at, id): (usize, &TokenId)| {
        let bytes = match at == last {
            true => 0,
            false => tokenizer.token_bytes(*id).map_or(0, <[u8]>::len),
        };
        start += bytes;
        start - bytes..start
    };
    tokens.iter().enumerate().map(range).collect()
}

/// Marks the tokens in which a pair differs.
pub fn mark(chosen: Side<'_>, rejected: Side<'_>, how: Marking) -> Marks {
    let [golden, wrong] = differences(chosen.text, rejected.text);
    let mut cases = Cases {
        identical: u64::from(chosen.text == rejected.text),
        addition: u64::from(golden.spans.is_empty() != wrong.spans.is_empty()),
        one_line: 0,
    };
    let one_line = chosen.text.split_inclusive('\n').count() <= 1;
    let mut granularity = how.granularity;
    if one_line && how.one_line == OneLine::Token && granularity != Granularity::Token {
        granularity = Granularity::Token;
        cases.one_line = 1;
    }
    Marks {
        chosen: golden.marks(chosen.tokens, granularity),
        rejected: wrong.marks(rejected.tokens, granularity),
        cases,
    }
}

/// Where one side differs from the other, in bytes, in order.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Lines that differ, with their ends.
    pub lines: Vec<Range<usize>>,
    /// Characters that differ.
    pub spans: Vec<Range<usize>>,
    /// Places at which the other side has something more.
    pub places: Vec<usize>,
}

impl Difference {
    fn marks(&self, tokens: &[Range<usize>], granularity: Granularity) -> Vec<u8> {
        let by_line = |token: &Range<usize>| u8::from(overlaps(token, &self.lines));
        let by_character = |token: &Range<usize>| {
            u8::from(match self.spans.is_empty() {
                false => overlaps(token, &self.spans),
                true => self.touches(token),
            })
        };
        let mark = |token: &Range<usize>| match granularity {
            Granularity::Line => by_line(token),
            Granularity::Token => by_character(token),
            Granularity::Hybrid => by_line(token) + by_character(token),
        };
        tokens.iter().map(mark).collect()
    }

    fn add(&mut self, range: Range<usize>, from: usize) {
        match range.is_empty() {
            true => self.places.push(range.start + from),
            false => self.spans.push(range.start + from..range.end + from),
        }
    }

    /// The end token stands where the text ends, so it counts as beside what comes there.
    fn touches(&self, token: &Range<usize>) -> bool {
        self.places
            .iter()
            .any(|place| token.start <= *place && *place <= token.end)
    }
}

fn overlaps(token: &Range<usize>, ranges: &[Range<usize>]) -> bool {
    ranges
        .iter()
        .any(|range| token.start < range.end && range.start < token.end)
}

/// What differs on each side.
pub fn differences(chosen: &str, rejected: &str) -> [Difference; 2] {
    let mut both = [Difference::default(), Difference::default()];
    for lines in changed_lines(chosen, rejected) {
        for (side, lines) in both.iter_mut().zip(&lines) {
            if !lines.is_empty() {
                side.lines.push(lines.clone());
            }
        }
        let texts = [&chosen[lines[0].clone()], &rejected[lines[1].clone()]];
        for [one, other] in changed_characters(texts) {
            both[0].add(one, lines[0].start);
            both[1].add(other, lines[1].start);
        }
    }
    both
}

/// What differs, in bytes of either side; empty on a side that has nothing there. No deadline: the
/// marks must not depend on the machine.
fn changed_lines(chosen: &str, rejected: &str) -> Vec<[Range<usize>; 2]> {
    let lines = [chosen, rejected].map(|text| text.split_inclusive('\n').collect::<Vec<_>>());
    let starts = [&lines[0], &lines[1]].map(|lines| starts(lines.iter().map(|line| line.len())));
    capture_diff_slices(Algorithm::Myers, &lines[0], &lines[1])
        .iter()
        .filter(|op| op.tag() != DiffTag::Equal)
        .map(|op| {
            [
                bytes(&starts[0], op.old_range()),
                bytes(&starts[1], op.new_range()),
            ]
        })
        .collect()
}

fn changed_characters(texts: [&str; 2]) -> Vec<[Range<usize>; 2]> {
    let characters = texts.map(|text| text.chars().collect::<Vec<_>>());
    let starts = texts.map(|text| starts(text.chars().map(char::len_utf8)));
    edits(&characters[0], &characters[1])
        .into_iter()
        .map(|[one, other]| [bytes(&starts[0], one), bytes(&starts[1], other)])
        .collect()
}

/// Where parts of these lengths start, and where the last one ends.
fn starts(lengths: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut end = 0;
    let ends = lengths.map(|length| {
        end += length;
        end
    });
    std::iter::once(0).chain(ends).collect()
}

fn bytes(starts: &[usize], parts: Range<usize>) -> Range<usize> {
    starts[parts.start]..starts[parts.end]
}
