//! The default model through the real server, at cursors in realistic files: whatever it
//! writes, what comes back must have the shape of a suggestion.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Value, json};
use truefill_model::checkpoint::Checkpoint;
use truefill_tests::{Server, default_model};

mod shape;

/// A cursor in a file, as `cursors.json` declares it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cursor {
    /// What the place is like.
    kind: Kind,
    /// Text that the file has exactly once; the cursor comes behind it.
    before: String,
    /// What the user typed since: put in at the cursor, which comes behind it.
    #[serde(default)]
    typed: String,
    /// Text of the file behind the cursor that the user has yet to write: taken out.
    hole: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    /// In an expression or a statement that has begun.
    StatementEnd,
    /// On an empty, indented line below what opens a block.
    BlockOpened,
    /// Inside brackets that close behind the cursor.
    Argument,
    /// On an empty line below a comment.
    BelowComment,
    /// On an empty line between statements.
    BlankLine,
    /// Behind a dot or an arrow.
    Member,
}

/// A document with a cursor, as an editor holds it.
struct Scene {
    kind: Kind,
    before: String,
    after: String,
}

impl Scene {
    fn new(text: &str, cursor: &Cursor) -> Self {
        let Cursor {
            kind,
            before,
            typed,
            hole,
        } = cursor;
        assert_eq!(
            text.matches(before.as_str()).count(),
            1,
            "{before:?} stands there once"
        );
        let (start, rest) = text.split_once(before.as_str()).expect("it stands there");
        let after = rest.strip_prefix(hole.as_str());
        let after = after.unwrap_or_else(|| panic!("{hole:?} does not follow {before:?}"));
        Self {
            kind: *kind,
            before: [start, before, typed].concat(),
            after: after.to_owned(),
        }
    }

    fn position(&self) -> Value {
        let line = self.before.matches('\n').count();
        let start = self.before.rfind('\n').map_or(0, |at| at + 1);
        json!({ "line": line, "character": self.before[start..].encode_utf16().count() })
    }

    /// Shows the server the document in a version, the first by opening it, and asks there.
    fn ask(&self, server: &mut Server, uri: &str, name: &str, version: usize) -> Vec<Value> {
        let text = [self.before.as_str(), self.after.as_str()].concat();
        if version == 1 {
            server.open(uri, language(name), &text);
        } else {
            server.change(uri, version as i32, &[json!({ "text": text })]);
        }
        let id = server.ask(uri, self.position(), true);
        server.items(id)
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data/real")
}

/// Every file with its scenes, in the order of their cursors.
fn files() -> Vec<(String, String, Vec<Scene>)> {
    let table = std::fs::read_to_string(folder().join("cursors.json")).expect("a table");
    let table: BTreeMap<String, Vec<Cursor>> = serde_json::from_str(&table).expect("cursors");
    let read = |(name, cursors): (String, Vec<Cursor>)| {
        let text = std::fs::read_to_string(folder().join(&name)).expect("a file");
        let scenes = cursors
            .iter()
            .map(|cursor| Scene::new(&text, cursor))
            .collect();
        (name, text, scenes)
    };
    table.into_iter().map(read).collect()
}

fn language(name: &str) -> &'static str {
    match name.rsplit_once('.').expect("an extension").1 {
        "cpp" => "cpp",
        "cs" => "csharp",
        "go" => "go",
        "java" => "java",
        "js" => "javascript",
        "php" => "php",
        "py" => "python",
        "rb" => "ruby",
        "rs" => "rust",
        "ts" => "typescript",
        other => panic!("which language is `{other}`"),
    }
}

/// The lines around every cursor, for people to see what is asked.
#[test]
fn cursors_stand_where_they_are_meant_to() {
    let mut shown = String::new();
    for (name, text, scenes) in files() {
        let lines = text.lines().count();
        assert!((80..=250).contains(&lines), "{name} has {lines} lines");
        assert!(scenes.len() >= 6, "{name} has {} cursors", scenes.len());
        writeln!(shown, "{name} ({})", language(&name)).expect("a string takes it");
        for scene in scenes {
            let line = scene.before.rsplit('\n').next().unwrap_or_default();
            // An empty line says nothing without the one above it.
            let mut above = scene.before.lines().rev().skip(1).map(str::trim);
            let above = match line.trim().is_empty() {
                true => above.find(|line| !line.is_empty()).unwrap_or_default(),
                false => "",
            };
            let arrow = if above.is_empty() { "" } else { " ↵" };
            let rest = scene.after.split('\n').next().unwrap_or_default();
            let kind = format!("{:?}", scene.kind);
            writeln!(shown, "  {kind:<13}{above}{arrow}{line}█{rest}").expect("a string takes it");
        }
    }
    insta::assert_snapshot!(shown);
}

/// What came of all requests.
#[derive(Default)]
struct Tally {
    asked: usize,
    answered: usize,
    problems: Vec<String>,
    /// Suggestions that could be better.
    blemished: usize,
    report: String,
}

#[test]
fn suggestions_have_the_shape_of_suggestions() {
    let sentinels = sentinels();
    // One sample and shorter blocks than by default, for the sake of time; no deadline, since
    // a busy machine must not change what is written.
    let mut server = Server::with_default_model(json!({
        "alternatives": 1, "line_tokens": 32, "block_tokens": 64, "invoked_budget_ms": 600_000,
    }));
    let mut tally = Tally::default();
    for (name, _, scenes) in files() {
        complete_file(&mut server, &name, &scenes, &sentinels, &mut tally);
    }
    server.shut_down();
    tally.judge();
}

impl Tally {
    /// Measured: 63 of 70 answered, 14 of these with a blemish. Which cursors these are
    /// depends on how a processor rounds; the bounds leave room for that.
    fn judge(&self) {
        let Self {
            asked,
            answered,
            problems,
            blemished,
            report,
        } = self;
        assert!(problems.is_empty(), "{}\n{report}", problems.join("\n"));
        assert!(*asked >= 60, "the model was asked at {asked} cursors");
        assert!(
            answered * 10 >= asked * 7,
            "{answered} of {asked} were answered\n{report}"
        );
        assert!(
            blemished * 3 <= *answered,
            "{blemished} of {answered} could be better\n{report}"
        );
    }
}

/// Suggestions to choose from, each with the shape of one.
#[test]
fn alternatives_are_suggestions_too() {
    let sentinels = sentinels();
    let mut server = Server::with_default_model(json!({
        "alternatives": 3, "alternatives_ms": 600_000, "line_tokens": 24, "block_tokens": 24, "invoked_budget_ms": 600_000,
    }));
    let (name, _, scenes) = files().swap_remove(0);
    let mut most = 0;
    let scenes = scenes.iter().filter(|scene| scene.kind != Kind::BlankLine);
    for (index, scene) in scenes.take(4).enumerate() {
        let uri = format!("file:///{index}/{name}");
        let items = scene.ask(&mut server, &uri, &name, 1);
        let texts: BTreeSet<&str> = items
            .iter()
            .filter_map(|i| i["insertText"].as_str())
            .collect();
        assert_eq!(texts.len(), items.len(), "one comes twice: {items:?}");
        let problems: Vec<String> = items
            .iter()
            .flat_map(|item| check(scene, item, &sentinels))
            .collect();
        assert!(problems.is_empty(), "{problems:?}");
        most = most.max(items.len());
        server.notify(
            "textDocument/didClose",
            json!({ "textDocument": { "uri": uri } }),
        );
    }
    server.shut_down();
    assert!((2..=3).contains(&most), "at most {most} suggestions");
}

/// What is suggested goes with what stands behind the cursor: the default model was taught to fill in.
#[test]
fn the_middle_fits_what_is_behind_it() {
    let mut server = Server::with_default_model(json!({ "invoked_budget_ms": 600_000 }));
    for (name, before, after, expected) in [
        (
            "load.py",
            "import json\n\n\ndef load(path):\n    with open(path) as f:\n        ",
            "\n    return json.loads(text)\n",
            "text = ",
        ),
        ("add.py", "def add(a, b):\n    return ", "\n", "a + b"),
    ] {
        let scene = Scene {
            kind: Kind::BlankLine,
            before: before.to_owned(),
            after: after.to_owned(),
        };
        let items = scene.ask(&mut server, &format!("file:///{name}"), name, 1);
        let text = items.first().and_then(|item| item["insertText"].as_str());
        let text = text.unwrap_or_default();
        assert!(text.starts_with(expected), "{name}: {items:?}");
    }
    server.shut_down();
}

/// The spelling of every token that is not text.
fn sentinels() -> Vec<String> {
    let checkpoint = Checkpoint::open(default_model()).expect("the default model opens");
    let tokenizer = checkpoint
        .tokenizer()
        .expect("the file holds its tokenizer");
    let found: Vec<String> = tokenizer
        .specials()
        .map(|id| tokenizer.decode(&[id]))
        .collect();
    assert!(
        found.iter().any(|token| token == "<|endoftext|>"),
        "{found:?}"
    );
    found
}

fn complete_file(
    server: &mut Server,
    name: &str,
    scenes: &[Scene],
    sentinels: &[String],
    tally: &mut Tally,
) {
    let uri = format!("file://{}", folder().join(name).display());
    for (index, scene) in scenes.iter().enumerate() {
        let items = scene.ask(server, &uri, name, index + 1);
        let place = format!("{name}, {:?}", scene.kind);
        let line = scene.before.rsplit('\n').next().unwrap_or_default();
        tally.asked += 1;
        if items.is_empty() {
            let reason = reason(server, &uri);
            tally.report += &format!("{place}: {line}█ no suggestion: {reason}\n");
        } else {
            tally.answered += 1;
        }
        for item in &items {
            let text = item["insertText"].as_str().unwrap_or_default();
            tally.report += &format!("{place}: {line}█{text}\n");
            let at_place = |what: String| format!("{place}: {what}");
            tally
                .problems
                .extend(check(scene, item, sentinels).into_iter().map(at_place));
            let blemishes = shape::blemishes(&scene.before, text, &scene.after);
            tally.blemished += usize::from(!blemishes.is_empty());
            for blemish in blemishes {
                tally.report += &format!("  ({blemish})\n");
            }
        }
    }
    server.notify(
        "textDocument/didClose",
        json!({ "textDocument": { "uri": uri } }),
    );
}

/// Why the document's last request stayed without a suggestion.
fn reason(server: &mut Server, uri: &str) -> String {
    let params = json!({ "command": "truefill.why", "arguments": [uri] });
    let why = server
        .call("workspace/executeCommand", params)
        .expect("it can be asked");
    let last = &why["last"];
    assert_eq!(last["suggested"], false, "{why}");
    let (code, message) = (last["reason"].as_str(), last["message"].as_str());
    let code = code.expect("a reason");
    assert!(
        !["not_open", "cancelled", "engine_failed", "budget_exceeded"].contains(&code),
        "{why}"
    );
    assert!(
        message.is_some_and(|message| message.ends_with('.')),
        "{why}"
    );
    code.to_owned()
}

fn check(scene: &Scene, item: &Value, sentinels: &[String]) -> Vec<String> {
    let here = scene.position();
    let mut problems = Vec::new();
    if item["range"] != json!({ "start": here, "end": here }) {
        problems.push(format!(
            "expected an insertion at {here}, found {}",
            item["range"]
        ));
    }
    let id = item["command"]["arguments"][0].as_str().unwrap_or_default();
    if item["command"]["command"] != "truefill.accept" || id.is_empty() {
        problems.push(format!("no way to accept: {}", item["command"]));
    }
    let text = item["insertText"].as_str().unwrap_or_default();
    problems.extend(shape::problems(
        &scene.before,
        text,
        &scene.after,
        sentinels,
    ));
    problems
}
