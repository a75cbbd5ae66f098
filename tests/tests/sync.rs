//! The server's documents against the oracle's, through the real process.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use truefill_tests::{Answer, Edit, Oracle, Script, Server, Units};

const URI: &str = "file:///w/a.rs";

/// Pieces of text that have broken other servers, beside plain ones.
const PIECES: [&str; 20] = [
    "a",
    "fn main() {\n",
    "    ",
    "é",
    "世界",
    "😀",
    "👩\u{200d}💻",
    "\r\n",
    "\r",
    "\n",
    "\u{2028}",
    "\u{2029}",
    "\u{85}",
    "\u{feff}",
    "\t",
    "e\u{301}",
    "\u{10ffff}",
    "}",
    "\u{b}",
    "\u{c}",
];

fn random_text(random: &mut ChaCha8Rng, pieces: usize) -> String {
    (0..random.random_range(0..=pieces))
        .map(|_| *PIECES.choose(random).unwrap())
        .collect()
}

/// A place between characters that a position can name.
fn place(oracle: &Oracle, random: &mut ChaCha8Rng) -> usize {
    loop {
        let at = random.random_range(0..=oracle.chars());
        if oracle.is_position(at) {
            return at;
        }
    }
}

fn random_edit(oracle: &Oracle, random: &mut ChaCha8Rng) -> Edit {
    let (one, other) = (place(oracle, random), place(oracle, random));
    let (start, end) = (one.min(other), one.max(other));
    let long = end - start > 12 && random.random_bool(0.9);
    Edit {
        start,
        end: if long { start } else { end },
        text: random_text(random, 3),
    }
}

/// Random edits between requests and cancels: every request is answered once, and the text
/// stays equal.
fn edits_between_requests(units: Units, seed: u64, edits: usize) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let general = match units {
        Units::Utf8 => json!({ "positionEncodings": ["utf-8"] }),
        Units::Utf16 => json!({}),
    };
    let script = Script::new([Answer::text("let x = 1;\nlet y = 2;").slow(2, 1)]);
    let capabilities = json!({ "general": general, "textDocument": { "inlineCompletion": {} } });
    let mut server = Server::start_with(&script, json!({ "capabilities": capabilities }));
    let mut oracle = Oracle::new(&random_text(&mut random, 30));
    server.open(URI, "rust", &oracle.text());
    let mut version = 1;
    let mut asked = Vec::new();
    for step in 0..edits {
        let count = if random.random_bool(0.1) { 3 } else { 1 };
        let mut changes = Vec::new();
        for _ in 0..count {
            let edit = random_edit(&oracle, &mut random);
            changes.push(oracle.apply(&edit, units));
        }
        version += random.random_range(1..4);
        server.change(URI, version, &changes);
        if random.random_bool(0.3) {
            let at = oracle.position(place(&oracle, &mut random), units);
            asked.push(server.ask(URI, at, random.random_bool(0.5)));
        }
        if random.random_bool(0.1)
            && let Some(id) = asked.choose(&mut random)
        {
            server.cancel(*id);
        }
        assert_eq!(server.text(URI), Some(oracle.text()), "after edit {step}");
    }
    for id in asked {
        match server.answer(id) {
            Ok(result) => assert!(result["items"].is_array(), "{result}"),
            Err(error) => assert_eq!(error.code, -32800, "{}", error.message),
        }
    }
    server.shut_down();
}

#[test]
fn two_thousand_edits_in_utf16() {
    edits_between_requests(Units::Utf16, 1, 2000);
}

#[test]
fn five_hundred_edits_in_utf8() {
    edits_between_requests(Units::Utf8, 2, 500);
}

/// Without waiting for anything, as a burst of keys arrives.
#[test]
fn a_burst_of_edits_is_applied_in_order() {
    let mut server = Server::start(&Script::new([Answer::text("x").slow(1, 1)]));
    server.open(URI, "rust", "");
    let mut expected = String::new();
    for version in 2..1002 {
        let character = char::from(b'a' + u8::try_from(version % 26).unwrap());
        let at = json!({ "line": 0, "character": expected.len() });
        let range = json!({ "start": at, "end": at });
        server.change(
            URI,
            version,
            &[json!({ "range": range, "text": character })],
        );
        expected.push(character);
    }
    assert_eq!(server.text(URI), Some(expected));
    server.shut_down();
}

fn insertion(line: u32, character: u32, text: &str) -> Value {
    let at = json!({ "line": line, "character": character });
    json!({ "range": { "start": at, "end": at }, "text": text })
}

#[test]
fn an_edit_that_cannot_be_applied_poisons_until_full_text_or_opening_again() {
    let mut server = Server::start(&Script::new([Answer::text("x")]));
    server.wait_ready();
    let unappliable = [
        insertion(9, 1, "x"),
        // Inside the surrogate pair of the emoji.
        insertion(0, 1, "x"),
        json!({ "range": { "start": { "line": 0, "character": 2 },
            "end": { "line": 0, "character": 0 } }, "text": "" }),
        // Not readable at all.
        json!({ "range": { "start": { "line": -1, "character": 0 },
            "end": { "line": 0, "character": 0 } }, "text": "" }),
        json!({ "text": 3 }),
    ];
    for change in unappliable {
        server.open(URI, "rust", "😀\n");
        server.change(URI, 2, std::slice::from_ref(&change));
        assert_eq!(server.text(URI), None, "{change}");
        server.change(URI, 3, &[insertion(0, 0, "y")]);
        assert_eq!(server.text(URI), None);
        let id = server.ask(URI, json!({ "line": 0, "character": 0 }), true);
        assert!(server.items(id).is_empty());
        server.notification("truefill/status", |status| status["reason"] == "poisoned");
        let why = json!({ "command": "truefill.why", "arguments": [URI] });
        let why = server.call("workspace/executeCommand", why).unwrap();
        assert_eq!(why["last"]["reason"], "poisoned");
        server.change(URI, 4, &[json!({ "text": "whole" })]);
        assert_eq!(server.text(URI), Some("whole".into()));
        let id = server.ask(URI, json!({ "line": 0, "character": 5 }), true);
        assert!(!server.items(id).is_empty());
        server.change(URI, 5, std::slice::from_ref(&insertion(99, 0, "y")));
        assert_eq!(server.text(URI), None);
        server.open(URI, "rust", "again");
        assert_eq!(server.text(URI), Some("again".into()));
        server.notify(
            "textDocument/didClose",
            json!({ "textDocument": { "uri": URI } }),
        );
        assert_eq!(server.text(URI), None);
    }
    server.shut_down();
}

#[test]
fn versions_must_increase() {
    let mut server = Server::start(&Script::default());
    server.open(URI, "rust", "");
    server.change(URI, 7, &[insertion(0, 0, "a")]);
    assert_eq!(server.text(URI), Some("a".into()));
    server.change(URI, 7, &[insertion(0, 0, "b")]);
    assert_eq!(server.text(URI), None);
    server.shut_down();
}
