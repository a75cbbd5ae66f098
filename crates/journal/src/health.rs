//! Whether the journal works.

/// The journal's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// The file is being opened; events are queued.
    Starting,
    /// Events are written.
    Working,
    /// Events are dropped and counted.
    Off(OffReason),
}

/// Why the journal is off: one sentence for the user, and whether it may come back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffReason {
    /// What was found and what to do, with the file's path.
    pub sentence: String,
    /// Whether the journal tries again by itself after a while.
    pub retries: bool,
}

impl Health {
    /// Whether events are neither written nor going to be.
    pub fn is_off(&self) -> bool {
        matches!(self, Self::Off(_))
    }
}
