//! A row's hole, varied.

use std::borrow::Cow;

use super::data::{Question, TrainRow};
use super::recut::Holes;
use super::vary::Draw;

/// A row's hole as it is asked for: its own, or one that was cut anew. Instructions have nothing around theirs.
pub(super) struct Asked<'r> {
    pub prefix: Cow<'r, str>,
    pub chosen: Cow<'r, str>,
    pub rejected: Option<&'r str>,
    pub suffix: Cow<'r, str>,
    /// Bytes of the completion that went to the prefix.
    pub moved: usize,
}

impl<'r> Asked<'r> {
    pub fn of(row: &'r TrainRow, rejected: Option<&'r str>) -> Self {
        let (prefix, suffix) = match &row.question {
            Question::Fim { prefix, suffix, .. } => (prefix.as_str(), suffix.as_str()),
            Question::Instruct { .. } => ("", ""),
        };
        Self {
            prefix: prefix.into(),
            chosen: row.chosen.as_str().into(),
            rejected,
            suffix: suffix.into(),
            moved: 0,
        }
    }

    /// With another hole in the same text; nothing where it stays.
    pub fn cut(&self, holes: &Holes, draw: &Draw<'_>) -> Option<Self> {
        let text = [&*self.prefix, &self.chosen, &self.suffix].concat();
        let hole = holes.cut(draw, &text)?;
        Some(Self {
            prefix: text[..hole.start].to_owned().into(),
            chosen: text[hole.clone()].to_owned().into(),
            rejected: None,
            suffix: text[hole.end..].to_owned().into(),
            moved: 0,
        })
    }

    /// With a hole that begins `moved` bytes later.
    pub fn later(self, moved: usize) -> Self {
        if moved == 0 {
            return self;
        }
        Self {
            prefix: format!("{}{}", self.prefix, &self.chosen[..moved]).into(),
            chosen: self.chosen[moved..].to_owned().into(),
            rejected: self.rejected.map(|text| &text[moved..]),
            suffix: self.suffix,
            moved,
        }
    }
}
