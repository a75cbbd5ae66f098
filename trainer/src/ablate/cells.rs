//! From axes to recipes.

use std::collections::BTreeMap;

use anyhow::Result;
use sha2::{Digest, Sha256};
use toml::{Table, Value};

use super::recipe::AblateRecipe;
use crate::usage::Usage;

/// One recipe of the grid.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// What it stands for on each axis that it is on: the axis and the cell's name; nothing of the recipe as
    /// it stands.
    pub on: BTreeMap<String, String>,
    /// The sections `[curate]`, `[train]` and `[eval]`, and `[members]`.
    pub recipe: Table,
}

impl Cell {
    /// Its name: a folder's.
    #[must_use]
    pub fn name(&self) -> String {
        let parts = self.on.iter().map(|(axis, cell)| format!("{axis}={cell}"));
        let name = parts.collect::<Vec<_>>().join(",");
        let plain = |c: char| {
            if c.is_ascii_alphanumeric() || "-_.=,+".contains(c) {
                c
            } else {
                '-'
            }
        };
        match name.is_empty() {
            true => "recipe".to_owned(),
            false => name.chars().map(plain).collect(),
        }
    }

    /// A hash of sections, in hex.
    #[must_use]
    pub fn hash(&self, sections: &[&str]) -> String {
        let mut hasher = Sha256::new();
        for name in sections {
            let section = self.recipe.get(*name).map(ToString::to_string);
            hasher.update(name);
            hasher.update(section.unwrap_or_default());
            hasher.update([0]);
        }
        hex::encode(&hasher.finalize()[..8])
    }
}

/// The cells: the recipe as it stands, then those of each axis by itself, or of all axes together.
///
/// # Errors
/// [`Usage`] for axes that cannot be meant.
pub fn expand(sections: &Table, recipe: &AblateRecipe, generators: &[String]) -> Result<Vec<Cell>> {
    let mut own = sections.clone();
    own.remove("ablate");
    if let Some(preset) = recipe.preset {
        for (key, value) in preset.keys(generators) {
            set(&mut own, key, value)?;
        }
    }
    let mut cells = vec![Cell {
        on: BTreeMap::new(),
        recipe: own,
    }];
    for axis in &recipe.axis {
        if axis.name.is_empty() {
            return Err(Usage::error("`[[ablate.axis]]`: expected a `name`"));
        }
        let of_axis = axis.cells()?;
        let from = match recipe.grid {
            true => std::mem::take(&mut cells),
            false => vec![cells[0].clone()],
        };
        for cell in &from {
            for (name, keys) in &of_axis {
                let mut cell = cell.clone();
                cell.on.insert(axis.name.clone(), name.clone());
                for (key, value) in keys {
                    set(&mut cell.recipe, key, value.clone())?;
                }
                cells.push(cell);
            }
        }
    }
    Ok(cells)
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
mod tests {
    use super::*;

    fn expanded(text: &str) -> Result<Vec<Cell>> {
        let sections: Table = toml::from_str(text).expect("TOML");
        let recipe: AblateRecipe = crate::recipe::read(sections["ablate"].clone(), "it")?;
        expand(&sections, &recipe, &["a".into(), "b".into(), "c".into()])
    }

    const RECIPE: &str = "[train]\nobjective = 'sft'\n[train.fgit]\nalpha = 2.0\n[ablate]\n";

    #[test]
    fn one_axis_at_a_time_or_all_together() {
        let axes = "[[ablate.axis]]\nname = 'objective'\nvalues = ['sft', 'fgit']\n\
            [[ablate.axis]]\nname = 'alpha'\nvalues = [1.5, 2.0, 3.0]\n";
        let cells = expanded(&format!("{RECIPE}{axes}")).expect("cells");
        let names: Vec<String> = cells.iter().map(Cell::name).collect();
        assert_eq!(
            names,
            [
                "recipe",
                "objective=sft",
                "objective=fgit",
                "alpha=1.5",
                "alpha=2.0",
                "alpha=3.0"
            ]
        );
        assert_eq!(
            cells[3].recipe["train"]["fgit"]["alpha"].as_float(),
            Some(1.5)
        );
        assert_eq!(cells[3].recipe["train"]["objective"].as_str(), Some("sft"));
        // What says the same is the same run.
        assert_eq!(cells[0].hash(&["train"]), cells[1].hash(&["train"]));
        assert_ne!(cells[0].hash(&["train"]), cells[2].hash(&["train"]));
        let grid = expanded(&format!("{RECIPE}grid = true\n{axes}")).expect("cells");
        assert_eq!(grid.len(), 6);
        assert_eq!(grid[5].name(), "alpha=3.0,objective=fgit");
    }

    #[test]
    fn known_axes_set_what_they_stand_for() {
        let one = |axis: &str, value: &str| {
            let text = format!("{RECIPE}[[ablate.axis]]\nname = '{axis}'\nvalues = [{value}]\n");
            expanded(&text).map(|cells| cells[1].recipe.clone())
        };
        let recipe = one("size", "5000").expect("a size");
        assert_eq!(
            recipe["train"]["data"][0].as_str(),
            Some("{data}/subsets/size-5000/pairs.jsonl")
        );
        let recipe = one("types", "['method', 'import']").expect("types");
        let types = recipe["curate"]["types"].as_table().expect("weights");
        let left_out: Vec<&String> = types.keys().collect();
        assert_eq!(left_out, ["parameter", "undefined_variable"]);
        let recipe = one("source", "'local'").expect("a source");
        assert_eq!(recipe["curate"]["generators"][0].as_str(), Some("local"));
        for (axis, _) in super::super::recipe::KNOWN {
            let value = match axis {
                "size" | "epochs" => "2",
                "alpha" | "fixed_weight" => "2.0",
                "generators" => "['a']",
                "types" => "'method'",
                "languages" => "'go'",
                _ => "'x'",
            };
            assert!(one(axis, value).is_ok(), "{axis}");
        }
        for (axis, value, expected) in [
            ("sise", "1", "objective"),
            ("types", "['methods']", "`methods`"),
            ("size", "'many'", "numbers"),
        ] {
            let error = one(axis, value).expect_err(axis).to_string();
            assert!(error.contains(expected) && error.contains(axis), "{error}");
        }
    }

    #[test]
    fn cells_set_any_key_and_no_other() {
        let cell = |key: &str| {
            expanded(&format!(
                "{RECIPE}[[ablate.axis]]\nname = 'mine'\n[[ablate.axis.cell]]\nname = 'a b'\nset = {{ '{key}' = 1 }}\n"
            ))
        };
        let cells = cell("train.lora.rank").expect("a cell");
        assert_eq!(cells[1].name(), "mine=a-b");
        assert_eq!(
            cells[1].recipe["train"]["lora"]["rank"].as_integer(),
            Some(1)
        );
        for wrong in ["rank", "judge.seed", "train.objective.x"] {
            let error = cell(wrong).expect_err(wrong);
            assert!(
                error.is::<Usage>() && error.to_string().contains(wrong),
                "{error}"
            );
        }
        let preset = expanded(&format!("{RECIPE}preset = 'reduced'\n")).expect("cells");
        let generators = preset[0].recipe["curate"]["generators"].as_array();
        assert_eq!(generators.map(Vec::len), Some(2));
    }
}
