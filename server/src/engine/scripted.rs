//! An engine that gives the answers of a file, for tests of everything around it.
//!
//! Reachable only by `truefill serve --engine scripted:FILE.json`, a hidden option;
//! no configuration key leads here. Times, errors and panics are part of the script,
//! and each call can be recorded, so that a test sees when work began and when it
//! really stopped.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use truefill_model::store::{Arm, Serving};

use super::lineup::{Lineup, Slot};
use super::{
    CancelToken, Engine, EngineError, EngineInfo, EngineKind, EngineRequest, Flow, Generated,
    RenderedPrompt, StopReason,
};

/// The script: what to answer, how fast, and where to record.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Script {
    /// Checkpoint id that the engine claims; `scripted` if empty.
    pub checkpoint: String,
    /// Time that opening the model takes.
    pub load_delay_ms: u64,
    /// Opening fails with this sentence.
    pub load_error: Option<String>,
    /// Tried in order; the first that matches and is not used up answers.
    pub answers: Vec<Scripted>,
    /// File that gets one JSON object a line for each event of each call.
    pub record: Option<PathBuf>,
    /// Scripts of the arms that `serving.json` names, by the arm's name; others follow this one.
    pub arms: HashMap<String, Script>,
}

/// One answer.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Scripted {
    /// Matches where the text before the cursor ends so; empty matches always.
    pub when_prefix_ends: String,
    /// How often it may answer; without it, always.
    pub times: Option<usize>,
    /// The text. Further texts answer the alternatives, in turn.
    pub texts: Vec<String>,
    /// Time before the first token.
    pub prefill_ms: u64,
    /// Time for each token after the first.
    pub token_ms: u64,
    /// The call fails with this sentence.
    pub error: Option<String>,
    /// The call panics.
    pub panic: bool,
}

/// One line of the record.
#[derive(Debug, Serialize, Deserialize)]
pub struct Recorded {
    /// `start`, `end`, `cancelled`, `warm`, `forget`.
    pub event: String,
    /// The document's URI.
    pub document: String,
    /// Microseconds since 1970.
    pub at_micros: u64,
    /// The last characters before the cursor.
    pub prefix_tail: String,
}

/// The engine; see the module.
pub struct ScriptedEngine {
    script: Script,
    used: Mutex<Vec<usize>>,
    record: Option<Mutex<File>>,
}

/// The arms of `serving.json`, each with the engine of its script; one engine where there are none.
///
/// # Errors
/// As [`ScriptedEngine::load`].
pub fn lineup(path: &Path, serving: &Serving) -> Result<Lineup, EngineError> {
    if serving.arms.is_empty() {
        return Ok(Lineup::single(Arc::new(ScriptedEngine::load(path)?)));
    }
    let script = ScriptedEngine::read(path)?;
    let arm = |(arm, share): (&Arm, f64)| {
        let mut own = script
            .arms
            .get(arm.name.as_str())
            .unwrap_or(&script)
            .clone();
        own.checkpoint = arm.checkpoint.as_str().to_owned();
        let engine: Arc<dyn Engine> = Arc::new(ScriptedEngine::start(own)?);
        Ok(Slot {
            name: arm.name.as_str().into(),
            share,
            shadow: arm.shadow,
            info: engine.info(),
            engine,
        })
    };
    let slots: Result<Vec<_>, EngineError> = serving.shares().map(arm).collect();
    Lineup::of(serving, slots?).ok_or_else(|| EngineError::Load("there is no arm".into()))
}

impl ScriptedEngine {
    /// Reads the script and waits as long as it says that loading takes.
    ///
    /// # Errors
    /// [`EngineError::Load`] where the file cannot be read or says so.
    pub fn load(path: &Path) -> Result<Self, EngineError> {
        Self::start(Self::read(path)?)
    }

    fn read(path: &Path) -> Result<Script, EngineError> {
        let failed = |error: &dyn std::fmt::Display| {
            EngineError::Load(format!("`{}` is no engine script: {error}", path.display()))
        };
        let text = std::fs::read_to_string(path).map_err(|error| failed(&error))?;
        serde_json::from_str(&text).map_err(|error| failed(&error))
    }

    fn start(script: Script) -> Result<Self, EngineError> {
        std::thread::sleep(Duration::from_millis(script.load_delay_ms));
        match script.load_error.clone() {
            Some(sentence) => Err(EngineError::Load(sentence)),
            None => Self::new(script).map_err(|error| EngineError::Load(error.to_string())),
        }
    }

    /// An engine that follows `script`.
    ///
    /// # Errors
    /// Where the record cannot be opened.
    pub fn new(script: Script) -> std::io::Result<Self> {
        let open = |path| {
            OpenOptions::new()
                .create(true)
                .append(true)
                .open(path)
                .map(Mutex::new)
        };
        let record = script.record.as_ref().map(open).transpose()?;
        let used = Mutex::new(vec![0; script.answers.len()]);
        Ok(Self {
            script,
            used,
            record,
        })
    }

    /// The answer to a prefix and how often it answered before.
    fn answer(&self, prefix: &str) -> Option<(&Scripted, usize)> {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let answers = self.script.answers.iter().zip(used.iter_mut());
        for (answer, used) in answers {
            let left = answer.times.is_none_or(|times| *used < times);
            if left && prefix.ends_with(&answer.when_prefix_ends) {
                *used += 1;
                return Some((answer, *used - 1));
            }
        }
        None
    }

    fn record(&self, event: &str, request: &EngineRequest) {
        let Some(record) = &self.record else { return };
        let at = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let tail = request.prefix.chars().rev().take(24).collect::<Vec<_>>();
        let line = Recorded {
            event: event.to_owned(),
            document: request.document.clone(),
            at_micros: u64::try_from(at.as_micros()).unwrap_or(u64::MAX),
            prefix_tail: tail.into_iter().rev().collect(),
        };
        let mut file = record.lock().unwrap_or_else(PoisonError::into_inner);
        if let Ok(json) = serde_json::to_string(&line) {
            let _ = writeln!(file, "{json}");
        }
    }

    fn prompt(request: &EngineRequest) -> String {
        let EngineRequest {
            prefix,
            suffix,
            path,
            ..
        } = request;
        format!(
            "<path>{}<suffix>{suffix}<prefix>{prefix}<middle>",
            path.as_deref().unwrap_or("")
        )
    }
}

/// Sleeps, at most until the deadline, and says whether it was cancelled meanwhile.
fn sleep(duration: Duration, deadline: Option<Instant>, cancel: &CancelToken) -> bool {
    let end = Instant::now() + duration;
    let end = deadline.map_or(end, |deadline| deadline.min(end));
    while !cancel.is_cancelled() {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        std::thread::sleep(left.min(Duration::from_millis(2)));
    }
    true
}

/// Ends of the text's pieces: a "token" is four characters at most and ends at a newline.
fn token_ends(text: &str) -> Vec<usize> {
    let mut ends = Vec::new();
    let mut length = 0;
    for (at, character) in text.char_indices() {
        length += 1;
        if length == 4 || character == '\n' {
            ends.push(at + character.len_utf8());
            length = 0;
        }
    }
    if length > 0 {
        ends.push(text.len());
    }
    ends
}

impl Engine for ScriptedEngine {
    fn info(&self) -> EngineInfo {
        let named = !self.script.checkpoint.is_empty();
        let checkpoint = if named {
            self.script.checkpoint.as_str()
        } else {
            "scripted"
        };
        EngineInfo {
            checkpoint: checkpoint.to_owned(),
            format: "scripted".to_owned(),
            format_version: 1,
            device: "script".to_owned(),
            kind: EngineKind::Scripted,
        }
    }

    fn complete(
        &self,
        request: &EngineRequest,
        cancel: &CancelToken,
        on_text: &mut dyn FnMut(&str) -> Flow,
    ) -> Result<Generated, EngineError> {
        let start = Instant::now();
        self.record("start", request);
        let fallback = Scripted::default();
        let (answer, turn) = self.answer(&request.prefix).unwrap_or((&fallback, 0));
        assert!(!answer.panic, "the script asks for a panic");
        if let Some(error) = &answer.error {
            return Err(EngineError::Compute(error.clone()));
        }
        let count = answer.texts.len();
        let text = if count == 0 {
            ""
        } else {
            answer.texts[turn % count].as_str()
        };
        let mut stop = StopReason::StopToken(0);
        let mut kept = 0;
        let mut tokens = 0;
        let deadline = request.deadline;
        let mut cancelled = sleep(Duration::from_millis(answer.prefill_ms), deadline, cancel);
        let first_token = start.elapsed();
        for end in token_ends(text) {
            cancelled = cancelled
                || (tokens > 0 && sleep(Duration::from_millis(answer.token_ms), deadline, cancel));
            if cancelled {
                break;
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                stop = StopReason::Deadline;
                break;
            }
            tokens += 1;
            kept = end;
            if let Flow::Stop { keep_bytes } = on_text(&text[..end]) {
                stop = StopReason::Condition;
                kept = keep_bytes.min(end);
                break;
            }
            if tokens >= request.max_new_tokens {
                stop = StopReason::Limit;
                break;
            }
        }
        self.record(if cancelled { "cancelled" } else { "end" }, request);
        let prompt = Self::prompt(request);
        Ok(Generated {
            prompt: Vec::new(),
            text: text[..kept].to_owned(),
            tokens: (0..tokens)
                .map(|token| u32::try_from(token).unwrap_or(u32::MAX))
                .collect(),
            logprobs: vec![-0.1; tokens],
            stop: if cancelled {
                StopReason::Cancelled
            } else {
                stop
            },
            prompt_tokens: Some(token_ends(&prompt).len()),
            cached_tokens: Some(0),
            completion_tokens: Some(tokens),
            render: Duration::ZERO,
            prefill: Duration::from_millis(answer.prefill_ms),
            first_token,
            decode: start.elapsed().saturating_sub(first_token),
            prompt_sha256: hex::encode(Sha256::digest(prompt.as_bytes())),
        })
    }

    fn warm(&self, request: &EngineRequest, _cancel: &CancelToken) -> Result<(), EngineError> {
        self.record("warm", request);
        Ok(())
    }

    fn render(&self, request: &EngineRequest) -> Result<RenderedPrompt, EngineError> {
        let text = Self::prompt(request);
        let tokens = token_ends(&text).len();
        let sha256 = hex::encode(Sha256::digest(text.as_bytes()));
        Ok(RenderedPrompt {
            text,
            tokens,
            sha256,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_end_at_four_characters_and_at_newlines() {
        assert_eq!(token_ends("abcdefg\nhi"), [4, 8, 10]);
        assert_eq!(token_ends("ab\n\ncd"), [3, 4, 6]);
        assert_eq!(token_ends("世界世界世"), [12, 15]);
        assert!(token_ends("").is_empty());
    }
}
