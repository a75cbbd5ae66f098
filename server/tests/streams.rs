//! A thousand damaged streams through the whole server, inside this process.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::sync::Arc;
use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use truefill_server::config::Config;
use truefill_server::engine::Loader;
use truefill_server::engine::lineup::Lineup;
use truefill_server::engine::scripted::{Script, Scripted, ScriptedEngine};
use truefill_server::lsp::{self, End, Options};

fn options() -> Options {
    let answer = Scripted {
        texts: vec!["x = 1;\n".into()],
        ..Scripted::default()
    };
    let script = Script {
        answers: vec![answer],
        ..Script::default()
    };
    let factory = move |_: &Config| -> Loader {
        let script = script.clone();
        Box::new(move |_| {
            Ok(Lineup::single(Arc::new(
                ScriptedEngine::new(script).unwrap(),
            )))
        })
    };
    Options {
        factory: Arc::new(factory),
        base: Config::default(),
        journal: None,
        store: None,
        testing: true,
        times: truefill_server::retention::Times::default(),
    }
}

fn frame(message: &Value) -> Vec<u8> {
    let body = message.to_string();
    format!("Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

fn session() -> Vec<Vec<u8>> {
    let uri = "file:///w/a.rs";
    let document = json!({ "uri": uri, "languageId": "rust", "version": 1, "text": "fn a() {é}" });
    let at = json!({ "line": 0, "character": 9 });
    let range = json!({ "start": at, "end": at });
    let requests = [
        (Some(1), "initialize", json!({ "capabilities": {} })),
        (None, "initialized", json!({})),
        (
            None,
            "textDocument/didOpen",
            json!({ "textDocument": document }),
        ),
        (
            None,
            "textDocument/didChange",
            json!({
            "textDocument": { "uri": uri, "version": 2 },
            "contentChanges": [{ "range": range, "text": "x" }] }),
        ),
        (
            Some(2),
            "textDocument/inlineCompletion",
            json!({
            "textDocument": { "uri": uri }, "position": at, "context": { "triggerKind": 1 } }),
        ),
        (None, "$/cancelRequest", json!({ "id": 2 })),
        (
            Some(3),
            "textDocument/completion",
            json!({
            "textDocument": { "uri": uri }, "position": at }),
        ),
        (
            Some(4),
            "workspace/executeCommand",
            json!({
            "command": "truefill.why", "arguments": [uri, at] }),
        ),
        (
            Some(5),
            "truefill/text",
            json!({ "textDocument": { "uri": uri } }),
        ),
        (
            None,
            "textDocument/didClose",
            json!({ "textDocument": { "uri": uri } }),
        ),
        (Some(6), "shutdown", Value::Null),
        (None, "exit", Value::Null),
    ];
    let message = |(id, method, params): (Option<i64>, &str, Value)| {
        let mut message = json!({ "jsonrpc": "2.0", "method": method, "params": params });
        if let Some(id) = id {
            message["id"] = id.into();
        }
        frame(&message)
    };
    requests.map(message).to_vec()
}

/// Truncated, duplicated, reordered, oversized and flipped, several of these at once.
fn mutate(random: &mut ChaCha8Rng) -> Vec<u8> {
    let mut messages = session();
    for _ in 0..random.random_range(1..4) {
        let (one, other) = (random.random_range(0..12), random.random_range(0..12));
        match random.random_range(0..5) {
            0 => messages.swap(one, other),
            1 => messages.insert(one, messages[other].clone()),
            2 => {
                let message = &mut messages[one];
                let at = random.random_range(0..message.len());
                message[at] = random.random();
            }
            3 => {
                let length = random.random_range(0..messages[one].len());
                messages[one].truncate(length);
            }
            _ => {
                let lie: u64 = random.random::<u64>() >> random.random_range(0..64);
                messages[one] = format!("Content-Length: {lie}\r\n\r\n{{}}").into_bytes();
            }
        }
    }
    let mut bytes = messages.concat();
    if random.random_bool(0.3) {
        bytes.truncate(random.random_range(0..bytes.len()));
    }
    bytes
}

async fn serve(bytes: Vec<u8>) -> (End, Vec<u8>) {
    let (mut client, server) = tokio::io::duplex(1 << 20);
    let (reader, writer) = tokio::io::split(server);
    let (service, socket, session) = lsp::service(options());
    let unreadable = |uri: &str| session.serving.unreadable_change(uri);
    let write = async {
        client.write_all(&bytes).await.unwrap();
        client.shutdown().await.unwrap();
        let mut answers = Vec::new();
        client.read_to_end(&mut answers).await.unwrap();
        answers
    };
    let serving = lsp::serve(reader, writer, service, socket, unreadable);
    let both = async { tokio::join!(serving, write) };
    tokio::time::timeout(Duration::from_secs(20), both)
        .await
        .expect("the server ends")
}

/// The bodies of the answers; everything the server writes is well framed.
fn bodies(mut bytes: &[u8]) -> Vec<Value> {
    let mut bodies = Vec::new();
    while !bytes.is_empty() {
        let end = bytes
            .windows(4)
            .position(|four| four == b"\r\n\r\n")
            .expect("a header ends");
        let header = std::str::from_utf8(&bytes[..end]).expect("headers are text");
        let length = header.strip_prefix("Content-Length: ").expect("a length");
        let length: usize = length.parse().expect("a number");
        let body = &bytes[end + 4..end + 4 + length];
        bodies.push(serde_json::from_slice(body).expect("answers are JSON"));
        bytes = &bytes[end + 4 + body.len()..];
    }
    bodies
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_damaged_streams_end_cleanly() {
    let mut refused = 0;
    for seed in 0..1000 {
        let bytes = mutate(&mut ChaCha8Rng::seed_from_u64(seed));
        let (end, answers) = serve(bytes).await;
        for answer in bodies(&answers) {
            if let Some(error) = answer.get("error") {
                let code = error["code"].as_i64().unwrap();
                let known = [-32700, -32600, -32601, -32602, -32603, -32002, -32800];
                assert!(known.contains(&code), "seed {seed}: {answer}");
                assert_ne!(code, -32603, "seed {seed}: {answer}");
            }
        }
        refused += u32::from(matches!(end, End::Refused(_)));
        assert!(!matches!(end, End::WriteFailed), "seed {seed}");
    }
    assert!(refused > 100, "only {refused} streams were refused");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_stream_is_answered_once_each() {
    let (end, answers) = serve(session().concat()).await;
    assert!(matches!(end, End::Exit), "{end:?}");
    let mut ids: Vec<i64> = bodies(&answers)
        .iter()
        .filter_map(|answer| answer["id"].as_i64())
        .collect();
    ids.sort_unstable();
    assert_eq!(ids, [1, 2, 3, 4, 5, 6]);
}

/// A client that does not hear answers any more, over pipes of its own for each way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_closes_its_reading_end_ends_the_server() {
    let (mut to_server, reader) = tokio::io::duplex(1 << 20);
    let (from_server, writer) = tokio::io::duplex(1 << 20);
    let (service, socket, _session) = lsp::service(options());
    drop(from_server);
    to_server.write_all(&session()[0]).await.unwrap();
    let serving = lsp::serve(reader, writer, service, socket, |_: &str| {});
    let end = tokio::time::timeout(Duration::from_secs(20), serving).await;
    assert!(matches!(end, Ok(End::WriteFailed)), "{end:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_does_not_read_is_not_read_from_either_until_it_does() {
    let asked = 100;
    let text = "x".repeat(1 << 20);
    let document =
        json!({ "uri": "file:///w/a.rs", "languageId": "rust", "version": 1, "text": text });
    let request = |id: Option<i64>, method: &str, params: Value| {
        let mut message = json!({ "jsonrpc": "2.0", "method": method, "params": params });
        if let Some(id) = id {
            message["id"] = id.into();
        }
        frame(&message)
    };
    let opened = json!({ "textDocument": document });
    let uri = json!({ "textDocument": { "uri": "file:///w/a.rs" } });
    let mut messages = session()[..2].to_vec();
    messages.push(request(None, "textDocument/didOpen", opened));
    messages.extend((0..asked).map(|id| request(Some(100 + id), "truefill/text", uri.clone())));
    messages.push(request(Some(2), "shutdown", Value::Null));
    messages.push(request(None, "exit", Value::Null));

    let (mut to_server, reader) = tokio::io::duplex(64);
    let (mut from_server, writer) = tokio::io::duplex(64 << 10);
    let (service, socket, _session) = lsp::service(options());
    let serving = lsp::serve(reader, writer, service, socket, |_: &str| {});
    let (told, all_sent) = tokio::sync::oneshot::channel();
    let send = async move {
        for message in messages {
            to_server.write_all(&message).await.unwrap();
        }
        let _ = told.send(());
    };
    let read = async {
        let mut all_sent = all_sent;
        let early = tokio::time::timeout(Duration::from_secs(3), &mut all_sent).await;
        assert!(early.is_err(), "all was read, with 100 MB of answers due");
        let mut answers = Vec::new();
        from_server.read_to_end(&mut answers).await.unwrap();
        answers
    };
    let all = async { tokio::join!(serving, send, read) };
    let (end, (), answers) = tokio::time::timeout(Duration::from_secs(60), all)
        .await
        .expect("the server ends");
    assert!(matches!(end, End::Exit), "{end:?}");
    let answered = bodies(&answers)
        .iter()
        .filter(|answer| answer["id"].as_i64() >= Some(100) && answer.get("result").is_some())
        .count();
    assert_eq!(answered as i64, asked);
}
