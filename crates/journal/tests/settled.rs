//! What became of suggestions after they were taken: what was kept, what stands there now, and
//! what a replay needs.

#![allow(clippy::unwrap_used, reason = "helpers of tests, too")]

mod common;

use common::*;
use truefill_journal::*;

fn written(context: bool, events: Vec<Event>) -> (Vec<SuggestionRow>, Vec<u8>, Counters) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal.db");
    let options = Options {
        context,
        ..options()
    };
    let journal = open(&path, options);
    for event in events {
        journal.record(event);
    }
    journal.flush(PATIENCE).unwrap();
    let counters = journal.counters();
    journal.close(PATIENCE).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    (rows(&path), bytes, counters)
}

#[test]
fn what_was_kept_and_why_it_is_not_known() {
    let kept = |after_s, kept| Outcome::Kept {
        after_s,
        of: 12,
        kept,
    };
    let reason = "left_line".to_owned();
    let outcomes = [
        kept(30, Retained::Chars(11)),
        kept(90, Retained::Censored(Censored::Undone)),
        kept(180, Retained::Censored(Censored::Closed)),
        Outcome::Superseded,
        Outcome::NotShown { reason },
        Outcome::Agreed { chars: 3, of: 9 },
    ];
    let events = outcomes.into_iter().enumerate();
    let events = events.map(|(number, it)| outcome(id(1, 1), number as u32, it));
    let all = [suggestion(id(1, 1))].into_iter().chain(events).collect();
    let (rows, ..) = written(true, all);
    let found: Vec<_> = rows[0]
        .outcomes
        .iter()
        .map(|it| {
            (
                it.event.as_str(),
                it.chars,
                it.of_chars,
                it.after_s,
                it.reason.as_deref(),
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            ("kept", Some(11), Some(12), Some(30), None),
            ("kept", Some(0), Some(12), Some(90), Some("undone")),
            ("kept", None, Some(12), Some(180), Some("closed")),
            ("superseded", None, None, None, None),
            ("not_shown", None, None, None, Some("left_line")),
            ("agreed", Some(3), Some(9), None, None),
        ]
    );
}

#[test]
fn assignments_and_tokens_come_back() {
    let mut shadow = record(id(1, 2));
    shadow.shadow_of = Some(id(1, 1));
    shadow.assignment = None;
    let (rows, ..) = written(
        true,
        vec![suggestion(id(1, 1)), Event::Suggestion(Box::new(shadow))],
    );
    let (shown, shadow) = (&rows[0], &rows[1]);
    assert_eq!(shown.generation, Some(u64::MAX));
    let shares = shown.shares.as_ref().map(|shares| shares["candidate"]);
    assert_eq!(shares, Some(0.3));
    assert_eq!(shown.unit.as_deref().map(str::len), Some(32));
    assert_eq!(shown.repository.as_deref().map(str::len), Some(32));
    for (hash, plain) in [(&shown.prefix_sha256, "cd"), (&shown.suffix_sha256, "ef")] {
        let hash = hash.as_deref().unwrap();
        assert!(hash.len() == 64 && hash != plain.repeat(32), "it is salted");
    }
    assert_eq!(shown.prompt_token_ids, Some(vec![3, 49_151, 300]));
    assert_eq!(shown.completion_token_ids, Some(vec![7, 0]));
    assert_eq!((shadow.shadow_of, &shadow.unit), (Some(id(1, 1)), &None));
}

#[test]
fn tokens_are_kept_only_where_what_they_spell_may_be() {
    let token = format!("gh{}_{}", "p", "a1B2c3D4e5".repeat(4));
    let spelt = |change: fn(&mut Completion, String), context| {
        let mut record = record(id(1, 1));
        change(record.completion.as_mut().unwrap(), token.clone());
        let row = written(context, vec![Event::Suggestion(Box::new(record))])
            .0
            .remove(0);
        (row.completion.is_some(), row.prompt_token_ids.is_some())
    };
    assert_eq!(spelt(|_, _| (), true), (true, true));
    assert_eq!(spelt(|_, _| (), false), (false, false));
    // On the cursor's line, behind it; and in what the clean-up cut.
    assert_eq!(
        spelt(|it, token| it.line_after = token, true),
        (true, false)
    );
    let cut = |it: &mut Completion, token| it.tokens.as_mut().unwrap().completion_text = token;
    assert_eq!(spelt(cut, true), (true, false));
    assert_eq!(spelt(|it, token| it.text = token, true), (false, false));
}

fn hole(prefix: &str, golden: &str, suffix: &str) -> HoleRecord {
    HoleRecord {
        suggestion: id(1, 1),
        document: record(id(1, 1)).document,
        prefix: prefix.to_owned(),
        golden: golden.to_owned(),
        suffix: suffix.to_owned(),
        kind: HoleKind::Block,
        own: vec![(1, 2), (3, 4)],
    }
}

#[test]
fn a_hole_is_written_without_secrets_or_not_at_all() {
    let token = format!("gh{}_{}", "p", "a1B2c3D4e5".repeat(4));
    let kept = |context, hole: HoleRecord| {
        let events = vec![suggestion(id(1, 1)), Event::Hole(Box::new(hole))];
        let (mut rows, bytes, counters) = written(context, events);
        let secret = token.as_bytes();
        assert!(!bytes.windows(secret.len()).any(|window| window == secret));
        (rows.remove(0).hole, counters.withheld_secrets)
    };
    let (row, _) = kept(true, hole("fn é() {\n", "let x = 1;\nx", "\n}"));
    let row = row.unwrap();
    assert_eq!(
        (&*row.prefix, &*row.golden, &*row.suffix),
        ("fn é() {\n", "let x = 1;\nx", "\n}")
    );
    assert_eq!((&*row.kind, &*row.own), ("block", &[(1, 2), (3, 4)][..]));

    let beside = hole(
        &format!("# é {token}\na = "),
        "1",
        &format!("\nb = 2 # {token}\n"),
    );
    let (row, _) = kept(true, beside);
    let row = row.unwrap();
    assert_eq!(&*row.prefix, "# é <service token>\na = ");
    assert_eq!(&*row.suffix, "\nb = 2 # <service token>\n");

    let refused = (None, 1);
    assert_eq!(
        kept(true, hole("a = ", &format!("'{token}'"), "\n")),
        refused
    );
    // Across the hole's edges.
    let (head, tail) = token.split_at(20);
    assert_eq!(
        kept(true, hole(&format!("a = '{head}"), tail, "'\n")),
        refused
    );
    assert_eq!(
        kept(true, hole("let password = \"", "hunter2-and-more", "\";\n")),
        refused
    );

    assert_eq!(kept(false, hole("a", "b", "c")).0, None);
    let mut denied = hole("a", "b", "c");
    denied.document.path = "/p/.env".to_owned();
    assert_eq!(kept(true, denied).0, None);
    assert_eq!(kept(true, hole(&"x ".repeat(200_000), "b", "c")).0, None);
}
