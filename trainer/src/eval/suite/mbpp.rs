//! MBPP and MBPP+: short functions to write, judged by tests.
//!
//! Three forms are read: Google's (`mbpp.jsonl`, or the sanitised set as JSON lines: `test_list`), EvalPlus's on
//! Hugging Face (`evalplus/mbppplus`: the same and a `test` with all inputs and their outputs, which
//! needs NumPy), and EvalPlus's release (`MbppPlus.jsonl.gz`: `base_input`, `plus_input` and a solution to
//! compare with).
//!
//! MBPP's paper shows three solved tasks first. Here the prompt is the task and its first test in a
//! docstring, as EvalPlus's release has it.

use std::time::Duration;

use serde::Deserialize;

use super::error::Fault;
use super::record::Record;
use super::{Form, Origin, evalplus, instruction};
use crate::eval::cut::Cut;
use crate::eval::row::{EvalRow, Program, Question};

/// Where EvalPlus ends a continuation.
const STOPS: &[&str] = &[
    "\nif __name__",
    "\ndef main(",
    "\nprint(",
    "\n\"\"\"",
    "\nassert",
];

/// MBPP names no limit.
const WALL: Duration = Duration::from_secs(10);

/// Sets number their rows, or name them.
#[derive(Deserialize)]
#[serde(untagged)]
enum Id {
    Number(u64),
    Text(String),
}

/// What the forms have in common.
struct Task {
    prompt: String,
    solution: String,
    tail: String,
    wall: Duration,
}

pub(super) fn row(record: &Record, origin: &Origin) -> Result<EvalRow, Fault> {
    let id = match record.value("task_id", "a number or a text")? {
        Id::Number(number) => format!("Mbpp/{number}"),
        Id::Text(text) => text,
    };
    let task = match evalplus::is_release(record) {
        true => released(record, &id, origin.is_plus())?,
        false => listed(record, origin.is_plus())?,
    };
    let instruct = origin.form == Form::Instruct;
    let head = if instruct {
        String::new()
    } else {
        task.prompt.clone()
    };
    let question = match origin.form {
        Form::Complete => Question::Continue {
            prompt: task.prompt,
        },
        Form::Instruct => Question::Instruct {
            prompt: instruction(task.prompt.trim()),
        },
    };
    Ok(EvalRow {
        kind: if origin.is_plus() { "plus" } else { "base" }.to_owned(),
        stops: if instruct { &[] } else { STOPS },
        cut: if instruct { Cut::Code } else { Cut::None },
        program: Some(Program {
            head,
            tail: task.tail,
            wall: task.wall,
        }),
        ..EvalRow::new(id, question, task.solution, "python")
    })
}

/// A row of EvalPlus's release.
fn released(record: &Record, id: &str, plus: bool) -> Result<Task, Fault> {
    let (prompt, solution) = (record.text("prompt")?, record.text("canonical_solution")?);
    let reference = format!("{prompt}{solution}");
    let task = evalplus::Task {
        suite: "mbpp",
        id,
        entry: &record.identifier("entry_point")?,
        reference: &reference,
    };
    Ok(Task {
        tail: task.tail(record, plus)?,
        prompt: format!("{}\n", prompt.trim()),
        solution,
        wall: evalplus::WALL,
    })
}

/// A row with tests that are statements.
fn listed(record: &Record, plus: bool) -> Result<Task, Fault> {
    let task = match record.has("text") {
        true => record.name("text")?,
        false => record.name("prompt")?,
    };
    let tests = record.texts("test_list")?;
    let Some(first) = tests.first() else {
        return Err(Fault::new("test_list", "at least one test", "none"));
    };
    let prompt = format!("\"\"\"\n{}\n{first}\n\"\"\"\n", task.trim());
    let setup = record.optional_text("test_setup_code")?;
    let imports = record.texts("test_imports")?.join("\n");
    let (judge, wall) = match plus {
        true => (record.name("test")?, evalplus::WALL),
        false => (tests.join("\n"), WALL),
    };
    let setup = setup.unwrap_or_default();
    Ok(Task {
        prompt,
        solution: record.text("code")?,
        tail: format!("\n{imports}\n{setup}\n{judge}\n"),
        wall,
    })
}
