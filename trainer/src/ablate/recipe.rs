//! The recipe's section `[ablate]`: which choices are varied.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::eval::figures::{Figure, Metric, Variant};
use crate::rows::{Difficulty, HallucinationType};
use crate::usage::Usage;

/// What is varied, and from what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AblateRecipe {
    /// The folder of the cells.
    pub out: PathBuf,
    /// What `curate` reads: contexts, negatives, and verdicts and scores where there are some. Without it
    /// `train.data` names rows that are curated already.
    pub rows: Option<Rows>,
    /// Every combination of the axes' cells, in place of one axis at a time.
    pub grid: bool,
    /// A preset that the other keys change.
    pub preset: Option<Preset>,
    /// The columns of the tables; the first is shown by type too.
    pub figures: Vec<Figure>,
    /// What is varied.
    pub axis: Vec<Axis>,
}

/// Files of rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rows {
    /// What `mine` wrote.
    pub contexts: PathBuf,
    /// What `generate` wrote.
    pub negatives: PathBuf,
    /// What `judge` wrote.
    #[serde(default)]
    pub verdicts: Option<PathBuf>,
    /// What `judge` wrote beside it.
    #[serde(default)]
    pub scores: Option<PathBuf>,
}

/// Keys that are set together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Preset {
    /// "Hard negatives", limitations and appendix D: two generators and fewer rows come nearly as far, at
    /// half the cost. The number of rows is missing from its text; by §4.3.1 the knee of the size curve lies
    /// between 20,000 and 50,000 rows, and 50,000 are within noise of all 100,000. Of judges and epochs it
    /// says nothing.
    Reduced,
}

impl Preset {
    /// What it sets, by dotted keys; `rows` are those that each generator wrote.
    #[must_use]
    pub fn keys(self, rows: &BTreeMap<String, u64>) -> Vec<(&'static str, Value)> {
        match self {
            Self::Reduced => {
                let two = two_of(rows).into_iter().cloned().map(Value::String);
                vec![
                    ("curate.rows", Value::Integer(50_000)),
                    ("curate.generators", Value::Array(two.collect())),
                ]
            }
        }
    }

    /// Which generators it takes, in a sentence.
    #[must_use]
    pub fn taken(self, rows: &BTreeMap<String, u64>) -> String {
        let taken = match self {
            Self::Reduced => two_of(rows),
        };
        let named = taken.iter().map(|name| {
            let rank = match rank(name) {
                0 => "",
                _ => ", which is no member of the panel",
            };
            format!("`{name}` ({} rows{rank})", rows[*name])
        });
        let named = named.collect::<Vec<_>>().join(" and ");
        format!("the preset takes the generators {named}; `curate.generators` names others")
    }
}

/// The two generators that the paper's may be: of a panel's members those with the most rows, for two of its
/// three language models wrote 96 % of its rows; others only where there are no two of them.
fn two_of(rows: &BTreeMap<String, u64>) -> Vec<&String> {
    let mut names: Vec<&String> = rows.keys().collect();
    names.sort_by_key(|name| (rank(name), std::cmp::Reverse(rows[*name])));
    names.truncate(2);
    names
}

/// Members of the panel first, then the checkpoint on this machine, then rules, which are no model.
fn rank(generator: &str) -> u8 {
    match generator {
        "mutate" => 2,
        "local" => 1,
        _ => 0,
    }
}

/// A choice, and the values that it is tried with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Axis {
    /// A name of [`KNOWN`], or any name where `key` or `cell` says what is set.
    pub name: String,
    /// The key of the recipe that the values are of, such as `train.fgit.alpha`.
    #[serde(default)]
    pub key: Option<String>,
    /// The values, a cell each.
    #[serde(default)]
    pub values: Vec<Value>,
    /// Cells that set several keys.
    #[serde(default)]
    pub cell: Vec<NamedCell>,
}

/// A cell in words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedCell {
    /// Its name in tables.
    pub name: String,
    /// Dotted keys and their values.
    pub set: Table,
}

/// Axes that are known by name; docs/eval.md says what their values set.
pub const KNOWN: [&str; 12] = [
    "size",
    "types",
    "languages",
    "base",
    "band",
    "generators",
    "source",
    "objective",
    "alpha",
    "fixed_weight",
    "epochs",
    "granularity",
];

impl Default for AblateRecipe {
    fn default() -> Self {
        Self {
            out: "ablation".into(),
            rows: None,
            grid: false,
            preset: None,
            figures: vec![
                Figure::new(Metric::ExactMatch, Variant::Whole),
                Figure::new(Metric::ExactMatch, Variant::FirstLines),
                Figure::new(Metric::EditSimilarity, Variant::Whole),
                Figure::new(Metric::EditSimilarity, Variant::FirstLines),
                Figure::new(Metric::Pass, Variant::Whole),
                Figure::new(Metric::HallucinationAligned, Variant::Whole),
                Figure::new(Metric::Preference, Variant::Whole),
            ],
            axis: Vec::new(),
        }
    }
}

impl Axis {
    /// Its cells: names, and what each sets.
    ///
    /// # Errors
    /// [`Usage`] for an axis that says nothing, or whose values cannot be meant.
    pub fn cells(&self) -> anyhow::Result<Vec<(String, Vec<(String, Value)>)>> {
        let wrong =
            |why: String| Usage::error(format!("axis `{}` of `[ablate]`: {why}", self.name));
        let mut cells = Vec::new();
        for value in &self.values {
            let set = match &self.key {
                Some(key) => vec![(key.clone(), value.clone())],
                None => known(&self.name, value).map_err(&wrong)?,
            };
            cells.push((shown(value), set));
        }
        for cell in &self.cell {
            let set = cell.set.iter();
            let set = set.map(|(key, value)| (key.clone(), value.clone()));
            cells.push((cell.name.clone(), set.collect()));
        }
        if cells.is_empty() {
            return Err(wrong(
                "expected `values` or `[[ablate.axis.cell]]`, found neither".into(),
            ));
        }
        let names: std::collections::BTreeSet<&String> =
            cells.iter().map(|(name, _)| name).collect();
        match names.len() == cells.len() {
            true => Ok(cells),
            false => Err(wrong(
                "expected cells of different names, found one twice".into(),
            )),
        }
    }
}

/// A value as a cell's name.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(shown).collect::<Vec<_>>().join("+"),
        value => value.to_string(),
    }
}

/// What a value of a known axis sets.
fn known(axis: &str, value: &Value) -> Result<Vec<(String, Value)>, String> {
    let one = |key: &str| Ok(vec![(key.to_owned(), value.clone())]);
    let subset = |name: String| {
        let file = Value::String(format!("{{data}}/subsets/{name}/pairs.jsonl"));
        ("train.data".to_owned(), Value::Array(vec![file]))
    };
    match axis {
        "size" => {
            let rows = value.as_integer().filter(|rows| *rows > 0);
            let rows = rows.ok_or("expected numbers of rows, above 0")?;
            let sizes = Value::Array(vec![Value::Integer(rows)]);
            Ok(vec![
                ("curate.sizes".into(), sizes),
                subset(format!("size-{rows}")),
            ])
        }
        "types" => weights(
            "curate.types",
            value,
            &HallucinationType::ALL.map(HallucinationType::name),
        ),
        "languages" => {
            let all = truefill_syntax::Language::ALL.map(|language| language.name());
            weights("curate.languages", value, &all)
        }
        "base" => one("train.checkpoint"),
        "band" => {
            let known = Difficulty::ALL.map(Difficulty::name);
            let band = value.as_str().filter(|band| known.contains(band));
            let band = band.ok_or_else(|| {
                let value = shown(value);
                format!("expected names of {}, found `{value}`", known.join(", "))
            })?;
            Ok(vec![subset(format!("band-{band}"))])
        }
        "generators" => one("curate.generators"),
        "source" => {
            let list = Value::Array(vec![value.clone()]);
            Ok(vec![("curate.generators".into(), list)])
        }
        "objective" => one("train.objective"),
        "alpha" => one("train.fgit.alpha"),
        "fixed_weight" => one("train.fgit.fixed_weight"),
        "epochs" => one("train.epochs"),
        "granularity" => one("train.fgit.granularity"),
        _ => Err(format!(
            "expected a `key`, or one of the names {}",
            KNOWN.join(", ")
        )),
    }
}

/// Weights that leave out what is not named.
fn weights(key: &str, value: &Value, all: &[&str]) -> Result<Vec<(String, Value)>, String> {
    let named: Vec<&str> = match value {
        Value::String(name) if name == "all" => {
            return Ok(vec![(key.into(), Value::Table(Table::new()))]);
        }
        Value::String(name) => vec![name],
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        _ => return Err("expected names, a list of names, or \"all\"".into()),
    };
    if let Some(unknown) = named.iter().find(|name| !all.contains(name)) {
        return Err(format!(
            "expected names of {}, found `{unknown}`",
            all.join(", ")
        ));
    }
    let out = all.iter().filter(|name| !named.contains(name));
    let out = out.map(|name| ((*name).to_owned(), Value::Float(0.0)));
    Ok(vec![(key.to_owned(), Value::Table(out.collect()))])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_preset_takes_members_of_the_panel_before_others() {
        let of = |rows: &[(&str, u64)]| {
            let rows = rows.iter().map(|(name, rows)| ((*name).to_owned(), *rows));
            let rows: BTreeMap<String, u64> = rows.collect();
            let two: Vec<String> = two_of(&rows).into_iter().cloned().collect();
            (two, Preset::Reduced.taken(&rows))
        };
        let (two, said) = of(&[("local", 900), ("a", 3), ("mutate", 950), ("b", 4)]);
        assert_eq!(two, ["b", "a"]);
        assert!(said.contains("`b` (4 rows) and `a` (3 rows)"), "{said}");
        let (two, said) = of(&[("mutate", 950), ("a", 3), ("local", 9)]);
        assert_eq!(two, ["a", "local"]);
        assert!(
            said.contains("`local` (9 rows, which is no member"),
            "{said}"
        );
    }
}
