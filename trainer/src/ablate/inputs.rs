//! What a step reads, by its content: folders are named by it, so that other rows at the same place, or
//! another checkpoint of the same alias, are another cell's.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use serde::Serialize;
use sha2::{Digest, Sha256};
use toml::{Table, Value};
use truefill_model::store::{Resolved, Store, slug};

use super::check::Sections;
use super::recipe::Rows;
use super::unread;
use crate::checkpoint;
use crate::eval::output::short_hash;
use crate::eval::suite::Suite;
use crate::rows::Input;
use crate::stored;

/// A checkpoint that is measured, or trained from.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// What opens it wherever it is named: an id of the store or an absolute path.
    pub named: String,
    /// Its id, or the SHA-256 of its files.
    pub identity: String,
}

impl Model {
    /// One of the store.
    pub fn stored(id: &str) -> Self {
        Self {
            named: id.to_owned(),
            identity: id.to_owned(),
        }
    }

    /// A folder's name, of its own: `a/b` and `a-b` are written alike, and what is in a path may change.
    pub fn folder(&self) -> String {
        let last = self.named.rsplit(['/', '\\']).next().unwrap_or_default();
        format!("{}-{}", slug(last), short_hash(&self.identity))
    }
}

/// Files and checkpoints, each hashed once.
pub struct Inputs<'a> {
    /// The folder that paths of the recipe are relative to.
    from: PathBuf,
    store: &'a Store,
    hashed: RefCell<BTreeMap<PathBuf, String>>,
}

/// Keys with files, each relative to the recipe.
const FILES: [&str; 4] = [
    "curate.benchmarks",
    "train.data",
    "train.held_out",
    "train.eval.data",
];

impl<'a> Inputs<'a> {
    /// Of a recipe in the folder `from`.
    ///
    /// # Errors
    /// Where there is no current folder.
    pub fn new(from: &Path, store: &'a Store) -> Result<Self> {
        Ok(Self {
            from: std::path::absolute(from)?,
            store,
            hashed: RefCell::default(),
        })
    }

    /// A path of the recipe.
    pub fn place(&self, path: &Path) -> PathBuf {
        self.from.join(path)
    }

    /// Puts the recipe's paths, and the checkpoint that it trains, where they do not hang on where the recipe
    /// lies and what an alias means tomorrow.
    ///
    /// # Errors
    /// A checkpoint or a file that is not there.
    pub fn placed(&self, recipe: &mut Table) -> Result<()> {
        for key in FILES {
            if let Some(value) = find(recipe, key) {
                each(value, &|text| self.file(text))?;
            }
        }
        let suites = recipe
            .get_mut("eval")
            .and_then(|eval| eval.get_mut("suite"));
        for suite in suites.and_then(Value::as_array_mut).into_iter().flatten() {
            for key in ["data", "mounts"] {
                if let Some(value) = suite.get_mut(key) {
                    each(value, &|text| self.file(text))?;
                }
            }
        }
        match find(recipe, "train.checkpoint") {
            Some(value) => each(value, &|text| {
                *text = match stored::find_in(self.store, text, &self.from)? {
                    Resolved::Stored(stored) => stored.manifest.id().to_string(),
                    Resolved::Path(path) => path.display().to_string(),
                };
                Ok(())
            }),
            None => Ok(()),
        }
    }

    /// A file of the recipe; what `curate` is to write is not there yet, `~` is the home folder.
    fn file(&self, text: &mut String) -> Result<()> {
        if text.contains(super::cells::DATA) || Path::new(text).starts_with("~") {
            return Ok(());
        }
        let path = self.place(Path::new(text));
        ensure!(
            path.exists(),
            "{}: no such file or folder; a path in a recipe is relative to it",
            path.display()
        );
        *text = path.display().to_string();
        Ok(())
    }

    /// The checkpoint that a placed recipe trains.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn base(&self, sections: &Sections) -> Result<Model> {
        let named = &sections.train.checkpoint;
        let path = Path::new(named);
        let identity = match path.is_absolute() {
            true => self.once(path, checkpoint::sha256)?,
            false => named.clone(),
        };
        Ok(Model {
            named: named.clone(),
            identity,
        })
    }

    /// What `curate` depends on.
    ///
    /// # Errors
    /// Where a file cannot be read.
    pub fn of_curate(&self, sections: &Sections, rows: &Rows) -> Result<String> {
        let mut recipe = sections.curate.clone();
        self.replace(&mut recipe.benchmarks)?;
        let files = [Some(&rows.contexts), Some(&rows.negatives)];
        let files = files.into_iter();
        let files = files.chain([rows.verdicts.as_ref(), rows.scores.as_ref()]);
        let hashes = files.map(|path| path.map(|path| self.sha256(&self.place(path))).transpose());
        short(&(recipe, hashes.collect::<Result<Vec<_>>>()?))
    }

    /// What `train` depends on.
    ///
    /// # Errors
    /// Where a file cannot be read.
    pub fn of_train(&self, sections: &Sections) -> Result<String> {
        let mut recipe = unread::cleared(&sections.train);
        recipe.checkpoint = self.base(sections)?.identity;
        for paths in [
            &mut recipe.data,
            &mut recipe.held_out,
            &mut recipe.eval.data,
        ] {
            self.replace(paths)?;
        }
        short(&recipe)
    }

    /// What `eval` depends on beside the model. A repository is copied and known by its content there.
    ///
    /// # Errors
    /// Where a file cannot be read.
    pub fn of_eval(&self, sections: &Sections) -> Result<String> {
        let mut recipe = unread::of_any_model(&sections.eval);
        for suite in &mut recipe.suite {
            if suite.name != Suite::Holes {
                self.replace(&mut suite.data)?;
            }
        }
        short(&recipe)
    }

    fn replace(&self, paths: &mut [PathBuf]) -> Result<()> {
        for path in paths {
            *path = self.sha256(path)?.into();
        }
        Ok(())
    }

    fn sha256(&self, path: &Path) -> Result<String> {
        self.once(path, content)
    }

    fn once(&self, path: &Path, hash: fn(&Path) -> Result<String>) -> Result<String> {
        if let Some(known) = self.hashed.borrow().get(path) {
            return Ok(known.clone());
        }
        let found = hash(path)?;
        let mut hashed = self.hashed.borrow_mut();
        hashed.insert(path.to_owned(), found.clone());
        Ok(found)
    }
}

/// SHA-256 of a file; of a folder over its files' names and hashes.
fn content(path: &Path) -> Result<String> {
    if !path.is_dir() {
        return Ok(Input::of(path)?.sha256);
    }
    let shown = || format!("{}: cannot be read", path.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).with_context(shown)? {
        let file = entry.with_context(shown)?.path();
        if file.is_file() {
            let name = file.file_name().unwrap_or_default();
            files.push((
                name.to_string_lossy().into_owned(),
                Input::of(&file)?.sha256,
            ));
        }
    }
    files.sort();
    Ok(hex::encode(Sha256::digest(serde_json::to_vec(&files)?)))
}

/// A folder's name for what it depends on, defaults filled in: what says the same is the same.
fn short(value: &impl Serialize) -> Result<String> {
    let text = serde_json::to_vec(value)?;
    Ok(hex::encode(&Sha256::digest(text)[..8]))
}

fn find<'t>(recipe: &'t mut Table, key: &str) -> Option<&'t mut Value> {
    let (first, rest) = key.split_once('.')?;
    rest.split('.')
        .try_fold(recipe.get_mut(first)?, |value, part| value.get_mut(part))
}

/// Changes every text of a value.
///
/// # Errors
/// The first that `change` has.
pub fn each(value: &mut Value, change: &dyn Fn(&mut String) -> Result<()>) -> Result<()> {
    match value {
        Value::String(text) => change(text),
        Value::Array(values) => values.iter_mut().try_for_each(|value| each(value, change)),
        Value::Table(table) => table
            .iter_mut()
            .try_for_each(|(_, value)| each(value, change)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECIPE: &str = "[curate]\nbenchmarks = ['b.csv']\n\
        [train]\ndata = ['{data}/pairs.jsonl']\ncheckpoint = 'base.gguf'\nheld_out = ['h.jsonl']\n\
        [[eval.suite]]\nname = 'holes'\ntest = 'true'\ndata = ['repo']\nmounts = ['repo/tools', '~/.cargo']\n\
        [[eval.suite]]\nname = 'pairs'\ndata = ['sets']\n";

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["repo/tools", "sets", "store"] {
            std::fs::create_dir_all(folder.path().join(name)).expect("made");
        }
        for name in ["b.csv", "base.gguf", "h.jsonl", "sets/p.jsonl", "c", "n"] {
            std::fs::write(folder.path().join(name), "x\n").expect("written");
        }
        folder
    }

    #[test]
    fn paths_are_the_recipes_wherever_it_is_run() {
        let folder = folder();
        let store = Store::open(&folder.path().join("store")).expect("a store");
        let inputs = Inputs::new(folder.path(), &store).expect("inputs");
        let mut recipe: Table = toml::from_str(RECIPE).expect("TOML");
        inputs.placed(&mut recipe).expect("placed");
        let place = |name: &str| Value::String(folder.path().join(name).display().to_string());
        assert_eq!(recipe["curate"]["benchmarks"][0], place("b.csv"));
        assert_eq!(recipe["train"]["held_out"][0], place("h.jsonl"));
        assert_eq!(recipe["train"]["checkpoint"], place("base.gguf"));
        let kept = recipe["train"]["data"][0].as_str();
        assert_eq!(kept, Some("{data}/pairs.jsonl"));
        let holes = &recipe["eval"]["suite"][0];
        assert_eq!(holes["data"][0], place("repo"));
        assert_eq!(holes["mounts"][0], place("repo/tools"));
        assert_eq!(holes["mounts"][1].as_str(), Some("~/.cargo"));
        for (from, to) in [
            ("repo/tools", "tool"),
            ("'sets'", "'set'"),
            ("base.gguf", "vase"),
        ] {
            let mut wrong = toml::from_str(&RECIPE.replace(from, to)).expect("TOML");
            assert!(inputs.placed(&mut wrong).is_err(), "{to}");
        }
    }

    /// By what it reads and says, however it says it.
    #[test]
    fn a_step_is_known_by_what_it_depends_on() {
        let folder = folder();
        let store = Store::open(&folder.path().join("store")).expect("a store");
        let rows: Rows = toml::from_str("contexts = 'c'\nnegatives = 'n'").expect("rows");
        let keys = |recipe: &str| {
            let inputs = Inputs::new(folder.path(), &store).expect("inputs");
            let mut recipe: Table = toml::from_str(recipe).expect("TOML");
            inputs.placed(&mut recipe).expect("placed");
            let recipe = toml::to_string(&recipe).expect("TOML");
            let recipe = recipe.replace("{data}/pairs", "sets/p");
            let mut recipe: Table = toml::from_str(&recipe).expect("TOML");
            inputs.placed(&mut recipe).expect("placed");
            let sections = Sections::of(&recipe).expect("sections");
            let train = inputs.of_train(&sections).expect("a key");
            let eval = inputs.of_eval(&sections).expect("a key");
            [
                inputs.of_curate(&sections, &rows).expect("a key"),
                train,
                eval,
            ]
        };
        let first = keys(RECIPE);
        let said = RECIPE.replace("[train]\n", "[train]\nepochs = 1\nobjective = 'sft'\n");
        assert_eq!(keys(&said), first);
        let unread = format!("{RECIPE}[train.fgit]\nalpha = 3.0\n[train.lora]\nrank = 2\n");
        assert_eq!(keys(&unread), first);
        let fgit = unread.replace("[train]\n", "[train]\nobjective = 'fgit'\n");
        assert_ne!(keys(&fgit)[1], keys(&fgit.replace("3.0", "2.5"))[1]);
        for (file, steps) in [
            ("b.csv", [true, false, false]),
            ("c", [true, false, false]),
            ("n", [true, false, false]),
            ("h.jsonl", [false, true, false]),
            ("base.gguf", [false, true, false]),
            ("sets/p.jsonl", [false, true, true]),
        ] {
            std::fs::write(folder.path().join(file), "y\n").expect("written");
            let found = keys(RECIPE);
            let changed = [0, 1, 2].map(|at| found[at] != first[at]);
            assert_eq!(changed, steps, "{file}");
            std::fs::write(folder.path().join(file), "x\n").expect("written");
        }
        let model = |named: &str, identity: &str| Model {
            named: named.into(),
            identity: identity.into(),
        };
        assert_ne!(model("/m/a b", "1").folder(), model("/m/a-b", "2").folder());
        assert_ne!(model("/m/a", "1").folder(), model("/m/a", "2").folder());
    }
}
