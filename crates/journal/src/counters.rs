//! What the journal did, in numbers.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use serde::Serialize;

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)+) => {
        /// Numbers since the journal was opened by this process.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
        pub struct Counters { $($(#[$doc])* pub $name: u64,)+ }

        #[derive(Default)]
        pub(crate) struct Cells { $(pub $name: AtomicU64,)+ }

        impl Cells {
            pub fn read(&self) -> Counters {
                Counters { $($name: self.$name.load(Relaxed),)+ }
            }
        }
    };
}

counters! {
    /// Events taken into the queue.
    queued,
    /// Events committed, those included that were there already.
    committed,
    /// Events that were there already: same suggestion, event and sequence.
    duplicates,
    /// Events dropped because the queue was full.
    dropped_full,
    /// Events dropped because the journal was off or closed.
    dropped_off,
    /// Events taken into the queue that could not be written.
    lost,
    /// Completions whose text was withheld because it held a secret.
    withheld_secrets,
    /// Suggestions taken out because they were too old.
    expired,
    /// Suggestions taken out to make room in a file that has reached its limit.
    shed,
    /// Transactions committed.
    commits,
    /// The longest transaction from its beginning to its commit, in microseconds.
    longest_commit_micros,
    /// Times that another process kept the database busy for too long, and the batch was tried again.
    busy,
    /// Files set aside because they were corrupt.
    set_aside,
}

impl Cells {
    pub fn add(cell: &AtomicU64, n: usize) {
        cell.fetch_add(n as u64, Relaxed);
    }
}
