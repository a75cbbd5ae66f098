//! What can go wrong in the store.

use std::path::{Path, PathBuf};

/// The store's error.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file system refused.
    #[error("{}: cannot {action}: {reason}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was tried, as an infinitive.
        action: &'static str,
        /// Why it failed.
        reason: std::io::Error,
    },
    /// A file of the store that is damaged, hostile or of another version.
    #[error("{}: {problem}", path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// What was expected and what was found.
        problem: String,
    },
    /// What the caller asked to write is not valid.
    #[error("{0}")]
    Invalid(String),
    /// No checkpoint answers to a name.
    #[error(
        "no checkpoint, alias or file is called `{wanted}`; {}",
        suggest(wanted, known)
    )]
    Unknown {
        /// What was asked for.
        wanted: String,
        /// Ids of what is installed.
        known: Vec<String>,
    },
    /// A prefix that several checkpoints share.
    #[error("`{wanted}` fits several checkpoints: {}; write more of the id", matches.join(", "))]
    Ambiguous {
        /// The prefix.
        wanted: String,
        /// What it fits.
        matches: Vec<String>,
    },
    /// Somebody else changed what is served in the meantime.
    #[error(
        "what is served was changed meanwhile: expected generation {expected}, found {found}; \
         read it again and decide anew"
    )]
    Conflict {
        /// The generation that the writer had read.
        expected: u64,
        /// The one on disk.
        found: u64,
    },
}

fn suggest(wanted: &str, known: &[String]) -> String {
    const PULL: &str = "run `truefill models pull default`";
    let installed = known.join(", ");
    match (known.is_empty(), wanted == "default") {
        (true, _) => format!("nothing is installed yet: {PULL}"),
        (false, true) => format!("{PULL}, or name one of those installed: {installed}"),
        (false, false) => format!("installed: {installed}"),
    }
}

pub(super) fn io_error(path: &Path, action: &'static str, reason: std::io::Error) -> StoreError {
    StoreError::Io {
        path: path.to_owned(),
        action,
        reason,
    }
}
