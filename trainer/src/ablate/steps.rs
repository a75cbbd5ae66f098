//! A cell's steps: curate, train, eval. Each has a folder that is named by what it depends on, so that
//! cells which agree in a step share it, and what was done is not done again.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};
use toml::Table;

use super::cells::{Cell, DATA, names_data};
use super::check::Sections;
use super::inputs::{Inputs, Model, each};
use super::recipe::Rows;
use super::unread;
use crate::eval::output;
use crate::eval::recipe::EvalRecipe;
use crate::eval::suite::Suite;
use crate::rows::{Input, write_file};
use crate::{curate, eval, train};

/// Where the folders are.
pub struct Steps<'a> {
    /// The ablation's folder.
    pub out: &'a Path,
    /// What the recipe names.
    pub inputs: &'a Inputs<'a>,
    /// What `curate` reads.
    pub rows: Option<&'a Rows>,
    /// The store, where it is not the user's.
    pub store: Option<&'a Path>,
    /// Folders whose figures are of this run: what may have changed since another run has not since.
    pub measured: RefCell<BTreeSet<PathBuf>>,
}

/// A cell whose rows are curated.
pub struct Ready {
    /// Its recipe, with paths that do not hang on where it lies.
    recipe: Table,
    sections: Sections,
    /// The checkpoint that it trains.
    pub base: Model,
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

/// What figures depend on, beside the repository of `holes`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DependsOn {
    /// The program's version.
    program: String,
    /// Of the files of figures.
    version: u32,
    /// `[eval]` and the SHA-256 of its files.
    eval: String,
    /// The checkpoint.
    model: String,
}

/// A step ended, or a signal did.
pub enum Step<T> {
    /// It is done.
    Done(T),
    /// With this exit status.
    Stopped(ExitCode),
}

impl Steps<'_> {
    /// Whether all that a cell names is there.
    ///
    /// # Errors
    /// With what is not.
    pub fn look(&self, cell: &Cell) -> Result<()> {
        self.inputs.placed(&mut cell.recipe.clone())
    }

    /// A cell with its rows curated.
    ///
    /// # Errors
    /// What `curate` says; files that it did not write.
    pub fn curated(&self, cell: &Cell) -> Result<Ready> {
        let mut recipe = cell.recipe.clone();
        self.inputs.placed(&mut recipe)?;
        if let Some(rows) = self.rows.filter(|_| recipe.values().any(names_data)) {
            let sections = Sections::of(&recipe)?;
            let key = self.inputs.of_curate(&sections, rows)?;
            let data = std::path::absolute(self.out.join("data").join(key))?;
            if !data.join("curated.manifest.json").exists() {
                self.curate(&recipe, rows, &data)?;
            }
            fill(&mut recipe, &data, sections.curate.compress)?;
        }
        let sections = Sections::of(&recipe)?;
        for path in sections.train.data.iter().chain(&sections.train.eval.data) {
            ensure!(
                path.exists(),
                "{}: `curate` wrote no such file for the cell `{}`: there are too few rows for it, as \
                 `curated.manifest.json` beside it says, or it has another name",
                path.display(),
                cell.name()
            );
        }
        let base = self.inputs.base(&sections)?;
        Ok(Ready {
            recipe,
            sections,
            base,
        })
    }

    fn curate(&self, recipe: &Table, rows: &Rows, data: &Path) -> Result<()> {
        let place = |path: &PathBuf| self.inputs.place(path);
        let args = curate::Args {
            contexts: place(&rows.contexts),
            negatives: place(&rows.negatives),
            verdicts: rows.verdicts.as_ref().map(place),
            scores: rows.scores.as_ref().map(place),
            out: data.to_owned(),
            recipe: Some(write(recipe, data)?),
            seed: None,
            benchmarks: Vec::new(),
            json: true,
        };
        curate::run(&args, &mut std::io::sink())
    }

    /// Trains a cell.
    ///
    /// # Errors
    /// What `train` says.
    pub fn trained(&self, cell: &Ready) -> Result<Step<Trained>> {
        let key = self.inputs.of_train(&cell.sections)?;
        let folder = self.out.join("runs").join(key);
        let done = folder.join("trained.json");
        if let Ok(text) = std::fs::read(&done) {
            let found = serde_json::from_slice(&text);
            return Ok(Step::Done(found.with_context(|| {
                let shown = done.display();
                format!("{shown}: expected what a run of `ablate` gave; delete the file, and it is made again")
            })?));
        }
        // Another cell may go on with what this one began: what neither reads must not tell them apart.
        let mut recipe = cell.recipe.clone();
        let read = unread::cleared(&cell.sections.train);
        recipe.insert("train".into(), toml::Value::try_from(read)?);
        let args = train::run::command::TrainArgs {
            data: Vec::new(),
            held_out: Vec::new(),
            recipe: write(&recipe, &folder)?,
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
        write_file(&done, &serde_json::to_vec_pretty(&trained)?)?;
        Ok(Step::Done(trained))
    }

    /// Measures a checkpoint by a cell's `[eval]`; gives the folder of its figures.
    ///
    /// # Errors
    /// What `eval` says.
    pub fn measured(&self, cell: &Ready, model: &Model) -> Result<Step<PathBuf>> {
        let eval = self.inputs.of_eval(&cell.sections)?;
        let folder = self.out.join("eval").join(&eval).join(model.folder());
        let figures = folder.join("figures");
        let on = DependsOn {
            program: env!("CARGO_PKG_VERSION").to_owned(),
            version: output::VERSION,
            eval,
            model: model.identity.clone(),
        };
        let done = folder.join("measured.json");
        let recipe = &cell.sections.eval;
        if self.measured.borrow().contains(&folder)
            || (lasts(recipe) && is_done(&done, &on) && are_whole(&figures, recipe))
        {
            return Ok(Step::Done(figures));
        }
        let args = eval::command::EvalArgs {
            recipe: Some(write(&cell.recipe, &folder)?),
            model: Some(model.named.clone()),
            out: Some(figures.clone()),
            measured: eval::command::Measured {
                store: self.store.map(Path::to_owned),
                json: true,
                ..eval::command::Measured::default()
            },
            ..eval::command::EvalArgs::default()
        };
        let code = eval::command::run(&args, &mut std::io::sink())?;
        if code != ExitCode::SUCCESS {
            return Ok(Step::Stopped(code));
        }
        if lasts(recipe) {
            write_file(&done, &serde_json::to_vec_pretty(&on)?)?;
        }
        self.measured.borrow_mut().insert(folder);
        Ok(Step::Done(figures))
    }
}

/// Whether figures stay what they are while their key does: a repository is not known by its content before
/// it is copied.
fn lasts(recipe: &EvalRecipe) -> bool {
    recipe.suite.iter().all(|suite| suite.name != Suite::Holes)
}

/// Whether a run ended that depends on the same.
fn is_done(done: &Path, on: &DependsOn) -> bool {
    let found = std::fs::read(done).ok();
    let found = found.and_then(|text| serde_json::from_slice::<DependsOn>(&text).ok());
    found.as_ref() == Some(on)
}

/// Whether all suites' figures are there, with the rows that they are of.
fn are_whole(figures: &Path, recipe: &EvalRecipe) -> bool {
    let found = output::read(figures).unwrap_or_default();
    recipe.suite.iter().all(|suite| {
        let title = suite.title();
        let own = found.iter().find(|found| found.suite == title);
        own.is_some_and(|own| {
            let rows = Input::of(&output::rows_path(figures, &title));
            rows.is_ok_and(|rows| rows.sha256 == own.rows_file.sha256)
        })
    })
}

/// Writes a cell's recipe into a folder: it can be run by hand.
fn write(recipe: &Table, folder: &Path) -> Result<PathBuf> {
    let path = folder.join("recipe.toml");
    let text = toml::to_string(recipe)?;
    write_file(&path, text.as_bytes())?;
    Ok(path)
}

/// Puts the folder of curated rows where `{data}` stands; their names end as `curate` ends them.
fn fill(recipe: &mut Table, data: &Path, compress: bool) -> Result<()> {
    let data = data.display().to_string();
    let put = |text: &mut String| {
        if !text.contains(DATA) {
            return Ok(());
        }
        *text = text.replace(DATA, &data);
        if compress && text.ends_with(".jsonl") {
            text.push_str(".zst");
        }
        Ok(())
    };
    recipe
        .iter_mut()
        .try_for_each(|(_, section)| each(section, &put))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_a_repository_do_not_outlast_the_run() {
        let of = |suites: &str| {
            let recipe: EvalRecipe = toml::from_str(suites).expect("a recipe");
            lasts(&recipe)
        };
        let pairs = "[[suite]]\nname = 'pairs'\ndata = ['p.jsonl']\n";
        assert!(of(pairs));
        assert!(!of(&format!(
            "{pairs}[[suite]]\nname = 'holes'\ndata = ['.']\ntest = 'true'\n"
        )));
    }
}
