//! The writer thread: opens the file, commits batches, and turns the journal
//! off, or back on, as the disk has it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use rusqlite::{ErrorCode, TransactionBehavior};

use crate::clock::{Clock, UnixMicros};
use crate::counters::Cells;
use crate::file::{self, Database, OpenError};
use crate::health::{Health, OffReason};
use crate::insert::{self, Judged};
use crate::maintain;
use crate::queue::{Queue, Stamped, Work};
use crate::redact;
use crate::schema::SchemaError;
use crate::withhold::{Withheld, judge};

pub struct Writer {
    pub path: PathBuf,
    pub queue: Arc<Queue>,
    pub clock: Clock,
    pub context: bool,
    pub max_bytes: Option<u64>,
    /// How long rows are kept.
    pub keep: Option<Duration>,
    /// When to look next for rows that are too old.
    pub next_look: Option<Instant>,
    /// How long events are gathered into one transaction.
    pub gather: Duration,
    /// How long the journal stays off before it tries again.
    pub retry_after: Duration,
    pub database: Option<Database>,
}

/// Tries of a batch while other processes keep the database busy; each waits seconds.
const BUSY_ROUNDS: usize = 3;

/// Rows that are too old go once in so long, and soon again while there are more of them.
const LOOK_EVERY: Duration = Duration::from_secs(3600);
const LOOK_SOON: Duration = Duration::from_millis(200);

/// How often the oldest rows make room for one batch.
const SHED_ROUNDS: usize = 20;

impl Writer {
    /// Runs until the queue is closed. Never panics out of the thread.
    pub fn run(mut self) {
        let queue = Arc::clone(&self.queue);
        let result = catch_unwind(AssertUnwindSafe(|| {
            // Compiles the patterns: not while a batch waits.
            redact::warm();
            self.start();
            self.work();
            // Closing the last connection folds the log into the file.
            self.database = None;
        }));
        if result.is_err() {
            let sentence = "the journal's writer failed; this is a bug, please report it";
            queue.set_health(off(sentence.to_owned(), false));
        }
        queue.finish();
    }

    fn work(&mut self) {
        loop {
            match self.queue.next(self.gather, self.idle()) {
                Work::Batch(batch) => self.batch(&batch),
                Work::Idle if self.queue.health().is_off() => self.start(),
                Work::Idle => {}
                Work::Close => return,
            }
            self.expire();
        }
    }

    /// How long to wait for events before there is something else to do.
    fn idle(&self) -> Option<Duration> {
        match self.queue.health() {
            Health::Off(reason) => reason.retries.then_some(self.retry_after),
            _ => self
                .next_look
                .map(|at| at.saturating_duration_since(Instant::now())),
        }
    }

    /// Takes rows out that are too old, where it is time to look for them.
    fn expire(&mut self) {
        let due = self.next_look.is_some_and(|at| at <= Instant::now());
        let (Some(keep), Some(database), true) = (self.keep, &mut self.database, due) else {
            return;
        };
        let keep = i64::try_from(keep.as_micros()).unwrap_or(i64::MAX);
        let before = UnixMicros((self.clock)().0.saturating_sub(keep));
        let more = match maintain::expire(&mut database.connection, before) {
            Ok(deleted) => {
                Cells::add(&self.queue.cells.expired, deleted);
                deleted > 0
            }
            // Whatever it is, the next batch meets it too, and tells.
            Err(_) => false,
        };
        self.next_look = Some(Instant::now() + if more { LOOK_SOON } else { LOOK_EVERY });
    }

    fn start(&mut self) {
        self.database = None;
        match Database::open(&self.path, self.max_bytes, (self.clock)()) {
            Ok(database) => {
                if database.set_aside.is_some() {
                    self.queue.cells.set_aside.fetch_add(1, Relaxed);
                }
                self.database = Some(database);
                self.next_look = self.keep.map(|_| Instant::now());
                self.queue.set_health(Health::Working);
            }
            Err(error) => self.turn_off(&error),
        }
    }

    fn turn_off(&mut self, error: &OpenError) {
        self.database = None;
        let retries = may_pass(error);
        let sentence = format!("{}: {}", self.path.display(), describe(error));
        self.queue.set_health(off(sentence, retries));
    }

    /// Writes a batch, whatever it takes: a busy database is asked again, a
    /// damaged or vanished one is replaced once.
    fn batch(&mut self, batch: &[Stamped]) {
        let judge = |event| Judged {
            event,
            judgement: judge(self.context, &event.event),
        };
        let batch: Vec<Judged<'_>> = batch.iter().map(judge).collect();
        let is_secret = |judged: &&Judged<'_>| judged.judgement.text == Some(Err(Withheld::Secret));
        Cells::add(
            &self.queue.cells.withheld_secrets,
            batch.iter().filter(is_secret).count(),
        );
        if self
            .database
            .as_ref()
            .is_some_and(|database| !database.is_at(&self.path))
        {
            self.start();
        }
        let mut replaced = false;
        let mut rounds = 0;
        let mut shed = 0;
        loop {
            if self.database.is_none() {
                return self.queue.lost(batch.len());
            }
            let error = match self.commit(&batch) {
                Ok(()) => return self.queue.committed(batch.len()),
                Err(error) => error,
            };
            rounds += 1;
            if is_busy(&error) && rounds < BUSY_ROUNDS {
                self.queue.cells.busy.fetch_add(1, Relaxed);
            } else if is_full(&error) && shed < SHED_ROUNDS && self.shed() {
                shed += 1;
            } else if file::is_damage(&error) && !replaced {
                replaced = true;
                self.start();
            } else {
                self.turn_off(&error.into());
            }
        }
    }

    /// Makes room in a file that has reached its limit; `false` where that is not the trouble.
    fn shed(&mut self) -> bool {
        let Some(database) = &mut self.database else {
            return false;
        };
        let connection = &mut database.connection;
        if !maintain::is_at_limit(connection).unwrap_or(false) {
            return false;
        }
        let shed = maintain::shed(connection).unwrap_or(0);
        Cells::add(&self.queue.cells.shed, shed);
        shed > 0
    }

    fn commit(&mut self, batch: &[Judged<'_>]) -> rusqlite::Result<()> {
        let Some(database) = &mut self.database else {
            return Ok(());
        };
        let begun = Instant::now();
        // BEGIN IMMEDIATE: the wait for other writers comes first, with the busy handler.
        let step = database
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut duplicates = 0;
        for judged in batch {
            duplicates += usize::from(!insert::insert(&step, judged, &database.salt)?);
        }
        step.commit()?;
        let cells = &self.queue.cells;
        let micros = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        cells.longest_commit_micros.fetch_max(micros, Relaxed);
        Cells::add(&cells.duplicates, duplicates);
        Cells::add(&cells.commits, 1);
        Ok(())
    }
}

fn off(sentence: String, retries: bool) -> Health {
    Health::Off(OffReason { sentence, retries })
}

fn is_full(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DiskFull)
}

fn is_busy(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error_code();
    matches!(
        code,
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
    )
}

/// Whether trouble may pass without the user doing anything to the file.
fn may_pass(error: &OpenError) -> bool {
    !matches!(
        error,
        OpenError::Schema(SchemaError::Newer { .. } | SchemaError::Foreign)
    )
}

fn describe(error: &OpenError) -> String {
    let OpenError::Schema(SchemaError::Database(error)) = error else {
        return format!("the journal is off: {error}");
    };
    let what = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => {
            "the disk is full, or the journal's size limit leaves no room for one row; make room"
                .to_owned()
        }
        Some(ErrorCode::SystemIoFailure) => format!("the disk gave an error ({error})"),
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
            format!("it cannot be written ({error}); check its owner and mode")
        }
        _ if is_busy(error) => "another process keeps it locked".to_owned(),
        _ => error.to_string(),
    };
    format!("the journal is off: {what}")
}
