//! What happens when something around the server dies, or in it.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use truefill_tests::{Answer, Script, Server, alive};

const URI: &str = "file:///w/a.rs";

fn end_of(text: &str) -> Value {
    json!({ "line": 0, "character": text.len() })
}

fn busy() -> (Server, i64) {
    let mut server = Server::start(&Script::new(
        [Answer::text(&"word".repeat(5000)).slow(5, 5)],
    ));
    server.wait_ready();
    server.open(URI, "rust", "x");
    let id = server.ask(URI, end_of("x"), true);
    server.event(|event| event.event == "start");
    (server, id)
}

#[test]
fn a_closed_stream_ends_a_busy_server() {
    let (mut server, id) = busy();
    server.close_stdin();
    let exit = server.wait();
    assert!(exit.took < Duration::from_secs(5), "{:?}", exit.took);
    assert_eq!(exit.status.code(), Some(1));
    server.forgive();
    let _ = id;
}

#[test]
fn a_server_answers_what_was_asked_before_the_stream_ended() {
    let mut server = Server::start(&Script::new([Answer::text("done").slow(100, 0)]));
    server.wait_ready();
    server.open(URI, "rust", "x");
    let id = server.ask(URI, end_of("x"), true);
    server.close_stdin();
    assert_eq!(server.items(id)[0]["insertText"], "done");
    server.wait();
}

/// A process that stands for an editor, and is gone when the test is.
struct Editor(Child);

impl Editor {
    fn start() -> Self {
        let mut command = Command::new("sleep");
        command
            .arg("600")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Self(command.spawn().unwrap())
    }

    fn end(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Editor {
    fn drop(&mut self) {
        self.end();
    }
}

/// The editor is killed, but something else holds the pipe open.
#[test]
fn a_killed_editor_ends_the_server() {
    let mut editor = Editor::start();
    let params = json!({ "processId": editor.0.id() });
    let mut server = Server::start_with(&Script::default(), params);
    std::thread::sleep(Duration::from_millis(300));
    assert!(alive(server.process()));
    editor.end();
    let exit = server.wait();
    assert!(exit.took < Duration::from_secs(5), "{:?}", exit.took);
}

#[test]
fn exit_ends_a_busy_server_at_once() {
    let (mut server, id) = busy();
    server.call("shutdown", Value::Null).unwrap();
    server.notify("exit", Value::Null);
    let start = Instant::now();
    let exit = server.wait();
    assert!(
        start.elapsed() < Duration::from_secs(4),
        "{:?}",
        start.elapsed()
    );
    assert!(exit.status.success());
    server.forgive();
    let _ = id;
}

#[test]
fn a_panic_costs_one_request() {
    let panics = Answer {
        panic: true,
        ..Answer::default()
    };
    let mut server = Server::start(&Script::new([panics.when("bad"), Answer::text("good")]));
    server.expect_panics();
    server.wait_ready();
    server.open(URI, "rust", "bad");
    for _ in 0..3 {
        let id = server.ask(URI, end_of("bad"), true);
        assert_eq!(server.answer(id).unwrap_err().code, -32603);
    }
    server.change(URI, 2, &[json!({ "text": "fine" })]);
    let id = server.ask(URI, end_of("fine"), true);
    assert_eq!(server.items(id)[0]["insertText"], "good");
    // A handler that panics, not the engine.
    let params = json!({ "textDocument": { "uri": URI }, "panic": true });
    let error = server.call("truefill/text", params).unwrap_err();
    assert_eq!(error.code, -32603);
    assert_eq!(server.text(URI), Some("fine".into()));
    let exit = server.shut_down();
    assert!(exit.stderr.contains("panicked"), "{}", exit.stderr);
}

#[test]
fn an_engine_that_fails_says_why() {
    let fails = Answer {
        error: Some("out of luck"),
        ..Answer::default()
    };
    let mut server = Server::start(&Script::new([fails]));
    server.wait_ready();
    server.open(URI, "rust", "x");
    let id = server.ask(URI, end_of("x"), true);
    assert!(server.items(id).is_empty());
    let why = json!({ "command": "truefill.why", "arguments": [URI] });
    let why = server.call("workspace/executeCommand", why).unwrap();
    assert_eq!(why["last"]["reason"], "engine_failed");
    assert!(
        why["last"]["message"]
            .as_str()
            .unwrap()
            .contains("out of luck")
    );
    server.shut_down();
}

#[test]
fn a_model_that_is_loading_is_not_waited_for() {
    let script = Script::new([Answer::text("late")]).loading_for(5000);
    let mut server = Server::start(&script);
    server.open(URI, "rust", "x");
    let start = Instant::now();
    let id = server.ask(URI, end_of("x"), true);
    assert!(server.items(id).is_empty());
    assert!(
        start.elapsed() < Duration::from_secs(4),
        "{:?}",
        start.elapsed()
    );
    let why = json!({ "command": "truefill.why", "arguments": [URI] });
    let why = server.call("workspace/executeCommand", why).unwrap();
    assert_eq!(why["last"]["reason"], "model_loading");
    server.wait_ready();
    let id = server.ask(URI, end_of("x"), true);
    assert_eq!(server.items(id)[0]["insertText"], "late");
    server.shut_down();
}

#[test]
fn a_model_that_cannot_be_opened_is_told_and_the_server_lives() {
    let script = Script::default().failing_to_load("the file is gone, pull it again");
    let mut server = Server::start(&script);
    let status = server.notification("truefill/status", |status| status["kind"] == "Error");
    assert!(
        status["message"]
            .as_str()
            .unwrap()
            .contains("pull it again")
    );
    server.open(URI, "rust", "x");
    let id = server.ask(URI, end_of("x"), true);
    assert!(server.items(id).is_empty());
    assert_eq!(server.text(URI), Some("x".into()));
    server.shut_down();
}
