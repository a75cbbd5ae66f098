//! What became of suggestions after they were served: what was kept of those that were accepted,
//! and what the user wrote instead of the others.
//!
//! [`Watch`] follows places through the edits of their documents. It has no clock and reads no file:
//! it is told the time, and says when it wants to be asked again. Samples are taken by the clock and
//! never by an edit, because text that is left alone is what is kept; where nothing can be said any
//! more, that is recorded, too.

mod common;
mod hole;
mod kept;
mod settle;
mod span;
mod times;
mod watch;

use truefill_journal::{Event, Outcome, OutcomeRecord, SuggestionId};

pub use common::common;
pub use hole::Served;
pub use times::Times;
pub use watch::Watch;

fn inferred(suggestion: SuggestionId, outcome: Outcome) -> Event {
    Event::Outcome(OutcomeRecord {
        suggestion,
        sequence: 0,
        outcome,
        inferred: true,
    })
}

fn narrow(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}
