//! How far requests got, and how long they took.

use serde::Serialize;

use super::requests::Request;

/// Counts of requests.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Counts {
    /// Asked an engine.
    pub requested: u64,
    /// Those, and the replies that were the rest of an earlier answer.
    pub eligible: u64,
    /// Got an answer.
    pub served: u64,
    /// Whose answer was shown, or can have been.
    pub shown: u64,
    /// Whose answer was accepted, at least in part.
    pub accepted: u64,
    /// Of whose answer something was kept.
    pub kept: u64,
    /// Characters accepted.
    pub accepted_chars: u64,
    /// Characters kept.
    pub kept_chars: u64,
    /// From the request to the reply.
    pub latency: Latency,
}

/// Times in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Latency {
    /// The median; `None` where nothing was timed.
    pub median_ms: Option<f64>,
    /// The 95th percentile.
    pub p95_ms: Option<f64>,
}

impl Counts {
    /// Counts requests.
    pub fn of<'a>(requests: impl IntoIterator<Item = &'a Request>) -> Self {
        let mut counts = Self::default();
        let mut times = Vec::new();
        for request in requests {
            counts.requested += 1;
            counts.eligible += request.eligible;
            counts.served += u64::from(request.served);
            counts.shown += u64::from(request.shown);
            counts.accepted += u64::from(request.accepted);
            counts.kept += u64::from(request.kept_chars > 0);
            counts.accepted_chars += request.accepted_chars;
            counts.kept_chars += request.kept_chars;
            times.extend(request.total_us.filter(|_| request.served));
        }
        times.sort_unstable();
        counts.latency = Latency {
            median_ms: quantile(&times, 0.5),
            p95_ms: quantile(&times, 0.95),
        };
        counts
    }

    /// Kept characters for each eligible request: the figure does not hang on how often an arm's answers
    /// were typed through.
    pub fn kept_per_request(&self) -> Option<f64> {
        (self.eligible > 0).then(|| self.kept_chars as f64 / self.eligible as f64)
    }
}

/// The smallest time that at least this share does not exceed, in milliseconds.
fn quantile(sorted: &[u64], share: f64) -> Option<f64> {
    let rank = (share * sorted.len() as f64).ceil() as usize;
    let micros = sorted.get(rank.saturating_sub(1))?;
    Some(*micros as f64 / 1000.0)
}
