//! HumanEval-Infilling (`openai/human-eval-infilling`, `data/*.jsonl.gz`).
//!
//! Ids are `SingleLineInfilling/HumanEval/0/L0`: the set, the problem, the hole. A completion is right
//! when the problem's tests pass on prompt, completion and suffix within 3 s.

use std::time::Duration;

use super::error::{Fault, shown};
use super::record::Record;
use crate::eval::row::{EvalRow, Program, Question};

/// The sets, as ids begin and as they are called.
const SETS: [(&str, &str); 4] = [
    ("SingleLineInfilling", "single-line"),
    ("MultiLineInfilling", "multi-line"),
    ("RandomSpanInfilling", "random-span"),
    ("RandomSpanInfillingLight", "random-span-light"),
];

const WALL: Duration = Duration::from_secs(3);

pub(super) fn row(record: &Record) -> Result<EvalRow, Fault> {
    let id = record.name("task_id")?;
    let (kind, problem) = parts(&id)?;
    let (prefix, suffix) = (record.text("prompt")?, record.text("suffix")?);
    let (test, entry) = (record.text("test")?, record.identifier("entry_point")?);
    let program = Program {
        head: prefix.clone(),
        tail: format!("{suffix}\n{test}\ncheck({entry})"),
        wall: WALL,
    };
    let question = Question::Infill { prefix, suffix };
    let golden = record.text("canonical_solution")?;
    Ok(EvalRow {
        kind: kind.to_owned(),
        cluster: problem.to_owned(),
        program: Some(program),
        ..EvalRow::new(id.clone(), question, golden, "python")
    })
}

/// The set and the problem that an id names.
fn parts(id: &str) -> Result<(&'static str, &str), Fault> {
    let form = || {
        let expected = "an id like `SingleLineInfilling/HumanEval/0/L0`";
        Fault::new("task_id", expected, shown(id))
    };
    let (set, rest) = id.split_once('/').ok_or_else(form)?;
    let (problem, _hole) = rest.rsplit_once('/').ok_or_else(form)?;
    match SETS.iter().find(|(name, _)| *name == set) {
        Some((_, kind)) => Ok((kind, problem)),
        None => Err(Fault::unknown("task_id", &SETS.map(|(name, _)| name), set)),
    }
}
