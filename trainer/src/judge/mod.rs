//! `judge`: a blind panel's verdicts, and what can be told about negatives without a panel.

mod ask;
mod found;
mod offline;
mod parse;
mod prompt;
mod recipe;
mod resolve;
mod sources;
mod step;
mod tally;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::ValueEnum;

use crate::panel;
use crate::table;
use crate::usage::Usage;

pub use recipe::JudgeRecipe;
pub use step::{Judged, judge};

/// Ask a blind panel of models about wrong and golden completions, and score without one
///
/// The panel sees one completion at a time and is not told that it may be wrong. The share of
/// judges that call a wrong completion correct is its fool rate. Golden completions are judged
/// too, so that each judge's false accepts and false rejects are known. A blocked or unreadable
/// answer is missing, never 0. The command can be broken off: what was answered is kept, and the
/// same command goes on from there.
///
/// `resolve` asks the language server's resolver which wrong completions name something that
/// cannot exist; `likelihood` compares log-probabilities under the recipe's scorers, of which there
/// must be three or more. Both fill the scores file; neither is a verdict. A file that none of the
/// run's judges fills is left as an earlier run wrote it.
///
/// Examples:
///   truefill-trainer judge contexts.jsonl.zst negatives.jsonl.zst --out verdicts.jsonl.zst
///   truefill-trainer judge contexts.jsonl negatives.jsonl --recipe recipe.toml --judges panel
#[derive(Clone, Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    /// Rows that `mine` wrote
    pub contexts: PathBuf,
    /// Rows that `generate` wrote for them
    pub negatives: PathBuf,
    /// Where the verdicts go, compressed where the name ends in `.zst`; the manifest is put beside
    /// them
    #[arg(long, value_name = "FILE", default_value = "verdicts.jsonl.zst")]
    pub out: PathBuf,
    /// Where the scores go [default: `scores.jsonl.zst` beside the verdicts]
    #[arg(long, value_name = "FILE")]
    pub scores: Option<PathBuf>,
    /// A recipe with `[judge]`, and `[members.NAME]` for a panel
    #[arg(long, value_name = "FILE")]
    pub recipe: Option<PathBuf>,
    /// Who judges, by commas [default: `resolve`, and what the recipe sets up]
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
    recipe.find_from(args.recipe.as_deref());
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
    table::print(&judged.tables, args.json, out)?;
    match judged.problem {
        Some(problem) => bail!("{problem}"),
        None => Ok(()),
    }
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
