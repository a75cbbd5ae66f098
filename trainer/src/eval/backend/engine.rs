//! Our engine, several rows at a time.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use truefill_model::decoder::{Decoder, Precision};
use truefill_model::device::Choice;
use truefill_model::error::ModelError;
use truefill_model::fim::{BoundFormat, Budget, Layout, PromptParts, SUFFIX_SHARE};
use truefill_model::generate::{
    Flow, Generation, Limits, Request, Sampling, StopReason, Told, generate_many,
};
use truefill_model::tokenizer::Tokenizer;
use truefill_model::tokens::TokenId;

use super::{Backend, Completion, Hear, Likelihood, Stop, Timed, Timing};
use crate::checkpoint;
use crate::eval::chat;
use crate::eval::cut::stops::before_stop;
use crate::eval::decoding::Decoding;
use crate::eval::row::{EvalRow, Question};
use crate::kept;
use crate::score::{LONGEST_MIDDLE, Scorer};
use crate::stored::Opened;
use crate::train::chat::Chat;

/// Counts up with every change to how prompts are made, probabilities computed, or completions end.
const VERSION: &str = "engine-3";
/// Fewer tokens of a prompt are none.
const LEAST_PROMPT: usize = 16;

/// A checkpoint as it would be served.
pub struct Engine {
    decoder: Arc<Decoder>,
    tokenizer: Tokenizer,
    format: BoundFormat,
    stop: Vec<TokenId>,
    /// The checkpoint's own, or why it cannot be used.
    chat: Result<Option<Chat>, String>,
    scorer: Scorer,
    decoding: Decoding,
    width: usize,
    served_as: &'static str,
    identity: String,
}

impl Engine {
    /// Loads a checkpoint onto `device` for rows of which `width` are completed at a time.
    ///
    /// # Errors
    /// What is wrong with the checkpoint, a format that does not fit it, a device that is not there.
    pub fn open(
        opened: &Opened,
        decoding: &Decoding,
        device: &Choice,
        width: usize,
    ) -> Result<Self> {
        let tokenizer = opened.tokenizer()?.clone();
        let named = opened.format_name(decoding.format.as_deref());
        let format = checkpoint::format(named, &tokenizer)?;
        let format = match decoding.layout {
            Some(layout) => format.with_layout(layout)?,
            None => format,
        };
        let context = decoding.context_tokens;
        let most = decoding.most_tokens(true).max(decoding.most_tokens(false));
        // What is scored must not hang on how long completions may become.
        let positions = context + most.max(LONGEST_MIDDLE) + 1;
        let decoder = Arc::new(load(opened, device, positions)?);
        leaves_room(&decoder, decoding.most_tokens(true))
            .with_context(|| opened.checkpoint.path.display().to_string())?;
        let mut stop = format.stop_tokens().to_vec();
        stop.extend(opened.end(&format)?);
        let chat = chat::of(opened, &format).map_err(|error| format!("{error:#}"));
        stop.extend(chat.iter().flatten().map(Chat::end));
        let scorer = Scorer::new(
            "model".into(),
            Arc::clone(&decoder),
            format.clone(),
            context,
        )?;
        let served_as = served_as(device);
        let (name, version) = (format.name(), format.version());
        let identity = format!(
            "{VERSION} {} {} {name}@{version} {} {stop:?}",
            identity(opened)?,
            served_as,
            format.layout()
        );
        Ok(Self {
            decoder,
            tokenizer,
            format,
            stop,
            chat,
            scorer,
            decoding: decoding.clone(),
            width,
            served_as,
            identity,
        })
    }

    /// The kind of device that it runs on.
    #[must_use]
    pub fn served_as(&self) -> &'static str {
        self.served_as
    }

    /// The format that prompts have.
    #[must_use]
    pub fn format(&self) -> &BoundFormat {
        &self.format
    }

    fn limits(&self, row: &EvalRow) -> Limits<'_> {
        let in_a_hole = matches!(row.question, Question::Infill { .. });
        let banned = if in_a_hole {
            self.format.banned_before_text()
        } else {
            &[]
        };
        Limits {
            max_new_tokens: self.decoding.most_tokens(in_a_hole),
            stop_tokens: &self.stop,
            banned_before_text: banned,
            deadline: None,
        }
    }

    /// Tokens of a prompt at most: the model's positions hold the completion, too.
    fn room(&self, in_a_hole: bool) -> usize {
        let taken = self.decoding.most_tokens(in_a_hole) + 1;
        let room = self.decoder.max_positions().saturating_sub(taken);
        self.decoding.context_tokens.min(room)
    }

    fn sampling(&self, row: &EvalRow) -> Sampling {
        let drawn = kept::key(self.decoding.seed, &["sample", &row.id]);
        let mut seed = [0; 8];
        seed.copy_from_slice(&drawn[..8]);
        Sampling {
            temperature: self.decoding.temperature,
            top_p: self.decoding.top_p,
            seed: u64::from_le_bytes(seed),
        }
    }

    /// A row's prompt, and whether it lacks a part of the text.
    fn prompt(&self, row: &EvalRow) -> Result<(Vec<TokenId>, bool)> {
        let in_a_hole = matches!(row.question, Question::Infill { .. });
        leaves_room(&self.decoder, self.decoding.most_tokens(in_a_hole))?;
        let most = self.room(in_a_hole);
        match &row.question {
            Question::Infill { suffix, .. } => {
                let prefix = row.prefix();
                let parts = PromptParts {
                    prefix: &prefix,
                    suffix,
                    path: row.path.as_deref(),
                    ..PromptParts::default()
                };
                let budget = Budget {
                    total: most,
                    suffix_share: SUFFIX_SHARE,
                    chunk_share: 0.0,
                };
                let prompt = self.format.render(&parts, &budget)?;
                // Nothing is cut of a suffix that the layout does not show.
                let behind = self.format.layout() == Layout::Causal
                    || prompt.suffix_window.len() == suffix.len();
                let whole = prompt.prefix_window.len() == prefix.len() && behind;
                Ok((prompt.tokens, !whole))
            }
            Question::Continue { prompt } => {
                let begin = self.tokenizer.bos().filter(|_| self.tokenizer.add_bos());
                let mut tokens: Vec<TokenId> = begin.into_iter().collect();
                let found = self.tokenizer.encode(prompt)?;
                let first = (found.len() + tokens.len()).saturating_sub(most);
                tokens.extend(&found[first..]);
                Ok((tokens, first > 0))
            }
            Question::Instruct { prompt } => {
                let chat = self.chat.as_ref();
                let chat = chat.map_err(|problem| anyhow::anyhow!("{problem}"))?;
                let chat = chat.as_ref().context(
                    "expected a chat template for tasks in words, found none in the checkpoint; \
                     measure the suite's completion form",
                )?;
                let tokens = chat.prompt(&self.tokenizer, "", prompt)?;
                ensure!(
                    tokens.len() <= most,
                    "expected a task of at most {most} tokens, found {}; raise `context_tokens`",
                    tokens.len()
                );
                Ok((tokens, false))
            }
        }
    }

    /// What `generate` found, as files have it.
    fn completion(&self, found: Generation, shortened: bool) -> Timed {
        let stop = match found.stop {
            StopReason::StopToken(_) => Stop::End,
            StopReason::Condition => Stop::Text,
            StopReason::Limit | StopReason::Deadline | StopReason::Cancelled => Stop::Limit,
        };
        let ms = |time: Duration| time.as_secs_f64() * 1000.0;
        let timing = Timing {
            first_ms: ms(found.first_token),
            ms: ms(found.first_token + found.decode),
            width: self.width,
        };
        let completion = Completion {
            tokens: Some(found.tokens.len() as u64),
            prompt_tokens: Some(found.prompt_tokens as u64),
            text: found.text,
            stop,
            shortened,
        };
        Timed { completion, timing }
    }
}

impl Backend for Engine {
    fn identity(&self) -> &str {
        &self.identity
    }

    fn notes(&self) -> Vec<String> {
        let (wanted, room) = (self.decoding.context_tokens, self.room(true));
        let positions = self.decoder.max_positions();
        let note = format!(
            "the model has {positions} positions: prompts have at most {room} tokens, not {wanted}"
        );
        (room < wanted).then_some(note).into_iter().collect()
    }

    fn complete(&mut self, rows: &[&EvalRow], hear: Hear<'_>) -> Result<()> {
        let failed: RefCell<Option<anyhow::Error>> = RefCell::new(None);
        let hear_of = RefCell::new(hear.done);
        let tell = |at: usize, found: Result<Timed, String>| {
            if let Err(error) = (hear_of.borrow_mut())(at, found) {
                failed.borrow_mut().get_or_insert(error);
            }
        };
        // Rows that a prompt could be made of, and whether it lacks a part.
        let asked: RefCell<Vec<(usize, bool)>> = RefCell::new(Vec::new());
        let limits: Vec<Limits<'_>> = rows.iter().map(|row| self.limits(row)).collect();
        let requests = rows.iter().enumerate().filter_map(|(at, row)| {
            let (prompt, shorter) = match self.prompt(row) {
                Ok(made) => made,
                Err(error) => {
                    tell(at, Err(format!("{error:#}")));
                    return None;
                }
            };
            asked.borrow_mut().push((at, shorter));
            Some(Request {
                prompt,
                sampling: self.sampling(row),
                limits: &limits[at],
            })
        });
        let row_of = |at: usize| asked.borrow()[at];
        let mut done = |at: usize, found: Result<Generation, ModelError>| {
            let (at, shorter) = row_of(at);
            let found = found.map_err(|error| error.to_string());
            tell(at, found.map(|found| self.completion(found, shorter)));
        };
        let mut on_text = |at: usize, text: &str| end_at(text, rows[row_of(at).0].stops);
        let ended = generate_many(
            &self.decoder,
            &self.tokenizer,
            requests,
            (self.width, self.decoder.max_positions()),
            &Instant::now,
            &|| (hear.stop)() || failed.borrow().is_some(),
            Told {
                text: &mut on_text,
                done: &mut done,
            },
        );
        match (failed.into_inner(), ended) {
            (Some(error), _) => Err(error),
            (None, Err(ModelError::Cancelled)) => Ok(()),
            (None, ended) => Ok(ended?),
        }
    }

    fn likelihood(&mut self, row: &EvalRow, completion: &str) -> Result<Option<Likelihood>> {
        let Question::Infill { suffix, .. } = &row.question else {
            return Ok(None);
        };
        let path = row.path.as_deref().unwrap_or_default();
        let found = self
            .scorer
            .score(path, [&row.prefix(), completion, suffix])?;
        Ok(found.map(|scored| Likelihood {
            log_probability: scored.log_probability,
            tokens: scored.tokens as u64,
        }))
    }
}

/// Ends a text before the first of the stop texts.
fn end_at(text: &str, stops: &[&str]) -> Flow {
    match before_stop(text, stops).len() {
        keep_bytes if keep_bytes < text.len() => Flow::Stop { keep_bytes },
        _ => Flow::Continue,
    }
}

/// Refuses completions that leave no room for a prompt.
fn leaves_room(decoder: &Decoder, most: usize) -> Result<()> {
    let positions = decoder.max_positions();
    ensure!(
        positions > most + LEAST_PROMPT,
        "the model has {positions} positions, and `max_tokens` leaves no room for a prompt; expected at most \
         {}, found {most}",
        positions.saturating_sub(LEAST_PROMPT + 1)
    );
    Ok(())
}

/// What serving rounds weights to hangs on the kind of device, and so do results.
const fn served_as(device: &Choice) -> &'static str {
    match device {
        Choice::Cpu => "cpu",
        Choice::Accelerator { .. } => "gpu",
    }
}

/// SHA-256 of the checkpoint; of an adapter its own and its base's.
fn identity(opened: &Opened) -> Result<String> {
    let model = opened.sha256()?;
    Ok(match (&opened.adapter, &opened.manifest) {
        (Some(_), Some(manifest)) => format!("{model}+{}", manifest.id()),
        _ => model,
    })
}

fn load(opened: &Opened, device: &Choice, positions: usize) -> Result<Decoder> {
    let (checkpoint, adapter) = (&opened.checkpoint, opened.adapter.as_ref());
    let decoder = checkpoint.decoder(adapter, device, Precision::Serving, positions);
    decoder.with_context(|| format!("{}: cannot be loaded", checkpoint.path.display()))
}

#[cfg(test)]
mod tests;
