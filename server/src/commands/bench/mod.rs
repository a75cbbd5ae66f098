//! `truefill bench`: the figures that a user of this machine gets.

mod figures;
mod journal;
mod llama_peer;
mod lsp_peer;
mod probes;
mod replay;
mod report;
mod trace;

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;
use truefill_syntax::Language;

use crate::client::Client;
use crate::engine::locate::{Located, locate};
use crate::paths::Paths;
use crate::workspace::file_uri;
use figures::Percentiles;
use llama_peer::LlamaPeer;
use lsp_peer::LspPeer;
use replay::{Pace, Played, play};
use report::{Report, ServerFigures};
use trace::{Habit, Session, session};

/// What to measure.
#[derive(Debug, Args)]
pub struct BenchArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Type real files again, key by key, through the whole server
    #[command(
        after_help = "Lines are taken out of each file and typed again at the given pace, \
        with a request after every key and a cancellation where the next key comes first. A \
        suggestion is accepted if and only if the whole of it equals the next characters of the \
        file. Saved characters are (accepted characters - accepted suggestions) / (characters to \
        type, without the indentation that an editor adds)."
    )]
    Keystrokes(KeystrokeArgs),
}

/// Options of `truefill bench keystrokes`.
#[derive(Debug, Args)]
pub struct KeystrokeArgs {
    /// Files to type
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// First line to type, from 1; without it a third into the file
    #[arg(long)]
    line: Option<usize>,
    /// Lines to type of each file
    #[arg(long, default_value_t = 12)]
    lines: usize,
    /// Milliseconds from key to key within a word; 0 waits for each answer instead
    #[arg(long, value_name = "MS", default_value_t = 0)]
    cadence: u64,
    /// Whether a person's pauses after words, marks and lines are added to the cadence
    #[arg(long, value_enum, default_value_t = Rhythm::Human)]
    rhythm: Rhythm,
    /// Whether the server waits for a pause in the typing, as it does in an editor, or asks the
    /// model at every key, as the llama.cpp server is asked
    #[arg(long, value_enum, default_value_t = Delay::None)]
    delay: Delay,
    /// Ask as an editor does while typing, or as a person does by a key
    #[arg(long, value_enum, default_value_t = Trigger::Automatic)]
    trigger: Trigger,
    /// Type straight on, or also delete, jump, edit elsewhere and paste
    #[arg(long, value_enum, default_value_t = HabitArg::Append)]
    habit: HabitArg,
    /// Seed of the habits
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Model to serve, as in `model.id` of the configuration
    #[arg(long, default_value = "default")]
    model: String,
    /// Layout of the prompts, as in `model.layout` of the configuration
    #[arg(long, default_value = "auto")]
    layout: String,
    /// Replay the same way against a llama.cpp server at this address, with the same prompts
    #[arg(long, value_name = "URL")]
    llama: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Trigger {
    /// After the adaptive delay
    Automatic,
    /// At once
    Invoked,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Delay {
    /// The model is asked at once
    None,
    /// As in an editor
    Adaptive,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Rhythm {
    /// A key every so many milliseconds
    Even,
    /// Longer after words, marks and lines
    Human,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum HabitArg {
    /// From the first character to the last
    Append,
    /// With deletions, jumps and pastes
    Mixed,
}

struct Job {
    file: PathBuf,
    language: &'static str,
    session: Session,
}

/// Runs the benchmark.
///
/// # Errors
/// Where a file cannot be read, or the server cannot be started.
pub fn run(args: &BenchArgs) -> Result<ExitCode> {
    let What::Keystrokes(args) = &args.what;
    let jobs = args
        .files
        .iter()
        .map(|file| job(file, args))
        .collect::<Result<Vec<_>>>()?;
    let mut reports = vec![ours(args, &jobs)?];
    if let Some(url) = &args.llama {
        reports.push(theirs(args, url, &jobs)?);
    }
    let text = if args.json {
        format!(
            "{}\n",
            serde_json::to_string_pretty(&json!({ "reports": reports }))?
        )
    } else {
        reports
            .iter()
            .map(Report::table)
            .collect::<Vec<_>>()
            .join("\n")
    };
    std::io::Write::write_all(&mut std::io::stdout().lock(), text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn job(file: &Path, args: &KeystrokeArgs) -> Result<Job> {
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("{}: cannot be read as UTF-8 text", file.display()))?;
    let total = text.lines().count();
    let first = args.line.unwrap_or(total / 3 + 1);
    let Some(session) = session(&text, first, args.lines) else {
        bail!(
            "{}: expected lines to type at {first}, found {total} lines in all or blank ones there",
            file.display()
        );
    };
    let language = match Language::from_path(file) {
        Some(Language::Tsx) => "typescriptreact",
        Some(language) => language.name(),
        None => "plaintext",
    };
    let file = std::fs::canonicalize(file)
        .with_context(|| format!("{}: cannot be resolved", file.display()))?;
    Ok(Job {
        file,
        language,
        session,
    })
}

fn pace(args: &KeystrokeArgs) -> Pace {
    match args.cadence {
        0 => Pace::Answered,
        milliseconds => Pace::Every {
            interval: Duration::from_millis(milliseconds),
            human: args.rhythm == Rhythm::Human,
        },
    }
}

fn habit(args: &KeystrokeArgs) -> Habit {
    match args.habit {
        HabitArg::Append => Habit::Append,
        HabitArg::Mixed => Habit::Mixed,
    }
}

fn setting(args: &KeystrokeArgs) -> String {
    let pace = match args.cadence {
        0 => "each answer awaited".to_owned(),
        milliseconds => format!("a key every {milliseconds} ms ({:?} rhythm)", args.rhythm),
    };
    let files = args.files.len();
    format!(
        "{pace}, {:?}, delay {:?}, {:?}, seed {}, {files} files",
        args.trigger, args.delay, args.habit, args.seed
    )
    .to_lowercase()
}

fn ours(args: &KeystrokeArgs, jobs: &[Job]) -> Result<Report> {
    let home = tempfile::tempdir().context("no temporary folder")?;
    let begin = Instant::now();
    let mut client = start(args, home.path(), &jobs[0].file)?;
    client.wait_ready(Duration::from_secs(120))?;
    let ready_ms = begin.elapsed().as_secs_f64() * 1e3;
    probes::wait_for_index(&mut client, &uri(&jobs[0].file)?)?;
    let mut played = Vec::new();
    for job in jobs {
        let uri = uri(&job.file)?;
        let invoked = args.trigger == Trigger::Invoked;
        let mut peer = LspPeer::new(&mut client, &uri, job.language, invoked);
        peer.must_answer(&job.session.start_text, job.session.cursor)
            .with_context(|| format!("{}", job.file.display()))?;
        played.push(play(
            &mut peer,
            &job.session,
            habit(args),
            args.seed,
            pace(args),
        )?);
    }
    // The journal commits within 200 ms; the probes' own requests are not to be counted.
    std::thread::sleep(Duration::from_millis(500));
    let rows = journal::rows(home.path())?;
    let memory = probes::peak_memory(client.process_id());
    let (language, text) = (jobs[0].language, &jobs[0].session.start_text);
    let edits = probes::edits_while_busy(&mut client, language, text)?;
    let rest = probes::rest_after_cancel(&mut client, language, text)?;
    client.shutdown()?;
    let name = format!("truefill, {}", args.model);
    let mut report = Report::of(name, setting(args), args.cadence > 0, &played);
    report.first_token_ms = Percentiles::of(&journal::first_tokens(&rows));
    report.server = Some(ServerFigures {
        ready_ms,
        peak_memory_mb: memory.map(|bytes| bytes as f64 / 1e6),
        edit_while_busy_ms: Percentiles::of(&edits),
        rest_after_cancel_ms: rest.map(|values| Percentiles::of(&values)),
        ..journal::summary(&rows, report.requests)
    });
    Ok(report)
}

/// The server on the folder of `file`, with a journal of its own under `home`.
fn start(args: &KeystrokeArgs, home: &Path, file: &Path) -> Result<Client> {
    let paths = Paths::from_env()?;
    let model = locate(&paths, &args.model)?;
    let mut suggest = json!({ "automatic_budget_ms": 10_000, "alternatives": 1 });
    if args.delay == Delay::None {
        suggest["delay_min_ms"] = json!(0);
        suggest["delay_max_ms"] = json!(0);
    }
    let options = json!({
        "model": { "id": served_as(&model), "format": format_name(&model).unwrap_or("auto"), "layout": &args.layout },
        "suggest": suggest,
    });
    let mut command = Command::new(std::env::current_exe()?);
    command
        .arg("serve")
        .env("TRUEFILL_HOME", home)
        .env("TRUEFILL_STORE", paths.store());
    let folder = file.parent().map(uri).transpose()?;
    Client::start(command, folder.as_deref(), options)
}

/// What the server finds the model by: an adapter is more than one folder.
fn served_as(model: &Located) -> Cow<'_, str> {
    match model.stored.is_empty() {
        true => model.path.to_string_lossy(),
        false => Cow::Borrowed(&model.checkpoint),
    }
}

/// The format that the model's manifest names, for a model that is opened by its path.
fn format_name(model: &Located) -> Option<&str> {
    model.format.as_ref().map(|format| format.name.as_str())
}

fn uri(path: &Path) -> Result<String> {
    file_uri(path).with_context(|| format!("{}: has no URI", path.display()))
}

fn theirs(args: &KeystrokeArgs, url: &str, jobs: &[Job]) -> Result<Report> {
    let model = locate(&Paths::from_env()?, &args.model)?;
    let mut played: Vec<Played> = Vec::new();
    for job in jobs {
        let mut peer = LlamaPeer::new(url, &model.path, format_name(&model))?;
        played.push(play(
            &mut peer,
            &job.session,
            habit(args),
            args.seed,
            pace(args),
        )?);
    }
    Ok(Report::of(
        format!("llama.cpp server at {url}"),
        setting(args),
        args.cadence > 0,
        &played,
    ))
}
