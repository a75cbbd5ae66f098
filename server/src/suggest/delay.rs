//! How long an automatic request waits before the model is asked.
//!
//! The delay grows with the time between keys and shrinks with the time the
//! model takes, so that a suggestion comes about when the user pauses. It is
//! shorter where a pause is likelier: after a mark, at the end of a line, at
//! the end of the document.

use std::time::Duration;

/// Bounds of the delay, from the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The shortest delay.
    pub shortest: Duration,
    /// The longest delay.
    pub longest: Duration,
}

/// The typed key and the place of the cursor after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Site<'a> {
    /// The text before the cursor; its last character is looked at.
    pub before: &'a str,
    /// The text after the cursor; its first line is looked at, and whether more than space follows.
    pub after: &'a str,
    /// Whether the last edit took text away and added none.
    pub after_deletion: bool,
}

/// What to do with an automatic request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delay {
    /// Ask once nothing more was typed for so long.
    Wait(Duration),
    /// Do not ask.
    Never(Quiet),
}

/// Why an automatic request is not asked at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Quiet {
    /// The last edit was a deletion.
    AfterDeletion,
    /// The cursor stands in a word that goes on after it.
    InsideWord,
}

/// A moving mean in which the newest value weighs [`NEWEST`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Mean(Option<f64>);

/// Weight of the newest value.
const NEWEST: f64 = 0.25;

impl Mean {
    /// Takes a value in.
    pub fn add(&mut self, value: Duration) {
        let value = value.as_secs_f64();
        let mean = self.0.unwrap_or(value);
        self.0 = Some(mean + NEWEST * (value - mean));
    }

    /// The mean; `None` before the first value.
    pub fn get(&self) -> Option<Duration> {
        self.0
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
    }
}

/// How many intervals between keys to wait where no pause is expected.
const SLOWEST_RATE: f64 = 3.0;

/// How many less where everything speaks for a pause.
const RATE_SPAN: f64 = 1.5;

/// The interval before any was measured: a fluent typist's.
const USUAL_INTERVAL: Duration = Duration::from_millis(150);

/// The delay of an automatic request.
///
/// `interval` is the mean time between keys, `latency` the mean time from
/// asking the model to its answer; `None` where none was measured.
pub fn delay(
    site: &Site<'_>,
    interval: Option<Duration>,
    latency: Option<Duration>,
    bounds: Bounds,
) -> Delay {
    if site.after_deletion {
        return Delay::Never(Quiet::AfterDeletion);
    }
    if site.is_inside_word() {
        return Delay::Never(Quiet::InsideWord);
    }
    let rate = SLOWEST_RATE - RATE_SPAN * site.score();
    let interval = interval.unwrap_or(USUAL_INTERVAL).min(bounds.longest);
    let wait = interval
        .mul_f64(rate)
        .saturating_sub(latency.unwrap_or_default());
    let longest = bounds.longest.max(bounds.shortest);
    Delay::Wait(wait.clamp(bounds.shortest, longest))
}

impl Site<'_> {
    /// How likely a pause is, 0 to 1.
    fn score(&self) -> f64 {
        let mark = !self
            .before
            .chars()
            .next_back()
            .is_some_and(super::lines::is_word);
        let line_end = super::lines::first(self.after).trim().is_empty();
        let document_end = line_end && self.after.trim().is_empty();
        0.5 * f64::from(mark) + 0.4 * f64::from(line_end) + 0.1 * f64::from(document_end)
    }

    fn is_inside_word(&self) -> bool {
        self.after.chars().next().is_some_and(super::lines::is_word)
            && self
                .before
                .chars()
                .next_back()
                .is_some_and(super::lines::is_word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds {
        shortest: Duration::from_millis(50),
        longest: Duration::from_millis(1000),
    };

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn at<'a>(before: &'a str, after: &'a str) -> Site<'a> {
        Site {
            before,
            after,
            after_deletion: false,
        }
    }

    #[test]
    fn the_likelier_a_pause_the_shorter_the_delay() {
        let table = [
            (at("x", " y"), 300),
            (at("x.", " y"), 225),
            (at("x", "\ny"), 240),
            (at("x.", "\ny"), 165),
            (at("x.", ""), 150),
            (at("x.", "\n \n"), 150),
        ];
        for (site, expected) in table {
            let found = delay(&site, Some(ms(100)), None, BOUNDS);
            assert_eq!(found, Delay::Wait(ms(expected)), "{site:?}");
        }
    }

    #[test]
    fn latency_is_taken_off_within_bounds() {
        let site = at("x.", "");
        let wait = |interval, latency| delay(&site, Some(ms(interval)), latency, BOUNDS);
        assert_eq!(wait(200, Some(ms(100))), Delay::Wait(ms(200)));
        assert_eq!(wait(100, Some(ms(400))), Delay::Wait(ms(50)));
        assert_eq!(wait(5000, None), Delay::Wait(ms(1000)));
        assert_eq!(delay(&site, None, None, BOUNDS), Delay::Wait(ms(225)));
    }

    #[test]
    fn quiet_after_a_deletion_and_inside_a_word() {
        let deleted = Site {
            after_deletion: true,
            ..at("x.", "")
        };
        assert_eq!(
            delay(&deleted, None, None, BOUNDS),
            Delay::Never(Quiet::AfterDeletion)
        );
        let never = Delay::Never(Quiet::InsideWord);
        assert_eq!(delay(&at("fo", "o"), None, None, BOUNDS), never);
        assert_eq!(delay(&at("é", "é"), None, None, BOUNDS), never);
        assert!(matches!(
            delay(&at("(", "o"), None, None, BOUNDS),
            Delay::Wait(_)
        ));
    }

    #[test]
    fn the_mean_follows_new_values() {
        let mut mean = Mean::default();
        assert_eq!(mean.get(), None);
        mean.add(ms(100));
        assert_eq!(mean.get(), Some(ms(100)));
        mean.add(ms(200));
        assert_eq!(mean.get(), Some(ms(125)));
    }
}
