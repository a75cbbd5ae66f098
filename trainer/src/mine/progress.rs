//! How far a run is: a bar on a terminal, else a line now and then. On stderr, never in results.

use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Seconds between two lines.
const BETWEEN: Duration = Duration::from_secs(10);

/// Shows how far a run is.
pub enum Progress {
    /// Nothing, as in tests.
    Silent,
    /// A bar.
    Bar(ProgressBar),
    /// Lines.
    Lines(Mutex<Option<Instant>>),
}

impl Progress {
    /// A bar where stderr is a terminal, else lines.
    pub fn on_stderr() -> Self {
        if !std::io::stderr().is_terminal() {
            return Self::Lines(Mutex::new(None));
        }
        let bar = ProgressBar::new(0);
        let style = ProgressStyle::with_template(
            "{prefix} {bar:30} {pos}/{len} sources, {msg} [{elapsed}, {eta} left]",
        );
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self::Bar(bar)
    }

    /// Begins a part of the run with so many sources.
    pub fn begin(&self, name: &'static str, sources: usize) {
        match self {
            Self::Silent => {}
            Self::Bar(bar) => {
                bar.reset();
                bar.set_prefix(name);
                bar.set_length(sources as u64);
            }
            Self::Lines(_) => tell(&format!("{name}: {sources} sources")),
        }
    }

    /// So many sources are done; `what` says how much was found.
    pub fn at(&self, done: usize, what: &str) {
        match self {
            Self::Silent => {}
            Self::Bar(bar) => {
                bar.set_position(done as u64);
                bar.set_message(what.to_owned());
            }
            Self::Lines(last) => {
                let mut last = last.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
                let start = *last.get_or_insert_with(Instant::now);
                if start.elapsed() >= BETWEEN {
                    *last = Some(Instant::now());
                    tell(&format!("  {done} sources, {what}"));
                }
            }
        }
    }

    /// Says a sentence, above the bar.
    pub fn say(&self, sentence: &str) {
        match self {
            Self::Silent => {}
            Self::Bar(bar) => bar.suspend(|| tell(sentence)),
            Self::Lines(_) => tell(sentence),
        }
    }

    /// Takes the bar away.
    pub fn end(&self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}

fn tell(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
