//! The server with a completion backend on another address.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use serde_json::{Value, json};
use truefill_tests::{Backend, Server};

const URI: &str = "file:///w/a.py";

fn at(line: u32, character: usize) -> Value {
    json!({ "line": line, "character": character })
}

fn options(backend: &Backend) -> Value {
    json!({
        "suggest": { "delay_min_ms": 0, "delay_max_ms": 0, "alternatives": 1 },
        "remote": { "kind": "llamacpp", "url": backend.url },
    })
}

/// A server that asks the backend, with one document.
fn with(backend: &Backend, text: &str) -> Server {
    let params = json!({ "initializationOptions": options(backend) });
    let mut server = Server::with_own_engine();
    server.initialize(params).unwrap();
    server.wait_ready();
    server.open(URI, "python", text);
    server
}

fn type_at(server: &mut Server, version: i32, place: Value, text: &str) {
    let change = json!({ "range": { "start": place, "end": place }, "text": text });
    server.change(URI, version, &[change]);
}

#[test]
fn no_secret_leaves_while_one_is_typed() {
    let backend = Backend::start("\"");
    let token = format!("gh{}_{}", "p", "a1B2c3D4e5".repeat(4));
    let above = format!("TOKEN = \"{token}\"\nimport os\n");
    let mut server = with(
        &backend,
        &format!("{above}\nurl = \"db://me:pa55word@db/x\"\n"),
    );
    let line = "password = \"hunter22";
    for (index, key) in line.char_indices() {
        let version = i32::try_from(index).unwrap() + 2;
        type_at(&mut server, version, at(2, index), &key.to_string());
        let id = server.ask(URI, at(2, index + 1), true);
        server.items(id);
    }
    let asked = backend.asked();
    assert!(asked.len() >= line.len() / 2, "{} requests", asked.len());
    for body in asked {
        let body = body.to_string();
        let typed = body.split("password = \\\"").nth(1).unwrap_or_default();
        assert!(typed.is_empty() || !typed.starts_with('h'), "{body}");
        for secret in [token.as_str(), "hunter", "pa55word"] {
            assert!(!body.contains(secret), "{body}");
        }
        assert!(
            body.contains("import os") && body.contains("<service token>"),
            "{body}"
        );
    }
    server.shut_down();
}

#[test]
fn texts_of_another_server_are_not_served() {
    let (first, second) = (Backend::start("first(1)"), Backend::start("second(2)"));
    let mut server = with(&first, "x = ");
    let id = server.ask(URI, at(0, 4), false);
    assert_eq!(server.items(id)[0]["insertText"], "first(1)");
    let settings = json!({ "settings": { "truefill": options(&second) } });
    server.notify("workspace/didChangeConfiguration", settings);
    let address = |backend: &Backend| backend.url.replace("http://", "");
    server.notification("truefill/status", |status| {
        let message = status["message"].as_str().unwrap_or_default();
        status["kind"] == "Normal" && message.contains(&address(&second))
    });
    // The beginning of the other server's text.
    type_at(&mut server, 2, at(0, 4), "f");
    let id = server.ask(URI, at(0, 5), false);
    assert_eq!(server.items(id)[0]["insertText"], "second(2)");
    let rows = server.rows(|rows| rows.len() == 2);
    for (row, backend) in rows.iter().zip([&first, &second]) {
        assert_eq!(row.checkpoint, format!("remote@{}", address(backend)));
        let counts = (row.prompt_tokens, row.cached_tokens, row.completion_tokens);
        assert_eq!(counts, (None, None, None), "nobody told them");
    }
    server.shut_down();
}
