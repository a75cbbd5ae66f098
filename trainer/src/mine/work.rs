//! The folder beside the output in which a run keeps what it has done, so that it goes on after it
//! was killed.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::extract::Tally;
use super::recipe::{Recipe, Selector};
use super::source::Source;
use crate::rows::{Context, RowReader, RowWriter, beside, write_whole};

/// A file of the folder that says which run it belongs to.
const RUN: &str = "run";

/// Counts up when the files of the folder change their meaning.
const VERSION: &str = "4";

/// Opens the file that says whose the folder is; two runs would remove each other's work.
fn locked(run: &Path) -> Result<File> {
    let shown = run.display();
    let file = File::open(run).with_context(|| format!("{shown}: cannot be read"))?;
    if let Err(TryLockError::WouldBlock) = file.try_lock() {
        bail!("{shown}: another run is at work with this folder; wait until that ends, or stop it");
    }
    Ok(file)
}

/// The folder.
pub struct Work {
    folder: PathBuf,
    /// Locked while the run goes on.
    _run: File,
}

impl Work {
    /// Opens the folder for this run. What another run left there (other sources, another recipe)
    /// is thrown away.
    ///
    /// # Errors
    /// Where the folder is not one of this program's, or the file system refuses.
    pub fn open(out: &Path, recipe: &Recipe, sources: &[Source]) -> Result<Self> {
        let folder = beside(out, "work");
        let id = run_id(recipe, sources)?;
        let run = folder.join(RUN);
        let shown = folder.display();
        if folder.exists() {
            ensure!(
                run.exists(),
                "{shown}: expected a folder that an earlier run left, found another; remove it or name another output"
            );
            let left = locked(&run)?;
            if std::fs::read_to_string(&run).unwrap_or_default() == id {
                return Ok(Self { folder, _run: left });
            }
            std::fs::remove_dir_all(&folder).with_context(|| format!("{shown}: not removed"))?;
        }
        std::fs::create_dir_all(&folder).with_context(|| format!("{shown}: not made"))?;
        write_whole(&run, id.as_bytes()).with_context(|| format!("{shown}: not written"))?;
        let _run = locked(&run)?;
        Ok(Self { folder, _run })
    }

    /// The folder itself.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Removes the folder; the output is whole.
    ///
    /// # Errors
    /// What the file system says.
    pub fn remove(self) -> Result<()> {
        std::fs::remove_dir_all(&self.folder)
            .with_context(|| format!("{}: not removed", self.folder.display()))
    }

    fn rows_path(&self, source: usize) -> PathBuf {
        self.folder.join(format!("rows-{source:06}.jsonl.zst"))
    }

    fn tally_path(&self, source: usize) -> PathBuf {
        self.folder.join(format!("tally-{source:06}.json"))
    }

    /// The source's rows are all there.
    pub fn has(&self, source: usize) -> bool {
        self.tally_path(source).exists()
    }

    /// Begins a source's rows.
    ///
    /// # Errors
    /// What the file system says.
    pub fn shard(&self, source: usize) -> Result<RowWriter<Context>> {
        Ok(RowWriter::of_frames(&self.rows_path(source))?)
    }

    /// Ends a source; without its counts it is read again.
    ///
    /// # Errors
    /// What the file system says.
    pub fn finish(&self, source: usize, shard: RowWriter<Context>, tally: &Tally) -> Result<()> {
        shard.finish()?;
        let path = self.tally_path(source);
        write_whole(&path, &serde_json::to_vec(tally)?)
            .with_context(|| format!("{}: not written", path.display()))
    }

    /// A finished source's rows: [`Context`], or what is asked of it.
    ///
    /// # Errors
    /// What the file system says.
    pub fn rows<T: DeserializeOwned>(&self, source: usize) -> Result<RowReader<T>> {
        Ok(RowReader::open(&self.rows_path(source), "contexts")?)
    }

    /// A finished source's counts.
    ///
    /// # Errors
    /// What the file system says.
    pub fn tally(&self, source: usize) -> Result<Tally> {
        let path = self.tally_path(source);
        let text = std::fs::read(&path).with_context(|| format!("{}: not read", path.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("{}: not counts", path.display()))
    }
}

fn run_id(recipe: &Recipe, sources: &[Source]) -> Result<String> {
    let mut hasher = Sha256::new();
    hasher.update(VERSION);
    hasher.update(env!("CARGO_PKG_VERSION"));
    // What rows are offered does not depend on what the selector's model says or costs.
    let mut offered = recipe.clone();
    offered.selector = Selector {
        model: recipe.selector.model.as_ref().map(|_| String::new()),
        budget: None,
        ledger: None,
        prompts: None,
        ..offered.selector
    };
    hasher.update(serde_json::to_vec(&offered)?);
    for path in recipe.exclude.iter().chain(&recipe.repos) {
        hasher.update(crate::rows::Input::of(path)?.sha256);
    }
    for source in sources {
        hasher.update(source.stamp());
    }
    Ok(hex::encode(hasher.finalize()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two runs would remove each other's work.
    #[test]
    fn one_run_at_a_time_writes_an_output() {
        let folder = tempfile::tempdir().expect("a folder");
        let out = folder.path().join("contexts.jsonl");
        let recipe = Recipe::default();
        let other = Recipe {
            seed: 2,
            ..Recipe::default()
        };
        let running = Work::open(&out, &recipe, &[]).expect("opened");
        for recipe in [&other, &recipe] {
            let refused = Work::open(&out, recipe, &[]).err().expect("refused");
            assert!(refused.to_string().contains("another run"), "{refused:#}");
        }
        drop(running);
        assert!(Work::open(&out, &other, &[]).is_ok());
    }
}
