//! How far a suggestion goes, and where its generation stops.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use truefill_syntax::{EndFinder, Language, Site};

use super::text::Around;
use crate::config::Config;
use crate::documents::Snapshot;
use crate::engine::{Flow, StopFn};
use crate::suggest::facts::LanguageFacts;
use crate::suggest::stops::{Limits, StopPlan, SyntacticEnd, no_grammar};
use crate::suggest::surroundings::{Shape, Surroundings, Trigger};

/// What was decided about a request before a model is asked.
pub struct Plan {
    /// The language, where there is a grammar for it.
    pub language: Option<Language>,
    /// One line or a block.
    pub shape: Shape,
    /// Why, as a phrase.
    pub reason: &'static str,
    /// Tokens at most.
    pub max_new_tokens: usize,
    facts: &'static LanguageFacts,
    trigger: Trigger,
    stops: Arc<StopPlan>,
    /// The grammar's rules on a growing completion.
    ends: Option<Arc<EndFinder>>,
    stopped_by: StoppedBy,
}

/// The rule that ended each sample, in the order of the samples.
#[derive(Clone, Default)]
struct StoppedBy(Arc<Mutex<Vec<Option<&'static str>>>>);

impl Plan {
    /// Reads the surroundings as far as the lexer needs them.
    pub fn new(
        config: &Config,
        snapshot: &Snapshot,
        path: Option<&Path>,
        around: &Around,
        trigger: Trigger,
    ) -> Self {
        let language = Language::from_lsp_id(&snapshot.language_id)
            .or_else(|| path.and_then(Language::from_path));
        let facts = LanguageFacts::for_lsp_id(&snapshot.language_id);
        let (prefix, suffix) = around.nearby();
        let invoked = trigger == Trigger::Invoked;
        let site = language.map(|language| Site::new(language, prefix, suffix));
        let (shape, reason) = match &site {
            Some(site) => {
                let decision = site.shape(invoked);
                (decision.shape, decision.reason)
            }
            None => shape_without_grammar(prefix, suffix, invoked),
        };
        let mut surroundings = Surroundings::new(&around.prefix, &around.suffix, facts, shape);
        surroundings.trigger = trigger;
        Self {
            language,
            shape,
            reason,
            max_new_tokens: match shape {
                Shape::OneLine => config.suggest.line_tokens,
                Shape::Block => config.suggest.block_tokens,
            },
            facts,
            trigger,
            stops: Arc::new(StopPlan::new(&surroundings, Limits::default())),
            ends: site.map(|site| Arc::new(EndFinder::new(&site, shape))),
            stopped_by: StoppedBy::default(),
        }
    }

    /// What the clean-up gets to know.
    pub fn surroundings<'a>(
        &self,
        around: &'a Around,
        truncated: bool,
        sentinels: &'a [&'a str],
    ) -> Surroundings<'a> {
        let mut surroundings =
            Surroundings::new(&around.prefix, &around.suffix, self.facts, self.shape);
        surroundings.trigger = self.trigger;
        surroundings.truncated = truncated;
        surroundings.sentinels = sentinels;
        surroundings
    }

    /// Makes the watcher of each sample.
    pub fn make_stop(&self) -> Box<dyn Fn() -> StopFn + Send> {
        let stops = Arc::clone(&self.stops);
        let ends = self.ends.clone();
        let stopped_by = self.stopped_by.clone();
        Box::new(move || {
            let end: SyntacticEnd = match ends.clone() {
                Some(ends) => Box::new(move |text| ends.find(text)),
                None => no_grammar(),
            };
            let mut rules = stops.start(end);
            let sample = stopped_by.next();
            let stopped_by = stopped_by.clone();
            Box::new(move |text| match rules.check(text) {
                Some(stop) => {
                    stopped_by.set(sample, stop.rule.as_str());
                    Flow::Stop {
                        keep_bytes: stop.keep_bytes,
                    }
                }
                None => Flow::Continue,
            })
        })
    }

    /// The rule that ended a sample, if one did.
    pub fn stopped_by(&self, sample: usize) -> Option<&'static str> {
        self.stopped_by.lock().get(sample).copied().flatten()
    }
}

impl StoppedBy {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Option<&'static str>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self) -> usize {
        let mut samples = self.lock();
        samples.push(None);
        samples.len() - 1
    }

    fn set(&self, sample: usize, rule: &'static str) {
        if let Some(slot) = self.lock().get_mut(sample) {
            *slot = Some(rule);
        }
    }
}

/// Where no grammar knows what was begun: several lines only on an empty line and on request.
fn shape_without_grammar(prefix: &str, suffix: &str, invoked: bool) -> (Shape, &'static str) {
    let before = prefix.rsplit('\n').next().unwrap_or_default();
    let after = suffix.split('\n').next().unwrap_or_default();
    let empty = before.trim().is_empty() && after.trim().is_empty();
    match empty && invoked {
        true => (
            Shape::Block,
            "an empty line in a language without a grammar",
        ),
        false => (Shape::OneLine, "a language without a grammar"),
    }
}
