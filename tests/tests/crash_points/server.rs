//! A server that journals.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};

use serde_json::{Value, json};
use truefill_journal::{Query, Reader, SuggestionRow};
use truefill_tests::{binaries, frame};

use crate::{MOST, came_through, can_trace, killed_at};

/// An editor's side of the protocol that a killed server is nothing new to.
struct Editor {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    next: i64,
}

impl Editor {
    fn start(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self {
            input: child.stdin.take(),
            output: BufReader::new(child.stdout.take().unwrap()),
            child,
            next: 1,
        }
    }

    fn send(&mut self, message: &Value) -> Option<()> {
        let input = self.input.as_mut()?;
        input.write_all(&frame(message)).ok()?;
        input.flush().ok()
    }

    fn notify(&mut self, method: &str, params: Value) -> Option<()> {
        let message = json!({ "jsonrpc": "2.0", "method": method, "params": params });
        self.send(&message)
    }

    /// The result of a request; `None` where the server is gone.
    fn call(&mut self, method: &str, params: Value) -> Option<Value> {
        let id = self.next;
        self.next += 1;
        let message = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        self.send(&message)?;
        loop {
            let message = self.read()?;
            if message["id"] == id && message.get("method").is_none() {
                return Some(message["result"].clone());
            }
        }
    }

    /// Waits for its end, which a session that gave up makes by closing the input.
    fn end(&mut self) -> ExitStatus {
        self.input = None;
        self.child.wait().unwrap()
    }

    fn read(&mut self) -> Option<Value> {
        let mut length = None;
        loop {
            let mut line = String::new();
            if self.output.read_line(&mut line).ok()? == 0 {
                return None;
            }
            match line.trim_end() {
                "" => break,
                line => {
                    let value = line.strip_prefix("Content-Length: ");
                    length = value.and_then(|value| value.parse().ok()).or(length);
                }
            }
        }
        let mut body = vec![0; length?];
        self.output.read_exact(&mut body).ok()?;
        serde_json::from_slice(&body).ok()
    }
}

impl Drop for Editor {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Suggestions that the server said were committed, each with the number of its events.
type Acknowledged = BTreeMap<String, usize>;

/// Documents of a session.
const DOCUMENTS: usize = 3;

/// A session of so many documents; gives up where the server is gone. What was flushed is acknowledged.
fn session(editor: &mut Editor, documents: usize, acknowledged: &mut Acknowledged) -> Option<()> {
    let options = json!({
        "suggest": { "delay_min_ms": 0, "delay_max_ms": 0 }, "journal": { "context": true },
        "index": { "enabled": false },
    });
    let params = json!({ "processId": null, "rootUri": null, "capabilities": {}, "initializationOptions": options });
    editor.call("initialize", params)?;
    editor.notify("initialized", json!({}))?;
    for number in 0..documents {
        let uri = format!("file:///w/{number}.py");
        let document = json!({ "uri": uri, "languageId": "python", "version": 1, "text": "x = " });
        editor.notify("textDocument/didOpen", json!({ "textDocument": document }))?;
        let at = json!({ "line": 0, "character": 4 });
        let params = json!({
            "textDocument": { "uri": uri }, "position": at, "context": { "triggerKind": 1 },
        });
        // The engine may still be opening.
        let item = loop {
            let result = editor.call("textDocument/inlineCompletion", params.clone())?;
            match result["items"].get(0) {
                Some(item) => break item.clone(),
                None => std::thread::sleep(std::time::Duration::from_millis(5)),
            }
        };
        let change = json!({ "range": { "start": at, "end": at }, "text": item["insertText"] });
        let changed =
            json!({ "textDocument": { "uri": uri, "version": 2 }, "contentChanges": [change] });
        editor.notify("textDocument/didChange", changed)?;
        let command =
            json!({ "command": "truefill.accept", "arguments": item["command"]["arguments"] });
        editor.call("workspace/executeCommand", command)?;
        if editor.call("truefill/flush", Value::Null)? == true {
            let id = item["command"]["arguments"][0].as_str().unwrap();
            acknowledged.insert(id.to_owned(), 2);
        }
    }
    editor.call("shutdown", Value::Null)?;
    editor.notify("exit", Value::Null)
}

fn server(command: &mut Command, home: &Path) {
    let script = home.join("script.json");
    let answers = json!({ "answers": [{ "texts": ["total(a)"] }] });
    std::fs::write(&script, answers.to_string()).unwrap();
    let engine = format!("scripted:{}", script.display());
    command
        .args(["serve", "--engine", &engine])
        .env("TRUEFILL_HOME", home);
}

fn rows(home: &Path) -> Vec<SuggestionRow> {
    match Reader::open(&home.join("journal.sqlite3")) {
        Ok(reader) => {
            let rows = reader.suggestions(Query::default()).unwrap();
            rows.collect::<Result<_, _>>().unwrap()
        }
        // Killed before it was made.
        Err(_) => Vec::new(),
    }
}

/// Every acknowledged event is there once, and the next server goes on with the file.
fn check_journal(home: &Path, acknowledged: &mut Acknowledged, which: &str) {
    let check = |acknowledged: &Acknowledged| {
        let rows = rows(home);
        for (id, events) in acknowledged {
            let found: Vec<_> = rows
                .iter()
                .filter(|row| row.id.to_string() == *id)
                .collect();
            assert_eq!(found.len(), 1, "{which}: {id}");
            let outcomes = &found[0].outcomes;
            let has = |event: &str| outcomes.iter().filter(|it| it.event == event).count() == 1;
            assert!(
                has("served") && has("accepted") && outcomes.len() >= *events,
                "{which}: {outcomes:?}"
            );
        }
    };
    check(acknowledged);
    let mut command = Command::new(&binaries().truefill);
    server(&mut command, home);
    let before = acknowledged.len();
    let mut editor = Editor::start(command);
    let whole = session(&mut editor, DOCUMENTS, acknowledged).is_some();
    assert!(whole && editor.end().success(), "{which}: the next server");
    assert_eq!(acknowledged.len(), before + DOCUMENTS, "{which}");
    check(acknowledged);
    let set_aside = std::fs::read_dir(home).unwrap().any(|entry| {
        entry
            .unwrap()
            .file_name()
            .to_string_lossy()
            .contains("corrupt")
    });
    assert!(!set_aside, "{which}: a kill corrupts nothing");
}

#[test]
fn a_server_that_is_killed_anywhere_loses_nothing_acknowledged() {
    if !can_trace() {
        return;
    }
    let mut kills = 0;
    for calls in [
        "pwrite64",
        "fdatasync,fsync",
        "ftruncate,unlink,rename,openat",
    ] {
        for number in 1.. {
            assert!(number < MOST, "{calls}");
            let home = tempfile::tempdir().unwrap();
            let mut command = killed_at(calls, number, &binaries().truefill);
            server(&mut command, home.path());
            let mut acknowledged = Acknowledged::new();
            let which = format!("{calls} {number}");
            let mut editor = Editor::start(command);
            let _ = session(&mut editor, DOCUMENTS, &mut acknowledged);
            let whole = came_through(editor.end(), &which);
            check_journal(home.path(), &mut acknowledged, &which);
            if whole {
                break;
            }
            kills += 1;
        }
    }
    assert!(kills > 15, "only {kills} kills");
}

/// Ten servers of one user write one journal at once: every event of each is there, once.
#[test]
fn ten_servers_lose_nothing() {
    const SERVERS: usize = 10;
    const EACH: usize = 40;
    let home = tempfile::tempdir().unwrap();
    let mut acknowledged = Acknowledged::new();
    let began = std::time::Instant::now();
    std::thread::scope(|scope| {
        let command = || {
            let mut command = Command::new(&binaries().truefill);
            server(&mut command, home.path());
            command
        };
        let commands: Vec<Command> = (0..SERVERS).map(|_| command()).collect();
        let one = |command| {
            scope.spawn(move || {
                let mut acknowledged = Acknowledged::new();
                let mut editor = Editor::start(command);
                session(&mut editor, EACH, &mut acknowledged).unwrap();
                assert!(editor.end().success());
                acknowledged
            })
        };
        let servers: Vec<_> = commands.into_iter().map(one).collect();
        for server in servers {
            acknowledged.extend(server.join().unwrap());
        }
    });
    let took = began.elapsed().as_secs_f64();
    assert_eq!(acknowledged.len(), SERVERS * EACH);
    let rows = rows(home.path());
    assert_eq!(rows.len(), SERVERS * EACH, "and nothing twice");
    let events: usize = rows.iter().map(|row| 1 + row.outcomes.len()).sum();
    println!("{SERVERS} servers wrote {events} events in {took:.1} s");
    check_journal(home.path(), &mut acknowledged, "ten servers");
}
