//! What a model is measured with, and so is not trained on.

use std::collections::HashSet;
use std::path::Path;

use serde::Deserialize;

use super::data::{TrainRow, content};
use crate::mine::repository_name;
use crate::rows::{RowError, RowReader};

/// Why a row must not be trained on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overlap {
    /// A held-out row has its id: it is the same hole.
    Id,
    /// A held-out row has its prefix, golden completion and suffix.
    Content,
    /// A held-out row is from its repository.
    Repository,
}

impl std::fmt::Display for Overlap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Id => "id",
            Self::Content => "prefix, golden completion and suffix",
            Self::Repository => "repository",
        })
    }
}

/// Ids, contents and repositories of held-out rows.
#[derive(Clone, Debug, Default)]
pub struct HeldOut {
    ids: HashSet<String>,
    contents: HashSet<[u8; 32]>,
    repositories: HashSet<String>,
}

/// A row of `contexts`, of `sft.jsonl` or `pairs.jsonl`, or of instructions.
#[derive(Deserialize)]
struct Line {
    #[serde(alias = "id", alias = "task_id")]
    context_id: Option<String>,
    repo: Option<String>,
    #[serde(alias = "instruction", alias = "prompt", alias = "problem")]
    prefix: Option<String>,
    #[serde(
        alias = "response",
        alias = "chosen",
        alias = "output",
        alias = "solution"
    )]
    golden: Option<String>,
    suffix: Option<String>,
}

impl HeldOut {
    /// Adds the rows of a file.
    ///
    /// # Errors
    /// [`RowError`] where it cannot be read, or a row has nothing to know it by.
    pub fn read(&mut self, path: &Path) -> Result<(), RowError> {
        let mut reader = RowReader::<Line>::open(path, "held-out rows")?;
        while let Some(line) = reader.next() {
            let line = line?;
            let whole = line.prefix.as_deref().zip(line.golden.as_deref());
            if line.context_id.is_none() && line.repo.is_none() && whole.is_none() {
                return Err(
                    reader.wrong("no id, no repository and no text: it would keep out nothing")
                );
            }
            if let Some((prefix, golden)) = whole {
                let suffix = line.suffix.as_deref().unwrap_or_default();
                self.contents.insert(content([prefix, golden, suffix]));
            }
            self.repositories
                .extend(line.repo.as_deref().map(repository));
            self.ids.extend(line.context_id);
        }
        Ok(())
    }

    /// What a row has in common with a held-out one.
    pub fn overlap(&self, row: &TrainRow) -> Option<Overlap> {
        let known = |repo: &String| self.repositories.contains(&repository(repo));
        if self.ids.contains(&row.place.id) {
            Some(Overlap::Id)
        } else if self.contents.contains(&row.content()) {
            Some(Overlap::Content)
        } else {
            row.repo
                .as_ref()
                .is_some_and(known)
                .then_some(Overlap::Repository)
        }
    }
}

/// Hosts, schemes and letters' case differ between lists of the same repositories.
fn repository(name: &str) -> String {
    repository_name(name)
        .unwrap_or_else(|| name.to_owned())
        .to_ascii_lowercase()
}
