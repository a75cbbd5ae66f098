//! What the demo types into, and how.

use std::io::IsTerminal;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::{Value, json};

use super::say;
use crate::client::Client;

/// Time between two keys.
const KEY: Duration = Duration::from_millis(60);
/// A person looks at a file before typing; meanwhile the server reads it into the KV cache.
const READING: Duration = Duration::from_millis(1500);
/// A person looks at what was written before going elsewhere.
const LOOKING: Duration = Duration::from_millis(900);
/// How long the demo waits for a suggestion before it goes on without.
const PATIENCE: Duration = Duration::from_secs(20);

/// The project that is typed into; it ships inside the binary.
const FILES: &[(&str, &str)] = &[
    (
        "README.md",
        include_str!("../../../../demo/stockroom/README.md"),
    ),
    (
        "stockroom/__init__.py",
        include_str!("../../../../demo/stockroom/stockroom/__init__.py"),
    ),
    (
        "stockroom/__main__.py",
        include_str!("../../../../demo/stockroom/stockroom/__main__.py"),
    ),
    (
        "stockroom/cli.py",
        include_str!("../../../../demo/stockroom/stockroom/cli.py"),
    ),
    (
        "stockroom/models.py",
        include_str!("../../../../demo/stockroom/stockroom/models.py"),
    ),
    (
        "stockroom/report.py",
        include_str!("../../../../demo/stockroom/stockroom/report.py"),
    ),
    (
        "stockroom/store.py",
        include_str!("../../../../demo/stockroom/stockroom/store.py"),
    ),
    (
        "tests/test_report.py",
        include_str!("../../../../demo/stockroom/tests/test_report.py"),
    ),
    (
        "tests/test_store.py",
        include_str!("../../../../demo/stockroom/tests/test_store.py"),
    ),
];

/// One thing that the demo types.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scene {
    /// Path in the project.
    file: String,
    /// A line of the file; typing starts on a new line below it.
    after: String,
    /// The new line's indentation.
    indent: String,
    /// What is typed, key by key.
    #[serde(rename = "type")]
    typed: String,
    /// What the developer means to go on with.
    then: String,
}

/// What came of a scene.
#[derive(Debug, Clone, Copy)]
pub struct Played {
    /// Milliseconds from the last key to the suggestion, where there was one.
    pub latency: Option<f64>,
    /// Whether it was what the developer meant.
    pub accepted: bool,
}

/// All scenes.
///
/// # Errors
/// Where the script cannot be read.
pub fn scenes() -> Result<Vec<Scene>> {
    serde_json::from_str(include_str!("../../../../demo/script.json")).context("demo/script.json")
}

/// Writes the project's files.
///
/// # Errors
/// Where one cannot be written.
pub fn unpack(folder: &Path) -> Result<()> {
    for (name, text) in FILES {
        let path = folder.join(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(&path, text).with_context(|| format!("{}", path.display()))?;
    }
    Ok(())
}

/// Types one scene, shows what is suggested after its last key, and accepts it or types what was meant.
///
/// # Errors
/// Where the script names no place, or the server is gone.
pub fn play(client: &mut Client, root: &str, scene: &Scene, index: usize) -> Result<Played> {
    let Some((_, text)) = FILES.iter().find(|(name, _)| *name == scene.file) else {
        bail!(
            "demo/script.json: scene {}: no file `{}`",
            index + 1,
            scene.file
        );
    };
    let Some(line) = text.lines().position(|line| line == scene.after) else {
        bail!(
            "demo/script.json: scene {}: no line `{}`",
            index + 1,
            scene.after
        );
    };
    let uri = format!("{root}/{}", scene.file);
    client.notify(
        "textDocument/didOpen",
        json!({ "textDocument":
            { "uri": uri, "languageId": "python", "version": 1, "text": text } }),
    )?;
    let mut typing = Typing {
        client,
        uri,
        version: 1,
        line: line + 1,
        column: 0,
    };
    typing.insert_at(line, scene.after.len(), &format!("\n{}", scene.indent))?;
    typing.column = scene.indent.len();
    std::thread::sleep(READING);
    let mut struck = Instant::now();
    let mut id = 0;
    for key in scene.typed.chars() {
        std::thread::sleep(KEY);
        struck = Instant::now();
        typing.key(key)?;
        id = typing.ask()?;
    }
    let result = typing.client.wait(id, PATIENCE)?;
    let latency = struck.elapsed().as_secs_f64() * 1e3;
    let suggestion = first_suggestion(&result);
    let meant = suggestion.as_deref().map(str::trim) == Some(scene.then.trim());
    let why = if suggestion.is_none() {
        typing.why()?
    } else {
        String::new()
    };
    typing.decide(&result, meant, &scene.then)?;
    // Long enough for the place to be settled; then each scene begins from the file as it ships.
    std::thread::sleep(LOOKING);
    typing.close()?;
    show(scene, line, suggestion.as_deref(), latency, &why)?;
    let decision = match (&suggestion, meant) {
        (None, _) => "",
        (Some(_), true) => "    accepted\n",
        (Some(_), false) => "    rejected; the developer writes: ",
    };
    let written = match (&suggestion, meant) {
        (Some(_), false) => format!("{}\n", scene.then.trim()),
        _ => String::new(),
    };
    say(&format!("{decision}{written}"))?;
    Ok(Played {
        latency: suggestion.map(|_| latency),
        accepted: meant,
    })
}

struct Typing<'a> {
    client: &'a mut Client,
    uri: String,
    version: i64,
    line: usize,
    /// UTF-8 bytes, as negotiated.
    column: usize,
}

impl Typing<'_> {
    fn key(&mut self, key: char) -> Result<()> {
        self.insert_at(self.line, self.column, &key.to_string())?;
        self.column += key.len_utf8();
        Ok(())
    }

    fn insert_at(&mut self, line: usize, column: usize, text: &str) -> Result<()> {
        self.version += 1;
        let position = json!({ "line": line, "character": column });
        self.client.notify(
            "textDocument/didChange",
            json!({
                "textDocument": { "uri": self.uri, "version": self.version },
                "contentChanges": [
                    { "range": { "start": position, "end": position }, "text": text }
                ],
            }),
        )
    }

    fn ask(&mut self) -> Result<i64> {
        self.client.request(
            "textDocument/inlineCompletion",
            json!({
                "textDocument": { "uri": self.uri },
                "position": { "line": self.line, "character": self.column },
                "context": { "triggerKind": 2 },
            }),
        )
    }

    fn why(&mut self) -> Result<String> {
        let id = self.client.request(
            "workspace/executeCommand",
            json!({ "command": "truefill.why", "arguments": [self.uri] }),
        )?;
        let answer = self.client.wait(id, PATIENCE)?;
        Ok(answer["last"]["message"]
            .as_str()
            .unwrap_or("no reason was given")
            .to_owned())
    }

    /// Accepts what was suggested, or rejects it and types what was meant.
    fn decide(&mut self, result: &Value, meant: bool, then: &str) -> Result<()> {
        let command = &result["items"][0]["command"];
        if meant {
            let text = first_suggestion(result).unwrap_or_default();
            self.insert_at(self.line, self.column, &text)?;
            let id = self.client.request(
                "workspace/executeCommand",
                json!({ "command": command["command"], "arguments": command["arguments"] }),
            )?;
            self.client.wait(id, PATIENCE)?;
            return Ok(());
        }
        if let Some(id) = command["arguments"][0].as_str() {
            let params = json!({ "id": id, "reason": "demo" });
            self.client.notify("truefill/didReject", params)?;
        }
        self.insert_at(self.line, self.column, then)
    }

    fn close(&mut self) -> Result<()> {
        self.client.notify(
            "textDocument/didClose",
            json!({ "textDocument": { "uri": self.uri } }),
        )
    }
}

fn first_suggestion(result: &Value) -> Option<String> {
    let text = result.pointer("/items/0/insertText")?.as_str()?;
    (!text.is_empty()).then(|| text.to_owned())
}

/// The lines around the cursor, what was typed, and the suggestion after it as an editor shows it.
fn show(
    scene: &Scene,
    line: usize,
    suggestion: Option<&str>,
    latency: f64,
    why: &str,
) -> Result<()> {
    let (dim, off) = if std::io::stdout().is_terminal() {
        ("\x1b[2m", "\x1b[0m")
    } else {
        ("«", "»")
    };
    let text = FILES
        .iter()
        .find(|(name, _)| *name == scene.file)
        .map_or("", |(_, text)| text);
    let lines: Vec<&str> = text.lines().collect();
    let mut out = format!("\n{}:{}\n", scene.file, line + 2);
    for before in &lines[line.saturating_sub(2)..=line] {
        out.push_str(&format!("    {before}\n"));
    }
    let ghost = match suggestion {
        Some(text) => format!("{dim}{}{off}", text.replace('\n', "\n    ")),
        None => String::new(),
    };
    out.push_str(&format!("  > {}{}{ghost}\n", scene.indent, scene.typed));
    out.push_str(&match suggestion {
        Some(_) => format!("    suggested {latency:.0} ms after the last key\n"),
        None => format!("    no suggestion: {why}\n"),
    });
    say(&out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scene_finds_its_place() {
        let scenes = scenes().expect("the script parses");
        assert!(scenes.len() >= 6);
        for scene in &scenes {
            let (_, text) = FILES
                .iter()
                .find(|(name, _)| *name == scene.file)
                .expect("the file ships");
            let places = text.lines().filter(|line| *line == scene.after).count();
            assert_eq!(places, 1, "`{}` in {}", scene.after, scene.file);
            assert!(scene.indent.trim().is_empty() && !scene.typed.contains('\n'));
        }
    }
}
