//! How many judges the training pairs fooled: the table `fool_rate` of a curated set.

use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Deserialize;

use super::{Chart, WIDTH};
use crate::chart::{Axis, Svg, short, ticks};
use crate::report::grid::percent;

/// The table, as `curate` writes it.
#[derive(Clone, Debug)]
pub struct FoolRate(Vec<Line>);

#[derive(Deserialize)]
struct Manifest {
    tables: Tables,
}

#[derive(Deserialize)]
struct Tables {
    fool_rate: Vec<Line>,
}

/// Pairs that fooled so many judges.
#[derive(Clone, Debug, Deserialize)]
struct Line {
    #[serde(rename = "judges fooled")]
    fooled: String,
    band: Option<String>,
    pairs: u64,
}

impl Line {
    fn is_judged(&self) -> bool {
        self.fooled.contains('/')
    }
}

impl FoolRate {
    /// Reads a manifest of `curate`.
    ///
    /// # Errors
    /// A file that cannot be read, or has no such table.
    pub fn read(path: &Path) -> Result<Self> {
        let shown = path.display();
        let text = std::fs::read(path).with_context(|| format!("{shown}: cannot be read"))?;
        let found: Manifest = serde_json::from_slice(&text).with_context(|| {
            format!(
                "{shown}: expected the table `fool_rate` of the `curated.manifest.json` that \
                 `truefill-trainer curate` wrote"
            )
        })?;
        Ok(Self(found.tables.fool_rate))
    }

    /// A bar for each number of judges; nothing where no pair was judged.
    pub fn chart(&self) -> Option<Chart> {
        let judged = self.0.iter().filter(|line| line.is_judged());
        let judged: u64 = judged.map(|line| line.pairs).sum();
        if judged == 0 {
            return None;
        }
        let all: u64 = self.0.iter().map(|line| line.pairs).sum();
        let title = "Training pairs by the judges that they fooled".to_owned();
        let sentence = format!("{judged} of {all} pairs were judged; {}.", self.most(all));
        let svg = self.drawing(&title, all);
        Some(Chart::single(title, sentence, svg, Vec::new()))
    }

    /// What is most frequent among the pairs that were judged; ties are all named.
    fn most(&self, all: u64) -> String {
        let judged = || self.0.iter().filter(|line| line.is_judged());
        let most = judged().map(|line| line.pairs).max().unwrap_or(0);
        let names = judged().filter(|line| line.pairs == most);
        let names: Vec<&str> = names.map(|line| &*line.fooled).collect();
        let share = percent(most as f64 / all as f64);
        match &*names {
            [one] => format!(
                "{most} of them, {share} % of all, fooled {one} judges, more than any other number"
            ),
            several => format!(
                "{most} each, {share} % of all, fooled {} judges, more than any other number",
                several.join(" and ")
            ),
        }
    }

    fn drawing(&self, title: &str, all: u64) -> String {
        let share = |line: &Line| line.pairs as f64 / all as f64 * 100.0;
        let most = self.0.iter().map(share).fold(1.0, f64::max);
        let axis = Axis {
            range: [0.0, most],
            places: [150.0, WIDTH - 112.0],
        };
        let (step, start) = (22.0, axis.places[0]);
        let height = 4.0 + self.0.len() as f64 * step;
        let mut svg = Svg::new(WIDTH);
        for value in ticks(0.0, most, 4) {
            let x = axis.at(value);
            svg.line([x, 4.0], [x, height], "grid");
            svg.text(x, height + 14.0, "middle", &short(value));
        }
        for (at, line) in self.0.iter().enumerate() {
            let y = 8.0 + at as f64 * step;
            let band = line.band.as_ref();
            let name = band.map_or(line.fooled.clone(), |band| {
                format!("{} ({band})", line.fooled)
            });
            svg.text(start - 6.0, y + 11.0, "end", &name);
            let said = format!("{} pairs", line.pairs);
            let wide = axis.at(share(line)) - start;
            svg.bar([start, y], [wide, 14.0], "c0", &said);
            let number = format!("{:.1} % ({})", share(line), line.pairs);
            svg.text(WIDTH - 2.0, y + 11.0, "end", &number);
        }
        svg.text(
            WIDTH / 2.0,
            height + 32.0,
            "middle",
            "percent of the training pairs (pairs)",
        );
        svg.finish(height + 40.0, title)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(lines: &[(&str, u64)]) -> Option<String> {
        let line = |(fooled, pairs): &(&str, u64)| Line {
            fooled: (*fooled).to_owned(),
            band: None,
            pairs: *pairs,
        };
        let chart = FoolRate(lines.iter().map(line).collect()).chart()?;
        Some(chart.panels[0].sentence.clone())
    }

    #[test]
    fn what_is_most_frequent_is_of_pairs_that_were_judged() {
        let one = said(&[("0 / 3", 10), ("3 / 3", 30), ("no verdict", 60)]);
        assert_eq!(
            one.expect("a chart"),
            "40 of 100 pairs were judged; 30 of them, 30.0 % of all, fooled 3 / 3 judges, more than any other \
             number."
        );
        let tie = said(&[("0 / 3", 20), ("1 / 3", 10), ("3 / 3", 20)]);
        assert_eq!(
            tie.expect("a chart"),
            "50 of 50 pairs were judged; 20 each, 40.0 % of all, fooled 0 / 3 and 3 / 3 judges, more than any \
             other number."
        );
        assert_eq!(said(&[("no verdict", 4)]), None);
    }
}
