//! Generation: the prompt through the cache, then a token at a time until something stops it.

mod many;
mod sampler;

use std::time::{Duration, Instant};

pub use many::{Request, Told, generate_many};
pub use sampler::{Sampler, Sampling};

use crate::decoder::Decoder;
use crate::error::{ModelError, Result};
use crate::kv::KvCache;
use crate::tokenizer::{Tokenizer, Utf8Stream};
use crate::tokens::TokenId;

/// Time as the generation sees it; given from outside, so that tests decide it.
pub type Clock<'a> = &'a dyn Fn() -> Instant;

/// What bounds a generation.
pub struct Limits<'a> {
    /// New tokens at most.
    pub max_new_tokens: usize,
    /// Tokens that end the middle; they are not part of the text.
    pub stop_tokens: &'a [TokenId],
    /// Tokens that may not come before the text has a line that is not blank.
    pub banned_before_text: &'a [TokenId],
    /// No further token is begun after this instant.
    pub deadline: Option<Instant>,
}

/// Why a generation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// The model ended the middle itself.
    StopToken(TokenId),
    /// `max_new_tokens`, or the cache is full.
    Limit,
    /// The observer asked for it.
    Condition,
    /// No longer wanted.
    Cancelled,
    /// Out of time.
    Deadline,
}

/// What the observer of a generation answers to each piece of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Go on.
    Continue,
    /// Enough: keep this many bytes of the text.
    Stop {
        /// At a character's boundary.
        keep_bytes: usize,
    },
}

/// What was generated.
#[derive(Clone, Debug)]
pub struct Generation {
    /// Valid UTF-8, cut where the observer said.
    pub text: String,
    /// Every token that was drawn, the stop token excluded; may reach beyond `text`.
    pub tokens: Vec<TokenId>,
    /// Natural logarithm of each token's probability at temperature 1.
    pub log_probabilities: Vec<f32>,
    /// Why it ended.
    pub stop: StopReason,
    /// Tokens of the prompt.
    pub prompt_tokens: usize,
    /// Prompt tokens whose keys and values were in the cache already.
    pub cached_tokens: usize,
    /// From the start until the prompt was through.
    pub prefill: Duration,
    /// From the start until the first token was drawn; zero where none was.
    pub first_token: Duration,
    /// From the first token to the end.
    pub decode: Duration,
}

/// Runs the prompt through the cache so that a later generation finds it there. No logits are
/// computed. Gives the number of prompt tokens that were in the cache before.
///
/// # Errors
/// As [`Decoder::forward`]; on cancellation the cache keeps what is finished.
pub fn warm(
    model: &Decoder,
    cache: &mut KvCache,
    prompt: &[TokenId],
    cancelled: &dyn Fn() -> bool,
) -> Result<usize> {
    let shared = cache.shared_prefix(prompt);
    cache.truncate(shared);
    model.forward(cache, &prompt[shared..], &[], cancelled)?;
    Ok(shared)
}

/// Generates after `prompt`, reusing what of it is in `cache`.
///
/// `on_text` sees the whole text so far each time it grows. Cancellation between layers is no
/// error: the result carries what there is.
///
/// # Errors
/// As [`Decoder::forward`], and [`ModelError::NotFinite`].
pub fn generate(
    model: &Decoder,
    cache: &mut KvCache,
    tokenizer: &Tokenizer,
    prompt: &[TokenId],
    sampling: Sampling,
    limits: &Limits<'_>,
    clock: Clock<'_>,
    cancelled: &dyn Fn() -> bool,
    on_text: &mut dyn FnMut(&str) -> Flow,
) -> Result<Generation> {
    if prompt.is_empty() {
        return Err(ModelError::internal("a prompt has at least one token"));
    }
    let mut run = Run::new(tokenizer, sampling, limits, prompt.len(), clock());
    let rest = run.reuse(cache, prompt);
    let mut logits = match model.forward(cache, rest, &[rest.len() - 1], cancelled) {
        Err(ModelError::Cancelled) => return Ok(run.ended(StopReason::Cancelled, clock())),
        logits => logits?,
    };
    run.result.prefill = clock() - run.begin;
    loop {
        let token = match run.step(&mut logits, cache, clock, on_text)? {
            Step::Token(token) => token,
            Step::Ended(stop) => return Ok(run.ended(stop, clock())),
        };
        logits = match model.forward(cache, &[token], &[0], cancelled) {
            Err(ModelError::Cancelled) => return Ok(run.ended(StopReason::Cancelled, clock())),
            logits => logits?,
        };
    }
}

/// A generation under way: what is drawn from logits, and when it ends. Who computes the logits is not
/// its affair.
struct Run<'a> {
    tokenizer: &'a Tokenizer,
    sampler: Sampler,
    limits: &'a Limits<'a>,
    stream: Utf8Stream,
    begin: Instant,
    result: Generation,
}

/// What follows a draw.
enum Step {
    /// This token goes through the model.
    Token(TokenId),
    /// Nothing does.
    Ended(StopReason),
}

impl<'a> Run<'a> {
    fn new(
        tokenizer: &'a Tokenizer,
        sampling: Sampling,
        limits: &'a Limits<'a>,
        prompt_tokens: usize,
        begin: Instant,
    ) -> Self {
        Self {
            tokenizer,
            sampler: Sampler::new(sampling),
            limits,
            stream: Utf8Stream::default(),
            begin,
            result: Generation {
                text: String::new(),
                tokens: Vec::new(),
                log_probabilities: Vec::new(),
                stop: StopReason::Limit,
                prompt_tokens,
                cached_tokens: 0,
                prefill: Duration::ZERO,
                first_token: Duration::ZERO,
                decode: Duration::ZERO,
            },
        }
    }

    /// Cuts the cache back to what it shares with the prompt, and gives the rest of the prompt: at least
    /// its last token, whose logits the first token is drawn from.
    fn reuse<'p>(&mut self, cache: &mut KvCache, prompt: &'p [TokenId]) -> &'p [TokenId] {
        let shared = cache.shared_prefix(prompt).min(prompt.len() - 1);
        cache.truncate(shared);
        self.result.cached_tokens = shared;
        &prompt[shared..]
    }

    /// Draws a token from the logits behind what is in `cache`.
    fn step(
        &mut self,
        logits: &mut [f32],
        cache: &KvCache,
        clock: Clock<'_>,
        on_text: &mut dyn FnMut(&str) -> Flow,
    ) -> Result<Step> {
        if self.result.tokens.len() >= self.limits.max_new_tokens {
            return Ok(Step::Ended(StopReason::Limit));
        }
        if self
            .limits
            .deadline
            .is_some_and(|deadline| clock() >= deadline)
        {
            return Ok(Step::Ended(StopReason::Deadline));
        }
        let token = self.draw(logits)?;
        if self.result.first_token.is_zero() {
            self.result.first_token = clock() - self.begin;
        }
        if self.limits.stop_tokens.contains(&token) {
            return Ok(Step::Ended(StopReason::StopToken(token)));
        }
        self.result.tokens.push(token);
        Ok(match self.take_text(token, on_text) {
            Some(stop) => Step::Ended(stop),
            None if cache.len() >= cache.capacity() => Step::Ended(StopReason::Limit),
            None => Step::Token(token),
        })
    }

    fn ended(mut self, stop: StopReason, now: Instant) -> Generation {
        self.result.stop = stop;
        if !self.result.prefill.is_zero() || !self.result.tokens.is_empty() {
            self.result.decode = (now - self.begin).saturating_sub(self.result.first_token);
        }
        if stop != StopReason::Condition {
            self.result
                .text
                .push_str(self.stream.finish().trim_end_matches('\u{fffd}'));
        }
        self.result
    }

    fn draw(&mut self, logits: &mut [f32]) -> Result<TokenId> {
        if self.result.text.trim().is_empty() {
            for token in self.limits.banned_before_text {
                if let Some(logit) = logits.get_mut(token.0 as usize) {
                    *logit = f32::NEG_INFINITY;
                }
            }
        }
        let (token, log_probability) = self.sampler.draw(logits).ok_or(ModelError::NotFinite)?;
        if !self.limits.stop_tokens.contains(&token) {
            self.result.log_probabilities.push(log_probability);
        }
        Ok(token)
    }

    fn take_text(
        &mut self,
        token: TokenId,
        on_text: &mut dyn FnMut(&str) -> Flow,
    ) -> Option<StopReason> {
        let bytes = self.tokenizer.token_bytes(token).unwrap_or_default();
        let piece = self.stream.push(bytes);
        if piece.is_empty() {
            return None;
        }
        self.result.text.push_str(piece);
        match on_text(&self.result.text) {
            Flow::Continue => None,
            Flow::Stop { keep_bytes } => {
                let keep = (0..=keep_bytes.min(self.result.text.len()))
                    .rev()
                    .find(|at| self.result.text.is_char_boundary(*at));
                self.result.text.truncate(keep.unwrap_or(0));
                Some(StopReason::Condition)
            }
        }
    }
}
