//! `truefill models verify`.

use std::process::ExitCode;

use anyhow::Result;
use truefill_model::store::{CheckpointId, FileCheck, Found, Verification};

use super::meter::Meter;
use super::{ModelsContext, VerifyArgs};

pub(super) fn run(args: &VerifyArgs, context: &mut ModelsContext<'_>) -> Result<ExitCode> {
    let store = context.store()?;
    let (ids, mut sound) = match &args.id {
        Some(id) => (vec![store.find(id)?], true),
        None => {
            let listing = store.list()?;
            for error in &listing.damaged {
                writeln!(context.out, "damaged  {error}")?;
            }
            let ids: Vec<CheckpointId> = listing
                .checkpoints
                .iter()
                .map(|stored| stored.manifest.id().clone())
                .collect();
            (ids, listing.damaged.is_empty())
        }
    };
    for id in &ids {
        let bytes = store.get(id)?.manifest.bytes();
        let what = format!("hashing {id}");
        let meter = Meter::start(&what, Some(bytes), context.look, context.err)?;
        let verification = store.verify(id, &mut |file| meter.add(file.bytes))?;
        drop(meter);
        sound &= verification.holds();
        tell(&verification, context)?;
    }
    if ids.is_empty() && sound {
        writeln!(context.err, "no models are installed")?;
    }
    Ok(if sound {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn tell(verification: &Verification, context: &mut ModelsContext<'_>) -> Result<()> {
    let id = &verification.id;
    for check in &verification.files {
        let name = &check.expected.name;
        if check.holds() {
            writeln!(context.out, "ok       {id}/{name}")?;
        } else {
            writeln!(context.out, "damaged  {id}/{name}: {}", difference(check))?;
        }
    }
    for name in &verification.unlisted {
        writeln!(
            context.out,
            "damaged  {id}/{name}: expected no such file, found one"
        )?;
    }
    Ok(())
}

fn difference(check: &FileCheck) -> String {
    let (bytes, sha256) = (check.expected.bytes, &check.expected.sha256);
    match &check.found {
        Found::Missing => format!("expected {bytes} bytes, found no such file"),
        Found::Unreadable(problem) => format!("expected {bytes} bytes, found {problem}"),
        Found::File { bytes: found, .. } if *found != bytes => {
            format!("expected {bytes} bytes, found {found}")
        }
        Found::File { sha256: found, .. } => format!("expected SHA-256 {sha256}, found {found}"),
    }
}
