//! Asking models behind an API: chat in three dialects, embeddings, and batches.
//!
//! A [`Client`] speaks to one endpoint. Every attempt is written into a [`Ledger`] before it is
//! made, with the most that it can cost, and settled afterwards; what was answered is kept there
//! under the SHA-256 of the whole request, so a run that is killed and started again pays only for
//! what was under way. Failures are never kept.

mod attempts;
mod batch;
mod client;
mod config;
mod counters;
mod error;
mod ledger;
mod limiter;
mod protocol;
mod timing;
mod transport;

pub use batch::{BatchEvent, BatchFile, BatchRun, BatchWriter, FILE_BYTES, FILE_REQUESTS};
pub use client::{ChatReply, ChatRequest, Client, EmbedRequest, Finish};
pub use config::{EndpointConfig, Protocol, TokenLimitKey};
pub use counters::{Counters, Snapshot};
pub use error::{ApiError, Failure};
pub use ledger::{Ledger, LedgerError, Totals};
pub use timing::{NoDelay, SystemTiming, Timing};

/// Money in billionths of the unit that prices are in: exact in integers.
pub type Nanos = u64;

/// What a number of tokens costs at a price for a million of them.
#[must_use]
pub fn cost(tokens: u64, price_per_million: f64) -> Nanos {
    // A price of 1 for a million tokens is 1,000 billionths for each.
    (tokens as f64 * price_per_million * 1000.0).ceil() as Nanos
}

/// An amount in the unit that prices are in, for people.
#[must_use]
pub fn money(nanos: Nanos) -> f64 {
    nanos as f64 / 1e9
}
