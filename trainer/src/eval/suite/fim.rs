//! SantaCoder-FIM and Real-FIM-Eval: prompt, suffix and what stood between them.
//!
//! Neither gives its rows an id, so they are numbered in the order of the file.

use sha2::{Digest, Sha256};

use super::error::Fault;
use super::record::Record;
use crate::eval::row::{EvalRow, Question};
use crate::eval::text::words;

/// SantaCoder-FIM (`bigcode/santacoder-fim-task` on Hugging Face): a line of a solution of MultiPL-E, in
/// `py`, `js` and `java`. `prompt`, `suffix`, `canonical_solution` and `language` are what the harnesses
/// read that use it; that rows have a `name` (`HumanEval_0_…`) was not confirmed, so it may be missing.
pub(super) fn santacoder(record: &Record) -> Result<EvalRow, Fault> {
    let language = record.name("language")?;
    let (question, golden) = hole(record)?;
    let problem = match record.optional_text("name")? {
        Some(name) if !name.is_empty() => name,
        _ => program(&question, &golden),
    };
    let id = format!("{language}/{problem}");
    Ok(EvalRow {
        kind: "single-line".to_owned(),
        cluster: problem,
        ..EvalRow::new(id, question, golden, &language)
    })
}

/// Real-FIM-Eval (`gonglinyuan/real_fim_eval` on Hugging Face), split `add`: what a commit added to a file.
pub(super) fn real(record: &Record) -> Result<EvalRow, Fault> {
    const REMOVED: &str = "to_remove";
    if record.has(REMOVED) {
        let found = "a row of the split `edit`, which has no hole";
        return Err(Fault::new(REMOVED, "rows of the split `add`", found));
    }
    let language = record.name("lang")?;
    let (repository, path) = (record.name("repo")?, record.name("path")?);
    let commit = record.name("ref")?;
    let (question, golden) = hole(record)?;
    let id = format!("{repository}@{commit}:{path}");
    Ok(EvalRow {
        kind: "add".to_owned(),
        cluster: repository,
        path: Some(path),
        ..EvalRow::new(id, question, golden, &language)
    })
}

fn hole(record: &Record) -> Result<(Question, String), Fault> {
    let question = Question::Infill {
        prefix: record.text("prompt")?,
        suffix: record.text("suffix")?,
    };
    Ok((question, record.text("canonical_solution")?))
}

/// The program that a hole was cut in, by its hash: other holes of it give the same.
fn program(question: &Question, golden: &str) -> String {
    let Question::Infill { prefix, suffix } = question else {
        return String::new();
    };
    let mut hasher = Sha256::new();
    let parts = [prefix.as_str(), golden, suffix];
    for word in parts.into_iter().flat_map(words) {
        hasher.update(word);
    }
    hex::encode(&hasher.finalize()[..8])
}
