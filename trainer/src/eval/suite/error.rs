//! What is wrong with a file, said so that it can be mended.

use std::fmt;
use std::path::PathBuf;

use super::Suite;

/// Why a suite was not read.
#[derive(Debug, thiserror::Error)]
pub enum SuiteError {
    /// The file system refused, or what is packed is broken.
    #[error("{}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What it said.
        reason: std::io::Error,
    },
    /// There is nothing in it that this suite reads.
    #[error("{}: expected {expected}, found {found}; {advice}", path.display())]
    Data {
        /// The file or folder.
        path: PathBuf,
        /// What is read.
        expected: String,
        /// What is there.
        found: String,
        /// What to do.
        advice: String,
    },
    /// A row is malformed.
    #[error(
        "{}:{line}: {fault}; docs/eval.md says which files `{suite}` reads",
        path.display()
    )]
    Row {
        /// The file.
        path: PathBuf,
        /// The line, from 1; of CSV that in which the record starts.
        line: u64,
        /// The suite.
        suite: Suite,
        /// What is wrong.
        fault: Fault,
    },
    /// The suite has no task in words.
    #[error(
        "`{suite}` has no instructions: expected the form `complete`, found `instruct`; leave the form out"
    )]
    Form {
        /// The suite.
        suite: Suite,
    },
}

/// What is wrong with a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The field; empty where it is the row itself.
    pub field: String,
    /// What should be there.
    pub expected: String,
    /// What is there.
    pub found: String,
}

impl Fault {
    pub(super) fn new(field: &str, expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self {
            field: field.to_owned(),
            expected: expected.into(),
            found: found.into(),
        }
    }

    /// A text that is none of those that are known.
    pub(super) fn unknown(field: &str, known: &[&str], found: &str) -> Self {
        let known = known.join("`, `");
        Self::new(field, format!("one of `{known}`"), shown(found))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.field.is_empty() {
            write!(f, "`{}`: ", self.field)?;
        }
        write!(f, "expected {}, found {}", self.expected, self.found)
    }
}

/// The start of what was found.
pub(super) fn shown(text: &str) -> String {
    const LONGEST: usize = 60;
    let start: String = text.chars().take(LONGEST).collect();
    let more = if start.len() < text.len() { "…" } else { "" };
    format!("`{start}{more}`")
}
