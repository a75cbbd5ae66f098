//! Records and journals for the tests.

#![allow(clippy::unwrap_used, reason = "helpers of tests, too")]
#![allow(dead_code, reason = "each test binary uses its part")]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use truefill_journal::*;

/// Long enough for a slow disk; only failures wait for it.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A clock that advances by a second at each look.
pub fn ticking() -> Clock {
    let now = AtomicI64::new(0);
    Arc::new(move || UnixMicros(now.fetch_add(1_000_000, Ordering::Relaxed) + 1_000_000))
}

pub fn options() -> Options {
    Options {
        context: true,
        clock: ticking(),
        gather: Duration::from_millis(5),
        ..Options::default()
    }
}

pub fn open(path: &Path, options: Options) -> Journal {
    let journal = Journal::open(path, options);
    assert_eq!(journal.wait_started(PATIENCE), Health::Working);
    journal
}

pub fn id(writer: u64, number: u64) -> SuggestionId {
    SuggestionId::from_parts(1_700_000_000_000 + number, u128::from(writer))
}

pub fn record(id: SuggestionId) -> SuggestionRecord {
    SuggestionRecord {
        id,
        request: id,
        session: "session".to_owned(),
        document: Document {
            path: "/p/src/main.rs".to_owned(),
            repository: Some("/p".to_owned()),
            policy: PathPolicy::Open,
        },
        language: "rust".to_owned(),
        checkpoint: "champion".to_owned(),
        arm: "base".to_owned(),
        assignment: Some(Assignment {
            unit: "/p/src/main.rs 7".to_owned(),
            generation: u64::MAX,
            shares: [("base".to_owned(), 0.7), ("candidate".to_owned(), 0.3)].into(),
            comparison: "ab12".to_owned(),
        }),
        shadow_of: None,
        format: Format {
            name: "causal".to_owned(),
            version: 3,
        },
        prompt_sha256: Some("ab".repeat(32)),
        context: Some(ContextHashes {
            prefix: "cd".repeat(32),
            suffix: "ef".repeat(32),
        }),
        trigger: Trigger::Automatic,
        shape: Some(Shape::Block),
        prompt_tokens: Some(900),
        cached_tokens: Some(880),
        completion_tokens: Some(12),
        stages: Stages {
            delay: Some(1),
            total: Some(120_000),
            ..Stages::default()
        },
        completion: Some(Completion {
            text: "let x = 1;".to_owned(),
            line_before: "    ".to_owned(),
            line_after: String::new(),
            tokens: Some(Tokens {
                prompt: vec![3, 49_151, 300],
                completion: vec![7, 0],
                completion_text: "let x = 1;\n".to_owned(),
            }),
        }),
        stop_reason: Some("line_end".to_owned()),
        guard: Some(Guard {
            verdict: GuardVerdict::Pass,
            kind: None,
            reason: None,
            detail: Some("every name is known".to_owned()),
        }),
        seed: Some(u64::MAX),
        silence: None,
    }
}

pub fn suggestion(id: SuggestionId) -> Event {
    Event::Suggestion(Box::new(record(id)))
}

pub fn outcome(suggestion: SuggestionId, sequence: u32, outcome: Outcome) -> Event {
    Event::Outcome(OutcomeRecord {
        suggestion,
        sequence,
        outcome,
        inferred: false,
    })
}

pub fn rows(path: &Path) -> Vec<SuggestionRow> {
    let reader = Reader::open(path).unwrap();
    reader
        .suggestions(Query::default())
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap()
}
