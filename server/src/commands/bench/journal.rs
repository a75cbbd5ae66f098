//! What the server wrote into its journal while it was played.

use std::path::Path;

use anyhow::{Context, Result};
use truefill_journal::{Query, Reader, SuggestionRow};

use super::figures::{Percentiles, Share};
use super::report::ServerFigures;

/// A prompt of which fewer tokens had to be computed says little about the prefill's speed.
const PREFILL: u32 = 32;

/// What the server wrote so far into the journal under `home`.
///
/// # Errors
/// Where the journal cannot be read.
pub fn rows(home: &Path) -> Result<Vec<SuggestionRow>> {
    let path = home.join("journal.sqlite3");
    let reader = Reader::open(&path).context("the server's journal")?;
    Ok(reader
        .suggestions(Query::default())?
        .collect::<Result<Vec<_>, _>>()?)
}

/// From the request to the first token of each request that reached the model, in milliseconds.
pub fn first_tokens(rows: &[SuggestionRow]) -> Vec<f64> {
    let stages = rows.iter().map(|row| &row.stages);
    stages
        .filter_map(|stages| {
            let engine = stages.first_token?;
            let before = stages.delay.unwrap_or(0) + stages.queue.unwrap_or(0);
            Some((before + engine) as f64 / 1e3)
        })
        .collect()
}

/// The engine's figures; `requests` were sent.
pub fn summary(rows: &[SuggestionRow], requests: usize) -> ServerFigures {
    let asked: Vec<&SuggestionRow> = rows
        .iter()
        .filter(|row| row.stages.first_token.is_some())
        .collect();
    let (mut computed, mut prefill) = (0u64, 0u64);
    let (mut written, mut decode) = (0u64, 0u64);
    let (mut reused, mut prompt) = (0u64, 0u64);
    for row in &asked {
        let (tokens, cached) = (
            row.prompt_tokens.unwrap_or(0),
            row.cached_tokens.unwrap_or(0),
        );
        reused += u64::from(cached);
        prompt += u64::from(tokens);
        if tokens.saturating_sub(cached) >= PREFILL {
            computed += u64::from(tokens - cached);
            prefill += row.stages.prefill.unwrap_or(0);
        }
        written += u64::from(row.completion_tokens.unwrap_or(0).saturating_sub(1));
        decode += row.stages.decode.unwrap_or(0);
    }
    let milliseconds = |of: fn(&SuggestionRow) -> u64| {
        let values: Vec<f64> = asked.iter().map(|row| of(row) as f64 / 1e3).collect();
        Percentiles::of(&values)
    };
    let typed_through = rows
        .iter()
        .flat_map(|row| &row.outcomes)
        .filter(|outcome| outcome.event == "typed_through")
        .count();
    ServerFigures {
        engine_first_token_ms: milliseconds(first_token),
        delay_ms: milliseconds(|row| row.stages.delay.unwrap_or(0)),
        engine_total_ms: milliseconds(|row| first_token(row) + row.stages.decode.unwrap_or(0)),
        prefill_tokens_per_second: per_second(computed, prefill),
        decode_tokens_per_second: per_second(written, decode),
        from_cache: Share {
            part: typed_through,
            of: requests,
        },
        prompt_reused: Share {
            part: reused as usize,
            of: prompt as usize,
        },
        ..ServerFigures::default()
    }
}

fn first_token(row: &SuggestionRow) -> u64 {
    row.stages.first_token.unwrap_or(0)
}

fn per_second(count: u64, micros: u64) -> f64 {
    if micros == 0 {
        0.0
    } else {
        count as f64 * 1e6 / micros as f64
    }
}
