//! `judge`: a blind panel's verdicts, and what can be told about negatives without a panel.

mod ask;
mod offline;
mod parse;
mod prompt;
mod recipe;
mod resolve;
mod sources;
mod tally;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::ValueEnum;

use crate::corpus::{ContextTable, Item, Spool, negatives, partitions_for, stable_hash};
use crate::panel::{self, Member};
use crate::progress::Progress;
use crate::rows::{Input, Manifest, RowWriter, Verdict};
use crate::score;
use crate::table::Table;
use crate::usage::Usage;
use sources::Sources;

pub use recipe::JudgeRecipe;

/// Asks a panel of models about golden and wrong completions, blind, and scores wrong completions
/// without a panel.
///
/// The panel sees one completion at a time and is not told that it may be wrong. The share of
/// judges that call a wrong completion correct is its fool rate. Golden completions are judged
/// too, so that each judge's false accepts and false rejects are known. A blocked or unreadable
/// answer is missing, never 0. The command can be broken off: what was answered is kept, and the
/// same command goes on from there.
///
/// `resolve` asks the language server's resolver which wrong completions name something that
/// cannot exist; `likelihood` compares log-probabilities under the recipe's scorers, of which there
/// must be three or more. Both fill the scores file; neither is a verdict.
///
/// Example: truefill-trainer judge contexts.jsonl.zst negatives.jsonl.zst --judges resolve --out
/// verdicts.jsonl.zst
#[derive(Clone, Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    /// Rows that `mine` wrote
    pub contexts: PathBuf,
    /// Rows that `generate` wrote for them
    pub negatives: PathBuf,
    /// Where the verdicts go; the manifest is put beside them
    #[arg(long, value_name = "FILE", default_value = "verdicts.jsonl.zst")]
    pub out: PathBuf,
    /// Where the scores go [default: `scores.jsonl.zst` beside the verdicts]
    #[arg(long, value_name = "FILE")]
    pub scores: Option<PathBuf>,
    /// The recipe, whose section `[judge]` is read
    #[arg(long, value_name = "FILE")]
    pub recipe: Option<PathBuf>,
    /// Who judges [default: `resolve`, and what the recipe sets up]
    #[arg(long, value_enum, value_delimiter = ',', value_name = "WHO")]
    pub judges: Vec<Who>,
    /// Print the tables as JSON
    #[arg(long)]
    pub json: bool,
}

/// Who judges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Who {
    /// The recipe's models, blind
    Panel,
    /// The language server's resolver: a filter, no verdict
    Resolve,
    /// The recipe's scorers: difficulty, no verdict
    Likelihood,
}

/// Runs the command.
///
/// # Errors
/// [`Usage`] for a recipe that does not fit; rows that are wrong, by file and line; what a panel
/// stops at.
pub fn run(args: &Args, out: &mut dyn std::io::Write) -> Result<()> {
    let mut recipe: JudgeRecipe = crate::recipe::section(args.recipe.as_deref(), "judge")?;
    recipe.check()?;
    let folder = args.recipe.as_deref().and_then(Path::parent);
    recipe.find_from(folder.unwrap_or(Path::new("")));
    let who = who(args, &recipe)?;
    let members = match (who.contains(&Who::Panel), &args.recipe) {
        (true, Some(path)) => {
            let stem = args.out.file_name().unwrap_or_default().to_string_lossy();
            let stem = stem.split('.').next().unwrap_or_default();
            let beside = args.out.with_file_name(format!("{stem}.ledger.db"));
            let ledger = recipe.ledger.clone().unwrap_or(beside);
            panel::open(path, &recipe.panel, &ledger, recipe.budget)?
        }
        _ => Vec::new(),
    };
    let tables = judge(args, &recipe, &who, &members)?;
    print(&tables, args.json, out)
}

/// Who judges, by the command line or by what the recipe sets up.
fn who(args: &Args, recipe: &JudgeRecipe) -> Result<Vec<Who>> {
    let (panel, scorers) = (!recipe.panel.is_empty(), !recipe.scorer.is_empty());
    let sets_up = |who: &Who| match who {
        Who::Panel => panel,
        Who::Resolve => true,
        Who::Likelihood => scorers,
    };
    if args.judges.is_empty() {
        return Ok(Who::value_variants()
            .iter()
            .copied()
            .filter(sets_up)
            .collect());
    }
    match args.judges.iter().find(|who| !sets_up(who)) {
        Some(Who::Panel) => Err(Usage::error(
            "`--judges panel` needs a recipe that names the panel's members: `panel` in its section `[judge]`",
        )),
        Some(_) => Err(Usage::error(
            "`--judges likelihood` needs a recipe with three or more of `[[judge.scorer]]`",
        )),
        None => Ok(args.judges.clone()),
    }
}

/// Judges with `members` and whoever else is among `who`; gives the tables by their names.
///
/// # Errors
/// As [`run`].
pub fn judge(
    args: &Args,
    recipe: &JudgeRecipe,
    who: &[Who],
    members: &[Box<dyn Member>],
) -> Result<Vec<(String, Table)>> {
    let scores_path = args.scores.clone();
    let scores_path = scores_path.unwrap_or_else(|| args.out.with_file_name("scores.jsonl.zst"));
    let mut manifest = Manifest::new("judge", recipe)?;
    for path in [&args.contexts, &args.negatives] {
        manifest.inputs.push(Input::of(path)?);
    }
    let scorers = match who.contains(&Who::Likelihood) {
        true => score::open(&recipe.scorer)?,
        false => Vec::new(),
    };
    let prompts = prompt::Prompts::load(recipe.prompts.as_deref())?;
    let resolve = who.contains(&Who::Resolve);
    let known = resolve.then(|| Sources::read(&args.contexts, recipe.sources.clone()));
    let mut offline = offline::Offline::new(&args.out, known.transpose()?, scorers)?;
    let mut verdicts = RowWriter::<Verdict>::create(&args.out)?;
    let mut tally = tally::Tally::default();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let spool = fill(args, &mut manifest)?;
    let progress = Progress::start("judging", manifest.counts.get("negatives").copied());
    spool.drain(|mut items| {
        let twice: u64 = items.iter_mut().map(drop_twins).sum();
        manifest.count("negatives with an id that stood before", twice);
        runtime.block_on(ask::ask(
            members,
            recipe,
            &prompts,
            &items,
            |verdict, about| {
                tally.add(&verdict, about);
                Ok(verdicts.write(&verdict)?)
            },
        ))?;
        offline.add(&items)?;
        progress.add(items.iter().map(|item| item.negatives.len() as u64).sum());
        Ok(())
    })?;
    let (scores, found) = offline.finish(&scores_path)?;
    manifest.outputs = vec![verdicts.finish()?, scores];
    let tables: Vec<(String, Table)> = tally.tables().into_iter().chain(found).collect();
    let json = tables
        .iter()
        .map(|(name, table)| (name.clone(), table.to_json()));
    manifest.tables = json.collect();
    manifest.write_beside(&args.out)?;
    Ok(tables)
}

/// Brings the rows of a repository together.
fn fill(args: &Args, manifest: &mut Manifest) -> Result<Spool> {
    let partitions = partitions_for(&[&args.contexts, &args.negatives]);
    let mut spool = Spool::beside(&args.out, partitions)?;
    let contexts = ContextTable::read(&args.contexts, |context| {
        let partition = stable_hash(0, &[context.repo.as_bytes()]) as usize % partitions;
        spool.context(partition, context)?;
        Ok(partition as u16)
    })?;
    manifest.count("contexts", contexts.facts().len() as u64);
    manifest.count("contexts with an id that stood before", contexts.repeated());
    negatives(&args.negatives, &contexts, |place, negative| {
        manifest.count("negatives", 1);
        spool.negative(usize::from(contexts.get(place).own), &negative)
    })?;
    Ok(spool)
}

/// Of several negatives with one id the first stays: a verdict could not say which it is about.
fn drop_twins(item: &mut Item) -> u64 {
    let before = item.negatives.len();
    let mut seen = HashSet::new();
    item.negatives.retain(|negative| seen.insert(negative.id()));
    (before - item.negatives.len()) as u64
}

/// Writes tables as text, or as one JSON object.
///
/// # Errors
/// Where `out` cannot be written.
pub fn print(tables: &[(String, Table)], json: bool, out: &mut dyn std::io::Write) -> Result<()> {
    if json {
        let named = tables
            .iter()
            .map(|(name, table)| (name.clone(), table.to_json()));
        let object: serde_json::Map<_, _> = named.collect();
        writeln!(out, "{}", serde_json::Value::Object(object))?;
        return Ok(());
    }
    for (_, table) in tables {
        writeln!(out, "{}", table.to_text())?;
    }
    Ok(())
}
