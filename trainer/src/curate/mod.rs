//! `curate`: which rows are trained on.

mod bands;
mod composition;
mod datasheet;
mod emit;
mod near;
mod pool;
mod recipe;
mod select;
mod splits;
mod subsets;
#[cfg(test)]
mod tests;

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::rows::{Input, Manifest, Written, write_file};
use crate::table::{self, Tables};
use crate::usage::Usage;

pub use bands::{BandsRecipe, Fraction};
pub use recipe::{CurateRecipe, ResolverFilter, SplitBy};
pub use splits::Split;

/// Choose, balance and split rows into `sft.jsonl` and `pairs.jsonl`
///
/// Near-duplicates and what benchmarks hold are left out. Rows are capped by language and type and
/// by repository, at most one row of a context is trained on, and all rows of a repository are in
/// one split. Beside the training rows stand the splits `valid` and `test`, subsets of growing
/// size, and subsets by the share of blind judges whom the wrong completion fooled.
///
/// The folder also gets `curated.manifest.json`, with hashes and tables, and `DATASHEET.md`.
///
/// Examples:
///   truefill-trainer curate contexts.jsonl negatives.jsonl verdicts.jsonl scores.jsonl --out data
///   truefill-trainer curate contexts.jsonl negatives.jsonl --out data --benchmark delulu.csv
#[derive(Clone, Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    /// Rows that `mine` wrote
    pub contexts: PathBuf,
    /// Rows that `generate` wrote for them
    pub negatives: PathBuf,
    /// Verdicts that `judge` wrote; without them rows have no fool rate
    pub verdicts: Option<PathBuf>,
    /// Scores that `judge` wrote beside the verdicts
    pub scores: Option<PathBuf>,
    /// The folder for the rows
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// A recipe with `[curate]`
    #[arg(long, value_name = "FILE")]
    pub recipe: Option<PathBuf>,
    /// Draws contexts, rows and splits: the same seed gives the same files [default: the recipe's,
    /// or 1]
    #[arg(long, value_name = "NUMBER")]
    pub seed: Option<u64>,
    /// Leave out what this benchmark holds, beside the recipe's benchmarks (.csv or .jsonl; may
    /// be given several times)
    #[arg(long = "benchmark", value_name = "FILE")]
    pub benchmarks: Vec<PathBuf>,
    /// Print the tables as JSON
    #[arg(long)]
    pub json: bool,
}

/// Runs the command.
///
/// # Errors
/// [`crate::usage::Usage`] for a recipe that does not fit; rows that are wrong, by file and line.
pub fn run(args: &Args, out: &mut dyn Write) -> Result<()> {
    let mut recipe: CurateRecipe = crate::recipe::section(args.recipe.as_deref(), "curate")?;
    crate::recipe::found_from(args.recipe.as_deref(), &mut recipe.benchmarks);
    recipe.seed = args.seed.unwrap_or(recipe.seed);
    recipe.benchmarks.extend(args.benchmarks.iter().cloned());
    recipe.check()?;
    let tables = curate(args, &recipe)?;
    table::print(&tables, args.json, out)?;
    Ok(())
}

/// Curates by `recipe`; gives the tables by their names.
///
/// # Errors
/// As [`run`].
pub fn curate(args: &Args, recipe: &CurateRecipe) -> Result<Tables> {
    if args.scores.is_none() && recipe.resolver != ResolverFilter::Any {
        return Err(Usage::error(
            "section `[curate]`: expected scores for `resolver`, found none; give the file that `judge` \
             wrote, or `resolver = \"any\"`",
        ));
    }
    let mut manifest = Manifest::new("curate", recipe)?;
    let read = [Some(&args.contexts), Some(&args.negatives)];
    let read = read
        .into_iter()
        .chain([args.verdicts.as_ref(), args.scores.as_ref()]);
    let read: Vec<&PathBuf> = read.flatten().collect();
    let inputs = read.iter().copied().chain(&recipe.benchmarks);
    emit::apart(inputs.map(|path| &**path), &args.out)?;
    for path in read {
        manifest.inputs.push(Input::of(path)?);
    }
    let earlier = datasheet::earlier(&manifest.inputs);
    for path in &recipe.benchmarks {
        manifest.inputs.push(Input::of(path)?);
    }
    let mut pool = pool::Pool::read(&args.contexts, &args.negatives, recipe)?;
    if let Some(verdicts) = &args.verdicts {
        pool.read_verdicts(verdicts)?;
    }
    if let Some(scores) = &args.scores {
        pool.read_scores(scores)?;
    }
    let selection = select::select(&pool, recipe);
    let subsets = subsets::Subsets::form(&pool, &selection.chosen, recipe);
    let mut composition = composition::Composition::new(&pool);
    let places = emit::Places {
        contexts: &args.contexts,
        negatives: &args.negatives,
        folder: &args.out,
        compress: recipe.compress,
    };
    let chosen = &selection.chosen;
    let written = emit::emit(&places, &pool, chosen, &subsets, &mut composition)?;
    manifest.outputs = written
        .into_iter()
        .map(|file| within(file, &args.out))
        .collect();
    count(&mut manifest, &pool, &selection, &composition, &subsets);
    let tables = composition.tables(&recipe.bands, pool.panel());
    manifest.tables = table::by_name(&tables);
    let sheet = args.out.join(emit::DATASHEET);
    write_file(
        &sheet,
        datasheet::datasheet(&manifest, &earlier, &tables).as_bytes(),
    )?;
    manifest.write_beside(&args.out.join(emit::OUTPUT))?;
    Ok(tables)
}

/// A file by its place in the folder, so that a folder that is moved has a manifest that is right.
fn within(file: Written, folder: &Path) -> Written {
    let path = file.path.strip_prefix(folder).map(Path::to_owned);
    Written {
        path: path.unwrap_or(file.path.clone()),
        ..file
    }
}

fn count(
    manifest: &mut Manifest,
    pool: &pool::Pool,
    selection: &select::Selection,
    composition: &composition::Composition,
    subsets: &subsets::Subsets,
) {
    manifest.counts.extend(pool.counts.clone());
    for (reason, rows) in &selection.refused {
        manifest.count(format!("negatives not chosen: {reason}"), *rows);
    }
    for split in Split::ALL {
        let name = split.name();
        manifest.count(
            format!("chosen for {name}: SFT rows"),
            composition.sft_rows(split),
        );
        manifest.count(
            format!("chosen for {name}: pairs"),
            composition.pair_rows(split),
        );
    }
    manifest.count("rows of each band's subset", subsets.band_rows as u64);
    for (size, missing) in &subsets.missing {
        let name = format!("subset of {size} rows not written: rows that are missing");
        manifest.count(name, *missing as u64);
    }
}
