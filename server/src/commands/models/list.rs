//! `truefill models list`.

use std::process::ExitCode;

use anyhow::Result;
use serde_json::{Value, json};
use truefill_model::store::{Kind, Store, Stored};

use super::context::size;
use super::{ListArgs, ModelsContext};

pub(super) fn run(args: &ListArgs, context: &mut ModelsContext<'_>) -> Result<ExitCode> {
    let store = context.store()?;
    let listing = store.list()?;
    let rows = rows(&store, &listing.checkpoints)?;
    if args.json {
        let damaged: Vec<String> = listing.damaged.iter().map(ToString::to_string).collect();
        let checkpoints: Vec<Value> = rows.iter().map(Row::json).collect();
        let all = json!({ "checkpoints": checkpoints, "damaged": damaged });
        writeln!(context.out, "{all:#}")?;
        return Ok(ExitCode::SUCCESS);
    }
    for error in &listing.damaged {
        writeln!(context.err, "damaged: {error}")?;
    }
    if rows.is_empty() {
        writeln!(
            context.err,
            "no models are installed; `truefill models pull default` fetches the default one"
        )?;
        return Ok(ExitCode::SUCCESS);
    }
    table(&rows, context)?;
    Ok(ExitCode::SUCCESS)
}

/// A checkpoint with the names and arms that stand for it.
struct Row<'a> {
    stored: &'a Stored,
    aliases: Vec<String>,
    arms: Vec<String>,
}

fn rows<'a>(store: &Store, checkpoints: &'a [Stored]) -> Result<Vec<Row<'a>>> {
    let (aliases, serving) = (store.aliases()?, store.serving()?);
    let row = |stored: &'a Stored| {
        let id = stored.manifest.id();
        let named = aliases.iter().filter(|(_, named)| *named == id);
        let served = serving.arms.iter().filter(|arm| arm.checkpoint == *id);
        Row {
            stored,
            aliases: named.map(|(alias, _)| alias.to_string()).collect(),
            arms: served.map(|arm| arm.name.to_string()).collect(),
        }
    };
    Ok(checkpoints.iter().map(row).collect())
}

impl Row<'_> {
    fn json(&self) -> Value {
        let (manifest, about) = (&self.stored.manifest, self.stored.manifest.about());
        json!({
            "id": manifest.id(),
            "kind": about.kind,
            "base": about.base,
            "parent": about.parent,
            "architecture": about.architecture,
            "format": about.format,
            "bytes": manifest.bytes(),
            "aliases": self.aliases,
            "arms": self.arms,
            "source": about.source,
            "created": about.created,
            "folder": self.stored.folder,
        })
    }

    fn cells(&self) -> [String; 5] {
        let (manifest, about) = (&self.stored.manifest, self.stored.manifest.about());
        let architecture = match about.kind {
            Kind::Full => about.architecture.clone(),
            Kind::Adapter => format!("{} adapter", about.architecture),
        };
        [
            manifest.id().to_string(),
            architecture,
            format!("{} v{}", about.format.name, about.format.version),
            size(manifest.bytes()),
            [
                self.aliases.clone(),
                self.arms.iter().map(|arm| format!("arm {arm}")).collect(),
            ]
            .concat()
            .join(", "),
        ]
    }
}

fn table(rows: &[Row<'_>], context: &mut ModelsContext<'_>) -> Result<()> {
    let head = ["ID", "ARCHITECTURE", "FORMAT", "SIZE", "NAMES"].map(str::to_owned);
    let mut lines = vec![head];
    lines.extend(rows.iter().map(Row::cells));
    let width = |column: usize| {
        lines
            .iter()
            .map(|line| line[column].len())
            .max()
            .unwrap_or(0)
    };
    let widths: [usize; 5] = std::array::from_fn(width);
    for line in &lines {
        let padded: Vec<String> = line
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        writeln!(context.out, "{}", padded.join("  ").trim_end())?;
    }
    Ok(())
}
