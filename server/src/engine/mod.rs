//! What the server asks of whatever generates text.
//!
//! An [`Engine`] is blocking and knows neither LSP nor documents: it gets the text
//! on both sides of the cursor and gives back what goes between. One thread owns it
//! ([`EngineThread`]), so weights and KV cache need no lock.

pub mod canary;
mod cancel;
pub mod lineup;
pub mod local;
pub mod locate;
pub mod open;
mod queue;
pub mod remote;
pub mod scripted;
mod sessions;
mod thread;

use std::sync::Arc;
use std::time::{Duration, Instant};

pub use cancel::{CancelGuard, CancelToken};
pub use truefill_model::generate::Sampling;

pub use thread::{Answer, EngineHandle, EngineState, EngineThread, Job, Loader, StopFn, Ticket};

use crate::config::Config;

/// Makes what opens the engine of a configuration.
pub type EngineFactory = Arc<dyn Fn(&Config) -> Loader + Send + Sync>;

/// Text of another file that may help, rendered before the prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContextChunk {
    /// Path as the prompt shows it, relative to the workspace.
    pub path: String,
    /// The chunk itself.
    pub text: String,
}

/// One completion to make. Both texts are whole, the engine cuts its own window
/// out of them by tokens.
#[derive(Debug, Clone)]
pub struct EngineRequest {
    /// Key of the KV session and of "newest wins": the document's URI.
    pub document: String,
    /// Text before the cursor.
    pub prefix: String,
    /// Text after the cursor.
    pub suffix: String,
    /// Path as the prompt may show it, relative to the workspace.
    pub path: Option<String>,
    /// Name of the repository as the prompt may show it.
    pub repo: Option<String>,
    /// Text from other files, most important first.
    pub chunks: Vec<ContextChunk>,
    /// Tokens in the prompt at most.
    pub window_tokens: usize,
    /// Share of the window that the suffix may take, 0 to 1.
    pub suffix_share: f32,
    /// Tokens to generate at most.
    pub max_new_tokens: usize,
    /// How tokens are chosen.
    pub sampling: Sampling,
    /// Generation stops here with what it has; `None` leaves it unbounded.
    pub deadline: Option<Instant>,
}

/// What the watcher of the growing text wants next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Generate on.
    Continue,
    /// Enough: the text is its first `keep_bytes` bytes (a character boundary).
    Stop {
        /// UTF-8 bytes to keep.
        keep_bytes: usize,
    },
}

/// Why generation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// The model ended the middle by this token.
    StopToken(u32),
    /// `max_new_tokens` are there.
    Limit,
    /// The watcher said [`Flow::Stop`].
    Condition,
    /// The request was cancelled; the text is incomplete.
    Cancelled,
    /// The deadline passed; the text is incomplete.
    Deadline,
    /// A remote backend ended it and gave no reason.
    Unknown,
}

/// What the engine made.
#[derive(Debug, Clone)]
pub struct Generated {
    /// The text, cut as the watcher asked, without sentinels.
    pub text: String,
    /// Ids of the prompt's tokens; empty where a remote backend made the prompt.
    pub prompt: Vec<u32>,
    /// Ids of the tokens; empty where a remote backend does not tell them.
    pub tokens: Vec<u32>,
    /// Natural logarithm of each token's probability; empty or as long as `tokens`.
    pub logprobs: Vec<f32>,
    /// Why it ended.
    pub stop: StopReason,
    /// Tokens of the prompt, where they are known: a remote backend need not tell.
    pub prompt_tokens: Option<usize>,
    /// Tokens of the prompt that were in the KV cache already, where that is known.
    pub cached_tokens: Option<usize>,
    /// Tokens written, where that is known.
    pub completion_tokens: Option<usize>,
    /// Time to render the prompt and its tokens.
    pub render: Duration,
    /// Time to run the rest of the prompt.
    pub prefill: Duration,
    /// From the call to the first token, rendering included.
    pub first_token: Duration,
    /// From the first token to the last.
    pub decode: Duration,
    /// SHA-256 of the rendered prompt, in hex.
    pub prompt_sha256: String,
}

/// Where the engine computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EngineKind {
    /// Weights in this process.
    Local,
    /// A completion backend that the user's configuration names.
    Remote,
    /// Given answers, for tests.
    Scripted,
}

/// What is being served; the journal's rows and the caches are keyed by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineInfo {
    /// Id of the checkpoint; of a remote backend the model's name and the server's address.
    pub checkpoint: String,
    /// Name of the FIM format.
    pub format: String,
    /// Version of the FIM format.
    pub format_version: u32,
    /// Device in words: `cpu (2 threads)`, `cuda:0`, a server's address.
    pub device: String,
    /// Where it computes.
    pub kind: EngineKind,
}

/// The exact prompt of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenderedPrompt {
    /// With sentinels made visible.
    pub text: String,
    /// Its length in tokens.
    pub tokens: usize,
    /// SHA-256 as in [`Generated::prompt_sha256`].
    pub sha256: String,
}

/// Why an engine could not answer.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum EngineError {
    /// The model is not there or cannot be read.
    #[error("{0}")]
    Load(String),
    /// A prompt could not be made of this text.
    #[error("the prompt could not be rendered: {0}")]
    Prompt(String),
    /// The computation failed.
    #[error("generation failed: {0}")]
    Compute(String),
    /// A remote backend could not be reached or refused.
    #[error("the completion backend failed: {0}")]
    Backend(String),
    /// The engine panicked; it goes on with the next request.
    #[error("the engine panicked, see the log on stderr")]
    Panicked,
}

/// Temperature of alternatives: enough to differ, little enough to make sense.
const ALTERNATIVE_TEMPERATURE: f32 = 0.6;

/// How the sample of a seed is drawn; the first one has none and is greedy.
pub fn sampling_of(seed: Option<u64>) -> Sampling {
    match seed {
        None => Sampling::GREEDY,
        Some(seed) => Sampling {
            temperature: ALTERNATIVE_TEMPERATURE,
            top_p: 0.95,
            seed,
        },
    }
}

/// Generates what goes between prefix and suffix. Calls block; [`EngineThread`] makes
/// them, one at a time, so an implementation need not guard its state against itself. One that is
/// still being tried is called by the thread that opened it.
pub trait Engine: Send + Sync {
    /// What is being served.
    fn info(&self) -> EngineInfo;

    /// Generates. `on_text` gets all text so far after each token that completed a
    /// character and decides whether to go on. Once `cancel` is set this returns
    /// within one token with [`StopReason::Cancelled`].
    ///
    /// # Errors
    /// [`EngineError`] where no text could be made; a cancelled request is no error.
    fn complete(
        &self,
        request: &EngineRequest,
        cancel: &CancelToken,
        on_text: &mut dyn FnMut(&str) -> Flow,
    ) -> Result<Generated, EngineError>;

    /// Brings the document's KV session up to date so that the next [`complete`]
    /// starts from it. Does nothing where there is nothing to warm.
    ///
    /// # Errors
    /// As [`complete`].
    ///
    /// [`complete`]: Engine::complete
    fn warm(&self, request: &EngineRequest, cancel: &CancelToken) -> Result<(), EngineError>;

    /// The prompt that [`Engine::complete`] would run.
    ///
    /// # Errors
    /// [`EngineError::Prompt`].
    fn render(&self, request: &EngineRequest) -> Result<RenderedPrompt, EngineError>;

    /// Forgets the document's session; it was closed.
    fn forget(&self, document: &str) {
        let _ = document;
    }

    /// The local engine that this is, for what another one can share with it.
    fn local(&self) -> Option<&local::LocalEngine> {
        None
    }
}
