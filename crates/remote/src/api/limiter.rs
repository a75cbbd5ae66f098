//! Rates: requests and tokens a minute, and the pause that a server asks for.

use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

use super::config::EndpointConfig;
use super::timing::Timing;

/// The limits of one endpoint.
pub(super) struct Limiter {
    clock: DefaultClock,
    requests: Option<DefaultDirectRateLimiter>,
    tokens: Option<(DefaultDirectRateLimiter, NonZeroU32)>,
    resume_at: Mutex<Option<SystemTime>>,
}

impl Limiter {
    pub(super) fn new(config: &EndpointConfig) -> Self {
        let limiter = |rate| RateLimiter::direct(Quota::per_minute(rate));
        Self {
            clock: DefaultClock::default(),
            requests: config.requests_per_minute.map(limiter),
            tokens: config.tokens_per_minute.map(|rate| (limiter(rate), rate)),
            resume_at: Mutex::default(),
        }
    }

    /// Waits until a request of about `tokens` tokens may go.
    pub(super) async fn admit(&self, tokens: u64, timing: &dyn Timing) {
        // Whoever waits for a pause looks again: the server may have asked for a longer one.
        while let Some(wait) = self.pause(timing.now()) {
            timing.sleep(wait).await;
            if self.pause(timing.now()) == Some(wait) {
                // A clock that stands still.
                break;
            }
        }
        if let Some(limiter) = &self.requests {
            self.wait_for(limiter, NonZeroU32::MIN, timing).await;
        }
        if let Some((limiter, most)) = &self.tokens {
            // What is larger than a minute's tokens takes a whole minute's.
            let tokens = u32::try_from(tokens).unwrap_or(u32::MAX);
            let tokens = NonZeroU32::new(tokens).unwrap_or(NonZeroU32::MIN);
            self.wait_for(limiter, tokens.min(*most), timing).await;
        }
    }

    async fn wait_for(
        &self,
        limiter: &DefaultDirectRateLimiter,
        cells: NonZeroU32,
        timing: &dyn Timing,
    ) {
        while let Ok(Err(not_until)) = limiter.check_n(cells) {
            let wait = not_until.wait_time_from(self.clock.now());
            timing.sleep(wait.max(Duration::from_millis(1))).await;
        }
    }

    /// Holds every request back for `wait` from `now`.
    pub(super) fn hold(&self, now: SystemTime, wait: Duration) {
        let mut resume_at = self
            .resume_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let until = now.checked_add(wait);
        *resume_at = (*resume_at).max(until);
    }

    fn pause(&self, now: SystemTime) -> Option<Duration> {
        let resume_at = self
            .resume_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let wait = resume_at.as_ref()?.duration_since(now).ok()?;
        (!wait.is_zero()).then_some(wait)
    }
}
