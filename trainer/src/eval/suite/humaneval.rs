//! HumanEval and HumanEval+: functions to write, judged by tests.
//!
//! Three forms are read: OpenAI's `HumanEval.jsonl.gz` (its own tests, in `test`), EvalPlus's on Hugging
//! Face (`evalplus/humanevalplus`, whose `test` has all inputs and their outputs, and needs NumPy), and
//! EvalPlus's release (`HumanEvalPlus.jsonl.gz`: `base_input`, `plus_input` and a solution to compare
//! with). The first two differ by what is in `test` alone.

use std::time::Duration;

use super::error::Fault;
use super::record::Record;
use super::{Form, Origin, evalplus, instruction};
use crate::eval::cut::Cut;
use crate::eval::row::{EvalRow, Program, Question};

/// Where HumanEval's own protocol ends a continuation.
const STOPS: &[&str] = &["\nclass", "\ndef", "\n#", "\nif", "\nprint"];

/// Where EvalPlus ends it.
const PLUS_STOPS: &[&str] = &[
    "\nif __name__",
    "\ndef main(",
    "\nprint(",
    "\ndef ",
    "\nclass ",
    "\nimport ",
    "\nfrom ",
    "\nassert ",
];

/// HumanEval's own limit.
const WALL: Duration = Duration::from_secs(3);

/// What EvalPlus's ready tests have and HumanEval's own have not.
const PLUS_TEST: &str = "inputs = ";

pub(super) fn row(record: &Record, origin: &Origin) -> Result<EvalRow, Fault> {
    let id = record.name("task_id")?;
    let (prompt, solution) = (record.text("prompt")?, record.text("canonical_solution")?);
    let entry = record.identifier("entry_point")?;
    let release = evalplus::is_release(record);
    let (tail, wall) = match release {
        true => {
            let reference = format!("{prompt}{solution}");
            let task = evalplus::Task {
                suite: "humaneval",
                id: &id,
                entry: &entry,
                reference: &reference,
            };
            (task.tail(record, origin.is_plus())?, evalplus::WALL)
        }
        false => {
            let test = ready(record, origin.is_plus())?;
            let wall = if origin.is_plus() {
                evalplus::WALL
            } else {
                WALL
            };
            (format!("\n{test}\ncheck({entry})\n"), wall)
        }
    };
    let own = !release && !origin.is_plus();
    let prompt = if own {
        prompt
    } else {
        format!("{}\n", prompt.trim())
    };
    let kind = if origin.is_plus() { "plus" } else { "base" };
    let program = |head| Some(Program { head, tail, wall });
    Ok(match origin.form {
        Form::Complete => {
            let question = Question::Continue {
                prompt: prompt.clone(),
            };
            EvalRow {
                kind: kind.to_owned(),
                stops: if own { STOPS } else { PLUS_STOPS },
                program: program(prompt),
                ..EvalRow::new(id, question, solution, "python")
            }
        }
        Form::Instruct => {
            let question = Question::Instruct {
                prompt: instruction(prompt.trim()),
            };
            EvalRow {
                kind: kind.to_owned(),
                cut: Cut::Code,
                program: program(String::new()),
                ..EvalRow::new(id, question, format!("{prompt}{solution}"), "python")
            }
        }
    })
}

/// Tests that are a program; those of the other suite are refused.
fn ready(record: &Record, plus: bool) -> Result<String, Fault> {
    let test = record.text("test")?;
    match (plus, test.contains(PLUS_TEST)) {
        (true, false) => Err(Fault::new(
            "test",
            "EvalPlus's tests, with a list `inputs`",
            "other ones; HumanEval's own are the suite `humaneval`",
        )),
        (false, true) => Err(Fault::new(
            "test",
            "HumanEval's own tests",
            "a list `inputs`; EvalPlus's tests are the suite `humaneval-plus`",
        )),
        _ => Ok(test),
    }
}
