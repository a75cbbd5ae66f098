//! From rows to requests.

use std::collections::BTreeMap;

use truefill_journal::{OutcomeRow, SuggestionId, SuggestionRow, UnixMicros};

/// One question to an engine and what became of its answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// When it was recorded.
    pub at: UnixMicros,
    /// The arm that it was assigned to.
    pub arm: String,
    /// That arm's checkpoint.
    pub checkpoint: String,
    /// The document's language id.
    pub language: String,
    /// Who asked.
    pub trigger: String,
    /// Salted hash of the unit of randomisation.
    pub unit: Option<String>,
    /// The share of the units that each arm had.
    pub shares: BTreeMap<String, f64>,
    /// Names the arrangement of arms.
    pub comparison: Option<String>,
    /// The question, and how often more the rest of its answer was given again while the user typed what it
    /// said: so many keys had a reply, whatever the arm.
    pub eligible: u64,
    /// Why nothing was given, as a code.
    pub silence: Option<String>,
    /// From the request to the reply, in microseconds.
    pub total_us: Option<u64>,
    /// An answer was given to the editor.
    pub served: bool,
    /// An answer was shown: the editor said so, or nothing speaks against it.
    pub shown: bool,
    /// An answer, or a part of it, was accepted.
    pub accepted: bool,
    /// Characters that were accepted.
    pub accepted_chars: u64,
    /// Of those, what was left at the last sample that could be taken; all where there was none.
    pub kept_chars: u64,
}

/// The requests of rows that come in the order of their times, shadows left out.
pub fn requests(rows: impl IntoIterator<Item = SuggestionRow>) -> Vec<Request> {
    let mut places = BTreeMap::<SuggestionId, usize>::new();
    let mut requests = Vec::<Request>::new();
    for row in rows {
        if row.shadow_of.is_some() {
            continue;
        }
        let place = *places
            .entry(row.request.unwrap_or(row.id))
            .or_insert_with(|| {
                requests.push(Request::new(&row));
                requests.len() - 1
            });
        requests[place].add(&row);
    }
    requests
}

impl Request {
    fn new(row: &SuggestionRow) -> Self {
        Self {
            at: row.at,
            arm: row.arm.clone(),
            checkpoint: row.checkpoint.clone(),
            language: row.language.clone(),
            trigger: row.trigger.clone(),
            unit: row.unit.clone(),
            shares: row.shares.clone().unwrap_or_default(),
            comparison: row.comparison.clone(),
            eligible: 1,
            silence: row.silence.clone(),
            total_us: row.stages.total,
            served: false,
            shown: false,
            accepted: false,
            accepted_chars: 0,
            kept_chars: 0,
        }
    }

    fn add(&mut self, row: &SuggestionRow) {
        let of = |event: &'static str| row.outcomes.iter().filter(move |it| it.event == event);
        let has = |event: &'static str| of(event).next().is_some();
        self.eligible = self.eligible.max(1 + of("typed_through").count() as u64);
        self.served |= has("served");
        self.shown |= has("served") && !has("not_shown") && (has("shown") || !superseded(row));
        let Some(chars) = of("accepted").filter_map(|it| it.chars).max() else {
            return;
        };
        self.accepted = true;
        self.shown = true;
        self.accepted_chars += u64::from(chars);
        self.kept_chars += u64::from(kept(&row.outcomes).unwrap_or(chars).min(chars));
    }
}

/// Whether something newer took its place before anything else was told of it.
fn superseded(row: &SuggestionRow) -> bool {
    row.outcomes.iter().any(|it| it.event == "superseded")
}

/// The last that is known of what was kept; nothing where no sample was taken.
fn kept(outcomes: &[OutcomeRow]) -> Option<u32> {
    let samples = outcomes.iter().filter(|it| it.event == "kept");
    let known = samples.filter_map(|it| Some((it.after_s?, it.chars?)));
    known
        .max_by_key(|(after, _)| *after)
        .map(|(_, chars)| chars)
}
