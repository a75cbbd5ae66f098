//! What is known about a request when it ends, for the journal.

use std::time::{Duration, Instant};

use truefill_journal::{
    Completion, ContextHashes, Document, Event, Format, Guard, Shape, Stages, SuggestionId,
    SuggestionRecord, Tokens, Trigger,
};

use super::ask::{self, Ask};
use super::generate::{Sampled, Written};
use super::plan::Plan;
use crate::arms::Assigned;
use crate::engine::{Generated, StopReason};
use crate::suggest::surroundings;

/// The way of one request so far.
pub struct Trail {
    /// When the editor asked.
    pub asked: Instant,
    /// Time spent in each stage so far.
    pub stages: Stages,
    /// The arm whose engine was asked; a request that ended before is not journalled.
    pub assigned: Option<Assigned>,
    /// Hashes of the text around the cursor as it was sent.
    pub context: Option<ContextHashes>,
    /// How far the suggestion was to go.
    pub shape: Option<surroundings::Shape>,
    /// The first sample, where one came.
    pub first: Option<Sample>,
    /// What the guard said of a suggestion that was held back.
    pub blocked: Option<Guard>,
    /// The request's id: that of its first suggestion.
    pub request: SuggestionId,
}

/// Figures of a sample.
#[derive(Debug, Clone)]
pub struct Sample {
    prompt_sha256: String,
    prompt_tokens: Option<usize>,
    cached_tokens: Option<usize>,
    tokens: Option<usize>,
    stop: String,
    replay: Option<Tokens>,
}

/// What is shown of a request, as the journal writes it.
pub struct Shown<'a> {
    /// Its id.
    pub id: SuggestionId,
    /// What it inserts.
    pub text: &'a str,
    /// The cursor's line up to the cursor.
    pub line_before: &'a str,
    /// The rest of that line.
    pub line_after: &'a str,
    /// Figures of the sample that it was made from.
    pub sample: &'a Sample,
    /// The seed of that sample, `None` for the greedy one.
    pub seed: Option<u64>,
    /// What the guard said.
    pub guard: Option<Guard>,
}

impl Trail {
    /// A request that begins now.
    pub fn new(asked: Instant) -> Self {
        Self {
            asked,
            stages: Stages::default(),
            assigned: None,
            context: None,
            shape: None,
            first: None,
            blocked: None,
            request: SuggestionId::generate(),
        }
    }

    /// Takes over the engine's figures of the first sample.
    pub fn generated(&mut self, plan: &Plan, written: &Written) {
        self.stages.queue = Some(micros(written.queued));
        self.context = Some(written.context.clone());
        if let Some(first) = written.samples.first() {
            let generated = &first.generated;
            self.stages.render = Some(micros(generated.render));
            self.stages.prefill = Some(micros(generated.prefill));
            self.stages.first_token = Some(micros(generated.first_token));
            self.stages.decode = Some(micros(generated.decode));
            self.first = Some(Sample::new(plan, first));
        }
    }

    /// The row of a suggestion, or of a request without one.
    pub fn row(
        &self,
        session: &str,
        ask: &Ask,
        language: &str,
        document: Document,
        shown: Option<Shown<'_>>,
        silence: Option<&str>,
    ) -> Option<Event> {
        let assigned = self.assigned.as_ref()?;
        let engine = &assigned.slot.info;
        let sample = shown
            .as_ref()
            .map(|shown| shown.sample)
            .or(self.first.as_ref());
        let stages = Stages {
            total: Some(micros(self.asked.elapsed())),
            ..self.stages
        };
        Some(Event::Suggestion(Box::new(SuggestionRecord {
            id: shown.as_ref().map_or(self.request, |shown| shown.id),
            request: self.request,
            session: session.to_owned(),
            document,
            language: language.to_owned(),
            checkpoint: engine.checkpoint.clone(),
            arm: assigned.slot.name.to_string(),
            assignment: assigned.assignment.clone(),
            shadow_of: None,
            format: Format {
                name: engine.format.clone(),
                version: engine.format_version,
            },
            prompt_sha256: sample.map(|sample| sample.prompt_sha256.clone()),
            context: self.context.clone(),
            trigger: match ask.trigger {
                ask::Trigger::Invoked => Trigger::Invoked,
                ask::Trigger::Automatic => Trigger::Automatic,
            },
            shape: self.shape.map(|shape| match shape {
                surroundings::Shape::OneLine => Shape::OneLine,
                surroundings::Shape::Block => Shape::Block,
            }),
            prompt_tokens: sample.and_then(|sample| sample.prompt_tokens).map(narrow),
            cached_tokens: sample.and_then(|sample| sample.cached_tokens).map(narrow),
            completion_tokens: sample.and_then(|sample| sample.tokens).map(narrow),
            stages,
            completion: shown.as_ref().map(|shown| Completion {
                text: shown.text.to_owned(),
                line_before: shown.line_before.to_owned(),
                line_after: shown.line_after.to_owned(),
                tokens: shown.sample.replay.clone(),
            }),
            stop_reason: sample.map(|sample| sample.stop.clone()),
            seed: shown.as_ref().and_then(|shown| shown.seed),
            guard: shown
                .and_then(|shown| shown.guard)
                .or_else(|| self.blocked.clone()),
            silence: silence.map(str::to_owned),
        })))
    }
}

impl Sample {
    /// Hash of the prompt's tokens.
    pub fn prompt_sha256(&self) -> &str {
        &self.prompt_sha256
    }

    /// What a replay needs.
    pub fn replay(&self) -> Option<Tokens> {
        self.replay.clone()
    }

    /// The figures of a generated text.
    pub fn new(plan: &Plan, sampled: &Sampled) -> Self {
        let generated = &sampled.generated;
        Self {
            prompt_sha256: generated.prompt_sha256.clone(),
            prompt_tokens: generated.prompt_tokens,
            cached_tokens: generated.cached_tokens,
            tokens: generated.completion_tokens,
            replay: replay(generated),
            stop: match generated.stop {
                StopReason::StopToken(_) => "stop_token",
                StopReason::Limit => "limit",
                StopReason::Condition => plan.stopped_by(sampled.number).unwrap_or("condition"),
                StopReason::Cancelled => "cancelled",
                StopReason::Deadline => "deadline",
                StopReason::Unknown => "unknown",
            }
            .to_owned(),
        }
    }
}

/// What a replay needs; a remote backend tells no tokens.
fn replay(generated: &Generated) -> Option<Tokens> {
    (!generated.prompt.is_empty()).then(|| Tokens {
        prompt: generated.prompt.clone(),
        completion: generated.tokens.clone(),
        completion_text: generated.text.clone(),
    })
}

/// Whole microseconds.
pub fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn narrow(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}
