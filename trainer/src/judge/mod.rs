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

use anyhow::{Result, bail};
use clap::ValueEnum;

use crate::corpus::{ContextTable, Item, Spool, negatives, partitions_for, stable_hash};
use crate::panel::{self, Books, Member, Roll};
use crate::progress::Progress;
use crate::rows::{Input, Manifest, RowWriter, Subject, Verdict};
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
    let named = crate::recipe::named(args.recipe.as_deref());
    recipe.check().map_err(&named)?;
    let folder = args.recipe.as_deref().and_then(Path::parent);
    recipe.find_from(folder.unwrap_or(Path::new("")));
    let who = who(args, &recipe)?;
    let (members, books) = match (who.contains(&Who::Panel), &args.recipe) {
        (true, Some(path)) => {
            let ledger = recipe.ledger.clone();
            let ledger = ledger.unwrap_or_else(|| panel::ledger_beside(&args.out));
            let members = panel::http::members_of(path)?;
            let opened = panel::open(&members, &recipe.panel, &ledger, recipe.budget);
            let (members, books) = opened.map_err(&named)?;
            let boxed = members.into_iter().map(|member| Box::new(member) as _);
            (boxed.collect(), Some(books))
        }
        _ => (Vec::new(), None),
    };
    let judged = judge(args, &recipe, &who, &members, books.as_ref())?;
    print(&judged.tables, args.json, out)?;
    match judged.problem {
        Some(problem) => bail!("{problem}"),
        None => Ok(()),
    }
}

/// What judging gave.
pub struct Judged {
    /// The tables by their names.
    pub tables: Vec<(String, Table)>,
    /// What is wrong with verdicts that are not whole: the budget was spent, a judge stopped.
    pub problem: Option<String>,
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

/// Judges with `members` and whoever else is among `who`; `books` say what the members cost.
///
/// # Errors
/// As [`run`].
pub fn judge(
    args: &Args,
    recipe: &JudgeRecipe,
    who: &[Who],
    members: &[Box<dyn Member>],
    books: Option<&Books>,
) -> Result<Judged> {
    let scores_path = args.scores.clone();
    let scores_path = scores_path.unwrap_or_else(|| args.out.with_file_name("scores.jsonl.zst"));
    let mut manifest = Manifest::new("judge", recipe)?;
    let scorers = match who.contains(&Who::Likelihood) {
        true => score::open(&recipe.scorer)?,
        false => Vec::new(),
    };
    inputs(args, recipe, who, &mut manifest)?;
    let prompts = prompt::Prompts::load(recipe.prompts.as_deref())?;
    let resolve = who.contains(&Who::Resolve);
    let known = resolve.then(|| Sources::read(&args.contexts, recipe.sources.clone()));
    let mut offline = offline::Offline::new(&args.out, known.transpose()?, scorers)?;
    let mut verdicts = RowWriter::<Verdict>::create(&args.out)?;
    let mut tally = tally::Tally::default();
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.enable_all().build()?;
    let spool = fill(args, members, &mut manifest)?;
    let progress = Progress::start("judging", manifest.counts.get("negatives").copied());
    let mut done = Done::begin(&progress, books, &manifest);
    let mut panel = ask::Panel {
        members,
        recipe,
        prompts: &prompts,
        roll: Roll::default(),
        shortened: 0,
    };
    spool.drain(|mut items| {
        let twice: u64 = items.iter_mut().map(drop_twins).sum();
        manifest.count("negatives with an id that stood before", twice);
        let before = done.rows;
        let of_one = (members.len() * recipe.kinds.len()) as u64;
        runtime.block_on(panel.ask(&items, |verdict, about| {
            tally.add(&verdict, about);
            verdicts.write(&verdict)?;
            done.verdict(&verdict, of_one);
            Ok(())
        }))?;
        offline.add(&items)?;
        let rows: usize = items.iter().map(|item| item.negatives.len()).sum();
        done.at(before + rows as u64 + twice);
        Ok(())
    })?;
    progress.finish();
    manifest.count(
        "questions that show less than the row holds",
        panel.shortened,
    );
    let (scores, found) = offline.finish(&scores_path)?;
    manifest.outputs = vec![verdicts.finish()?, scores];
    let tables: Vec<(String, Table)> = tally.tables().into_iter().chain(found).collect();
    let json = tables
        .iter()
        .map(|(name, table)| (name.clone(), table.to_json()));
    manifest.tables = json.collect();
    if let Some(books) = books {
        runtime.block_on(report(books, &prompts, &mut manifest))?;
    }
    manifest.write_beside(&args.out)?;
    let problem = panel.roll.not_whole();
    Ok(Judged { tables, problem })
}

/// Says who was asked, with what and for how much.
async fn report(books: &Books, prompts: &prompt::Prompts, manifest: &mut Manifest) -> Result<()> {
    books.report(manifest).await?;
    let rows = [prompts.blind.row(), prompts.preference.row()];
    let tables = &mut manifest.tables;
    tables.insert("prompts".into(), rows.into_iter().collect());
    Ok(())
}

/// Hashes what is read: the rows, and the scorers' checkpoints where they are files.
fn inputs(args: &Args, recipe: &JudgeRecipe, who: &[Who], manifest: &mut Manifest) -> Result<()> {
    let rows = [&args.contexts, &args.negatives];
    let scorers = recipe.scorer.iter().map(|scorer| &scorer.model);
    let scorers = scorers.filter(|path| who.contains(&Who::Likelihood) && path.is_file());
    for path in rows.into_iter().chain(scorers) {
        manifest.inputs.push(Input::of(path)?);
    }
    Ok(())
}

/// How far it is, in negatives.
struct Done<'a> {
    progress: &'a Progress,
    books: Option<&'a Books>,
    /// Negatives that every judge was asked about.
    rows: u64,
    /// Verdicts on negatives since.
    verdicts: u64,
}

impl<'a> Done<'a> {
    fn begin(progress: &'a Progress, books: Option<&'a Books>, manifest: &Manifest) -> Self {
        progress.total(manifest.counts.get("negatives").copied().unwrap_or(0));
        Self {
            progress,
            books,
            rows: 0,
            verdicts: 0,
        }
    }

    /// A negative is done with its last verdict.
    fn verdict(&mut self, verdict: &Verdict, of_one: u64) {
        self.verdicts += u64::from(verdict.subject == Subject::Rejected);
        if self.verdicts == of_one {
            self.at(self.rows + 1);
        }
    }

    fn at(&mut self, rows: u64) {
        (self.rows, self.verdicts) = (rows, 0);
        let figures = self.books.map(Books::figures).unwrap_or_default();
        self.progress.at(rows, &figures);
    }
}

/// Brings the rows of a repository together.
fn fill(args: &Args, members: &[Box<dyn Member>], manifest: &mut Manifest) -> Result<Spool> {
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
        // A judge knows its own kind of mistake: whoever reads the rates has to know how many.
        let maker = negative.generator.trim_start_matches("teacher:");
        if members.iter().any(|judge| judge.name() == maker) {
            manifest.count("negatives that their own generator judges", 1);
        }
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
