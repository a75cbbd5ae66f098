//! Evaluation results beside a checkpoint's manifest.

use super::error::StoreError;
use super::{CheckpointId, FileName, Result, Store, disk, io_error};

/// Largest evidence file, in bytes.
const LIMIT: u64 = 64 << 20;

impl Store {
    /// Adds a result. Evidence does not change: the same name takes the same contents only.
    ///
    /// # Errors
    /// Where the checkpoint is not installed, the file is too large, or another result has the
    /// name.
    pub fn add_evidence(&self, id: &CheckpointId, name: &FileName, contents: &[u8]) -> Result<()> {
        if contents.len() as u64 > LIMIT {
            return Err(StoreError::Invalid(format!(
                "evidence `{name}`: expected at most {LIMIT} bytes, found {}",
                contents.len()
            )));
        }
        let _guard = self.lock()?;
        let folder = self.get(id)?.folder.join("evidence");
        std::fs::create_dir_all(&folder).map_err(|error| io_error(&folder, "create", error))?;
        let path = folder.join(name.as_str());
        if path.exists() {
            if disk::read_limited(&path, LIMIT)? == contents {
                return Ok(());
            }
            return Err(StoreError::Refused {
                path,
                problem: "expected no such file or one with the same contents; evidence does \
                          not change, so give the new result its own name"
                    .into(),
            });
        }
        disk::replace(&*self.disk, &path, contents)
    }

    /// Reads a result.
    ///
    /// # Errors
    /// Where the checkpoint or the file is not there.
    pub fn read_evidence(&self, id: &CheckpointId, name: &FileName) -> Result<Vec<u8>> {
        let folder = self.get(id)?.folder.join("evidence");
        disk::read_limited(&folder.join(name.as_str()), LIMIT)
    }

    /// Names of a checkpoint's results.
    ///
    /// # Errors
    /// Where the checkpoint is not installed.
    pub fn evidence(&self, id: &CheckpointId) -> Result<Vec<FileName>> {
        let folder = self.get(id)?.folder.join("evidence");
        if !folder.is_dir() {
            return Ok(Vec::new());
        }
        // Names of writes under way begin with a dot and do not parse.
        Ok(super::entries(&folder)?
            .iter()
            .filter_map(|name| name.parse().ok())
            .collect())
    }
}
