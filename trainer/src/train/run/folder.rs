//! The folder of a run: whose it is, and what lies where.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::rows::{Input, write_whole};
use crate::train::recipe::TrainRecipe;

/// Counts up when files of the folder change their meaning.
const VERSION: u32 = 1;
const RUN: &str = "run.json";

/// What a run is: everything that its weights depend on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    version: u32,
    /// The recipe, without what changes nothing of the result.
    pub recipe: TrainRecipe,
    /// The files of rows with their hashes.
    pub data: Vec<Input>,
    /// Held-out files with their hashes.
    pub held_out: Vec<Input>,
    /// SHA-256 of the checkpoint that training starts from.
    pub checkpoint_sha256: String,
}

impl Identity {
    /// The identity of a run; hashes all its inputs.
    ///
    /// # Errors
    /// Where one cannot be read.
    pub fn of(recipe: &TrainRecipe, checkpoint_sha256: String) -> Result<Self> {
        let hash = |files: &mut dyn Iterator<Item = &PathBuf>| -> Result<Vec<Input>> {
            files.map(|file| Ok(Input::of(file)?)).collect()
        };
        let mut bare = recipe.clone();
        let neutral = TrainRecipe::default();
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
        })
    }
}

/// The folder.
#[derive(Clone, Debug)]
pub struct RunFolder {
    root: PathBuf,
}

impl RunFolder {
    /// Opens the folder for this run; with `fresh`, what an earlier run left of its own is removed.
    ///
    /// # Errors
    /// Where the folder holds something else, or another run that is not to be thrown away.
    pub fn open(root: &Path, identity: &Identity, fresh: bool) -> Result<Self> {
        let shown = root.display();
        let run = root.join(RUN);
        let text = serde_json::to_vec_pretty(identity)?;
        if root.exists() && std::fs::read_dir(root)?.next().is_some() {
            ensure!(
                run.exists(),
                "{shown}: expected an empty folder or that of an earlier run, found another; name \
                 another `output`"
            );
            let same = std::fs::read(&run).is_ok_and(|found| found == text);
            if same && !fresh {
                return Ok(Self {
                    root: root.to_owned(),
                });
            }
            ensure!(
                fresh,
                "{shown}: expected the run of this recipe, data and checkpoint, found another one; \
                 name another `output`, or give `--fresh` to throw it away"
            );
            Self::clear(root)?;
        }
        std::fs::create_dir_all(root).with_context(|| format!("{shown}: not made"))?;
        write_whole(&run, &text).with_context(|| format!("{}: not written", run.display()))?;
        Ok(Self {
            root: root.to_owned(),
        })
    }

    /// Removes what runs make, and nothing else.
    fn clear(root: &Path) -> Result<()> {
        for entry in std::fs::read_dir(root)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = entry.path();
            let made = matches!(&*name, "states" | "best" | "checkpoint");
            let file = matches!(
                &*name,
                RUN | "metrics.csv" | "reference.jsonl" | "report.html"
            ) || name.starts_with("events.out.tfevents.");
            let removed = match (made, file) {
                (true, _) => std::fs::remove_dir_all(&path),
                (_, true) => std::fs::remove_file(&path),
                _ => Ok(()),
            };
            removed.with_context(|| format!("{}: not removed", path.display()))?;
        }
        Ok(())
    }

    /// A file or folder in it.
    pub fn join(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }
}
