//! Progress on standard error: a bar on a terminal, else a line now and then.

use std::io::{IsTerminal, Write};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Time between two lines where there is no terminal.
const BETWEEN_LINES: Duration = Duration::from_secs(30);

/// A step's progress.
pub struct Progress {
    step: &'static str,
    bar: Option<ProgressBar>,
    state: Mutex<State>,
}

struct State {
    began: Instant,
    told: Instant,
    total: u64,
    /// The line that would be told now.
    line: String,
}

impl Progress {
    /// Progress of a step whose total is not known yet.
    #[must_use]
    pub fn new(step: &'static str) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            let style = "{prefix} {wide_bar} {pos}/{len} {per_sec} ETA {eta} · {msg}";
            if let Ok(style) = ProgressStyle::with_template(style) {
                bar.set_style(style);
            }
            bar.with_prefix(step)
        });
        let now = Instant::now();
        Self {
            step,
            bar,
            state: Mutex::new(State {
                began: now,
                told: now,
                total: 0,
                line: String::new(),
            }),
        }
    }

    /// How much there is to do; time is counted from here.
    pub fn total(&self, total: u64) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.total = total;
        state.began = Instant::now();
        if let Some(bar) = &self.bar {
            bar.set_length(total);
            bar.reset_elapsed();
        }
    }

    /// A sentence about what happens.
    pub fn tell(&self, sentence: &str) {
        match &self.bar {
            Some(bar) => bar.set_message(sentence.to_owned()),
            None => self.line(sentence),
        }
    }

    /// `done` of the total are done.
    pub fn at(&self, done: u64, figures: &str) {
        if let Some(bar) = &self.bar {
            bar.set_position(done);
            bar.set_message(figures.to_owned());
            return;
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let rate = done as f64 / state.began.elapsed().as_secs_f64().max(0.001);
        let left = state.total.saturating_sub(done) as f64 / rate.max(0.001);
        state.line = format!(
            "{done} of {} ({rate:.2} a second, about {left:.0} s left), {figures}",
            state.total
        );
        if state.told.elapsed() >= BETWEEN_LINES {
            state.told = Instant::now();
            self.line(&std::mem::take(&mut state.line));
        }
    }

    /// Takes the bar away, or tells how far it came.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !state.line.is_empty() {
            self.line(&std::mem::take(&mut state.line));
        }
    }

    fn line(&self, sentence: &str) {
        // Nobody may be listening.
        let _ = writeln!(std::io::stderr(), "{}: {sentence}", self.step);
    }
}
