//! What the server says when it is asked why there is no suggestion.

use serde_json::{Value, json};
use truefill_tests::{Answer, Script, Server, why};

const URI: &str = "file:///w/a.py";

fn at(line: u32, character: u32) -> Value {
    json!({ "line": line, "character": character })
}

/// A ready server with these settings and one Python document.
fn with(suggest: Value, text: &str, answer: Answer) -> Server {
    let params = json!({ "initializationOptions": { "suggest": suggest } });
    let mut server = Server::start_with(&Script::new([answer]), params);
    server.wait_ready();
    server.open(URI, "python", text);
    server
}

fn at_once() -> Value {
    json!({ "delay_min_ms": 0, "delay_max_ms": 0 })
}

/// What is said about a place.
fn here(server: &mut Server, place: Value) -> Value {
    let params = json!({ "command": "truefill.why", "arguments": [URI, place] });
    let answer = server.call("workspace/executeCommand", params);
    answer.expect("why is answered")["here"].clone()
}

fn code(server: &mut Server, arguments: Value) -> i64 {
    let params = json!({ "command": "truefill.why", "arguments": arguments });
    let answer = server.call("workspace/executeCommand", params);
    answer.expect_err("the arguments are wrong").code
}

#[test]
fn a_place_could_get_a_suggestion_or_not() {
    let mut server = with(at_once(), "x = value", Answer::text("1"));
    assert_eq!(here(&mut server, at(0, 9))["eligible"], true);
    assert_eq!(here(&mut server, at(0, 6))["reason"], "inside_word");
    assert_eq!(code(&mut server, json!([URI, "here"])), -32602);
    assert_eq!(code(&mut server, json!([7])), -32602);
    let general = json!({ "command": "truefill.why" });
    let status = server.call("workspace/executeCommand", general);
    assert_eq!(status.expect("why is answered")["status"]["kind"], "Normal");
    let deletes = json!({ "range": { "start": at(0, 8), "end": at(0, 9) }, "text": "" });
    server.change(URI, 2, &[deletes]);
    assert_eq!(here(&mut server, at(0, 8))["reason"], "after_deletion");
    server.shut_down();
}

#[test]
fn the_prompt_is_that_of_the_document_as_it_is_now() {
    let mut server = with(at_once(), "x = ", Answer::text("1"));
    let types = json!({ "range": { "start": at(0, 4), "end": at(0, 4) }, "text": "sum(" });
    server.change(URI, 2, &[types]);
    let mut prompt = |arguments: Value| {
        let params = json!({ "command": "truefill.prompt", "arguments": arguments });
        server.call("workspace/executeCommand", params)
    };
    let answer = prompt(json!([URI, at(0, 8)])).expect("a prompt");
    let text = answer["prompt"].as_str().expect("a text");
    assert!(text.contains("x = sum("), "{text}");
    assert!(answer["tokens"].as_u64().is_some_and(|tokens| tokens > 0));
    let sha256 = answer["sha256"].as_str().expect("a hash");
    assert_eq!(sha256.len(), 64);
    let wrong = [
        (json!([]), -32602, "expects the document's URI"),
        (json!([URI]), -32602, "expects a position"),
        (json!([URI, at(7, 0)]), -32803, "there is no prompt here"),
        (json!(["file:///w/.env", at(0, 0)]), -32803, "not open"),
    ];
    for (arguments, code, part) in wrong {
        let error = prompt(arguments).expect_err("no prompt");
        assert_eq!(error.code, code, "{error:?}");
        assert!(error.message.contains(part), "{error:?}");
    }
    server.open("file:///w/.env", "plaintext", "KEY=1");
    let params = json!({ "command": "truefill.prompt", "arguments": ["file:///w/.env", at(0, 5)] });
    let denied = server.call("workspace/executeCommand", params);
    assert_eq!(denied.expect_err("a secret").code, -32803);
    server.shut_down();
}

#[test]
fn where_suggestions_while_typing_are_off_it_says_so() {
    let mut server = with(json!({ "automatic": false }), "x = ", Answer::text("1"));
    assert_eq!(here(&mut server, at(0, 4))["reason"], "automatic_off");
    // Asked for by hand there is one all the same.
    let id = server.ask(URI, at(0, 4), true);
    assert_eq!(server.items(id).len(), 1);
    server.shut_down();
}

#[test]
fn the_newest_request_decides_whichever_ends_last() {
    let slow = Answer::text("1").slow(5000, 0);
    let mut server = with(at_once(), "x = ", slow);
    let older = server.ask(URI, at(0, 4), true);
    server.event(|event| event.event == "start");
    let newer = server.ask(URI, at(9, 9), true);
    assert!(server.items(newer).is_empty());
    server.cancel(older);
    // The engine may have left it for the newer one already.
    let _ = server.answer(older);
    assert_eq!(why(&mut server, URI)["last"]["reason"], "no_such_position");
    server.shut_down();
}

#[test]
fn a_document_that_is_not_open_has_no_past() {
    let mut server = with(at_once(), "x = ", Answer::text("1"));
    let id = server.ask(URI, at(0, 4), true);
    assert_eq!(server.items(id).len(), 1);
    let params = json!({ "textDocument": { "uri": URI } });
    server.notify("textDocument/didClose", params);
    assert_eq!(why(&mut server, URI)["last"]["reason"], "not_open");
    server.open(URI, "python", "x = ");
    assert_eq!(why(&mut server, URI)["last"], Value::Null);
    server.shut_down();
}

#[test]
fn an_engine_that_keeps_failing_is_told_and_its_recovery() {
    let fails = Answer {
        error: Some("the disk is gone"),
        times: Some(3),
        ..Answer::default()
    };
    let script = Script::new([fails, Answer::text("1")]);
    let mut server = Server::start(&script);
    server.wait_ready();
    server.open(URI, "python", "x = ");
    for _ in 0..3 {
        let id = server.ask(URI, at(0, 4), true);
        assert!(server.items(id).is_empty());
    }
    let status = server.notification("truefill/status", |status| status["kind"] == "Warning");
    assert_eq!(status["reason"], "engine_failed");
    let message = status["message"].as_str().unwrap_or_default();
    assert!(message.contains("the disk is gone"), "{message}");
    let id = server.ask(URI, at(0, 4), true);
    assert_eq!(server.items(id).len(), 1);
    server.notification("truefill/status", |status| {
        let message = status["message"].as_str().unwrap_or_default();
        status["kind"] == "Normal" && message.contains("ready")
    });
    server.shut_down();
}
