//! Folders for what a step needs while it runs.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::rows::beside;

/// A folder `<output>.work/<name>`, beside the output, where there is room. Its name is always the
/// same: what a killed run left there is removed by the next one, and all of it at the end.
#[derive(Debug)]
pub struct WorkFolder(PathBuf);

impl WorkFolder {
    /// An empty folder.
    ///
    /// # Errors
    /// Where it cannot be made.
    pub fn beside(output: &Path, name: &str) -> Result<Self> {
        let folder = beside(output, "work").join(name);
        let made = match std::fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
            _ => std::fs::create_dir_all(&folder),
        };
        made.with_context(|| format!("{}: cannot be made for the work", folder.display()))?;
        Ok(Self(folder))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for WorkFolder {
    fn drop(&mut self) {
        // What cannot be removed now is removed by the next run.
        let _ = std::fs::remove_dir_all(&self.0);
        if let Some(parent) = self.0.parent() {
            // Only the last of several folders leaves an empty one.
            let _ = std::fs::remove_dir(parent);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_run_left_is_removed() {
        let folder = tempfile::tempdir().expect("a folder");
        let output = folder.path().join("rows.jsonl");
        let killed = WorkFolder::beside(&output, "a").expect("made");
        std::fs::write(killed.path().join("half"), "x").expect("written");
        std::mem::forget(killed);
        let again = WorkFolder::beside(&output, "a").expect("made");
        assert_eq!(std::fs::read_dir(again.path()).expect("there").count(), 0);
        let other = WorkFolder::beside(&output, "b").expect("made");
        drop(again);
        assert!(other.path().exists());
        drop(other);
        assert_eq!(std::fs::read_dir(folder.path()).expect("there").count(), 0);
    }
}
