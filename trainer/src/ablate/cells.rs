//! From axes to recipes.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use toml::{Table, Value};

use super::recipe::AblateRecipe;
use crate::usage::Usage;

/// One recipe of the grid.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// What it stands for on each axis that it is on: the axis and the cell's name; nothing of the recipe as
    /// it stands.
    pub on: BTreeMap<String, String>,
    /// The dotted keys that its axes set.
    pub keys: BTreeSet<String>,
    /// The sections `[curate]`, `[train]` and `[eval]`, and `[members]`.
    pub recipe: Table,
}

impl Cell {
    /// What people call it.
    #[must_use]
    pub fn name(&self) -> String {
        let parts = self.on.iter().map(|(axis, cell)| format!("{axis}={cell}"));
        let name = parts.collect::<Vec<_>>().join(",");
        match name.is_empty() {
            true => "recipe".to_owned(),
            false => name,
        }
    }
}

/// The cells: the recipe as it stands, then those of each axis by itself, or of all axes together.
/// `generators` are the rows that each of them wrote.
///
/// # Errors
/// [`Usage`] for axes that cannot be meant.
pub fn expand(
    sections: &Table,
    recipe: &AblateRecipe,
    generators: &BTreeMap<String, u64>,
) -> Result<Vec<Cell>> {
    let mut cells = vec![Cell {
        on: BTreeMap::new(),
        keys: BTreeSet::new(),
        recipe: own(sections, recipe, generators)?,
    }];
    let mut set_before: Vec<(&str, BTreeSet<String>)> = Vec::new();
    for axis in &recipe.axis {
        if axis.name.is_empty() {
            return Err(Usage::error("`[[ablate.axis]]`: expected a `name`"));
        }
        if set_before.iter().any(|(name, _)| *name == axis.name) {
            let name = &axis.name;
            return Err(Usage::error(format!(
                "`[ablate]`: expected axes of different names, found `{name}` twice"
            )));
        }
        let of_axis = axis.cells()?;
        let keys = of_axis.iter().flat_map(|(_, set)| set);
        let keys: BTreeSet<String> = keys.map(|(key, _)| key.clone()).collect();
        if recipe.grid {
            apart(&set_before, &axis.name, &keys)?;
        }
        set_before.push((&axis.name, keys));
        let from = match recipe.grid {
            true => std::mem::take(&mut cells),
            false => vec![cells[0].clone()],
        };
        for cell in &from {
            for (name, set_by_it) in &of_axis {
                let mut cell = cell.clone();
                cell.on.insert(axis.name.clone(), name.clone());
                for (key, value) in set_by_it {
                    set(&mut cell.recipe, key, value.clone())?;
                    cell.keys.insert(key.clone());
                }
                cells.push(cell);
            }
        }
    }
    Ok(cells)
}

/// The recipe as it stands, with what a preset sets beside it.
fn own(
    sections: &Table,
    recipe: &AblateRecipe,
    generators: &BTreeMap<String, u64>,
) -> Result<Table> {
    let mut own = sections.clone();
    own.remove("ablate");
    let Some(preset) = recipe.preset else {
        return Ok(own);
    };
    let keys = preset.keys(generators).into_iter();
    let keys: Vec<_> = keys.filter(|(key, _)| !is_set(&own, key)).collect();
    let wrong = |why: &str| Err(Usage::error(format!("`preset` of `[ablate]`: {why}")));
    if recipe.rows.is_none() {
        return wrong(
            "it changes what `curate` chooses: expected `[ablate.rows]` with `contexts` and `negatives`, found \
             none",
        );
    }
    if !uses_data(&own) {
        return wrong(
            "it changes what `curate` chooses: expected `{data}` in `train.data`, found other files alone",
        );
    }
    if keys.is_empty() {
        return wrong(
            "expected something that it may set, found `curate.rows` and `curate.generators` set in the recipe; \
             take one of them out, or the preset",
        );
    }
    for (key, value) in keys {
        set(&mut own, key, value)?;
    }
    Ok(own)
}

/// Of two axes of a grid that set the same key the last would win, and the first vary nothing.
fn apart(before: &[(&str, BTreeSet<String>)], name: &str, keys: &BTreeSet<String>) -> Result<()> {
    let below = |key: &str, table: &str| {
        let rest = key.strip_prefix(table);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    for (other, theirs) in before {
        let same = |key: &&String| {
            let mut theirs = theirs.iter();
            theirs.any(|their| below(key, their) || below(their, key))
        };
        if let Some(key) = keys.iter().find(same) {
            return Err(Usage::error(format!(
                "`[ablate]`: expected axes of a grid that set different keys, found `{other}` and `{name}`, which \
                 both set `{key}`; leave one out, or take out `grid`"
            )));
        }
    }
    Ok(())
}

/// The value of a dotted key.
pub fn find<'t>(recipe: &'t Table, key: &str) -> Option<&'t Value> {
    let (first, rest) = key.split_once('.')?;
    rest.split('.')
        .try_fold(recipe.get(first)?, |value, part| value.get(part))
}

fn is_set(recipe: &Table, key: &str) -> bool {
    find(recipe, key).is_some()
}

/// What stands for the folder of curated rows.
pub const DATA: &str = "{data}";

/// Whether a text of a value names the folder of curated rows.
pub fn names_data(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains(DATA),
        Value::Array(values) => values.iter().any(names_data),
        Value::Table(table) => table.iter().any(|(_, value)| names_data(value)),
        _ => false,
    }
}

/// Whether a recipe trains on curated rows of the ablation.
pub fn uses_data(recipe: &Table) -> bool {
    find(recipe, "train.data").is_some_and(names_data)
}

/// Sets a dotted key.
fn set(recipe: &mut Table, key: &str, value: Value) -> Result<()> {
    let parts: Vec<&str> = key.split('.').collect();
    let wrong = || {
        Usage::error(format!(
            "`[ablate]`: expected a key of `[curate]`, `[train]` or `[eval]` such as `train.objective`, found \
             `{key}`"
        ))
    };
    let (last, tables) = parts.split_last().ok_or_else(wrong)?;
    if !matches!(tables.first(), Some(&("curate" | "train" | "eval"))) {
        return Err(wrong());
    }
    let mut table = recipe;
    for part in tables {
        let entry = table
            .entry(*part)
            .or_insert_with(|| Value::Table(Table::new()));
        table = entry.as_table_mut().ok_or_else(wrong)?;
    }
    table.insert((*last).to_owned(), value);
    Ok(())
}

#[cfg(test)]
mod tests;
