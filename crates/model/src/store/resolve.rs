//! From what a user writes to a checkpoint.

use std::path::{Path, PathBuf};

use super::error::StoreError;
use super::{CheckpointId, Result, Store, Stored};

/// What a name stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolved {
    /// A checkpoint of the store.
    Stored(Box<Stored>),
    /// A file or folder outside of it, used as it is.
    Path(PathBuf),
}

impl Resolved {
    /// What to open: the folder of a checkpoint, or the path itself.
    pub fn path(&self) -> &Path {
        match self {
            Self::Stored(stored) => &stored.folder,
            Self::Path(path) => path,
        }
    }
}

impl Store {
    /// Finds what a user means, in this order: what is written as a path (with a separator, a
    /// leading `.` or `~`, or ending in `.gguf`), an alias, an id, the beginning of exactly one
    /// id.
    ///
    /// # Errors
    /// Where nothing or more than one thing answers, or the checkpoint's manifest is refused.
    pub fn resolve(&self, wanted: &str) -> Result<Resolved> {
        if looks_like_a_path(wanted) {
            let path = PathBuf::from(wanted);
            return if path.exists() {
                Ok(Resolved::Path(path))
            } else {
                Err(StoreError::Refused {
                    path,
                    problem: "no such file or folder".into(),
                })
            };
        }
        let id = self.find(wanted)?;
        Ok(Resolved::Stored(Box::new(self.get(&id)?)))
    }

    /// As [`Store::resolve`], for the store's own checkpoints alone.
    ///
    /// # Errors
    /// Where nothing or more than one thing answers.
    pub fn find(&self, wanted: &str) -> Result<CheckpointId> {
        if let Ok(alias) = wanted.parse()
            && let Some(id) = self.aliases()?.get(&alias)
        {
            return Ok(id.clone());
        }
        if let Ok(id) = wanted.parse()
            && self.contains(&id)
        {
            return Ok(id);
        }
        let known = self.known();
        let fits = |name: &&String| !wanted.is_empty() && name.starts_with(wanted);
        let matches: Vec<String> = known.iter().filter(fits).cloned().collect();
        match matches.as_slice() {
            [] => Err(StoreError::Unknown {
                wanted: wanted.to_owned(),
                known,
            }),
            [only] => only.parse().map_err(|problem| StoreError::Refused {
                path: self.checkpoints().join(only),
                problem,
            }),
            _ => Err(StoreError::Ambiguous {
                wanted: wanted.to_owned(),
                matches,
            }),
        }
    }
}

fn looks_like_a_path(text: &str) -> bool {
    text.contains(['/', '\\']) || text.starts_with(['.', '~']) || text.ends_with(".gguf")
}
