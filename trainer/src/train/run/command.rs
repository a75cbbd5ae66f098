//! `truefill-trainer train`.

use std::io::{IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::SystemTime;

use anyhow::{Context as _, Result};
use clap::Args;
use serde_json::json;
use truefill_model::store::Installed;

use super::folder::Start;
use super::job::{Ended, Job, Outcome};
use super::keeping::sentence;
use super::{continued, deliver};
use crate::checkpoint;
use crate::progress::Progress;
use crate::signals;
use crate::stored::{self, Opened};
use crate::train::recipe::TrainRecipe;
use crate::train::sample::Colour;
use crate::train::set::check_checkpoint;
use crate::usage::Usage;

/// Fine-tune a checkpoint: SFT, ORPO, DPO, FGit
///
/// Reads the table `[train]` of a recipe: which rows (`data`), which checkpoint, which objective, and
/// how; docs/train.md has every key. Before the first step one sample is printed as the model will see
/// it, and the run does not start where the data or the checkpoint do not fit.
///
/// A run writes states, the figures of every step (CSV and TensorBoard) and a report with plots into
/// its folder; the best weights become a checkpoint of the store. Ctrl-C, SIGTERM, a kill or a power
/// failure end it; the same command, without `--fresh`, goes on from the last state, to the same
/// weights. A second Ctrl-C ends it at once. A run that was stopped exits with 130 (Ctrl-C) or 143
/// (SIGTERM).
///
/// Examples:
///   truefill-trainer train --recipe recipe.toml
///   truefill-trainer train --recipe recipe.toml --output runs/try --steps 50
///   truefill-trainer train --recipe recipe.toml --with-changes
#[derive(Clone, Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct TrainArgs {
    /// The recipe; its table `[train]` is read, flags replace its keys
    #[arg(long, value_name = "FILE")]
    pub recipe: PathBuf,
    /// A file of rows, in the place of the recipe's (may be given several times)
    #[arg(long, value_name = "FILE")]
    pub data: Vec<PathBuf>,
    /// A file of rows that must not be trained on, in the place of the recipe's (may be given several times)
    #[arg(long, value_name = "FILE")]
    pub held_out: Vec<PathBuf>,
    /// The folder of the run
    #[arg(long, value_name = "FOLDER")]
    pub output: Option<PathBuf>,
    /// The checkpoint to start from: a file, a folder, or an id or alias in the store
    #[arg(long, value_name = "NAME")]
    pub checkpoint: Option<String>,
    /// Steps in all, in place of the recipe's epochs
    #[arg(long)]
    pub steps: Option<u64>,
    /// Of every draw
    #[arg(long)]
    pub seed: Option<u64>,
    /// `auto`, `cpu`, `cuda` or `cuda:N`
    #[arg(long)]
    pub device: Option<String>,
    /// Threads [default: one for each core]
    #[arg(long)]
    pub threads: Option<usize>,
    /// The store of checkpoints [default: the user's]
    #[arg(long, value_name = "FOLDER")]
    pub store: Option<PathBuf>,
    /// Leave the finished weights in the run's folder
    #[arg(long)]
    pub no_install: bool,
    /// Go on from the folder's last state though rate, clipping, `max_rise`, schedule, optimiser, length,
    /// `eval.every` or `eval.patience` changed
    #[arg(long)]
    pub with_changes: bool,
    /// Throw away what an earlier run left in the folder
    #[arg(long, conflicts_with = "with_changes")]
    pub fresh: bool,
    /// Print figures as JSON
    #[arg(long)]
    pub json: bool,
}

impl TrainArgs {
    fn recipe(&self) -> Result<TrainRecipe> {
        TrainRecipe::read_with(&self.recipe, |recipe| {
            for (flag, key) in [
                (&self.data, &mut recipe.data),
                (&self.held_out, &mut recipe.held_out),
            ] {
                if !flag.is_empty() {
                    key.clone_from(flag);
                }
            }
            recipe.output = self.output.clone().or(recipe.output.take());
            recipe.steps = self.steps.or(recipe.steps);
            recipe.seed = self.seed.unwrap_or(recipe.seed);
            if let Some(device) = &self.device {
                recipe.device.clone_from(device);
            }
            if let Some(checkpoint) = &self.checkpoint {
                recipe.checkpoint.clone_from(checkpoint);
            }
        })
    }

    fn start(&self) -> Start {
        match (self.fresh, self.with_changes) {
            (true, _) => Start::Fresh,
            (_, true) => Start::WithChanges,
            _ => Start::GoOn,
        }
    }
}

fn colour() -> Colour {
    match std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none() {
        true => Colour::Always,
        false => Colour::Never,
    }
}

/// Runs the step.
///
/// # Errors
/// What [`Job::run`] says.
pub fn run(args: &TrainArgs, out: &mut dyn Write) -> Result<ExitCode> {
    let recipe = args.recipe()?;
    let Some(output) = &recipe.output else {
        let expected = "expected a folder for the run, in `--output` or in `output` of `[train]`";
        return Err(Usage::error(expected));
    };
    let store = stored::store(args.store.as_deref())?;
    let flag = args.checkpoint.as_deref();
    let origin = Opened::of_recipe(&store, &args.recipe, &recipe.checkpoint, flag)?;
    let path = origin.checkpoint.path.clone();
    let tokenizer = origin.tokenizer()?.clone();
    let named = origin.format_name(recipe.format.as_deref());
    let format =
        checkpoint::format(named, &tokenizer).map_err(crate::recipe::named(Some(&args.recipe)))?;
    check_checkpoint(&origin.claims(), &tokenizer, &format, recipe.teach_format)
        .with_context(|| path.display().to_string())?;
    let renderer = recipe.renderer_of(&args.recipe, &format)?;
    continued::check(&recipe, &origin, &renderer)?;
    let stop = signals::first("stopping after this step; once more ends it at once")?;
    let progress = Progress::new("train");
    let mut show = |sample: &str| -> Result<()> {
        match args.json {
            true => writeln!(std::io::stderr(), "{sample}")?,
            false => writeln!(out, "{sample}").and_then(|()| out.flush())?,
        }
        Ok(())
    };
    let job = Job {
        checkpoint_sha256: continued::sha256(&origin)?,
        recipe: &recipe,
        checkpoint: &path,
        adapter: origin.adapter.as_ref(),
        format: &format,
        output,
        start: args.start(),
        show: &mut show,
        colour: colour(),
        progress: &progress,
        stop: &|| stop.load(Ordering::Relaxed) != 0,
        clock: &SystemTime::now,
    };
    start_threads(args.threads)?;
    let mut outcome = job.run()?;
    // What is no better than what was there is no new checkpoint.
    let helped = outcome.best().is_none_or(|best| best.step > 0);
    let weights = outcome.weights.take();
    let weights = weights.filter(|_| helped && !args.no_install);
    let installed = weights.map(|weights| {
        let weights = weights.0;
        deliver::install(&store, &origin, &format, &recipe, output, &outcome, weights)
            .with_context(|| not_stored(output))
    });
    let installed = installed.transpose()?;
    print(&outcome, installed.as_ref(), output, args, out)?;
    Ok(match outcome.ended {
        Ended::Stopped => ExitCode::from(stop.load(Ordering::Relaxed)),
        Ended::Done | Ended::Early => ExitCode::SUCCESS,
    })
}

fn start_threads(threads: Option<usize>) -> Result<()> {
    let Some(threads) = threads else {
        return Ok(());
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
    pool.build_global().context("threads cannot be started")
}

fn not_stored(output: &Path) -> String {
    format!(
        "the trained weights cannot be stored; {} keeps them, and the same command tries again. Values \
         that are too large for `save.dtype` fit into \"bf16\"",
        output.display()
    )
}

fn print(
    outcome: &Outcome,
    installed: Option<&Installed>,
    output: &Path,
    args: &TrainArgs,
    out: &mut dyn Write,
) -> Result<()> {
    let (place, best) = (&outcome.place, outcome.best());
    if args.json {
        let ended = match outcome.ended {
            Ended::Done => "done",
            Ended::Early => "early",
            Ended::Stopped => "stopped",
        };
        let figures = json!({
            "ended": ended,
            "step": place.step,
            "steps": outcome.steps,
            "tokens": place.tokens,
            "trained_values": outcome.trained_values,
            "best": best,
            "checkpoint": installed.map(|installed| installed.id.as_str()),
            "rows": outcome.counts,
        });
        writeln!(out, "{}", serde_json::to_string_pretty(&figures)?)?;
        return Ok(());
    }
    let (step, steps) = (place.step, outcome.steps);
    let shown = output.display();
    match outcome.ended {
        Ended::Done => writeln!(out, "{steps} steps are done; {shown} has states and report")?,
        Ended::Early => writeln!(
            out,
            "ended after step {step} of {steps}: the held-out rows' exact match rises no more"
        )?,
        Ended::Stopped => {
            let again = match args.fresh {
                true => "the same command without `--fresh` goes on, with it the run begins anew",
                false => "the same command goes on",
            };
            writeln!(out, "stopped after step {step} of {steps}; {again}")?;
        }
    }
    if let Some(best) = &best {
        writeln!(out, "best: {}", sentence(best))?;
    }
    if best.is_some_and(|best| best.step == 0) && outcome.ended != Ended::Stopped {
        writeln!(
            out,
            "no measurement was better than the one before step 1: nothing is put into the store"
        )?;
    }
    if let Some(installed) = installed {
        writeln!(out, "checkpoint {} is in the store", installed.id)?;
    }
    Ok(())
}
