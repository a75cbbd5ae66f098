//! `truefill-trainer mine`.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use serde_json::{Value, json};
use truefill_syntax::{Language, parse_on_own_stack, stack_for};

use super::bench::Rates;
use super::recipe::Recipe;
use super::run::{Job, Outcome};
use super::select::ModelSelector;
use crate::panel::http::HttpMember;
use crate::panel::{self, Books};
use crate::progress::Progress;
use crate::recipe;

/// Most files are no larger, in bytes: threads have the stack to parse them without another thread.
const MOST_FILES: usize = 128 << 10;

/// Threads where nobody says how many: each takes up to 80 MB for the search for secrets, and all of
/// them with what is kept of 400,000 files are to stay below 2 GiB.
const THREADS: usize = 16;

/// Cut holes into real repositories: contexts with a golden completion
///
/// Sources are clones (folders with `.git`), archives (.tar.gz, .tgz, .crate, .tar, .gem, .zip,
/// .whl, .nupkg, .jar) and plain folders; each is one repository. Files are left out for their
/// licence, as generated, vendored or minified, for their size, as (near-)duplicates, for secrets,
/// for sentinels, and as parts of benchmarks; the manifest beside the output counts every reason.
/// Calls are kept where they lead to a declared dependency or to the repository itself.
///
/// A run that was interrupted goes on where it stopped when the same command is given again, and
/// gives the same rows. Nothing is fetched and nothing of a repository is run.
///
/// Examples:
///   truefill-trainer mine ~/src/app ~/src/lib.tar.gz --out contexts.jsonl.zst
///   truefill-trainer mine --each corpus/sources --out contexts.jsonl.zst --per-language 5000
///   truefill-trainer mine --recipe recipe.toml --out contexts.jsonl.zst --exclude delulu.csv
#[derive(Clone, Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct MineArgs {
    /// Clones, archives and folders, each one repository
    pub sources: Vec<PathBuf>,
    /// A folder whose entries are sources (may be given several times)
    #[arg(long, value_name = "FOLDER")]
    pub each: Vec<PathBuf>,
    /// The file of rows to write; compressed where it ends in `.zst`
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// A recipe; its table `[mine]` is read, flags replace its keys
    #[arg(long, value_name = "FILE")]
    pub recipe: Option<PathBuf>,
    /// Draws the sample: the same seed gives the same rows
    #[arg(long)]
    pub seed: Option<u64>,
    /// Rows of each language at most; 0 keeps all [default: 50000]
    #[arg(long, value_name = "ROWS")]
    pub per_language: Option<usize>,
    /// Languages to mine, by commas [default: all]
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    pub languages: Vec<Language>,
    /// A benchmark (JSONL or CSV) whose repositories, paths and texts are left out (may be given
    /// several times)
    #[arg(long, value_name = "FILE")]
    pub exclude: Vec<PathBuf>,
    /// Stars and licences of repositories, in TOML or JSON: `[repos."host/owner/name"]`, `stars =
    /// 120`, `license = "MIT"`
    #[arg(long, value_name = "FILE")]
    pub repos: Option<PathBuf>,
    /// Threads [default: one for each core, at most 16]; each takes up to 80 MB
    #[arg(long)]
    pub threads: Option<usize>,
    /// Keep the folder of the run's work, `<out>.work`
    #[arg(long)]
    pub keep_work: bool,
    /// Parse the same files once more with bare tree-sitter, and print its times and their ratio to
    /// the run's, unless an earlier run did a part of the work
    #[arg(long)]
    pub bench: bool,
    /// Print figures as JSON
    #[arg(long)]
    pub json: bool,
}

impl MineArgs {
    /// The recipe with the flags in it.
    fn recipe(&self) -> Result<Recipe> {
        let mut recipe = match &self.recipe {
            Some(path) => Recipe::read(path)?,
            None => Recipe::default(),
        };
        recipe.sources.extend(self.sources.iter().cloned());
        recipe.each.extend(self.each.iter().cloned());
        recipe.exclude.extend(self.exclude.iter().cloned());
        recipe.repos = self.repos.clone().or(recipe.repos);
        recipe.seed = self.seed.unwrap_or(recipe.seed);
        recipe.per_language = self.per_language.unwrap_or(recipe.per_language);
        if !self.languages.is_empty() {
            recipe.languages = self.languages.clone();
        }
        Ok(recipe)
    }

    /// Whom `selector.model` names, ready to be asked.
    fn member(&self, recipe: &Recipe) -> Result<Option<(HttpMember, Books)>> {
        let selector = &recipe.selector;
        let (Some(name), Some(path)) = (&selector.model, &self.recipe) else {
            return Ok(None);
        };
        let ledger = selector.ledger.clone();
        let ledger = ledger.unwrap_or_else(|| panel::ledger_beside(&self.out));
        let members = panel::http::members_of(path)?;
        let names = std::slice::from_ref(name);
        let opened = panel::open(&members, names, &ledger, selector.budget);
        let (mut opened, books) = opened.map_err(recipe::named(Some(path)))?;
        Ok(opened.pop().map(|member| (member, books)))
    }
}

/// Runs the step.
///
/// # Errors
/// What [`Job::run`] says.
pub fn run(args: &MineArgs, out: &mut dyn Write) -> Result<()> {
    let recipe = args.recipe()?;
    let asked = args.member(&recipe)?;
    let prompts = recipe.selector.prompts.as_deref();
    let selector = match &asked {
        Some((member, books)) => Some(ModelSelector::new(member, prompts, Some(books))?),
        None => None,
    };
    let progress = Progress::new("mine");
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = args.threads.unwrap_or(cores.min(THREADS));
    let job = Job {
        recipe: &recipe,
        out: &args.out,
        bench: args.bench,
        keep_work: args.keep_work,
        model: selector.as_ref(),
        progress: &progress,
    };
    let outcome = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .stack_size(stack_for(MOST_FILES))
        .start_handler(|_| parse_on_own_stack(MOST_FILES))
        .build()
        .context("threads cannot be started")?
        .install(|| job.run())?;
    let text = if args.json {
        let Outcome {
            manifest, rates, ..
        } = &outcome;
        let figures = json!({"counts": manifest.counts, "tables": manifest.tables, "rates": rates});
        serde_json::to_string_pretty(&figures)? + "\n"
    } else {
        page(&outcome)
    };
    out.write_all(text.as_bytes())?;
    match outcome.problem {
        Some(problem) => bail!("{problem}"),
        None if outcome.rows() == 0 => bail!("no hole was found; the counts say what was left out"),
        None => Ok(()),
    }
}

/// The figures for people.
fn page(outcome: &Outcome) -> String {
    let counts = &outcome.manifest.counts;
    let of = |name: &str| counts.get(name).copied().unwrap_or(0);
    let mut page = format!(
        "{} rows; {} of {} files kept, in {} sources ({} broken)\n\n",
        of("rows"),
        of("files.kept"),
        of("files.seen"),
        of("sources"),
        of("sources.broken"),
    );
    page += &format!(
        "{:<12} {:>8} {:>8} {:>9}\n",
        "language", "files", "kept", "rows"
    );
    let languages = outcome
        .manifest
        .tables
        .get("languages")
        .and_then(Value::as_array);
    for line in languages.into_iter().flatten() {
        let text = |name: &str| match &line[name] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        page += &format!(
            "{:<12} {:>8} {:>8} {:>9}\n",
            text("language"),
            text("files"),
            text("kept"),
            text("rows")
        );
    }
    page += "\nleft out:\n";
    for (name, count) in counts {
        let (of, reason) = match name.split_once(".rejected.") {
            Some(parts) => parts,
            None => continue,
        };
        page += &format!("  {of:<6} {reason:<22} {count:>9}\n");
    }
    page + &rates(&outcome.rates)
}

fn rates(rates: &Rates) -> String {
    let speed = |bytes: u64, seconds: f64| bytes as f64 / 1e6 / seconds.max(1e-9);
    let mut text = format!(
        "\nfirst reading  {:.1} MB in {:.1} s ({:.1} MB/s)\nsecond reading {:.1} MB in {:.1} s ({:.1} MB/s)\nwriting        {:.1} s\n",
        rates.first_bytes as f64 / 1e6,
        rates.first_seconds,
        speed(rates.first_bytes, rates.first_seconds),
        rates.second_bytes as f64 / 1e6,
        rates.second_seconds,
        speed(rates.second_bytes, rates.second_seconds),
        rates.write_seconds,
    );
    if let Some(bare) = rates.bare {
        text += &format!(
            "bare parsing   {:.1} s for all files that were read, {:.1} s ({:.1} MB/s) for those that stayed\nratio          {:.2} for the whole run and all files (wanted: at least 0.5), {:.2} for the second reading and its own\n",
            bare.read_seconds,
            bare.kept_seconds,
            speed(rates.second_bytes, bare.kept_seconds),
            bare.ratio,
            bare.ratio_second,
        );
    }
    if let Some(peak) = rates.peak_bytes {
        text += &format!("peak memory    {:.0} MB\n", peak as f64 / 1e6);
    }
    text
}
