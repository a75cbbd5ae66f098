//! What is served is compared and replaced while the server runs: the real commands change the
//! store, the real server follows.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::{Value, json};
use truefill_tests::{Answer, Script, Server, install_named, truefill, why};

fn script(text: &str) -> Script {
    Script::new([Answer::text(text)])
}

/// A server with two checkpoints in its store, and two arms that say different things.
fn start(set: &[&str]) -> (Server, PathBuf) {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().to_owned();
    install_named(&path, "base");
    install_named(&path, "candidate");
    if !set.is_empty() {
        truefill(&path, &[&["arms", "set"], set].concat());
    }
    let script = script("only()")
        .arm("base", script("base()"))
        .arm("candidate", script("candidate()"));
    let mut server = Server::spawn_at(&script, home);
    server.initialize(json!({})).unwrap();
    server.wait_ready();
    (server, path)
}

fn asked(server: &mut Server, uri: &str) -> String {
    let id = server.ask(uri, json!({ "line": 0, "character": 4 }), true);
    let items = server.items(id);
    items[0]["insertText"].as_str().unwrap().to_owned()
}

fn open(server: &mut Server, number: usize) -> String {
    let uri = format!("file:///w/{number}.py");
    server.open(&uri, "python", "x = ");
    uri
}

#[test]
fn a_document_keeps_its_arm_and_rows_say_which() {
    let (mut server, _home) = start(&["base=50", "candidate=50"]);
    let uris: Vec<String> = (0..24).map(|number| open(&mut server, number)).collect();
    let first: Vec<String> = uris.iter().map(|uri| asked(&mut server, uri)).collect();
    let base = first.iter().filter(|text| *text == "base()").count();
    assert!((3..=21).contains(&base), "{first:?}");
    assert!(
        first
            .iter()
            .all(|text| text == "base()" || text == "candidate()")
    );
    let again: Vec<String> = uris.iter().map(|uri| asked(&mut server, uri)).collect();
    assert_eq!(first, again);
    for (uri, text) in uris.iter().zip(&first) {
        let arm = why(&mut server, uri)["arm"].clone();
        assert_eq!(format!("{}()", arm["name"].as_str().unwrap()), *text);
        let checkpoint = arm["checkpoint"].as_str().unwrap();
        assert!(text.starts_with(checkpoint.split_once('-').unwrap().0));
    }
    // The second time nothing was asked of a model.
    let rows = server.rows(|rows| rows.len() == 24);
    for row in &rows {
        assert_eq!(row.completion_bytes.unwrap() as usize, row.arm.len() + 2);
        assert!(row.checkpoint.starts_with(&row.arm));
        assert_eq!(row.generation, Some(1));
        let shares = row.shares.as_ref().unwrap();
        assert_eq!((shares["base"], shares["candidate"]), (0.5, 0.5));
    }
    let units: BTreeSet<_> = rows.iter().map(|row| row.unit.clone().unwrap()).collect();
    assert_eq!(units.len(), 24);
    server.shut_down();
}

/// Waits until the server says that something else is served.
fn told(server: &mut Server, part: &str) -> Value {
    server.notification("truefill/status", |status| {
        status["message"]
            .as_str()
            .is_some_and(|message| message.contains(part))
    })
}

#[test]
fn a_new_checkpoint_takes_over_between_two_requests() {
    let (mut server, home) = start(&[]);
    let uri = open(&mut server, 0);
    assert_eq!(asked(&mut server, &uri), "only()");
    truefill(&home, &["arms", "set", "base=1"]);
    told(&mut server, "base-");
    assert_eq!(asked(&mut server, &uri), "base()");
    truefill(&home, &["arms", "set", "candidate=1"]);
    told(&mut server, "candidate-");
    assert_eq!(asked(&mut server, &uri), "candidate()");
    truefill(&home, &["arms", "rollback"]);
    told(&mut server, "base-");
    assert_eq!(asked(&mut server, &uri), "base()");
    truefill(&home, &["arms", "clear"]);
    told(&mut server, "scripted");
    assert_eq!(asked(&mut server, &uri), "only()");
    server.shut_down();
}

#[test]
fn one_that_fails_its_trial_is_refused_and_the_old_one_goes_on() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().to_owned();
    install_named(&path, "base");
    install_named(&path, "candidate");
    truefill(&path, &["arms", "set", "base=1"]);
    let broken = Answer {
        error: Some("weights of nonsense"),
        ..Answer::default()
    };
    let script = script("base()").arm("candidate", Script::new([broken]));
    let mut server = Server::spawn_at(&script, home);
    server.initialize(json!({})).unwrap();
    server.wait_ready();
    let uri = open(&mut server, 0);
    truefill(&path, &["arms", "set", "base=50", "candidate=50"]);
    let status = told(&mut server, "is not served");
    let message = status["message"].as_str().unwrap();
    assert_eq!(status["kind"], "Warning");
    assert!(
        message.contains("weights of nonsense") && message.contains("base-"),
        "{message}"
    );
    for number in 1..8 {
        let other = open(&mut server, number);
        assert_eq!(asked(&mut server, &other), "base()");
    }
    assert_eq!(asked(&mut server, &uri), "base()");
    server.shut_down();
}

#[test]
fn a_swap_under_load_loses_no_request() {
    let (mut server, home) = start(&["base=1"]);
    let uris: Vec<String> = (0..8).map(|number| open(&mut server, number)).collect();
    let swaps = std::thread::spawn(move || {
        for round in 0..10 {
            let arm = ["candidate=1", "base=1"][round % 2];
            truefill(&home, &["arms", "set", arm]);
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
    });
    let mut seen = BTreeSet::new();
    let (mut count, mut version) = (0, 1);
    while !swaps.is_finished() || count < 400 {
        version += 1;
        let text = format!("{version} = ");
        let ids: Vec<i64> = uris
            .iter()
            .map(|uri| {
                server.change(uri, version, &[json!({ "text": text })]);
                let at = json!({ "line": 0, "character": text.len() });
                server.ask(uri, at, true)
            })
            .collect();
        for id in ids {
            let items = server.items(id);
            assert_eq!(items.len(), 1, "every request has its suggestion");
            seen.insert(items[0]["insertText"].as_str().unwrap().to_owned());
            count += 1;
        }
    }
    swaps.join().unwrap();
    assert!(
        seen.contains("base()") && seen.contains("candidate()"),
        "{seen:?}"
    );
    // Each is attributed to the arm that wrote it.
    let rows = server.rows(|rows| rows.len() == count);
    for row in rows {
        assert_eq!(row.completion_bytes.unwrap() as usize, row.arm.len() + 2);
        assert!(row.checkpoint.starts_with(&row.arm));
    }
    server.shut_down();
}

#[test]
fn a_shadow_is_never_shown_and_held_against_what_was_written() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().to_owned();
    install_named(&path, "base");
    install_named(&path, "candidate");
    truefill(&path, &["arms", "set", "base=1", "candidate=shadow"]);
    let script = script("wrong()")
        .arm("candidate", script("total(a)"))
        .hurried(1000);
    let mut server = Server::spawn_at(&script, home);
    server.initialize(json!({})).unwrap();
    server.wait_ready();
    let uri = open(&mut server, 0);
    assert_eq!(asked(&mut server, &uri), "wrong()");
    let at = json!({ "line": 0, "character": 4 });
    let rows = server.rows(|rows| rows.len() == 2);
    let change = json!({ "range": { "start": at, "end": at }, "text": "total(a)" });
    server.change(&uri, 2, &[change]);
    let shadow = rows.iter().find(|row| row.arm == "candidate").unwrap();
    let shown = rows.iter().find(|row| row.arm == "base").unwrap();
    assert_eq!(shadow.shadow_of, Some(shown.id));
    assert!(shadow.checkpoint.starts_with("candidate-") && shadow.outcomes.is_empty());
    let agreed = |row: &truefill_journal::SuggestionRow| {
        let found = row.outcomes.iter().find(|it| it.event == "agreed");
        found.map(|it| (it.chars.unwrap(), it.of_chars.unwrap()))
    };
    let rows = server.rows(|rows| rows.iter().filter(|row| agreed(row).is_some()).count() == 2);
    let of = |arm: &str| rows.iter().find(|row| row.arm == arm).and_then(agreed);
    assert_eq!(of("candidate"), Some((8, 8)));
    assert!(of("base").unwrap().0 < 8);
    server.shut_down();
}

#[test]
fn an_arm_that_is_slow_is_stopped_for_everyone() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().to_owned();
    install_named(&path, "base");
    install_named(&path, "candidate");
    truefill(&path, &["arms", "set", "base=50", "candidate=50"]);
    let slow = Script::new([Answer::text("slow()").slow(80, 0)]);
    let fast = Script::new([Answer::text("fast()").slow(5, 0)]);
    let mut server = Server::spawn_at(&fast.arm("candidate", slow), home);
    server.initialize(json!({})).unwrap();
    server.wait_ready();
    for number in 0..160 {
        let uri = open(&mut server, number);
        asked(&mut server, &uri);
    }
    told(&mut server, "base-");
    let shown = truefill(&path, &["arms", "show"]);
    assert!(
        shown.contains("stopped: it takes") && shown.contains("100.0 %"),
        "{shown}"
    );
    for number in 200..210 {
        let uri = open(&mut server, number);
        assert_eq!(asked(&mut server, &uri), "fast()");
    }
    server.shut_down();
}
