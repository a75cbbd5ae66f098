//! Holes: parts of real code that a completion could have to fill in, and the names in them.

mod cut;
mod kinds;
mod names;

use std::ops::Range;

use serde::{Deserialize, Serialize};

pub(crate) use cut::Cutter;
pub use cut::{holes, holes_in};
pub(crate) use kinds::HoleFacts;
pub use names::{NameSite, invent_name, name_sites};

/// What a hole takes out of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HoleKind {
    /// A whole call on one line, receiver included; of a constructor with its `new`.
    CallSite,
    /// One name that is used, not defined.
    Identifier,
    /// What stands between the brackets of a call.
    Arguments,
    /// An import of one module.
    Import,
    /// A statement without a body.
    Statement,
    /// From a token to the end of its line.
    LineEnd,
    /// The inside of the body of a function, a loop or a branch, at most 30 lines.
    Block,
}

impl HoleKind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::CallSite,
        Self::Identifier,
        Self::Arguments,
        Self::Import,
        Self::Statement,
        Self::LineEnd,
        Self::Block,
    ];

    /// The name in files and tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CallSite => "call-site",
            Self::Identifier => "identifier",
            Self::Arguments => "arguments",
            Self::Import => "import",
            Self::Statement => "statement",
            Self::LineEnd => "line-end",
            Self::Block => "block",
        }
    }
}

/// A hole: its kind and its bytes in the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hole {
    /// What it takes out.
    pub kind: HoleKind,
    /// Its place in the file, in bytes; the text there is the golden completion.
    pub range: Range<usize>,
}

/// A small seeded generator (SplitMix64), so that a sample can be drawn again.
#[derive(Clone, Debug)]
pub struct Draw(u64);

impl Draw {
    /// A generator for `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`; 0 when `limit` is 0.
    pub fn below(&mut self, limit: usize) -> usize {
        if limit == 0 {
            0
        } else {
            (self.next_u64() % limit as u64) as usize
        }
    }
}

/// Draws at most `count` holes of each kind, in the order of the text.
#[must_use]
pub fn sample_holes(holes: &[Hole], count: usize, draw: &mut Draw) -> Vec<Hole> {
    let mut drawn = Vec::new();
    for kind in HoleKind::ALL {
        let mut of_kind: Vec<&Hole> = holes.iter().filter(|hole| hole.kind == kind).collect();
        for _ in 0..count.min(of_kind.len()) {
            let at = draw.below(of_kind.len());
            drawn.push(of_kind.swap_remove(at).clone());
        }
    }
    drawn.sort_by_key(|hole| (hole.range.start, hole.range.end));
    drawn
}

#[cfg(test)]
mod tests;
