//! EvalPlus's release: inputs, and a solution whose outputs are the right ones.
//!
//! `evalplus.py` runs the solution in a namespace of its own, then the completion, and compares as
//! EvalPlus does. It needs no NumPy.

use std::time::Duration;

use super::error::{Fault, shown};
use super::literal;
use super::record::Record;

/// What a task may take: a minute each for the completion on the base inputs and on the further ones, to
/// which `evalplus.py` holds it, and the rest for the reference solution, whose tests are as long.
pub(super) const WALL: Duration = Duration::from_secs(180);

const JUDGE: &str = include_str!("evalplus.py");

const BASE: &str = "base_input";

pub(super) fn is_release(record: &Record) -> bool {
    record.has(BASE)
}

/// A task of the release.
pub(super) struct Task<'t> {
    /// `humaneval` or `mbpp`.
    pub(super) suite: &'static str,
    pub(super) id: &'t str,
    pub(super) entry: &'t str,
    pub(super) reference: &'t str,
}

impl Task<'_> {
    /// What stands after a completion: the judge, and what it judges by.
    pub(super) fn tail(&self, record: &Record, plus: bool) -> Result<String, Fault> {
        let mut inputs = vec![self.inputs(record, BASE)?];
        if plus {
            inputs.push(self.inputs(record, "plus_input")?);
        }
        let tolerance: f64 = record.value("atol", "a number")?;
        let problem = format!(
            r#"{{"suite": {}, "task": {}, "entry": {}, "reference": {}, "atol": {tolerance:?}, "inputs": [{}]}}"#,
            literal(self.suite),
            literal(self.id),
            literal(self.entry),
            literal(self.reference),
            inputs.join(", "),
        );
        let problem = literal(&problem);
        Ok(format!(
            "\n\n{JUDGE}\n_truefill_evalplus(globals(), {problem})\n"
        ))
    }

    /// Lists of arguments as they are written. A task without further inputs has an empty object there.
    fn inputs<'r>(&self, record: &Record<'r>, field: &str) -> Result<&'r str, Fault> {
        let raw = record.raw(field)?;
        match raw.starts_with('[') || raw == "{}" {
            true => Ok(raw),
            false => Err(Fault::new(
                field,
                "a list of lists of arguments",
                shown(raw),
            )),
        }
    }
}
