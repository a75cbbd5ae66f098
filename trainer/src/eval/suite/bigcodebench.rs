//! BigCodeBench (`bigcode/bigcodebench` and `bigcode/bigcodebench-hard` on Hugging Face, as JSON lines).
//!
//! Full and hard have the same fields and ids; the file's name tells them apart. What is run is the
//! protocol's calibrated program: the function without a body first, so that an answer that leaves the
//! imports out has them. The limit is the protocol's; that of memory is the sandbox's, 4 GiB instead of 30.

use std::time::Duration;

use super::error::Fault;
use super::record::Record;
use super::{Form, Origin};
use crate::eval::cut::Cut;
use crate::eval::row::{EvalRow, Program, Question};

const STOPS: &[&str] = &[
    "\nif __name__",
    "\ndef main(",
    "\nprint(",
    "\ndef ",
    "\nclass ",
    "\nimport ",
    "\nfrom ",
    "\nassert ",
];

const WALL: Duration = Duration::from_secs(240);

/// Names that the protocol's module has.
const MODULE: &str = "import os, sys\nenviron = os.environ\n__file__ = '__test__.py'\n";

const JUDGE: &str = include_str!("bigcodebench.py");

pub(super) fn row(record: &Record, origin: &Origin) -> Result<EvalRow, Fault> {
    let id = record.name("task_id")?;
    let solution = record.text("canonical_solution")?;
    let (stub, test) = (record.name("code_prompt")?, record.name("test")?);
    let calibrated = format!("{MODULE}{stub}\n    pass\n");
    let tail = format!("\n{test}\n\n{JUDGE}");
    let program = |head| {
        let wall = WALL;
        Some(Program { head, tail, wall })
    };
    let kind = if origin.name().contains("hard") {
        "hard"
    } else {
        "full"
    };
    Ok(match origin.form {
        Form::Complete => {
            let prompt = record.name("complete_prompt")?;
            EvalRow {
                kind: kind.to_owned(),
                stops: STOPS,
                program: program(format!("{calibrated}{prompt}")),
                ..EvalRow::new(id, Question::Continue { prompt }, solution, "python")
            }
        }
        Form::Instruct => {
            let prompt = record.name("instruct_prompt")?;
            let golden = format!("{stub}\n{solution}");
            EvalRow {
                kind: kind.to_owned(),
                cut: Cut::Code,
                program: program(calibrated),
                ..EvalRow::new(id, Question::Instruct { prompt }, golden, "python")
            }
        }
    })
}
