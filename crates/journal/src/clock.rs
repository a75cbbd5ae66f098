//! Time as a value that tests choose.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// Microseconds since 1970-01-01 00:00 UTC.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct UnixMicros(pub i64);

impl UnixMicros {
    /// So many days before; the earliest time that there is where that is too far back.
    #[must_use]
    pub fn days_before(self, days: u32) -> Self {
        Self(
            self.0
                .saturating_sub(86_400_000_000_i64.saturating_mul(days.into())),
        )
    }
}

/// Tells the time. It is called by the thread that records, so it must be quick.
pub type Clock = Arc<dyn Fn() -> UnixMicros + Send + Sync>;

/// The machine's clock; a clock before 1970 reads as 1970.
pub fn system_clock() -> Clock {
    Arc::new(|| {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        UnixMicros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    })
}
