//! The step: rows in, verdicts and scores out.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Result;
use tokio::runtime::Runtime;

use super::ask::Panel;
use super::offline::{Likelihood, Offline};
use super::prompt::Prompts;
use super::sources::Sources;
use super::tally::Tally;
use super::{Args, JudgeRecipe, Who};
use crate::checkpoint;
use crate::corpus::{ContextTable, Item, Spool, negatives, partitions_for, repository_hash};
use crate::kept::Kept;
use crate::panel::{self, Books, Member, Roll};
use crate::progress::Progress;
use crate::rows::{Input, Manifest, RowWriter, Subject, Verdict, beside};
use crate::score::{self, ScorerRecipe};
use crate::table::{self, Tables};
use crate::usage;

/// What judging gave.
pub struct Judged {
    /// The tables by their names.
    pub tables: Tables,
    /// What is wrong with verdicts that are not whole: the budget was spent, a judge stopped.
    pub problem: Option<String>,
}

/// Judges with `members` and whoever else is among `who`; `books` say what the members cost.
///
/// # Errors
/// As [`super::run`].
pub fn judge(
    args: &Args,
    recipe: &JudgeRecipe,
    who: &[Who],
    members: &[Box<dyn Member>],
    books: Option<&Books>,
) -> Result<Judged> {
    let scores = scores_path(args);
    usage::apart([&*args.contexts, &*args.negatives], [&*args.out, &*scores])?;
    let mut manifest = Manifest::new("judge", recipe)?;
    // What an earlier run with other judges wrote is not for this one to replace.
    let files = Files::of(args, who);
    let offline = match files.scores {
        true => Some(offline(args, recipe, who)?),
        false => None,
    };
    inputs(args, recipe, who, &mut manifest)?;
    let prompts = Prompts::load(recipe.prompts.as_deref())?;
    let verdicts = match files.verdicts {
        true => Some(RowWriter::create(&args.out)?),
        false => None,
    };
    let spool = fill(args, members, &mut manifest)?;
    let mut step = Step {
        runtime: panel::runtime()?,
        panel: Panel {
            members,
            recipe,
            prompts: &prompts,
            roll: Roll::default(),
            shortened: 0,
        },
        offline,
        verdicts,
        tally: Tally::default(),
        done: Done::begin(books, &manifest),
    };
    spool.drain(|items| step.judge(items, &mut manifest))?;
    step.finish(args, manifest)
}

/// Which files a run writes: those that its judges fill, and the others where they are not there.
struct Files {
    verdicts: bool,
    scores: bool,
}

impl Files {
    fn of(args: &Args, who: &[Who]) -> Self {
        let fills = |judges: &[Who]| judges.iter().any(|judge| who.contains(judge));
        Self {
            verdicts: fills(&[Who::Panel]) || !args.out.exists(),
            scores: fills(&[Who::Resolve, Who::Likelihood]) || !scores_path(args).exists(),
        }
    }
}

fn scores_path(args: &Args) -> PathBuf {
    let given = args.scores.clone();
    given.unwrap_or_else(|| args.out.with_file_name("scores.jsonl.zst"))
}

/// What is told without a panel.
fn offline(args: &Args, recipe: &JudgeRecipe, who: &[Who]) -> Result<Offline> {
    let likelihood = match who.contains(&Who::Likelihood) {
        true => Some(likelihood(args, recipe)?),
        false => None,
    };
    let sources = match who.contains(&Who::Resolve) {
        true => Some(Sources::read(&args.contexts, recipe.sources.clone())?),
        false => None,
    };
    Offline::new(&args.out, sources, likelihood)
}

/// The scorers, with what an earlier run had of them.
fn likelihood(args: &Args, recipe: &JudgeRecipe) -> Result<Likelihood> {
    let scorers = score::open(&recipe.scorer)?;
    // Where a checkpoint lies and what computes it is no part of what it is.
    let mut identity = Vec::new();
    for scorer in &recipe.scorer {
        let bare = ScorerRecipe {
            model: PathBuf::new(),
            device: String::new(),
            ..scorer.clone()
        };
        identity.push((checkpoint::sha256(&scorer.model)?, bare));
    }
    let kept = Kept::open(&beside(&scores_path(args), "margins.jsonl"))?;
    let identity = serde_json::to_string(&identity)?;
    Ok(Likelihood::new(scorers, identity, kept))
}

/// Hashes what is read: the rows, and the scorers' checkpoints.
fn inputs(args: &Args, recipe: &JudgeRecipe, who: &[Who], manifest: &mut Manifest) -> Result<()> {
    let rows = [&args.contexts, &args.negatives];
    for path in rows {
        manifest.inputs.push(Input::of(path)?);
    }
    let scorers = recipe.scorer.iter().map(|scorer| &*scorer.model);
    let scorers = scorers.filter(|_| who.contains(&Who::Likelihood));
    manifest.inputs.extend(checkpoint::inputs(scorers)?);
    Ok(())
}

/// Brings the rows of a repository together.
fn fill(args: &Args, members: &[Box<dyn Member>], manifest: &mut Manifest) -> Result<Spool> {
    let partitions = partitions_for(&[&args.contexts, &args.negatives]);
    let mut spool = Spool::beside(&args.out, partitions)?;
    let contexts = ContextTable::read(&args.contexts, |context| {
        let partition = repository_hash(context) as usize % partitions;
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

/// The step at its work.
struct Step<'a> {
    runtime: Runtime,
    panel: Panel<'a>,
    /// Writes the scores, where this run does.
    offline: Option<Offline>,
    /// Where this run writes them.
    verdicts: Option<RowWriter<Verdict>>,
    tally: Tally,
    done: Done<'a>,
}

impl Step<'_> {
    /// Judges some repositories, each of which is here with all its rows.
    fn judge(&mut self, mut items: Vec<Item>, manifest: &mut Manifest) -> Result<()> {
        let twice: u64 = items.iter_mut().map(drop_twins).sum();
        manifest.count("negatives with an id that stood before", twice);
        let rows: usize = items.iter().map(|item| item.negatives.len()).sum();
        let whole = self.done.rows + rows as u64 + twice;
        let of_one = (self.panel.members.len() * self.panel.recipe.kinds.len()) as u64;
        let (tally, verdicts, done) = (&mut self.tally, &mut self.verdicts, &mut self.done);
        let asked = self.panel.ask(&items, |verdict, about| {
            tally.add(&verdict, about);
            if let Some(verdicts) = verdicts {
                verdicts.write(&verdict)?;
            }
            done.verdict(&verdict, of_one);
            Ok(())
        });
        self.runtime.block_on(asked)?;
        if let Some(offline) = &mut self.offline {
            offline.add(&items, &self.done.counter())?;
        }
        self.done.at(whole);
        Ok(())
    }

    /// Gives the files their names, the manifest last.
    fn finish(self, args: &Args, mut manifest: Manifest) -> Result<Judged> {
        self.done.progress.finish();
        let shortened = self.panel.shortened;
        manifest.count("questions that show less than the row holds", shortened);
        let mut tables: Tables = self.tally.tables().into_iter().collect();
        // The manifest stands beside what the run wrote: that of other judges' verdicts stays.
        let scores = scores_path(args);
        let named = match &self.verdicts {
            Some(_) => &args.out,
            None => &scores,
        };
        if let Some(verdicts) = self.verdicts {
            manifest.outputs.push(verdicts.finish()?);
        }
        if let Some(offline) = self.offline {
            let (written, found) = offline.finish(&scores)?;
            manifest.outputs.push(written);
            tables.extend(found);
        }
        manifest.tables = table::by_name(&tables);
        if let Some(books) = self.done.books {
            self.runtime.block_on(books.report(&mut manifest))?;
            let prompts = self.panel.prompts;
            let rows = [prompts.blind.row(), prompts.preference.row()];
            let rows = rows.into_iter().collect();
            manifest.tables.insert("prompts".to_owned(), rows);
        }
        manifest.write_beside(named)?;
        let problem = self.panel.roll.not_whole();
        Ok(Judged { tables, problem })
    }
}

/// How far it is, in negatives.
struct Done<'a> {
    progress: Progress,
    books: Option<&'a Books>,
    /// Negatives that every judge was asked about.
    rows: u64,
    /// Verdicts on negatives since.
    verdicts: u64,
}

impl<'a> Done<'a> {
    fn begin(books: Option<&'a Books>, manifest: &Manifest) -> Self {
        let negatives = manifest.counts.get("negatives").copied();
        Self {
            progress: Progress::start("judging", Some(negatives.unwrap_or(0))),
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

    /// Shows how many negatives are done after those that are done already; where verdicts were
    /// waited for, they are what is shown.
    fn counter(&self) -> impl Fn(u64) + Sync {
        let seen = AtomicU64::new(self.rows);
        let asked = self.books.is_some();
        move |more| {
            let rows = seen.fetch_add(more, Ordering::Relaxed) + more;
            if !asked {
                self.progress.at(rows, "");
            }
        }
    }

    fn at(&mut self, rows: u64) {
        (self.rows, self.verdicts) = (rows, 0);
        let figures = self.books.map(Books::figures).unwrap_or_default();
        self.progress.at(rows, &figures);
    }
}
