//! The bounded queue between those who record and the writer.
//!
//! The lock is held for the time of a push or of taking a whole batch, never
//! during work on the disk.

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::clock::UnixMicros;
use crate::counters::Cells;
use crate::error::FlushError;
use crate::health::Health;
use crate::record::Event;

/// The place of an event in this process's order of recording; the first is 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// What became of a call to [`crate::Journal::record`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// In the queue. It is acknowledged once [`crate::Journal::settled`] says so.
    Queued(Ticket),
    /// Not taken; counted.
    Dropped(DropReason),
}

/// Why an event was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropReason {
    /// The queue is full: the disk is slower than the events come.
    Full,
    /// The journal is off: see its health.
    Off,
    /// The journal was closed.
    Closed,
}

/// Whether an event is in the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// Not yet.
    Pending,
    /// Committed: acknowledged.
    Committed,
    /// It could not be written.
    Lost,
}

/// An event with its time.
#[derive(Clone, Debug)]
pub(crate) struct Stamped {
    pub at: UnixMicros,
    pub event: Event,
}

/// What the writer is to do next.
pub(crate) enum Work {
    /// Write these.
    Batch(Vec<Stamped>),
    /// Nothing came for a while: try to come back, if off.
    Idle,
    /// Everything is written; stop.
    Close,
}

/// Bounds of the queue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub events: usize,
    pub bytes: usize,
}

pub(crate) struct Queue {
    bounds: Bounds,
    state: Mutex<State>,
    /// Something for the writer.
    work: Condvar,
    /// Something for those who wait for the writer.
    done: Condvar,
    pub cells: Cells,
}

struct State {
    waiting: VecDeque<Stamped>,
    bytes: usize,
    /// When the oldest waiting event came.
    oldest: Option<Instant>,
    last_ticket: u64,
    settled: u64,
    lost: Vec<RangeInclusive<u64>>,
    lost_untold: u64,
    flush_to: u64,
    closing: bool,
    finished: bool,
    health: Health,
    last_trouble: String,
}

/// How many ranges of lost tickets are remembered; each is one failed batch.
const MOST_LOST_RANGES: usize = 1024;

impl Queue {
    pub fn new(bounds: Bounds) -> Self {
        let state = State {
            waiting: VecDeque::new(),
            bytes: 0,
            oldest: None,
            last_ticket: 0,
            settled: 0,
            lost: Vec::new(),
            lost_untold: 0,
            flush_to: 0,
            closing: false,
            finished: false,
            health: Health::Starting,
            last_trouble: String::new(),
        };
        Self {
            bounds,
            state: Mutex::new(state),
            work: Condvar::new(),
            done: Condvar::new(),
            cells: Cells::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is whole between any two statements that can panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many waiting events make a batch due at once.
    fn crowded(&self) -> usize {
        (self.bounds.events / 2).max(1)
    }

    /// Takes an event in, or drops and counts it. Never waits for the writer.
    pub fn push(&self, event: Stamped) -> Recorded {
        let size = event.event.size();
        let mut state = self.lock();
        let reason = if state.closing || state.finished {
            Some(DropReason::Closed)
        } else if state.health.is_off() {
            Some(DropReason::Off)
        } else if state.waiting.len() >= self.bounds.events
            || state.bytes + size > self.bounds.bytes
        {
            Some(DropReason::Full)
        } else {
            None
        };
        if let Some(reason) = reason {
            drop(state);
            let full = reason == DropReason::Full;
            Cells::add(
                if full {
                    &self.cells.dropped_full
                } else {
                    &self.cells.dropped_off
                },
                1,
            );
            return Recorded::Dropped(reason);
        }
        state.bytes += size;
        state.last_ticket += 1;
        let ticket = Ticket(state.last_ticket);
        state.waiting.push_back(event);
        let waiting = state.waiting.len();
        if waiting == 1 {
            state.oldest = Some(Instant::now());
        }
        drop(state);
        // The writer sleeps until its batch is due; later events join it.
        if waiting == 1 || waiting == self.crowded() {
            self.work.notify_one();
        }
        Cells::add(&self.cells.queued, 1);
        Recorded::Queued(ticket)
    }

    /// Waits until a batch is due: its oldest event has waited for `gather`,
    /// or someone flushes or closes. Without events, [`Work::Idle`] after `idle`.
    pub fn next(&self, gather: Duration, idle: Option<Duration>) -> Work {
        let mut state = self.lock();
        let idle_at = idle.map(|idle| Instant::now() + idle);
        loop {
            let crowded = state.waiting.len() >= self.crowded();
            let urgent = state.closing || state.flush_to > state.settled || crowded;
            let now = Instant::now();
            let due = state.oldest.map(|oldest| oldest + gather);
            if let Some(due) = due
                && (urgent || due <= now)
            {
                state.oldest = None;
                state.bytes = 0;
                return Work::Batch(std::mem::take(&mut state.waiting).into());
            }
            if due.is_none() && state.closing {
                return Work::Close;
            }
            if due.is_none() && idle_at.is_some_and(|at| at <= now) {
                return Work::Idle;
            }
            state = match due.or(idle_at) {
                Some(until) => {
                    let wait = until.saturating_duration_since(now);
                    let waited = self.work.wait_timeout(state, wait);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                None => self
                    .work
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    /// The oldest `events` unsettled ones are committed.
    pub fn committed(&self, events: usize) {
        Cells::add(&self.cells.committed, events);
        self.lock().settled += events as u64;
        self.done.notify_all();
    }

    /// The oldest `events` unsettled ones could not be written.
    pub fn lost(&self, events: usize) {
        Cells::add(&self.cells.lost, events);
        let mut state = self.lock();
        let first = state.settled + 1;
        state.settled += events as u64;
        let last = state.settled;
        if first <= last {
            state.lost.push(first..=last);
            state.lost_untold += events as u64;
        }
        if state.lost.len() > MOST_LOST_RANGES {
            state.lost.remove(0);
        }
        drop(state);
        self.done.notify_all();
    }

    pub fn settled(&self, ticket: Ticket) -> Settled {
        let state = self.lock();
        if ticket.0 > state.settled {
            Settled::Pending
        } else if state.lost.iter().any(|range| range.contains(&ticket.0)) {
            Settled::Lost
        } else {
            Settled::Committed
        }
    }

    /// Waits until all that was recorded so far is settled.
    pub fn flush(&self, within: Duration) -> Result<(), FlushError> {
        let until = Instant::now() + within;
        let mut state = self.lock();
        let target = state.last_ticket;
        state.flush_to = state.flush_to.max(target);
        self.work.notify_one();
        while state.settled < target && !state.finished {
            let now = Instant::now();
            if now >= until {
                return Err(FlushError::TimedOut {
                    pending: target - state.settled,
                });
            }
            let waited = self.done.wait_timeout(state, until - now);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let events = std::mem::take(&mut state.lost_untold);
        match events {
            0 => Ok(()),
            events => Err(FlushError::Lost {
                events,
                reason: state.last_trouble.clone(),
            }),
        }
    }

    /// Asks the writer to write what waits and to stop.
    pub fn close(&self) {
        self.lock().closing = true;
        self.work.notify_one();
    }

    /// Waits until the writer has stopped; `false` if it did not in time.
    pub fn wait_finished(&self, within: Duration) -> bool {
        let until = Instant::now() + within;
        let mut state = self.lock();
        while !state.finished {
            let now = Instant::now();
            if now >= until {
                return false;
            }
            let waited = self.done.wait_timeout(state, until - now);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// The writer is gone; what still waits is lost.
    pub fn finish(&self) {
        let mut state = self.lock();
        let left = state.last_ticket - state.settled;
        state.waiting.clear();
        state.oldest = None;
        state.finished = true;
        drop(state);
        self.lost(usize::try_from(left).unwrap_or(usize::MAX));
    }

    pub fn health(&self) -> Health {
        self.lock().health.clone()
    }

    pub fn set_health(&self, health: Health) {
        let mut state = self.lock();
        if let Health::Off(reason) = &health {
            state.last_trouble.clone_from(&reason.sentence);
        }
        state.health = health;
        drop(state);
        self.done.notify_all();
    }

    /// Waits until the file is open or the journal is off.
    pub fn wait_started(&self, within: Duration) -> Health {
        let until = Instant::now() + within;
        let mut state = self.lock();
        while state.health == Health::Starting {
            let now = Instant::now();
            if now >= until {
                break;
            }
            let waited = self.done.wait_timeout(state, until - now);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.health.clone()
    }
}
