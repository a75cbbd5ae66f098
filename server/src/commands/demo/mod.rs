//! `truefill demo`: the main job end to end on this machine, in a terminal.
//!
//! Everything happens in a temporary home with a store of its own: neither the user's journal nor what
//! their editors are served is touched.

mod lab;
mod retrain;
mod scenes;

use std::io::Write;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Args;
use serde_json::json;

use crate::client::Client;
use crate::commands::models;
use crate::engine::locate::locate;
use crate::paths::Paths;
use crate::workspace::file_uri;
use lab::Lab;
use scenes::{Played, play, scenes, unpack};

/// The server's times for what became of suggestions, in the demo: what takes a minute takes half a second.
const HURRY: u32 = 120;

/// Options of `truefill demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Model to show, as in `model.id` of the configuration
    #[arg(long, default_value = "default")]
    model: String,
    /// Only type and suggest: no training
    #[arg(long)]
    quick: bool,
}

/// Runs the demo.
///
/// # Errors
/// Where the model cannot be had, or the server or a step of the training fails.
pub fn run(args: &DemoArgs) -> Result<ExitCode> {
    let paths = Paths::from_env()?;
    if args.model == "default" && locate(&paths, "default").is_err() {
        say("The default model is not here yet; it is fetched once (93 MB).\n")?;
        models::pull_default(&paths)?;
    }
    let trainer = match args.quick {
        true => None,
        false => lab::trainer()?,
    };
    let lab = Lab::new(&paths, &args.model)?;
    unpack(lab.project())?;
    let begin = Instant::now();
    let mut client = start(&lab)?;
    say(&format!(
        "truefill serve is ready after {:.2} s. A small project, typed into as an editor does:\n",
        begin.elapsed().as_secs_f64()
    ))?;
    let root = file_uri(lab.project()).context("the temporary folder has no URI")?;
    let all = scenes()?;
    let mut played = Vec::new();
    for (index, scene) in all.iter().enumerate() {
        played.push(play(&mut client, &root, scene, index)?);
    }
    if played.iter().all(|played| played.latency.is_none()) {
        say("\nNothing was suggested; `truefill doctor` looks for the reason.\n")?;
        return Ok(ExitCode::FAILURE);
    }
    suggested(&played)?;
    match trainer {
        Some(trainer) => retrain::show(&lab, &trainer, client, &root, &all)?,
        None => client.shutdown()?,
    }
    connect()?;
    Ok(ExitCode::SUCCESS)
}

fn start(lab: &Lab) -> Result<Client> {
    let root = file_uri(lab.project()).context("the temporary folder has no URI")?;
    let mut command = lab.truefill()?;
    command.args(["serve", "--hurry", &HURRY.to_string()]);
    let options = json!({ "model": { "id": lab.model() }, "journal": { "context": true } });
    let mut client = Client::start(command, Some(&root), options)?;
    client.wait_ready(Duration::from_secs(120))?;
    Ok(client)
}

fn suggested(played: &[Played]) -> Result<()> {
    let mut latencies: Vec<f64> = played.iter().filter_map(|played| played.latency).collect();
    latencies.sort_by(f64::total_cmp);
    let median = latencies
        .get(latencies.len() / 2)
        .copied()
        .unwrap_or_default();
    let accepted = played.iter().filter(|played| played.accepted).count();
    say(&format!(
        "\n{} suggestions, {median:.0} ms after the key in the median, the pause that waits for the next key \
         included. {accepted} were what the developer meant and were accepted, the others were rejected.\n",
        latencies.len()
    ))
}

fn connect() -> Result<()> {
    say(
        "\nTo connect an editor, let it start `truefill serve` as a language server. Neovim 0.12:\n\n    \
         vim.lsp.config(\"truefill\", { cmd = { \"truefill\", \"serve\" } })\n    vim.lsp.enable(\"truefill\")\n    \
         vim.lsp.inline_completion.enable(true)\n    vim.keymap.set(\"i\", \"<Tab>\", function()\n      return \
         vim.lsp.inline_completion.get() and \"\" or \"<Tab>\"\n    end, { expr = true })\n\n`truefill doctor` \
         checks that everything is in place.\n",
    )
}

fn say(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .context("the output is closed")
}
