//! When to ask again: exponential delays, and what the server says about it.

use std::time::{Duration, SystemTime};

use backon::{BackoffBuilder, ExponentialBuilder};
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};

/// How often and after what delays a failed request is made again.
#[derive(Debug, Clone)]
pub struct RetryPolicy {
    /// Attempts after the first that may fail in a row.
    pub retries: usize,
    /// Delay before the second attempt; it doubles with each.
    pub first_delay: Duration,
    /// Longest delay of our own.
    pub longest_delay: Duration,
    /// Longest wait that a server may ask for; who is asked for more gives up.
    pub longest_wait: Duration,
    /// Seed of the delays' random part.
    pub seed: u64,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            retries: 5,
            first_delay: Duration::from_millis(500),
            longest_delay: Duration::from_secs(20),
            longest_wait: Duration::from_secs(120),
            seed: u64::from(std::process::id()),
        }
    }
}

impl RetryPolicy {
    /// The delays, one for each retry. `salt` tells requests apart: those that failed together
    /// would else be made again together.
    pub(crate) fn delays(&self, salt: u64) -> impl Iterator<Item = Duration> + Send + use<> {
        ExponentialBuilder::new()
            .with_min_delay(self.first_delay)
            .with_max_delay(self.longest_delay)
            .with_max_times(self.retries)
            .with_jitter()
            .with_jitter_seed(self.seed ^ salt)
            .build()
    }
}

/// Whether a status says that the same request may succeed later.
pub(crate) fn is_transient(status: StatusCode) -> bool {
    matches!(
        status.as_u16(),
        408 | 425 | 429 | 500 | 502 | 503 | 504 | 529
    )
}

/// The wait that a `Retry-After` header asks for, in seconds or until a date.
pub(crate) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let until = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(http_date(text)?))?;
    Some(until.duration_since(now).unwrap_or_default())
}

/// Seconds since 1970 of a date such as `Sun, 06 Nov 1994 08:49:37 GMT`, the one form that
/// servers may still write.
fn http_date(text: &str) -> Option<u64> {
    let (_weekday, rest) = text.split_once(", ")?;
    let mut words = rest.split(' ');
    let day: u64 = words.next()?.parse().ok()?;
    let month_name = words.next()?;
    let month = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]
    .iter()
    .position(|name| *name == month_name)? as u64
        + 1;
    let year: u64 = words.next()?.parse().ok()?;
    let mut clock = words
        .next()?
        .split(':')
        .map(|part| part.parse::<u64>().ok());
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    let plausible = (1..=31).contains(&day)
        && (1970..=9999).contains(&year)
        && hour < 24
        && minute < 60
        && second <= 60;
    if words.next() != Some("GMT") || clock.next().is_some() || !plausible {
        return None;
    }
    Some(((days_since_1970(year, month, day) * 24 + hour) * 60 + minute) * 60 + second)
}

/// Counted in years that begin in March, so that a leap day is a year's last.
fn days_since_1970(year: u64, month: u64, day: u64) -> u64 {
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let leap_days = year / 4 - year / 100 + year / 400;
    let days_before_month = (153 * month + 2) / 5;
    // 719,468 days lie between 1 March of year 0 and 1970.
    365 * year + leap_days + days_before_month + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_retry_after_are_read() {
        // `date -d '…' +%s` gives these numbers.
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        let table = [
            ("7", Some(7)),
            (" 0 ", Some(0)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(0)),
            ("Sun, 06 Nov 1994 08:50:07 GMT", Some(30)),
            (
                "Thu, 29 Feb 1996 00:00:00 GMT",
                Some(825_552_000 - 784_111_777),
            ),
            (
                "Wed, 01 Mar 2000 00:00:00 GMT",
                Some(951_868_800 - 784_111_777),
            ),
            ("Fri, 02 Jan 1970 00:00:00 GMT", Some(0)),
            ("Sun, 06 Nov 1994 08:49:37 CET", None),
            ("Sun, 32 Nov 1994 08:49:37 GMT", None),
            ("Sun, 06 Nov 1994 25:49:37 GMT", None),
            ("Sun, 06 Nov 1 08:49:37 GMT", None),
            ("-1", None),
            ("soon", None),
            ("", None),
        ];
        for (text, expected) in table {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, text.parse().unwrap());
            let found = retry_after(&headers, now).map(|wait| wait.as_secs());
            assert_eq!(found, expected, "{text:?}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }

    #[test]
    fn delays_grow_to_their_limit_and_end() {
        let policy = RetryPolicy {
            retries: 4,
            first_delay: Duration::from_millis(100),
            longest_delay: Duration::from_millis(300),
            seed: 1,
            ..RetryPolicy::default()
        };
        let delays: Vec<_> = policy.delays(3).collect();
        assert_eq!(delays.len(), 4);
        assert_eq!(delays, policy.delays(3).collect::<Vec<_>>());
        assert_ne!(delays, policy.delays(4).collect::<Vec<_>>());
        assert!(
            delays
                .iter()
                .all(|delay| (100..=600).contains(&delay.as_millis())),
            "{delays:?}"
        );
    }
}
