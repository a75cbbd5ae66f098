//! `truefill arms`: which checkpoints are served, and to how much of the work.

use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context, Result, anyhow, bail};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;
use truefill_model::store::{Alias, Arm, CheckpointId, Serving, Store, StoreError, Unit};

use crate::arms::stopped;
use crate::paths::Paths;

/// What `truefill arms` can be told.
#[derive(Debug, Args)]
pub struct ArmsArgs {
    #[command(subcommand)]
    command: ArmsCommand,
}

#[derive(Debug, Subcommand)]
enum ArmsCommand {
    /// Serve these checkpoints, each to its share
    #[command(
        after_help = "Each arm is NAME=WEIGHT, where a checkpoint of the store has that name, or \
                      NAME=WEIGHT@CHECKPOINT. The first arm is the one that others are compared \
                      with; weights are relative to each other. WEIGHT `shadow` is an arm that is \
                      never shown: it decodes when nothing else does, and is held against what was \
                      written in the end. A running server takes the change over between two \
                      requests, after it has tried the new checkpoints.\n\nExamples:\n  truefill \
                      arms set base=70@default candidate=30@run-7\n  truefill arms set default=100 \
                      run-7=shadow\n  truefill arms set default=50 run-7=50 --unit user"
    )]
    Set(SetArgs),
    /// Show what is served
    Show {
        /// Write one JSON object instead of a table
        #[arg(long)]
        json: bool,
    },
    /// Give an arm's share to the others; its rows stay
    Stop {
        /// The arm
        arm: Alias,
        /// Why, for whoever looks at it later
        #[arg(long, default_value = "stopped by hand")]
        reason: String,
    },
    /// Go back to what was served before the last change
    Rollback,
    /// Compare nothing: serve what is named `default`
    Clear,
}

/// What `truefill arms set` can be told.
#[derive(Debug, Args)]
struct SetArgs {
    /// NAME=WEIGHT[@CHECKPOINT] of each arm, the baseline first
    #[arg(value_name = "ARM", required = true, value_parser = Wanted::parse)]
    arms: Vec<Wanted>,
    /// What gets one arm together, and is compared
    #[arg(long, value_enum, default_value_t = UnitArg::Document)]
    unit: UnitArg,
    /// Assign anew instead of leaving units where they are
    #[arg(long)]
    reassign: bool,
}

/// What is assigned to an arm.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum UnitArg {
    /// A document, for half an hour
    Document,
    /// A folder that the editor has opened
    Workspace,
    /// A user of a machine
    User,
}

/// An arm as it is asked for.
#[derive(Debug, Clone, PartialEq)]
struct Wanted {
    name: Alias,
    /// `None` for a shadow.
    weight: Option<f64>,
    checkpoint: Option<String>,
}

impl Wanted {
    fn parse(text: &str) -> Result<Self, String> {
        let expected =
            || format!("expected `NAME=WEIGHT` or `NAME=WEIGHT@CHECKPOINT`, found `{text}`");
        let (name, rest) = text.split_once('=').ok_or_else(expected)?;
        let (weight, checkpoint) = match rest.split_once('@') {
            Some((weight, checkpoint)) => (weight, Some(checkpoint.to_owned())),
            None => (rest, None),
        };
        let weight = match weight {
            "shadow" => None,
            number => Some(number.parse().map_err(|_| {
                format!("expected a number or `shadow` as the weight of `{name}`, found `{number}`")
            })?),
        };
        Ok(Self {
            name: name.parse()?,
            weight,
            checkpoint,
        })
    }

    fn arm(&self, store: &Store) -> Result<Arm> {
        let named = self.checkpoint.as_deref().unwrap_or(self.name.as_str());
        let checkpoint = store.find(named).map_err(|error| {
            anyhow!(
                "arm `{}`: {error}; `truefill models list` shows what is here",
                self.name
            )
        })?;
        let weight = self.weight.unwrap_or(0.0);
        Ok(Arm {
            shadow: self.weight.is_none(),
            ..Arm::new(self.name.clone(), checkpoint, weight)
        })
    }
}

/// Runs the command.
///
/// # Errors
/// In one sentence, where it fails.
pub fn run(args: &ArmsArgs) -> Result<ExitCode> {
    let store = Store::open(&Paths::from_env()?.store())?;
    let mut out = std::io::stdout().lock();
    run_in(
        args,
        &store,
        &mut || ulid::Ulid::generate().to_string(),
        &mut out,
    )
}

/// Runs the command on a store; `salt` makes a new salt.
///
/// # Errors
/// In one sentence, where it fails.
fn run_in(
    args: &ArmsArgs,
    store: &Store,
    salt: &mut dyn FnMut() -> String,
    out: &mut dyn Write,
) -> Result<ExitCode> {
    let shown = match &args.command {
        ArmsCommand::Set(set) => swap(store, |before| wanted(set, store, before, &mut *salt))?,
        ArmsCommand::Show { json } => {
            let serving = store.serving()?;
            if *json {
                writeln!(out, "{}", as_json(&serving))?;
                return Ok(ExitCode::SUCCESS);
            }
            serving
        }
        ArmsCommand::Stop { arm, reason } => swap(store, |before| stopped(before, arm, reason))?,
        ArmsCommand::Rollback => swap(store, earlier)?,
        ArmsCommand::Clear => swap(store, |before| {
            Ok(Serving {
                arms: Vec::new(),
                ..before
            })
        })?,
    };
    print(&shown, out)?;
    Ok(ExitCode::SUCCESS)
}

/// Tries again where somebody else was quicker.
fn swap(store: &Store, mut change: impl FnMut(Serving) -> Result<Serving>) -> Result<Serving> {
    const TRIES: usize = 20;
    for _ in 0..TRIES {
        let before = store.serving()?;
        let generation = before.generation;
        match store.swap_serving(generation, change(before)?) {
            Err(StoreError::Conflict { .. }) => {}
            result => return result.context("what is served was not changed"),
        }
    }
    bail!("what is served was changed by others {TRIES} times meanwhile; try again")
}

fn wanted(
    set: &SetArgs,
    store: &Store,
    before: Serving,
    salt: &mut dyn FnMut() -> String,
) -> Result<Serving> {
    let arms: Result<Vec<Arm>> = set.arms.iter().map(|arm| arm.arm(store)).collect();
    let fresh = set.reassign || before.salt.is_empty();
    Ok(Serving {
        salt: if fresh { salt() } else { before.salt },
        unit: match set.unit {
            UnitArg::Document => Unit::Document,
            UnitArg::Workspace => Unit::Workspace,
            UnitArg::User => Unit::User,
        },
        arms: arms?,
        ..Serving::default()
    })
}

fn earlier(before: Serving) -> Result<Serving> {
    let Some(past) = before.history.first() else {
        bail!("nothing was changed yet, so there is nothing to go back to");
    };
    Ok(Serving {
        salt: past.salt.clone(),
        unit: past.unit,
        arms: past.arms.clone(),
        ..Serving::default()
    })
}

fn unit(unit: Unit) -> &'static str {
    match unit {
        Unit::Document => "document and half hour",
        Unit::Workspace => "workspace",
        Unit::User => "user",
    }
}

fn state(arm: &Arm, share: f64) -> String {
    match (&arm.stopped, arm.shadow) {
        (Some(reason), _) => format!("stopped: {reason}"),
        (None, true) => "shadow".to_owned(),
        (None, false) => format!("{:.1} %", 100.0 * share),
    }
}

fn print(serving: &Serving, out: &mut dyn Write) -> Result<()> {
    if serving.arms.is_empty() {
        writeln!(
            out,
            "Nothing is compared: the checkpoint `default` is served."
        )?;
        return Ok(());
    }
    let rows: Vec<(String, &CheckpointId, String)> = serving
        .shares()
        .map(|(arm, share)| (arm.name.to_string(), &arm.checkpoint, state(arm, share)))
        .collect();
    let names = rows.iter().map(|(name, ..)| name.len()).max().unwrap_or(0);
    let ids = rows
        .iter()
        .map(|(_, id, _)| id.as_str().len())
        .max()
        .unwrap_or(0);
    for (name, id, state) in &rows {
        writeln!(out, "{name:names$}  {:ids$}  {state}", id.as_str())?;
    }
    let generation = serving.generation;
    writeln!(
        out,
        "Assigned by {}, generation {generation}.",
        unit(serving.unit)
    )?;
    Ok(())
}

fn as_json(serving: &Serving) -> serde_json::Value {
    let arm = |(arm, share): (&Arm, f64)| {
        json!({
            "name": arm.name,
            "checkpoint": arm.checkpoint,
            "share": share,
            "shadow": arm.shadow,
            "stopped": arm.stopped,
        })
    };
    json!({
        "generation": serving.generation,
        "unit": serving.unit,
        "arms": serving.shares().map(arm).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests;
