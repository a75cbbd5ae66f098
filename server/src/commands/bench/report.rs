//! What `truefill bench` prints.

use std::fmt::Write;

use serde::Serialize;

use super::figures::{Percentiles, Share};
use super::replay::Played;

/// All figures of one peer.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// What completed: checkpoint and device, or the other engine's address.
    pub peer: String,
    /// How it was played.
    pub setting: String,
    /// Keys that asked for a suggestion.
    pub requests: usize,
    /// From a key to the complete answer, over the requests that were answered.
    pub reply_ms: Percentiles,
    /// From a key to the first token, over the requests where one was seen.
    pub first_token_ms: Percentiles,
    /// Requests answered before the next key; without a pace of keys there is no such share.
    pub answered_before_next: Option<Share>,
    /// Answers that had a suggestion.
    pub suggested: Share,
    /// Suggestions whose whole text equalled the next characters of the file.
    pub accepts: usize,
    /// Characters that came from them.
    pub accepted_characters: usize,
    /// Characters of the typed parts, without the indentation that an editor adds.
    pub characters: usize,
    /// `(accepted_characters - accepts) / characters`.
    pub saved: f64,
    /// What only our own server tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<ServerFigures>,
}

/// What the server's journal and the system tell.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ServerFigures {
    /// From the start of the process to the first status that says "ready".
    pub ready_ms: f64,
    /// Largest memory of the process, MB.
    pub peak_memory_mb: Option<f64>,
    /// The server's own waiting before it asks the model, over the requests that reached it.
    pub delay_ms: Percentiles,
    /// In the engine, prompt and first token, over the requests that reached the model.
    pub engine_first_token_ms: Percentiles,
    /// In the engine, a whole suggestion.
    pub engine_total_ms: Percentiles,
    /// Prompt tokens computed a second, where at least 32 had to be.
    pub prefill_tokens_per_second: f64,
    /// Tokens generated a second after the first.
    pub decode_tokens_per_second: f64,
    /// Requests answered by what was suggested before.
    pub from_cache: Share,
    /// Prompt tokens that were in the KV cache already.
    pub prompt_reused: Share,
    /// Round trip of an edit while the engine computes.
    pub edit_while_busy_ms: Percentiles,
    /// From a cancellation until the processor rests.
    pub rest_after_cancel_ms: Option<Percentiles>,
}

impl Report {
    /// Adds up what was played.
    pub fn of(peer: String, setting: String, paced: bool, played: &[Played]) -> Self {
        let keys: Vec<_> = played.iter().flat_map(|played| &played.keys).collect();
        let replies: Vec<f64> = keys.iter().filter_map(|key| key.reply_ms).collect();
        let first: Vec<f64> = keys.iter().filter_map(|key| key.first_token_ms).collect();
        let sum = |of: fn(&Played) -> usize| played.iter().map(of).sum::<usize>();
        let (accepts, characters) = (sum(|p| p.accepts), sum(|p| p.characters));
        let accepted_characters = sum(|p| p.accepted_characters);
        Self {
            peer,
            setting,
            requests: keys.len(),
            reply_ms: Percentiles::of(&replies),
            first_token_ms: Percentiles::of(&first),
            answered_before_next: paced.then_some(Share {
                part: replies.len(),
                of: keys.len(),
            }),
            suggested: Share {
                part: keys.iter().filter(|key| key.suggested).count(),
                of: replies.len(),
            },
            accepts,
            accepted_characters,
            characters,
            saved: saved(accepted_characters, accepts, characters),
            server: None,
        }
    }

    /// For people.
    pub fn table(&self) -> String {
        let mut out = String::new();
        let _ = writeln!(out, "{} ({})", self.peer, self.setting);
        let _ = writeln!(out, "  {:<42} {}", "requests", self.requests);
        line(&mut out, "key to reply, ms", &self.reply_ms);
        if self.first_token_ms.count > 0 {
            line(&mut out, "key to first token, ms", &self.first_token_ms);
        }
        if let Some(share) = &self.answered_before_next {
            entry(&mut out, "answered before the next key", share);
        }
        entry(&mut out, "answers with a suggestion", &self.suggested);
        entry(
            &mut out,
            "characters saved by whole suggestions",
            &format!(
                "{:.1} % (({} - {}) of {})",
                100.0 * self.saved,
                self.accepted_characters,
                self.accepts,
                self.characters
            ),
        );
        if let Some(server) = &self.server {
            server.table(&mut out);
        }
        out
    }
}

impl ServerFigures {
    fn table(&self, out: &mut String) {
        entry(out, "start to ready, ms", &format!("{:.0}", self.ready_ms));
        if let Some(memory) = self.peak_memory_mb {
            entry(out, "peak memory, MB", &format!("{memory:.0}"));
        }
        line(out, "delay before the model is asked, ms", &self.delay_ms);
        line(out, "engine: first token, ms", &self.engine_first_token_ms);
        line(out, "engine: whole suggestion, ms", &self.engine_total_ms);
        entry(
            out,
            "engine: tokens/s, prefill and decode",
            &format!(
                "{:.0} and {:.1}",
                self.prefill_tokens_per_second, self.decode_tokens_per_second
            ),
        );
        entry(
            out,
            "answered from the typed-through cache",
            &self.from_cache,
        );
        entry(
            out,
            "prompt tokens reused from the KV cache",
            &self.prompt_reused,
        );
        line(
            out,
            "edit applied while the engine is busy, ms",
            &self.edit_while_busy_ms,
        );
        if let Some(rest) = &self.rest_after_cancel_ms {
            line(out, "cancel to rest, ms", rest);
        }
    }
}

fn saved(accepted: usize, accepts: usize, characters: usize) -> f64 {
    if characters == 0 {
        return 0.0;
    }
    (accepted as f64 - accepts as f64) / characters as f64
}

fn line(out: &mut String, name: &str, of: &Percentiles) {
    let text = format!(
        "p50 {:.1}, p95 {:.1}, p99 {:.1} (n = {})",
        of.p50, of.p95, of.p99, of.count
    );
    entry(out, name, &text);
}

fn entry(out: &mut String, name: &str, value: &dyn std::fmt::Display) {
    let _ = writeln!(out, "  {name:<42} {value}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::bench::replay::Key;

    #[test]
    fn figures_keep_their_denominators() {
        let key = |reply_ms, suggested| Key {
            reply_ms,
            first_token_ms: None,
            suggested,
        };
        let played = Played {
            keys: vec![
                key(Some(10.0), true),
                key(None, false),
                key(Some(30.0), false),
            ],
            characters: 100,
            accepted_characters: 22,
            accepts: 2,
        };
        let report = Report::of("a".into(), "b".into(), true, &[played.clone(), played]);
        assert_eq!(report.requests, 6);
        assert_eq!(report.answered_before_next, Some(Share { part: 4, of: 6 }));
        assert_eq!(report.suggested, Share { part: 2, of: 4 });
        assert!((report.saved - 0.2).abs() < 1e-9);
        let table = report.table();
        assert!(table.contains("20.0 % ((44 - 4) of 200)"), "{table}");
        assert!(
            table.contains("p50 10.0, p95 30.0, p99 30.0 (n = 4)"),
            "{table}"
        );
    }
}
