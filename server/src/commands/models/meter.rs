//! Progress on stderr: a bar on a terminal, one line a step anywhere else, or JSON for programs.

use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

/// How progress is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// A bar that is drawn over and over.
    Bars,
    /// A line for each step.
    Lines,
    /// JSON objects `{step, bytes, total}`, one a line.
    Json,
}

/// Bytes between two lines of JSON where nobody knows how many there will be.
const UNBOUNDED: u64 = 4 << 20;

/// Shows how one step goes on.
pub(super) struct Meter {
    bar: ProgressBar,
    json: Option<Told>,
}

/// What a program was told of a step.
struct Told {
    step: String,
    /// In hundredths of the whole, or pieces of [`UNBOUNDED`] bytes.
    part: AtomicU64,
}

impl Meter {
    /// Begins a step, of as many bytes where that is known.
    pub(super) fn start(
        what: &str,
        bytes: Option<u64>,
        look: Look,
        err: &mut dyn Write,
    ) -> std::io::Result<Self> {
        let bar = match (look, bytes) {
            (Look::Lines | Look::Json, _) => ProgressBar::hidden(),
            (Look::Bars, Some(bytes)) => ProgressBar::new(bytes),
            (Look::Bars, None) => ProgressBar::new_spinner(),
        };
        let json = (look == Look::Json).then(|| Told {
            step: what.to_owned(),
            part: AtomicU64::new(0),
        });
        match look {
            Look::Lines => writeln!(err, "{what}")?,
            Look::Json => writeln!(err, "{}", line(what, 0, bytes))?,
            Look::Bars => {
                bar.set_style(style(bytes.is_some()));
                bar.set_message(what.to_owned());
                bar.enable_steady_tick(Duration::from_millis(100));
            }
        }
        if let Some(bytes) = bytes {
            bar.set_length(bytes);
        }
        Ok(Self { bar, json })
    }

    /// Tells where it is.
    pub(super) fn set(&self, bytes: u64, total: Option<u64>) {
        if let Some(total) = total
            && self.bar.length() != Some(total)
        {
            self.bar.set_length(total);
            self.bar.set_style(style(true));
        }
        self.bar.set_position(bytes);
        self.tell(bytes);
    }

    /// Tells that so many more bytes are done.
    pub(super) fn add(&self, bytes: u64) {
        self.bar.inc(bytes);
        self.tell(self.bar.position());
    }

    fn tell(&self, bytes: u64) {
        let total = self.bar.length().filter(|total| *total > 0);
        let line = self.json.as_ref().and_then(|told| told.line(bytes, total));
        if let Some(line) = line {
            // Who does not listen any more misses nothing that matters.
            let _ = writeln!(std::io::stderr(), "{line}");
        }
    }
}

impl Told {
    /// What a program is told now, not more often than a hundred times where the end is known.
    fn line(&self, bytes: u64, total: Option<u64>) -> Option<Value> {
        let part = match total {
            Some(total) => u64::try_from(u128::from(bytes) * 100 / u128::from(total)).ok()?,
            None => bytes / UNBOUNDED,
        };
        let before = self.part.swap(part, Ordering::Relaxed);
        (before != part).then(|| line(&self.step, bytes, total))
    }
}

fn line(step: &str, bytes: u64, total: Option<u64>) -> Value {
    json!({ "step": step, "bytes": bytes, "total": total })
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn style(bounded: bool) -> ProgressStyle {
    let template = if bounded {
        "{msg} [{bar:30}] {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec} {eta}"
    } else {
        "{spinner} {msg} {elapsed}"
    };
    // The templates are the two above; a mistake in one costs the look and no more.
    let style = ProgressStyle::with_template(template);
    style
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(total: Option<u64>, end: u64) -> Vec<Value> {
        let told = Told {
            step: "fetching".to_owned(),
            part: AtomicU64::new(0),
        };
        let steps = (0..=end).step_by(1000).chain([end]);
        steps.filter_map(|bytes| told.line(bytes, total)).collect()
    }

    #[test]
    fn programs_are_told_a_hundred_times_and_of_the_end() {
        let known = lines(Some(98_765_432), 98_765_432);
        assert_eq!(known.len(), 100);
        assert_eq!(
            known.last(),
            Some(&json!({ "step": "fetching", "bytes": 98_765_432, "total": 98_765_432 }))
        );
        assert_eq!(lines(None, 98_765_432).len(), 23);
    }
}
