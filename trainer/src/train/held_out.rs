//! What a model is measured with, and so is not trained on.

use std::collections::HashSet;
use std::path::Path;

use serde::Deserialize;

use super::data::{InstructLine, Question, RowKind, TrainRow, content};
use crate::mine::repository_name;
use crate::rows::{RowError, RowReader};

/// Why a row must not be trained on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overlap {
    /// A held-out row has its id: it is the same hole.
    Id,
    /// A held-out row has its prefix, golden completion and suffix.
    Content,
    /// A held-out row has its instruction.
    Instruction,
    /// A held-out row is from its repository.
    Repository,
}

impl std::fmt::Display for Overlap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Id => "id",
            Self::Content => "prefix, golden completion and suffix",
            Self::Instruction => "instruction",
            Self::Repository => "repository",
        })
    }
}

const NOTHING: &str = "no id, no repository and no text: it would keep out nothing";
const TASK_ALONE: &str = "a prompt alone, which is compared with instructions and would keep nothing out of \
    rows of code; give the row's `prefix`, `golden` and `suffix`, or its `repo`";

/// Ids, contents and repositories of held-out rows.
#[derive(Clone, Debug, Default)]
pub struct HeldOut {
    ids: HashSet<String>,
    contents: HashSet<[u8; 32]>,
    instructions: HashSet<[u8; 32]>,
    repositories: HashSet<String>,
}

/// A row of `contexts`, of `sft.jsonl` or `pairs.jsonl`, or of instructions.
#[derive(Deserialize)]
struct Line {
    context_id: Option<String>,
    prefix: Option<String>,
    golden: Option<String>,
    suffix: Option<String>,
    #[serde(flatten)]
    instruct: InstructLine,
}

impl HeldOut {
    /// Adds the rows of a file, which are to be kept out of rows of a kind.
    ///
    /// # Errors
    /// [`RowError`] where it cannot be read, or a row has nothing to know it by.
    pub fn read(&mut self, path: &Path, kind: RowKind) -> Result<(), RowError> {
        let mut reader = RowReader::<Line>::open(path, "held-out rows")?;
        while let Some(line) = reader.next() {
            let line = line?;
            let task = line.instruct.task();
            let task = task.map_err(|found| reader.wrong(found))?;
            // Sets of instructions count their rows each from 1: such an id says nothing.
            let counted = || task.is_none().then(|| line.instruct.id()).flatten();
            let id = line.context_id.or_else(counted);
            let repo = line.instruct.repo;
            let whole = line.prefix.as_deref().zip(line.golden.as_deref());
            if id.is_none() && repo.is_none() && whole.is_none() {
                match (&task, kind) {
                    (Some(_), RowKind::Instruct) => {}
                    (Some(_), RowKind::Fim) => return Err(reader.wrong(TASK_ALONE)),
                    (None, _) => return Err(reader.wrong(NOTHING)),
                }
            }
            if let Some((prefix, golden)) = whole {
                let suffix = line.suffix.as_deref().unwrap_or_default();
                self.contents.insert(content([prefix, golden, suffix]));
            }
            self.repositories.extend(repo.as_deref().map(repository));
            self.instructions.extend(task.as_deref().map(asked));
            self.ids.extend(id);
        }
        Ok(())
    }

    /// What a row has in common with a held-out one.
    pub fn overlap(&self, row: &TrainRow) -> Option<Overlap> {
        let known = |repo: &String| self.repositories.contains(&repository(repo));
        if self.ids.contains(&row.place.id) {
            return Some(Overlap::Id);
        }
        match &row.question {
            Question::Fim { .. } if self.contents.contains(&row.content()) => {
                Some(Overlap::Content)
            }
            Question::Instruct { instruction, .. }
                if self.instructions.contains(&asked(instruction)) =>
            {
                Some(Overlap::Instruction)
            }
            _ => {
                let known = row.repo.as_ref().is_some_and(known);
                known.then_some(Overlap::Repository)
            }
        }
    }
}

/// A hash of a task, whatever is answered to it.
fn asked(instruction: &str) -> [u8; 32] {
    content([instruction, "", ""])
}

/// Hosts, schemes and letters' case differ between lists of the same repositories.
fn repository(name: &str) -> String {
    repository_name(name)
        .unwrap_or_else(|| name.to_owned())
        .to_ascii_lowercase()
}
