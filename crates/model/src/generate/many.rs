//! Generation for many prompts: each pass over the weights serves all sequences that are under way, and
//! one that ends makes room for the next.

use super::{Clock, Flow, Generation, Limits, Run, Sampling, Step, StopReason};
use crate::decoder::{Decoder, Part};
use crate::error::{ModelError, Result};
use crate::kv::KvCache;
use crate::tokenizer::Tokenizer;
use crate::tokens::TokenId;

/// Tokens that go through the layers together at most; sequences that decode come first.
const ROWS: usize = 128;

/// A prompt with what bounds its completion.
pub struct Request<'a> {
    /// At least one token.
    pub prompt: Vec<TokenId>,
    /// How tokens are chosen.
    pub sampling: Sampling,
    /// What ends it.
    pub limits: &'a Limits<'a>,
}

/// A sequence under way.
struct Slot<'a> {
    /// Its request's place.
    index: usize,
    cache: KvCache,
    run: Run<'a>,
    /// What has to go through the model before the next token is drawn.
    pending: Vec<TokenId>,
    /// How many of them go through in this pass.
    now: usize,
}

/// What `generate_many` tells of its requests, each by its place among them.
pub struct Told<'a> {
    /// As in [`super::generate`].
    pub text: &'a mut dyn FnMut(usize, &str) -> Flow,
    /// A request that has ended, or whose logits are not finite.
    pub done: &'a mut dyn FnMut(usize, Result<Generation>),
}

/// Completes `requests` in their order, `width` at a time, with caches of `capacity` tokens. On the CPU under
/// [`crate::decoder::Precision::Serving`] a completion is the same bit for bit whatever the width. Times
/// are of the shared passes.
///
/// # Errors
/// As [`super::generate`], but for [`ModelError::NotFinite`], which ends its own request alone;
/// [`ModelError::Cancelled`] where `cancelled` said so: what ended before was told.
pub fn generate_many<'a>(
    model: &Decoder,
    tokenizer: &'a Tokenizer,
    requests: impl IntoIterator<Item = Request<'a>>,
    (width, capacity): (usize, usize),
    clock: Clock<'_>,
    cancelled: &dyn Fn() -> bool,
    told: Told<'_>,
) -> Result<()> {
    let mut requests = requests.into_iter().enumerate();
    let mut free: Vec<KvCache> = Vec::new();
    let mut slots: Vec<Slot<'a>> = Vec::new();
    loop {
        while slots.len() < width.max(1) {
            let Some((index, request)) = requests.next() else {
                break;
            };
            let cache = match nearest(&free, &request.prompt) {
                Some(at) => free.swap_remove(at),
                None => model.cache(capacity)?,
            };
            slots.push(Slot::new(index, request, cache, tokenizer, clock)?);
        }
        if slots.is_empty() {
            return Ok(());
        }
        let logits = pass(model, &mut slots, cancelled)?;
        let mut logits = logits.chunks_exact(model.config().vocabulary);
        let mut going = Vec::with_capacity(slots.len());
        for mut slot in slots {
            slot.pending.drain(..slot.now);
            let drawn = match slot.pending.is_empty() {
                true => slot.draw(logits.next().unwrap_or_default(), clock, told.text),
                false => Ok(None),
            };
            match drawn {
                Ok(None) => going.push(slot),
                Ok(Some(stop)) => {
                    (told.done)(slot.index, Ok(slot.run.ended(stop, clock())));
                    free.push(slot.cache);
                }
                // Its cache may hold what is no number, too.
                Err(error @ ModelError::NotFinite) => (told.done)(slot.index, Err(error)),
                Err(error) => return Err(error),
            }
        }
        slots = going;
    }
}

/// The cache that has the most of a prompt already.
fn nearest(free: &[KvCache], prompt: &[TokenId]) -> Option<usize> {
    let shared = |at: &usize| free[*at].shared_prefix(prompt);
    (0..free.len()).max_by_key(shared)
}

/// One pass: a token of each sequence that decodes, and of prompts as much as there is room for.
fn pass(model: &Decoder, slots: &mut [Slot<'_>], cancelled: &dyn Fn() -> bool) -> Result<Vec<f32>> {
    let decoding = slots.iter().filter(|slot| slot.pending.len() == 1).count();
    let mut room = ROWS.max(slots.len()) - decoding;
    for slot in slots.iter_mut() {
        slot.now = match slot.pending.len() {
            1 => 1,
            more => more.min(room),
        };
        room -= if slot.pending.len() == 1 { 0 } else { slot.now };
    }
    let mut parts: Vec<Part<'_>> = slots
        .iter_mut()
        .filter(|slot| slot.now > 0)
        .map(|slot| Part {
            cache: &mut slot.cache,
            tokens: &slot.pending[..slot.now],
            logits: slot.now == slot.pending.len(),
        })
        .collect();
    model.forward_many(&mut parts, cancelled)
}

impl<'a> Slot<'a> {
    fn new(
        index: usize,
        request: Request<'a>,
        mut cache: KvCache,
        tokenizer: &'a Tokenizer,
        clock: Clock<'_>,
    ) -> Result<Self> {
        if request.prompt.is_empty() {
            return Err(ModelError::internal("a prompt has at least one token"));
        }
        let prompt = &request.prompt;
        let mut run = Run::new(
            tokenizer,
            request.sampling,
            request.limits,
            prompt.len(),
            clock(),
        );
        let pending = run.reuse(&mut cache, prompt).to_vec();
        Ok(Self {
            index,
            cache,
            run,
            pending,
            now: 0,
        })
    }

    /// Draws the next token, which is pending then; or says why there is none.
    fn draw(
        &mut self,
        logits: &[f32],
        clock: Clock<'_>,
        on_text: &mut dyn FnMut(usize, &str) -> Flow,
    ) -> Result<Option<StopReason>> {
        if self.run.result.prefill.is_zero() {
            self.run.result.prefill = clock() - self.run.begin;
        }
        let mut logits = logits.to_vec();
        let step = self
            .run
            .step(&mut logits, &self.cache, clock, &mut |text| {
                on_text(self.index, text)
            })?;
        Ok(match step {
            Step::Token(token) => {
                self.pending.push(token);
                None
            }
            Step::Ended(stop) => Some(stop),
        })
    }
}
