//! How far a step is: a bar on a terminal, a line now and then anywhere else.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Between two lines where there is no terminal.
const BETWEEN_LINES: Duration = Duration::from_secs(30);

/// One step's progress, on stderr.
pub struct Progress {
    bar: ProgressBar,
    what: &'static str,
    lines: bool,
    last_line: Instant,
}

impl Progress {
    /// Begins a step over `total` rows, where that is known.
    pub fn start(what: &'static str, total: Option<u64>) -> Self {
        let lines = !std::io::stderr().is_terminal();
        let bar = match (lines, total) {
            (true, _) => ProgressBar::hidden(),
            (false, Some(total)) => ProgressBar::new(total),
            (false, None) => ProgressBar::new_spinner(),
        };
        let template = match total {
            Some(_) => "{msg} {wide_bar} {human_pos}/{human_len} {per_sec}, {eta} left",
            None => "{msg} {spinner} {human_pos} rows, {per_sec}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(what);
        if let (true, Some(total)) = (lines, total) {
            bar.set_length(total);
        }
        Self {
            bar,
            what,
            lines,
            last_line: Instant::now(),
        }
    }

    /// So many more rows are done.
    pub fn add(&mut self, rows: u64) {
        self.bar.inc(rows);
        if self.lines && self.last_line.elapsed() >= BETWEEN_LINES {
            self.last_line = Instant::now();
            let of = self.bar.length().map(|total| format!(" of {total}"));
            let of = of.unwrap_or_default();
            // Nobody may be reading stderr.
            let _ = writeln!(
                std::io::stderr(),
                "{}: {}{of} rows",
                self.what,
                self.bar.position()
            );
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
