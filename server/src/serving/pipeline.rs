//! The way of one request.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use truefill_journal::SuggestionId;
use truefill_syntax::Index;

use crate::config::{Config, GuardMode};
use crate::documents::{EditKind, PositionError, Snapshot};
use crate::engine::{EngineHandle, EngineInfo, EngineKind};
use crate::silence::Silence;
use crate::suggest::delay::{Bounds, Delay, Quiet, Site, delay};
use crate::suggest::typed_through::{Offer, Place, Source};
use crate::suggest::{lines, surroundings};
use crate::workspace::file_path;

use super::ask::{Ask, Suggestion, Trigger};
use super::generate::{Order, Written, generate, ready};
use super::guard::{Guarded, guard};
use super::plan::Plan;
use super::polish::{Polished, polish};
use super::text::{Around, around, cursor};
use super::trail::{Sample, Trail, micros};
use super::why::Verdict;
use super::{Serving, eligible};

/// A request under way.
struct Run<'a> {
    serving: &'a Serving,
    ask: &'a Ask,
    config: Arc<Config>,
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
        let mut run = Run {
            serving: self,
            ask,
            config: self.config(),
            trail: Trail::new(Instant::now()),
            language: Arc::from(""),
            flagged: None,
            shape: None,
            finished: false,
        };
        let result = run.suggest().await;
        run.finish(result.as_ref());
        result
    }

    /// Whether there could be a suggestion at a place now, for `truefill.why`.
    ///
    /// # Errors
    /// The reason why not.
    pub fn eligible(&self, ask: &Ask) -> Result<(), Silence> {
        self.prepare(&self.config(), ask)?;
        ready(self.engine()).map(|_| ())
    }

    /// The document and the text around the cursor, if a suggestion is possible there.
    ///
    /// # Errors
    /// The reason why not.
    pub(super) fn prepare(
        &self,
        config: &Config,
        ask: &Ask,
    ) -> Result<(Snapshot, Around), Silence> {
        let snapshot = self.documents.snapshot(&ask.uri)?;
        if let Some(asked) = ask.version.filter(|asked| *asked != snapshot.version) {
            return Err(Silence::OtherVersion {
                asked,
                current: snapshot.version,
            });
        }
        self.workspace.check(&ask.uri)?;
        let nowhere = |error: PositionError| Silence::NoSuchPosition(error.to_string());
        let cursor = cursor(&snapshot, ask).map_err(nowhere)?;
        eligible::check(config, &snapshot, cursor)?;
        let around = around(&snapshot, ask).map_err(nowhere)?;
        Ok((snapshot, around))
    }
}

impl Run<'_> {
    async fn suggest(&mut self) -> Result<Vec<Suggestion>, Silence> {
        let mut turn = self.serving.turns.asked(&self.ask.uri);
        let (snapshot, around) = self.serving.prepare(&self.config, self.ask)?;
        self.language = Arc::clone(&snapshot.language_id);
        let wait = match self.ask.trigger {
            Trigger::Automatic => self.automatic(&snapshot, &around)?,
            Trigger::Invoked => Duration::ZERO,
        };
        let engine = ready(self.serving.engine())?;
        let info = engine.info().ok_or(Silence::ModelLoading)?;
        // From here on there is work to do, and the reader of messages should not wait for it.
        tokio::task::yield_now().await;
        let rest = self.typed_through(&info, &around);
        if !rest.is_empty() {
            return Ok(rest);
        }
        turn.wait(wait).await?;
        turn.check_newest()?;
        self.trail.stages.delay = Some(micros(self.trail.asked.elapsed()));
        self.trail.engine = Some(info.clone());
        let number = turn.number();
        let (plan, written) = tokio::select! {
            // Asked first: what comes back for an old text must not be shown.
            biased;
            silence = turn.superseded() => return Err(silence),
            written = self.written(&engine, &snapshot, &around, number) => written?,
        };
        self.polished(&info, &plan, &around, &written)
    }

    /// The delay of a request that nobody made by hand.
    fn automatic(&self, snapshot: &Snapshot, around: &Around) -> Result<Duration, Silence> {
        let settings = &self.config.suggest;
        if !settings.automatic {
            return Err(Silence::AutomaticOff);
        }
        let site = Site {
            before: &around.prefix,
            after: &around.suffix,
            after_deletion: snapshot.typing.last_kind() == Some(EditKind::Deletion),
        };
        let bounds = Bounds {
            shortest: Duration::from_millis(settings.delay_min_ms),
            longest: Duration::from_millis(settings.delay_max_ms),
        };
        let latency = self.serving.latency();
        match delay(&site, snapshot.typing.interval(), latency, bounds) {
            Delay::Never(Quiet::AfterDeletion) => Err(Silence::AfterDeletion),
            Delay::Never(Quiet::InsideWord) => Err(Silence::InsideWord),
            // Editors wait by themselves before they ask; that time counts.
            Delay::Wait(wait) => Ok(match snapshot.typing.last_at() {
                Some(at) => wait.saturating_sub(self.trail.asked.saturating_duration_since(at)),
                None => wait,
            }),
        }
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
        engine: &EngineHandle,
        snapshot: &Snapshot,
        around: &Around,
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
            path: self.serving.workspace.shown_path(&self.ask.uri),
            trigger: self.ask.trigger,
            max_new_tokens: plan.max_new_tokens,
            make_stop: plan.make_stop(),
            begun: Instant::now(),
            sequence,
        };
        let started = Instant::now();
        let result = generate(&self.config, engine, order).await;
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
    ) -> Result<Vec<Suggestion>, Silence> {
        let started = Instant::now();
        let polished = polish(info, plan, around, &written.samples)?;
        self.trail.stages.clean_up = Some(micros(started.elapsed()));
        let judged = self.judged(plan, around, polished)?;
        let suggestions: Vec<Suggestion> = judged
            .into_iter()
            .map(|(polished, guarded)| {
                let id = SuggestionId::generate();
                let suggestion = self.suggestion(id.to_string(), &polished.text, around);
                self.record_served(id, plan, around, written, &polished, guarded);
                suggestion
            })
            .collect();
        self.remember(info, around, &suggestions);
        Ok(suggestions)
    }

    /// The suggestions that the guard lets pass.
    fn judged(
        &mut self,
        plan: &Plan,
        around: &Around,
        polished: Vec<Polished>,
    ) -> Result<Vec<(Polished, Guarded)>, Silence> {
        let started = Instant::now();
        let path = file_path(&self.ask.uri).unwrap_or_else(|| PathBuf::from("untitled"));
        let index = self.serving.index_for(&path);
        let mut kept = Vec::new();
        let mut blocked = None;
        for polished in polished {
            let (mode, symbols) = match &index {
                Some(index) => (self.config.suggest.guard, index.index()),
                None => (GuardMode::Off, &Index::new()),
            };
            let guarded = guard(mode, plan, &path, around, &polished.text, symbols);
            match guarded.found.clone() {
                Some(found) if guarded.blocks() => {
                    self.trail.blocked.get_or_insert(guarded.guard);
                    blocked.get_or_insert(found);
                    continue;
                }
                Some(found) => {
                    let sentence = format!("`{}`: {}", found.name, found.reason);
                    self.flagged.get_or_insert(sentence);
                }
                None => {}
            }
            kept.push((polished, guarded));
        }
        self.trail.stages.guard = Some(micros(started.elapsed()));
        match blocked {
            Some(found) if kept.is_empty() => Err(found.into()),
            _ => Ok(kept),
        }
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
        self.serving.note(&self.ask.uri, verdict);
    }
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        // Dropped before its end: the client cancelled the request.
        if !self.finished {
            self.finish(Err(&Silence::Cancelled));
        }
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
