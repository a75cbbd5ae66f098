//! Scripts for the server's scripted engine, and what it recorded.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

/// What the engine is to do; the server documents the format beside its engine.
#[derive(Debug, Clone, Default)]
pub struct Script {
    answers: Vec<Value>,
    checkpoint: &'static str,
    load_delay_ms: u64,
    load_error: Option<String>,
    arms: BTreeMap<String, Script>,
    pub(crate) hurry: Option<u32>,
}

/// One answer of a script.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// Matches where the text before the cursor ends so.
    pub when_prefix_ends: &'static str,
    /// The texts, one for each call in turn.
    pub texts: Vec<String>,
    /// Time before the first token.
    pub prefill_ms: u64,
    /// Time for each further token.
    pub token_ms: u64,
    /// How often it answers, `None` for always.
    pub times: Option<usize>,
    /// The call fails so.
    pub error: Option<&'static str>,
    /// The call panics.
    pub panic: bool,
}

impl Answer {
    /// An answer of one text at once.
    pub fn text(text: &str) -> Self {
        Self {
            texts: vec![text.to_owned()],
            ..Self::default()
        }
    }

    /// The answer for texts that end so.
    pub fn when(mut self, prefix_end: &'static str) -> Self {
        self.when_prefix_ends = prefix_end;
        self
    }

    /// The answer with these times, in milliseconds.
    pub fn slow(mut self, prefill_ms: u64, token_ms: u64) -> Self {
        (self.prefill_ms, self.token_ms) = (prefill_ms, token_ms);
        self
    }
}

impl Script {
    /// A script of these answers, the first that matches answers.
    pub fn new(answers: impl IntoIterator<Item = Answer>) -> Self {
        let value = |answer: Answer| {
            json!({
                "when_prefix_ends": answer.when_prefix_ends, "texts": answer.texts,
                "prefill_ms": answer.prefill_ms, "token_ms": answer.token_ms,
                "times": answer.times, "error": answer.error, "panic": answer.panic,
            })
        };
        Self {
            answers: answers.into_iter().map(value).collect(),
            ..Self::default()
        }
    }

    /// The script with a model of this name.
    pub fn named(mut self, checkpoint: &'static str) -> Self {
        self.checkpoint = checkpoint;
        self
    }

    /// The script with a model that takes so long to open.
    pub fn loading_for(mut self, milliseconds: u64) -> Self {
        self.load_delay_ms = milliseconds;
        self
    }

    /// The script with a model that cannot be opened.
    pub fn failing_to_load(mut self, sentence: &str) -> Self {
        self.load_error = Some(sentence.to_owned());
        self
    }

    /// The script, with another one for an arm of the store's `serving.json`.
    pub fn arm(mut self, name: &str, script: Script) -> Self {
        self.arms.insert(name.to_owned(), script);
        self
    }

    /// The script with a server that takes samples of what became of suggestions so many times as
    /// fast.
    pub fn hurried(mut self, factor: u32) -> Self {
        self.hurry = Some(factor);
        self
    }

    /// The script as the server reads it.
    pub(crate) fn to_json(&self, record: &Path) -> Value {
        let arms = self.arms.iter();
        let arms: BTreeMap<_, _> = arms
            .map(|(name, arm)| (name, arm.to_json(record)))
            .collect();
        json!({
            "answers": self.answers, "load_delay_ms": self.load_delay_ms,
            "load_error": self.load_error, "record": record, "checkpoint": self.checkpoint,
            "arms": arms,
        })
    }
}

/// What the engine recorded: an event of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// `start`, `end`, `cancelled`, `warm`.
    pub event: String,
    /// The document's URI.
    pub document: String,
    /// Microseconds since 1970.
    pub at_micros: u64,
    /// The last characters before the cursor.
    pub prefix_tail: String,
}

pub(crate) fn events(record: &Path) -> Vec<Event> {
    let text = std::fs::read_to_string(record).unwrap_or_default();
    // The last line may be half written; it is complete the next time.
    let lines = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines
        .map(|line| Event {
            event: line["event"].as_str().unwrap_or_default().to_owned(),
            document: line["document"].as_str().unwrap_or_default().to_owned(),
            at_micros: line["at_micros"].as_u64().unwrap_or_default(),
            prefix_tail: line["prefix_tail"].as_str().unwrap_or_default().to_owned(),
        })
        .collect()
}

/// Now, as events tell time.
pub fn micros_now() -> u64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("the clock is past 1970");
    u64::try_from(now.as_micros()).expect("microseconds fit")
}
