//! What became of suggestions, as the journal has it: the real server, whose clock for samples runs
//! a thousand times as fast.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use serde_json::{Value, json};
use truefill_journal::SuggestionRow;
use truefill_tests::{Answer, Folder, Script, Server, truefill};

struct Session {
    server: Server,
    folder: Folder,
    version: i32,
}

impl Session {
    fn start(context: bool) -> Self {
        let folder = Folder::new(&[]);
        let params = json!({
            "workspaceFolders": [folder.as_workspace()],
            "initializationOptions": {
                "suggest": { "delay_min_ms": 0, "delay_max_ms": 0 },
                "journal": { "context": context },
            },
        });
        let script = Script::new([Answer::text("total(a)")]).hurried(1000);
        let mut server = Server::start_with(&script, params);
        server.wait_ready();
        Self {
            server,
            folder,
            version: 1,
        }
    }

    /// Opens a document and asks at its first line's end.
    fn asked(&mut self, name: &str, text: &str) -> (String, Value) {
        let uri = self.folder.uri(name);
        self.server.open(&uri, "python", text);
        let character = text.find('\n').unwrap();
        let at = json!({ "line": 0, "character": character });
        let id = self.server.ask(&uri, at, true);
        let item = self.server.items(id).remove(0);
        (uri, item)
    }

    fn insert(&mut self, uri: &str, line: u32, character: usize, text: &str) {
        let at = json!({ "line": line, "character": character });
        self.version += 1;
        let change = json!({ "range": { "start": at, "end": at }, "text": text });
        self.server.change(uri, self.version, &[change]);
    }

    fn accept(&mut self, item: &Value) {
        let arguments = &item["command"]["arguments"];
        let params = json!({ "command": "truefill.accept", "arguments": arguments });
        self.server
            .call("workspace/executeCommand", params)
            .unwrap();
    }

    /// The row of an item, once it fits.
    fn row(&self, item: &Value, fits: impl Fn(&SuggestionRow) -> bool) -> SuggestionRow {
        let id = item["command"]["arguments"][0].as_str().unwrap();
        let of = |row: &&SuggestionRow| row.id.to_string() == id;
        let rows = self
            .server
            .rows(|rows| rows.iter().find(of).is_some_and(&fits));
        rows.into_iter()
            .find(|row| row.id.to_string() == id)
            .unwrap()
    }
}

fn kept(row: &SuggestionRow) -> Vec<(u32, Option<u32>, Option<&str>)> {
    let kept = row.outcomes.iter().filter(|it| it.event == "kept");
    kept.map(|it| (it.after_s.unwrap(), it.chars, it.reason.as_deref()))
        .collect()
}

#[test]
fn what_was_accepted_is_sampled_and_what_stands_there_is_kept() {
    let mut session = Session::start(true);
    let (uri, item) = session.asked("a.py", "x = \ny = 2\n");
    session.insert(&uri, 0, 4, "total(a)");
    session.accept(&item);
    let row = session.row(&item, |row| kept(row).len() == 4);
    let whole = [30, 90, 180, 360].map(|after| (after, Some(8), None));
    assert_eq!(kept(&row), whole);
    assert!(
        row.outcomes
            .iter()
            .all(|it| it.event != "kept" || it.of_chars == Some(8))
    );
    let hole = row.hole.unwrap();
    assert_eq!((&*hole.prefix, &*hole.golden), ("x = ", "total(a)"));
    assert_eq!((&*hole.suffix, &*hole.own), ("\ny = 2\n", &[(0, 8)][..]));
    session.server.shut_down();
}

#[test]
fn what_was_written_instead_is_kept_and_without_leave_no_text_is() {
    for context in [true, false] {
        let mut session = Session::start(context);
        let (uri, item) = session.asked("a.py", "x = \ny = 2\n");
        std::thread::sleep(std::time::Duration::from_millis(5));
        session.insert(&uri, 0, 4, "sum(a)");
        let row = session.row(&item, |row| {
            row.outcomes.iter().any(|it| it.event == "rejected")
        });
        let rejected = row
            .outcomes
            .iter()
            .find(|it| it.event == "rejected")
            .unwrap();
        assert_eq!(
            (rejected.reason.as_deref(), rejected.inferred),
            (Some("rewritten"), true)
        );
        if context {
            let row = session.row(&item, |row| row.hole.is_some());
            assert_eq!(row.hole.unwrap().golden, "sum(a)");
            assert!(
                row.prompt_token_ids.is_none(),
                "a scripted engine has no tokens"
            );
        } else {
            session.server.outcomes(&row.id.to_string(), 2);
            assert_eq!((row.hole, row.completion), (None, None));
        }
        session.server.shut_down();
    }
}

#[test]
fn an_undo_and_a_close_end_the_samples() {
    let mut session = Session::start(false);
    let (uri, item) = session.asked("a.py", "x = \ny = 2\n");
    session.insert(&uri, 0, 4, "total(a)");
    session.accept(&item);
    session.row(&item, |row| kept(row).len() == 1);
    session.version += 1;
    let (start, end) = (
        json!({ "line": 0, "character": 4 }),
        json!({ "line": 0, "character": 12 }),
    );
    let change = json!({ "range": { "start": start, "end": end }, "text": "" });
    session.server.change(&uri, session.version, &[change]);
    let undone = session.row(&item, |row| {
        kept(row).last().is_some_and(|it| it.2.is_some())
    });
    assert_eq!(kept(&undone).last().unwrap().1, Some(0));
    assert_eq!(kept(&undone).last().unwrap().2, Some("undone"));

    let (uri, item) = session.asked("b.py", "x = \ny = 2\n");
    session.insert(&uri, 0, 4, "total(a)");
    session.accept(&item);
    session.row(&item, |row| kept(row).len() == 1);
    session.server.notify(
        "textDocument/didClose",
        json!({ "textDocument": { "uri": uri } }),
    );
    let closed = session.row(&item, |row| {
        kept(row).last().is_some_and(|it| it.2.is_some())
    });
    assert_eq!(kept(&closed).last().unwrap().2, Some("closed"));
    session.server.shut_down();
}

#[test]
fn a_file_is_forgotten_while_the_server_runs() {
    let mut session = Session::start(true);
    let (_, item) = session.asked("sub/a.py", "x = \ny = 2\n");
    let (_, other) = session.asked("b.py", "x = \ny = 2\n");
    session.row(&item, |row| !row.outcomes.is_empty());
    session.row(&other, |row| !row.outcomes.is_empty());
    let home = session.server.home().to_owned();
    let folder = session.folder.path("sub");
    let folder = format!("{}/../sub/", folder.to_str().unwrap());
    let told = truefill(&home, &["journal", "forget", &folder]);
    assert_eq!(told, "1 suggestions are forgotten.\n");
    let rows = session.server.rows(|rows| rows.len() == 1);
    assert_eq!(
        rows[0].id.to_string(),
        other["command"]["arguments"][0].as_str().unwrap()
    );
    let lines = truefill(&home, &["journal", "export"]);
    assert_eq!(lines.lines().count(), 1);
    assert!(!lines.contains("total(a)"));
    assert!(truefill(&home, &["journal", "export", "--with-code"]).contains("total(a)"));
    truefill(&home, &["journal", "purge", "--all"]);
    session.server.rows(<[_]>::is_empty);
    session.server.shut_down();
}
