//! What can go wrong where a caller waits for an answer.

use std::path::PathBuf;

/// Reading failed, or opening for it.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// There is no journal.
    #[error("{}: expected a journal, found no file; it is made when the server first runs", .path.display())]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The file cannot be used.
    #[error("{}: {reason}", .path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        reason: String,
    },
    /// The database gave an error.
    #[error("journal database: {0}")]
    Database(#[from] rusqlite::Error),
    /// An export could not be written.
    #[error("journal export: {0}")]
    Io(#[from] std::io::Error),
    /// A line of an export that is no row.
    #[error("line {number}: {problem}")]
    Line {
        /// Its number, from 1.
        number: usize,
        /// What was expected and found.
        problem: String,
    },
    /// A row could not be turned into JSON.
    #[error("journal export: {0}")]
    Json(#[from] serde_json::Error),
}

/// Why a flush did not find everything committed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum FlushError {
    /// The time was over.
    #[error("journal: {pending} events were not committed in time; they may still be")]
    TimedOut {
        /// How many were still waiting.
        pending: u64,
    },
    /// Events were queued, and then the journal could not write them.
    #[error("journal: {events} events could not be written: {reason}")]
    Lost {
        /// How many, since the last flush that told of losses.
        events: u64,
        /// What the journal's health says, or said then.
        reason: String,
    },
}
