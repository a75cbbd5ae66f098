//! Counts as the manifest has them: names with numbers, and tables.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use truefill_syntax::{HoleKind, Language};

use super::extract::Tally;
use super::reason::Reason;
use super::survey::decide::{Census, Percentiles};
use crate::rows::Manifest;

/// What a language gave.
#[derive(Default)]
struct Line {
    files: u64,
    bytes: u64,
    refused: BTreeMap<Reason, u64>,
    rows: BTreeMap<HoleKind, u64>,
}

/// What is counted and drawn of a row. Its texts are most of it, and nobody looks at them then.
#[derive(Deserialize)]
pub struct Facts {
    /// Its id.
    pub id: String,
    /// Its language.
    pub language: Language,
    /// Its repository.
    pub repo: String,
    /// Its licence.
    pub license: String,
    /// Its hole.
    pub hole_kind: HoleKind,
}

/// All that is counted in a run.
#[derive(Default)]
pub struct Counts {
    lines: BTreeMap<Language, Line>,
    licences: BTreeMap<String, u64>,
    repositories: BTreeMap<String, u64>,
    /// Of the second reading.
    pub tally: Tally,
    /// What benchmarks exclude: how many repositories, paths and runs of words.
    pub excluded: [(&'static str, usize); 3],
    /// Rows that the selector's model left out or gave no answer for.
    pub model: [u64; 2],
}

impl Counts {
    /// Counts what the first reading decided.
    pub fn census(&mut self, census: &Census) {
        for file in &census.files {
            let line = self.lines.entry(file.language).or_default();
            line.files += 1;
            line.bytes += u64::from(file.bytes);
            if let Some(reason) = file.refused {
                *line.refused.entry(reason).or_default() += 1;
            }
        }
    }

    /// Counts a row that was written.
    pub fn row(&mut self, row: Facts) {
        let line = self.lines.entry(row.language).or_default();
        *line.rows.entry(row.hole_kind).or_default() += 1;
        *self.licences.entry(row.license).or_default() += 1;
        *self.repositories.entry(row.repo).or_default() += 1;
    }

    /// Writes everything into the manifest.
    pub fn report(mut self, manifest: &mut Manifest, limits: &BTreeMap<Language, Percentiles>) {
        for (language, reasons) in std::mem::take(&mut self.tally.refused) {
            let line = self.lines.entry(language).or_default();
            for (reason, count) in reasons {
                *line.refused.entry(reason).or_default() += count;
            }
        }
        self.count(manifest);
        let languages = self
            .lines
            .iter()
            .map(|(language, line)| line.table(*language));
        let languages: Vec<Value> = languages.collect();
        manifest.tables.insert("languages".into(), languages.into());
        let kinds = HoleKind::ALL.iter().filter_map(|kind| self.kind(*kind));
        manifest.tables.insert("holes".into(), kinds.collect());
        let percentiles = limits.iter().map(|(language, limit)| {
            json!({"language": language, "files": limit.files, "bytes": limit.bytes, "lines": limit.lines})
        });
        manifest
            .tables
            .insert("percentiles".into(), percentiles.collect());
        manifest
            .tables
            .insert("licences".into(), ranked("licence", "rows", self.licences));
        manifest.tables.insert(
            "repositories".into(),
            ranked("repo", "rows", self.repositories),
        );
        let origins = ranked("callee", "offered", self.tally.origins);
        manifest.tables.insert("callees".into(), origins);
    }

    fn count(&self, manifest: &mut Manifest) {
        for line in self.lines.values() {
            manifest.count("files.seen", line.files);
            manifest.count("files.bytes", line.bytes);
            manifest.count("files.kept", line.kept());
            manifest.count("rows", line.rows.values().sum());
            for (reason, count) in &line.refused {
                manifest.count(format!("files.rejected.{}", reason.name()), *count);
            }
        }
        for (kind, count) in &self.tally.holes {
            manifest.count("holes.seen", *count);
            for (reason, count) in self.tally.rejected.get(kind).into_iter().flatten() {
                manifest.count(format!("holes.rejected.{}", reason.name()), *count);
            }
        }
        for kinds in self.tally.offered.values() {
            manifest.count("holes.offered", kinds.values().sum());
        }
        if self.excluded.iter().any(|(_, count)| *count > 0) {
            for (what, count) in self.excluded {
                manifest.count(format!("excluded.{what}"), count as u64);
            }
        }
        let broken = self.tally.broken.len() as u64;
        if broken > 0 {
            manifest.count("sources.broken-later", broken);
        }
        let [refused, missing] = self.model;
        if refused + missing > 0 {
            manifest.count("rows.rejected.model", refused);
            manifest.count("rows.rejected.model-missing", missing);
        }
    }

    fn kind(&self, kind: HoleKind) -> Option<Value> {
        let seen = *self.tally.holes.get(&kind)?;
        let mut row = Map::new();
        row.insert("kind".into(), json!(kind));
        row.insert("seen".into(), seen.into());
        for (reason, count) in self.tally.rejected.get(&kind).into_iter().flatten() {
            row.insert(reason.name().into(), (*count).into());
        }
        let offered = self
            .tally
            .offered
            .values()
            .filter_map(|kinds| kinds.get(&kind));
        row.insert("offered".into(), offered.sum::<u64>().into());
        let rows = self.lines.values().filter_map(|line| line.rows.get(&kind));
        row.insert("rows".into(), rows.sum::<u64>().into());
        Some(row.into())
    }
}

impl Line {
    fn kept(&self) -> u64 {
        self.files - self.refused.values().sum::<u64>()
    }

    fn table(&self, language: Language) -> Value {
        let mut row = Map::new();
        row.insert("language".into(), json!(language));
        row.insert("files".into(), self.files.into());
        row.insert("bytes".into(), self.bytes.into());
        for (reason, count) in &self.refused {
            row.insert(reason.name().into(), (*count).into());
        }
        row.insert("kept".into(), self.kept().into());
        for (kind, count) in &self.rows {
            row.insert(format!("rows.{}", kind.name()), (*count).into());
        }
        row.insert("rows".into(), self.rows.values().sum::<u64>().into());
        row.into()
    }
}

/// Names with counts of what `what` says, the most first.
fn ranked(column: &str, what: &str, counts: BTreeMap<String, u64>) -> Value {
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let rows = counts
        .into_iter()
        .map(|(name, count)| json!({column: name, what: count}));
    rows.collect()
}
