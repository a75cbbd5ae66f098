//! Progress on stderr: a bar on a terminal, one line a step anywhere else.

use std::io::Write;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// Shows how one step goes on.
pub(super) struct Meter {
    bar: ProgressBar,
}

impl Meter {
    /// Begins a step, of as many bytes where that is known.
    pub(super) fn start(
        what: &str,
        bytes: Option<u64>,
        bars: bool,
        err: &mut dyn Write,
    ) -> std::io::Result<Self> {
        if !bars {
            writeln!(err, "{what}")?;
            return Ok(Self {
                bar: ProgressBar::hidden(),
            });
        }
        let bar = match bytes {
            Some(bytes) => ProgressBar::new(bytes),
            None => ProgressBar::new_spinner(),
        };
        bar.set_style(style(bytes.is_some()));
        bar.set_message(what.to_owned());
        bar.enable_steady_tick(Duration::from_millis(100));
        Ok(Self { bar })
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
    }

    /// Tells that so many more bytes are done.
    pub(super) fn add(&self, bytes: u64) {
        self.bar.inc(bytes);
    }
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
