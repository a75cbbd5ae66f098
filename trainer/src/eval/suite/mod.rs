//! Benchmarks' own files as rows: a loader for each suite.
//!
//! A loader knows what a benchmark publishes (its fields, how its program is put together, its limits)
//! and nothing of models. [`source`] finds and unpacks files, [`record`] reads fields, [`rows`] refuses
//! what is there twice. What is malformed is refused by file and line; fields that a loader does not know
//! are not looked at, because public sets grow. docs/eval.md says what each suite reads and scores.

mod bigcodebench;
mod crosscodeeval;
mod delulu;
mod error;
mod evalplus;
mod fim;
mod humaneval;
mod infilling;
mod mbpp;
mod own;
mod record;
mod rows;
mod safim;
mod source;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::row::{EvalRow, Program};
pub use error::{Fault, SuiteError};
use record::Record;

/// What can be measured with.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ValueEnum, Serialize, Deserialize,
)]
#[serde(into = "String", try_from = "String")]
pub enum Suite {
    /// Delulu: completions that were made up, each beside the right one.
    Delulu,
    /// HumanEval-Infilling: single-line, multi-line, random-span and random-span-light.
    #[value(name = "humaneval-infilling")]
    HumanEvalInfilling,
    /// SAFIM: API, block, block-v2 and control.
    Safim,
    /// SantaCoder-FIM: one line of Python, Java or JavaScript.
    #[value(name = "santacoder-fim")]
    SantaCoderFim,
    /// Real-FIM-Eval: what commits added.
    RealFimEval,
    /// CrossCodeEval: a line that needs other files of its repository.
    #[value(name = "crosscodeeval")]
    CrossCodeEval,
    /// Held-out rows of `contexts`, as `mine` writes them.
    Contexts,
    /// Held-out rows of `pairs.jsonl`, as `curate` writes them.
    Pairs,
    /// HumanEval with its own tests.
    #[value(name = "humaneval")]
    HumanEval,
    /// HumanEval with EvalPlus's tests besides.
    #[value(name = "humaneval-plus")]
    HumanEvalPlus,
    /// MBPP with its own tests.
    Mbpp,
    /// MBPP with EvalPlus's tests besides.
    MbppPlus,
    /// BigCodeBench, full and hard.
    #[value(name = "bigcodebench")]
    BigCodeBench,
    /// A repository of your own, judged by its own tests.
    Holes,
}

impl fmt::Display for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value();
        f.write_str(value.as_ref().map_or("", |value| value.get_name()))
    }
}

impl From<Suite> for String {
    fn from(suite: Suite) -> Self {
        suite.to_string()
    }
}

impl TryFrom<String> for Suite {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        Self::from_str(&name, false).map_err(|_| {
            let known = Self::value_variants().iter().map(ToString::to_string);
            let known: Vec<String> = known.collect();
            format!(
                "expected a suite, one of {}, found `{name}`",
                known.join(", ")
            )
        })
    }
}

/// How a task is put to a model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// As code to complete.
    #[default]
    Complete,
    /// As a task in words, for chat models; suites of whole functions have it.
    Instruct,
}

/// A suite that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// Its rows, in the order of the files.
    pub rows: Vec<EvalRow>,
    /// SHA-256 of the files' bytes one after the other, in hex: what `cat FILES | sha256sum` prints.
    pub sha256: String,
    /// The files, in the order in which they were read.
    pub files: Vec<PathBuf>,
    /// What a reader of the figures should know of these rows.
    pub notes: Vec<String>,
}

/// Reads the rows of a suite. Of a folder in `data`, all files are read whose names end as the suite's
/// do, in the order of their names.
///
/// # Errors
/// Where a file cannot be read, has no rows, or has one that is malformed or there twice.
pub fn load(suite: Suite, data: &[PathBuf], form: Form) -> Result<Loaded, SuiteError> {
    if form == Form::Instruct && !suite.has_instructions() {
        return Err(SuiteError::Form { suite });
    }
    let files = source::files(suite, data)?;
    let mut rows = rows::Rows::new(suite);
    let sha256 = source::read_all(&files, |file| rows.read(file, form))?;
    let mut rows = rows.into_rows();
    let own = matches!(suite, Suite::Contexts | Suite::Pairs);
    let few = own.then(|| own::clustered(&mut rows)).flatten();
    Ok(Loaded {
        notes: notes(&rows).into_iter().chain(few).collect(),
        rows,
        sha256,
        files,
    })
}

impl Suite {
    const fn has_instructions(self) -> bool {
        matches!(
            self,
            Self::HumanEval
                | Self::HumanEvalPlus
                | Self::Mbpp
                | Self::MbppPlus
                | Self::BigCodeBench
        )
    }

    /// Whether the benchmark has no ids of its own: then what a loader makes is numbered.
    const fn is_numbered(self) -> bool {
        matches!(self, Self::SantaCoderFim | Self::RealFimEval)
    }

    /// What a file's name ends with, `.gz` and `.zst` aside.
    const fn endings(self) -> &'static [&'static str] {
        match self {
            Self::Delulu => &["csv"],
            _ => &["jsonl", "json"],
        }
    }

    /// The row of a line of JSON.
    fn row(self, record: &Record, origin: &Origin) -> Result<EvalRow, Fault> {
        match self {
            Self::Delulu => Err(Fault::new("", "CSV", "JSON")),
            Self::HumanEvalInfilling => infilling::row(record),
            Self::Safim => safim::row(record, origin),
            Self::SantaCoderFim => fim::santacoder(record),
            Self::RealFimEval => fim::real(record),
            Self::CrossCodeEval => crosscodeeval::row(record, origin),
            Self::Contexts => own::context(record),
            Self::Pairs => own::pair(record),
            Self::HumanEval | Self::HumanEvalPlus => humaneval::row(record, origin),
            Self::Mbpp | Self::MbppPlus => mbpp::row(record, origin),
            Self::BigCodeBench => bigcodebench::row(record, origin),
            Self::Holes => Err(Fault::new("", "a repository", "a file of rows")),
        }
    }
}

/// What a row does not say itself.
struct Origin<'a> {
    suite: Suite,
    path: &'a Path,
    form: Form,
}

impl Origin<'_> {
    /// The file's name up to its first full stop, in lower case: public sets tell their parts by it.
    fn name(&self) -> String {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let name = name.split('.').next().unwrap_or_default();
        name.to_lowercase()
    }

    const fn is_plus(&self) -> bool {
        matches!(self.suite, Suite::HumanEvalPlus | Suite::MbppPlus)
    }
}

/// The task of a function to write, in words; EvalPlus asks for the same in its own.
fn instruction(problem: &str) -> String {
    format!(
        "Solve this problem in Python. Answer with the whole program in one fenced code block.\n\n\
         ```python\n{problem}\n```\n"
    )
}

/// A text as a literal of Python: JSON's escapes are Python's.
fn literal(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn notes(rows: &[EvalRow]) -> Vec<String> {
    let uses = |program: &Program| {
        let imports = |code: &str| code.contains("import numpy") || code.contains("from numpy");
        imports(&program.head) || imports(&program.tail)
    };
    let programs: Vec<&Program> = rows.iter().filter_map(|row| row.program.as_ref()).collect();
    let numpy = programs.iter().filter(|program| uses(program)).count();
    let mut notes = Vec::new();
    if numpy > 0 {
        notes.push(format!(
            "{numpy} of {} programs import NumPy: the Python that runs them must have it",
            programs.len()
        ));
    }
    notes
}
