//! The ledger: intents, replies and money in one SQLite file.
//!
//! One thread owns the database. It takes all requests that are waiting, runs them in one
//! transaction, and answers when that is on the disk: what is said to be written is.

mod batches;
mod calls;
mod thread;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::Connection;
use serde::Serialize;

use super::Nanos;
use super::counters::Counters;

pub(super) use batches::{BatchReply, BatchRow, BatchState};
pub(super) use calls::{Begun, Intent, Outcome};
use thread::Worker;

/// Why the ledger does not work.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LedgerError {
    /// Another run has it.
    #[error("{}: expected a ledger that no other run uses, found it in use; wait for that run or \
             name another ledger", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The database or the file system refused.
    #[error("{}: the ledger cannot be used: {problem}", path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// What it said.
        problem: String,
    },
}

/// What a ledger holds, over all runs. Money is in billionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Totals {
    /// Spent, with what is lost.
    pub spent: Nanos,
    /// Of this, the most that attempts without an answer can have cost.
    pub lost: Nanos,
    /// Attempts without an answer that may have cost something.
    pub attempts_lost: u64,
    /// Replies that are kept.
    pub replies: u64,
    /// Tokens of the questions.
    pub input_tokens: u64,
    /// Tokens of the replies.
    pub output_tokens: u64,
}

/// A handle; the file is closed when the last is dropped. Cheap to clone.
#[derive(Clone)]
pub struct Ledger {
    worker: Arc<Worker>,
    counters: Arc<Counters>,
    has_budget: bool,
}

impl Ledger {
    /// Opens or makes a ledger. `budget` bounds what all runs on it spend together, in the unit of
    /// the prices; without it there is no bound.
    ///
    /// Attempts that were under way when the last run ended count as spent, at the most that they
    /// can have cost.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn open(path: &Path, budget: Option<f64>) -> Result<Self, LedgerError> {
        let broken = |problem: String| LedgerError::Broken {
            path: path.to_owned(),
            problem,
        };
        if let Some(folder) = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
        {
            std::fs::create_dir_all(folder).map_err(|error| broken(error.to_string()))?;
        }
        let lock = lock(path)?;
        let connection = connect(path).map_err(|error| broken(error.to_string()))?;
        let budget = budget.map(|money| (money.max(0.0) * 1e9) as Nanos);
        let worker = Worker::start(path, connection, lock, budget)?;
        Ok(Self {
            worker: Arc::new(worker),
            counters: Arc::default(),
            has_budget: budget.is_some(),
        })
    }

    /// Whether what is spent is bounded.
    #[must_use]
    pub fn has_budget(&self) -> bool {
        self.has_budget
    }

    /// The counts of this run.
    #[must_use]
    pub fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    /// What it holds, over all runs.
    ///
    /// # Errors
    /// [`LedgerError::Broken`].
    pub async fn totals(&self) -> Result<Totals, LedgerError> {
        self.worker
            .run(|desk| calls::totals(&desk.connection))
            .await
    }
}

fn lock(path: &Path) -> Result<File, LedgerError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let file = File::create(Path::new(&name)).map_err(|error| LedgerError::Broken {
        path: path.to_owned(),
        problem: error.to_string(),
    })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(_) => Err(LedgerError::InUse {
            path: path.to_owned(),
        }),
    }
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.execute_batch(include_str!("schema.sql"))?;
    Ok(connection)
}

#[cfg(test)]
mod tests;
