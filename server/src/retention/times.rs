//! When places are looked at.

use std::time::Duration;

/// When samples are taken, and how long a place is left alone until it is settled.
#[derive(Debug, Clone)]
pub struct Times {
    /// Seconds after an acceptance, as they are recorded, and how long that is.
    pub samples: Vec<(u32, Duration)>,
    /// Without an edit at a place for so long, what stands there is what the user meant.
    pub settle: Duration,
    /// A suggestion that stood for so long can have been seen.
    pub seen: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Self::hurried(1)
    }
}

impl Times {
    /// All of it so many times as fast, for tests.
    pub fn hurried(factor: u32) -> Self {
        let after = |seconds: u32| Duration::from_secs(seconds.into()) / factor;
        Self {
            samples: [30, 90, 180, 360].map(|it| (it, after(it))).to_vec(),
            settle: after(60),
            seen: Duration::from_millis(300) / factor,
        }
    }
}
