//! Reads files line by line and refuses what is there twice.

use std::cell::Cell;
use std::collections::HashMap;
use std::io::{BufRead, Read};
use std::path::{Path, PathBuf};

use csv::{ErrorKind, StringRecord};

use super::error::{Fault, SuiteError, shown};
use super::record::{Cells, Record, as_json};
use super::source::{Bounded, LONGEST_ROW, Source, file};
use super::{Form, Origin, Suite, delulu};
use crate::eval::row::EvalRow;

/// The rows that were read so far.
pub(super) struct Rows {
    suite: Suite,
    rows: Vec<EvalRow>,
    /// Where each id stands.
    seen: HashMap<String, (PathBuf, u64)>,
    /// How many rows there are of each name that a loader made.
    numbers: HashMap<String, u64>,
}

impl Rows {
    pub(super) fn new(suite: Suite) -> Self {
        Self {
            suite,
            rows: Vec::new(),
            seen: HashMap::new(),
            numbers: HashMap::new(),
        }
    }

    pub(super) fn into_rows(self) -> Vec<EvalRow> {
        self.rows
    }

    /// Adds the rows of a file; at least one.
    pub(super) fn read(&mut self, source: &Source, form: Form) -> Result<(), SuiteError> {
        let before = self.rows.len();
        match self.suite {
            Suite::Delulu => self.read_csv(source)?,
            _ => self.read_lines(source, form)?,
        }
        if self.rows.len() > before {
            return Ok(());
        }
        Err(SuiteError::Data {
            path: source.path.to_owned(),
            expected: format!("rows of `{}`", self.suite),
            found: "none".to_owned(),
            advice: "fetch the file again; it may not have arrived whole".to_owned(),
        })
    }

    fn read_lines(&mut self, source: &Source, form: Form) -> Result<(), SuiteError> {
        let origin = Origin {
            suite: self.suite,
            path: source.path,
            form,
        };
        let (mut text, mut bytes) = (source.text()?, Vec::new());
        for line in 1.. {
            bytes.clear();
            let read = (&mut text)
                .take(LONGEST_ROW)
                .read_until(b'\n', &mut bytes)
                .map_err(|reason| file(source.path, reason))?;
            if read == 0 {
                break;
            }
            if bytes.trim_ascii().is_empty() && !is_too_long(&bytes) {
                continue;
            }
            let row = line_of(&bytes)
                .and_then(|text| self.suite.row(&Record::parse(&as_json(text))?, &origin));
            self.add(source.path, line, row)?;
        }
        Ok(())
    }

    fn read_csv(&mut self, source: &Source) -> Result<(), SuiteError> {
        let left = Cell::new(LONGEST_ROW);
        let mut reader = csv::Reader::from_reader(Bounded {
            inner: source.text()?,
            left: &left,
        });
        let header = reader.headers().cloned();
        let header = header.map_err(|error| self.csv_error(source.path, 1, error))?;
        let mut record = StringRecord::new();
        loop {
            left.set(LONGEST_ROW);
            let line = reader.position().line();
            match reader.read_record(&mut record) {
                Ok(false) => return Ok(()),
                Err(_) if left.get() == 0 => {
                    let expected = format!("a record of at most {LONGEST_ROW} bytes");
                    let fault = Fault::new("", expected, "a longer one");
                    return Err(self.wrong(source.path, line, fault));
                }
                Err(error) => return Err(self.csv_error(source.path, line, error)),
                Ok(true) => {}
            }
            let line = record.position().map_or(0, csv::Position::line);
            let cells = Cells {
                header: &header,
                record: &record,
            };
            self.add(source.path, line, delulu::row(&cells))?;
        }
    }

    fn csv_error(&self, path: &Path, line: u64, error: csv::Error) -> SuiteError {
        let line = error.position().map_or(line, csv::Position::line);
        let fault = match error.into_kind() {
            ErrorKind::Io(reason) => return file(path, reason),
            ErrorKind::UnequalLengths {
                expected_len, len, ..
            } => Fault::new("", format!("{expected_len} fields"), format!("{len}")),
            ErrorKind::Utf8 { err, .. } => Fault::new("", "UTF-8", err.to_string()),
            other => Fault::new("", "CSV", format!("{other:?}")),
        };
        self.wrong(path, line, fault)
    }

    fn add(
        &mut self,
        path: &Path,
        line: u64,
        row: Result<EvalRow, Fault>,
    ) -> Result<(), SuiteError> {
        let mut row = row.map_err(|fault| self.wrong(path, line, fault))?;
        if self.suite.is_numbered() {
            let number = self.numbers.entry(row.id.clone()).or_default();
            *number += 1;
            row.id = format!("{}#{number}", row.id);
        }
        let place = (path.to_owned(), line);
        if let Some((path_before, before)) = self.seen.insert(row.id.clone(), place) {
            let found = format!(
                "{}, which stands at {}:{before} too",
                shown(&row.id),
                path_before.display()
            );
            let fault = Fault::new("", "an id that no other row has", found);
            return Err(self.wrong(path, line, fault));
        }
        self.rows.push(row);
        Ok(())
    }

    fn wrong(&self, path: &Path, line: u64, fault: Fault) -> SuiteError {
        SuiteError::Row {
            path: path.to_owned(),
            line,
            suite: self.suite,
            fault,
        }
    }
}

/// A line's text.
fn line_of(bytes: &[u8]) -> Result<&str, Fault> {
    if is_too_long(bytes) {
        let expected = format!("a line of at most {LONGEST_ROW} bytes");
        return Err(Fault::new("", expected, "a longer one"));
    }
    std::str::from_utf8(bytes).map_err(|error| Fault::new("", "UTF-8", error.to_string()))
}

/// Whether a line was not read to its end.
fn is_too_long(bytes: &[u8]) -> bool {
    bytes.len() as u64 == LONGEST_ROW && bytes.last() != Some(&b'\n')
}
