//! Starting, stopping, and everything in the wrong order.

use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use truefill_tests::{Answer, ErrorObject, Script, Server};

fn code(result: Result<Value, ErrorObject>) -> i64 {
    result.expect_err("an error").code
}

#[test]
fn the_handshake_tells_what_the_server_does() {
    let mut server = Server::spawn(&Script::default());
    let result = server.initialize(json!({})).unwrap();
    let capabilities = &result["capabilities"];
    assert_eq!(result["serverInfo"]["name"], "truefill");
    assert_eq!(capabilities["positionEncoding"], "utf-16");
    assert_eq!(capabilities["textDocumentSync"]["change"], 2);
    assert_eq!(capabilities["textDocumentSync"]["openClose"], true);
    assert!(capabilities["inlineCompletionProvider"].is_object());
    assert!(
        capabilities.get("completionProvider").is_none(),
        "ghost text needs no menu"
    );
    let commands = &capabilities["executeCommandProvider"]["commands"];
    assert_eq!(
        commands,
        &json!(["truefill.accept", "truefill.why", "truefill.prompt"])
    );
    assert_eq!(
        capabilities["workspace"]["workspaceFolders"]["supported"],
        true
    );
    server.shut_down();
}

#[test]
fn an_editor_without_ghost_text_gets_the_menu_and_its_encoding() {
    let mut server = Server::spawn(&Script::default());
    let general = json!({ "positionEncodings": ["utf-32", "utf-8", "utf-16"] });
    let result = server
        .initialize(json!({ "capabilities": { "general": general } }))
        .unwrap();
    assert_eq!(result["capabilities"]["positionEncoding"], "utf-8");
    assert!(result["capabilities"]["completionProvider"].is_object());
    server.shut_down();
}

#[test]
fn requests_before_initialize_and_after_shutdown_are_refused() {
    let mut server = Server::spawn(&Script::default());
    let ask = json!({
        "textDocument": { "uri": "file:///a" }, "position": { "line": 0, "character": 0 },
        "context": { "triggerKind": 1 },
    });
    assert_eq!(
        code(server.call("textDocument/inlineCompletion", ask.clone())),
        -32002
    );
    assert_eq!(code(server.call("shutdown", Value::Null)), -32002);
    server.open("file:///a", "rust", "too early");
    server.initialize(json!({})).unwrap();
    assert_eq!(server.text("file:///a"), None);
    assert_eq!(
        code(server.call("initialize", json!({ "capabilities": {} }))),
        -32600
    );
    assert_eq!(code(server.call("no/such", json!({}))), -32601);
    server.notify("no/such", json!({}));
    server.notify("$/setTrace", json!({ "value": "off" }));
    server.call("shutdown", Value::Null).unwrap();
    assert_eq!(
        code(server.call("textDocument/inlineCompletion", ask)),
        -32600
    );
    assert_eq!(code(server.call("shutdown", Value::Null)), -32600);
    server.notify("exit", Value::Null);
    assert!(server.wait().status.success());
}

#[test]
fn an_exit_without_shutdown_is_a_failure() {
    let mut server = Server::start(&Script::default());
    server.notify("exit", Value::Null);
    assert_eq!(server.wait().status.code(), Some(1));
}

#[test]
fn a_wrong_option_is_refused_by_name_and_another_handshake_may_follow() {
    let mut server = Server::spawn(&Script::default());
    let options = json!({ "initializationOptions": { "suggest": { "automtic": false } } });
    let error = server.initialize(options).unwrap_err();
    assert_eq!(error.code, -32602);
    assert!(
        error
            .message
            .contains("the nearest key is `suggest.automatic`"),
        "{}",
        error.message
    );
    server.initialize(json!({})).unwrap();
    server.shut_down();
}

#[test]
fn parameters_that_cannot_be_read_are_not_quoted() {
    let mut server = Server::start(&Script::default());
    let params = json!({ "textDocument": "let password = 1", "position": {}, "context": {} });
    let error = server
        .call("textDocument/inlineCompletion", params)
        .unwrap_err();
    assert_eq!(error.code, -32602);
    assert!(!error.message.contains("password"), "{}", error.message);
    assert!(!server.shut_down().stderr.contains("password"));
}

#[test]
fn settings_are_taken_or_refused_as_a_whole() {
    let mut server = Server::start(&Script::new([Answer::text("done")]));
    server.wait_ready();
    server.open("file:///a", "rust", "x");
    let settings = |value: Value| json!({ "settings": value });
    let disable = json!({ "truefill": { "suggest": { "disabled_languages": ["rust"] } } });
    server.notify("workspace/didChangeConfiguration", settings(disable));
    let end = json!({ "line": 0, "character": 1 });
    let id = server.ask("file:///a", end.clone(), true);
    assert!(server.items(id).is_empty());
    let wrong = json!({ "truefill": { "suggest": { "disabled_languages": 3 } } });
    server.notify("workspace/didChangeConfiguration", settings(wrong));
    let message = server.notification("window/showMessage", |_| true);
    assert!(
        message["message"]
            .as_str()
            .unwrap()
            .contains("`suggest.disabled_languages`")
    );
    server.notify("workspace/didChangeConfiguration", settings(Value::Null));
    let id = server.ask("file:///a", end.clone(), true);
    assert!(server.items(id).is_empty());
    server.notify(
        "workspace/didChangeConfiguration",
        settings(json!({ "truefill": {} })),
    );
    let id = server.ask("file:///a", end, true);
    assert!(!server.items(id).is_empty());
    server.shut_down();
}

/// Messages in any order: each request is answered once, and the server neither panics nor
/// hangs.
#[test]
fn any_order_of_messages_is_survived() {
    let ask = json!({
        "textDocument": { "uri": "file:///a" }, "position": { "line": 0, "character": 0 },
        "context": { "triggerKind": 2 },
    });
    let document = json!({ "uri": "file:///a", "languageId": "rust", "version": 1, "text": "x" });
    let why = json!({ "command": "truefill.why", "arguments": ["file:///a"] });
    let requests = [
        ("initialize", json!({ "capabilities": {} })),
        ("shutdown", Value::Null),
        ("textDocument/inlineCompletion", ask),
        ("workspace/executeCommand", why),
        ("no/such", json!([1])),
    ];
    let change = json!({
        "textDocument": { "uri": "file:///a", "version": 2 }, "contentChanges": [{ "text": "y" }],
    });
    let notifications = [
        ("initialized", json!({})),
        ("textDocument/didOpen", json!({ "textDocument": document })),
        ("textDocument/didChange", change),
        (
            "textDocument/didClose",
            json!({ "textDocument": { "uri": "file:///a" } }),
        ),
        ("$/cancelRequest", json!({ "id": 3 })),
        (
            "workspace/didChangeConfiguration",
            json!({ "settings": {} }),
        ),
        ("workspace/didChangeConfiguration", json!(7)),
    ];
    for seed in 0..40 {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut server = Server::spawn(&Script::new([Answer::text("z").slow(5, 5)]));
        let mut asked = Vec::new();
        for _ in 0..30 {
            if random.random_bool(0.5) {
                let (method, params) = requests.choose(&mut random).unwrap();
                asked.push(server.request(method, params.clone()));
            } else {
                let (method, params) = notifications.choose(&mut random).unwrap();
                server.notify(method, params.clone());
            }
        }
        for id in asked {
            let _ = server.answer(id);
        }
        server.notify("exit", Value::Null);
        server.wait();
    }
}
