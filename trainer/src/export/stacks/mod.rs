//! A recipe's training as a job for another program.
//!
//! Rows are rendered as training renders them, cut to their windows, and written as text. The other
//! program makes tokens of it again; so each row's text is cut into tokens here as it will be there,
//! and a row that would lose a sentinel or outgrow the limit is left out and counted.

mod config;
mod limits;
mod readme;
mod rows;
mod trl;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::Serialize;
use truefill_model::fim::BoundFormat;
use truefill_model::tokenizer::Tokenizer;

use super::{Args, Target};
use crate::stored::{self, Opened};
use crate::train::example::Renderer;
use crate::train::recipe::{ObjectiveName, TrainRecipe};
use crate::train::set::check_checkpoint;
use crate::usage::Usage;
use readme::Commands;
use rows::TextRow;

/// GPUs of the paper's machine (B.2); the batch of a step is shared among them.
const GPUS: usize = 8;

/// Everything that a job is made from.
#[derive(Clone, Debug)]
pub struct Job<'a> {
    /// The program.
    pub target: Target,
    /// The recipe.
    pub recipe: &'a TrainRecipe,
    /// The model's tokenizer.
    pub tokenizer: &'a Tokenizer,
    /// The model, as the program is told it.
    pub model: String,
    /// Matrices that an adapter changes.
    pub matrices: Vec<String>,
    /// The token that ends a completion, as it is written.
    pub end: String,
    /// The first key of the model's `config.json` that asks for dropout, which there is none of here.
    pub dropout: Option<String>,
    /// Tokens of a row at most.
    pub cutoff: usize,
    /// Rows of the training file.
    pub rows: usize,
}

/// What was written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct StackReport {
    /// The rows that are trained on.
    pub training: FileReport,
    /// The rows for evaluation.
    pub evaluation: FileReport,
    /// What the program does in another way than the recipe says.
    pub differences: Vec<String>,
    /// The files.
    pub files: Vec<PathBuf>,
}

/// What became of the rows of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FileReport {
    /// Rows of it.
    pub rows: u64,
    /// Tokens of the longest row, as the other program counts them.
    pub longest: usize,
    /// Rows that it makes other tokens of than this trainer does, though it reads the same text.
    pub other_tokens: u64,
    /// Rows that are left out, by reason.
    pub left_out: BTreeMap<String, u64>,
}

impl FileReport {
    fn leave_out(&mut self, reason: &str, rows: u64) {
        if rows > 0 {
            *self.left_out.entry(reason.to_owned()).or_default() += rows;
        }
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

    /// Whether the program puts the begin token before a prompt, where the tokenizer says so. TRL
    /// does, and for pairs Axolotl, whose trainers are TRL's; to the others the rows spell it.
    fn adds_begin(&self) -> bool {
        match self.target {
            Target::Trl => true,
            Target::Axolotl => self.pairs(),
            _ => false,
        }
    }

    /// Whether TRL's ORPO would put a begin token before prompts that have none here: it does so
    /// wherever the tokenizer names one.
    fn unasked_begin(&self) -> bool {
        let named = self.tokenizer.bos().is_some() && !self.tokenizer.add_bos();
        named && self.recipe.objective == ObjectiveName::Orpo
    }

    /// Whether it does: a program of TRL's is told otherwise, Axolotl has no key for it.
    fn foreign_begin(&self) -> bool {
        self.unasked_begin() && self.target == Target::Axolotl
    }

    /// Rows that a GPU takes at a time and steps that are summed, for the recipe's rows of a step.
    fn batch(&self) -> (usize, usize) {
        let each = (self.recipe.rows_per_step / GPUS).max(1);
        let at_once = (1..=each.min(4))
            .rev()
            .find(|rows| each.is_multiple_of(*rows));
        let at_once = at_once.unwrap_or(1);
        (at_once, each / at_once)
    }

    /// Rows of a step there.
    fn rows_per_step(&self) -> usize {
        let (at_once, accumulated) = self.batch();
        GPUS * at_once * accumulated
    }

    /// Steps of the run there.
    fn steps(&self) -> u64 {
        let of_epoch = self.rows.div_ceil(self.rows_per_step()) as u64;
        let steps = self.recipe.steps;
        steps.unwrap_or(self.recipe.epochs.saturating_mul(of_epoch))
    }

    /// Steps of warm-up. A share of all steps has another name in each version of transformers; a
    /// number of steps has the same in all.
    fn warmup(&self) -> u64 {
        self.recipe.schedule(self.steps()).warmup()
    }
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result<()> {
    let path = args.recipe.as_deref();
    let path = path.ok_or_else(|| Usage::error("a job needs `--recipe`, found none"))?;
    let recipe = TrainRecipe::read(path)?;
    let store = stored::store(args.store.as_deref())?;
    let flag = args.checkpoint.as_deref();
    let opened = Opened::of_recipe(&store, path, &recipe.checkpoint, flag)?;
    let report = write_job(args, &recipe, &opened)?;
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&report)?)?;
        return Ok(());
    }
    let (training, evaluation) = (&report.training, &report.evaluation);
    writeln!(
        out,
        "{}: {} rows, {} for evaluation, the longest of {} tokens; the command is in README.md",
        args.out.display(),
        training.rows,
        evaluation.rows,
        training.longest.max(evaluation.longest)
    )?;
    for (file, found) in [("training", training), ("evaluation", evaluation)] {
        for (reason, rows) in &found.left_out {
            writeln!(
                out,
                "rows for {file} that are left out, because {reason}: {rows}"
            )?;
        }
    }
    for difference in &report.differences {
        writeln!(out, "other than in the recipe: {difference}")?;
    }
    Ok(())
}

/// Writes a job into the folder that `args` name.
///
/// # Errors
/// What training would refuse; [`Usage`] for what the other program does not compute.
pub fn write_job(args: &Args, recipe: &TrainRecipe, opened: &Opened) -> Result<StackReport> {
    let tokenizer = opened.tokenizer()?;
    let named = args.format.as_deref().or(recipe.format.as_deref());
    let path = args.recipe.as_deref();
    let format = crate::checkpoint::format(opened.format_name(named), tokenizer)
        .map_err(crate::recipe::named(path.filter(|_| args.format.is_none())))?;
    check_checkpoint(&opened.claims(), tokenizer, &format, recipe.teach_format)
        .with_context(|| opened.checkpoint.path.display().to_string())?;
    let renderer = recipe.renderer_of(path.unwrap_or(Path::new("")), &format)?;
    let mut job = Job {
        target: args.to,
        recipe,
        tokenizer,
        model: model_name(opened)?,
        matrices: recipe.lora.matrices(opened.checkpoint.config.family),
        end: tokenizer.decode(&[renderer.end()]),
        dropout: dropout(opened)?,
        cutoff: recipe.max_tokens,
        rows: 0,
    };
    limits::check(&job)?;
    let commands = Commands::new(args, opened, named, &job)?;
    let mut report = StackReport::default();
    let train = training(&job, &renderer, &mut report.training)?;
    let evaluation = evaluation(&job, &format, &mut report.evaluation)?;
    job.rows = train.len();
    report.differences = limits::differences(&job);
    let mut files = config::files(&job, !evaluation.is_empty())?;
    files.insert("train.jsonl".into(), rows::jsonl(&job, &train)?);
    if !evaluation.is_empty() {
        files.insert("eval.jsonl".into(), rows::jsonl(&job, &evaluation)?);
    }
    files.insert("README.md".into(), readme::text(&job, &commands, &report));
    write(&args.out, files, &mut report)?;
    Ok(report)
}

fn training(job: &Job<'_>, renderer: &Renderer, report: &mut FileReport) -> Result<Vec<TextRow>> {
    let set = job.recipe.training_set(renderer)?;
    report.leave_out("their text spells a control token", set.counts.sentinel);
    for (skip, rows) in &set.counts.skipped {
        report.leave_out(rows::reason(*skip), *rows);
    }
    rows::rows(job, renderer, &set.rows, usize::MAX, report)
}

fn evaluation(
    job: &Job<'_>,
    format: &BoundFormat,
    report: &mut FileReport,
) -> Result<Vec<TextRow>> {
    let recipe = job.recipe;
    let renderer = recipe.held_out_renderer(format, job.pairs())?;
    let mut held_out = recipe.held_out_rows()?;
    let read = held_out.len();
    held_out.retain(|row| !job.pairs() || row.rejected.is_some());
    let single = (read - held_out.len()) as u64;
    report.leave_out(
        "they have no wrong completion, which the program needs",
        single,
    );
    rows::rows(job, &renderer, &held_out, recipe.eval.rows, report)
}

fn write(folder: &Path, files: BTreeMap<String, String>, report: &mut StackReport) -> Result<()> {
    std::fs::create_dir_all(folder)
        .with_context(|| format!("{}: cannot be made", folder.display()))?;
    remove_former(folder, &files)?;
    for (name, text) in files {
        let path = folder.join(&name);
        crate::rows::write_file(&path, text.as_bytes())?;
        report.files.push(name.into());
    }
    Ok(())
}

/// Removes what a job that was in the folder before has and this one lacks, as another program's
/// configuration or rows for evaluation. The README says whether there was one.
fn remove_former(folder: &Path, files: &BTreeMap<String, String>) -> Result<()> {
    let readme = std::fs::read(folder.join("README.md")).unwrap_or_default();
    if !readme.starts_with(readme::HEADING.as_bytes()) {
        return Ok(());
    }
    let mut former = config::NAMES.to_vec();
    former.extend(["train.jsonl", "eval.jsonl"]);
    for name in former {
        let path = folder.join(name);
        if !files.contains_key(name) && path.is_file() {
            std::fs::remove_file(&path).with_context(|| {
                let shown = path.display();
                format!("{shown}: cannot be removed, though it is of a job that is replaced")
            })?;
        }
    }
    Ok(())
}

/// A folder of the hub's layout is named as it is; all else is written out first.
fn model_name(opened: &Opened) -> Result<String> {
    let path = &opened.checkpoint.path;
    match path.is_dir() && opened.adapter.is_none() {
        true => absolute(path),
        false => Ok("model".to_owned()),
    }
}

/// The key that makes other programs drop activations in training.
fn dropout(opened: &Opened) -> Result<Option<String>> {
    let config = stored::sidecars(&opened.checkpoint)?.config;
    let keys = config.as_ref().and_then(serde_json::Value::as_object);
    let asks = |(key, value): &(&String, &serde_json::Value)| {
        key.contains("dropout") && value.as_f64().is_some_and(|share| share > 0.0)
    };
    let found = keys.and_then(|keys| keys.iter().find(asks));
    Ok(found.map(|(key, _)| key.clone()))
}

/// A path that means the same in the job's folder.
fn absolute(path: &Path) -> Result<String> {
    let whole = path
        .canonicalize()
        .with_context(|| format!("{}: cannot be found", path.display()))?;
    Ok(whole.display().to_string())
}
