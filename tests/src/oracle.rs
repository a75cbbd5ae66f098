//! A document as UTF-16 code units, edited by the protocol's rules without regard for
//! speed: what the server's documents are compared with.

use serde_json::{Value, json};

/// What columns count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Units {
    /// Bytes of UTF-8.
    Utf8,
    /// UTF-16 code units.
    Utf16,
}

/// A replacement of whole characters.
#[derive(Debug, Clone)]
pub struct Edit {
    /// First character replaced.
    pub start: usize,
    /// First character kept behind it.
    pub end: usize,
    /// The new text.
    pub text: String,
}

/// The document.
#[derive(Debug, Clone)]
pub struct Oracle {
    units: Vec<u16>,
}

impl Oracle {
    /// A document of this text.
    pub fn new(text: &str) -> Self {
        Self {
            units: text.encode_utf16().collect(),
        }
    }

    /// The text.
    ///
    /// # Panics
    /// Never: only whole characters are replaced.
    pub fn text(&self) -> String {
        String::from_utf16(&self.units).expect("whole characters")
    }

    /// Number of characters.
    pub fn chars(&self) -> usize {
        self.text().chars().count()
    }

    /// Index in code units of a character.
    fn unit_of(&self, character: usize) -> usize {
        self.text()
            .chars()
            .take(character)
            .map(char::len_utf16)
            .sum()
    }

    /// The protocol's position of a character.
    pub fn position(&self, character: usize, units: Units) -> Value {
        let end = self.unit_of(character);
        let (cr, lf) = (u16::from(b'\r'), u16::from(b'\n'));
        let (mut line, mut line_start) = (0, 0);
        for at in 0..end {
            let pair = self.units[at] == cr && self.units.get(at + 1) == Some(&lf);
            if (self.units[at] == cr && !pair) || self.units[at] == lf {
                line += 1;
                line_start = at + 1;
            }
        }
        let before = String::from_utf16(&self.units[line_start..end]).expect("whole characters");
        let column = match units {
            Units::Utf8 => before.len(),
            Units::Utf16 => end - line_start,
        };
        json!({ "line": line, "character": column })
    }

    /// Whether a position between these characters exists: none does between `\r` and `\n`.
    pub fn is_position(&self, character: usize) -> bool {
        let at = self.unit_of(character);
        let before = at.checked_sub(1).and_then(|at| self.units.get(at));
        let pair = (u16::from(b'\r'), u16::from(b'\n'));
        !(before == Some(&pair.0) && self.units.get(at) == Some(&pair.1))
    }

    /// Applies an edit and gives it as a change of `textDocument/didChange`.
    pub fn apply(&mut self, edit: &Edit, units: Units) -> Value {
        let start = self.position(edit.start, units);
        let end = self.position(edit.end, units);
        let range = self.unit_of(edit.start)..self.unit_of(edit.end);
        self.units.splice(range, edit.text.encode_utf16());
        json!({ "range": { "start": start, "end": end }, "text": edit.text })
    }
}
