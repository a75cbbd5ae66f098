//! The private event journal: what was suggested, shown, accepted and rejected.
//!
//! One SQLite file that several processes write at once. In each of them
//! [`Journal`] hands events to one writer thread through a bounded queue:
//! recording never waits for the disk, and what does not fit is dropped and
//! counted. An event is **acknowledged** once it is committed, which
//! [`Journal::settled`] and [`Journal::flush`] tell; that survives the
//! process's death and, with `synchronous=FULL`, the machine's.
//!
//! What must not be written is taken out before it is: see [`redact`].
//! [`Reader`] gives suggestions with their outcomes back.

mod clock;
mod counters;
mod error;
mod export;
mod file;
mod health;
mod id;
mod insert;
mod journal;
mod maintain;
mod queue;
mod reader;
mod record;
pub mod redact;
mod row;
mod schema;
mod varint;
mod withhold;
mod writer;

pub use clock::{Clock, UnixMicros, system_clock};
pub use counters::Counters;
pub use error::{FlushError, JournalError};
pub use export::{EXPORT_VERSION, Texts, export, imported};
pub use health::{Health, OffReason};
pub use id::{InvalidId, SuggestionId};
pub use journal::{Journal, Options};
pub use maintain::{Forgotten, Selection, forget};
pub use queue::{DropReason, Recorded, Settled, Ticket};
pub use reader::{Query, Reader, Suggestions};
pub use record::{
    Assignment, Censored, Completion, ContextHashes, Document, Event, Extent, Format, Guard,
    GuardVerdict, HoleKind, HoleRecord, Outcome, OutcomeRecord, PathPolicy, Retained, Shape,
    Stages, SuggestionRecord, Tokens, Trigger,
};
pub use row::{HoleRow, OutcomeRow, SuggestionRow};
pub use schema::SCHEMA_VERSION;
pub use withhold::{Withheld, names_of};
