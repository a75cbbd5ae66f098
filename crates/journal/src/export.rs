//! The journal as JSON lines.

use std::io::{BufRead, Write};

use serde::{Deserialize, Serialize};

use crate::error::JournalError;
use crate::reader::{Query, Reader};
use crate::row::SuggestionRow;

/// The version of the lines' layout, which each line carries.
pub const EXPORT_VERSION: u32 = 2;

/// Whether an export has text of documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Texts {
    /// Figures alone, for statistics.
    Without,
    /// Completions, holes and token ids too, where the journal has them.
    With,
}

#[derive(Serialize)]
struct Line<'a> {
    version: u32,
    #[serde(flatten)]
    row: &'a SuggestionRow,
}

#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

/// Writes one line for each suggestion, with its outcomes; returns their number.
///
/// # Errors
/// If reading or writing gives one.
pub fn export(
    reader: &Reader,
    query: Query,
    texts: Texts,
    out: &mut dyn Write,
) -> Result<u64, JournalError> {
    let mut lines = 0;
    for row in reader.suggestions(query)? {
        let row = match texts {
            Texts::With => row?,
            Texts::Without => row?.without_text(),
        };
        serde_json::to_writer(
            &mut *out,
            &Line {
                version: EXPORT_VERSION,
                row: &row,
            },
        )?;
        out.write_all(b"\n")?;
        lines += 1;
    }
    out.flush()?;
    Ok(lines)
}

/// Reads an export, this version's or an older one's, row by row.
///
/// # Errors
/// Each row's own: the line that is not a row, with what was expected and found.
pub fn imported(lines: impl BufRead) -> impl Iterator<Item = Result<SuggestionRow, JournalError>> {
    lines.lines().enumerate().filter_map(|(index, line)| {
        let row = |line: &str| -> Result<SuggestionRow, String> {
            let found = serde_json::from_str::<Versioned>(line)
                .map_err(|error| format!("expected a line of a journal's export: {error}"))?;
            if found.version > EXPORT_VERSION {
                let found = found.version;
                return Err(format!(
                    "expected version {EXPORT_VERSION} or older, found {found}; update Truefill"
                ));
            }
            serde_json::from_str(line).map_err(|error| error.to_string())
        };
        match line {
            Ok(line) if line.trim().is_empty() => None,
            Ok(line) => Some(row(&line).map_err(|problem| JournalError::Line {
                number: index + 1,
                problem,
            })),
            Err(error) => Some(Err(error.into())),
        }
    })
}
