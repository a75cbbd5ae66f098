//! `truefill complete FILE:LINE:COL`: one completion, as the server would give it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;
use ropey::Rope;
use serde_json::json;
use tokio::sync::mpsc::unbounded_channel;
use truefill_syntax::Language;

use crate::config::{Config, GuardMode};
use crate::documents::{ByteOffset, Encoding};
use crate::engine::{EngineInfo, EngineState, RenderedPrompt, open};
use crate::paths::Paths;
use crate::serving::Serving;
use crate::serving::ask::{Ask, Suggestion, Trigger};
use crate::silence::Silence;
use crate::workspace::file_uri;

/// How long the guard's index of the file's folder is waited for once the model is open.
const INDEXING: Duration = Duration::from_secs(3);

/// Options of `truefill complete`.
#[derive(Debug, Args)]
pub struct CompleteArgs {
    /// Where to complete: a file, a line and a column, both from 1, the column in characters
    #[arg(value_name = "FILE:LINE:COL", value_parser = parse)]
    place: Target,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Print the exact prompt, with visible sentinels, and ask no model for an answer
    #[arg(long)]
    show_prompt: bool,
    /// How many suggestions to make, 1 to 3
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=3))]
    alternatives: u8,
    /// Model to ask instead of the configuration's
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// Configuration to read instead of the user's `truefill.toml`
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// A place in a file, from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Target {
    file: PathBuf,
    line: usize,
    column: usize,
}

/// Completes and prints.
///
/// # Errors
/// Where the place, the file, the configuration or the model cannot be used.
pub fn run(args: &CompleteArgs) -> Result<ExitCode> {
    let target = &args.place;
    let paths = Paths::from_env()?;
    let mut config = Config::of_command(args.config.as_deref(), &paths.config_file())?;
    config.suggest.alternatives = usize::from(args.alternatives);
    // The index is for the guard, which judges no prompt.
    config.index.enabled &= !args.show_prompt && config.suggest.guard != GuardMode::Off;
    if let Some(model) = &args.model {
        config.model.id.clone_from(model);
    }
    let runtime = tokio::runtime::Runtime::new().context("no threads to work with")?;
    let code = runtime.block_on(complete(args, target, &paths, config))?;
    runtime.shutdown_background();
    Ok(code)
}

async fn complete(
    args: &CompleteArgs,
    target: &Target,
    paths: &Paths,
    config: Config,
) -> Result<ExitCode> {
    let (sender, _receiver) = unbounded_channel();
    let serving = Serving::new(open::factory(paths.clone()), sender, None);
    let ask = open_document(&serving, target)?;
    serving.configure(config)?;
    let info = ready(&serving).await?;
    if args.show_prompt {
        let prompt = serving.prompt(&ask).await;
        let prompt = prompt.map_err(|silence| refused(&silence))?;
        print_prompt(args.json, &prompt)?;
        return Ok(ExitCode::SUCCESS);
    }
    indexed(&serving).await?;
    let started = Instant::now();
    let result = serving.suggest(&ask).await;
    let milliseconds = started.elapsed().as_secs_f64() * 1000.0;
    let guard = serving.last_verdict(&ask.uri).and_then(|last| last.guard);
    serving.shut_down();
    if args.json {
        print_json(target, &info, &result, guard.as_deref(), milliseconds)?;
    } else {
        print_text(&result, guard.as_deref())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Waits until the guard can judge by the folder that the file belongs to, within limits; the
/// model was opened meanwhile.
async fn indexed(serving: &Serving) -> Result<()> {
    let Some(index) = serving.index() else {
        return Ok(());
    };
    let end = Instant::now() + INDEXING;
    while !index.is_complete() {
        if Instant::now() >= end {
            let seconds = INDEXING.as_secs();
            let mut err = std::io::stderr().lock();
            writeln!(
                err,
                "truefill: the folder was not read within {seconds} s, so the guard does not judge"
            )?;
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

/// Opens the file as an editor would that has the folder of its repository open.
fn open_document(serving: &Serving, target: &Target) -> Result<Ask> {
    let file = target.file.display();
    let path = std::path::absolute(&target.file).with_context(|| format!("`{file}`"))?;
    let bytes = std::fs::read(&path).with_context(|| format!("`{file}` cannot be read"))?;
    let Ok(text) = String::from_utf8(bytes) else {
        bail!("`{file}` is not UTF-8")
    };
    let uri = file_uri(&path).with_context(|| format!("`{file}` has no URI"))?;
    serving.documents.open(&uri, language_id(&path), 1, &text);
    let folder = serving.workspace.root_of(&path);
    serving.workspace.change_folders(vec![folder], &[]);
    let offset = offset(&text, target)?;
    let snapshot = serving.documents.snapshot(&uri)?;
    Ok(Ask {
        uri,
        position: snapshot.position(offset, Encoding::Utf8),
        encoding: Encoding::Utf8,
        trigger: Trigger::Invoked,
        selected: None,
        version: None,
        menu: false,
    })
}

/// Waits until the model is open.
async fn ready(serving: &Serving) -> Result<EngineInfo> {
    let engine = serving.engine().context("the engine was started")?;
    let mut states = engine.watch();
    let state = states
        .wait_for(|state| *state != EngineState::Loading)
        .await;
    match state
        .map(|state| state.clone())
        .unwrap_or(EngineState::Loading)
    {
        EngineState::Ready(lineup) => Ok(lineup.first().info.clone()),
        EngineState::Failed(sentence) => bail!(sentence),
        EngineState::Loading => bail!("the engine ended while it was opened"),
    }
}

fn refused(silence: &Silence) -> anyhow::Error {
    anyhow::anyhow!(
        "there is no prompt here: {}",
        silence.sentence().trim_end_matches('.')
    )
}

fn parse(place: &str) -> Result<Target, String> {
    let number = |text: Option<&str>| text.and_then(|text| text.parse().ok()).filter(|n| *n > 0);
    let mut parts = place.rsplitn(3, ':');
    let (column, line) = (number(parts.next()), number(parts.next()));
    match (parts.next().filter(|file| !file.is_empty()), line, column) {
        (Some(file), Some(line), Some(column)) => {
            let file = file.into();
            Ok(Target { file, line, column })
        }
        _ => Err("expected `FILE:LINE:COL` with line and column from 1".to_owned()),
    }
}

/// The byte of a place; the column just behind a line's last character is its end.
fn offset(text: &str, target: &Target) -> Result<ByteOffset> {
    let rope = Rope::from_str(text);
    let (file, lines) = (target.file.display(), rope.len_lines());
    if target.line > lines {
        bail!(
            "`{file}` has {lines} lines, there is no line {}",
            target.line
        );
    }
    let line = rope.line(target.line - 1);
    let ends = |character: &char| matches!(character, '\n' | '\r');
    let length = line
        .chars()
        .take_while(|character| !ends(character))
        .count();
    if target.column > length + 1 {
        let (line, column) = (target.line, target.column);
        bail!("line {line} of `{file}` has {length} characters, there is no column {column}");
    }
    let character = rope.line_to_char(target.line - 1) + target.column - 1;
    Ok(ByteOffset(rope.char_to_byte(character)))
}

/// The language id that an editor would give, as far as a grammar or rule asks for it.
fn language_id(path: &Path) -> &'static str {
    match Language::from_path(path) {
        Some(Language::Tsx) => "typescriptreact",
        Some(language) => language.name(),
        None => match path.extension().and_then(|extension| extension.to_str()) {
            Some("c" | "h") => "c",
            Some("json") => "json",
            Some("lua") => "lua",
            Some("md") => "markdown",
            Some("sh") => "shellscript",
            Some("toml") => "toml",
            Some("yaml" | "yml") => "yaml",
            _ => "plaintext",
        },
    }
}

fn print_prompt(as_json: bool, prompt: &RenderedPrompt) -> Result<()> {
    let mut out = std::io::stdout().lock();
    if as_json {
        let value = json!({
            "prompt": prompt.text, "tokens": prompt.tokens, "sha256": prompt.sha256,
        });
        writeln!(out, "{value}")?;
    } else {
        writeln!(out, "{}", prompt.text)?;
    }
    Ok(())
}

fn print_text(result: &Result<Vec<Suggestion>, Silence>, guard: Option<&str>) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match result {
        Ok(suggestions) => {
            for (index, suggestion) in suggestions.iter().enumerate() {
                if index > 0 {
                    writeln!(out, "---")?;
                }
                writeln!(out, "{}", suggestion.text)?;
            }
        }
        Err(silence) => writeln!(std::io::stderr().lock(), "{}", silence.sentence())?,
    }
    if let Some(guard) = guard {
        writeln!(std::io::stderr().lock(), "The guard doubts {guard}.")?;
    }
    Ok(())
}

fn print_json(
    target: &Target,
    info: &EngineInfo,
    result: &Result<Vec<Suggestion>, Silence>,
    guard: Option<&str>,
    milliseconds: f64,
) -> Result<()> {
    let texts: Vec<&str> = match result {
        Ok(suggestions) => suggestions
            .iter()
            .map(|suggestion| suggestion.text.as_str())
            .collect(),
        Err(_) => Vec::new(),
    };
    let silence = result
        .as_ref()
        .err()
        .map(|silence| json!({ "reason": silence.code(), "message": silence.sentence() }));
    let value = json!({
        "file": target.file, "line": target.line, "column": target.column,
        "suggestions": texts, "silence": silence, "guard": guard, "milliseconds": milliseconds,
        "checkpoint": info.checkpoint, "device": info.device,
        "format": { "name": info.format, "version": info.format_version },
    });
    writeln!(std::io::stdout().lock(), "{value}")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::engine::EngineFactory;
    use crate::engine::Loader;
    use crate::engine::lineup::Lineup;
    use crate::engine::scripted::{Script, Scripted, ScriptedEngine};

    #[test]
    fn places_are_files_lines_and_columns() {
        let target = |file: &str, line, column| Target {
            file: file.into(),
            line,
            column,
        };
        assert_eq!(parse("a.rs:3:7").unwrap(), target("a.rs", 3, 7));
        assert_eq!(parse("C:\\a:b.rs:1:1").unwrap(), target("C:\\a:b.rs", 1, 1));
        for wrong in [
            "a.rs",
            "a.rs:3",
            "a.rs:0:1",
            "a.rs:1:0",
            "a.rs:x:1",
            ":1:1",
            "a.rs:-1:1",
        ] {
            assert!(
                parse(wrong).unwrap_err().contains("FILE:LINE:COL"),
                "{wrong}"
            );
        }
    }

    #[test]
    fn columns_count_characters() {
        let at = |line, column| {
            offset(
                "é😀x\r\nab",
                &Target {
                    file: "a".into(),
                    line,
                    column,
                },
            )
            .map(|at| at.0)
        };
        assert_eq!(at(1, 1).unwrap(), 0);
        assert_eq!(at(1, 3).unwrap(), 6);
        assert_eq!(at(1, 4).unwrap(), 7);
        assert_eq!(at(2, 3).unwrap(), 11);
        assert!(
            at(1, 5)
                .unwrap_err()
                .to_string()
                .contains("has 3 characters")
        );
        assert!(at(3, 1).unwrap_err().to_string().contains("has 2 lines"));
    }

    /// What is suggested behind `x = ` where the model writes `text`.
    async fn suggested(text: &str) -> Result<Vec<Suggestion>, Silence> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.py");
        std::fs::write(
            folder.path().join("shop.py"),
            "def total(x):\n    return x\n",
        )
        .unwrap();
        std::fs::write(&file, "import shop\nx = ").unwrap();
        let answer = Scripted {
            texts: vec![text.to_owned()],
            ..Scripted::default()
        };
        let script = Script {
            answers: vec![answer],
            ..Script::default()
        };
        let factory: EngineFactory = Arc::new(move |_| -> Loader {
            let script = script.clone();
            Box::new(move |_| {
                Ok(Lineup::single(Arc::new(
                    ScriptedEngine::new(script).unwrap(),
                )))
            })
        });
        let (sender, _receiver) = unbounded_channel();
        let serving = Serving::new(factory, sender, None);
        let (line, column) = (2, 5);
        let ask = open_document(&serving, &Target { file, line, column }).unwrap();
        let mut config = Config::default();
        config.suggest.guard = GuardMode::Block;
        serving.configure(config).unwrap();
        ready(&serving).await.unwrap();
        indexed(&serving).await.unwrap();
        serving.suggest(&ask).await
    }

    #[tokio::test]
    async fn the_guard_judges_by_the_files_folder() {
        let passed = suggested("shop.total(1)").await.unwrap();
        assert_eq!(passed[0].text, "shop.total(1)");
        let blocked = suggested("shop.totle(1)").await.unwrap_err();
        assert_eq!(blocked.code(), "guard_blocked");
    }
}
