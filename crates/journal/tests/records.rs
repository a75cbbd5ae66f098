//! What is recorded is read back, and what must not be written is not.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "helpers of tests, too"
)]

mod common;

use common::*;
use truefill_journal::*;

#[test]
fn suggestions_come_back_with_their_outcomes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sub/journal.db");
    let journal = open(&path, options());
    journal.record(suggestion(id(1, 1)));
    journal.record(outcome(id(1, 1), 0, Outcome::Served));
    journal.record(outcome(id(1, 1), 0, Outcome::Shown));
    let accepted = |extent, chars| Outcome::Accepted { extent, chars };
    journal.record(outcome(id(1, 1), 0, accepted(Extent::Word, 3)));
    journal.record(outcome(id(1, 1), 1, accepted(Extent::Whole, 10)));
    journal.record(outcome(id(1, 1), 0, Outcome::TypedThrough { chars: 2 }));
    let reason = "user".to_owned();
    journal.record(outcome(
        id(1, 1),
        0,
        Outcome::Rejected {
            reason: Some(reason),
        },
    ));
    journal.close(PATIENCE).unwrap();

    let rows = rows(&path);
    assert_eq!(rows.len(), 1);
    let row = &rows[0];
    assert_eq!((row.id, row.at), (id(1, 1), UnixMicros(2_000_000)));
    assert_eq!(row.completion.as_deref(), Some("let x = 1;"));
    assert_eq!((row.seed, row.completion_bytes), (Some(u64::MAX), Some(10)));
    assert_eq!((row.stages.delay, row.stages.queue), (Some(1), None));
    assert_eq!((row.format.as_str(), row.format_version), ("causal", 3));
    assert_eq!(
        (row.guard.as_deref(), row.withheld.as_deref()),
        (Some("pass"), None)
    );
    let outcomes: Vec<_> = row
        .outcomes
        .iter()
        .map(|o| {
            (
                o.event.as_str(),
                o.sequence,
                o.extent.as_deref(),
                o.chars,
                o.reason.as_deref(),
            )
        })
        .collect();
    assert_eq!(
        outcomes,
        [
            ("served", 0, None, None, None),
            ("shown", 0, None, None, None),
            ("accepted", 0, Some("word"), Some(3), None),
            ("accepted", 1, Some("whole"), Some(10), None),
            ("typed_through", 0, None, Some(2), None),
            ("rejected", 0, None, None, Some("user")),
        ]
    );
}

#[test]
fn the_same_event_again_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal.db");
    let journal = open(&path, options());
    for _ in 0..3 {
        journal.record(suggestion(id(1, 1)));
        journal.record(outcome(id(1, 1), 7, Outcome::Shown));
    }
    journal.flush(PATIENCE).unwrap();
    let counters = journal.counters();
    assert_eq!((counters.committed, counters.duplicates), (6, 4));
    let rows = rows(&path);
    assert_eq!(
        (rows.len(), rows[0].outcomes.len(), rows[0].at),
        (1, 1, UnixMicros(2_000_000))
    );
}

/// Text of the row, or why it is not there.
fn kept(context: bool, change: impl FnOnce(&mut SuggestionRecord)) -> Result<String, String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal.db");
    let journal = open(
        &path,
        Options {
            context,
            ..options()
        },
    );
    let mut record = record(id(1, 1));
    change(&mut record);
    let (text, detail) = (
        record.completion.clone().unwrap().text,
        record.guard.clone().unwrap().detail.unwrap(),
    );
    journal.record(Event::Suggestion(Box::new(record)));
    journal.close(PATIENCE).unwrap();

    let row = rows(&path).remove(0);
    assert_eq!(
        row.completion_bytes,
        Some(u32::try_from(text.len()).unwrap())
    );
    assert_eq!(row.guard_detail.is_some(), row.completion.is_some());
    if row.completion.is_none() {
        // Neither in a free page nor in the log.
        for file in std::fs::read_dir(dir.path()).unwrap() {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            for text in [text.as_bytes(), detail.as_bytes()] {
                assert!(!bytes.windows(text.len()).any(|window| window == text));
            }
        }
    }
    row.completion.ok_or_else(|| row.withheld.unwrap())
}

#[test]
fn text_is_kept_only_where_it_may_be() {
    let text = |text: &str, line: &str| {
        let completion = Completion {
            text: text.to_owned(),
            line_before: line.to_owned(),
            ..Completion::default()
        };
        move |record: &mut SuggestionRecord| record.completion = Some(completion)
    };
    let path = |path: &str, policy| {
        let document = Document {
            path: path.to_owned(),
            repository: None,
            policy,
        };
        move |record: &mut SuggestionRecord| record.document = document
    };
    let why = |reason: &str| Err(reason.to_owned());
    assert_eq!(kept(true, |_| ()), Ok("let x = 1;".to_owned()));
    assert_eq!(kept(false, |_| ()), why("context_off"));
    assert_eq!(kept(true, path("/p/.env", PathPolicy::Open)), why("path"));
    assert_eq!(kept(true, path("/p/a.rs", PathPolicy::Denied)), why("path"));
    assert_eq!(
        kept(true, text("hunter2-and-more\";", "let password = \"")),
        why("secret")
    );
    assert_eq!(
        kept(true, text("\"hunter2-and-more\";", "let message = ")),
        Ok("\"hunter2-and-more\";".to_owned())
    );
    let token = format!("gh{}_{}", "p", "a1B2c3D4e5".repeat(4));
    assert_eq!(kept(true, text(&token, "")), why("secret"));
    assert_eq!(kept(true, text(&"x ".repeat(40_000), "")), why("too_long"));
}

/// What is written of the guard's reason for a suggestion that was held back.
fn blocked(context: bool, path: &str, detail: &str) -> SuggestionRow {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("journal.db");
    let options = Options {
        context,
        ..options()
    };
    let journal = open(&file, options);
    let mut record = record(id(1, 1));
    record.document.path = path.to_owned();
    record.completion = None;
    record.silence = Some("guard_blocked".to_owned());
    record.guard = Some(Guard {
        verdict: GuardVerdict::Block,
        kind: Some("call".to_owned()),
        reason: Some("member-of-standard".to_owned()),
        detail: Some(detail.to_owned()),
    });
    journal.record(Event::Suggestion(Box::new(record)));
    journal.close(PATIENCE).unwrap();
    rows(&file).remove(0)
}

#[test]
fn the_guards_reason_is_kept_for_what_it_held_back() {
    let sentence = "`json.lode`: the standard library's `json` has no `lode`";
    let token = format!("`gh{}_{}`: no such name", "p", "a1B2c3D4e5".repeat(4));
    let table = [
        (true, "/p/a.py", sentence, Some(sentence)),
        (false, "/p/a.py", sentence, None),
        (true, "/p/.env", sentence, None),
        (true, "/p/a.py", &token, None),
    ];
    for (context, path, detail, kept) in table {
        let row = blocked(context, path, detail);
        let code = |text: &Option<String>| text.clone().unwrap();
        assert_eq!(code(&row.guard), "block");
        assert_eq!(code(&row.guard_kind), "call");
        assert_eq!(code(&row.guard_reason), "member-of-standard");
        assert_eq!(code(&row.silence), "guard_blocked");
        assert_eq!(row.guard_detail.as_deref(), kept, "{context} {path}");
    }
}

#[test]
fn paths_are_written_as_salted_hashes() {
    let dir = tempfile::tempdir().unwrap();
    let keys: Vec<String> = ["a.db", "b.db"]
        .iter()
        .map(|name| {
            let path = dir.path().join(name);
            let journal = open(&path, options());
            journal.record(suggestion(id(1, 1)));
            journal.close(PATIENCE).unwrap();
            let row = rows(&path).remove(0);
            let reader = Reader::open(&path).unwrap();
            assert_eq!(row.document, reader.document_key("/p/src/main.rs").unwrap());
            row.document
        })
        .collect();
    assert_ne!(keys[0], keys[1]);
    assert_eq!(keys[0].len(), 32);
}

#[test]
fn queries_and_pages() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal.db");
    let journal = open(&path, options());
    for number in 0..600 {
        journal.record_at(UnixMicros(number / 2), suggestion(id(1, number as u64)));
    }
    journal.record(outcome(id(9, 9), 0, Outcome::Shown));
    journal.flush(PATIENCE).unwrap();
    let reader = Reader::open(&path).unwrap();
    let count = |since, until| {
        let query = Query { since, until };
        let rows: Vec<_> = reader
            .suggestions(query)
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        assert!(rows.is_sorted_by_key(|row| (row.at, row.id)));
        rows.len()
    };
    assert_eq!(count(None, None), 600);
    assert_eq!(count(Some(UnixMicros(100)), None), 400);
    assert_eq!(count(Some(UnixMicros(100)), Some(UnixMicros(200))), 200);
    assert_eq!(count(Some(UnixMicros(300)), None), 0);
}

#[test]
fn exports_are_json_lines() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal.db");
    let journal = open(&path, options());
    for number in 0..3 {
        journal.record(suggestion(id(1, number)));
        journal.record(outcome(id(1, number), 0, Outcome::Shown));
    }
    journal.flush(PATIENCE).unwrap();
    let mut out = Vec::new();
    let reader = Reader::open(&path).unwrap();
    let lines = export(&reader, Query::default(), Texts::With, &mut out).unwrap();
    assert_eq!(lines, 3);
    let rows = rows(&path);
    for line in String::from_utf8(out.clone()).unwrap().lines() {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(value["version"], EXPORT_VERSION);
        assert_eq!(value["outcomes"][0]["event"], "shown");
    }
    let back =
        |bytes: &[u8]| -> Vec<SuggestionRow> { imported(bytes).collect::<Result<_, _>>().unwrap() };
    let without_folders = |row: SuggestionRow| SuggestionRow {
        folders: Vec::new(),
        ..row
    };
    let rows: Vec<_> = rows.into_iter().map(without_folders).collect();
    assert_eq!(back(&out), rows);
    let mut out = Vec::new();
    export(&reader, Query::default(), Texts::Without, &mut out).unwrap();
    let bare: Vec<_> = rows.into_iter().map(SuggestionRow::without_text).collect();
    assert_eq!(back(&out), bare);
    let text = String::from_utf8(out).unwrap();
    assert!(
        !text.contains("let x") && !text.contains("token_ids"),
        "{text}"
    );
}

#[test]
fn a_line_that_is_no_row_is_named() {
    let error = |line: &str| {
        let lines = format!("\n{line}\n");
        let error = imported(lines.as_bytes()).next().unwrap().unwrap_err();
        error.to_string()
    };
    assert!(error("{\"version\": 99}").starts_with("line 2: expected version"));
    assert!(error("{\"version\": 1}").contains("missing field"));
    assert!(error("no").starts_with("line 2: expected a line of a journal's export"));
}

#[test]
fn a_missing_journal_is_one_clear_sentence() {
    let error = Reader::open(std::path::Path::new("/nowhere/journal.db")).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("/nowhere/journal.db: expected a journal"),
        "{error}"
    );
}
