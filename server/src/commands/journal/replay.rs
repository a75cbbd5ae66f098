//! `truefill journal replay`: the same prompt, the same seed, the same checkpoint.

use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use serde_json::json;
use truefill_journal::{Query, Reader, SuggestionId, SuggestionRow};

use crate::config::Config;
use crate::engine::local::Replayed;
use crate::engine::open;
use crate::paths::Paths;

/// Makes a suggestion again, and says whether the same tokens come.
///
/// # Errors
/// Where the row has no tokens, or its checkpoint is not here.
pub fn run(id: SuggestionId, as_json: bool, paths: &Paths) -> Result<ExitCode> {
    let row = row(id, paths)?;
    let (Some(prompt), Some(before)) = (&row.prompt_token_ids, &row.completion_token_ids) else {
        let why = row
            .withheld
            .as_deref()
            .unwrap_or("it came from no local model");
        bail!("`{id}` has no token ids to make it from again ({why})");
    };
    let mut config = Config::of_command(None, &paths.config_file())?;
    config.model.id.clone_from(&row.checkpoint);
    config.remote = Config::default().remote;
    let engine = open::open(paths, &config)
        .with_context(|| format!("`{}`, which wrote `{id}`", row.checkpoint))?;
    let engine = engine.local().context("the checkpoint is no local model")?;
    let Replayed { tokens, text } = engine.replay(prompt, row.seed, before.len())?;
    let same = tokens == *before;
    let mut out = std::io::stdout().lock();
    if as_json {
        let value = json!({
            "id": id, "checkpoint": row.checkpoint, "prompt_tokens": prompt.len(),
            "same": same, "before": before, "now": tokens, "text": text,
        });
        writeln!(out, "{value}")?;
    } else {
        writeln!(out, "{text}")?;
        let tokens = before.len();
        let verdict = match same {
            true => format!("The same {tokens} tokens as then."),
            false => "Other tokens than then: another device, or another version.".to_owned(),
        };
        writeln!(std::io::stderr().lock(), "{verdict}")?;
    }
    Ok(match same {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

fn row(id: SuggestionId, paths: &Paths) -> Result<SuggestionRow> {
    let reader = Reader::open(&paths.journal())?;
    for row in reader.suggestions(Query::default())? {
        let row = row?;
        if row.id == id {
            return Ok(row);
        }
    }
    bail!(
        "there is no suggestion `{id}` in {}",
        paths.journal().display()
    )
}
