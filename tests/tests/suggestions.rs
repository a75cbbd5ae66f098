//! Suggestions through the whole server, with an engine of given answers.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use serde_json::{Value, json};
use truefill_journal::SuggestionRow;
use truefill_tests::{Answer, Script, Server, why};

const URI: &str = "file:///w/a.py";

fn at(line: u32, character: usize) -> Value {
    json!({ "line": line, "character": character })
}

fn type_at(line: u32, character: usize, text: &str) -> Value {
    let place = at(line, character);
    json!({ "range": { "start": place, "end": place }, "text": text })
}

fn reason(server: &mut Server, uri: &str) -> String {
    why(server, uri)["last"]["reason"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

/// A ready server with one Python document.
fn with(text: &str, answers: impl IntoIterator<Item = Answer>) -> Server {
    let mut server = Server::start(&Script::new(answers));
    server.wait_ready();
    server.open(URI, "python", text);
    server
}

#[test]
fn an_item_inserts_at_the_cursor_and_tells_its_acceptance() {
    let mut server = with("total = ", [Answer::text("sum(values)")]);
    let id = server.ask(URI, at(0, 8), true);
    let items = server.items(id);
    assert_eq!(items.len(), 1, "equal alternatives are one");
    let item = &items[0];
    assert_eq!(item["insertText"], "sum(values)");
    assert_eq!(item["range"], json!({ "start": at(0, 8), "end": at(0, 8) }));
    assert_eq!(item["command"]["command"], "truefill.accept");
    let accept = json!({
        "command": "truefill.accept", "arguments": item["command"]["arguments"],
    });
    assert_eq!(
        server.call("workspace/executeCommand", accept).unwrap(),
        Value::Null
    );
    server.notify("textDocument/didShowCompletion", json!({ "item": item }));
    let part = json!({ "item": item, "acceptedLength": 3 });
    server.notify("textDocument/didPartiallyAcceptCompletion", part);
    let unknown = json!({ "command": "truefill.accept", "arguments": ["no such id"] });
    assert_eq!(
        server.call("workspace/executeCommand", unknown).unwrap(),
        Value::Null
    );
    let none = json!({ "command": "truefill.accept", "arguments": [] });
    assert_eq!(
        server
            .call("workspace/executeCommand", none)
            .unwrap_err()
            .code,
        -32602
    );
    let other = json!({ "command": "truefill.format", "arguments": [] });
    assert_eq!(
        server
            .call("workspace/executeCommand", other)
            .unwrap_err()
            .code,
        -32601
    );
    server.shut_down();
}

#[test]
fn asking_gives_alternatives_and_typing_one() {
    let texts = ["one()", "two()", "three()"].map(str::to_owned).to_vec();
    let answer = || Answer {
        texts: texts.clone(),
        ..Answer::default()
    };
    let mut server = with("x = ", [answer()]);
    let id = server.ask(URI, at(0, 4), true);
    let shown: Vec<Value> = server
        .items(id)
        .iter()
        .map(|item| item["insertText"].clone())
        .collect();
    assert_eq!(shown, ["one()", "two()", "three()"]);
    server.shut_down();
    let mut server = with("x = ", [answer()]);
    let id = server.ask(URI, at(0, 4), false);
    assert_eq!(server.items(id).len(), 1);
    server.shut_down();
}

#[test]
fn typing_what_is_shown_needs_no_model() {
    let mut server = with("total = ", [Answer::text("sum(values)")]);
    let id = server.ask(URI, at(0, 8), false);
    let first = server.items(id).remove(0);
    for (index, character) in "sum(".chars().enumerate() {
        let version = i32::try_from(index).unwrap() + 2;
        server.change(
            URI,
            version,
            &[type_at(0, 8 + index, &character.to_string())],
        );
        let id = server.ask(URI, at(0, 9 + index), false);
        let item = server.items(id).remove(0);
        assert_eq!(item["insertText"], &"sum(values)"[index + 1..]);
        assert_eq!(item["command"], first["command"], "the origin's id");
    }
    let starts = server
        .events()
        .iter()
        .filter(|event| event.event == "start")
        .count();
    assert_eq!(starts, 1);
    // What differs is asked again.
    server.change(URI, 9, &[type_at(0, 12, "x")]);
    let id = server.ask(URI, at(0, 13), false);
    server.items(id);
    let starts = server
        .events()
        .iter()
        .filter(|event| event.event == "start")
        .count();
    assert_eq!(starts, 2);
    server.shut_down();
}

#[test]
fn a_rejected_suggestion_does_not_come_back() {
    let mut server = with("total = ", [Answer::text("sum(values)")]);
    let id = server.ask(URI, at(0, 8), false);
    let item = server.items(id).remove(0);
    let id = &item["command"]["arguments"][0];
    server.notify(
        "truefill/didReject",
        json!({ "id": id, "reason": "escape" }),
    );
    let id = server.ask(URI, at(0, 8), false);
    assert_eq!(server.items(id).len(), 1);
    let starts = server
        .events()
        .iter()
        .filter(|event| event.event == "start")
        .count();
    assert_eq!(starts, 2, "asked again, not served from memory");
    server.shut_down();
}

#[test]
fn the_menus_selection_is_gone_on_with() {
    let answers = [
        Answer::text("(message)").when("console.log"),
        Answer::text("wrong"),
    ];
    let mut server = with("console.lo\n", answers);
    let range = json!({ "start": at(0, 8), "end": at(0, 10) });
    let params = json!({
        "textDocument": { "uri": URI }, "position": at(0, 10),
        "context": { "triggerKind": 2,
            "selectedCompletionInfo": { "range": range, "text": "log" } },
    });
    let id = server.request("textDocument/inlineCompletion", params);
    let items = server.items(id);
    assert_eq!(items[0]["insertText"], "log(message)");
    assert_eq!(items[0]["range"], range);
    server.shut_down();
}

#[test]
fn the_first_line_is_enough_in_the_middle_of_one() {
    let answer = Answer::text("a + b\nprint(more)\nand(more)\n").slow(0, 20);
    let mut server = with("def f(a, b):\n    return \n", [answer]);
    let id = server.ask(URI, at(1, 11), false);
    assert_eq!(server.items(id)[0]["insertText"], "a + b");
    let why = why(&mut server, URI);
    assert!(
        why["last"]["shape"]
            .as_str()
            .unwrap()
            .starts_with("one line: "),
        "{why}"
    );
    server.shut_down();
}

#[test]
fn a_block_ends_where_it_was_begun() {
    let text = "total = 0\n    for value in values:\n        total += value\n    return total\n\n\
                def other():\n    pass\n";
    let mut server = with("def add(values):\n    \n", [Answer::text(text)]);
    let id = server.ask(URI, at(1, 4), true);
    let items = server.items(id);
    let shown = items[0]["insertText"].as_str().unwrap();
    assert!(shown.ends_with("return total"), "{shown}");
    server.shut_down();
}

#[test]
fn windows_line_ends_do_not_reach_the_model() {
    let mut server = with("a = 1\r\nb = \r\n", [Answer::text("2").when("a = 1\nb = ")]);
    let id = server.ask(URI, at(1, 4), true);
    assert_eq!(server.items(id)[0]["insertText"], "2");
    server.shut_down();
}

#[test]
fn every_silence_has_its_reason() {
    let deletes = json!({ "range": { "start": at(0, 3), "end": at(0, 4) }, "text": "" });
    let mut server = with(
        "x = value",
        [Answer::text("").when("= "), Answer::text("1")],
    );
    let silent = |server: &mut Server, uri: &str, place: Value, invoked: bool| {
        let id = server.ask(uri, place, invoked);
        assert_eq!(server.items(id), Vec::<Value>::new());
        reason(server, uri)
    };
    assert_eq!(silent(&mut server, URI, at(0, 6), true), "inside_word");
    assert_eq!(silent(&mut server, URI, at(7, 3), true), "no_such_position");
    assert_eq!(
        silent(&mut server, "file:///w/none.py", at(0, 0), true),
        "not_open"
    );
    server.change(URI, 2, &[deletes]);
    assert_eq!(silent(&mut server, URI, at(0, 3), false), "after_deletion");
    server.open(URI, "python", "x = ");
    assert_eq!(
        silent(&mut server, URI, at(0, 4), true),
        "nothing_generated"
    );
    server.open(URI, "python", "a\0b");
    assert_eq!(silent(&mut server, URI, at(0, 3), true), "binary");
    server.open(URI, "python", &"x".repeat(6000));
    assert_eq!(silent(&mut server, URI, at(0, 6000), true), "long_line");
    server.open(URI, "python", &"x = 1\n".repeat(200_000));
    assert_eq!(silent(&mut server, URI, at(0, 5), true), "too_large");
    for secret in [".env", ".env.local", "server.pem", "id_rsa", "prod.key"] {
        let uri = format!("file:///w/{secret}");
        server.open(&uri, "plaintext", "password = ");
        assert_eq!(
            silent(&mut server, &uri, at(0, 11), true),
            "denied",
            "{secret}"
        );
        server.notification("truefill/status", |status| {
            status["uri"] == uri && status["reason"] == "denied" && status["kind"] == "Inactive"
        });
    }
    let denied = server
        .events()
        .iter()
        .any(|event| event.prefix_tail.contains("password"));
    assert!(!denied, "a denied file never reaches the engine");
    server.shut_down();
}

#[test]
fn ignored_files_are_left_alone_and_folders_come_and_go() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path().canonicalize().unwrap();
    std::fs::write(root.join(".gitignore"), "generated/\n").unwrap();
    std::fs::create_dir_all(root.join("generated")).unwrap();
    let folder = |path: &std::path::Path| json!({ "uri": format!("file://{}", path.display()), "name": "root" });
    let params = json!({ "workspaceFolders": [folder(&root)] });
    let mut server = Server::start_with(&Script::new([Answer::text("1")]), params);
    server.wait_ready();
    let uri = format!("file://{}/generated/x.py", root.display());
    server.open(&uri, "python", "x = ");
    let id = server.ask(&uri, at(0, 4), true);
    assert!(server.items(id).is_empty());
    assert_eq!(reason(&mut server, &uri), "ignored");
    // Seen from the folder itself, nothing excludes it.
    let event = json!({
        "added": [folder(&root.join("generated"))], "removed": [folder(&root)],
    });
    server.notify(
        "workspace/didChangeWorkspaceFolders",
        json!({ "event": event }),
    );
    let id = server.ask(&uri, at(0, 4), true);
    assert_eq!(server.items(id).len(), 1);
    server.shut_down();
}

#[test]
fn a_pause_is_waited_for_and_typing_on_ends_the_waiting() {
    let delayed = |ms: u64| {
        let suggest = json!({ "delay_min_ms": ms, "delay_max_ms": ms });
        let params = json!({ "initializationOptions": { "suggest": suggest } });
        let mut server = Server::start_with(&Script::new([Answer::text("1")]), params);
        server.wait_ready();
        server.open(URI, "python", "x = ");
        server
    };
    // A pause that nothing here sits out.
    let mut server = delayed(15_000);
    let start = std::time::Instant::now();
    let waiting = server.ask(URI, at(0, 4), false);
    server.change(URI, 2, &[type_at(0, 4, "y")]);
    assert!(server.items(waiting).is_empty());
    assert_eq!(reason(&mut server, URI), "typed_on");
    server.change(URI, 3, &[type_at(0, 5, "+ ")]);
    let invoked = server.ask(URI, at(0, 7), true);
    assert_eq!(server.items(invoked).len(), 1, "Invoked never waits");
    assert!(start.elapsed().as_secs() < 13, "{:?}", start.elapsed());
    server.shut_down();

    let mut server = delayed(1500);
    let start = std::time::Instant::now();
    server.change(URI, 2, &[type_at(0, 4, "y")]);
    let waiting = server.ask(URI, at(0, 5), false);
    let newer = server.ask(URI, at(0, 5), false);
    assert!(server.items(waiting).is_empty());
    assert_eq!(server.items(newer).len(), 1);
    // The time since the last key counts.
    assert!(start.elapsed().as_millis() >= 1500, "{:?}", start.elapsed());
    server.shut_down();
}

#[test]
fn a_budget_that_is_over_is_told() {
    let suggest = json!({ "delay_max_ms": 20, "automatic_budget_ms": 100 });
    let params = json!({ "initializationOptions": { "suggest": suggest } });
    let answers = [Answer::text("never").slow(5000, 0)];
    let mut server = Server::start_with(&Script::new(answers), params);
    server.wait_ready();
    server.open(URI, "python", "x = ");
    let start = std::time::Instant::now();
    let id = server.ask(URI, at(0, 4), false);
    assert!(server.items(id).is_empty());
    assert!(start.elapsed().as_millis() < 4500, "{:?}", start.elapsed());
    assert_eq!(reason(&mut server, URI), "budget_exceeded");
    server.shut_down();
}

#[test]
fn the_menu_gets_the_suggestion_in_an_editor_without_ghost_text() {
    let script = Script::new([Answer::text("(values)")]);
    let mut server = Server::start_with(&script, json!({ "capabilities": {} }));
    server.wait_ready();
    server.open(URI, "python", "total = sum");
    let params = json!({ "textDocument": { "uri": URI }, "position": at(0, 11) });
    let result = server.call("textDocument/completion", params).unwrap();
    let item = &result["items"][0];
    assert_eq!(item["label"], "sum(values)");
    assert_eq!(item["filterText"], "sum(values)");
    assert_eq!(item["textEdit"]["newText"], "(values)");
    assert_eq!(item["command"]["command"], "truefill.accept");
    let as_is = 1;
    assert_eq!(item["insertTextMode"], as_is, "indented once, by the model");
    // This editor does not run an item's command.
    server.change(URI, 2, &[type_at(0, 11, "(values)")]);
    let params = json!({ "textDocument": { "uri": URI } });
    server.notify("textDocument/didClose", params);
    let accepted = |row: &SuggestionRow| {
        let mut outcomes = row.outcomes.iter();
        outcomes.any(|it| it.event == "accepted" && it.inferred && it.chars == Some(8))
    };
    server.rows(|rows| rows.iter().any(accepted));
    server.shut_down();
}

#[test]
fn an_opened_document_is_warmed_and_so_is_one_that_rests() {
    let mut server = with("x = 1\n", [Answer::text("2")]);
    server.event(|event| event.event == "warm" && event.prefix_tail.ends_with("x = 1\n"));
    server.change(URI, 2, &[type_at(0, 5, "0")]);
    server.event(|event| event.event == "warm" && event.prefix_tail.ends_with("x = 10"));
    server.shut_down();
}
