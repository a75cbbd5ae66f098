//! The first reading: what each file is, without parsing it, and what each repository declares.
//!
//! A file leaves a constant number of bytes behind: see [`decide`].

pub mod decide;
pub mod paths;
mod store;
pub mod text;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use truefill_journal::redact::holds_secret;
use truefill_syntax::Language;

use super::licence;
use super::packages::{Own, is_meta, own};
use super::reason::Reason;
use super::source::stream::Code;
use crate::dedup::Benchmarks;
use crate::dedup::minhash::{self, Signature};

pub use store::{Finished, Repository, Store};

/// What the first reading found in a file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FileRow {
    /// Its path in the source; known while its source is read.
    #[serde(skip)]
    pub path: String,
    /// Its language.
    pub language: Language,
    /// Its bytes.
    pub bytes: u32,
    /// Its lines.
    pub lines: u32,
    /// SHA-256 of its bytes, in hex; empty where it was not read.
    pub sha256: String,
    /// Why it is left out, as far as that is known without other files.
    pub refused: Option<Reason>,
    /// The licence that its header names.
    #[serde(skip)]
    pub header: Option<String>,
    /// What it says of its repository.
    #[serde(skip)]
    pub own: Own,
    /// For near-duplicates; of files that are not refused.
    #[serde(with = "store::signature", default)]
    pub signature: Option<Box<Signature>>,
}

/// Reads one file.
pub fn survey(code: &Code, excluded: &Benchmarks) -> FileRow {
    let mut row = FileRow {
        path: code.path.clone(),
        language: code.language,
        bytes: 0,
        lines: 0,
        sha256: String::new(),
        refused: None,
        header: None,
        own: Own::default(),
        signature: None,
    };
    let bytes = match &code.body {
        Ok(bytes) => bytes,
        Err(reason) => {
            row.refused = Some(*reason);
            return row;
        }
    };
    row.bytes = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    row.sha256 = hex::encode(Sha256::digest(bytes));
    let Ok(text) = std::str::from_utf8(bytes) else {
        row.refused = Some(Reason::NotText);
        return row;
    };
    row.lines = u32::try_from(text.lines().count()).unwrap_or(u32::MAX);
    row.header = licence::in_header(text::head(text));
    row.own = own(code.language, &code.path, text);
    row.refused = refusal(&code.path, text, excluded);
    row.signature = row
        .refused
        .is_none()
        .then(|| Box::new(minhash::signature(text)));
    row
}

fn refusal(path: &str, text: &str, excluded: &Benchmarks) -> Option<Reason> {
    if let Some(reason) = text::refusal(text) {
        Some(reason)
    } else if is_meta(path) {
        Some(Reason::Manifest)
    } else if excluded.has_path(path) {
        Some(Reason::BenchmarkPath)
    } else if excluded.has_text(text) {
        Some(Reason::BenchmarkText)
    } else if text::has_sentinel(text) {
        Some(Reason::Sentinel)
    } else if holds_secret(text) {
        Some(Reason::Secret)
    } else {
        None
    }
}
