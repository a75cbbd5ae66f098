//! Work stops when nobody wants it, and edits never wait for it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use truefill_tests::{Answer, Event, Script, Server, micros_now};

const URI: &str = "file:///w/a.rs";

/// Milliseconds: far below the ten seconds of an answer that is not stopped, far above what a busy
/// machine adds. `truefill bench keystrokes` measures how soon it really is.
const SOON: u64 = 2000;

/// An answer that takes ten seconds.
fn endless() -> Script {
    Script::new([Answer::text(&"word".repeat(1000)).slow(10, 10)])
}

fn at(character: u32) -> Value {
    json!({ "line": 0, "character": character })
}

fn is(name: &'static str) -> impl Fn(&Event) -> bool {
    move |event| event.event == name
}

fn milliseconds_since(before: u64, event: &Event) -> u64 {
    event.at_micros.saturating_sub(before) / 1000
}

#[test]
fn a_cancelled_request_stops_the_engine() {
    let mut server = Server::start(&endless());
    server.wait_ready();
    server.open(URI, "rust", "x");
    let id = server.ask(URI, at(1), true);
    server.event(is("start"));
    let before = micros_now();
    server.cancel(id);
    let event = server.event(is("cancelled"));
    assert!(
        milliseconds_since(before, &event) < SOON,
        "{event:?} after {before}"
    );
    assert_eq!(server.answer(id).unwrap_err().code, -32800);
    // Cancelling what was answered, or never asked, changes nothing.
    server.cancel(id);
    server.cancel(12345);
    server.shut_down();
}

#[test]
fn a_newer_request_takes_the_place_of_an_older_one() {
    let mut server = Server::start(&endless());
    server.wait_ready();
    server.open(URI, "rust", "xy");
    let first = server.ask(URI, at(2), true);
    server.event(is("start"));
    let before = micros_now();
    let second = server.ask(URI, at(2), true);
    let event = server.event(is("cancelled"));
    assert!(
        milliseconds_since(before, &event) < SOON,
        "{event:?} after {before}"
    );
    assert!(server.items(first).is_empty());
    server.cancel(second);
    assert_eq!(server.answer(second).unwrap_err().code, -32800);
    server.shut_down();
}

/// An editor that never cancels still asks anew after each key, and what it asks may be a place
/// where nothing is suggested. The older text is of no use then either.
#[test]
fn a_newer_request_that_stays_silent_stops_the_older_one_too() {
    let mut server = Server::start(&endless());
    server.wait_ready();
    server.open(URI, "rust", "xy");
    let first = server.ask(URI, at(2), true);
    server.event(is("start"));
    let before = micros_now();
    let second = server.ask(URI, at(1), true);
    assert!(server.items(second).is_empty(), "the cursor in a word");
    assert!(server.items(first).is_empty());
    let event = server.event(is("cancelled"));
    assert!(
        milliseconds_since(before, &event) < SOON,
        "{event:?} after {before}"
    );
    server.shut_down();
}

#[test]
fn requests_for_two_documents_do_not_disturb_each_other() {
    let script = Script::new([
        Answer::text("one").when("1").slow(50, 0),
        Answer::text("two"),
    ]);
    let mut server = Server::start(&script);
    server.wait_ready();
    server.open(URI, "rust", "1");
    server.open("file:///w/b.rs", "rust", "2");
    let one = server.ask(URI, at(1), true);
    let two = server.ask("file:///w/b.rs", at(1), true);
    assert_eq!(server.items(two)[0]["insertText"], "two");
    assert_eq!(server.items(one)[0]["insertText"], "one");
    server.shut_down();
}

/// Sync while the engine is busy: an edit and the question for the text, which is answered
/// behind it.
#[test]
fn edits_do_not_wait_for_the_engine() {
    let mut server = Server::start(&endless());
    server.wait_ready();
    server.open(URI, "rust", "x");
    let asked: Vec<i64> = (0..100).map(|_| server.ask(URI, at(1), true)).collect();
    server.event(is("start"));
    let mut text = "x".to_owned();
    let begin = Instant::now();
    for version in 2..202 {
        let end = at(u32::try_from(text.len()).unwrap());
        let range = json!({ "start": end, "end": end });
        server.change(URI, version, &[json!({ "range": range, "text": "y" })]);
        text.push('y');
        assert_eq!(server.text(URI).as_deref(), Some(text.as_str()));
    }
    // Two hundred edits within one answer of ten seconds: none of them waited for it.
    assert!(
        begin.elapsed() < Duration::from_secs(9),
        "{:?}",
        begin.elapsed()
    );
    for id in &asked {
        server.cancel(*id);
    }
    let (newest, superseded) = asked.split_last().unwrap();
    for id in superseded {
        assert_eq!(server.answer(*id).unwrap(), json!({ "items": [] }));
    }
    assert_eq!(server.answer(*newest).unwrap_err().code, -32800);
    server.shut_down();
}

#[test]
fn ten_thousand_requests_are_answered_once_each() {
    let mut server = Server::start(&Script::new([Answer::text("x = 1;").slow(1, 1)]));
    server.wait_ready();
    let uris: Vec<String> = (0..4).map(|n| format!("file:///w/{n}.rs")).collect();
    for uri in &uris {
        server.open(uri, "rust", "let y = 1;\n");
    }
    let mut answered = 0;
    for round in 0..100_u32 {
        let ids: Vec<i64> = (0..100_usize)
            .map(|n| {
                let id = server.ask(
                    &uris[n % 4],
                    json!({ "line": 1, "character": 0 }),
                    n % 3 == 0,
                );
                if (n + round as usize) % 10 < 3 {
                    server.cancel(id);
                }
                id
            })
            .collect();
        for id in ids {
            match server.answer(id) {
                Ok(result) => assert!(result["items"].is_array()),
                Err(error) => assert_eq!(error.code, -32800),
            }
            answered += 1;
        }
    }
    assert_eq!(answered, 10_000);
    server.shut_down();
}

#[test]
fn closing_a_document_stops_its_work() {
    let mut server = Server::start(&endless());
    server.wait_ready();
    server.open(URI, "rust", "x");
    let id = server.ask(URI, at(1), true);
    server.event(is("start"));
    let before = micros_now();
    server.notify(
        "textDocument/didClose",
        json!({ "textDocument": { "uri": URI } }),
    );
    let event = server.event(is("cancelled"));
    assert!(
        milliseconds_since(before, &event) < SOON,
        "{event:?} after {before}"
    );
    assert!(server.items(id).is_empty());
    server.shut_down();
}

#[test]
fn a_client_that_asks_without_end_is_told_so() {
    let mut server = Server::start(&endless());
    server.wait_ready();
    let uri = |number: usize| format!("file:///w/{number}.rs");
    let ids: Vec<i64> = (0..1100)
        .map(|number| {
            server.open(&uri(number), "rust", "x");
            server.ask(&uri(number), at(1), true)
        })
        .collect();
    ids.iter().for_each(|id| server.cancel(*id));
    let answers = ids.into_iter().map(|id| server.answer(id));
    let refused = answers
        .filter_map(Result::err)
        .filter(|error| error.code == -32803)
        .inspect(|error| assert!(error.message.contains("in progress"), "{}", error.message))
        .count();
    // Those whose turn came meanwhile made room.
    assert!((1..=1100 - 1024).contains(&refused), "{refused}");
    server.shut_down();
}
