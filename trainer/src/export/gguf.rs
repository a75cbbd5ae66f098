//! A GGUF file, and what its rounding costs.

use std::io::Write;

use anyhow::{Context as _, Result};
use serde_json::json;
use truefill_model::checkpoint::Checkpoint;
use truefill_model::decoder::{Decoder, Precision};
use truefill_model::tokenizer::Tokenizer;
use truefill_model::tokens::TokenId;
use truefill_model::write::{GgufReport, Labels, write_gguf};

use super::{Args, file_type};
use crate::score::{Divergence, divergence};
use crate::stored::{Opened, chat_template, vocabulary};

/// Tokens of a text that are compared at a time, each piece without those before it.
const SEQUENCE: usize = 512;
/// Tokens of a text at most.
const LONGEST: usize = 4096;

/// What the file was compared on.
struct Compared {
    found: Divergence,
    /// Tokens of the texts beyond [`LONGEST`].
    left_out: usize,
}

pub(super) fn run(args: &Args, opened: &Opened, out: &mut dyn Write) -> Result<()> {
    let kind = file_type(args.kind.as_deref().unwrap_or("f16"))?;
    let tokenizer = opened.tokenizer()?;
    let format = crate::checkpoint::format(opened.format_name(args.format.as_deref()), tokenizer)?;
    let labels = Labels {
        name: opened.title(),
        end: opened.end(&format)?,
        chat_template: chat_template(&opened.checkpoint)?,
    };
    let words = vocabulary(&opened.checkpoint)?;
    let report = write_gguf(&args.out, &opened.model(), tokenizer, words, kind, &labels)?;
    let found = match args.texts.is_empty() {
        true => None,
        false => Some(compare(args, opened, tokenizer)?),
    };
    tell(args, &report, found.as_ref(), out)
}

fn compare(args: &Args, opened: &Opened, tokenizer: &Tokenizer) -> Result<Compared> {
    let mut sequences: Vec<Vec<TokenId>> = Vec::new();
    let mut left_out = 0;
    for path in &args.texts {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("{}: cannot be read as text", path.display()))?;
        let mut tokens = tokenizer.encode_lossy(&text)?;
        left_out += tokens.len().saturating_sub(LONGEST);
        tokens.truncate(LONGEST);
        sequences.extend(tokens.chunks(SEQUENCE).map(<[TokenId]>::to_vec));
    }
    // Both in exact arithmetic: what is told is the rounding of the file, not that of a server.
    let (config, weights) = opened.model().in_memory()?;
    let reference = Decoder::on_cpu(config, &weights, Precision::Exact, SEQUENCE)?;
    drop(weights);
    let written = Checkpoint::open(&args.out)?;
    let config = written.config.clone();
    let rounded = Decoder::on_cpu(config, &*written.weights, Precision::Exact, SEQUENCE)?;
    let found = divergence(&reference, &rounded, &sequences)?;
    Ok(Compared { found, left_out })
}

fn tell(
    args: &Args,
    report: &GgufReport,
    compared: Option<&Compared>,
    out: &mut dyn Write,
) -> Result<()> {
    let bytes = std::fs::metadata(&args.out).map_or(0, |file| file.len());
    if args.json {
        let compared = compared.map(|Compared { found, left_out }| {
            json!({
                "positions": found.positions, "mean_nats": found.mean(),
                "largest_nats": found.largest, "same_likeliest": found.agreement(),
                "left_out_tokens": left_out,
            })
        });
        let figures = json!({
            "file": args.out, "bytes": bytes, "tensors": report.types,
            "fallbacks": report.fallbacks, "divergence": compared,
        });
        writeln!(out, "{figures}")?;
        return Ok(());
    }
    let types = report.types.iter();
    let types: Vec<String> = types
        .map(|(kind, count)| format!("{count} {kind}"))
        .collect();
    writeln!(
        out,
        "{}: {bytes} bytes, tensors: {}",
        args.out.display(),
        types.join(", ")
    )?;
    if report.fallbacks > 0 {
        writeln!(
            out,
            "matrices of another type than asked for, because their rows do not fill its blocks: {}",
            report.fallbacks
        )?;
    }
    let Some(Compared { found, left_out }) = compared else {
        writeln!(
            out,
            "what rounding costs was not measured: name code with `--text`"
        )?;
        return Ok(());
    };
    if let Some(mean) = found.mean() {
        writeln!(
            out,
            "divergence from the unrounded model: {mean:.6} nats on average over {} positions, {:.4} \
             at most; the likeliest token is the same at {:.2} %",
            found.positions,
            found.largest,
            found.agreement().unwrap_or_default() * 100.0
        )?;
    }
    if *left_out > 0 {
        writeln!(
            out,
            "tokens that were not compared, because a text is cut to its first {LONGEST}: {left_out}"
        )?;
    }
    Ok(())
}
