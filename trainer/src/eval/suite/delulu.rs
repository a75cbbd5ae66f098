//! Delulu (`microsoft/delulu`): one CSV, `data/delulu.csv`, with a header.
//!
//! The same hole may be there several times, each with another hallucination. A completion can also be
//! compiled in a container that the benchmark has for each row; that is not done here.

use super::error::Fault;
use super::record::Cells;
use crate::eval::row::{EvalRow, Question};
use crate::rows::HallucinationType;

const TYPE: &str = "hallucination_type";

/// Its types, which have the names of our own in tables, so that rows compare.
const TYPES: [(&str, HallucinationType); 4] = [
    ("import", HallucinationType::Import),
    ("method", HallucinationType::Method),
    ("parameter", HallucinationType::Parameter),
    ("undefinedvariable", HallucinationType::UndefinedVariable),
];

pub(super) fn row(cells: &Cells) -> Result<EvalRow, Fault> {
    let named = cells.text(TYPE)?;
    let Some((_, kind)) = TYPES.iter().find(|(name, _)| *name == named) else {
        return Err(Fault::unknown(TYPE, &TYPES.map(|(name, _)| name), named));
    };
    let path = cells.name("file_path")?;
    let question = Question::Infill {
        prefix: cells.text("prompt")?.to_owned(),
        suffix: cells.text("suffix")?.to_owned(),
    };
    let golden = cells.name("golden_completion")?;
    let language = cells.name("language")?;
    // Some rows do not name their repository; those of one file are not independent even so.
    let repository = match cells.text("repo_url")? {
        "" => path.as_str(),
        repository => repository,
    };
    Ok(EvalRow {
        kind: kind.name().to_owned(),
        cluster: repository.to_owned(),
        rejected: Some(cells.name("hallucinated_completion")?),
        path: Some(path.clone()),
        ..EvalRow::new(cells.name("benchmark_id")?, question, golden, &language)
    })
}
