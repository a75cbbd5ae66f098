//! What is wrong with a weight file.

use std::path::{Path, PathBuf};

use super::WeightDtype;

/// Why weights cannot be read or written. Every message about a file begins with its name.
#[derive(Debug, thiserror::Error)]
pub enum WeightError {
    /// The system refused to open, map or read the file.
    #[error("{}: cannot be read: {reason}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        reason: std::io::Error,
    },
    /// The system refused to write the file.
    #[error("{}: cannot be written: {reason}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        reason: std::io::Error,
    },
    /// The content contradicts its format or itself.
    #[error("{}: {what}: expected {expected}, found {found}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The part of the file that is wrong.
        what: String,
        /// What the format or another part of the file asks for.
        expected: String,
        /// What stands there.
        found: String,
    },
    /// A sound file of a kind that this crate does not read.
    #[error("{}: {what} is not supported; {advice}", path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// The feature.
        what: String,
        /// What to do instead.
        advice: String,
    },
    /// A tensor that the model needs and the file lacks.
    #[error(
        "{}: expected a tensor `{name}`, found none by that name among {count} tensors",
        path.display()
    )]
    MissingTensor {
        /// The file or folder.
        path: PathBuf,
        /// The tensor asked for.
        name: String,
        /// Tensors in the file.
        count: usize,
    },
    /// Values that a type of weight cannot hold, or a type that this crate reads only.
    #[error("cannot encode {values} values as {dtype}: {reason}")]
    Quantise {
        /// The type asked for.
        dtype: WeightDtype,
        /// How many values were given.
        values: usize,
        /// What the type needs.
        reason: &'static str,
    },
}

/// A fault in a file's content, found by code that sees bytes and no path.
#[derive(Debug)]
pub(super) enum Fault {
    Damaged {
        what: String,
        expected: String,
        found: String,
    },
    Unsupported {
        what: String,
        advice: String,
    },
}

impl Fault {
    pub(super) fn damaged(
        what: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        Self::Damaged {
            what: what.into(),
            expected: expected.into(),
            found: found.into(),
        }
    }

    pub(super) fn unsupported(what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::Unsupported {
            what: what.into(),
            advice: advice.into(),
        }
    }

    /// The fault as the error of a file.
    pub(super) fn of(self, path: &Path) -> WeightError {
        let path = path.to_owned();
        match self {
            Self::Damaged {
                what,
                expected,
                found,
            } => WeightError::Damaged {
                path,
                what,
                expected,
                found,
            },
            Self::Unsupported { what, advice } => WeightError::Unsupported { path, what, advice },
        }
    }
}

/// Names from a file are untrusted: they are shown without control characters and not at length.
pub(crate) fn shown(name: &str) -> String {
    const LIMIT: usize = 80;
    let mut text: String = name
        .chars()
        .take(LIMIT)
        .flat_map(char::escape_debug)
        .collect();
    if name.chars().nth(LIMIT).is_some() {
        text.push('…');
    }
    text
}
