//! `truefill journal`: take the journal along, forget parts of it, make a suggestion again.

mod replay;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use truefill_journal::{
    Forgotten, Query, Reader, Selection, SuggestionId, Texts, UnixMicros, export, forget, names_of,
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
                      of it in memory is not written any more. Where nothing was known of it, the exit \
                      status is 1."
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
            return forgotten(path, &paths);
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
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let new = options
        .open(file)
        .with_context(|| format!("`{name}` cannot be made"))?;
    let lines = export(&reader, query, texts, &mut BufWriter::new(new))?;
    writeln!(std::io::stderr().lock(), "{lines} suggestions in {name}")?;
    Ok(())
}

/// Forgets a path by every name that it may have; fails where the journal knows none of them.
fn forgotten(path: &str, paths: &Paths) -> Result<ExitCode> {
    let mut all = Forgotten {
        log_truncated: true,
        ..Forgotten::default()
    };
    for name in names(path)? {
        let found = forget(&paths.journal(), &Selection::Path(name))?;
        all.suggestions += found.suggestions;
        all.log_truncated &= found.log_truncated;
        all.set_aside = found.set_aside;
    }
    let none = all.suggestions == 0;
    told(all)?;
    Ok(match none {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    })
}

fn told(forgotten: Forgotten) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{} suggestions are forgotten.", forgotten.suggestions)?;
    if let Some(path) = forgotten.set_aside.first() {
        bail!(
            "{} damaged journals were set aside, such as {}, and cannot be looked through: delete them, \
             or everything by `truefill journal purge --all`",
            forgotten.set_aside.len(),
            path.display()
        );
    }
    if !forgotten.log_truncated {
        bail!(
            "somebody was reading the journal, so its log could not be cut: deleted text may stand \
             in it until the same command is run again"
        );
    }
    Ok(())
}

/// What the journal may call a path; a URI of no file stays.
fn names(path: &str) -> Result<Vec<String>> {
    let named = match file_path(path) {
        Some(path) => path,
        None if path.contains(':') && !std::path::Path::new(path).exists() => {
            return Ok(vec![path.to_owned()]);
        }
        None => PathBuf::from(path),
    };
    names_of(&named).with_context(|| format!("`{path}`"))
}

fn days_ago(days: u32) -> UnixMicros {
    system_clock()().days_before(days)
}
