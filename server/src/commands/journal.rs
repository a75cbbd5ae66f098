//! `truefill journal`: take the journal along, forget parts of it, make a suggestion again.

mod replay;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use truefill_journal::{
    Forgotten, Query, Reader, Selection, SuggestionId, Texts, UnixMicros, export, forget,
    system_clock,
};

use crate::paths::Paths;
use crate::workspace::file_path;

/// What `truefill journal` can be told.
#[derive(Debug, Args)]
pub struct JournalArgs {
    #[command(subcommand)]
    command: JournalCommand,
}

#[derive(Debug, Subcommand)]
enum JournalCommand {
    /// Write the journal as JSON lines
    #[command(
        after_help = "A line is a suggestion with all that became of it. Without `--with-code` no \
                      text of your files is in it, and paths are salted hashes in any case: what \
                      `truefill stats FILE` pools for a team."
    )]
    Export(ExportArgs),
    /// Delete all about a file, or about all files in a folder
    #[command(
        after_help = "What is deleted is overwritten. Running servers go on; what they still hold \
                      of it in memory is not written any more."
    )]
    Forget {
        /// The file or folder; it need not exist any more. Or a document's URI
        path: String,
    },
    /// Delete everything, or what is older
    Purge(PurgeArgs),
    /// Make a suggestion again from the tokens that the journal kept, and compare
    Replay {
        /// The suggestion's id, as `export` shows it
        id: SuggestionId,
        /// Write one JSON object
        #[arg(long)]
        json: bool,
    },
}

/// What `truefill journal export` can be told.
#[derive(Debug, Args)]
struct ExportArgs {
    /// The file to write; standard output where none is named
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Only the last so many days
    #[arg(long, value_name = "DAYS")]
    days: Option<u32>,
    /// Also completions and the code around them, where the journal keeps them
    #[arg(long)]
    with_code: bool,
}

/// What `truefill journal purge` can be told.
#[derive(Debug, Args)]
struct PurgeArgs {
    /// Only what is older than so many days
    #[arg(long, value_name = "DAYS", required_unless_present = "all")]
    older_than: Option<u32>,
    /// Everything
    #[arg(long, conflicts_with = "older_than")]
    all: bool,
}

/// Runs the command.
///
/// # Errors
/// In one sentence, where it fails.
pub fn run(args: &JournalArgs) -> Result<ExitCode> {
    let paths = Paths::from_env()?;
    match &args.command {
        JournalCommand::Export(args) => exported(args, &paths)?,
        JournalCommand::Forget { path } => {
            let path = absolute(path)?;
            told(forget(&paths.journal(), &Selection::Path(path))?)?;
        }
        JournalCommand::Purge(args) => {
            let what = match args.older_than {
                Some(days) => Selection::Before(days_ago(days)),
                None => Selection::All,
            };
            told(forget(&paths.journal(), &what)?)?;
        }
        JournalCommand::Replay { id, json } => return replay::run(*id, *json, &paths),
    }
    Ok(ExitCode::SUCCESS)
}

fn exported(args: &ExportArgs, paths: &Paths) -> Result<()> {
    let reader = Reader::open(&paths.journal())?;
    let query = Query {
        since: args.days.map(days_ago),
        until: None,
    };
    let texts = match args.with_code {
        true => Texts::With,
        false => Texts::Without,
    };
    let Some(file) = &args.out else {
        export(
            &reader,
            query,
            texts,
            &mut BufWriter::new(std::io::stdout().lock()),
        )?;
        return Ok(());
    };
    let name = file.display();
    let new = File::create_new(file).with_context(|| format!("`{name}` cannot be made"))?;
    let lines = export(&reader, query, texts, &mut BufWriter::new(new))?;
    writeln!(std::io::stderr().lock(), "{lines} suggestions in {name}")?;
    Ok(())
}

fn told(forgotten: Forgotten) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{} suggestions are forgotten.", forgotten.suggestions)?;
    if !forgotten.log_truncated {
        bail!(
            "somebody was reading the journal, so its log could not be cut: deleted text may stand \
             in it until the same command is run again"
        );
    }
    Ok(())
}

/// A path as the journal knew it: absolute, without links being followed; a URI of no file stays.
fn absolute(path: &str) -> Result<String> {
    let named = match file_path(path) {
        Some(path) => path,
        None if path.contains(':') && !std::path::Path::new(path).exists() => {
            return Ok(path.to_owned());
        }
        None => PathBuf::from(path),
    };
    let absolute = std::path::absolute(&named).with_context(|| format!("`{path}`"))?;
    let text = absolute.to_string_lossy();
    let bare = text.trim_end_matches(std::path::MAIN_SEPARATOR);
    Ok(bare.to_owned())
}

fn days_ago(days: u32) -> UnixMicros {
    let micros = 86_400_000_000 * i64::from(days);
    UnixMicros(system_clock()().0.saturating_sub(micros))
}
