//! `truefill-trainer promote`: a checkpoint takes the served one's place, if the gate lets it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use serde::Serialize;
use sha2::{Digest, Sha256};
use truefill_model::store::{Alias, Arm, CheckpointId, FileName, Serving, Store, StoreError, slug};

use crate::eval::command::{Ended, EvalArgs, Measured, measure};
use crate::eval::gate::Judgement;
use crate::stored;

/// Put a checkpoint that passes the gate into service
///
/// Measures what is served now and the candidate on the recipe's suites, both alike, asks the gate
/// (`[promote]`), writes its judgement beside the candidate's manifest, and changes what is served:
/// running servers take the candidate over between two requests. Where the gate refuses, or somebody
/// else changed what is served meanwhile, nothing is changed and the exit status is 1.
///
/// With `--canary 10` the candidate gets ten percent of the work as an arm of its own, to be compared
/// by `truefill stats`. The arm is called as the candidate is called here. `truefill arms rollback` takes either back.
///
/// Examples:
///   truefill-trainer promote run-7 --recipe recipe.toml
///   truefill-trainer promote run-7 --suite pairs --data data/test/pairs.jsonl --canary 10
#[derive(Clone, Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct PromoteArgs {
    /// The candidate: an id or alias in the store
    pub candidate: String,
    /// What is measured, and where things lie
    #[command(flatten)]
    pub measured: Measured,
    /// A recipe with `[eval]` and `[promote]`
    #[arg(long, value_name = "FILE", required_unless_present = "suite")]
    pub recipe: Option<PathBuf>,
    /// Give it this percentage of the work, beside what is served now, instead of all
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    pub canary: Option<f64>,
    /// Ask the gate, and change nothing
    #[arg(long, conflicts_with = "canary")]
    pub dry_run: bool,
    /// Where figures and rows are written [default: `promotions/` and the candidate's id]
    #[arg(long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,
}

fn percent(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok();
    let fits = number.filter(|it| *it > 0.0 && *it < 100.0);
    fits.ok_or_else(|| format!("expected a number between 0 and 100, found `{text}`"))
}

/// What is written beside the candidate's manifest.
#[derive(Serialize)]
struct Evidence<'a> {
    candidate: &'a CheckpointId,
    incumbent: &'a CheckpointId,
    canary_percent: Option<f64>,
    judgement: &'a Judgement,
}

/// Runs the step.
///
/// # Errors
/// What is wrong with a checkpoint or a suite; where somebody else changed what is served.
pub fn run(args: &PromoteArgs, out: &mut dyn Write) -> Result<ExitCode> {
    let store = stored::store(args.measured.store.as_deref())?;
    let before = store.serving()?;
    let candidate = store.find(&args.candidate)?;
    let incumbent = incumbent(&store, &before)?;
    if candidate == incumbent {
        writeln!(
            std::io::stderr(),
            "`{candidate}` is what is served already; nothing is changed"
        )?;
        return Ok(ExitCode::SUCCESS);
    }
    let folder = args.out.clone();
    let folder = folder.unwrap_or_else(|| Path::new("promotions").join(slug(candidate.as_str())));
    let judgement = match judged(args, &candidate, &incumbent, &folder, out)? {
        Ended::Judged(judgement) => judgement,
        Ended::Stopped(code) => return Ok(ExitCode::from(code)),
        Ended::Measured => bail!("the gate was not asked"),
    };
    let evidence = Evidence {
        candidate: &candidate,
        incumbent: &incumbent,
        canary_percent: args.canary,
        judgement: &judgement,
    };
    keep(&store, &evidence)?;
    if !judgement.passed {
        writeln!(
            std::io::stderr(),
            "`{candidate}` is not promoted: the gate refuses it; `{incumbent}` goes on"
        )?;
        return Ok(ExitCode::FAILURE);
    }
    if args.dry_run {
        writeln!(
            std::io::stderr(),
            "the gate lets `{candidate}` pass; nothing is changed"
        )?;
        return Ok(ExitCode::SUCCESS);
    }
    let gone = before.arms.iter().filter(|arm| {
        arm.checkpoint != candidate && (args.canary.is_none() || arm.checkpoint != incumbent)
    });
    let gone: Vec<&str> = gone.map(|arm| arm.name.as_str()).collect();
    let now = switched(
        &store,
        &before,
        &args.candidate,
        &candidate,
        &incumbent,
        args.canary,
    )?;
    let share = args.canary.unwrap_or(100.0);
    writeln!(
        std::io::stderr(),
        "`{candidate}` gets {share} % of the work (generation {}); `truefill arms rollback` takes it back",
        now.generation
    )?;
    if !gone.is_empty() {
        let names = gone.join(", ");
        writeln!(std::io::stderr(), "no longer among the arms: {names}")?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The first arm that is shown.
fn champion(serving: &Serving) -> Option<&Arm> {
    serving.arms.iter().find(|arm| arm.weight > 0.0)
}

/// What is served: the first arm's checkpoint, or the default.
fn incumbent(store: &Store, serving: &Serving) -> Result<CheckpointId> {
    match champion(serving) {
        Some(arm) => Ok(arm.checkpoint.clone()),
        None => store
            .find("default")
            .context("nothing is served yet that the candidate could be held against"),
    }
}

/// Measures both alike.
fn judged(
    args: &PromoteArgs,
    candidate: &CheckpointId,
    incumbent: &CheckpointId,
    folder: &Path,
    out: &mut dyn Write,
) -> Result<Ended> {
    let of = |id: &CheckpointId, name: &str| EvalArgs {
        measured: args.measured.clone(),
        recipe: args.recipe.clone(),
        model: Some(id.as_str().to_owned()),
        out: Some(folder.join(name)),
        ..EvalArgs::default()
    };
    match measure(&of(incumbent, "incumbent"), out)? {
        Ended::Measured => {}
        ended => return Ok(ended),
    }
    let against = EvalArgs {
        against: Some(folder.join("incumbent")),
        gate: true,
        ..of(candidate, "candidate")
    };
    measure(&against, out)
}

fn keep(store: &Store, evidence: &Evidence<'_>) -> Result<()> {
    let text = serde_json::to_string_pretty(evidence)?;
    let hash = hex::encode(&Sha256::digest(text.as_bytes())[..6]);
    let name: FileName = format!("promotion-{hash}.json")
        .parse()
        .map_err(|why: String| anyhow!(why))?;
    Ok(store.add_evidence(evidence.candidate, &name, text.as_bytes())?)
}

/// Changes what is served, if nobody else did since it was read. An arm has the name by which its checkpoint was
/// addressed.
fn switched(
    store: &Store,
    before: &Serving,
    addressed: &str,
    candidate: &CheckpointId,
    incumbent: &CheckpointId,
    canary: Option<f64>,
) -> Result<Serving> {
    let named = |name: &str| name.parse::<Alias>().map_err(|why| anyhow!(why));
    let challenger = named(addressed)?;
    let arms = match canary {
        None => vec![Arm::new(challenger, candidate.clone(), 100.0)],
        Some(percent) => {
            let champion = match champion(before) {
                Some(arm) => arm.name.clone(),
                None => named("default")?,
            };
            // An alias may have been moved since the arm was named after it.
            let challenger = match challenger == champion {
                true => named(candidate.as_str())?,
                false => challenger,
            };
            vec![
                Arm::new(champion, incumbent.clone(), 100.0 - percent),
                Arm::new(challenger, candidate.clone(), percent),
            ]
        }
    };
    let salt = match before.salt.is_empty() {
        true => hex::encode(&Sha256::digest(format!("{incumbent} {candidate}"))[..8]),
        false => before.salt.clone(),
    };
    let new = Serving {
        salt,
        unit: before.unit,
        arms,
        ..Serving::default()
    };
    match store.swap_serving(before.generation, new) {
        Err(StoreError::Conflict { expected, found }) => bail!(
            "what is served was changed meanwhile (generation {found}, measured against {expected}): nothing \
             was changed here; the same command measures again, with what is kept"
        ),
        result => Ok(result?),
    }
}
