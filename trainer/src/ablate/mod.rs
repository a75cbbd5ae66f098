//! `ablate`: the same pipeline with one choice after the other changed.

mod cells;
pub mod recipe;
mod steps;
mod tables;

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use crate::progress::Progress;
use crate::rows::{Negative, RowReader};
use crate::table;
use crate::usage::Usage;
use cells::Cell;
use recipe::AblateRecipe;
use steps::{Step, Steps, Trained};

/// Vary a recipe's choices and measure each
///
/// Reads `[ablate]` beside the sections of the other steps: axes such as the objective, the number of rows or
/// the types of hallucination, and the values to try. Each cell is curated, trained and measured as the
/// recipe says, but for what it changes; the checkpoint that training starts from is measured too. What
/// cells have in common is done once, and what was done is not done again: the same command goes on
/// where it was stopped. docs/eval.md has the axes.
///
/// The folder gets the cells' recipes, runs and figures, and `ablation.md` and `ablation.json` with the tables.
///
/// Examples:
///   truefill-trainer ablate recipe.toml
///   truefill-trainer ablate recipe.toml --list
#[derive(Clone, Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct AblateArgs {
    /// The recipe
    pub recipe: PathBuf,
    /// The folder of the cells [default: the recipe's, or `ablation`]
    #[arg(long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,
    /// Say which cells there are, and run none
    #[arg(long)]
    pub list: bool,
    /// The store of checkpoints [default: the user's]
    #[arg(long, value_name = "FOLDER")]
    pub store: Option<PathBuf>,
    /// Print the tables as JSON
    #[arg(long)]
    pub json: bool,
}

/// A cell that was measured.
pub struct Measured {
    /// The cell.
    pub cell: Cell,
    /// What training gave.
    pub trained: Trained,
    /// The folder of its figures.
    pub figures: PathBuf,
    /// The folder of its base's figures.
    pub base: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// [`Usage`] for a recipe that cannot be meant; what a step says.
pub fn run(args: &AblateArgs, out: &mut dyn Write) -> Result<ExitCode> {
    let recipe: AblateRecipe = crate::recipe::section(Some(&args.recipe), "ablate")?;
    let named = crate::recipe::named(Some(&args.recipe));
    let from = args.recipe.parent().filter(|it| !it.as_os_str().is_empty());
    let from = from.unwrap_or(Path::new("."));
    let generators = generators(&recipe, from)?;
    let sections = crate::recipe::sections(&args.recipe)?;
    let cells = cells::expand(&sections, &recipe, &generators).map_err(named)?;
    check(&recipe, &cells, &args.recipe)?;
    if args.list {
        for cell in &cells {
            writeln!(out, "{}", cell.name())?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let folder = args.out.clone().unwrap_or_else(|| from.join(&recipe.out));
    let steps = Steps {
        out: &folder,
        from,
        rows: recipe.rows.as_ref(),
        store: args.store.as_deref(),
    };
    let progress = Progress::start("ablate", Some(cells.len() as u64));
    let mut measured = Vec::new();
    for cell in cells {
        progress.say(&cell.name());
        match one(&steps, cell)? {
            Step::Done(found) => measured.push(found),
            Step::Stopped(code) => return Ok(code),
        }
        progress.add(1);
    }
    progress.finish();
    let tables = tables::of(&recipe, &measured)?;
    tables::write(&folder, &tables)?;
    table::print(&tables, args.json, out)?;
    Ok(ExitCode::SUCCESS)
}

fn one(steps: &Steps<'_>, cell: Cell) -> Result<Step<Measured>> {
    let ready = steps.curated(&cell)?;
    let base = ready
        .recipe
        .get("train")
        .and_then(|train| train.get("checkpoint"));
    let base = base
        .and_then(toml::Value::as_str)
        .unwrap_or("default")
        .to_owned();
    let of_base = match steps.measured(&ready, &base)? {
        Step::Done(figures) => figures,
        Step::Stopped(code) => return Ok(Step::Stopped(code)),
    };
    let trained = match steps.trained(&ready)? {
        Step::Done(trained) => trained,
        Step::Stopped(code) => return Ok(Step::Stopped(code)),
    };
    let figures = match &trained.checkpoint {
        None => of_base.clone(),
        Some(id) => match steps.measured(&ready, id)? {
            Step::Done(figures) => figures,
            Step::Stopped(code) => return Ok(Step::Stopped(code)),
        },
    };
    Ok(Step::Done(Measured {
        cell,
        trained,
        figures,
        base: of_base,
    }))
}

/// The generators of the negatives, in the order of their names.
fn generators(recipe: &AblateRecipe, from: &Path) -> Result<Vec<String>> {
    let (Some(rows), Some(_)) = (&recipe.rows, recipe.preset) else {
        return Ok(Vec::new());
    };
    let mut names = BTreeSet::new();
    for negative in RowReader::<Negative>::open(&from.join(&rows.negatives), "negatives")? {
        names.insert(negative?.generator);
    }
    Ok(names.into_iter().collect())
}

fn check(recipe: &AblateRecipe, cells: &[Cell], path: &Path) -> Result<()> {
    let wrong = |why: &str| {
        let path = path.display();
        Err(Usage::error(format!("{path}: section `[ablate]`: {why}")))
    };
    if recipe.axis.is_empty() {
        return wrong("expected `[[ablate.axis]]`, found none: nothing would be varied");
    }
    if recipe.figures.is_empty() {
        return wrong("expected names in `figures`, found none");
    }
    let has = |cell: &Cell, name: &str| cell.recipe.contains_key(name);
    if let Some(missing) = ["train", "eval"].iter().find(|name| !has(&cells[0], name)) {
        return wrong(&format!("expected `[{missing}]` in the recipe, found none"));
    }
    let curates = |cell: &Cell| cell.recipe.get("curate") != cells[0].recipe.get("curate");
    if recipe.rows.is_none() && cells.iter().any(curates) {
        return wrong(
            "an axis changes `[curate]`: expected `[ablate.rows]` with `contexts` and `negatives`, found none",
        );
    }
    Ok(())
}
