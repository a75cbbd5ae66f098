//! Batches on their way, so that no paid one is forgotten.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::calls::{Intent, keep, signed, unsigned};
use super::{Ledger, LedgerError};
use crate::api::Nanos;

/// How far a batch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::api) enum BatchState {
    /// Its file is being uploaded, which costs nothing.
    Uploading,
    /// The file has an id; the batch is about to be created, or was and its id is not known yet.
    Creating,
    /// It has an id.
    Created,
    /// Its results are read.
    Done,
}

impl BatchState {
    const fn name(self) -> &'static str {
        match self {
            Self::Uploading => "uploading",
            Self::Creating => "creating",
            Self::Created => "created",
            Self::Done => "done",
        }
    }

    fn from_name(name: &str) -> Self {
        match name {
            "creating" => Self::Creating,
            "created" => Self::Created,
            "done" => Self::Done,
            _ => Self::Uploading,
        }
    }
}

/// A batch as the ledger knows it.
#[derive(Debug, Clone)]
pub(in crate::api) struct BatchRow {
    /// SHA-256 of its input file, in hex; stands in the batch's metadata too.
    pub key: String,
    pub state: BatchState,
    /// The most that it can cost.
    pub reserved: Nanos,
    pub file_id: Option<String>,
    pub batch_id: Option<String>,
}

/// A reply out of a batch.
pub(in crate::api) struct BatchReply {
    pub intent: Intent,
    pub reply: String,
    pub cost: Nanos,
    pub input_tokens: u64,
    pub output_tokens: u64,
}

impl Ledger {
    pub(in crate::api) async fn batch(&self, key: &str) -> Result<Option<BatchRow>, LedgerError> {
        let key = key.to_owned();
        self.worker
            .run(move |desk| find(&desk.connection, &key))
            .await
    }

    /// Reserves the money for a batch and writes it down; `Err` inside is what is left of the
    /// budget where that is too little.
    pub(in crate::api) async fn begin_batch(
        &self,
        row: BatchRow,
    ) -> Result<Result<(), Nanos>, LedgerError> {
        self.worker
            .run(move |desk| {
                let left = desk.left().saturating_sub(desk.reserved);
                if row.reserved > left {
                    return Ok(Err(left));
                }
                desk.in_batches = desk.in_batches.saturating_add(row.reserved);
                write(&desk.connection, &row)?;
                Ok(Ok(()))
            })
            .await
    }

    pub(in crate::api) async fn write_batch(&self, row: BatchRow) -> Result<(), LedgerError> {
        self.worker
            .run(move |desk| write(&desk.connection, &row))
            .await
    }

    /// Keeps a group of a batch's replies.
    pub(in crate::api) async fn keep_batch(
        &self,
        replies: Vec<BatchReply>,
    ) -> Result<(), LedgerError> {
        let counters = Arc::clone(self.counters());
        self.worker
            .run(move |desk| {
                for reply in &replies {
                    // A crash while results were read repeats them; they are paid once.
                    let known = known(&desk.connection, &reply.intent.key)?;
                    if known {
                        continue;
                    }
                    desk.spent = desk.spent.saturating_add(reply.cost);
                    let figures = (reply.cost, reply.input_tokens, reply.output_tokens);
                    keep(&desk.connection, &reply.intent, &reply.reply, figures)?;
                    counters.answered(figures);
                }
                Ok(())
            })
            .await
    }

    /// Gives back what a batch reserved. One that is not `complete` is forgotten, so that it can be
    /// made again.
    pub(in crate::api) async fn end_batch(
        &self,
        mut row: BatchRow,
        complete: bool,
    ) -> Result<(), LedgerError> {
        row.state = BatchState::Done;
        self.worker
            .run(move |desk| {
                desk.in_batches = desk.in_batches.saturating_sub(row.reserved);
                if complete {
                    return write(&desk.connection, &row);
                }
                desk.connection
                    .execute("DELETE FROM batches WHERE key = ?1", [row.key])?;
                Ok(())
            })
            .await
    }
}

fn known(connection: &Connection, key: &[u8; 32]) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT 1 FROM replies WHERE key = ?1")?
        .exists([key])
}

fn find(connection: &Connection, key: &str) -> rusqlite::Result<Option<BatchRow>> {
    connection
        .query_row(
            "SELECT key, state, reserved, file_id, batch_id FROM batches WHERE key = ?1",
            [key],
            read,
        )
        .optional()
}

fn read(row: &Row<'_>) -> rusqlite::Result<BatchRow> {
    let state: String = row.get(1)?;
    Ok(BatchRow {
        key: row.get(0)?,
        state: BatchState::from_name(&state),
        reserved: unsigned(row.get(2)?),
        file_id: row.get(3)?,
        batch_id: row.get(4)?,
    })
}

fn write(connection: &Connection, row: &BatchRow) -> rusqlite::Result<()> {
    connection.execute(
        "INSERT OR REPLACE INTO batches (key, state, reserved, file_id, batch_id)
         VALUES (?1, ?2, ?3, ?4, ?5)",
        params![
            row.key,
            row.state.name(),
            signed(row.reserved),
            row.file_id,
            row.batch_id
        ],
    )?;
    Ok(())
}

/// What batches that are not done have reserved.
pub(super) fn reserved(connection: &Connection) -> rusqlite::Result<Nanos> {
    let sum: i64 = connection.query_row(
        "SELECT coalesce(sum(reserved), 0) FROM batches WHERE state <> 'done'",
        [],
        |row| row.get(0),
    )?;
    Ok(unsigned(sum))
}
