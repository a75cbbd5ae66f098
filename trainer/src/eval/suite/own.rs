//! The project's own rows, held out: `contexts` and `pairs.jsonl`.

use sha2::{Digest, Sha256};
use truefill_syntax::Language;

use super::error::Fault;
use super::record::{Record, json_error};
use crate::eval::row::{EvalRow, Question};
use crate::rows::{Context, HallucinationType};
use std::collections::BTreeSet;

/// With fewer repositories a change in all of them could still be chance (docs/eval.md).
const FEW: usize = 6;

/// Of rows of few repositories the clusters are files; what a reader of the figures should know then.
pub(super) fn clustered(rows: &mut [EvalRow]) -> Option<String> {
    let repositories: BTreeSet<&str> = rows.iter().map(|row| &*row.cluster).collect();
    let count = repositories.len();
    if count >= FEW {
        return None;
    }
    for row in rows {
        row.cluster = format!(
            "{}/{}",
            row.cluster,
            row.path.as_deref().unwrap_or_default()
        );
    }
    Some(format!(
        "the rows are of {count} repositories: intervals are for other files of the same ones, and say \
         nothing of other repositories"
    ))
}

/// A row of `contexts`; its hole must lie where it says.
pub(super) fn context(record: &Record) -> Result<EvalRow, Fault> {
    let context: Context = serde_json::from_str(record.as_written())
        .map_err(|error| Fault::new("", "a row of `contexts`", json_error(&error)))?;
    context.check().map_err(|said| misfit(&said))?;
    let question = Question::Infill {
        prefix: context.prefix,
        suffix: context.suffix,
    };
    Ok(EvalRow {
        kind: context.hole_kind.name().to_owned(),
        cluster: context.repo,
        path: Some(context.path),
        ..EvalRow::new(
            context.id,
            question,
            context.golden,
            context.language.name(),
        )
    })
}

/// What a context says of itself: expected this, found that.
fn misfit(said: &str) -> Fault {
    let parts = said.strip_prefix("expected ");
    let parts = parts.and_then(|parts| parts.rsplit_once(", found "));
    let (expected, found) = parts.unwrap_or(("a hole that fits its window", said));
    Fault::new("", expected, found)
}

/// A row of `pairs.jsonl`. A hole is there once for each of its negatives.
pub(super) fn pair(record: &Record) -> Result<EvalRow, Fault> {
    let language: Language = record.value("language", "a language of the trainer")?;
    let kind: HallucinationType = record.value("type", "a type of hallucination")?;
    let rejected = record.text("rejected")?;
    let negative = hex::encode(&Sha256::digest(&rejected)[..4]);
    let id = format!("{}/{negative}", record.name("context_id")?);
    let question = Question::Infill {
        prefix: record.text("prefix")?,
        suffix: record.text("suffix")?,
    };
    Ok(EvalRow {
        kind: kind.name().to_owned(),
        cluster: record.name("repo")?,
        path: Some(record.name("path")?),
        rejected: Some(rejected),
        ..EvalRow::new(id, question, record.text("golden")?, language.name())
    })
}
