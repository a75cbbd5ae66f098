//! What became of the suggestions that were served.

use super::Serving;

impl Serving {
    /// The editor showed a suggestion.
    pub fn shown(&self, id: &str) {
        tracing::debug!(id, "shown");
    }

    /// The user took a suggestion.
    pub fn accepted(&self, id: &str) {
        tracing::debug!(id, "accepted");
    }

    /// The user took the first `length` UTF-16 units of a suggestion.
    pub fn partially_accepted(&self, id: &str, length: usize) {
        tracing::debug!(id, length, "partially accepted");
    }

    /// The user turned a suggestion down.
    pub fn rejected(&self, id: &str, reason: &str) {
        tracing::debug!(id, reason, "rejected");
    }
}
