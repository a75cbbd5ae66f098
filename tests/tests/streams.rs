//! Streams that are no protocol.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use truefill_tests::{Script, Server, frame, peak_memory_kib};

/// Resident memory that no malformed stream may reach, in KiB.
const MEMORY: u64 = 200 * 1024;

/// Sends bytes to a fresh server, expects a parse error and its end, without memory.
fn refused(bytes: &[u8], sentence: &str) {
    let mut server = Server::start(&Script::default());
    server.send_raw(bytes);
    let error = server.null_answer();
    assert_eq!(error.code, -32700);
    assert!(error.message.contains(sentence), "{}", error.message);
    let peak = peak_memory_kib(server.process()).unwrap_or_default();
    assert!(peak < MEMORY, "{peak} KiB");
    assert_eq!(server.wait().status.code(), Some(1));
}

#[test]
fn lengths_beyond_the_limit_are_refused_at_once() {
    refused(
        b"Content-Length: 67108865\r\n\r\n",
        "67108865 bytes is longer",
    );
    refused(
        b"Content-Length: 1000000000000000000\r\n\r\n",
        "is longer than the 67108864",
    );
    refused(
        b"Content-Length: 18446744073709551615\r\n\r\n",
        "is longer than the 67108864",
    );
    refused(
        b"Content-Length: 99999999999999999999999999\r\n\r\n",
        "is longer",
    );
}

#[test]
fn an_endless_header_is_refused_at_once() {
    let endless = vec![b'x'; 1 << 20];
    refused(&endless, "longer than 4096 bytes");
    let many = "X-Header: y\r\n".repeat(1000);
    refused(many.as_bytes(), "header lines");
}

#[test]
fn headers_without_a_length_are_refused() {
    refused(b"\r\n\r\n", "`Content-Length`");
    refused(
        b"Content-Type: x; charset=utf-8\r\n\r\n{}",
        "`Content-Length`",
    );
    refused(b"Content-Length:\r\n\r\n{}", "`Content-Length`");
    refused(b"Content-Length: ten\r\n\r\n{}", "`Content-Length`");
    refused(b"no header\r\n\r\n", "`Name: value`");
    refused(
        b"Content-Type: x; charset=latin1\r\nContent-Length: 2\r\n\r\n{}",
        "utf-8",
    );
}

/// A large body that does not come takes no memory.
#[cfg(target_os = "linux")]
#[test]
fn a_length_within_the_limit_is_allocated_as_it_comes() {
    let mut server = Server::start(&Script::default());
    let before = peak_memory_kib(server.process()).expect("Linux tells it");
    server.send_raw(b"Content-Length: 67108864\r\n\r\n{");
    // More than a pipe holds: when it is written, the header was taken.
    server.send_raw(&vec![b' '; 2 << 20]);
    let after = peak_memory_kib(server.process()).expect("Linux tells it");
    assert!(
        after < before + 16 * 1024,
        "{before} KiB became {after} KiB"
    );
    server.close_stdin();
    let error = server.null_answer();
    assert!(error.message.contains("ended inside"), "{}", error.message);
    server.wait();
}

fn body(body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("Content-Length: {}\r\n\r\n", body.len()).into_bytes();
    bytes.extend(body);
    bytes
}

#[test]
fn a_body_that_is_no_message_is_answered_and_the_server_lives() {
    let mut server = Server::start(&Script::default());
    let deep = "[".repeat(100_000);
    let parse_errors: [&[u8]; 5] = [
        b"{\"jsonrpc\":\"2.0\",\"method\":",
        b"\xff\xfe",
        b"{\"a\":\"\xc3\"}",
        b"secret words",
        deep.as_bytes(),
    ];
    for bytes in parse_errors {
        server.send_raw(&body(bytes));
        assert_eq!(server.null_answer().code, -32700);
    }
    let invalid = [
        json!([]),
        json!(3),
        json!({}),
        json!({ "jsonrpc": "1.0", "method": "x" }),
        json!({ "jsonrpc": "2.0", "method": 3 }),
        json!({ "jsonrpc": "2.0", "result": 1 }),
        json!({ "jsonrpc": "2.0", "id": {}, "method": "shutdown" }),
        json!([{ "jsonrpc": "2.0", "id": 9, "method": "shutdown" }]),
    ];
    for message in invalid {
        server.send_raw(&frame(&message));
        let error = server.null_answer();
        assert_eq!(error.code, -32600, "{message}");
    }
    server.send_raw(&body(b""));
    server.open("file:///a", "rust", "still here");
    assert_eq!(server.text("file:///a"), Some("still here".into()));
    let exit = server.shut_down();
    assert!(!exit.stderr.contains("secret"), "{}", exit.stderr);
}

/// What a mutation starts from: a session with an edit and a request.
fn session() -> Vec<Vec<u8>> {
    let uri = "file:///a";
    let document = json!({ "uri": uri, "languageId": "rust", "version": 1, "text": "fn a() {}" });
    let at = json!({ "line": 0, "character": 9 });
    let change = json!({ "range": { "start": at, "end": at }, "text": "x" });
    let request = |id: i64, method: &str, params: Value| {
        frame(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }))
    };
    let notify = |method: &str, params: Value| {
        frame(&json!({ "jsonrpc": "2.0", "method": method, "params": params }))
    };
    vec![
        request(1, "initialize", json!({ "capabilities": {} })),
        notify("initialized", json!({})),
        notify("textDocument/didOpen", json!({ "textDocument": document })),
        notify(
            "textDocument/didChange",
            json!({
            "textDocument": { "uri": uri, "version": 2 }, "contentChanges": [change] }),
        ),
        request(
            2,
            "textDocument/inlineCompletion",
            json!({
            "textDocument": { "uri": uri }, "position": at, "context": { "triggerKind": 1 } }),
        ),
        request(3, "shutdown", Value::Null),
        notify("exit", Value::Null),
    ]
}

/// The same mutations, a thousand of them, run inside one process among the server's tests;
/// here a few go through the real one.
#[test]
fn mutated_streams_end_the_server_cleanly() {
    for seed in 0..60 {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut messages = session();
        match random.random_range(0..3) {
            0 => messages.swap(random.random_range(0..7), random.random_range(0..7)),
            1 => {
                let twice = messages[random.random_range(0..7)].clone();
                messages.insert(random.random_range(0..7), twice);
            }
            _ => {}
        }
        let mut bytes = messages.concat();
        for _ in 0..random.random_range(0..4) {
            let at = random.random_range(0..bytes.len());
            bytes[at] = random.random();
        }
        bytes.truncate(random.random_range(1..=bytes.len()));
        let mut server = Server::spawn(&Script::default());
        server.forgive();
        server.send_raw(&bytes);
        server.close_stdin();
        let exit = server.wait();
        assert!(
            exit.status.code().is_some(),
            "seed {seed}: {:?}",
            exit.status
        );
        assert!(
            !exit.stderr.contains("panicked"),
            "seed {seed}: {}",
            exit.stderr
        );
    }
}
