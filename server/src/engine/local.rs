//! The engine that runs a checkpoint in this process.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use truefill_model::adapter::Adapter;
use truefill_model::checkpoint::Checkpoint;
use truefill_model::config::ModelConfig;
use truefill_model::decoder::{Decoder, Precision};
use truefill_model::fim::{BoundFormat, Budget, FimFormat, Prompt, PromptParts};
use truefill_model::generate::{self, Generation, Limits};
use truefill_model::store::{CheckpointId, Lease};
use truefill_model::tokenizer::Tokenizer;
use truefill_model::tokens::TokenId;
use truefill_model::{device, threads};

use super::sessions::Sessions;
use super::{
    CancelToken, Engine, EngineError, EngineInfo, EngineKind, EngineRequest, Flow, Generated,
    RenderedPrompt, StopReason, sampling_of,
};
use crate::config::HEADROOM;

/// What a local engine is made of.
#[derive(Debug, Clone)]
pub struct LocalOptions {
    /// The checkpoint's file or folder; of an adapter, its base's.
    pub path: PathBuf,
    /// The folder of the adapter.
    pub adapter: Option<PathBuf>,
    /// The store's id of what lies at `path`: another engine with the same one has the same weights.
    pub base: Option<CheckpointId>,
    /// Its id, for the journal and the caches.
    pub checkpoint: String,
    /// Name of the FIM format; `None` asks the tokenizer.
    pub format: Option<String>,
    /// Name of one of its layouts; `None` takes the one that it is served with.
    pub layout: Option<String>,
    /// `auto`, `cpu`, `cuda` or `cuda:N`.
    pub device: String,
    /// CPU threads; 0 takes what the machine has.
    pub threads: usize,
    /// Longest sequence, prompt and completion together, in tokens.
    pub max_positions: usize,
    /// Bytes that all KV sessions may take together.
    pub kv_bytes: usize,
}

/// What a prompt gave again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replayed {
    /// Ids of the tokens.
    pub tokens: Vec<u32>,
    /// Their text.
    pub text: String,
}

/// What engines on the same weights share.
#[derive(Clone)]
struct Base {
    id: CheckpointId,
    positions: usize,
    /// On the CPU, where adapters are computed beside it.
    decoder: Arc<Decoder>,
}

/// Weights, tokenizer, format, and the documents' KV sessions.
pub struct LocalEngine {
    decoder: Arc<Decoder>,
    base: Option<Base>,
    tokenizer: Tokenizer,
    format: BoundFormat,
    checkpoint: String,
    device: String,
    sessions: Mutex<Sessions>,
    /// While it lives, the store keeps the checkpoint.
    _lease: Option<Lease>,
}

impl LocalEngine {
    /// Opens the checkpoint. The calling thread becomes the one that computes. What can be shared
    /// with an engine beside it is.
    ///
    /// # Errors
    /// [`EngineError::Load`] with what is missing or damaged, and what to do.
    pub fn open(options: &LocalOptions, beside: &[&Self]) -> Result<Self, EngineError> {
        let wanted = if options.threads == 0 {
            threads::available()
        } else {
            options.threads
        };
        threads::claim(wanted);
        let device = device::choose(&options.device).map_err(|error| load(&error))?;
        let on_base = beside.iter().find(|other| other.is_on(options, &device));
        let (decoder, base, tokenizer) = match on_base {
            Some(other) => other.decoder_of(options)?,
            None => opened(options, &device)?,
        };
        let engine = Self {
            decoder,
            base,
            format: bind(&tokenizer, options)?,
            tokenizer,
            checkpoint: options.checkpoint.clone(),
            device: device.to_string(),
            sessions: Mutex::new(Sessions::new(options.kv_bytes)),
            _lease: None,
        };
        engine.first_pass()?;
        Ok(engine)
    }

    /// Whether both compute on the same copy of a base's weights.
    pub fn shares_weights(&self, other: &Self) -> bool {
        let (one, other) = (self.base.as_ref(), other.base.as_ref());
        one.zip(other)
            .is_some_and(|(one, other)| Arc::ptr_eq(&one.decoder, &other.decoder))
    }

    /// Whether an engine of these options would have the same weights under its adapter.
    fn is_on(&self, options: &LocalOptions, device: &device::Choice) -> bool {
        let base = self.base.as_ref();
        base.is_some_and(|base| {
            Some(&base.id) == options.base.as_ref()
                && base.positions == options.max_positions
                && device.to_string() == self.device
        })
    }

    /// The decoder of another adapter on this engine's base.
    fn decoder_of(&self, options: &LocalOptions) -> Result<Opened, EngineError> {
        let base = self
            .base
            .clone()
            .ok_or_else(|| load(&"there is no base to share"))?;
        let decoder = match adapter(options, base.decoder.config())? {
            Some(adapter) => on_top(&base.decoder, &adapter)?,
            None => Arc::clone(&base.decoder),
        };
        Ok((decoder, Some(base), self.tokenizer.clone()))
    }

    /// Runs a prompt of token ids again, with the seed of an alternative or greedily, for as many
    /// tokens as there were.
    ///
    /// # Errors
    /// Where an id is none of the vocabulary, or there is no room.
    pub fn replay(
        &self,
        prompt: &[u32],
        seed: Option<u64>,
        tokens: usize,
    ) -> Result<Replayed, EngineError> {
        let prompt: Vec<TokenId> = prompt.iter().copied().map(TokenId).collect();
        let mut cache = self.decoder.cache(prompt.len() + tokens).map_err(compute)?;
        let limits = Limits {
            max_new_tokens: tokens,
            stop_tokens: self.format.stop_tokens(),
            banned_before_text: self.format.banned_before_text(),
            deadline: None,
        };
        let generation = generate::generate(
            &self.decoder,
            &mut cache,
            &self.tokenizer,
            &prompt,
            sampling_of(seed),
            &limits,
            &Instant::now,
            &|| false,
            &mut |_| generate::Flow::Continue,
        )
        .map_err(compute)?;
        Ok(Replayed {
            tokens: generation.tokens.iter().map(|token| token.0).collect(),
            text: generation.text,
        })
    }

    /// The engine, with the lease of its checkpoint.
    pub fn holding(mut self, lease: Option<Lease>) -> Self {
        self._lease = lease;
        self
    }

    /// Touches every weight once, so that the first keystroke does not pay for it, and shows at
    /// once whether the weights give numbers.
    fn first_pass(&self) -> Result<(), EngineError> {
        let mut cache = self.decoder.cache(8).map_err(compute)?;
        let logits = self
            .decoder
            .forward(&mut cache, &[TokenId(0)], &[0], &|| false)
            .map_err(compute)?;
        match logits.iter().all(|logit| logit.is_finite()) {
            true => Ok(()),
            false => Err(EngineError::Load(
                "the model gave logits that are not finite; its weights are damaged, run \
                 `truefill models verify`"
                    .into(),
            )),
        }
    }

    fn prompt(&self, request: &EngineRequest) -> Result<Prompt, EngineError> {
        let chunks: Vec<truefill_model::fim::ContextChunk> = request
            .chunks
            .iter()
            .map(|chunk| truefill_model::fim::ContextChunk {
                path: chunk.path.clone(),
                text: chunk.text.clone(),
            })
            .collect();
        let parts = PromptParts {
            prefix: &request.prefix,
            suffix: &request.suffix,
            path: request.path.as_deref(),
            repo: request.repo.as_deref(),
            chunks: &chunks,
        };
        let room = self
            .decoder
            .max_positions()
            .saturating_sub(request.max_new_tokens);
        let budget = Budget {
            total: request.window_tokens.min(room),
            suffix_share: request.suffix_share,
            chunk_share: if chunks.is_empty() { 0.0 } else { 0.25 },
        };
        self.format
            .render(&parts, &budget)
            .map_err(|error| EngineError::Prompt(error.to_string()))
    }

    fn generated(&self, generation: Generation, prompt: &[TokenId], render: Duration) -> Generated {
        Generated {
            text: generation.text,
            prompt: prompt.iter().map(|token| token.0).collect(),
            tokens: generation.tokens.iter().map(|token| token.0).collect(),
            logprobs: generation.log_probabilities,
            stop: match generation.stop {
                generate::StopReason::StopToken(token) => StopReason::StopToken(token.0),
                generate::StopReason::Limit => StopReason::Limit,
                generate::StopReason::Condition => StopReason::Condition,
                generate::StopReason::Cancelled => StopReason::Cancelled,
                generate::StopReason::Deadline => StopReason::Deadline,
            },
            prompt_tokens: Some(generation.prompt_tokens),
            cached_tokens: Some(generation.cached_tokens),
            completion_tokens: Some(generation.tokens.len()),
            render,
            prefill: generation.prefill,
            first_token: render + generation.first_token,
            decode: generation.decode,
            prompt_sha256: hash(prompt),
        }
    }

    fn capacity(&self, request: &EngineRequest) -> usize {
        request.window_tokens + request.max_new_tokens.max(HEADROOM)
    }
}

impl Engine for LocalEngine {
    fn info(&self) -> EngineInfo {
        EngineInfo {
            checkpoint: self.checkpoint.clone(),
            format: self.format.name().to_owned(),
            format_version: self.format.version(),
            device: self.device.clone(),
            kind: EngineKind::Local,
        }
    }

    fn complete(
        &self,
        request: &EngineRequest,
        cancel: &CancelToken,
        on_text: &mut dyn FnMut(&str) -> Flow,
    ) -> Result<Generated, EngineError> {
        let begin = Instant::now();
        let prompt = self.prompt(request)?;
        let render = begin.elapsed();
        let limits = Limits {
            max_new_tokens: request.max_new_tokens,
            stop_tokens: self.format.stop_tokens(),
            banned_before_text: self.format.banned_before_text(),
            deadline: request.deadline,
        };
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let cache = sessions
            .get(&request.document, self.capacity(request), |capacity| {
                self.decoder.cache(capacity)
            })
            .map_err(compute)?;
        let generation = generate::generate(
            &self.decoder,
            cache,
            &self.tokenizer,
            &prompt.tokens,
            request.sampling,
            &limits,
            &Instant::now,
            &|| cancel.is_cancelled() || over(request.deadline),
            &mut |text| match on_text(text) {
                Flow::Continue => generate::Flow::Continue,
                Flow::Stop { keep_bytes } => generate::Flow::Stop { keep_bytes },
            },
        )
        .map_err(compute)?;
        let mut generated = self.generated(generation, &prompt.tokens, render);
        if generated.stop == StopReason::Cancelled && !cancel.is_cancelled() {
            // What was read of the prompt stays in the cache, so the next request gets further.
            generated.stop = StopReason::Deadline;
        }
        Ok(generated)
    }

    fn warm(&self, request: &EngineRequest, cancel: &CancelToken) -> Result<(), EngineError> {
        let prompt = self.prompt(request)?;
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let cache = sessions
            .get(&request.document, self.capacity(request), |capacity| {
                self.decoder.cache(capacity)
            })
            .map_err(compute)?;
        match generate::warm(&self.decoder, cache, &prompt.tokens, &|| {
            cancel.is_cancelled()
        }) {
            Ok(_) | Err(truefill_model::error::ModelError::Cancelled) => Ok(()),
            Err(error) => Err(compute(error)),
        }
    }

    fn render(&self, request: &EngineRequest) -> Result<RenderedPrompt, EngineError> {
        let prompt = self.prompt(request)?;
        Ok(RenderedPrompt {
            text: self.format.show(&prompt),
            tokens: prompt.tokens.len(),
            sha256: hash(&prompt.tokens),
        })
    }

    fn forget(&self, document: &str) {
        self.sessions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .forget(document);
    }

    fn local(&self) -> Option<&LocalEngine> {
        Some(self)
    }
}

/// A decoder, what others may share of it, and the tokenizer.
type Opened = (Arc<Decoder>, Option<Base>, Tokenizer);

fn opened(options: &LocalOptions, device: &device::Choice) -> Result<Opened, EngineError> {
    let checkpoint = Checkpoint::open(&options.path).map_err(|error| load(&error))?;
    let tokenizer = checkpoint.tokenizer().map_err(|error| load(&error))?;
    let adapter = adapter(options, &checkpoint.config)?;
    let (precision, positions) = (Precision::Serving, options.max_positions);
    let decoder = |adapter| {
        let decoder = checkpoint.decoder(adapter, device, precision, positions);
        decoder.map(Arc::new).map_err(|error| load(&error))
    };
    let on_cpu = matches!(device, device::Choice::Cpu);
    let shared = options.base.clone().filter(|_| on_cpu);
    let Some(id) = shared else {
        return Ok((decoder(adapter.as_ref())?, None, tokenizer.clone()));
    };
    let base = Base {
        id,
        positions,
        decoder: decoder(None)?,
    };
    let decoder = match &adapter {
        Some(adapter) => on_top(&base.decoder, adapter)?,
        None => Arc::clone(&base.decoder),
    };
    Ok((decoder, Some(base), tokenizer.clone()))
}

fn adapter(options: &LocalOptions, config: &ModelConfig) -> Result<Option<Adapter>, EngineError> {
    let folder = options.adapter.as_ref();
    let adapter = folder.map(|folder| Adapter::read(folder, config));
    adapter.transpose().map_err(|error| load(&error))
}

fn on_top(base: &Decoder, adapter: &Adapter) -> Result<Arc<Decoder>, EngineError> {
    let adapted = base.adapted(adapter).map_err(|error| load(&error))?;
    let adapted = adapted.ok_or_else(|| load(&"the base is not on the CPU"))?;
    Ok(Arc::new(adapted))
}

fn load(error: &dyn std::fmt::Display) -> EngineError {
    EngineError::Load(error.to_string())
}

fn bind(tokenizer: &Tokenizer, options: &LocalOptions) -> Result<BoundFormat, EngineError> {
    let format = match options.format.as_deref() {
        None => FimFormat::detect(tokenizer),
        Some(name) => FimFormat::builtin(name).ok_or_else(|| {
            let known: Vec<&str> = FimFormat::all()
                .iter()
                .map(|format| format.name())
                .collect();
            EngineError::Load(format!(
                "unknown FIM format `{name}`, expected one of: {}",
                known.join(", ")
            ))
        })?,
    };
    let bound = format.bind(tokenizer);
    let bound = match &options.layout {
        Some(name) => bound.and_then(|bound| bound.with_layout_named(name)),
        None => bound,
    };
    bound.map_err(|error| EngineError::Load(format!("{}: {error}", options.path.display())))
}

fn over(deadline: Option<Instant>) -> bool {
    deadline.is_some_and(|deadline| Instant::now() >= deadline)
}

fn compute(error: truefill_model::error::ModelError) -> EngineError {
    EngineError::Compute(error.to_string())
}

/// SHA-256 of the prompt's token ids, little-endian.
fn hash(tokens: &[TokenId]) -> String {
    let mut hasher = Sha256::new();
    for token in tokens {
        hasher.update(token.0.to_le_bytes());
    }
    hex::encode(hasher.finalize())
}
