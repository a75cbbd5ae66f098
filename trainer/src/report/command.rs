//! `truefill-trainer report`.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::charts::FoolRate;
use super::page::{Options, Page};
use super::study::{Folder, Study};
use crate::rows::write_file;
use crate::usage::Usage;

/// Show evaluations as a page
///
/// Of one folder that `eval` wrote: figures by suite, by type and by language with 95 % intervals,
/// charts, rows to read that the checkpoint got wrong, and where all of it comes from. Of several
/// folders: a comparison with the first, row by row; a gain is marked as one only where its
/// interval tells it apart.
///
/// The folder gets report.html, one page that needs neither a network nor scripts, and report.md
/// with the same tables and rows. The same folders give the same files.
///
/// Examples:
///   truefill-trainer report evaluations/run-7
///   truefill-trainer report base=evaluations/default sft=evaluations/run-7 --out report
///   truefill-trainer report base=evaluations/default sft-10k=evaluations/a sft-100k=evaluations/b
///   truefill-trainer report base=runs/0 a=runs/a b=runs/b --sizes a=2500 b=25000
///   truefill-trainer report evaluations/run-7 --data data/curated.manifest.json --failures 50
#[derive(Clone, Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    /// Folders with figures, the base first; what is before a `=` is the checkpoint's name on the page
    /// [default: its model's]
    #[arg(required = true, value_name = "[NAME=]FOLDER")]
    pub folders: Vec<Folder>,
    /// Where the page is written
    #[arg(long, value_name = "FOLDER", default_value = "report")]
    pub out: PathBuf,
    /// Rows to read of each suite at most
    #[arg(long, value_name = "ROWS", default_value_t = 20)]
    pub failures: usize,
    /// Rows that checkpoints were trained on, for curves over them [default: told by names as `sft-25k`]
    #[arg(long, value_name = "NAME=ROWS", num_args = 1.., value_parser = size)]
    pub sizes: Vec<(String, u64)>,
    /// The `curated.manifest.json` of the training data, for its fool rates
    #[arg(long, value_name = "FILE")]
    pub data: Option<PathBuf>,
    /// Draws the rows to read and the clusters of gains' intervals
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub seed: u64,
    /// Print where the files are as JSON
    #[arg(long)]
    pub json: bool,
}

fn size(text: &str) -> Result<(String, u64), String> {
    let parted = text.split_once('=');
    let found = parted.and_then(|(name, rows)| Some((name.to_owned(), rows.parse().ok()?)));
    found
        .filter(|(_, rows)| *rows > 0)
        .ok_or_else(|| format!("expected NAME=ROWS with a number of rows, found `{text}`"))
}

/// Runs the step.
///
/// # Errors
/// [`Usage`]; folders without figures, files that cannot be written.
pub fn run(args: &Args, out: &mut dyn Write) -> Result<()> {
    let fool_rate = args.data.as_deref().map(FoolRate::read).transpose()?;
    let study = Study::read(&args.folders, args.seed)?;
    let stray = args
        .sizes
        .iter()
        .find(|(name, _)| !study.names.contains(name));
    if let Some((name, _)) = stray {
        return Err(Usage::error(format!(
            "`--sizes`: expected a checkpoint of this report, one of {}; found `{name}`",
            study.names.join(", ")
        )));
    }
    for warning in study.warnings() {
        writeln!(std::io::stderr(), "warning: {warning}")?;
    }
    let options = Options {
        failures: args.failures,
        sizes: args.sizes.clone(),
        fool_rate,
    };
    let page = Page::new(&study, &options);
    let html = write(&args.out, "report.html", &page.html()?)?;
    let markdown = write(&args.out, "report.md", &page.markdown()?)?;
    if args.json {
        let files = serde_json::json!({ "html": html, "markdown": markdown });
        writeln!(out, "{files}")?;
    } else {
        writeln!(out, "{}\n{}", html.display(), markdown.display())?;
    }
    Ok(())
}

fn write(folder: &Path, name: &str, text: &str) -> Result<PathBuf> {
    let path = folder.join(name);
    write_file(&path, text.as_bytes())?;
    Ok(path)
}
