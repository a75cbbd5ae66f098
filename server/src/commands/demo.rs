//! `truefill demo`: the main job end to end on this machine, in a terminal.

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::client::Client;
use crate::commands::models;
use crate::engine::open::locate;
use crate::paths::Paths;
use crate::workspace::file_uri;

/// Time between two keys.
const KEY: Duration = Duration::from_millis(60);
/// A person looks at a file before typing; meanwhile the server reads it into the KV cache.
const READING: Duration = Duration::from_millis(1500);
/// How long the demo waits for a suggestion before it goes on without.
const PATIENCE: Duration = Duration::from_secs(20);

/// Options of `truefill demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Model to show, as in `model.id` of the configuration
    #[arg(long, default_value = "default")]
    model: String,
}

/// The project that is typed into; it ships inside the binary.
const FILES: &[(&str, &str)] = &[
    (
        "README.md",
        include_str!("../../../demo/stockroom/README.md"),
    ),
    (
        "stockroom/__init__.py",
        include_str!("../../../demo/stockroom/stockroom/__init__.py"),
    ),
    (
        "stockroom/__main__.py",
        include_str!("../../../demo/stockroom/stockroom/__main__.py"),
    ),
    (
        "stockroom/cli.py",
        include_str!("../../../demo/stockroom/stockroom/cli.py"),
    ),
    (
        "stockroom/models.py",
        include_str!("../../../demo/stockroom/stockroom/models.py"),
    ),
    (
        "stockroom/report.py",
        include_str!("../../../demo/stockroom/stockroom/report.py"),
    ),
    (
        "stockroom/store.py",
        include_str!("../../../demo/stockroom/stockroom/store.py"),
    ),
    (
        "tests/test_report.py",
        include_str!("../../../demo/stockroom/tests/test_report.py"),
    ),
    (
        "tests/test_store.py",
        include_str!("../../../demo/stockroom/tests/test_store.py"),
    ),
];

/// One thing that the demo types.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Scene {
    /// Path in the project.
    file: String,
    /// A line of the file; typing starts on a new line below it.
    after: String,
    /// The new line's indentation.
    indent: String,
    /// What is typed, key by key.
    #[serde(rename = "type")]
    typed: String,
}

fn scenes() -> Result<Vec<Scene>> {
    serde_json::from_str(include_str!("../../../demo/script.json")).context("demo/script.json")
}

/// Runs the demo.
///
/// # Errors
/// Where the model cannot be had, or the server fails.
pub fn run(args: &DemoArgs) -> Result<ExitCode> {
    let paths = Paths::from_env()?;
    if args.model == "default" && locate(&paths, "default").is_err() {
        say("The default model is not here yet; it is fetched once (93 MB).\n")?;
        models::pull_default(&paths)?;
    }
    let folder = tempfile::tempdir().context("no temporary folder")?;
    unpack(folder.path())?;
    let root = file_uri(folder.path()).context("the temporary folder has no URI")?;
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("serve");
    let begin = Instant::now();
    let options = json!({ "model": { "id": args.model }, "journal": { "enabled": false } });
    let mut client = Client::start(command, Some(&root), options)?;
    client.wait_ready(Duration::from_secs(120))?;
    say(&format!(
        "truefill serve is ready after {:.2} s. A small project, typed into as an editor does:\n",
        begin.elapsed().as_secs_f64()
    ))?;
    let mut latencies = Vec::new();
    for (index, scene) in scenes()?.iter().enumerate() {
        if let Some(latency) = play(&mut client, &root, scene, index)? {
            latencies.push(latency);
        }
    }
    client.shutdown()?;
    end(&mut latencies)
}

fn unpack(folder: &Path) -> Result<()> {
    for (name, text) in FILES {
        let path = folder.join(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(&path, text).with_context(|| format!("{}", path.display()))?;
    }
    Ok(())
}

/// Types one scene and shows what is suggested after its last key; gives the time from that key
/// to the suggestion.
fn play(client: &mut Client, root: &str, scene: &Scene, index: usize) -> Result<Option<f64>> {
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
    let why = if suggestion.is_none() {
        typing.why()?
    } else {
        String::new()
    };
    typing.close()?;
    show(scene, line, suggestion.as_deref(), latency, &why)?;
    Ok(suggestion.map(|_| latency))
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

fn end(latencies: &mut [f64]) -> Result<ExitCode> {
    latencies.sort_by(f64::total_cmp);
    let Some(median) = latencies.get(latencies.len() / 2) else {
        say("\nNothing was suggested; `truefill doctor` looks for the reason.\n")?;
        return Ok(ExitCode::FAILURE);
    };
    say(&format!(
        "\n{} suggestions, {median:.0} ms after the key in the median, the pause that waits for \
         the next key included.\n\nTo connect an editor, let it start `truefill serve` as a \
         language server. Neovim 0.12:\n\n    vim.lsp.config(\"truefill\", {{ cmd = {{ \
         \"truefill\", \"serve\" }} }})\n    vim.lsp.enable(\"truefill\")\n    \
         vim.lsp.inline_completion.enable(true)\n    vim.keymap.set(\"i\", \"<Tab>\", function()\n      \
         return vim.lsp.inline_completion.get() and \"\" or \"<Tab>\"\n    end, {{ expr = true }})\n\n\
         `truefill doctor` checks that everything is in place.\n",
        latencies.len()
    ))?;
    Ok(ExitCode::SUCCESS)
}

fn say(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .context("the output is closed")
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
