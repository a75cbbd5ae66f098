//! One page about a run.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::Value;

use super::command::log_of;
use super::plan::{CANDIDATE, Step, Work};
use super::state::{Ended, State};
use crate::rows::{Manifest, write_file};

/// Writes `summary.md` and gives its path.
///
/// # Errors
/// Where it cannot be written.
pub fn write(folder: &Path, recipe: &Path, steps: &[Step], state: &State) -> Result<PathBuf> {
    let mut page = format!("# {}\n\n", recipe.display());
    writeln!(page, "| step | | time |\n|---|---|---|")?;
    for step in steps {
        let done = state.steps.get(step.name);
        let ended = match done.map(|done| done.ended) {
            Some(Ended::Done) => "done",
            Some(Ended::Refused) => "refused",
            Some(Ended::Open) => "broken off",
            None => "not run",
        };
        let time = done.map_or(String::new(), |done| duration(done.seconds));
        writeln!(page, "| {} | {ended} | {time} |", step.name)?;
    }
    page.push('\n');
    rows(&mut page, steps)?;
    verdict(&mut page, folder, steps, state)?;
    writeln!(page, "## Commands\n\n```")?;
    for step in steps {
        writeln!(page, "{}", shown(step, state.candidate.as_deref()))?;
    }
    writeln!(page, "```")?;
    let path = folder.join("summary.md");
    write_file(&path, page.as_bytes())?;
    Ok(path)
}

/// A step as a user would type it.
pub fn shown(step: &Step, candidate: Option<&str>) -> String {
    match &step.work {
        Work::Merge(files) => {
            let files: Vec<String> = files
                .iter()
                .map(|it| quoted(&it.to_string_lossy()))
                .collect();
            let whole = quoted(&step.outputs[0].to_string_lossy());
            match files.is_empty() {
                true => format!(": > {whole}"),
                false => format!("cat {} | awk '!seen[$0]++' > {whole}", files.join(" ")),
            }
        }
        Work::Command(arguments) => {
            let filled = arguments
                .iter()
                .map(|argument| match (&**argument, candidate) {
                    (CANDIDATE, Some(candidate)) => candidate.to_owned(),
                    (argument, _) => quoted(argument),
                });
            let filled: Vec<String> = filled.collect();
            format!("truefill-trainer {}", filled.join(" "))
        }
    }
}

fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./=,:%+{}".contains(c);
    match text.chars().all(plain) && !text.is_empty() {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', "'\\''")),
    }
}

/// What the steps' manifests count.
fn rows(page: &mut String, steps: &[Step]) -> Result<()> {
    let mut lines = Vec::new();
    for step in steps {
        let Work::Command(_) = step.work else {
            continue;
        };
        let Some(manifest) = step.outputs.iter().find_map(|output| manifest(output)) else {
            continue;
        };
        let written = manifest.outputs.iter().filter(|written| written.rows > 0);
        let written = written.map(|it| format!("{} {}", it.rows, short(&it.path)));
        let written: Vec<String> = written.collect();
        lines.push(format!("| {} | {} |", step.name, written.join(", ")));
    }
    if !lines.is_empty() {
        writeln!(
            page,
            "## Rows\n\n| step | rows |\n|---|---|\n{}\n",
            lines.join("\n")
        )?;
    }
    Ok(())
}

/// A file's name with its folder's.
fn short(path: &Path) -> String {
    let parts: Vec<_> = path.iter().rev().take(2).collect();
    let parts: Vec<_> = parts
        .iter()
        .rev()
        .map(|part| part.to_string_lossy())
        .collect();
    parts.join("/")
}

fn manifest(output: &Path) -> Option<Manifest> {
    let beside = Manifest::path_for(output);
    let path = match output.extension().is_some_and(|it| it == "json") {
        true => output.to_owned(),
        // Of several outputs of a step one has the manifest: scores have the verdicts'.
        false if !beside.exists() && output.ends_with("scores.jsonl") => {
            Manifest::path_for(&output.with_file_name("verdicts.jsonl"))
        }
        false => beside,
    };
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

/// What was trained, and what the gate says of it.
fn verdict(page: &mut String, folder: &Path, steps: &[Step], state: &State) -> Result<()> {
    let printed = |name: &str| {
        let step = steps.iter().find(|step| step.name == name)?;
        state.steps.get(name)?;
        std::fs::read_to_string(log_of(folder, step)).ok()
    };
    if let Some(candidate) = &state.candidate {
        write!(page, "## The candidate\n\n`{candidate}`")?;
        let figures = printed("train").and_then(|it| serde_json::from_str::<Value>(&it).ok());
        if let Some(figures) = figures {
            writeln!(
                page,
                ", {} steps, {} tokens.",
                figures["step"], figures["tokens"]
            )?;
        }
        page.push('\n');
    }
    let Some(judgement) = printed("promote").as_deref().and_then(judgement) else {
        return Ok(());
    };
    let ended = state.steps.get("promote").map(|done| done.ended);
    let said = match ended {
        Some(Ended::Refused) => "The gate refuses it: what was served goes on.",
        Some(Ended::Done) => "The gate lets it pass.",
        _ => "The gate was asked, and the step did not end.",
    };
    writeln!(
        page,
        "## The gate\n\n{said}\n\n| suite | figure | asked | of | change | passed |"
    )?;
    writeln!(page, "|---|---|---|---|---|---|")?;
    for finding in judgement["findings"].as_array().into_iter().flatten() {
        let text = |value: &Value| match value {
            Value::String(text) => text.clone(),
            Value::Null => "–".to_owned(),
            other => other.to_string(),
        };
        let (rule, change) = (&finding["rule"], &finding["difference"]);
        let problem = finding["problem"].as_str().map(|why| format!(": {why}"));
        writeln!(
            page,
            "| {} | {} | {} | {} | {} | {}{} |",
            text(&rule["suite"]),
            text(&rule["figure"]),
            text(&rule["require"]),
            text(&finding["group"]),
            changed(change),
            if finding["passed"] == Value::Bool(true) {
                "yes"
            } else {
                "no"
            },
            problem.unwrap_or_default()
        )?;
    }
    page.push('\n');
    Ok(())
}

/// A difference as a reader wants it: both figures and the interval of the change, in percent.
fn changed(change: &Value) -> String {
    let percent = |value: &Value| value.as_f64().map(|it| 100.0 * it);
    let (before, after) = (percent(&change["before"]), percent(&change["after"]));
    let (low, high) = (
        percent(&change["interval"][0]),
        percent(&change["interval"][1]),
    );
    match (before, after, low, high) {
        (Some(before), Some(after), Some(low), Some(high)) => {
            format!("{before:.1} → {after:.1} % ({low:+.1} to {high:+.1})")
        }
        _ => "–".to_owned(),
    }
}

/// The judgement among what `promote --json` printed: its last line.
pub fn judgement(printed: &str) -> Option<Value> {
    let mut lines = printed
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.rfind(|value| value.get("findings").is_some())
}

fn duration(seconds: f64) -> String {
    match seconds {
        seconds if seconds < 90.0 => format!("{seconds:.0} s"),
        seconds if seconds < 5400.0 => format!("{:.0} min", seconds / 60.0),
        seconds => format!("{:.1} h", seconds / 3600.0),
    }
}
