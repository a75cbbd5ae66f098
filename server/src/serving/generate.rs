//! Asks the engine, and tells a text that came from one that did not.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use truefill_journal::ContextHashes;

use crate::config::Config;
use crate::engine::{
    Answer, Engine, EngineError, EngineHandle, EngineRequest, EngineState, Flow, Generated, Job,
    Sampling, StopFn, StopReason, sampling_of,
};
use crate::redacted;
use crate::silence::Silence;
use crate::suggest::lines;

use super::ask::Trigger;
use super::text::Around;

/// What the engine is to write.
pub struct Order<'a> {
    /// The document's URI.
    pub uri: &'a str,
    /// The text around the cursor.
    pub around: &'a Around,
    /// The path as the prompt may show it.
    pub path: Option<String>,
    /// What made the editor ask.
    pub trigger: Trigger,
    /// Tokens at most.
    pub max_new_tokens: usize,
    /// Makes the watcher of a growing text.
    pub make_stop: Box<dyn Fn() -> StopFn + Send>,
    /// When the delay was over: the budget counts from here.
    pub begun: Instant,
    /// The order of asking, for which of two requests is newer.
    pub sequence: u64,
}

/// What the engine wrote.
pub struct Written {
    /// Hashes of what it was asked with.
    pub context: ContextHashes,
    /// The first sample and its alternatives, none empty.
    pub samples: Vec<Sampled>,
    /// Time in the engine's queue.
    pub queued: Duration,
}

/// One sample.
pub struct Sampled {
    /// Its place in the order of asking: 0 is the greedy one.
    pub number: usize,
    /// What came of it.
    pub generated: Generated,
}

impl Sampled {
    /// The seed that it can be drawn with again; the greedy one has none.
    pub fn seed(&self) -> Option<u64> {
        (self.number > 0).then_some(self.number as u64)
    }
}

impl Written {
    /// What one suggestion takes: without the queue, and without alternatives.
    pub fn latency(&self) -> Duration {
        let first = self.samples.first().map(|sampled| &sampled.generated);
        first.map_or(Duration::ZERO, |first| first.first_token + first.decode)
    }
}

/// The time that a request may take.
pub fn budget(config: &Config, trigger: Trigger) -> Duration {
    Duration::from_millis(match trigger {
        Trigger::Automatic => config.suggest.automatic_budget_ms,
        Trigger::Invoked => config.suggest.invoked_budget_ms,
    })
}

/// The engine, if it can be asked now.
///
/// # Errors
/// The reason why not.
pub fn ready(engine: Option<EngineHandle>) -> Result<EngineHandle, Silence> {
    let engine = engine.ok_or(Silence::ModelLoading)?;
    match engine.state() {
        EngineState::Ready(_) => Ok(engine),
        EngineState::Loading => Err(Silence::ModelLoading),
        EngineState::Failed(sentence) => Err(Silence::ModelUnavailable(sentence)),
    }
}

/// The request that an order becomes.
pub fn request(config: &Config, order: &Order<'_>) -> EngineRequest {
    let (window, share) = (config.context.window_tokens, config.context.suffix_share);
    let around = order.around;
    let (prefix, suffix) = redacted::near(&around.prefix, &around.suffix, window, share);
    EngineRequest {
        document: order.uri.to_owned(),
        prefix,
        suffix,
        path: order.path.clone(),
        repo: None,
        chunks: Vec::new(),
        window_tokens: config.context.window_tokens,
        suffix_share: config.context.suffix_share,
        max_new_tokens: order.max_new_tokens,
        sampling: Sampling::GREEDY,
        deadline: Some(order.begun + budget(config, order.trigger)),
    }
}

/// Bytes next to the cursor, on each side, that are hashed: a keystroke in a large file must not
/// wait for the whole of it.
const HASHED: usize = 8192;

fn context(request: &EngineRequest) -> ContextHashes {
    let hash = |text: &str| hex::encode(Sha256::digest(text.as_bytes()));
    ContextHashes {
        prefix: hash(lines::tail(&request.prefix, HASHED)),
        suffix: hash(lines::head(&request.suffix, HASHED)),
    }
}

/// Asks the engine and waits. Dropping the future cancels the work.
///
/// # Errors
/// Why there is no text.
pub async fn generate(
    config: &Config,
    handle: &EngineHandle,
    engine: Arc<dyn Engine>,
    order: Order<'_>,
) -> Result<Written, Silence> {
    let request = request(config, &order);
    let context = context(&request);
    let alternatives = match order.trigger {
        Trigger::Invoked => (1..config.suggest.alternatives)
            .map(|number| sampling_of(Some(number as u64)))
            .collect(),
        Trigger::Automatic => Vec::new(),
    };
    let job = Job {
        sequence: order.sequence,
        engine,
        request,
        alternatives,
        alternatives_within: Duration::from_millis(config.suggest.alternatives_ms),
        make_stop: order.make_stop,
    };
    let milliseconds = u64::try_from(budget(config, order.trigger).as_millis()).unwrap_or(u64::MAX);
    match handle.submit(job).wait().await {
        Answer::Done { samples, queued } => {
            let late = samples.iter().any(is_torn);
            let kept: Vec<Sampled> = samples
                .into_iter()
                .enumerate()
                .map(|(number, generated)| Sampled { number, generated })
                .filter(|sampled| !sampled.generated.text.is_empty())
                .filter(|sampled| !is_torn(&sampled.generated))
                .collect();
            match kept.is_empty() {
                true if late => Err(Silence::BudgetExceeded { milliseconds }),
                true => Err(Silence::NothingGenerated),
                false => Ok(Written {
                    context,
                    samples: kept,
                    queued,
                }),
            }
        }
        Answer::Superseded => Err(Silence::Superseded),
        Answer::Cancelled => Err(Silence::Cancelled),
        Answer::Failed(EngineError::Panicked) => Err(Silence::EnginePanicked),
        Answer::Failed(error) => Err(Silence::EngineFailed(error.to_string())),
    }
}

/// Whether the time was over before the first line was complete: half a line is no suggestion.
fn is_torn(sample: &Generated) -> bool {
    sample.stop == StopReason::Deadline && !sample.text.trim_start().contains('\n')
}

/// Never stops before the engine does.
pub fn never() -> Box<dyn Fn() -> StopFn + Send> {
    Box::new(|| Box::new(|_| Flow::Continue))
}
