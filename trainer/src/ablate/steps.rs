//! A cell's steps: curate, train, eval. Each has a folder that is named by what it depends on, so that
//! cells which agree in a step share it, and what was done is not done again.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use super::cells::Cell;
use super::recipe::Rows;
use crate::rows::write_whole;
use crate::{curate, eval, train};

/// Where the folders are.
pub struct Steps<'a> {
    /// The ablation's folder.
    pub out: &'a Path,
    /// The folder that paths of the recipe are relative to.
    pub from: &'a Path,
    /// What `curate` reads.
    pub rows: Option<&'a Rows>,
    /// The store, where it is not the user's.
    pub store: Option<&'a Path>,
}

/// What a training run gave.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trained {
    /// The checkpoint; without one the base was the best.
    pub checkpoint: Option<String>,
    /// Rows that were trained on.
    pub rows: u64,
    /// Tokens that it saw.
    pub tokens: u64,
}

/// A step ended, or a signal did.
pub enum Step<T> {
    /// It is done.
    Done(T),
    /// With this exit status.
    Stopped(ExitCode),
}

impl Steps<'_> {
    /// The cell's recipe with paths that do not hang on where it lies, and its rows curated.
    ///
    /// # Errors
    /// What `curate` says.
    pub fn curated(&self, cell: &Cell) -> Result<Cell> {
        let mut cell = cell.clone();
        absolute(&mut cell.recipe, self.from)?;
        let Some(rows) = self.rows else {
            return Ok(cell);
        };
        let data = self.out.join("data").join(cell.hash(&["curate"]));
        let data = std::path::absolute(data)?;
        if !data.join("curated.manifest.json").exists() {
            let recipe = self.write(&cell, &data)?;
            let place = |path: &PathBuf| self.from.join(path);
            let args = curate::Args {
                contexts: place(&rows.contexts),
                negatives: place(&rows.negatives),
                verdicts: rows.verdicts.as_ref().map(place),
                scores: rows.scores.as_ref().map(place),
                out: data.clone(),
                recipe: Some(recipe),
                seed: None,
                benchmarks: Vec::new(),
                json: true,
            };
            curate::run(&args, &mut std::io::sink())?;
        }
        fill(&mut cell.recipe, &data.display().to_string());
        Ok(cell)
    }

    /// Trains a cell.
    ///
    /// # Errors
    /// What `train` says.
    pub fn trained(&self, cell: &Cell) -> Result<Step<Trained>> {
        let folder = self.out.join("runs").join(cell.hash(&["train"]));
        let done = folder.join("trained.json");
        if let Ok(text) = std::fs::read(&done) {
            return Ok(Step::Done(serde_json::from_slice(&text)?));
        }
        let args = train::run::command::TrainArgs {
            recipe: self.write(cell, &folder)?,
            output: Some(folder.join("run")),
            checkpoint: None,
            steps: None,
            seed: None,
            device: None,
            threads: None,
            store: self.store.map(Path::to_owned),
            no_install: false,
            with_changes: false,
            fresh: false,
            json: true,
        };
        let mut said = Vec::new();
        let code = train::run::command::run(&args, &mut said)?;
        if code != ExitCode::SUCCESS {
            return Ok(Step::Stopped(code));
        }
        let said: serde_json::Value = serde_json::from_slice(&said)?;
        let trained = Trained {
            checkpoint: said["checkpoint"].as_str().map(str::to_owned),
            rows: said["rows"]["kept"].as_u64().unwrap_or_default(),
            tokens: said["tokens"].as_u64().unwrap_or_default(),
        };
        write_whole(&done, &serde_json::to_vec_pretty(&trained)?)?;
        Ok(Step::Done(trained))
    }

    /// Measures a checkpoint by a cell's `[eval]`; gives the folder of its figures.
    ///
    /// # Errors
    /// What `eval` says.
    pub fn measured(&self, cell: &Cell, model: &str) -> Result<Step<PathBuf>> {
        let name: String = model
            .chars()
            .map(|c| {
                if c.is_ascii_alphanumeric() || "-_.".contains(c) {
                    c
                } else {
                    '-'
                }
            })
            .collect();
        let folder = self.out.join("eval").join(cell.hash(&["eval"])).join(name);
        let recipe = self.write(cell, &folder)?;
        let figures = folder.join("figures");
        let args = eval::command::EvalArgs {
            recipe: Some(recipe),
            model: Some(model.to_owned()),
            out: Some(figures.clone()),
            store: self.store.map(Path::to_owned),
            json: true,
            ..eval::command::EvalArgs::default()
        };
        let code = eval::command::run(&args, &mut std::io::sink())?;
        Ok(match code == ExitCode::SUCCESS {
            true => Step::Done(figures),
            false => Step::Stopped(code),
        })
    }

    /// Writes a cell's recipe into a folder: it can be run by hand.
    fn write(&self, cell: &Cell, folder: &Path) -> Result<PathBuf> {
        let path = folder.join("recipe.toml");
        let text = toml::to_string(&cell.recipe)?;
        write_whole(&path, text.as_bytes())
            .with_context(|| format!("{}: cannot be written", path.display()))?;
        Ok(path)
    }
}

/// Keys with files, each relative to the recipe.
const FILES: [&str; 5] = [
    "curate.benchmarks",
    "train.data",
    "train.held_out",
    "train.eval.data",
    "train.checkpoint",
];

/// Takes paths from `folder`. What is not there may be an id of the store, or a place of `{data}`.
fn absolute(recipe: &mut Table, folder: &Path) -> Result<()> {
    let folder = std::path::absolute(folder)?;
    let place = |text: &mut String| {
        let path = folder.join(&*text);
        if path.exists() {
            *text = path.display().to_string();
        }
    };
    for key in FILES {
        if let Some(value) = find(recipe, key) {
            each(value, &place);
        }
    }
    let suites = recipe
        .get_mut("eval")
        .and_then(|eval| eval.get_mut("suite"));
    let suites = suites.and_then(Value::as_array_mut).into_iter().flatten();
    for data in suites.filter_map(|suite| suite.get_mut("data")) {
        each(data, &place);
    }
    Ok(())
}

/// Puts the folder of curated rows where `{data}` stands.
fn fill(recipe: &mut Table, data: &str) {
    let put = |text: &mut String| *text = text.replace("{data}", data);
    for (_, section) in recipe.iter_mut() {
        each(section, &put);
    }
}

fn find<'t>(recipe: &'t mut Table, key: &str) -> Option<&'t mut Value> {
    let (first, rest) = key.split_once('.')?;
    rest.split('.')
        .try_fold(recipe.get_mut(first)?, |value, part| value.get_mut(part))
}

/// Changes every text of a value.
fn each(value: &mut Value, change: &dyn Fn(&mut String)) {
    match value {
        Value::String(text) => change(text),
        Value::Array(values) => values.iter_mut().for_each(|value| each(value, change)),
        Value::Table(table) => table.iter_mut().for_each(|(_, value)| each(value, change)),
        _ => {}
    }
}
