//! Cancellation that costs one relaxed load per token.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A flag shared by who asks and who computes. Setting it is final.
#[derive(Debug, Clone, Default)]
pub struct CancelToken(Arc<AtomicBool>);

impl CancelToken {
    /// A token that is not cancelled.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks the computation to stop.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it should stop.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// The flag itself, for crates that do not know this type.
    pub fn flag(&self) -> &AtomicBool {
        &self.0
    }
}

/// Cancels its token when it is dropped: a handler's future that is dropped by
/// `$/cancelRequest` takes its computation with it.
#[derive(Debug)]
pub struct CancelGuard(CancelToken);

impl CancelGuard {
    /// Guards `token`.
    pub fn new(token: CancelToken) -> Self {
        Self(token)
    }
}

impl Drop for CancelGuard {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_guard_cancels_every_clone() {
        let token = CancelToken::new();
        let clone = token.clone();
        let guard = CancelGuard::new(token);
        assert!(!clone.is_cancelled());
        drop(guard);
        assert!(clone.is_cancelled());
    }
}
