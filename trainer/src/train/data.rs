//! The rows that are trained on, as they stand in their files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::rows::{RowError, RowReader};

/// Where a row stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: Arc<PathBuf>,
    /// The line, from 1.
    pub line: u64,
    /// The row's id.
    pub id: String,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{} (`{}`)", self.file.display(), self.line, self.id)
    }
}

/// A row with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrainRow {
    /// Where it is from.
    pub place: Place,
    /// The repository, where the row has one.
    pub repo: Option<String>,
    /// The licences that the row names.
    pub licences: Vec<String>,
    /// What the model is asked.
    pub question: Question,
    /// What it is to answer.
    pub chosen: String,
    /// A wrong answer.
    pub rejected: Option<String>,
}

/// What stands before the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// A hole in a file.
    Fim {
        /// The file's path in its repository.
        path: String,
        /// Before the hole.
        prefix: String,
        /// After it.
        suffix: String,
    },
    /// A task in words (paper B's setting).
    Instruct {
        /// Standing orders.
        system: String,
        /// The task.
        instruction: String,
    },
}

/// The kind of rows in a recipe's files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RowKind {
    /// `sft.jsonl` and `pairs.jsonl`, as `curate` writes them.
    #[default]
    Fim,
    /// Instructions and responses.
    Instruct,
}

/// What training reads of a row of `sft.jsonl` or of `pairs.jsonl`: SFT takes either.
#[derive(Deserialize)]
struct FimLine {
    context_id: String,
    repo: String,
    path: String,
    prefix: String,
    golden: String,
    suffix: String,
    rejected: Option<String>,
    license: Option<Value>,
}

/// A row of an instruction data set, whose columns have many names; those that are not named here are
/// not read.
#[derive(Deserialize)]
pub(super) struct InstructLine {
    id: Option<Id>,
    task_id: Option<Id>,
    pub(super) repo: Option<String>,
    system: Option<String>,
    instruction: Option<String>,
    prompt: Option<String>,
    problem: Option<String>,
    input: Option<String>,
    response: Option<String>,
    chosen: Option<String>,
    output: Option<String>,
    solution: Option<String>,
    rejected: Option<String>,
    license: Option<Value>,
}

/// Data sets count their rows, or name them.
#[derive(Deserialize)]
#[serde(untagged)]
enum Id {
    Text(String),
    Number(u64),
}

impl InstructLine {
    pub(super) fn id(&self) -> Option<String> {
        let id = self.id.as_ref().or(self.task_id.as_ref())?;
        Some(match id {
            Id::Text(text) => text.clone(),
            Id::Number(number) => number.to_string(),
        })
    }

    /// What is asked. Alpaca's `input` is what the instruction is about, on a line of its own, as
    /// LLaMA-Factory puts it.
    pub(super) fn task(&self) -> Result<Option<String>, String> {
        let instruction = only([
            ("instruction", &self.instruction),
            ("prompt", &self.prompt),
            ("problem", &self.problem),
        ])?;
        let input = self.input.as_deref().filter(|input| !input.is_empty());
        Ok(instruction.map(|instruction| match input {
            Some(input) => format!("{instruction}\n{input}"),
            None => instruction.to_owned(),
        }))
    }

    fn answer(&self) -> Result<Option<&str>, String> {
        only([
            ("response", &self.response),
            ("chosen", &self.chosen),
            ("output", &self.output),
            ("solution", &self.solution),
        ])
    }

    fn parts(self) -> Result<Parts, String> {
        let task = self.task()?;
        let instruction = task.ok_or("no `instruction`, `prompt` or `problem`")?;
        let answer = self.answer()?.map(str::to_owned);
        let answer = answer.ok_or("no `response`, `chosen`, `output` or `solution`")?;
        let id = self.id().unwrap_or_default();
        let question = Question::Instruct {
            system: self.system.unwrap_or_default(),
            instruction,
        };
        Ok(Parts {
            id,
            repo: self.repo,
            license: self.license,
            question,
            chosen: answer,
            rejected: self.rejected,
        })
    }
}

/// The text of columns that mean the same: of more than one, all must say it.
fn only<'l, const N: usize>(
    columns: [(&'static str, &'l Option<String>); N],
) -> Result<Option<&'l str>, String> {
    let mut given = columns
        .into_iter()
        .filter_map(|(name, text)| Some((name, text.as_deref()?)));
    let Some((first, text)) = given.next() else {
        return Ok(None);
    };
    match given.find(|(_, other)| *other != text) {
        None => Ok(Some(text)),
        Some((other, _)) => Err(format!(
            "`{first}` and `{other}`, which mean the same and differ; keep one of them"
        )),
    }
}

/// Reads the rows of a file, packed where its name ends in `.zst`.
///
/// # Errors
/// [`RowError`], by file and line.
pub fn read(path: &Path, kind: RowKind) -> Result<Vec<TrainRow>, RowError> {
    match kind {
        RowKind::Fim => rows(path, "sft or pairs", |row: FimLine| {
            let question = Question::Fim {
                path: row.path,
                prefix: row.prefix,
                suffix: row.suffix,
            };
            Ok(Parts {
                id: row.context_id,
                repo: Some(row.repo),
                license: row.license,
                question,
                chosen: row.golden,
                rejected: row.rejected,
            })
        }),
        RowKind::Instruct => rows(path, "instructions", InstructLine::parts),
    }
}

/// What a row has, whatever its columns are called.
struct Parts {
    id: String,
    repo: Option<String>,
    license: Option<Value>,
    question: Question,
    chosen: String,
    rejected: Option<String>,
}

/// The licences of a column that names one or has a list; training does not depend on it, so whatever
/// else stands there names none.
fn licences(column: Option<Value>) -> Vec<String> {
    let named = match column {
        Some(Value::Array(several)) => several,
        one => one.into_iter().collect(),
    };
    let named = named.iter().filter_map(Value::as_str);
    let named = named.filter(|license| !license.is_empty());
    named.map(str::to_owned).collect()
}

fn rows<T: serde::de::DeserializeOwned>(
    path: &Path,
    expected: &'static str,
    parts: impl Fn(T) -> Result<Parts, String>,
) -> Result<Vec<TrainRow>, RowError> {
    let file = Arc::new(path.to_owned());
    let mut reader = RowReader::open(path, expected)?;
    let mut rows = Vec::new();
    while let Some(row) = reader.next() {
        let parts = parts(row?).map_err(|found| reader.wrong(found));
        let parts = parts?;
        let place = Place {
            file: Arc::clone(&file),
            line: reader.line(),
            id: parts.id,
        };
        let mut row = TrainRow {
            place,
            repo: parts.repo,
            licences: licences(parts.license),
            question: parts.question,
            chosen: parts.chosen,
            rejected: parts.rejected,
        };
        if row.place.id.is_empty() {
            row.place.id = hex::encode(&row.content()[..12]);
        }
        rows.push(row);
    }
    Ok(rows)
}

impl TrainRow {
    /// A hash of what is asked and of the right answer: equal rows have the same, whatever they are
    /// called and wherever they are from.
    pub fn content(&self) -> [u8; 32] {
        match &self.question {
            Question::Fim { prefix, suffix, .. } => content([prefix, &self.chosen, suffix]),
            Question::Instruct { instruction, .. } => content([instruction, &self.chosen, ""]),
        }
    }
}

/// SHA-256 over prefix, golden completion and suffix; where one ends and the next begins counts.
pub(super) fn content(parts: [&str; 3]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hasher.finalize().into()
}
