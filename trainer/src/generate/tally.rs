//! What became of candidates, by generator, type and language (paper "hard negatives", Table 9 and
//! appendix A).

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;
use serde_json::{Value, json};

use crate::panel::Roll;
use crate::rows::Manifest;

/// Stands for the type where a text fulfils the contract of none.
const NO_TYPE: &str = "any";

/// The fate of candidates of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Cell {
    /// Rows that were written.
    pub kept: u64,
    /// Candidates that were not, by reason.
    pub rejected: BTreeMap<String, u64>,
}

impl Cell {
    /// Candidates that were asked for.
    #[must_use]
    pub fn asked(&self) -> u64 {
        self.kept + self.rejected.values().sum::<u64>()
    }

    fn add(&mut self, other: &Self) {
        self.kept += other.kept;
        for (reason, count) in &other.rejected {
            *self.rejected.entry(reason.clone()).or_default() += count;
        }
    }
}

/// All counts of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    cells: BTreeMap<(String, String, String), Cell>,
    /// Contexts read.
    pub contexts: u64,
    /// Contexts that did not parse in time.
    pub unparsed: u64,
    /// Questions that showed less than the row holds.
    pub shortened: u64,
    /// Who answered, and what nobody was asked.
    pub roll: Roll,
}

impl Tally {
    /// Counts one candidate.
    pub fn count(
        &mut self,
        generator: &str,
        kind: Option<&str>,
        language: &str,
        rejected: Option<&str>,
    ) {
        let kind = kind.unwrap_or(NO_TYPE).to_owned();
        let key = (generator.to_owned(), kind, language.to_owned());
        let cell = self.cells.entry(key).or_default();
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

    fn by(&self, key: impl Fn(&(String, String, String)) -> (String, String)) -> Rows {
        let mut rows = Rows::new();
        for (of, cell) in &self.cells {
            rows.entry(key(of)).or_default().add(cell);
        }
        rows
    }

    /// Puts counts and tables into a manifest.
    pub fn write_into(&self, manifest: &mut Manifest) {
        manifest.count("contexts", self.contexts);
        manifest.count("contexts_unparsed", self.unparsed);
        manifest.count("questions_shortened", self.shortened);
        manifest.count("kept", self.kept());
        let by_type = self.by(|(generator, kind, _)| (generator.clone(), kind.clone()));
        for ((generator, kind), cell) in &by_type {
            manifest.count(format!("asked.{generator}.{kind}"), cell.asked());
            manifest.count(format!("kept.{generator}.{kind}"), cell.kept);
            for (reason, count) in &cell.rejected {
                manifest.count(format!("rejected.{generator}.{kind}.{reason}"), *count);
            }
        }
        let by_language = self.by(|(generator, _, language)| (generator.clone(), language.clone()));
        let table = |rows: &Rows, column: &str| -> Value {
            let row = |((generator, name), cell): (&(String, String), &Cell)| {
                json!({"generator": generator, column: name, "asked": cell.asked(),
                       "kept": cell.kept, "rejected": cell.rejected})
            };
            rows.iter().map(row).collect()
        };
        let tables = [
            ("generators_by_type", table(&by_type, "type")),
            ("generators_by_language", table(&by_language, "language")),
        ];
        for (name, table) in tables {
            manifest.tables.insert(name.to_owned(), table);
        }
    }

    /// The table for people: kept rows by generator and type, then why others were not kept.
    #[must_use]
    pub fn show(&self) -> String {
        let mut text = format!(
            "{:<20} {:<20} {:>9} {:>9} {:>7}  rejected\n",
            "generator", "type", "asked", "kept", "share"
        );
        let rows = self.by(|(generator, kind, _)| (generator.clone(), kind.clone()));
        for ((generator, kind), cell) in &rows {
            let asked = cell.asked();
            let share = 100.0 * cell.kept as f64 / asked.max(1) as f64;
            let mut reasons: Vec<_> = cell.rejected.iter().collect();
            reasons.sort_by_key(|(reason, count)| (std::cmp::Reverse(**count), (*reason).clone()));
            let reasons: Vec<String> = reasons
                .iter()
                .map(|(reason, count)| format!("{reason} {count}"))
                .collect();
            // Writing into a string cannot fail.
            let _ = writeln!(
                text,
                "{generator:<20} {kind:<20} {asked:>9} {:>9} {share:>6.1}%  {}",
                cell.kept,
                reasons.join(", ")
            );
        }
        text
    }
}

type Rows = BTreeMap<(String, String), Cell>;
