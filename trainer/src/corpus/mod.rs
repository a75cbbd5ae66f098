//! What steps share that read contexts together with the rows about them.
//!
//! Contexts and negatives of a whole run do not fit into memory, and negatives need not stand in
//! the order of their contexts. So a first pass keeps a few numbers of each context
//! ([`ContextTable`]), and rows that belong together are brought together through temporary files
//! ([`Spool`]), of which one at a time is in memory.

mod check;
mod hash;
mod spool;
mod work;

pub use check::{ContextTable, Facts, RowId, WindowCheck, negatives};
pub use hash::{repository_hash, stable_digest, stable_hash};
pub use spool::{Item, Spool, partitions_for};
pub use work::WorkFolder;
