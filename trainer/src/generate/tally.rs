//! What became of candidates, by generator, type and language (paper "hard negatives", Table 9 and
//! appendix A).

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::panel::Roll;
use crate::rows::Manifest;
use crate::stats::Share;
use crate::table::{Cell as Shown, Table};

/// Stands for the type where a text fulfils the contract of none.
pub(super) const NO_TYPE: &str = "any";

/// Stands for all types, or all languages.
const ALL: &str = "all";

/// The fate of candidates of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    /// Candidates that a generator gave, good or not.
    pub replies: u64,
    /// Rows that were written.
    pub kept: u64,
    /// Candidates that were not, by reason; some of them nobody was asked for.
    pub rejected: BTreeMap<String, u64>,
}

impl Cell {
    /// Candidates that there could have been.
    #[must_use]
    pub fn candidates(&self) -> u64 {
        self.kept + self.rejected.values().sum::<u64>()
    }

    fn add(&mut self, other: &Self) {
        self.replies += other.replies;
        self.kept += other.kept;
        for (reason, count) in &other.rejected {
            *self.rejected.entry(reason.clone()).or_default() += count;
        }
    }

    /// Why candidates were not kept, the most frequent reason first.
    fn reasons(&self) -> String {
        let mut reasons: Vec<_> = self.rejected.iter().collect();
        reasons.sort_by_key(|(reason, count)| (std::cmp::Reverse(**count), (*reason).clone()));
        let reasons = reasons.iter();
        let told = reasons.map(|(reason, count)| format!("{reason} {count}"));
        told.collect::<Vec<_>>().join(", ")
    }
}

/// Generator, type and language.
type Key = [String; 3];

/// All counts of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub(super) cells: BTreeMap<Key, Cell>,
    /// Contexts read.
    pub contexts: u64,
    /// Contexts that did not parse in time.
    pub unparsed: u64,
    /// Contexts whose work ended in a mistake of this program.
    pub panicked: u64,
    /// Questions that showed less than the row holds.
    pub shortened: u64,
    /// Who answered, and what nobody was asked.
    pub roll: Roll,
}

impl Tally {
    /// Counts one candidate of a generator, a type and a language.
    pub fn count(&mut self, key: [&str; 3], replied: bool, rejected: Option<&str>) {
        let cell = self.cells.entry(key.map(str::to_owned)).or_default();
        cell.replies += u64::from(replied);
        match rejected {
            None => cell.kept += 1,
            Some(reason) => *cell.rejected.entry(reason.to_owned()).or_default() += 1,
        }
    }

    /// Adds the counts of another.
    pub fn merge(&mut self, other: Self) {
        for (key, cell) in other.cells {
            self.cells.entry(key).or_default().add(&cell);
        }
        self.contexts += other.contexts;
        self.unparsed += other.unparsed;
        self.panicked += other.panicked;
        self.shortened += other.shortened;
    }

    /// Rows that were written.
    #[must_use]
    pub fn kept(&self) -> u64 {
        self.cells.values().map(|cell| cell.kept).sum()
    }

    /// Candidates that got no answer and will be asked for again.
    #[must_use]
    pub fn unanswered(&self) -> u64 {
        let counts = self.cells.values();
        counts
            .filter_map(|cell| cell.rejected.get("no_answer"))
            .sum()
    }

    /// Puts counts and tables into a manifest.
    pub fn write_into(&self, manifest: &mut Manifest) {
        manifest.count("contexts", self.contexts);
        manifest.count("contexts_unparsed", self.unparsed);
        manifest.count("contexts_panicked", self.panicked);
        manifest.count("questions_shortened", self.shortened);
        manifest.count("kept", self.kept());
        for ([generator, kind, _], cell) in &self.cells {
            let mut count = |what: &str, count| {
                manifest.count(format!("{what}.{generator}.{kind}"), count);
            };
            count("candidates", cell.candidates());
            count("replies", cell.replies);
            count("kept", cell.kept);
            for (reason, count) in &cell.rejected {
                manifest.count(format!("rejected.{generator}.{kind}.{reason}"), *count);
            }
        }
        for (name, table) in [
            ("generators_by_type", self.by_type()),
            ("generators_by_language", self.by("language", 2)),
            ("rejections", self.rejections()),
        ] {
            manifest.tables.insert(name.to_owned(), table.to_json());
        }
    }

    /// The table for people: kept rows by generator and type, then why others were not kept.
    #[must_use]
    pub fn show(&self) -> String {
        let mut text = self.by_type().to_text();
        if self.panicked > 0 {
            // Writing into a string cannot fail.
            let _ = writeln!(
                text,
                "\n{} contexts have no rows because of a mistake in this program, which is told above",
                self.panicked
            );
        }
        text
    }

    fn by_type(&self) -> Table {
        self.by("type", 1)
    }

    /// By generator and one more part of the key.
    fn by(&self, column: &'static str, at: usize) -> Table {
        let mut generators: BTreeMap<&str, BTreeMap<&str, Cell>> = BTreeMap::new();
        for (key, cell) in &self.cells {
            let cells = generators.entry(&key[0]).or_default();
            cells.entry(&key[at]).or_default().add(cell);
        }
        let columns = [
            "generator",
            column,
            "candidates",
            "replies",
            "kept",
            "rejected",
        ];
        let mut table = Table::new(format!("Candidates by generator and {column}"), &columns);
        for (generator, cells) in generators {
            // A sample that is kept has a type, and one that is not may have none: only the sum says
            // what share of them is kept.
            let untold = cells.contains_key(NO_TYPE);
            let mut all = Cell::default();
            cells.values().for_each(|cell| all.add(cell));
            let sum = (cells.len() > 1).then_some((ALL, all));
            for (name, cell) in cells.into_iter().chain(sum) {
                let kept = Share {
                    part: cell.kept,
                    of: cell.replies,
                };
                let kept = if untold && name != ALL {
                    cell.kept.into()
                } else {
                    Shown::Part(kept)
                };
                table.row([
                    generator.into(),
                    name.into(),
                    cell.candidates().into(),
                    cell.replies.into(),
                    kept,
                    cell.reasons().into(),
                ]);
            }
        }
        table
    }

    fn rejections(&self) -> Table {
        let columns = ["generator", "type", "language", "reason", "candidates"];
        let mut table = Table::new("Candidates that were not kept", &columns);
        for ([generator, kind, language], cell) in &self.cells {
            for (reason, count) in &cell.rejected {
                let key = [generator, kind, language, reason];
                let mut row: Vec<Shown> = key.map(|part| part.clone().into()).into();
                row.push((*count).into());
                table.row(row);
            }
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_says_how_many_samples_are_kept() {
        let mut tally = Tally::default();
        tally.count(["local", NO_TYPE, "rust"], true, Some("lines"));
        tally.count(["local", NO_TYPE, "go"], true, Some("lines"));
        tally.count(["local", "import", "rust"], true, None);
        tally.count(["mutate", "import", "rust"], false, Some("no_site"));
        let text = tally.show();
        let shares: Vec<[&str; 5]> = text
            .lines()
            .filter_map(|line| {
                line.split_whitespace()
                    .collect::<Vec<_>>()
                    .first_chunk()
                    .copied()
            })
            .collect();
        assert!(
            shares.contains(&["local", "all", "3", "3", "33.3"]),
            "{text}"
        );
        let import = text
            .lines()
            .find(|line| line.contains("local") && line.contains("import"));
        assert!(import.is_some_and(|line| !line.contains('%')), "{text}");
        assert!(
            !shares.iter().any(|row| row[..2] == ["mutate", "all"]),
            "{text}"
        );
    }
}
