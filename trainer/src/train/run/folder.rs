//! The folder of a run: whose it is, and what lies where.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::rows::{Input, write_whole};
use crate::train::recipe::TrainRecipe;

/// Counts up when files of the folder change their meaning.
const VERSION: u32 = 4;
const RUN: &str = "run.json";
const LOCK: &str = ".lock";

/// What a run is: everything that its weights depend on, and nothing of where it lies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    version: u32,
    /// The recipe, without paths and without what changes nothing of the result.
    recipe: TrainRecipe,
    /// SHA-256 of the files of rows.
    pub data: Vec<String>,
    /// SHA-256 of the held-out files.
    held_out: Vec<String>,
    /// SHA-256 of the checkpoint that training starts from.
    checkpoint_sha256: String,
    /// What `device` and `precision` came to.
    computed: String,
}

/// What is to become of an earlier run in the folder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// It goes on, if it is the same.
    #[default]
    GoOn,
    /// It goes on with another rate, schedule or length.
    WithChanges,
    /// It is thrown away.
    Fresh,
}

impl Identity {
    /// The identity of a run; hashes all its inputs.
    ///
    /// # Errors
    /// Where one cannot be read.
    pub fn of(recipe: &TrainRecipe, checkpoint_sha256: String, computed: String) -> Result<Self> {
        let hash = |files: &mut dyn Iterator<Item = &PathBuf>| -> Result<Vec<String>> {
            files.map(|file| Ok(Input::of(file)?.sha256)).collect()
        };
        let mut bare = recipe.clone();
        let neutral = TrainRecipe::default();
        // Files are known by their hashes, so that a folder may be moved.
        bare.data = neutral.data;
        bare.held_out = neutral.held_out;
        bare.eval.data = neutral.eval.data;
        bare.checkpoint = neutral.checkpoint;
        bare.device = neutral.device;
        bare.precision = neutral.precision;
        // How a step is cut, when it is saved and where it is written change no weight; when it is
        // measured does, through the best state and early stopping.
        bare.output = None;
        bare.save = neutral.save;
        bare.recompute = neutral.recompute;
        bare.tokens_at_once = neutral.tokens_at_once;
        bare.rows_at_once = neutral.rows_at_once;
        Ok(Self {
            version: VERSION,
            data: hash(&mut recipe.data.iter())?,
            held_out: hash(&mut recipe.held_out_files())?,
            recipe: bare,
            checkpoint_sha256,
            computed,
        })
    }

    /// The part of it that must not change when a run goes on with changes.
    fn fixed(&self) -> Self {
        let mut fixed = self.clone();
        let neutral = TrainRecipe::default();
        let recipe = &mut fixed.recipe;
        recipe.lr = neutral.lr;
        recipe.clip = neutral.clip;
        recipe.max_rise = neutral.max_rise;
        recipe.steps = neutral.steps;
        recipe.epochs = neutral.epochs;
        recipe.schedule = neutral.schedule;
        recipe.adam = neutral.adam;
        recipe.eval.every = neutral.eval.every;
        recipe.eval.patience = neutral.eval.patience;
        fixed
    }
}

/// The folder. While it is open, no other run works in it.
#[derive(Debug)]
pub struct RunFolder {
    root: PathBuf,
    _lock: File,
}

impl RunFolder {
    /// Opens the folder for this run, with what `start` says of an earlier one.
    ///
    /// # Errors
    /// Where the folder holds something else, another run, or a run that is under way.
    pub fn open(root: &Path, identity: &Identity, start: Start) -> Result<Self> {
        let shown = root.display();
        let run = root.join(RUN);
        ensure!(
            run.exists() || is_empty(root)?,
            "{shown}: expected an empty folder or that of an earlier run, found another; name \
             another `output`"
        );
        std::fs::create_dir_all(root).with_context(|| format!("{shown}: not made"))?;
        let lock = lock(root)?;
        let goes_on = match run.exists() {
            true => check(root, &std::fs::read(&run)?, identity, start)?,
            false => false,
        };
        if !goes_on {
            Self::clear(root)?;
        }
        let text = serde_json::to_vec_pretty(identity)?;
        write_whole(&run, &text).with_context(|| format!("{}: not written", run.display()))?;
        Ok(Self {
            root: root.to_owned(),
            _lock: lock,
        })
    }

    /// Removes what runs make, and nothing else: what names the folder a run's comes last, so that a
    /// kill meanwhile leaves a run's folder.
    fn clear(root: &Path) -> Result<()> {
        for entry in std::fs::read_dir(root)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = entry.path();
            let made = matches!(&*name, "states" | "best" | "best.tmp" | "best.old");
            let file = matches!(&*name, "metrics.csv" | "reference.jsonl" | "report.html")
                || name.starts_with("events.out.tfevents.");
            let removed = match (made, file) {
                (true, _) => std::fs::remove_dir_all(&path),
                (_, true) => std::fs::remove_file(&path),
                _ => Ok(()),
            };
            removed.with_context(|| format!("{}: not removed", path.display()))?;
        }
        match std::fs::remove_file(root.join(RUN)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("{}: not removed", root.join(RUN).display()))
            }
            _ => Ok(()),
        }
    }

    /// A file or folder in it.
    pub fn join(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }
}

/// Nothing is in it but what a run leaves that was killed before it began.
fn is_empty(root: &Path) -> Result<bool> {
    let entries = match std::fs::read_dir(root) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(true),
        entries => entries.with_context(|| root.display().to_string())?,
    };
    for entry in entries {
        if !entry?.file_name().to_string_lossy().starts_with('.') {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Holds the folder until the process ends, however it does.
fn lock(root: &Path) -> Result<File> {
    let path = root.join(LOCK);
    let shown = || path.display().to_string();
    let file = File::create(&path).with_context(shown)?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => bail!(
            "{}: another run is at work in it; wait until that ends, or stop it",
            root.display()
        ),
        // Where there are no locks, the user must see to it.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(file),
    }
}

/// Whether the run that `found` describes goes on as this one. A run that came to nothing, as one whose
/// recipe could not be computed, makes room for any other.
fn check(root: &Path, found: &[u8], identity: &Identity, start: Start) -> Result<bool> {
    if start == Start::Fresh {
        return Ok(false);
    }
    let shown = root.display();
    let earlier: Option<Identity> = serde_json::from_slice(found).ok();
    if earlier.as_ref() == Some(identity) {
        return Ok(true);
    }
    if !has_work(root)? {
        return Ok(false);
    }
    let run: Value = serde_json::from_slice(found).unwrap_or_default();
    ensure!(
        run["version"]
            .as_u64()
            .is_none_or(|version| version == u64::from(VERSION)),
        "{shown}: expected files of version {VERSION}, found a run of version {}, which another release \
         of this program made; finish it with that one, name another `output`, or give `--fresh` to \
         throw it away",
        run["version"]
    );
    let differences = differences(&run, &serde_json::to_value(identity)?);
    let alike = earlier.is_some_and(|earlier| earlier.fixed() == identity.fixed());
    match (alike, start) {
        (true, Start::WithChanges) => Ok(true),
        (true, _) => bail!(
            "{shown}: expected the run of this recipe, found one with another rate, schedule or \
             length ({differences}); give `--with-changes` to go on from its last state, name another \
             `output`, or give `--fresh` to throw it away"
        ),
        (false, _) => bail!(
            "{shown}: expected the run of this recipe, data and checkpoint, found another one \
             ({differences}); name another `output`, or give `--fresh` to throw it away"
        ),
    }
}

/// Whether a run left anything that takes time to make again.
fn has_work(root: &Path) -> Result<bool> {
    for name in ["metrics.csv", "reference.jsonl", "best", "best.old"] {
        if root.join(name).exists() {
            return Ok(true);
        }
    }
    Ok(!is_empty(&root.join("states"))?)
}

/// In what a run differs from the one that was asked for, for people.
fn differences(found: &Value, asked: &Value) -> String {
    let mut told = Vec::new();
    for (key, name) in [
        ("checkpoint_sha256", "another checkpoint"),
        ("data", "other rows"),
        ("held_out", "other held-out rows"),
    ] {
        if found[key] != asked[key] {
            told.push(name.to_owned());
        }
    }
    if found["computed"] != asked["computed"] {
        let (found, asked) = (&found["computed"], &asked["computed"]);
        told.push(format!("{found} there, {asked} here"));
    }
    keys(&mut told, "", &found["recipe"], &asked["recipe"]);
    told.join("; ")
}

fn keys(told: &mut Vec<String>, path: &str, found: &Value, asked: &Value) {
    let (Value::Object(ours), Value::Object(theirs)) = (asked, found) else {
        if found != asked {
            told.push(format!("`{path}` is {found} there, {asked} here"));
        }
        return;
    };
    let more = theirs.keys().filter(|key| !ours.contains_key(*key));
    for key in ours.keys().chain(more) {
        let dot = if path.is_empty() { "" } else { "." };
        keys(told, &format!("{path}{dot}{key}"), &found[key], &asked[key]);
    }
}
