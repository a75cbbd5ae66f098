//! An evaluation's files: figures, and the rows that they are of.
//!
//! `<folder>/<suite>.json` has what was measured and on what; `<folder>/<suite>.rows.jsonl.zst` has each
//! row with what the model wrote, for reports and for comparing checkpoints row by row.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};

use super::backend::Timing;
use super::decoding::Decoding;
use super::figures::{Bootstrap, Comparison, Group, GroupFigures, RowFigures, Variant, compare};
use super::measure::{RowResult, Run};
use super::row::{EvalRow, Question};
use super::suite::Form;
use crate::corpus::stable_digest;
use crate::rows::{Input, RowReader, RowWriter, Written, write_file};
use crate::stats::nearest_rank;

/// Counts up with every change to the files.
pub const VERSION: u32 = 2;
/// Lines before the hole that a row keeps for reading.
const LINES_BEFORE: usize = 12;
/// Lines behind it.
const LINES_BEHIND: usize = 6;

/// A suite measured with a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evaluated {
    /// [`VERSION`].
    pub version: u32,
    /// The program's version.
    pub program: String,
    /// The suite's name.
    pub suite: String,
    /// Who was measured.
    pub model: ModelInfo,
    /// How completions were made.
    pub decoding: Decoding,
    /// How its tasks were put.
    pub form: Form,
    /// What programs were run with, where some were.
    pub programs: Option<String>,
    /// The files that they are from.
    pub files: Vec<PathBuf>,
    /// SHA-256 of the files' bytes one after the other.
    pub data_sha256: String,
    /// Rows of the files.
    pub rows_in_files: u64,
    /// Rows that were measured.
    pub rows: u64,
    /// Rows that could not be completed, with the reasons; no figure counts them.
    pub failed: BTreeMap<String, String>,
    /// Rows whose prompt lacks a part of the file.
    pub shortened: u64,
    /// Figures by group.
    pub groups: Vec<GroupFigures>,
    /// How their intervals were drawn.
    pub bootstrap: Bootstrap,
    /// What became of the programs that were run, by variant.
    pub runs: BTreeMap<Variant, BTreeMap<Run, u64>>,
    /// What was taken of the machine; not part of what a repetition has to give again.
    pub speed: Option<Speed>,
    /// What else is to be known of the figures.
    pub notes: Vec<String>,
    /// The file with the rows.
    pub rows_file: Written,
}

/// Who was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelInfo {
    /// What people call it.
    pub name: String,
    /// Its id in the store.
    pub id: Option<String>,
    /// What its results depend on.
    pub identity: String,
    /// The checkpoint that it was trained from, as the store has it.
    pub parent: Option<String>,
    /// The kind of device, `cpu` or `gpu`: serving rounds weights by it. Of a server nobody knows.
    pub device: Option<String>,
}

impl Evaluated {
    /// The figures of a group.
    #[must_use]
    pub fn group(&self, group: &Group) -> Option<&GroupFigures> {
        self.groups.iter().find(|found| found.group == *group)
    }
}

/// How long completions took, of rows that this run or an earlier one completed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Speed {
    /// Rows that were completed at a time at most.
    pub width: usize,
    /// Milliseconds to the first token: the median and the 95th percentile.
    pub first_ms: [f64; 2],
    /// Milliseconds to the end.
    pub ms: [f64; 2],
}

impl Speed {
    /// Of completions; nothing of nothing.
    #[must_use]
    pub fn of(timings: &[Timing]) -> Option<Self> {
        let both = |of: fn(&Timing) -> f64| {
            let mut times: Vec<f64> = timings.iter().map(of).collect();
            times.sort_unstable_by(f64::total_cmp);
            Some([nearest_rank(&times, 1, 2)?, nearest_rank(&times, 95, 100)?])
        };
        Some(Self {
            width: timings.iter().map(|timing| timing.width).max()?,
            first_ms: both(|timing| timing.first_ms)?,
            ms: both(|timing| timing.ms)?,
        })
    }
}

/// A measured row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MeasuredRow {
    /// Id, groups and values.
    pub figures: RowFigures,
    /// The last lines before the hole, or the end of the task.
    pub before: String,
    /// The golden completion.
    pub golden: String,
    /// What it is not to be taken for.
    pub rejected: Option<String>,
    /// The first lines behind the hole.
    pub behind: String,
    /// What was found out.
    pub result: RowResult,
}

impl MeasuredRow {
    /// A row with its result.
    #[must_use]
    pub fn new(row: &EvalRow, figures: RowFigures, result: RowResult) -> Self {
        let (before, behind) = match &row.question {
            Question::Infill { prefix, suffix } => (&**prefix, &**suffix),
            Question::Continue { prompt } | Question::Instruct { prompt } => (&**prompt, ""),
        };
        Self {
            figures,
            before: last_lines(before, LINES_BEFORE).to_owned(),
            golden: row.golden.clone(),
            rejected: row.rejected.clone(),
            behind: first_lines(behind, LINES_BEHIND).to_owned(),
            result,
        }
    }
}

fn last_lines(text: &str, lines: usize) -> &str {
    let ends = text.rmatch_indices('\n').map(|(at, _)| at + 1);
    &text[ends.into_iter().nth(lines).unwrap_or(0)..]
}

fn first_lines(text: &str, lines: usize) -> &str {
    let mut ends = text.match_indices('\n').map(|(at, _)| at);
    &text[..ends.nth(lines).unwrap_or(text.len())]
}

/// The file with the figures of a suite.
#[must_use]
pub fn figures_path(folder: &Path, suite: &str) -> PathBuf {
    folder.join(format!("{suite}.json"))
}

/// The file with the rows of a suite.
#[must_use]
pub fn rows_path(folder: &Path, suite: &str) -> PathBuf {
    folder.join(format!("{suite}.rows.jsonl.zst"))
}

/// Writes rows.
///
/// # Errors
/// Where the file cannot be written.
pub fn write_rows(folder: &Path, suite: &str, rows: &[MeasuredRow]) -> Result<Written> {
    let path = rows_path(folder, suite);
    let mut writer = RowWriter::create(&path)?;
    for row in rows {
        writer.write(row)?;
    }
    let written = writer.finish()?;
    Ok(Written {
        path: written.path.file_name().unwrap_or_default().into(),
        ..written
    })
}

/// Writes figures.
///
/// # Errors
/// Where the file cannot be written.
pub fn write(folder: &Path, evaluated: &Evaluated) -> Result<PathBuf> {
    let path = figures_path(folder, &evaluated.suite);
    write_file(&path, text(evaluated)?.as_bytes())?;
    Ok(path)
}

/// Figures as their file has them.
///
/// # Errors
/// Figures that are no numbers.
pub fn text(evaluated: &Evaluated) -> Result<String> {
    Ok(serde_json::to_string_pretty(evaluated)? + "\n")
}

/// A short name for a text.
#[must_use]
pub fn short_hash(text: &str) -> String {
    hex::encode(&stable_digest(0, &[text.as_bytes()])[..4])
}

/// The suites that a folder has figures of, in the names' order.
///
/// # Errors
/// A folder that cannot be read, or has none; files of another version, or that are none.
pub fn read(folder: &Path) -> Result<Vec<Evaluated>> {
    let shown = || format!("{}: cannot be read", folder.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(shown)? {
        let path = entry.with_context(shown)?.path();
        if path.extension().is_some_and(|ending| ending == "json") {
            files.push(path);
        }
    }
    files.sort();
    let mut found = Vec::new();
    for path in &files {
        found.extend(read_one(path)?);
    }
    ensure!(
        !found.is_empty(),
        "{}: expected figures that `truefill-trainer eval --out` wrote there, found no `.json` file{}",
        folder.display(),
        if files.is_empty() {
            ""
        } else {
            " with figures"
        }
    );
    Ok(found)
}

/// A file's figures; nothing of an object that has neither a suite nor its rows, which another step wrote.
fn read_one(path: &Path) -> Result<Option<Evaluated>> {
    let shown = path.display();
    let expected = || {
        format!(
            "{shown}: expected figures that `truefill-trainer eval` wrote; take the file elsewhere"
        )
    };
    let text = std::fs::read(path).with_context(|| format!("{shown}: cannot be read"))?;
    let value: serde_json::Value = serde_json::from_slice(&text).with_context(expected)?;
    let is_foreign = value.as_object().is_some_and(|object| {
        !["suite", "rows_file"]
            .iter()
            .any(|key| object.contains_key(*key))
    });
    if is_foreign {
        return Ok(None);
    }
    let version = value.get("version").and_then(serde_json::Value::as_u64);
    ensure!(
        version.is_none_or(|version| version == u64::from(VERSION)),
        "{shown}: expected version {VERSION} of an evaluation's file, found {}; measure again, which \
         takes completions from the cache",
        version.unwrap_or_default()
    );
    Ok(Some(serde_json::from_slice(&text).with_context(expected)?))
}

/// The values of a suite's rows.
///
/// # Errors
/// As [`read_rows`].
pub fn read_figures(folder: &Path, evaluated: &Evaluated) -> Result<Vec<RowFigures>> {
    let rows = read_rows(folder, evaluated)?;
    Ok(rows.into_iter().map(|row| row.figures).collect())
}

/// Two evaluations of a suite, each with its folder, row by row.
///
/// # Errors
/// As [`read_rows`].
pub fn compared(before: (&Path, &Evaluated), after: (&Path, &Evaluated)) -> Result<Comparison> {
    let old = read_figures(before.0, before.1)?;
    let new = read_figures(after.0, after.1)?;
    Ok(compare(&old, &new, after.1.bootstrap))
}

/// The rows of a suite that a folder has figures of.
///
/// # Errors
/// Where they are not there, or not those that the figures are of.
pub fn read_rows(folder: &Path, evaluated: &Evaluated) -> Result<Vec<MeasuredRow>> {
    let path = folder.join(&evaluated.rows_file.path);
    let input = Input::of(&path)?;
    ensure!(
        input.sha256 == evaluated.rows_file.sha256,
        "{}: expected the rows that {} was made of, found others; measure again",
        path.display(),
        figures_path(folder, &evaluated.suite).display()
    );
    let rows = RowReader::open(&path, "a measured row")?;
    Ok(rows.collect::<Result<_, _>>()?)
}
