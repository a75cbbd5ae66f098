//! Attempts: begun, settled, or lost.

use rusqlite::{Connection, OptionalExtension, params};

use super::thread::Desk;
use super::{Ledger, LedgerError, Totals};
use crate::api::Nanos;
use crate::api::counters::Counters;

/// What an attempt is about.
#[derive(Debug, Clone)]
pub(in crate::api) struct Intent {
    /// SHA-256 of the whole request.
    pub key: [u8; 32],
    pub subject: String,
    pub model: String,
    pub prompt_version: String,
    /// The most that it can cost.
    pub reserve: Nanos,
}

/// What came of beginning.
pub(in crate::api) enum Begun {
    /// An earlier attempt was answered.
    Kept(Kept),
    /// The intent is on the disk.
    Open(Open),
    /// The budget has no room.
    Broke { left: Nanos },
}

/// A reply as it is kept.
#[derive(Debug, Clone)]
pub(in crate::api) struct Kept {
    /// JSON.
    pub reply: String,
}

/// How an attempt ended.
#[derive(Debug, Clone)]
pub(in crate::api) enum Outcome {
    /// With an answer, which is kept.
    Answered {
        reply: String,
        cost: Nanos,
        input_tokens: u64,
        output_tokens: u64,
    },
    /// Without, and without cost.
    Free,
    /// Without, and the server may have done the work.
    Lost,
}

/// An attempt under way. One that is dropped unsettled counts as lost.
pub(in crate::api) struct Open {
    ledger: Ledger,
    id: i64,
    intent: Option<Intent>,
}

impl Ledger {
    /// Looks the key up, and where there is no answer yet reserves the money and writes the intent.
    pub(in crate::api) async fn begin(&self, intent: Intent) -> Result<Begun, LedgerError> {
        let mut settled = self.worker.settled.clone();
        loop {
            settled.mark_unchanged();
            let wanted = intent.clone();
            return Ok(
                match self.worker.run(move |desk| begin(desk, &wanted)).await? {
                    Found::Kept(kept) => Begun::Kept(kept),
                    Found::Broke(left) => Begun::Broke { left },
                    Found::Open(id) => Begun::Open(Open {
                        ledger: self.clone(),
                        id,
                        intent: Some(intent),
                    }),
                    Found::Wait => {
                        // An error means that the thread ended, which the next request is told.
                        let _ = settled.changed().await;
                        continue;
                    }
                },
            );
        }
    }

    /// What is left of the budget, where that can never pay for a request that has no answer yet.
    pub(in crate::api) async fn lacks(
        &self,
        intent: &Intent,
    ) -> Result<Option<Nanos>, LedgerError> {
        if !self.has_budget {
            return Ok(None);
        }
        let (key, reserve) = (intent.key, intent.reserve);
        self.worker
            .run(move |desk| {
                let left = desk.left();
                let broke = reserve > left && kept(&desk.connection, &key)?.is_none();
                Ok(broke.then_some(left))
            })
            .await
    }

    /// The reply that is kept under a key.
    pub(in crate::api) async fn kept(&self, key: [u8; 32]) -> Result<Option<Kept>, LedgerError> {
        self.worker
            .run(move |desk| kept(&desk.connection, &key))
            .await
    }
}

impl Open {
    /// Writes how it ended; returns when that is on the disk.
    pub(in crate::api) async fn settle(mut self, outcome: Outcome) -> Result<(), LedgerError> {
        let Some(intent) = self.intent.take() else {
            return Ok(());
        };
        self.count(&intent, &outcome);
        let id = self.id;
        let worker = &self.ledger.worker;
        worker
            .run(move |desk| settle(desk, id, &intent, &outcome))
            .await
    }

    fn count(&self, intent: &Intent, outcome: &Outcome) {
        let counters = self.ledger.counters();
        match outcome {
            Outcome::Answered {
                cost,
                input_tokens,
                output_tokens,
                ..
            } => counters.answered((*cost, *input_tokens, *output_tokens)),
            Outcome::Free => {}
            Outcome::Lost => Counters::add(&counters.spent, intent.reserve),
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if let Some(intent) = self.intent.take() {
            let id = self.id;
            self.count(&intent, &Outcome::Lost);
            self.ledger
                .worker
                .tell(move |desk| settle(desk, id, &intent, &Outcome::Lost));
        }
    }
}

enum Found {
    Kept(Kept),
    Open(i64),
    /// The money is there once attempts under way turn out to cost less than they may.
    Wait,
    Broke(Nanos),
}

impl Desk {
    /// What is not spent and not reserved for longer than an attempt takes.
    pub(super) fn left(&self) -> Nanos {
        let taken = self.spent.saturating_add(self.in_batches);
        self.budget.unwrap_or(Nanos::MAX).saturating_sub(taken)
    }
}

fn begin(desk: &mut Desk, intent: &Intent) -> rusqlite::Result<Found> {
    if let Some(kept) = kept(&desk.connection, &intent.key)? {
        return Ok(Found::Kept(kept));
    }
    let left = desk.left();
    if intent.reserve > left {
        return Ok(Found::Broke(left));
    }
    if intent.reserve > left.saturating_sub(desk.reserved) {
        return Ok(Found::Wait);
    }
    desk.connection
        .prepare_cached("INSERT INTO intents (key, subject, reserved) VALUES (?1, ?2, ?3)")?
        .execute(params![intent.key, intent.subject, signed(intent.reserve)])?;
    desk.reserved = desk.reserved.saturating_add(intent.reserve);
    Ok(Found::Open(desk.connection.last_insert_rowid()))
}

fn kept(connection: &Connection, key: &[u8; 32]) -> rusqlite::Result<Option<Kept>> {
    connection
        .prepare_cached("SELECT reply FROM replies WHERE key = ?1")?
        .query_row([key], |row| Ok(Kept { reply: row.get(0)? }))
        .optional()
}

fn settle(desk: &mut Desk, id: i64, intent: &Intent, outcome: &Outcome) -> rusqlite::Result<()> {
    desk.connection
        .prepare_cached("DELETE FROM intents WHERE id = ?1")?
        .execute([id])?;
    desk.reserved = desk.reserved.saturating_sub(intent.reserve);
    desk.settled.send_modify(|count| *count += 1);
    match outcome {
        Outcome::Free => Ok(()),
        Outcome::Lost => {
            desk.spent = desk.spent.saturating_add(intent.reserve);
            lose(&desk.connection, intent.reserve, 1)
        }
        Outcome::Answered {
            reply,
            cost,
            input_tokens,
            output_tokens,
        } => {
            desk.spent = desk.spent.saturating_add(*cost);
            let figures = (*cost, *input_tokens, *output_tokens);
            keep(&desk.connection, intent, reply, figures)
        }
    }
}

/// Keeps a reply and counts what it cost; one that is kept already is left as it is.
pub(super) fn keep(
    connection: &Connection,
    intent: &Intent,
    reply: &str,
    (cost, input, output): (Nanos, u64, u64),
) -> rusqlite::Result<()> {
    let (cost, input, output) = (signed(cost), signed(input), signed(output));
    let new = connection
        .prepare_cached(
            "INSERT OR IGNORE INTO replies
             (key, subject, model, prompt_version, reply, input_tokens, output_tokens, cost)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            intent.key,
            intent.subject,
            intent.model,
            intent.prompt_version,
            reply,
            input,
            output,
            cost
        ])?;
    connection
        .prepare_cached(
            "UPDATE totals SET spent = spent + ?1, replies = replies + ?2,
             input_tokens = input_tokens + ?3, output_tokens = output_tokens + ?4",
        )?
        .execute(params![cost, new as i64, input, output])?;
    Ok(())
}

fn lose(connection: &Connection, money: Nanos, attempts: i64) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE totals SET spent = spent + ?1, lost = lost + ?1,
             attempts_lost = attempts_lost + ?2",
        )?
        .execute(params![signed(money), attempts])?;
    Ok(())
}

/// Counts what an earlier run left under way as lost; gives what is spent in all.
pub(super) fn recover(connection: &Connection) -> rusqlite::Result<Nanos> {
    connection.execute_batch("BEGIN IMMEDIATE")?;
    let (money, attempts): (i64, i64) = connection.query_row(
        "SELECT coalesce(sum(reserved), 0), count(*) FROM intents",
        [],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    lose(connection, unsigned(money), attempts)?;
    connection.execute("DELETE FROM intents", [])?;
    connection.execute_batch("COMMIT")?;
    Ok(totals(connection)?.spent)
}

pub(super) fn totals(connection: &Connection) -> rusqlite::Result<Totals> {
    connection.query_row(
        "SELECT spent, lost, attempts_lost, replies, input_tokens, output_tokens FROM totals",
        [],
        |row| {
            let figure = |at| row.get(at).map(unsigned);
            Ok(Totals {
                spent: figure(0)?,
                lost: figure(1)?,
                attempts_lost: figure(2)?,
                replies: figure(3)?,
                input_tokens: figure(4)?,
                output_tokens: figure(5)?,
            })
        },
    )
}

/// SQLite counts with a sign.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
