//! The way of one request.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use truefill_journal::SuggestionId;

use crate::arms::Fared;
use crate::config::Config;
use crate::documents::Snapshot;
use crate::engine::{Engine, EngineHandle, EngineInfo, EngineKind};
use crate::silence::Silence;
use crate::suggest::typed_through::{Offer, Place, Source};
use crate::suggest::{lines, surroundings};
use crate::workspace::file_path;

use super::Serving;
use super::ask::{Ask, Suggestion, Trigger};
use super::generate::{Order, Written, generate, ready};
use super::guard::{Court, Guarded};
use super::plan::Plan;
use super::polish::{Polished, polish};
use super::prepare::place;
use super::shadow::Shadowed;
use super::text::Around;
use super::trail::{Sample, Trail, micros};
use super::turns::FileLock;
use super::why::Verdict;

/// A request under way.
struct Run<'a> {
    serving: &'a Serving,
    ask: &'a Ask,
    config: Arc<Config>,
    turn: u64,
    trail: Trail,
    language: Arc<str>,
    flagged: Option<String>,
    shape: Option<String>,
    finished: bool,
}

impl Serving {
    /// Suggestions for a request, best first. Dropping the future cancels the work.
    ///
    /// # Errors
    /// The reason for giving none.
    pub async fn suggest(&self, ask: &Ask) -> Result<Vec<Suggestion>, Silence> {
        let mut run = Run::new(self, ask);
        let result = run.suggest().await;
        run.finish(result.as_ref());
        result
    }
}

impl<'a> Run<'a> {
    fn new(serving: &'a Serving, ask: &'a Ask) -> Self {
        Self {
            serving,
            ask,
            config: serving.config(),
            turn: 0,
            trail: Trail::new(Instant::now()),
            language: Arc::from(""),
            flagged: None,
            shape: None,
            finished: false,
        }
    }

    async fn suggest(&mut self) -> Result<Vec<Suggestion>, Silence> {
        let mut turn = self.serving.turns.asked(&self.ask.uri);
        self.turn = turn.number();
        let snapshot = self.serving.snapshot(self.ask)?;
        self.language = Arc::clone(&snapshot.language_id);
        // From here on there is work to do, and the reader of messages should not wait for it.
        tokio::task::yield_now().await;
        let allowed = self.serving.allowed(&self.ask.uri, turn.file_lock());
        let shown_path = turn.unless_newer(allowed).await?;
        let around = Arc::new(place(&self.config, &snapshot, self.ask)?);
        let wait = match self.ask.trigger {
            Trigger::Automatic => {
                self.serving
                    .automatic(&self.config, &snapshot, &around, Instant::now())?
            }
            Trigger::Invoked => Duration::ZERO,
        };
        let engine = ready(self.serving.engine())?;
        let lineup = engine.lineup().ok_or(Silence::ModelLoading)?;
        let assigned = self.serving.assigned(&lineup, &self.ask.uri);
        let info = assigned.slot.info.clone();
        let rest = self.typed_through(&info, &around);
        if !rest.is_empty() {
            return Ok(rest);
        }
        turn.wait(wait).await?;
        turn.check_newest()?;
        self.trail.stages.delay = Some(micros(self.trail.asked.elapsed()));
        let asked = Arc::clone(&assigned.slot.engine);
        self.trail.assigned = Some(assigned);
        let number = turn.number();
        let shadow_path = shown_path.clone();
        let (plan, written) = tokio::select! {
            // Asked first: what comes back for an old text must not be shown.
            biased;
            silence = turn.superseded() => return Err(silence),
            written = self.written((&engine, asked), &snapshot, &around, shown_path, number)
                => written?,
        };
        let polished = self.polished(&info, &plan, &around, &written)?;
        let judged = self.judged(&plan, &around, &polished, turn.file_lock());
        let judged = turn.unless_newer(judged).await?;
        turn.check_newest()?;
        let passed = self.passed(polished, judged)?;
        let suggestions = self.served(&info, &plan, &around, &written, passed);
        self.serving
            .watch_served(self.ask, &snapshot, &plan, &suggestions);
        self.serving.shadow(&engine, &lineup, || Shadowed {
            ask: self.ask.clone(),
            snapshot,
            around,
            path: shadow_path,
            shown: self.trail.request,
        });
        Ok(suggestions)
    }

    /// What is left of a suggestion that the user is typing, without asking the model.
    fn typed_through(&self, info: &EngineInfo, around: &Around) -> Vec<Suggestion> {
        let source = source(info, &self.ask.uri);
        let place = Place {
            before: &around.prefix,
            after: &around.suffix,
        };
        let rests = self.serving.cache().rest(&source, self.ask.trigger, place);
        rests
            .into_iter()
            .map(|rest| {
                self.serving.typed_through(&rest, &around.selected);
                self.suggestion(rest.id, &rest.text, around)
            })
            .collect()
    }

    async fn written(
        &mut self,
        (handle, engine): (&EngineHandle, Arc<dyn Engine>),
        snapshot: &Snapshot,
        around: &Around,
        shown_path: Option<String>,
        sequence: u64,
    ) -> Result<(Plan, Written), Silence> {
        let path: Option<PathBuf> = file_path(&self.ask.uri);
        let plan = Plan::new(
            &self.config,
            snapshot,
            path.as_deref(),
            around,
            self.ask.trigger,
        );
        self.trail.shape = Some(plan.shape);
        let shape = match plan.shape {
            surroundings::Shape::OneLine => "one line",
            surroundings::Shape::Block => "a block",
        };
        self.shape = Some(format!("{shape}: {}", plan.reason));
        let order = Order {
            uri: &self.ask.uri,
            around,
            path: shown_path,
            trigger: self.ask.trigger,
            max_new_tokens: plan.max_new_tokens,
            make_stop: plan.make_stop(),
            begun: Instant::now(),
            sequence,
        };
        let started = Instant::now();
        let result = generate(&self.config, handle, engine, order).await;
        match &result {
            Ok(written) => self.serving.add_latency(written.latency()),
            Err(Silence::BudgetExceeded { .. }) => self.serving.add_latency(started.elapsed()),
            Err(_) => {}
        }
        let written = result?;
        self.trail.generated(&plan, &written);
        Ok((plan, written))
    }

    fn polished(
        &mut self,
        info: &EngineInfo,
        plan: &Plan,
        around: &Around,
        written: &Written,
    ) -> Result<Vec<Polished>, Silence> {
        let started = Instant::now();
        let polished = polish(info, plan, around, &written.samples)?;
        self.trail.stages.clean_up = Some(micros(started.elapsed()));
        Ok(polished)
    }

    /// The guard's verdicts on the suggestions, in their order.
    async fn judged(
        &mut self,
        plan: &Plan,
        around: &Arc<Around>,
        polished: &[Polished],
        lock: FileLock,
    ) -> Result<Vec<Guarded>, Silence> {
        let started = Instant::now();
        let path = file_path(&self.ask.uri).unwrap_or_else(|| PathBuf::from("untitled"));
        let court = Court {
            mode: self.config.suggest.guard,
            language: plan.language,
            index: self.serving.index_for(&path),
            path,
            around: Arc::clone(around),
        };
        let texts = polished.iter().map(|polished| polished.text.clone());
        let judged = court.judge(texts.collect(), lock).await?;
        self.trail.stages.guard = Some(micros(started.elapsed()));
        Ok(judged)
    }

    /// The suggestions that the guard lets pass.
    fn passed(
        &mut self,
        polished: Vec<Polished>,
        judged: Vec<Guarded>,
    ) -> Result<Vec<(Polished, Guarded)>, Silence> {
        let mut kept = Vec::new();
        let mut blocked = None;
        for (polished, guarded) in polished.into_iter().zip(judged) {
            match guarded.found.clone() {
                Some(found) if guarded.blocks() => {
                    self.trail.blocked.get_or_insert(guarded.guard);
                    blocked.get_or_insert(found);
                    continue;
                }
                Some(found) => {
                    self.flagged.get_or_insert_with(|| found.to_string());
                }
                None => {}
            }
            kept.push((polished, guarded));
        }
        match blocked {
            Some(found) if kept.is_empty() => Err(found.into()),
            _ => Ok(kept),
        }
    }

    /// Writes down what is served and makes the reply of it.
    fn served(
        &mut self,
        info: &EngineInfo,
        plan: &Plan,
        around: &Around,
        written: &Written,
        passed: Vec<(Polished, Guarded)>,
    ) -> Vec<Suggestion> {
        let suggestions: Vec<Suggestion> = passed
            .into_iter()
            .enumerate()
            .map(|(rank, (polished, guarded))| {
                let id = match rank {
                    0 => self.trail.request,
                    _ => SuggestionId::generate(),
                };
                let suggestion = self.suggestion(id.to_string(), &polished.text, around);
                self.record_served(id, plan, around, written, &polished, guarded);
                suggestion
            })
            .collect();
        self.remember(info, around, &suggestions);
        suggestions
    }

    /// Keeps what was served for when the user types it.
    fn remember(&self, info: &EngineInfo, around: &Around, suggestions: &[Suggestion]) {
        let offers = suggestions.iter().map(|suggestion| Offer {
            id: suggestion.id.clone(),
            text: suggestion.text[around.selected.len()..].to_owned(),
        });
        let place = Place {
            before: &around.prefix,
            after: &around.suffix,
        };
        let source = source(info, &self.ask.uri);
        self.serving
            .cache()
            .remember(&source, self.ask.trigger, place, offers.collect());
    }

    fn suggestion(&self, id: String, text: &str, around: &Around) -> Suggestion {
        let text = format!("{}{text}", around.selected);
        Suggestion {
            id,
            text,
            range: around.replaces,
        }
    }

    fn record_served(
        &self,
        id: SuggestionId,
        plan: &Plan,
        around: &Around,
        written: &Written,
        polished: &Polished,
        guarded: Guarded,
    ) {
        self.serving
            .served
            .remember(&id.to_string(), &polished.text, &around.selected);
        let Some(sampled) = written.samples.get(polished.sample) else {
            return;
        };
        let sample = Sample::new(plan, sampled);
        let shown = super::trail::Shown {
            id,
            text: &polished.text,
            line_before: lines::last(&around.prefix),
            line_after: lines::first(&around.suffix),
            sample: &sample,
            seed: sampled.seed(),
            guard: Some(guarded.guard),
        };
        self.serving
            .record(&self.trail, self.ask, &self.language, Some(shown), None);
    }

    /// Tells everyone what became of the request.
    fn finish(&mut self, result: Result<&Vec<Suggestion>, &Silence>) {
        self.finished = true;
        if let Some(assigned) = &self.trail.assigned {
            self.serving.note_engine(result.map(|_| ()));
            // Waiting for a pause in the typing is no arm's doing.
            let delay = Duration::from_micros(self.trail.stages.delay.unwrap_or(0));
            let took = self.trail.asked.elapsed().saturating_sub(delay);
            if let Some(fared) = fared(result.map(|_| ()), took) {
                self.serving.note_arm(&assigned.slot.name, fared);
            }
        }
        let mut verdict = match result {
            Ok(suggestions) => Verdict::suggested(suggestions.len(), self.flagged.take()),
            Err(silence) => {
                let code = Some(silence.code());
                self.serving
                    .record(&self.trail, self.ask, &self.language, None, code);
                Verdict::silent(silence)
            }
        };
        verdict.shape = self.shape.take();
        self.serving.note(&self.ask.uri, self.turn, verdict);
    }
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        // Dropped before its end: the client cancelled the request, or it panicked.
        if !self.finished {
            self.finish(Err(&match std::thread::panicking() {
                true => Silence::Panicked,
                false => Silence::Cancelled,
            }));
        }
    }
}

/// How an arm fared with a request; nothing where something else decided.
fn fared(result: Result<(), &Silence>, took: Duration) -> Option<Fared> {
    match result {
        Ok(()) => Some(Fared::Answered(took)),
        Err(
            Silence::EngineFailed(_) | Silence::EnginePanicked | Silence::BudgetExceeded { .. },
        ) => Some(Fared::Failed),
        Err(Silence::NothingGenerated | Silence::CleanedAway { .. }) => Some(Fared::Answered(took)),
        Err(_) => None,
    }
}

fn source(info: &EngineInfo, uri: &str) -> Source {
    // Texts of two backends must not mix even where they give the model the same name.
    let kind = match info.kind {
        EngineKind::Local => "",
        EngineKind::Remote => "remote ",
        EngineKind::Scripted => "scripted ",
    };
    Source {
        checkpoint: format!("{kind}{}", info.checkpoint),
        format: format!("{} {}", info.format, info.format_version),
        document: uri.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::documents::{Encoding, Position};
    use crate::engine::EngineError;

    #[test]
    fn a_panic_is_no_request_taken_back() {
        let nothing = EngineError::Load("none".into());
        let factory = Arc::new(move |_: &Config| -> crate::engine::Loader {
            let nothing = nothing.clone();
            Box::new(move |_| Err(nothing))
        });
        let (notices, _told) = tokio::sync::mpsc::unbounded_channel();
        let serving = Serving::new(factory, notices, None);
        serving.opened("untitled:a", "rust", 1, "");
        let ask = Ask {
            uri: "untitled:a".to_owned(),
            position: Position::new(0, 0),
            encoding: Encoding::Utf8,
            trigger: Trigger::Invoked,
            selected: None,
            version: None,
            menu: false,
        };
        let begun = || {
            let mut run = Run::new(&serving, &ask);
            run.turn = serving.turns.asked(&ask.uri).number();
            run
        };
        let reason = || serving.last_verdict(&ask.uri).and_then(|last| last.reason);
        drop(begun());
        assert_eq!(reason(), Some("cancelled"));
        let panics = std::panic::AssertUnwindSafe(|| {
            let _run = begun();
            panic!("as the guard might");
        });
        assert!(std::panic::catch_unwind(panics).is_err());
        assert_eq!(reason(), Some("panicked"));
    }
}
