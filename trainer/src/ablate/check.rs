//! What cannot be meant is refused before anything runs: after the first cells' hours it would be late.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use serde::de::DeserializeOwned;
use toml::Table;

use super::cells::{Cell, names_data, uses_data};
use super::recipe::AblateRecipe;
use super::unread;
use crate::curate::{CurateRecipe, ResolverFilter};
use crate::eval::recipe::EvalRecipe;
use crate::rows::{Negative, RowReader};
use crate::train::recipe::TrainRecipe;
use crate::usage::Usage;

/// A cell's sections, read.
pub struct Sections {
    /// `[curate]`.
    pub curate: CurateRecipe,
    /// `[train]`.
    pub train: TrainRecipe,
    /// `[eval]`.
    pub eval: EvalRecipe,
}

impl Sections {
    /// Reads them; none of them has been looked at before.
    ///
    /// # Errors
    /// [`Usage`] for keys and values that cannot be meant.
    pub fn of(recipe: &Table) -> Result<Self> {
        let sections = Self {
            curate: part(recipe, "curate")?,
            train: part(recipe, "train")?,
            eval: part(recipe, "eval")?,
        };
        sections.curate.check()?;
        sections.train.check()?;
        sections.eval.check()?;
        Ok(sections)
    }
}

fn part<T: DeserializeOwned + Default>(recipe: &Table, name: &str) -> Result<T> {
    match recipe.get(name) {
        Some(found) => crate::recipe::read(found.clone(), &format!("section `[{name}]`")),
        None => Ok(T::default()),
    }
}

/// Refuses a recipe whose cells cannot be meant, or vary nothing.
///
/// # Errors
/// [`Usage`], which names the cell.
pub fn check(
    recipe: &AblateRecipe,
    cells: &[Cell],
    generators: &BTreeMap<String, u64>,
) -> Result<()> {
    let wrong = |why: &str| Err(Usage::error(format!("section `[ablate]`: {why}")));
    if recipe.axis.is_empty() {
        return wrong("expected `[[ablate.axis]]`, found none: nothing would be varied");
    }
    if recipe.figures.is_empty() {
        return wrong("expected names in `figures`, found none");
    }
    for name in ["train", "eval"] {
        if !cells.iter().all(|cell| cell.recipe.contains_key(name)) {
            return wrong(&format!("expected `[{name}]` in the recipe, found none"));
        }
    }
    let curates = |cell: &Cell| cell.recipe.values().any(names_data);
    if recipe.rows.is_some() && !cells.iter().any(curates) {
        return wrong(
            "expected `{data}` in `train.data`, which is the folder of the rows that `curate` makes of \
             `[ablate.rows]`, found it nowhere",
        );
    }
    for cell in cells {
        of_cell(recipe, cell, generators).map_err(|error| named(cell, error))?;
    }
    varied(recipe, cells)
}

/// Refuses an axis of which each cell does what another does: hours for what is known already.
fn varied(recipe: &AblateRecipe, cells: &[Cell]) -> Result<()> {
    let read = cells.iter().map(|cell| Ok((cell, read_of(cell)?)));
    let read: Vec<(&Cell, String)> = read.collect::<Result<_>>()?;
    for axis in &recipe.axis {
        let others = |cell: &Cell| {
            let mut on = cell.on.clone();
            on.remove(&axis.name);
            on
        };
        let twin = |(cell, text): &(&Cell, String)| {
            let mut same = read.iter().filter(|(other, own)| {
                own == text && other.on != cell.on && others(other) == others(cell)
            });
            same.next().map(|(other, _)| [cell.name(), other.name()])
        };
        let of_axis = read.iter();
        let of_axis = of_axis.filter(|(cell, _)| cell.on.contains_key(&axis.name));
        let twins: Option<Vec<[String; 2]>> = of_axis.map(twin).collect();
        if let Some([one, other]) = twins.as_ref().and_then(|twins| twins.first()) {
            return Err(Usage::error(format!(
                "axis `{}` of `[ablate]`: expected cells that differ in what a step reads, found that each trains \
                 and measures as another does, such as `{one}` as `{other}`; leave the axis out, or set what its \
                 keys belong to, such as `train.objective`",
                axis.name
            )));
        }
    }
    Ok(())
}

/// What the steps read of a cell's recipe.
fn read_of(cell: &Cell) -> Result<String> {
    let sections = Sections::of(&cell.recipe)?;
    let curates = cell.recipe.values().any(names_data);
    Ok(serde_json::to_string(&(
        curates.then_some(&sections.curate),
        unread::cleared(&sections.train),
        unread::of_any_model(&sections.eval),
    ))?)
}

/// Names the cell in an error that says what has to be changed.
fn named(cell: &Cell, error: anyhow::Error) -> anyhow::Error {
    match error.downcast_ref::<Usage>() {
        Some(usage) if !cell.on.is_empty() => {
            Usage::error(format!("cell `{}` of `[ablate]`: {usage}", cell.name()))
        }
        _ => error,
    }
}

fn of_cell(recipe: &AblateRecipe, cell: &Cell, generators: &BTreeMap<String, u64>) -> Result<()> {
    let wrong = |why: &str| Err(Usage::error(why));
    let curated = cell.keys.iter().any(|key| key.starts_with("curate."));
    if recipe.rows.is_none() {
        if curated {
            return wrong(
                "it changes `[curate]`: expected `[ablate.rows]` with `contexts` and `negatives`, found none",
            );
        }
        if cell.recipe.values().any(names_data) {
            return wrong(
                "it names `{data}`, the folder that `curate` writes: expected `[ablate.rows]` with `contexts` and \
                 `negatives`, found none",
            );
        }
    }
    if curated && !uses_data(&cell.recipe) {
        return wrong(
            "it changes `[curate]` and would train on the same rows: expected `{data}` in `train.data`, such as \
             `{data}/pairs.jsonl`, found other files alone",
        );
    }
    let sections = Sections::of(&cell.recipe)?;
    if sections.eval.suite.is_empty() {
        return wrong("section `[eval]`: expected a suite in `[[eval.suite]]`, found none");
    }
    let scores = recipe.rows.as_ref().map(|rows| rows.scores.is_some());
    if scores == Some(false) && sections.curate.resolver != ResolverFilter::Any {
        return wrong(
            "section `[curate]`: `resolver` needs scores: expected `scores` in `[ablate.rows]`, found none",
        );
    }
    let mut named = sections.curate.generators.iter();
    let unknown = named.find(|name| !generators.contains_key(*name));
    match unknown.filter(|_| !generators.is_empty()) {
        None => Ok(()),
        Some(name) => {
            let known: Vec<&str> = generators.keys().map(String::as_str).collect();
            Err(Usage::error(format!(
                "section `[curate]`: expected `generators` of the negatives, which are {}, found `{name}`",
                known.join(", ")
            )))
        }
    }
}

/// The generators of the negatives with their rows, where the recipe has to do with them.
///
/// # Errors
/// Where the negatives cannot be read.
pub fn generators(
    recipe: &AblateRecipe,
    sections: &Table,
    from: &Path,
) -> Result<BTreeMap<String, u64>> {
    let mut found = BTreeMap::new();
    let chosen = super::cells::find(sections, "curate.generators").is_some();
    let varied = recipe.axis.iter().any(|axis| {
        let of_axis = axis.cells().unwrap_or_default();
        let mut keys = of_axis.iter().flat_map(|(_, set)| set);
        keys.any(|(key, _)| key == "curate.generators")
    });
    let Some(rows) = &recipe.rows else {
        return Ok(found);
    };
    if recipe.preset.is_none() && !chosen && !varied {
        return Ok(found);
    }
    for negative in RowReader::<Negative>::open(&from.join(&rows.negatives), "negatives")? {
        *found.entry(negative?.generator).or_default() += 1;
    }
    Ok(found)
}
