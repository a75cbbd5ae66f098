//! The files that the steps hand to each other: JSON lines, one type of row a file.
//!
//! A file is written under a temporary name and takes its own when it is whole, so a step that was
//! interrupted leaves no half file. Names that end in `.zst` are compressed.

mod context;
mod curated;
mod jsonl;
mod manifest;
mod negative;
mod score;
mod verdict;

pub use context::{Context, HoleKind, Span};
pub use curated::{PairRow, SftRow};
pub use jsonl::{RowError, RowReader, RowWriter, Written, write_whole};
pub use manifest::{Input, Manifest, beside};
pub use negative::{HallucinationType, Negative, Split};
pub use score::{Difficulty, Margin, Resolution, Score};
pub use verdict::{Subject, Verdict, VerdictKind};
