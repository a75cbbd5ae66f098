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
mod tests {
    use super::*;

    fn expanded(text: &str) -> Result<Vec<Cell>> {
        let sections: Table = toml::from_str(text).expect("TOML");
        let recipe: AblateRecipe = crate::recipe::read(sections["ablate"].clone(), "it")?;
        let rows = [("a", 5), ("b", 7), ("c", 6), ("d", 6)];
        let rows = rows.map(|(name, rows)| (name.to_owned(), rows));
        expand(&sections, &recipe, &rows.into())
    }

    const RECIPE: &str = "[train]\nobjective = 'fgit'\n[train.fgit]\nalpha = 2.0\n[ablate]\n";

    #[test]
    fn one_axis_at_a_time_or_all_together() {
        let axes = "[[ablate.axis]]\nname = 'objective'\nvalues = ['fgit', 'fgit+orpo']\n\
            [[ablate.axis]]\nname = 'alpha'\nvalues = [1.5, 2.0, 3.0]\n";
        let cells = expanded(&format!("{RECIPE}{axes}")).expect("cells");
        let names: Vec<String> = cells.iter().map(Cell::name).collect();
        assert_eq!(
            names,
            [
                "recipe",
                "objective=fgit",
                "objective=fgit+orpo",
                "alpha=1.5",
                "alpha=2.0",
                "alpha=3.0"
            ]
        );
        assert_eq!(
            cells[3].recipe["train"]["fgit"]["alpha"].as_float(),
            Some(1.5)
        );
        assert_eq!(cells[3].recipe["train"]["objective"].as_str(), Some("fgit"));
        let grid = expanded(&format!("{RECIPE}grid = true\n{axes}")).expect("cells");
        assert_eq!(grid.len(), 6);
        assert_eq!(grid[5].name(), "alpha=3.0,objective=fgit+orpo");
    }

    #[test]
    fn known_axes_set_what_they_stand_for() {
        let one = |axis: &str, value: &str| {
            let text = format!("{RECIPE}[[ablate.axis]]\nname = '{axis}'\nvalues = [{value}]\n");
            expanded(&text).map(|cells| cells[1].clone())
        };
        let languages: Vec<String> = truefill_syntax::Language::ALL
            .iter()
            .filter(|language| **language != truefill_syntax::Language::Go)
            .map(|language| format!("{} = 0.0", language.name()))
            .collect();
        let but_go = format!("{{ {} }}", languages.join(", "));
        let expected: [(&str, &str, &[(&str, &str)]); 14] = [
            (
                "size",
                "5000",
                &[
                    ("curate.sizes", "[5000]"),
                    ("train.data", "['{data}/subsets/size-5000/pairs.jsonl']"),
                ],
            ),
            (
                "types",
                "['method', 'import']",
                &[(
                    "curate.types",
                    "{ parameter = 0.0, undefined_variable = 0.0 }",
                )],
            ),
            ("types", "'all'", &[("curate.types", "{}")]),
            ("languages", "'go'", &[("curate.languages", &but_go)]),
            ("languages", "'all'", &[("curate.languages", "{}")]),
            ("base", "'run-7'", &[("train.checkpoint", "'run-7'")]),
            (
                "band",
                "'hard'",
                &[("train.data", "['{data}/subsets/band-hard/pairs.jsonl']")],
            ),
            (
                "generators",
                "['a', 'b']",
                &[("curate.generators", "['a', 'b']")],
            ),
            ("source", "'local'", &[("curate.generators", "['local']")]),
            ("objective", "'orpo'", &[("train.objective", "'orpo'")]),
            ("alpha", "1.5", &[("train.fgit.alpha", "1.5")]),
            ("fixed_weight", "3.0", &[("train.fgit.fixed_weight", "3.0")]),
            ("epochs", "2", &[("train.epochs", "2")]),
            (
                "granularity",
                "'line'",
                &[("train.fgit.granularity", "'line'")],
            ),
        ];
        for (known, _) in super::super::recipe::KNOWN {
            assert!(expected.iter().any(|(axis, ..)| *axis == known), "{known}");
        }
        for (axis, value, keys) in expected {
            let cell = one(axis, value).expect(axis);
            let set: Vec<&str> = cell.keys.iter().map(String::as_str).collect();
            let names: Vec<&str> = keys.iter().map(|(key, _)| *key).collect();
            assert_eq!(set, names, "{axis}");
            for (key, value) in keys {
                let value: Table = toml::from_str(&format!("it = {value}")).expect("TOML");
                assert_eq!(find(&cell.recipe, key), Some(&value["it"]), "{axis}");
            }
        }
        for (axis, value, expected) in [
            ("sise", "1", "objective"),
            ("types", "['methods']", "`methods`"),
            ("size", "'many'", "numbers"),
            ("size", "-5", "above 0"),
            ("band", "'hrad'", "easy, medium, hard, found `hrad`"),
        ] {
            let error = one(axis, value).expect_err(axis).to_string();
            assert!(error.contains(expected) && error.contains(axis), "{error}");
        }
    }

    /// Its first axis would vary nothing.
    #[test]
    fn axes_of_a_grid_set_different_keys() {
        let axes = |text: &str| {
            let lines = text.split(' ').map(|axis| {
                let (name, value) = axis.split_once('=').expect("a value");
                format!("[[ablate.axis]]\nname = '{name}'\nvalues = [{value}]\n")
            });
            let lines: String = lines.collect();
            expanded(&format!("{RECIPE}grid = true\n{lines}"))
        };
        for (clash, key) in [
            ("size=5 band='hard'", "train.data"),
            ("generators=['a'] source='b'", "curate.generators"),
            ("epochs=1 epochs=2", "epochs"),
        ] {
            let error = axes(clash).expect_err(clash);
            assert!(
                error.is::<Usage>() && error.to_string().contains(key),
                "{error}"
            );
        }
        assert_eq!(axes("size=5,6 types='method'").expect("cells").len(), 2);
        let table = "[[ablate.axis]]\nname = 'lora'\nkey = 'train.lora'\nvalues = [{ rank = 2 }]\n\
            [[ablate.axis]]\nname = 'rank'\nkey = 'train.lora.rank'\nvalues = [4]\n";
        assert!(expanded(&format!("{RECIPE}grid = true\n{table}")).is_err());
        assert_eq!(
            expanded(&format!("{RECIPE}{table}")).expect("cells").len(),
            3
        );
    }

    #[test]
    fn the_preset_leaves_what_the_recipe_sets() {
        let preset = |curate: &str, data: &str, rows: &str| {
            expanded(&format!(
                "[curate]\n{curate}\n[train]\ndata = ['{data}']\n[ablate]\npreset = 'reduced'\n{rows}"
            ))
        };
        let rows = "[ablate.rows]\ncontexts = 'c'\nnegatives = 'n'\n";
        let curated = |own: &str| {
            let cells = preset(own, "{data}/pairs.jsonl", rows).expect("cells");
            cells[0].recipe["curate"].to_string()
        };
        assert_eq!(curated(""), "{ generators = [\"b\", \"c\"], rows = 50000 }");
        assert_eq!(
            curated("rows = 9"),
            "{ generators = [\"b\", \"c\"], rows = 9 }"
        );
        assert_eq!(
            curated("generators = ['a']"),
            "{ generators = [\"a\"], rows = 50000 }"
        );
        for (curate, data, rows, expected) in [
            ("", "{data}/pairs.jsonl", "", "[ablate.rows]"),
            ("", "pairs.jsonl", rows, "`{data}` in `train.data`"),
            (
                "rows = 9\ngenerators = ['a']",
                "{data}/x",
                rows,
                "set in the recipe",
            ),
        ] {
            let error = preset(curate, data, rows).expect_err(expected);
            assert!(
                error.is::<Usage>() && error.to_string().contains(expected),
                "{error}"
            );
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
    }
}
