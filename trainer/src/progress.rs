//! Progress on standard error: a bar on a terminal, else a line now and then. Never in results.

use std::io::{IsTerminal, Write};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Time between two lines where there is no terminal.
const BETWEEN_LINES: Duration = Duration::from_secs(30);

/// A part that nobody finished by name leaves no line if it took less.
const WORTH_TELLING: Duration = Duration::from_secs(1);

/// How a bar looks whose end is known, and one whose end is not.
const KNOWN: &str = "{prefix} {wide_bar} {human_pos}/{human_len} {per_sec}, {eta} left · {msg}";
const UNKNOWN: &str = "{prefix} {spinner} {human_pos}, {per_sec} · {msg}";

/// A step's progress.
pub struct Progress {
    shown: Shown,
    state: Mutex<State>,
}

enum Shown {
    Nothing,
    Lines,
    Bar(ProgressBar),
}

struct State {
    part: &'static str,
    began: Instant,
    told: Instant,
    /// What was done before it began.
    from: u64,
    done: u64,
    total: Option<u64>,
    /// The sentence that would be told now.
    untold: Option<String>,
}

impl Progress {
    /// Progress of a step whose total is not known yet.
    #[must_use]
    pub fn new(step: &'static str) -> Self {
        Self::start(step, None)
    }

    /// Shows nothing, as in tests.
    #[must_use]
    pub fn silent() -> Self {
        Self::with(Shown::Nothing, "")
    }

    /// Progress of a step over `total` rows, where that is known.
    #[must_use]
    pub fn start(step: &'static str, total: Option<u64>) -> Self {
        let shown = match std::io::stderr().is_terminal() {
            false => Shown::Lines,
            true => Shown::Bar(ProgressBar::with_draw_target(
                None,
                ProgressDrawTarget::stderr(),
            )),
        };
        let progress = Self::with(shown, step);
        progress.begin(step, total);
        progress
    }

    fn with(shown: Shown, part: &'static str) -> Self {
        let now = Instant::now();
        let state = State {
            part,
            began: now,
            told: now,
            from: 0,
            done: 0,
            total: None,
            untold: None,
        };
        Self {
            shown,
            state: Mutex::new(state),
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a part of the step, with its total where that is known.
    pub fn begin(&self, part: &'static str, total: Option<u64>) {
        self.begin_at(part, total, 0);
    }

    /// Begins a part of which `from` were done earlier: rates count what is done from now on.
    pub fn begin_at(&self, part: &'static str, total: Option<u64>, from: u64) {
        let now = Instant::now();
        let mut state = self.state();
        *state = State {
            part,
            began: now,
            told: now,
            from,
            done: from,
            total,
            untold: None,
        };
        if let Shown::Bar(bar) = &self.shown {
            let template = if total.is_some() { KNOWN } else { UNKNOWN };
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style);
            }
            bar.reset();
            bar.set_prefix(part);
            match total {
                Some(total) => bar.set_length(total),
                None => bar.unset_length(),
            }
            bar.set_position(from);
            bar.reset_eta();
        }
    }

    /// How much there is to do; time is counted from here.
    pub fn total(&self, total: u64) {
        let part = self.state().part;
        self.begin(part, Some(total));
    }

    /// A sentence about what happens, beside the bar.
    pub fn tell(&self, sentence: &str) {
        match &self.shown {
            Shown::Nothing => {}
            Shown::Bar(bar) => bar.set_message(sentence.to_owned()),
            Shown::Lines => line(self.state().part, sentence),
        }
    }

    /// A sentence that stays, above the bar.
    pub fn say(&self, sentence: &str) {
        match &self.shown {
            Shown::Nothing => {}
            Shown::Bar(bar) => bar.suspend(|| line(self.state().part, sentence)),
            Shown::Lines => line(self.state().part, sentence),
        }
    }

    /// So many more are done.
    pub fn add(&self, more: u64) {
        let done = self.state().done + more;
        self.at(done, "");
    }

    /// `done` of the total are done.
    pub fn at(&self, done: u64, figures: &str) {
        let mut state = self.state();
        state.done = done;
        match &self.shown {
            Shown::Nothing => {}
            Shown::Bar(bar) => {
                bar.set_position(done);
                bar.set_message(figures.to_owned());
            }
            Shown::Lines if state.told.elapsed() >= BETWEEN_LINES => {
                state.told = Instant::now();
                state.untold = None;
                line(state.part, &state.sentence(figures));
            }
            Shown::Lines => state.untold = Some(state.sentence(figures)),
        }
    }

    /// Takes the bar away, or tells how far it came.
    pub fn finish(&self) {
        self.end(Duration::ZERO);
    }

    fn end(&self, worth_telling: Duration) {
        if let Shown::Bar(bar) = &self.shown {
            bar.finish_and_clear();
        }
        let mut state = self.state();
        let untold = state.untold.take();
        if let Some(sentence) = untold.filter(|_| state.began.elapsed() >= worth_telling) {
            line(state.part, &sentence);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end(WORTH_TELLING);
    }
}

impl State {
    /// How far it is, how fast what was begun here goes, and how long it will still take.
    fn sentence(&self, figures: &str) -> String {
        self.sentence_after(self.began.elapsed(), figures)
    }

    fn sentence_after(&self, time: Duration, figures: &str) -> String {
        let done = self.done.saturating_sub(self.from) as f64;
        let rate = done / time.as_secs_f64().max(0.001);
        let pace = match rate {
            0.0 => "nothing yet".to_owned(),
            ..0.1 => format!("{:.0} s each", 1.0 / rate),
            _ => format!("{rate:.1} a second"),
        };
        let mut sentence = match self.total {
            None => format!("{} ({pace})", self.done),
            Some(total) if rate > 0.0 => {
                let left = total.saturating_sub(self.done) as f64 / rate;
                format!("{} of {total} ({pace}, about {left:.0} s left)", self.done)
            }
            Some(total) => format!("{} of {total} ({pace})", self.done),
        };
        if !figures.is_empty() {
            sentence.push_str(", ");
            sentence.push_str(figures);
        }
        sentence
    }
}

fn line(part: &str, sentence: &str) {
    // Nobody may be listening.
    let _ = writeln!(std::io::stderr(), "{part}: {sentence}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pace_and_time_left_are_of_what_was_begun_here() {
        let sentence = |from, done, total, seconds| {
            let progress = Progress::silent();
            progress.begin_at("training", total, from);
            progress.at(done, "");
            let state = progress.state();
            state.sentence_after(Duration::from_secs(seconds), "loss 2.0")
        };
        for (from, done, total, seconds, expected) in [
            (
                0,
                50,
                Some(200),
                10,
                "50 of 200 (5.0 a second, about 30 s left), loss 2.0",
            ),
            // What was done earlier took none of this time.
            (
                100,
                110,
                Some(200),
                20,
                "110 of 200 (0.5 a second, about 180 s left), loss 2.0",
            ),
            (
                0,
                4,
                Some(10),
                80,
                "4 of 10 (20 s each, about 120 s left), loss 2.0",
            ),
            (7, 7, Some(10), 80, "7 of 10 (nothing yet), loss 2.0"),
            (0, 30, None, 10, "30 (3.0 a second), loss 2.0"),
        ] {
            assert_eq!(sentence(from, done, total, seconds), expected);
        }
    }
}
