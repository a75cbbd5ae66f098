//! Figures for progress: what was asked, answered and paid.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

use super::Nanos;

/// Counts that every client of a ledger shares.
#[derive(Debug, Default)]
pub struct Counters {
    pub(super) asked: AtomicU64,
    pub(super) cached: AtomicU64,
    pub(super) answered: AtomicU64,
    pub(super) failed: AtomicU64,
    pub(super) attempts: AtomicU64,
    pub(super) retries: AtomicU64,
    pub(super) in_flight: AtomicU64,
    pub(super) input_tokens: AtomicU64,
    pub(super) output_tokens: AtomicU64,
    pub(super) spent: AtomicU64,
}

/// The counts at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Snapshot {
    /// Questions.
    pub asked: u64,
    /// Of these, answered from what an earlier run paid for.
    pub cached: u64,
    /// Answered by a server.
    pub answered: u64,
    /// Without an answer.
    pub failed: u64,
    /// Requests that were sent.
    pub attempts: u64,
    /// Of these, not the first for their question.
    pub retries: u64,
    /// Under way.
    pub in_flight: u64,
    /// Tokens of the questions, as the servers count them.
    pub input_tokens: u64,
    /// Tokens of the replies.
    pub output_tokens: u64,
    /// Money spent in this run, with what failed attempts may have cost.
    pub spent: Nanos,
}

impl Counters {
    pub(super) fn add(counter: &AtomicU64, more: u64) {
        counter.fetch_add(more, Ordering::Relaxed);
    }

    /// Takes an answer into account: what it cost, and tokens of question and reply.
    pub(super) fn answered(&self, (cost, input, output): (Nanos, u64, u64)) {
        Self::add(&self.answered, 1);
        Self::add(&self.spent, cost);
        Self::add(&self.input_tokens, input);
        Self::add(&self.output_tokens, output);
    }

    /// The counts now.
    pub fn snapshot(&self) -> Snapshot {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Snapshot {
            asked: read(&self.asked),
            cached: read(&self.cached),
            answered: read(&self.answered),
            failed: read(&self.failed),
            attempts: read(&self.attempts),
            retries: read(&self.retries),
            in_flight: read(&self.in_flight),
            input_tokens: read(&self.input_tokens),
            output_tokens: read(&self.output_tokens),
            spent: read(&self.spent),
        }
    }
}

/// Counts a request as under way for as long as it lives.
pub(super) struct InFlight<'a>(&'a Counters);

impl<'a> InFlight<'a> {
    pub(super) fn begin(counters: &'a Counters) -> Self {
        Counters::add(&counters.in_flight, 1);
        Self(counters)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}
