//! Counting verdicts: fool rates by row, error rates by judge.

use std::collections::BTreeMap;

use truefill_syntax::Language;

use super::ask::About;
use crate::rows::{HallucinationType, Subject, Verdict, VerdictKind};
use crate::stats::{Clustered, INTERVALS, Share};
use crate::table::{Cell, Table, Tables};

/// The paper's column "3/3": rows with a verdict missing say nothing about it.
const FOOLED_ALL: &str = "fooled the whole panel, of rows with all verdicts";

/// Verdicts so far. A negative's verdicts come one after the other.
#[derive(Debug, Default)]
pub struct Tally {
    rates: BTreeMap<VerdictKind, Rates>,
    judges: BTreeMap<(VerdictKind, String), Judge>,
    row: Option<Row>,
}

/// The negative whose verdicts are coming in.
#[derive(Debug)]
struct Row {
    id: String,
    kind: VerdictKind,
    about: About,
    /// Judges that were fooled, of those with a verdict.
    fooled: Share,
    /// A judge gave no verdict.
    missing: bool,
}

/// Fool rates by row.
#[derive(Debug, Default)]
struct Rates {
    /// Rows by judges fooled and judges with a verdict.
    rows: BTreeMap<(u64, u64), u64>,
    types: BTreeMap<HallucinationType, Group>,
    languages: BTreeMap<Language, Group>,
    all: Group,
}

/// Rows with at least one verdict.
#[derive(Debug, Default)]
struct Group {
    rows: u64,
    /// Sum of the rows' fool rates.
    sum: f64,
    /// Rows that fooled the whole panel, of those on which every judge gave a verdict.
    fooled_all: Clustered,
}

impl Group {
    fn add(&mut self, row: &Row) {
        let Some(rate) = row.fooled.value() else {
            return;
        };
        self.rows += 1;
        self.sum += rate;
        if !row.missing {
            let all = row.fooled.part == row.fooled.of;
            self.fooled_all.add(row.about.repository, all);
        }
    }

    fn mean(&self) -> Option<f64> {
        (self.rows > 0).then(|| self.sum / self.rows as f64)
    }
}

/// One judge.
#[derive(Debug, Default)]
struct Judge {
    /// Negatives called correct (or preferred), of those with a verdict.
    accepted_rejected: Clustered,
    /// Golden completions called wrong, of those with a verdict.
    refused_golden: Clustered,
    asked: u64,
    missing: BTreeMap<String, u64>,
}

impl Tally {
    /// Takes a verdict into account.
    pub fn add(&mut self, verdict: &Verdict, about: About) {
        let judge = (verdict.kind, verdict.judge.clone());
        let judge = self.judges.entry(judge).or_default();
        judge.add(verdict, about.repository);
        if verdict.subject == Subject::Golden {
            return;
        }
        let same = |row: &Row| row.id == verdict.row && row.kind == verdict.kind;
        if !self.row.as_ref().is_some_and(same) {
            self.close();
        }
        let row = self.row.get_or_insert_with(|| Row {
            id: verdict.row.clone(),
            kind: verdict.kind,
            about,
            fooled: Share::default(),
            missing: false,
        });
        match verdict.verdict {
            Some(score) => row.fooled.add(score == 1),
            None => row.missing = true,
        }
    }

    fn close(&mut self) {
        let Some(row) = self.row.take() else { return };
        let rates = self.rates.entry(row.kind).or_default();
        let key = (row.fooled.part, row.fooled.of);
        *rates.rows.entry(key).or_default() += 1;
        rates.types.entry(row.about.kind).or_default().add(&row);
        let language = rates.languages.entry(row.about.language).or_default();
        language.add(&row);
        rates.all.add(&row);
    }

    /// The tables, by their names in the manifest.
    pub fn tables(mut self) -> Tables {
        self.close();
        let mut tables = Vec::new();
        for (kind, rates) in &self.rates {
            let (name, title) = match kind {
                VerdictKind::Blind => ("fool_rate", "Fool rate, blind"),
                VerdictKind::Preference => ("preference_rate", "Preference for the negative"),
            };
            tables.push((name.to_owned(), rates.distribution(title)));
            tables.push((format!("{name}_by_type"), rates.by_type(title)));
            tables.push((format!("{name}_by_language"), rates.by_language(title)));
        }
        if !self.judges.is_empty() {
            tables.push(("judges".into(), self.judges()));
            tables.push(("missing_verdicts".into(), self.missing()));
        }
        tables
    }

    fn judges(&self) -> Table {
        let columns = [
            "judge",
            "kind",
            "asked",
            "missing",
            "false accepts",
            "false rejects",
        ];
        let mut table = Table::new(
            format!(
                "Judges: negatives accepted and golden completions refused, of those with a verdict \
                 ({INTERVALS})"
            ),
            &columns,
        );
        for ((kind, name), judge) in &self.judges {
            table.row([
                name.clone().into(),
                kind_name(*kind).into(),
                judge.asked.into(),
                judge.missing.values().sum::<u64>().into(),
                (&judge.accepted_rejected).into(),
                (&judge.refused_golden).into(),
            ]);
        }
        table
    }

    fn missing(&self) -> Table {
        let columns = ["judge", "kind", "reason", "verdicts"];
        let mut table = Table::new("Verdicts that are missing", &columns);
        for ((kind, name), judge) in &self.judges {
            for (reason, count) in &judge.missing {
                let cells = [name.clone().into(), kind_name(*kind).into()];
                let counted = [Cell::from(reason.clone()), (*count).into()];
                table.row(cells.into_iter().chain(counted).collect::<Vec<_>>());
            }
        }
        table
    }
}

impl Judge {
    fn add(&mut self, verdict: &Verdict, repository: u64) {
        self.asked += 1;
        match (verdict.verdict, verdict.subject) {
            (Some(score), Subject::Rejected) => {
                self.accepted_rejected.add(repository, score == 1);
            }
            (Some(score), Subject::Golden) => {
                self.refused_golden.add(repository, score == 0);
            }
            (None, _) => {
                let reason = verdict.missing.as_deref().unwrap_or("unknown");
                // A failure's own words differ from row to row.
                let class = reason.strip_prefix("failed:").map_or(reason, |_| "failed");
                *self.missing.entry(class.to_owned()).or_default() += 1;
            }
        }
    }
}

impl Rates {
    /// Table 11 of paper "hard negatives".
    fn distribution(&self, title: &str) -> Table {
        let columns = ["judges fooled", "rate", "rows", "share"];
        let mut table = Table::new(
            format!("{title}: rows by judges fooled, of the judges with a verdict on the row"),
            &columns,
        );
        let judged = self.all.rows;
        for ((part, of), rows) in &self.rows {
            if *of == 0 {
                continue;
            }
            let share = Share {
                part: *rows,
                of: judged,
            };
            let rate = Share {
                part: *part,
                of: *of,
            }
            .value();
            let fooled = format!("{part} / {of}");
            table.row([
                fooled.into(),
                Cell::number(rate, 2),
                (*rows).into(),
                Cell::Part(share),
            ]);
        }
        table.row([
            "mean of all with a verdict".into(),
            Cell::number(self.all.mean(), 2),
            judged.into(),
            Cell::Nothing,
        ]);
        if let Some(rows) = self.rows.get(&(0, 0)) {
            table.row([
                "no verdict".into(),
                Cell::Nothing,
                (*rows).into(),
                Cell::Nothing,
            ]);
        }
        table
    }

    /// Table 12 of paper "hard negatives", its left half.
    fn by_type(&self, title: &str) -> Table {
        let columns = ["type", "rows", "mean", FOOLED_ALL];
        let mut table = Table::new(format!("{title}, by type ({INTERVALS})"), &columns);
        for (kind, group) in &self.types {
            let mean = Cell::number(group.mean(), 2);
            let rows = group.rows.into();
            table.row([kind.name().into(), rows, mean, (&group.fooled_all).into()]);
        }
        table
    }

    /// Table 12, its right half.
    fn by_language(&self, title: &str) -> Table {
        let columns = ["language", "rows", "mean", FOOLED_ALL];
        let mut table = Table::new(format!("{title}, by language ({INTERVALS})"), &columns);
        for (language, group) in &self.languages {
            let mean = Cell::number(group.mean(), 2);
            let rows = group.rows.into();
            table.row([
                language.name().into(),
                rows,
                mean,
                (&group.fooled_all).into(),
            ]);
        }
        table
    }
}

fn kind_name(kind: VerdictKind) -> &'static str {
    match kind {
        VerdictKind::Blind => "blind",
        VerdictKind::Preference => "preference",
    }
}
