//! `ablate`: the same pipeline with one choice after the other changed.

mod cells;
mod check;
mod inputs;
pub mod recipe;
mod steps;
mod tables;
mod unread;

use std::cell::RefCell;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use crate::progress::Progress;
use crate::{stored, table};
use cells::Cell;
use inputs::{Inputs, Model};
use recipe::AblateRecipe;
use steps::{Step, Steps, Trained};

/// Vary a recipe's choices and measure each
///
/// Reads `[ablate]` beside the sections of the other steps: axes such as the objective, the number
/// of rows or the types of hallucination, and the values to try. Each cell is curated, trained and
/// measured as the recipe says, but for what it changes; the checkpoint that training starts from is
/// measured too. What cells have in common is done once, and what was done is not done again: the
/// same command goes on where it was stopped. docs/eval.md has the axes.
///
/// The folder gets the cells' recipes, runs and figures, `ablation.md` with the tables and
/// `ablation.json` with all figures.
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
/// [`crate::usage::Usage`] for a recipe that cannot be meant; what a step says.
pub fn run(args: &AblateArgs, out: &mut dyn Write) -> Result<ExitCode> {
    let recipe: AblateRecipe = crate::recipe::section(Some(&args.recipe), "ablate")?;
    let named = crate::recipe::named(Some(&args.recipe));
    let from = args.recipe.parent().filter(|it| !it.as_os_str().is_empty());
    let from = from.unwrap_or(Path::new("."));
    let sections = crate::recipe::sections(&args.recipe)?;
    let generators = check::generators(&recipe, &sections, from)?;
    let cells = cells::expand(&sections, &recipe, &generators).map_err(&named)?;
    check::check(&recipe, &cells, &generators).map_err(&named)?;
    let open = cells::find(&sections, "curate.generators").is_none();
    if let Some(preset) = recipe.preset.filter(|_| open) {
        writeln!(std::io::stderr(), "{}", preset.taken(&generators))?;
    }
    if args.list {
        for cell in &cells {
            writeln!(out, "{}", cell.name())?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let folder = args.out.clone().unwrap_or_else(|| from.join(&recipe.out));
    let store = stored::store(args.store.as_deref())?;
    let inputs = Inputs::new(from, &store)?;
    let steps = Steps {
        out: &folder,
        inputs: &inputs,
        rows: recipe.rows.as_ref(),
        store: args.store.as_deref(),
        measured: RefCell::default(),
    };
    cells.iter().try_for_each(|cell| steps.look(cell))?;
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
    let lines = tables::read(&measured)?;
    let tables = tables::of(&recipe, &lines);
    tables::write(&folder, &tables, &lines)?;
    for warning in tables::warnings(&lines) {
        match args.json {
            true => writeln!(std::io::stderr(), "{warning}")?,
            false => writeln!(out, "{warning}\n")?,
        }
    }
    table::print(&tables, args.json, out)?;
    Ok(ExitCode::SUCCESS)
}

fn one(steps: &Steps<'_>, cell: Cell) -> Result<Step<Measured>> {
    let ready = steps.curated(&cell)?;
    let of_base = match steps.measured(&ready, &ready.base)? {
        Step::Done(figures) => figures,
        Step::Stopped(code) => return Ok(Step::Stopped(code)),
    };
    let trained = match steps.trained(&ready)? {
        Step::Done(trained) => trained,
        Step::Stopped(code) => return Ok(Step::Stopped(code)),
    };
    let figures = match &trained.checkpoint {
        None => of_base.clone(),
        Some(id) => match steps.measured(&ready, &Model::stored(id))? {
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
