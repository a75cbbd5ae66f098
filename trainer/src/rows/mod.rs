//! The files that the steps hand to each other: JSON lines, one type of row a file.
//!
//! A file is written under a temporary name and takes its own when it is whole, so a step that was
//! interrupted leaves no half file under it; the next run removes the temporary one. Names that end in `.zst` are compressed.

mod context;
mod curated;
mod jsonl;
mod manifest;
mod negative;
mod score;
mod verdict;
mod whole;

pub use context::{Context, HoleKind, Span};
pub use curated::{PairRow, SftRow};
pub use jsonl::{Frame, RowError, RowReader, RowWriter, Written};
pub use manifest::{Input, Manifest, beside};
pub use negative::{HallucinationType, Negative, Split};
pub use score::{Difficulty, Margin, Resolution, Score};
pub use verdict::{Subject, Verdict, VerdictKind};
pub use whole::{write_file, write_whole};
