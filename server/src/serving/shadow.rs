//! Shadow arms: a candidate completes what was answered already, when there is nothing else to do. It is
//! never shown; what it says is held against what the user wrote there in the end.

use std::sync::{Arc, Weak};
use std::time::Instant;

use truefill_journal::{
    Completion, Event, Format, Shape, Stages, SuggestionId, SuggestionRecord, Trigger,
};

use super::Serving;
use super::ask::{self, Ask};
use super::generate::{Order, Sampled, request};
use super::plan::Plan;
use super::polish::polish;
use super::text::Around;
use super::trail::{Sample, micros};
use crate::documents::Snapshot;
use crate::engine::lineup::{Lineup, Slot};
use crate::engine::{CancelToken, EngineHandle, EngineRequest, StopReason};
use crate::suggest::{lines, surroundings};
use crate::workspace::file_path;

/// A request that was answered.
#[derive(Clone)]
pub struct Shadowed {
    /// The request.
    pub ask: Ask,
    /// Its document.
    pub snapshot: Snapshot,
    /// The text around its cursor.
    pub around: Arc<Around>,
    /// The path as the prompt may show it.
    pub path: Option<String>,
    /// What was given.
    pub shown: SuggestionId,
}

impl Serving {
    /// Has the shadows complete a request when the engine is idle.
    pub(super) fn shadow(
        &self,
        handle: &EngineHandle,
        lineup: &Lineup,
        shadowed: impl FnOnce() -> Shadowed,
    ) {
        let mut slots = lineup
            .slots()
            .filter(|slot| slot.shadow)
            .cloned()
            .peekable();
        if slots.peek().is_none() {
            return;
        }
        let Some(serving) = self.itself() else {
            return;
        };
        let shadowed = shadowed();
        for slot in slots {
            let (serving, shadowed) = (Weak::clone(&serving), shadowed.clone());
            let document = shadowed.ask.uri.clone();
            let work = Box::new(move |cancel: &CancelToken| {
                if let Some(serving) = serving.upgrade() {
                    serving.shadow_one(&slot, &shadowed, cancel);
                }
            });
            handle.when_idle(document, work);
        }
    }

    fn shadow_one(&self, slot: &Slot, shadowed: &Shadowed, cancel: &CancelToken) {
        let Shadowed { ask, around, .. } = shadowed;
        let config = self.config();
        let path = file_path(&ask.uri);
        let plan = Plan::new(
            &config,
            &shadowed.snapshot,
            path.as_deref(),
            around,
            ask.trigger,
        );
        let order = Order {
            uri: &ask.uri,
            around,
            path: shadowed.path.clone(),
            trigger: ask.trigger,
            max_new_tokens: plan.max_new_tokens,
            make_stop: plan.make_stop(),
            begun: Instant::now(),
            sequence: 0,
        };
        let request = EngineRequest {
            deadline: None,
            ..request(&config, &order)
        };
        let started = Instant::now();
        let mut stop = (order.make_stop)();
        let generated = match slot.engine.complete(&request, cancel, &mut *stop) {
            Ok(generated) if generated.stop != StopReason::Cancelled => generated,
            Ok(_) => return,
            Err(error) => {
                tracing::warn!(%error, arm = &*slot.name, "a shadow failed");
                return;
            }
        };
        let total = started.elapsed();
        let sampled = Sampled {
            number: 0,
            generated,
        };
        let id = SuggestionId::generate();
        let sample = Sample::new(&plan, &sampled);
        let text = polish(&slot.info, &plan, around, std::slice::from_ref(&sampled))
            .ok()
            .and_then(|polished| polished.into_iter().next())
            .map(|polished| polished.text);
        let record = self.shadow_record(slot, shadowed, &plan, id, text.as_deref(), &sample);
        self.write(Event::Suggestion(Box::new(SuggestionRecord {
            stages: Stages {
                total: Some(micros(total)),
                ..Stages::default()
            },
            ..record
        })));
        if let Some(text) = text {
            let text = format!("{}{text}", around.selected);
            self.watch_shadow(shadowed.shown, id, text);
        }
    }

    fn shadow_record(
        &self,
        slot: &Slot,
        shadowed: &Shadowed,
        plan: &Plan,
        id: SuggestionId,
        text: Option<&str>,
        sample: &Sample,
    ) -> SuggestionRecord {
        let Shadowed { ask, around, .. } = shadowed;
        SuggestionRecord {
            id,
            request: id,
            session: self.session.clone(),
            document: self.journal_document(&ask.uri),
            language: shadowed.snapshot.language_id.to_string(),
            checkpoint: slot.info.checkpoint.clone(),
            arm: slot.name.to_string(),
            assignment: None,
            shadow_of: Some(shadowed.shown),
            format: Format {
                name: slot.info.format.clone(),
                version: slot.info.format_version,
            },
            prompt_sha256: Some(sample.prompt_sha256().to_owned()),
            context: None,
            trigger: match ask.trigger {
                ask::Trigger::Invoked => Trigger::Invoked,
                ask::Trigger::Automatic => Trigger::Automatic,
            },
            shape: Some(match plan.shape {
                surroundings::Shape::OneLine => Shape::OneLine,
                surroundings::Shape::Block => Shape::Block,
            }),
            prompt_tokens: None,
            cached_tokens: None,
            completion_tokens: None,
            stages: Stages::default(),
            completion: text.map(|text| Completion {
                text: text.to_owned(),
                line_before: lines::last(&around.prefix).to_owned(),
                line_after: lines::first(&around.suffix).to_owned(),
                tokens: sample.replay(),
            }),
            stop_reason: None,
            guard: None,
            seed: None,
            silence: text.is_none().then(|| "cleaned_away".to_owned()),
        }
    }
}
