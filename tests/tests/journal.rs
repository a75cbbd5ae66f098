//! What a session leaves in the journal: the real server over stdio, then its SQLite file.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use serde_json::{Value, json};
use truefill_tests::{Answer, Folder, Script, Server, wait_indexed};

/// A server with a workspace of its own.
struct Session {
    server: Server,
    folder: Folder,
}

fn at(line: u32, character: usize) -> Value {
    json!({ "line": line, "character": character })
}

fn id(item: &Value) -> String {
    let id = item["command"]["arguments"][0].as_str();
    id.unwrap().to_owned()
}

fn inserts(item: &Value) -> &str {
    item["insertText"].as_str().unwrap()
}

impl Session {
    /// A ready server; `options` are sections of the configuration beside the tests' delays.
    fn start(answers: impl IntoIterator<Item = Answer>, options: Value) -> Self {
        let folder = Folder::new(&[]);
        let mut all = json!({ "suggest": { "delay_min_ms": 0, "delay_max_ms": 0 } });
        for (section, values) in options.as_object().unwrap() {
            for (key, value) in values.as_object().unwrap() {
                all[section][key] = value.clone();
            }
        }
        let params = json!({
            "workspaceFolders": [folder.as_workspace()],
            "initializationOptions": all,
        });
        let mut server = Server::start_with(&Script::new(answers), params);
        server.wait_ready();
        Self { server, folder }
    }

    /// Opens a document of the workspace and gives its URI.
    fn open(&mut self, name: &str, text: &str) -> String {
        let uri = self.folder.uri(name);
        self.server.open(&uri, "python", text);
        uri
    }

    fn ask(&mut self, uri: &str, character: usize, invoked: bool) -> Vec<Value> {
        let id = self.server.ask(uri, at(0, character), invoked);
        self.server.items(id)
    }

    fn type_at(&mut self, uri: &str, version: i32, character: usize, text: &str) {
        let place = at(0, character);
        let change = json!({ "range": { "start": place, "end": place }, "text": text });
        self.server.change(uri, version, &[change]);
    }

    fn accept(&mut self, item: &Value) {
        let command = &item["command"];
        let params = json!({ "command": "truefill.accept", "arguments": command["arguments"] });
        let result = self.server.call("workspace/executeCommand", params);
        assert_eq!(result.unwrap(), Value::Null);
    }

    fn take_part(&mut self, item: &Value, units: usize) {
        let params = json!({ "item": item, "acceptedLength": units });
        self.server
            .notify("textDocument/didPartiallyAcceptCompletion", params);
    }

    fn show(&mut self, item: &Value) {
        let params = json!({ "item": item });
        self.server.notify("textDocument/didShowCompletion", params);
    }

    /// Event, extent, characters and reason of each outcome, once there are so many.
    fn outcomes(&self, id: &str, count: usize) -> Vec<String> {
        let outcomes = self.server.outcomes(id, count);
        let outcomes: Vec<_> = outcomes.into_iter().filter(|it| !it.inferred).collect();
        let shown = outcomes.iter().map(|outcome| {
            let chars = outcome.chars.map(|chars| chars.to_string());
            let parts = [
                Some(outcome.event.clone()),
                outcome.extent.clone(),
                chars,
                outcome.reason.clone(),
            ];
            parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
        });
        shown.collect()
    }
}

#[test]
fn every_suggestion_served_is_a_row() {
    let texts = ["one()", "two()", "three()"].map(str::to_owned).to_vec();
    let answer = Answer {
        texts: texts.clone(),
        ..Answer::default().slow(3, 1)
    };
    let options = json!({ "journal": { "context": true } });
    let mut session = Session::start([answer], options);
    let uri = session.open("a.py", "x = ");
    let items = session.ask(&uri, 4, true);
    let served: Vec<String> = items.iter().map(id).collect();
    let rows = session
        .server
        .rows(|rows| rows.iter().filter(|row| !row.outcomes.is_empty()).count() == 3);
    assert_eq!(rows.len(), 3);
    for ((row, text), seed) in rows.iter().zip(&texts).zip([None, Some(1), Some(2)]) {
        assert!(served.contains(&row.id.to_string()));
        assert_eq!(row.completion.as_ref(), Some(text));
        assert_eq!(row.completion_bytes, u32::try_from(text.len()).ok());
        assert_eq!((row.withheld.as_ref(), row.silence.as_ref()), (None, None));
        assert_eq!((row.checkpoint.as_str(), row.seed), ("scripted", seed));
        assert_eq!((row.format.as_str(), row.format_version), ("scripted", 1));
        assert_eq!(row.prompt_sha256.as_ref().map(String::len), Some(64));
        assert_eq!(row.prompt_sha256, rows[0].prompt_sha256);
        assert_eq!(
            (row.trigger.as_str(), row.shape.as_deref()),
            ("invoked", Some("block"))
        );
        assert_eq!(
            (row.language.as_str(), row.arm.as_str()),
            ("python", "default")
        );
        assert_eq!(
            (row.path_policy.as_str(), row.guard.as_deref()),
            ("open", Some("pass"))
        );
        assert!(row.prompt_tokens > Some(0) && row.completion_tokens > Some(0));
        assert!(row.stop_reason.is_some() && row.session == rows[0].session);
        let stages = row.stages;
        for stage in [
            stages.delay,
            stages.queue,
            stages.prefill,
            stages.first_token,
            stages.decode,
            stages.clean_up,
            stages.guard,
            stages.total,
        ] {
            assert!(stage.is_some() && stage <= stages.total, "{stages:?}");
        }
        assert!(stages.prefill >= Some(3000), "{stages:?}");
        let events: Vec<_> = row.outcomes.iter().map(|it| it.event.as_str()).collect();
        assert_eq!(events, ["served"]);
    }
    let path = session.folder.path("a.py");
    assert!(!rows[0].document.contains("a.py"), "{}", path.display());
    session.server.shut_down();
}

#[test]
fn a_request_without_a_suggestion_is_a_row_with_its_reason() {
    let answers = [
        Answer::text("").when("nothing = "),
        Answer::text("   \n").when("blank = "),
        Answer {
            error: Some("no memory"),
            ..Answer::default().when("failing = ")
        },
        Answer::text("late").when("slow = ").slow(5000, 0),
        Answer::text("1"),
    ];
    let options = json!({ "suggest": { "automatic_budget_ms": 60 } });
    let mut session = Session::start(answers, options);
    let table = [
        ("nothing = ", "nothing_generated"),
        ("blank = ", "cleaned_away"),
        ("failing = ", "engine_failed"),
        ("slow = ", "budget_exceeded"),
    ];
    for (index, (text, reason)) in table.iter().enumerate() {
        let uri = session.open(&format!("{index}.py"), text);
        assert_eq!(session.ask(&uri, text.len(), false), Vec::<Value>::new());
        let rows = session.server.rows(|rows| rows.len() == index + 1);
        let row = rows.last().unwrap();
        assert_eq!(row.silence.as_deref(), Some(*reason));
        assert_eq!(
            (row.trigger.as_str(), row.checkpoint.as_str()),
            ("automatic", "scripted")
        );
        assert_eq!((row.completion.as_ref(), row.outcomes.len()), (None, 0));
        assert!(row.stages.total.is_some());
    }
    // What a client takes back, and what never asked the engine.
    let uri = session.open("cancelled.py", "slow = ");
    let asked = session.server.ask(&uri, at(0, 7), true);
    session
        .server
        .event(|event| event.event == "start" && event.document == uri);
    session.server.cancel(asked);
    assert!(session.server.answer(asked).is_err());
    assert!(session.ask(&uri, 3, true).is_empty(), "inside a word");
    let rows = session.server.rows(|rows| rows.len() > table.len());
    assert_eq!(rows.len(), table.len() + 1);
    assert_eq!(rows.last().unwrap().silence.as_deref(), Some("cancelled"));
    session.server.shut_down();
}

#[test]
fn what_becomes_of_a_suggestion_stands_beside_it() {
    let mut session = Session::start([Answer::text("sum(values)\n")], json!({}));
    let uri = session.open("a.py", "total = ");
    let item = session.ask(&uri, 8, false).remove(0);
    session.show(&item);
    session.outcomes(&id(&item), 2);
    session.take_part(&item, 3);
    session.outcomes(&id(&item), 3);
    session.accept(&item);
    let length = inserts(&item).len();
    let expected = [
        "served".to_owned(),
        "shown".to_owned(),
        "accepted word 3".to_owned(),
        format!("accepted whole {length}"),
    ];
    assert_eq!(session.outcomes(&id(&item), 4), expected);

    let uri = session.open("b.py", "total = ");
    let item = session.ask(&uri, 8, false).remove(0);
    let params = json!({ "id": id(&item), "reason": "escape" });
    session.server.notify("truefill/didReject", params);
    assert_eq!(
        session.outcomes(&id(&item), 2),
        ["served", "rejected escape"]
    );
    session.server.shut_down();
}

#[test]
fn a_suggestion_that_is_typed_through_is_counted_from_its_beginning() {
    let mut session = Session::start([Answer::text("sum(\u{1f600}values)")], json!({}));
    let uri = session.open("a.py", "total = ");
    let first = session.ask(&uri, 8, false).remove(0);
    session.type_at(&uri, 2, 8, "sum(");
    let rest = session.ask(&uri, 12, false).remove(0);
    assert_eq!(inserts(&rest), "\u{1f600}values)");
    assert_eq!(id(&rest), id(&first), "the origin's id");
    session.show(&rest);
    session.outcomes(&id(&rest), 3);
    // Two units are the first character of the rest, three its first two.
    session.take_part(&rest, 3);
    session.outcomes(&id(&rest), 4);
    // An editor may still speak of the first item.
    session.take_part(&first, 4);
    session.outcomes(&id(&rest), 5);
    session.accept(&rest);
    let expected = [
        "served",
        "typed_through 4",
        "shown",
        "accepted word 6",
        "accepted word 4",
        "accepted whole 12",
    ];
    assert_eq!(session.outcomes(&id(&first), 6), expected);
    assert_eq!(session.server.rows(|_| true).len(), 1);
    session.server.shut_down();
}

#[test]
fn the_menus_selection_is_no_part_of_what_was_accepted() {
    let answers = [Answer::text("(message)").when("console.log")];
    let mut session = Session::start(answers, json!({}));
    let uri = session.open("a.py", "console.lo\n");
    let range = json!({ "start": at(0, 8), "end": at(0, 10) });
    let params = json!({
        "textDocument": { "uri": uri }, "position": at(0, 10),
        "context": { "triggerKind": 2,
            "selectedCompletionInfo": { "range": range, "text": "log" } },
    });
    let asked = session
        .server
        .request("textDocument/inlineCompletion", params);
    let item = session.server.items(asked).remove(0);
    assert_eq!(inserts(&item), "log(message)");
    session.take_part(&item, 2);
    session.outcomes(&id(&item), 2);
    session.take_part(&item, 5);
    session.outcomes(&id(&item), 3);
    session.accept(&item);
    let expected = [
        "served",
        "accepted word 0",
        "accepted word 2",
        "accepted whole 9",
    ];
    assert_eq!(session.outcomes(&id(&item), 4), expected);
    session.server.shut_down();
}

#[test]
fn text_is_kept_only_where_it_may_be() {
    // The journal's setting, the document, what is suggested, and why its text is not kept.
    let table = [
        (json!({}), "a.py", "sum(values)", Some("context_off")),
        (json!({ "context": true }), "a.py", "sum(values)", None),
        (
            json!({ "context": true }),
            "a.py",
            "\"hunter22\"",
            Some("secret"),
        ),
        (
            json!({ "context": true }),
            "/elsewhere/a.py",
            "sum(values)",
            Some("path"),
        ),
    ];
    for (settings, name, text, withheld) in table {
        let text: &'static str = text;
        let options = json!({ "journal": settings });
        let mut session = Session::start([Answer::text(text)], options);
        let uri = session.open(name, "password = ");
        assert_eq!(session.ask(&uri, 11, false).len(), 1);
        let row = session.server.rows(|rows| !rows.is_empty()).remove(0);
        assert_eq!(row.withheld.as_deref(), withheld, "{name} {text}");
        assert_eq!(row.completion.is_some(), withheld.is_none());
        assert_eq!(row.completion_bytes, u32::try_from(text.len()).ok());
        let exit = session.server.shut_down();
        assert_eq!(exit.stderr, "");
    }
}

#[test]
fn the_guards_reason_is_there_for_what_it_held_back() {
    let text = "import json\nx = ";
    let sentence = "the standard library's `json` has no `lode`";
    for (context, detail) in [(true, Some(sentence)), (false, None)] {
        let options = json!({
            "suggest": { "guard": "block" }, "journal": { "context": context },
        });
        let mut session = Session::start([Answer::text("json.lode(text)")], options);
        let uri = session.open("a.py", text);
        // The guard does not judge before it knows the workspace.
        wait_indexed(&mut session.server);
        let asked = session.server.ask(&uri, at(1, 4), true);
        assert_eq!(session.server.items(asked), Vec::<Value>::new());
        let row = session.server.rows(|rows| !rows.is_empty()).remove(0);
        let found = [&row.silence, &row.guard, &row.guard_kind, &row.guard_reason];
        let codes = ["guard_blocked", "block", "member", "member-of-standard"];
        assert_eq!(found.map(|code| code.as_deref().unwrap_or_default()), codes);
        assert_eq!(row.guard_detail.is_some(), detail.is_some(), "{row:?}");
        assert!(
            row.guard_detail
                .unwrap_or_default()
                .ends_with(detail.unwrap_or_default())
        );
        session.server.shut_down();
    }
}

#[test]
fn a_journal_that_is_off_is_not_made() {
    let options = json!({ "journal": { "enabled": false } });
    let mut session = Session::start([Answer::text("1")], options);
    let uri = session.open("a.py", "x = ");
    let item = session.ask(&uri, 4, false).remove(0);
    session.accept(&item);
    assert!(!session.server.home().join("journal.sqlite3").exists());
    session.server.shut_down();
}
