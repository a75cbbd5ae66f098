//! From a row to the tokens of a training step.
//!
//! FIM prompts are rendered by `model::fim`, as serving renders them; the prompt makes room for the
//! completion, so that no sentinel and no end token is ever cut off. How a row is varied (its layout,
//! where its hole begins) is drawn from seed, epoch and the row's id: a run that goes on sees the same
//! tokens as one that was never interrupted.

use std::ops::Range;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use truefill_model::fim::{BoundFormat, Budget, FimError, Layout, PromptParts};
use truefill_model::tokenizer::{Tokenizer, TokenizerError};
use truefill_model::tokens::TokenId;

use super::asked::Asked;
use super::chat::Chat;
use super::data::{Question, TrainRow};
use super::error::DataError;
use super::mask::{Cases, Marking, Side, mark, token_ranges};
use super::objective::{Needs, Window};
use super::recut::Holes;
use super::vary::{Draw, layout_of, resplit};
use crate::kept::Key;

/// Tokens that a prompt has at least; a completion that leaves fewer is too long.
const SHORTEST_PROMPT: usize = 32;

/// How rows become tokens.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Tokens of a FIM prompt at most.
    pub context_tokens: usize,
    /// Tokens of a sequence at most, prompt and completion.
    pub max_tokens: usize,
    /// The suffix's part of a prompt.
    pub suffix_share: f32,
    /// Share of the rows whose hole begins later than in the file.
    pub resplit: f64,
    /// How holes are cut where no rejected completion belongs to them.
    pub holes: Holes,
    /// Of all draws.
    pub seed: u64,
    /// The objective's name, for errors.
    pub objective: &'static str,
    /// What the objective needs.
    pub needs: Needs,
    /// How FGit marks tokens.
    pub marking: Marking,
}

/// Turns rows into examples.
pub struct Renderer {
    formats: Vec<(f64, BoundFormat)>,
    tokenizer: Tokenizer,
    chat: Option<Chat>,
    end: TokenId,
    settings: Settings,
}

/// A row as tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Example {
    /// What the model reads.
    pub prompt: Vec<TokenId>,
    /// The golden completion, its end token last.
    pub chosen: Vec<TokenId>,
    /// The rejected completion; empty where the objective has no use for its probability.
    pub rejected: Vec<TokenId>,
    /// FGit's marks of `chosen`; empty where they are not needed.
    pub chosen_marks: Vec<u8>,
    /// FGit's marks of `rejected`.
    pub rejected_marks: Vec<u8>,
    /// What was special in marking.
    pub cases: Cases,
    /// The layout of a FIM prompt.
    pub layout: Option<Layout>,
    /// Bytes of the completion that went to the prefix.
    pub moved: usize,
}

/// A sequence for the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sequence {
    /// Its tokens.
    pub tokens: Vec<TokenId>,
    /// Those whose log-probability is wanted; the one at 0 has none.
    pub targets: Range<usize>,
}

/// What came of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rendered {
    /// An example.
    Whole(Box<Example>),
    /// None.
    Skipped(Skip),
}

/// Why a row is not trained on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Skip {
    /// The completion leaves no room for a prompt, or for this instruction.
    TooLong,
    /// The vocabulary cannot express the completion or the instruction.
    Unspellable,
}

impl Example {
    /// The sequences that the engine computes: the chosen one, and the rejected one where there is one.
    /// With `prompt`, the prompt's tokens are wanted too, in the chosen one.
    pub fn sequences(&self, prompt: bool) -> Vec<Sequence> {
        let begin = self.prompt.len();
        let sequence = |completion: &[TokenId], first: usize| {
            let tokens = [&self.prompt, completion].concat();
            let targets = first..tokens.len();
            Sequence { tokens, targets }
        };
        let mut sequences = vec![sequence(&self.chosen, if prompt { 1 } else { begin })];
        if !self.rejected.is_empty() {
            sequences.push(sequence(&self.rejected, begin));
        }
        sequences
    }

    /// Positions that the example takes, its own padding counted.
    pub fn positions(&self) -> usize {
        let sides = 1 + usize::from(!self.rejected.is_empty());
        sides * (self.prompt.len() + self.chosen.len().max(self.rejected.len()))
    }

    /// Adds the example to the counts of its step.
    pub fn count(&self, window: &mut Window) {
        window.add(self.chosen.len(), self.prompt.len() - 1);
    }

    /// A hash of the tokens: log-probabilities under a reference are kept by it.
    pub fn key(&self) -> Key {
        let mut hasher = Sha256::new();
        for part in [&self.prompt, &self.chosen, &self.rejected] {
            hasher.update((part.len() as u64).to_le_bytes());
            for token in part {
                hasher.update(token.0.to_le_bytes());
            }
        }
        let mut key = Key::default();
        key.copy_from_slice(&hasher.finalize()[..16]);
        key
    }
}

impl Renderer {
    /// A renderer for FIM rows, and with a `chat` for instructions. `layouts` have their shares; with
    /// none, the format's own layout is used.
    ///
    /// # Errors
    /// A layout that the format does not have; a vocabulary without an end token.
    pub fn new(
        format: &BoundFormat,
        layouts: &[(Layout, f64)],
        chat: Option<Chat>,
        settings: Settings,
    ) -> Result<Self, DataError> {
        let bound = layouts
            .iter()
            .filter(|(_, share)| *share > 0.0)
            .map(|(layout, share)| Ok((*share, format.clone().with_layout(*layout)?)));
        let mut formats = bound.collect::<Result<Vec<_>, FimError>>()?;
        if formats.is_empty() {
            formats.push((1.0, format.clone()));
        }
        let end = match &chat {
            Some(chat) => Some(chat.end()),
            None => format.end_token(),
        };
        let end = end.ok_or_else(|| DataError::NoEnd {
            format: format.name().to_owned(),
        })?;
        Ok(Self {
            formats,
            tokenizer: format.tokenizer().clone(),
            chat,
            end,
            settings,
        })
    }

    /// The token that every completion ends with.
    pub fn end(&self) -> TokenId {
        self.end
    }

    /// The template of instructions; none where rows have holes.
    pub fn chat(&self) -> Option<&Chat> {
        self.chat.as_ref()
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The format, with the first of its layouts.
    pub fn format(&self) -> &BoundFormat {
        &self.formats[0].1
    }

    /// The control tokens that a chat's prompts and responses have.
    pub(super) fn chat_controls(&self) -> impl Iterator<Item = TokenId> {
        self.chat.iter().flat_map(Chat::controls)
    }

    /// What the objective needs.
    pub fn needs(&self) -> Needs {
        self.settings.needs
    }

    /// Renders a row as `epoch` has it. Where the objective needs a reference, every epoch has the
    /// same tokens, because the reference's numbers are computed once.
    ///
    /// A row that is rendered in one epoch is rendered in all: one that does not fit as it stands in its
    /// file is left out, though it might fit where its hole begins later.
    ///
    /// # Errors
    /// [`DataError`], which names the row.
    pub fn render(&self, row: &TrainRow, epoch: u64) -> Result<Rendered, DataError> {
        let epoch = if self.settings.needs.reference {
            0
        } else {
            epoch
        };
        let draw = Draw {
            seed: self.settings.seed,
            epoch,
            id: &row.place.id,
        };
        let pairs = self.settings.needs.rejected || self.settings.needs.mask;
        if pairs && row.rejected.is_none() {
            return Err(DataError::NoRejected {
                place: row.place.clone(),
                objective: self.settings.objective,
            });
        }
        let rejected = row.rejected.as_deref().filter(|_| pairs);
        let own = Asked::of(row, rejected);
        let still = self.attempt(row, &own, &draw)?;
        if matches!(still, Rendered::Skipped(_))
            || matches!(row.question, Question::Instruct { .. })
        {
            return Ok(still);
        }
        let varied = match self.settings.holes.are_own() || pairs {
            true => None,
            false => own.cut(&self.settings.holes, &draw),
        };
        let is_cut = varied.is_some();
        let varied = varied.unwrap_or(own);
        let moved = resplit(
            &draw,
            self.settings.resplit,
            &varied.chosen,
            varied.rejected,
        );
        if moved == 0 && !is_cut {
            return Ok(still);
        }
        match self.attempt(row, &varied.later(moved), &draw)? {
            // The rest of a word may have more tokens than the word.
            Rendered::Skipped(_) => Ok(still),
            rendered => Ok(rendered),
        }
    }

    fn attempt(
        &self,
        row: &TrainRow,
        asked: &Asked<'_>,
        draw: &Draw<'_>,
    ) -> Result<Rendered, DataError> {
        let completion = |text: &str| self.completion(row, text);
        let Some(chosen_tokens) = completion(&asked.chosen)? else {
            return Ok(Rendered::Skipped(Skip::Unspellable));
        };
        let rejected_tokens = match asked.rejected.map(completion).transpose()? {
            None => Vec::new(),
            Some(None) => return Ok(Rendered::Skipped(Skip::Unspellable)),
            Some(Some(tokens)) => tokens,
        };
        let room = self.settings.max_tokens;
        let room = room.saturating_sub(chosen_tokens.len().max(rejected_tokens.len()));
        let prompt = match self.prompt(row, asked, room, draw)? {
            Ok(prompt) => prompt,
            Err(skip) => return Ok(Rendered::Skipped(skip)),
        };
        let fim = matches!(row.question, Question::Fim { .. });
        let layout = fim.then(|| layout_of(draw, &self.formats).layout());
        let mut example = Example {
            prompt,
            chosen: chosen_tokens,
            rejected: rejected_tokens,
            layout,
            moved: asked.moved,
            ..Example::default()
        };
        self.mark(&mut example, &asked.chosen, asked.rejected);
        Ok(Rendered::Whole(Box::new(example)))
    }

    /// A completion's tokens, the end token last on every side; nothing where the vocabulary cannot
    /// express it.
    fn completion(&self, row: &TrainRow, text: &str) -> Result<Option<Vec<TokenId>>, DataError> {
        match self.tokenizer.encode(text) {
            Ok(mut tokens) => {
                tokens.push(self.end);
                Ok(Some(tokens))
            }
            Err(TokenizerError::Unspellable { .. }) => Ok(None),
            Err(reason) => Err(DataError::Encode {
                place: row.place.clone(),
                reason,
            }),
        }
    }

    /// A prompt of at most `room` tokens.
    fn prompt(
        &self,
        row: &TrainRow,
        asked: &Asked<'_>,
        room: usize,
        draw: &Draw<'_>,
    ) -> Result<Result<Vec<TokenId>, Skip>, DataError> {
        match &row.question {
            Question::Fim { path, .. } => {
                let parts = PromptParts {
                    prefix: &asked.prefix,
                    suffix: &asked.suffix,
                    path: Some(path),
                    ..PromptParts::default()
                };
                self.fim_prompt(&parts, room, layout_of(draw, &self.formats))
            }
            Question::Instruct {
                system,
                instruction,
            } => self.chat_prompt(row, system, instruction, room),
        }
    }

    fn fim_prompt(
        &self,
        parts: &PromptParts<'_>,
        room: usize,
        format: &BoundFormat,
    ) -> Result<Result<Vec<TokenId>, Skip>, DataError> {
        let total = room.min(self.settings.context_tokens);
        if total < SHORTEST_PROMPT.min(self.settings.context_tokens) {
            return Ok(Err(Skip::TooLong));
        }
        let budget = Budget {
            total,
            suffix_share: self.settings.suffix_share,
            chunk_share: 0.0,
        };
        Ok(Ok(format.render(parts, &budget)?.tokens))
    }

    /// Instructions are not cut: a half of one asks for something else.
    fn chat_prompt(
        &self,
        row: &TrainRow,
        system: &str,
        instruction: &str,
        room: usize,
    ) -> Result<Result<Vec<TokenId>, Skip>, DataError> {
        let place = || row.place.clone();
        let Some(chat) = &self.chat else {
            return Err(DataError::NoChat { place: place() });
        };
        match chat.prompt(&self.tokenizer, system, instruction) {
            Ok(tokens) if tokens.is_empty() || tokens.len() > room => Ok(Err(Skip::TooLong)),
            Ok(tokens) => Ok(Ok(tokens)),
            Err(TokenizerError::Unspellable { .. }) => Ok(Err(Skip::Unspellable)),
            Err(reason) => Err(DataError::Encode {
                place: place(),
                reason,
            }),
        }
    }

    fn mark(&self, example: &mut Example, chosen: &str, rejected: Option<&str>) {
        if let (true, Some(rejected)) = (self.settings.needs.mask, rejected) {
            let ranges = [&example.chosen, &example.rejected]
                .map(|tokens| token_ranges(&self.tokenizer, tokens));
            let [of_chosen, of_rejected] = [(chosen, &ranges[0]), (rejected, &ranges[1])]
                .map(|(text, tokens)| Side { text, tokens });
            let marks = mark(of_chosen, of_rejected, self.settings.marking);
            example.chosen_marks = marks.chosen;
            example.rejected_marks = marks.rejected;
            example.cases = marks.cases;
        }
        if !self.settings.needs.rejected {
            example.rejected.clear();
            example.rejected_marks.clear();
        }
    }
}
