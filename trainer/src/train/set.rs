//! All rows of a run, checked before its first step.

use std::collections::BTreeMap;
use std::path::PathBuf;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use truefill_model::fim::{BoundFormat, FimError, FimFormat};
use truefill_model::store::FormatName;
use truefill_model::tokenizer::Tokenizer;

use super::data::{Question, RowKind, TrainRow, read};
use super::error::DataError;
use super::example::{Rendered, Renderer, Skip};
use super::held_out::HeldOut;
use super::mask::Cases;

/// What becomes of a row that must not be trained on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unfit {
    /// Training does not start.
    #[default]
    Refuse,
    /// It is left out and counted.
    Drop,
}

/// The rows, in the order of the files.
#[derive(Debug, Default)]
pub struct TrainingSet {
    /// Rows that are rendered in every epoch.
    pub rows: Vec<TrainRow>,
    /// Positions that each took in the first epoch; batches are planned by them.
    pub lengths: Vec<usize>,
    /// What each file has, in their order.
    pub files: Vec<FileRows>,
    /// For the log and the manifest.
    pub counts: SetCounts,
}

/// The rows of a file, those that are left out among them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileRows {
    /// Rows of it.
    pub read: u64,
    /// Rows by their licence.
    pub licences: BTreeMap<String, u64>,
}

/// Rows by what became of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetCounts {
    /// In the files.
    pub read: u64,
    /// Trained on.
    pub kept: u64,
    /// Left out because they are held out.
    #[serde(default)]
    pub held_out: u64,
    /// Left out because their text spells a control token.
    pub sentinel: u64,
    /// Left out, by reason.
    pub skipped: BTreeMap<Skip, u64>,
    /// FGit's special cases in the first epoch.
    pub cases: Cases,
    /// Tokens to learn in the first epoch, of the chosen completions.
    pub chosen_tokens: u64,
}

impl TrainingSet {
    /// Reads the rows of `files`, checks every one, and renders it once.
    ///
    /// # Errors
    /// [`DataError`]: the first row that must not be trained on, or that no rows are left.
    pub fn load(
        files: &[PathBuf],
        kind: RowKind,
        renderer: &Renderer,
        held_out: (&HeldOut, Unfit),
        sentinels: Unfit,
    ) -> Result<Self, DataError> {
        let (held_out, overlap) = held_out;
        let mut set = Self::default();
        let spelled = Spelled::of(renderer);
        for file in files {
            let rows = read(file, kind)?;
            set.counts.read += rows.len() as u64;
            let mut of_file = FileRows {
                read: rows.len() as u64,
                ..FileRows::default()
            };
            for mut row in rows {
                for license in std::mem::take(&mut row.licences) {
                    *of_file.licences.entry(license).or_default() += 1;
                }
                match (held_out.overlap(&row), overlap) {
                    (None, _) => {}
                    (Some(_), Unfit::Drop) => {
                        set.counts.held_out += 1;
                        continue;
                    }
                    (Some(by), Unfit::Refuse) => {
                        let place = row.place;
                        return Err(DataError::HeldOut { place, by });
                    }
                }
                match (spelled.find(&row), sentinels) {
                    (None, _) => set.rows.push(row),
                    (Some(_), Unfit::Drop) => set.counts.sentinel += 1,
                    (Some(sentinel), Unfit::Refuse) => {
                        let place = row.place;
                        return Err(DataError::Sentinel { place, sentinel });
                    }
                }
            }
            set.files.push(of_file);
        }
        set.render(renderer)?;
        set.counts.kept = set.rows.len() as u64;
        match set.rows.is_empty() {
            false => Ok(set),
            true => Err(DataError::NoRows {
                read: set.counts.read,
                left_out: set.counts.left_out(),
            }),
        }
    }

    fn render(&mut self, renderer: &Renderer) -> Result<(), DataError> {
        let rendered: Result<Vec<Rendered>, DataError> = self
            .rows
            .par_iter()
            .map(|row| renderer.render(row, 0))
            .collect();
        let rows = std::mem::take(&mut self.rows);
        for (row, rendered) in rows.into_iter().zip(rendered?) {
            match rendered {
                Rendered::Whole(example) => {
                    self.lengths.push(example.positions());
                    self.counts.cases.add(&example.cases);
                    self.counts.chosen_tokens += example.chosen.len() as u64;
                    self.rows.push(row);
                }
                Rendered::Skipped(skip) => *self.counts.skipped.entry(skip).or_default() += 1,
            }
        }
        Ok(())
    }
}

impl SetCounts {
    /// What became of the rows, and what FGit marks in another way.
    pub fn sentence(&self) -> String {
        let Cases {
            one_line,
            addition,
            identical,
        } = self.cases;
        let mut text = format!("{} of {} rows are trained on", self.kept, self.read);
        if self.kept < self.read {
            text += &format!("; of the others {}", self.left_out());
        }
        if one_line + addition + identical > 0 {
            text += &format!(
                "; of the pairs {one_line} have a golden completion of one line, {addition} only add \
                 to it, {identical} are identical"
            );
        }
        text
    }

    /// How many are left out, by reason.
    pub(in crate::train) fn left_out(&self) -> String {
        let skipped = |skip| self.skipped.get(&skip).copied().unwrap_or_default();
        let held_out = match self.held_out {
            0 => String::new(),
            rows => format!("{rows} are held out, "),
        };
        format!(
            "{held_out}{} spell a control token, {} are too long, {} cannot be spelled",
            self.sentinel,
            skipped(Skip::TooLong),
            skipped(Skip::Unspellable)
        )
    }
}

/// The control tokens that a text must not spell.
pub(in crate::train) struct Spelled<'a> {
    renderer: &'a Renderer,
    format: Option<&'static FimFormat>,
}

impl<'a> Spelled<'a> {
    pub(in crate::train) fn of(renderer: &'a Renderer) -> Self {
        Self {
            renderer,
            format: FimFormat::builtin(renderer.format().name()),
        }
    }

    /// The first that a row's text spells.
    pub(in crate::train) fn find(&self, row: &TrainRow) -> Option<String> {
        let rejected = row.rejected.as_deref().unwrap_or_default();
        match &row.question {
            Question::Fim { prefix, suffix, .. } => {
                // What a server could not tell from a sentinel, a reader of the data cannot either.
                let spelled = |one: &str, other: &str| match self.format?.render_text(one, other) {
                    Err(FimError::SentinelInText { sentinel }) => Some(sentinel),
                    _ => None,
                };
                spelled(prefix, suffix).or_else(|| spelled(&row.chosen, rejected))
            }
            Question::Instruct {
                system,
                instruction,
            } => {
                let tokenizer = self.renderer.tokenizer();
                let controls = self.renderer.chat_controls();
                let spelling = |id| Some(tokenizer.decode(&[id])).filter(|text| !text.is_empty());
                controls.filter_map(spelling).find(|spelling| {
                    [system, instruction, &row.chosen, rejected]
                        .iter()
                        .any(|text| text.contains(spelling.as_str()))
                })
            }
        }
    }
}

/// What a checkpoint's manifest says about how it is prompted; nothing of a checkpoint that is not
/// from the store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// The tokenizer's hash.
    pub tokenizer_sha256: Option<String>,
    /// The format.
    pub format: Option<FormatName>,
    /// Rows of the embedding.
    pub vocabulary: usize,
}

/// Refuses a checkpoint that the tokenizer or the format at hand does not belong to. With
/// `teach_format`, the format may be another one than the checkpoint was trained with.
///
/// # Errors
/// [`DataError::Tokenizer`], [`DataError::Vocabulary`], [`DataError::OtherFormat`].
pub fn check_checkpoint(
    claims: &Claims,
    tokenizer: &Tokenizer,
    format: &BoundFormat,
    teach_format: bool,
) -> Result<(), DataError> {
    let found = tokenizer.sha256();
    if let Some(expected) = claims
        .tokenizer_sha256
        .as_deref()
        .filter(|hash| *hash != found)
    {
        return Err(DataError::Tokenizer {
            expected: expected.to_owned(),
            found: found.to_owned(),
        });
    }
    if tokenizer.vocabulary_size() > claims.vocabulary {
        return Err(DataError::Vocabulary {
            expected: tokenizer.vocabulary_size(),
            found: claims.vocabulary,
        });
    }
    let named = FormatName {
        name: format.name().to_owned(),
        version: format.version(),
    };
    match &claims.format {
        Some(expected) if *expected != named && !teach_format => Err(DataError::OtherFormat {
            expected: shown(expected),
            found: shown(&named),
        }),
        _ => Ok(()),
    }
}

fn shown(format: &FormatName) -> String {
    format!("{}, version {}", format.name, format.version)
}
