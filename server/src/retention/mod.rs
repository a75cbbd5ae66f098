//! What became of suggestions after they were served: what was kept of those that were accepted,
//! and what the user wrote instead of the others.
//!
//! [`Watch`] follows places through the edits of their documents. It has no clock and reads no file:
//! it is told the time, and says when it wants to be asked again. Samples are taken by the clock and
//! never by an edit, because text that is left alone is what is kept; where nothing can be said any
//! more, that is recorded, too.

mod common;
mod settle;
mod span;
mod watch;

pub use common::common;
pub use watch::{Served, Times, Watch};
