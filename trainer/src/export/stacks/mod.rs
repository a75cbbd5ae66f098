//! A recipe's training as a job for another program.
//!
//! Rows are rendered as training renders them, cut to their windows, and written as text. The other
//! program makes tokens of it again; so each row's text is cut into tokens here as it will be there,
//! and a row that would lose a sentinel or outgrow the limit is left out and counted.

mod config;
mod rows;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::Serialize;

use super::{Args, Target};
use crate::stored::{self, Opened};
use crate::train::recipe::{ObjectiveName, TrainRecipe};
use crate::train::set::{Claims, check_checkpoint};
use crate::usage::Usage;

/// Everything that a job is made from.
#[derive(Clone, Debug)]
pub struct Job<'a> {
    /// The program.
    pub target: Target,
    /// The recipe.
    pub recipe: &'a TrainRecipe,
    /// The model, as the program is told it.
    pub model: String,
    /// The token that ends a completion, as it is written.
    pub end: String,
    /// Tokens of a row at most.
    pub cutoff: usize,
}

/// What was written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct StackReport {
    /// Rows of the training file.
    pub rows: u64,
    /// Rows of the file for evaluation.
    pub evaluation: u64,
    /// Tokens of the longest row, as the other program counts them.
    pub longest: usize,
    /// Rows that it makes other tokens of than this trainer does, though it reads the same text.
    pub other_tokens: u64,
    /// Rows that are left out, by reason.
    pub left_out: BTreeMap<String, u64>,
    /// The files.
    pub files: Vec<PathBuf>,
}

impl StackReport {
    fn leave_out(&mut self, reason: &str, rows: u64) {
        *self.left_out.entry(reason.to_owned()).or_default() += rows;
    }
}

impl Job<'_> {
    /// Whether rows have a wrong completion.
    pub fn pairs(&self) -> bool {
        matches!(
            self.recipe.objective,
            ObjectiveName::Orpo | ObjectiveName::Dpo
        )
    }

    /// Refuses what the other program does not compute.
    ///
    /// # Errors
    /// [`Usage`], which names the key.
    pub fn check(&self) -> Result<()> {
        let recipe = self.recipe;
        let refuse = |what: &str, advice: &str| {
            Err(Usage::error(format!(
                "section `[train]`: {what}, which no other program has; {advice}"
            )))
        };
        if matches!(
            recipe.objective,
            ObjectiveName::Fgit | ObjectiveName::FgitOrpo
        ) {
            return refuse(
                "`objective` is FGit",
                "train here, or export `sft`, `orpo` or `dpo`",
            );
        }
        if recipe.objective == ObjectiveName::Dpo && recipe.dpo.dpop != 0.0 {
            return refuse("`dpo.dpop` is not 0", "set it to 0 or train here");
        }
        if recipe.lora.new_rows && recipe.parameters == crate::train::recipe::Parameters::Lora {
            return refuse(
                "`lora.new_rows` is set",
                "use `parameters = \"full\"` or train here",
            );
        }
        Ok(())
    }
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result<()> {
    let path = args.recipe.as_deref();
    let path = path.ok_or_else(|| Usage::error("a job needs `--recipe`, found none"))?;
    let mut recipe = TrainRecipe::read(path)?;
    if let Some(checkpoint) = &args.checkpoint {
        recipe.checkpoint.clone_from(checkpoint);
    }
    let opened = Opened::open(&stored::store(args.store.as_deref())?, &recipe.checkpoint)?;
    let report = write_job(&recipe, &opened, args.format.as_deref(), args.to, &args.out)?;
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&report)?)?;
        return Ok(());
    }
    writeln!(
        out,
        "{}: {} rows, {} for evaluation, the longest of {} tokens; the command is in README.md",
        args.out.display(),
        report.rows,
        report.evaluation,
        report.longest
    )?;
    for (reason, rows) in &report.left_out {
        writeln!(out, "rows that are left out, because {reason}: {rows}")?;
    }
    Ok(())
}

/// Writes a job into `folder`.
///
/// # Errors
/// What training would refuse; [`Usage`] for what the other program does not compute.
pub fn write_job(
    recipe: &TrainRecipe,
    opened: &Opened,
    format: Option<&str>,
    target: Target,
    folder: &Path,
) -> Result<StackReport> {
    let tokenizer = opened.tokenizer()?;
    let named = format.or(recipe.format.as_deref());
    let format = crate::checkpoint::format(opened.format_name(named), tokenizer)?;
    let stored = opened.manifest.as_ref().map(|manifest| manifest.about());
    let claims = Claims {
        tokenizer_sha256: stored.map(|about| about.tokenizer_sha256.to_string()),
        format: stored.map(|about| about.format.clone()),
        vocabulary: opened.checkpoint.config.vocabulary,
    };
    check_checkpoint(&claims, tokenizer, &format, recipe.teach_format)?;
    let renderer = recipe.renderer(&format)?;
    let job = Job {
        target,
        recipe,
        model: model_name(opened),
        end: tokenizer.decode(&[renderer.end()]),
        cutoff: recipe.max_tokens,
    };
    job.check()?;
    let set = recipe.training_set(&renderer)?;
    let mut report = StackReport::default();
    for (skip, rows) in &set.counts.skipped {
        report.leave_out(rows::reason(*skip), *rows);
    }
    let train = rows::rows(&job, &renderer, &set.rows, &mut report)?;
    report.rows = train.len() as u64;
    let mut held_out = Vec::new();
    for file in &recipe.eval.data {
        held_out.extend(crate::train::data::read(file, recipe.rows)?);
    }
    // A row for evaluation may have no wrong completion; the other program needs one.
    held_out.retain(|row| !job.pairs() || row.rejected.is_some());
    let evaluation = rows::rows(&job, &renderer, &held_out, &mut report)?;
    report.evaluation = evaluation.len() as u64;
    std::fs::create_dir_all(folder)
        .with_context(|| format!("{}: cannot be made", folder.display()))?;
    let mut files = config::files(&job, !evaluation.is_empty())?;
    files.insert("train.jsonl".into(), rows::jsonl(&job, &train)?);
    if !evaluation.is_empty() {
        files.insert("eval.jsonl".into(), rows::jsonl(&job, &evaluation)?);
    }
    files.insert("README.md".into(), config::readme(&job, &report));
    for (name, text) in files {
        let path = folder.join(&name);
        crate::rows::write_whole(&path, text.as_bytes())
            .with_context(|| format!("{}: cannot be written", path.display()))?;
        report.files.push(name.into());
    }
    Ok(report)
}

/// A folder of the hub's layout is named as it is; all else is written out first.
fn model_name(opened: &Opened) -> String {
    let path = &opened.checkpoint.path;
    match path.is_dir() && opened.adapter.is_none() {
        true => path.display().to_string(),
        false => "model".to_owned(),
    }
}
