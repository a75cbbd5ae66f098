//! The journal as JSON lines.

use std::io::Write;

use serde::Serialize;

use crate::error::JournalError;
use crate::reader::{Query, Reader};
use crate::row::SuggestionRow;

/// The version of the lines' layout, which each line carries.
pub const EXPORT_VERSION: u32 = 1;

#[derive(Serialize)]
struct Line<'a> {
    version: u32,
    #[serde(flatten)]
    row: &'a SuggestionRow,
}

/// Writes one line for each suggestion, with its outcomes; returns their number.
///
/// # Errors
/// If reading or writing gives one.
pub fn export(reader: &Reader, query: Query, out: &mut dyn Write) -> Result<u64, JournalError> {
    let mut lines = 0;
    for row in reader.suggestions(query)? {
        let row = row?;
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
