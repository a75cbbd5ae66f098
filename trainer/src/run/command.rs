//! The command line of `truefill-trainer run`.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use serde_json::Value;

use super::merge::merge;
use super::plan::{CANDIDATE, Step, Work, plan};
use super::recipe::RunRecipe;
use super::state::{Done, Ended, State, fingerprint};
use super::summary;
use crate::eval::gate::GateRecipe;
use crate::eval::recipe::{EvalRecipe, SuiteRecipe};
use crate::eval::suite::Suite;
use crate::signals;
use crate::usage::Usage;

/// Run a whole recipe
///
/// harvest, mine, generate, judge, curate, train, and what the section `[run]` says of the candidate:
/// measure it beside what is served and ask the gate, give it a share of the work, or let it take over.
/// Each step is a command of its own, which summary.md shows; logs/ has what each printed.
///
/// A run that was stopped or killed goes on by the same command. A step is not run again as long as its
/// part of the recipe and all steps before it are the same. A candidate that the gate refuses is the
/// end of a run like any other: the exit status is 0, and the summary says so.
///
/// Examples:
///   truefill-trainer run recipes/quickstart.toml
///   truefill-trainer run recipes/retrain-weekly.toml --out runs/2026-48
///   truefill-trainer run recipes/paper-a.toml --until curate
#[derive(Clone, Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct RunArgs {
    /// The recipe
    pub recipe: PathBuf,
    /// The folder for all files [default: the recipe's, or `run-` and the recipe's name]
    #[arg(long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,
    /// The last step to run
    #[arg(long, value_name = "STEP")]
    pub until: Option<String>,
    /// Show the commands and run none
    #[arg(long)]
    pub dry_run: bool,
    /// The store of checkpoints [default: the user's]
    #[arg(long, value_name = "FOLDER")]
    pub store: Option<PathBuf>,
}

/// Runs the steps.
///
/// # Errors
/// What is wrong with the recipe; the step that failed, and where its log is.
pub fn run(args: &RunArgs, out: &mut dyn Write) -> Result<ExitCode> {
    let recipe: RunRecipe = crate::recipe::section(Some(&args.recipe), "run")?;
    recipe
        .check()
        .map_err(crate::recipe::named(Some(&args.recipe)))?;
    let sections = crate::recipe::sections(&args.recipe)?;
    let folder = folder(args, &recipe);
    let steps = plan(
        &args.recipe,
        &sections,
        &recipe,
        &folder,
        args.store.as_deref(),
    )?;
    let steps = until(steps, args.until.as_deref())?;
    if steps.iter().any(|step| step.name == "promote") {
        foresee(&args.recipe)?;
    }
    if args.dry_run {
        for step in &steps {
            writeln!(out, "{}", summary::shown(step, None))?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let logs = folder.join("logs");
    std::fs::create_dir_all(&logs).with_context(|| logs.display().to_string())?;
    let _alone = alone(&folder)?;
    let stop = signals::first("stopping; the same command goes on")?;
    let mut state = State::read(&folder)?;
    state.version = env!("CARGO_PKG_VERSION").to_owned();
    let mut before = String::new();
    for (number, step) in steps.iter().enumerate() {
        before = fingerprint(&before, step);
        if state.has(step, &before) {
            continue;
        }
        told(number, steps.len(), step)?;
        let code = done(step, &before, &folder, &mut state)?;
        if let Some(code) = code {
            writeln!(std::io::stderr(), "stopped; the same command goes on")?;
            return Ok(ExitCode::from(code));
        }
        summary::write(&folder, &args.recipe, &steps, &state)?;
        let heard = stop.load(std::sync::atomic::Ordering::Relaxed);
        if heard != 0 {
            return Ok(ExitCode::from(heard));
        }
    }
    let page = summary::write(&folder, &args.recipe, &steps, &state)?;
    write!(out, "{}", std::fs::read_to_string(page)?)?;
    Ok(ExitCode::SUCCESS)
}

/// Refuses a gate that asks for what no step measures: hours later it could only say no.
fn foresee(recipe: &Path) -> Result<()> {
    let gate: GateRecipe = crate::recipe::section(Some(recipe), "promote")?;
    gate.check()?;
    let eval: EvalRecipe = crate::recipe::section(Some(recipe), "eval")?;
    let mut titles: Vec<String> = eval.suite.iter().map(SuiteRecipe::title).collect();
    if titles.is_empty() {
        titles.push(Suite::Pairs.to_string());
    }
    match gate.asked().find(|rule| !titles.contains(&rule.suite)) {
        None => Ok(()),
        Some(rule) => Err(Usage::error(format!(
            "{}: the gate asks for `{}`, which no step measures: name its files in an `[[eval.suite]]`, or \
             ask for what is measured alone, by `suites = [\"{}\"]` in `[promote]`",
            recipe.display(),
            rule.suite,
            titles.join("\", \"")
        ))),
    }
}

fn folder(args: &RunArgs, recipe: &RunRecipe) -> PathBuf {
    if let Some(out) = &args.out {
        return out.clone();
    }
    let beside = args.recipe.parent().unwrap_or(Path::new(""));
    let stem = args
        .recipe
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy();
    beside.join(
        recipe
            .folder
            .clone()
            .unwrap_or_else(|| format!("run-{stem}").into()),
    )
}

fn until(mut steps: Vec<Step>, last: Option<&str>) -> Result<Vec<Step>> {
    let Some(last) = last else {
        return Ok(steps);
    };
    let Some(at) = steps.iter().position(|step| step.name == last) else {
        let names: Vec<&str> = steps.iter().map(|step| step.name).collect();
        return Err(Usage::error(format!(
            "`--until`: expected one of {}, found `{last}`",
            names.join(", ")
        )));
    };
    steps.truncate(at + 1);
    Ok(steps)
}

/// Two runs in one folder would write over each other.
fn alone(folder: &Path) -> Result<File> {
    let path = folder.join("run.lock");
    let lock = File::create(&path).with_context(|| path.display().to_string())?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(_) => bail!(
            "{}: another run is under way in this folder",
            folder.display()
        ),
    }
}

fn told(number: usize, of: usize, step: &Step) -> Result<()> {
    let number = number + 1;
    writeln!(std::io::stderr(), "step {number} of {of}: {}", step.name)?;
    Ok(())
}

/// How a step's process ended.
enum Finished {
    /// With what it was to do.
    As(Ended),
    /// By a signal, with this exit status.
    Stopped(u8),
}

/// Does a step, and writes down how it ended; the exit status of a signal that stopped it.
fn done(step: &Step, fingerprint: &str, folder: &Path, state: &mut State) -> Result<Option<u8>> {
    let started = Instant::now();
    let spent = state.steps.get(step.name).map_or(0.0, |done| done.seconds);
    let finished = match &step.work {
        Work::Merge(files) => merge(files, &step.outputs[0]).map(|_| Finished::As(Ended::Done)),
        Work::Command(arguments) => command(step, arguments, folder, state),
    };
    let ended = match &finished {
        Ok(Finished::As(ended)) => *ended,
        Ok(Finished::Stopped(_)) | Err(_) => Ended::Open,
    };
    let done = Done {
        fingerprint: fingerprint.to_owned(),
        seconds: spent + started.elapsed().as_secs_f64(),
        ended,
    };
    state.steps.insert(step.name.to_owned(), done);
    state.write(folder)?;
    match finished? {
        Finished::As(_) => Ok(None),
        Finished::Stopped(code) => Ok(Some(code)),
    }
}

/// Runs a step's command; what it prints goes to its log, progress to the terminal.
fn command(
    step: &Step,
    arguments: &[String],
    folder: &Path,
    state: &mut State,
) -> Result<Finished> {
    let candidate = state.candidate.clone();
    let filled = arguments
        .iter()
        .map(|argument| match (&**argument, &candidate) {
            (CANDIDATE, Some(candidate)) => Ok(candidate.clone()),
            (CANDIDATE, None) => bail!("no step before `{}` trained a checkpoint", step.name),
            _ => Ok(argument.clone()),
        });
    let filled: Vec<String> = filled.collect::<Result<_>>()?;
    let log = log_of(folder, step);
    let out = File::create(&log).with_context(|| log.display().to_string())?;
    let program = std::env::current_exe().context("this program's own path")?;
    let mut process = Command::new(program);
    process.args(&filled).stdin(Stdio::null()).stdout(out);
    let status = process
        .status()
        .with_context(|| format!("`{}`", step.name))?;
    let printed = std::fs::read_to_string(&log).with_context(|| log.display().to_string())?;
    match status.code() {
        Some(0) => {
            if step.name == "train" {
                state.candidate = Some(trained(&printed)?);
            }
            Ok(Finished::As(Ended::Done))
        }
        Some(1) if step.name == "promote" && refused(&printed) => Ok(Finished::As(Ended::Refused)),
        Some(code @ (130 | 143)) => Ok(Finished::Stopped(code as u8)),
        code => {
            let how = code.map_or("was killed".to_owned(), |code| format!("ended with {code}"));
            bail!(
                "`{}` {how}; {} has what it printed, and the same command goes on from here",
                step.name,
                log.display()
            )
        }
    }
}

/// The log of a step.
pub(super) fn log_of(folder: &Path, step: &Step) -> PathBuf {
    folder.join("logs").join(format!("{}.log", step.name))
}

/// The id of the checkpoint that `train` put into the store.
fn trained(printed: &str) -> Result<String> {
    let figures: Value = serde_json::from_str(printed).context("what `train` printed")?;
    let id = figures["checkpoint"].as_str();
    id.map(str::to_owned).context(
        "`train` made no checkpoint: no measurement was better than the one before the first step",
    )
}

/// Whether the gate said no, and nothing else went wrong.
fn refused(printed: &str) -> bool {
    let judgement = summary::judgement(printed);
    judgement.is_some_and(|it| it["passed"] == Value::Bool(false))
}
