//! Time as a client sees it: given from outside, so that tests lose none.

use std::future::Future;
use std::pin::Pin;
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

/// A wait.
pub type Sleep<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// The clock and how to wait.
pub trait Timing: Send + Sync {
    /// The time of day, to which a `Retry-After` date is compared.
    fn now(&self) -> SystemTime;

    /// Waits.
    fn sleep(&self, duration: Duration) -> Sleep<'_>;
}

/// The system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemTiming;

impl Timing for SystemTiming {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    fn sleep(&self, duration: Duration) -> Sleep<'_> {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// A clock for tests: it stands still, waits end at once and are written down.
#[derive(Debug)]
pub struct NoDelay {
    now: SystemTime,
    waits: Mutex<Vec<Duration>>,
}

impl NoDelay {
    /// A clock that always shows `now`.
    #[must_use]
    pub fn at(now: SystemTime) -> Self {
        Self {
            now,
            waits: Mutex::default(),
        }
    }

    /// The waits so far, in order.
    pub fn waits(&self) -> Vec<Duration> {
        self.waits
            .lock()
            .map(|waits| waits.clone())
            .unwrap_or_default()
    }
}

impl Timing for NoDelay {
    fn now(&self) -> SystemTime {
        self.now
    }

    fn sleep(&self, duration: Duration) -> Sleep<'_> {
        if let Ok(mut waits) = self.waits.lock() {
            waits.push(duration);
        }
        Box::pin(tokio::task::yield_now())
    }
}
