//! The second half of the demo: from what was accepted and rejected to another checkpoint under the
//! running server.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::lab::Lab;
use super::say;
use super::scenes::{Scene, play};
use crate::client::Client;

/// Rows to learn from beside the demo's own few, and rows to measure with: from the default checkpoint's
/// training and its held-out repositories, under permissive licences.
const REPLAY: &str = include_str!("../../../../demo/rows/replay.jsonl");
const HELD_OUT: &str = include_str!("../../../../demo/rows/held-out.jsonl");
const RECIPE: &str = include_str!("../../../../demo/recipe.toml");

/// How long a place is left alone until it is settled, and some.
const SETTLED: Duration = Duration::from_millis(1500);

/// Shows the loop.
///
/// # Errors
/// Where a step fails, or the server does not take the candidate.
pub fn show(
    lab: &Lab,
    trainer: &Path,
    mut client: Client,
    root: &str,
    scenes: &[Scene],
) -> Result<()> {
    if !lab.is_stored() {
        say("\nThe model is none of the store's, so it is not trained.\n")?;
        return client.shutdown();
    }
    std::thread::sleep(SETTLED);
    say(&format!(
        "\nWhat became of the suggestions, as the journal has it (a minute takes half a second here):\n\n{}",
        indented(&printed(lab.truefill()?.arg("stats"))?)
    ))?;
    let recipe = prepare(lab)?;
    say(
        "\nWhat was rejected and rewritten becomes training data, with rows of the default checkpoint's own \
         training beside it, and a short run makes a candidate:\n\n",
    )?;
    let begun = Instant::now();
    let mut run = lab.command(trainer);
    run.arg("run").arg(&recipe).stdout(Stdio::piped());
    let page = printed(&mut run)?;
    let seconds = begun.elapsed().as_secs();
    say(&indented(&summary(&page)))?;
    let candidate = candidate(lab)?;
    let verdict = match page.contains("The gate refuses it") {
        true => {
            "The gate refuses the candidate: so few rows prove nothing, and nothing that is not proven is served. \
             In this demo it is served all the same, to half of the files, so that the swap can be seen:"
        }
        false => "The gate lets the candidate pass. It gets half of the files:",
    };
    say(&format!("\nAll of that took {seconds} s. {verdict}\n\n"))?;
    let mut arms = lab.truefill()?;
    arms.args(["arms", "set", "default=50"])
        .arg(format!("candidate=50@{candidate}"));
    say(&indented(&printed(&mut arms)?))?;
    let took = swapped(&mut client)?;
    say(&format!(
        "\nThe running server took it over {:.2} s later, between two requests, after it had tried it:\n",
        took.as_secs_f64()
    ))?;
    for (index, scene) in scenes.iter().enumerate() {
        play(&mut client, root, scene, index)?;
    }
    std::thread::sleep(SETTLED);
    say(&format!(
        "\n{}",
        indented(&printed(lab.truefill()?.arg("stats"))?)
    ))?;
    let back = printed(lab.truefill()?.args(["arms", "rollback"]))?;
    say(&format!("\n`truefill arms rollback`: {back}"))?;
    client.shutdown()
}

/// Writes the recipe and its rows into the home.
fn prepare(lab: &Lab) -> Result<PathBuf> {
    let folder = lab.home();
    for (name, text) in [
        ("replay.jsonl", REPLAY),
        ("held-out.jsonl", HELD_OUT),
        ("demo.toml", RECIPE),
    ] {
        let path = folder.join(name);
        std::fs::write(&path, text).with_context(|| path.display().to_string())?;
    }
    Ok(folder.join("demo.toml"))
}

/// What a command prints; its progress goes to the terminal.
fn printed(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| name.clone())?;
    if !output.status.success() {
        bail!("{name} ended with {}", output.status);
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The page without the commands at its end.
fn summary(page: &str) -> String {
    let (told, _) = page.split_once("## Commands").unwrap_or((page, ""));
    let (_, told) = told.split_once("\n\n").unwrap_or(("", told));
    told.trim_end().to_owned() + "\n"
}

fn candidate(lab: &Lab) -> Result<String> {
    let state = std::fs::read(lab.home().join("run-demo/run.json"))?;
    let state: Value = serde_json::from_slice(&state)?;
    let id = state["candidate"]
        .as_str()
        .context("the run trained a checkpoint")?;
    Ok(id.to_owned())
}

/// Waits until the server says that it serves both.
fn swapped(client: &mut Client) -> Result<Duration> {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(60) {
        let Some(arrival) = client.receive(Duration::from_secs(60))? else {
            break;
        };
        let message = &arrival.message["params"]["message"];
        let Some(message) = message
            .as_str()
            .filter(|_| arrival.message["method"] == "truefill/status")
        else {
            continue;
        };
        if message.starts_with("Compared on") {
            return Ok(begun.elapsed());
        }
        if message.contains("is not served") {
            bail!("{message}");
        }
    }
    bail!("the server did not take the candidate over within a minute")
}

fn indented(text: &str) -> String {
    text.lines()
        .map(|line| format!("    {line}").trim_end().to_owned() + "\n")
        .collect()
}
