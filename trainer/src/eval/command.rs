//! `truefill-trainer eval`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::Ordering;

use anyhow::{Result, ensure};
use clap::Args;
use truefill_model::store::{Store, slug};

use super::backend::ServerConfig;
use super::deliver::Delivery;
use super::figures::{Bootstrap, Comparison, RowFigures, compare};
use super::output::{self, Evaluated, ModelInfo};
use super::recipe::{EvalRecipe, SuiteRecipe};
use super::row::EvalRow;
use super::run::Evaluation;
use super::subject::{Programs, Subject, add_evidence};
use super::suite::{self, Form, Loaded, Suite};
use super::tables;
use crate::corpus::stable_digest;
use crate::progress::Progress;
use crate::signals;
use crate::stored::{self, Opened};
use crate::usage::Usage;

/// Measure a checkpoint on benchmarks and held-out rows
///
/// Completes every row of a suite, compares it with the golden completion, asks how likely the golden
/// and the rejected completion are where a suite has both, and runs the tests of suites that have some,
/// in a sandbox without a network (Linux, bubblewrap; docs/eval.md). Figures are shown for all rows,
/// by type and by language, with 95 % intervals for other repositories or problems.
///
/// What was completed is kept at once: the same command goes on where it was stopped, and another
/// checkpoint's figures do not hang on when they were made. The folder gets SUITE.json with the figures
/// and SUITE.rows.jsonl.zst with what the model wrote; `truefill-trainer report` makes pages of them.
///
/// Examples:
///   truefill-trainer eval --suite humaneval-infilling --data HumanEval-SingleLineInfilling.jsonl.gz
///   truefill-trainer eval --suite pairs --data pairs.jsonl --model run-7 --out evaluations/run-7
///   truefill-trainer eval --suite pairs --data pairs.jsonl --model run-8 --against evaluations/run-7
///   truefill-trainer eval --recipe recipe.toml
///   truefill-trainer eval --suite safim --data safim --server http://gpu:8000 --server-model qwen
#[derive(Clone, Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct EvalArgs {
    /// The benchmark
    #[arg(long, value_name = "NAME", requires = "data")]
    pub suite: Option<Suite>,
    /// Its file, or a folder of its files (may be given several times)
    #[arg(long, value_name = "PATH", requires = "suite")]
    pub data: Vec<PathBuf>,
    /// A recipe with `[eval]`; flags replace its keys, `--suite` its suites
    #[arg(long, value_name = "FILE")]
    pub recipe: Option<PathBuf>,
    /// The checkpoint: a file, a folder, or an id or alias in the store [default: the recipe's, or
    /// `default`]
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// A server with OpenAI's protocol in the checkpoint's place
    #[arg(
        long,
        value_name = "URL",
        requires = "server_model",
        conflicts_with = "model"
    )]
    pub server: Option<String>,
    /// The model's name at the server
    #[arg(long, value_name = "NAME", requires = "server")]
    pub server_model: Option<String>,
    /// Where figures and rows are written [default: `evaluations/` and the model's name]
    #[arg(long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,
    /// Compare with what is in this folder, row by row
    #[arg(long, value_name = "FOLDER")]
    pub against: Option<PathBuf>,
    /// Rows of the suite at most, drawn by the seed
    #[arg(long, value_name = "ROWS")]
    pub limit: Option<usize>,
    /// How tasks are asked that have both forms
    #[arg(long, value_name = "FORM")]
    pub form: Option<Form>,
    /// Tokens of a prompt at most [default: 2048]
    #[arg(long, value_name = "TOKENS")]
    pub context_tokens: Option<usize>,
    /// Tokens of a completion at most [default: 128 in a hole, 512 for a program]
    #[arg(long, value_name = "TOKENS")]
    pub max_tokens: Option<usize>,
    /// The FIM format [default: the checkpoint's]
    #[arg(long, value_name = "NAME")]
    pub format: Option<String>,
    /// Rows that are completed at a time [default: 8, 64 on a GPU, 16 at a server]
    #[arg(long, value_name = "ROWS")]
    pub width: Option<usize>,
    /// Of every draw
    #[arg(long, value_name = "NUMBER")]
    pub seed: Option<u64>,
    /// `auto`, `cpu`, `cuda` or `cuda:N`
    #[arg(long)]
    pub device: Option<String>,
    /// Run no programs
    #[arg(long)]
    pub no_run: bool,
    /// The Python that runs programs
    #[arg(long, value_name = "PATH")]
    pub python: Option<PathBuf>,
    /// Results that are kept [default: `evaluations/` in the store]
    #[arg(long, value_name = "FOLDER")]
    pub cache: Option<PathBuf>,
    /// The store of checkpoints [default: the user's]
    #[arg(long, value_name = "FOLDER")]
    pub store: Option<PathBuf>,
    /// Print figures as JSON
    #[arg(long)]
    pub json: bool,
}

impl EvalArgs {
    fn recipe(&self) -> Result<EvalRecipe> {
        let mut recipe: EvalRecipe = crate::recipe::section(self.recipe.as_deref(), "eval")?;
        let data = recipe.suite.iter_mut().flat_map(|suite| &mut suite.data);
        crate::recipe::found_from(self.recipe.as_deref(), data);
        if let Some(name) = self.suite {
            recipe.suite = vec![SuiteRecipe {
                name,
                data: self.data.clone(),
                title: None,
                limit: None,
                form: Form::default(),
            }];
        }
        for suite in &mut recipe.suite {
            suite.limit = self.limit.or(suite.limit);
            suite.form = self.form.unwrap_or(suite.form);
        }
        if let (Some(url), Some(model)) = (&self.server, &self.server_model) {
            let earlier = recipe.server.take();
            recipe.server = Some(ServerConfig {
                url: url.clone(),
                model: model.clone(),
                api_key_env: earlier.as_ref().and_then(|it| it.api_key_env.clone()),
                chat: earlier.and_then(|it| it.chat),
            });
        }
        if self.model.is_some() {
            recipe.server = None;
        }
        let decoding = &mut recipe.decoding;
        decoding.context_tokens = self.context_tokens.unwrap_or(decoding.context_tokens);
        decoding.max_tokens = self.max_tokens.or(decoding.max_tokens);
        decoding.format = self.format.clone().or(decoding.format.take());
        recipe.width = self.width.or(recipe.width);
        decoding.seed = self.seed.unwrap_or(decoding.seed);
        recipe.seed = self.seed.unwrap_or(recipe.seed);
        recipe.device = self.device.clone().unwrap_or(recipe.device);
        recipe.run &= !self.no_run;
        recipe.python = self.python.clone().unwrap_or(recipe.python);
        if recipe.suite.is_empty() {
            return Err(Usage::error(
                "expected a suite: `--suite NAME --data PATH`, or `[[eval.suite]]` in the recipe",
            ));
        }
        recipe
            .check()
            .map_err(crate::recipe::named(self.recipe.as_deref()))?;
        Ok(recipe)
    }

    fn opened(&self, recipe: &EvalRecipe, store: &Store) -> Result<Opened> {
        match (&self.model, &self.recipe) {
            (None, Some(path)) => Opened::of_recipe(store, path, &recipe.model, None),
            (flag, _) => Opened::open(store, flag.as_ref().unwrap_or(&recipe.model)),
        }
    }
}

/// Runs the step.
///
/// # Errors
/// [`Usage`]; what is wrong with a checkpoint, a suite's file or the sandbox.
pub fn run(args: &EvalArgs, out: &mut dyn Write) -> Result<ExitCode> {
    let recipe = args.recipe()?;
    let against = args.against.as_deref().map(output::read).transpose()?;
    let suites = recipe
        .suite
        .iter()
        .map(|suite| Chosen::load(suite, recipe.seed));
    let suites: Vec<Chosen<'_>> = suites.collect::<Result<_>>()?;
    let has_programs = suites.iter().any(Chosen::has_programs);
    let programs = (recipe.run && has_programs)
        .then(|| Programs::open(&recipe))
        .transpose()?;
    let store = stored::store(args.store.as_deref())?;
    let mut subject = Subject::open(&recipe, || args.opened(&recipe, &store))?;
    let place = Place::of(args, &subject.info, store.root());
    let stop = signals::first("stopping; what was completed is kept. Once more ends it at once")?;
    let progress = Progress::new("eval");
    let runner = programs
        .as_ref()
        .map(|programs| |row: &EvalRow, text: &str| programs.run(row, text));
    let mut failed = 0;
    for chosen in &suites {
        let evaluation = Evaluation {
            rows: &chosen.loaded.rows,
            backend: &mut *subject.backend,
            decoding: &recipe.decoding,
            cache: &place.cache,
            runner: runner.as_ref().map(|run| run as _),
            workers: recipe
                .workers
                .unwrap_or_else(truefill_model::threads::available),
            progress: &progress,
            stop: &|| stop.load(Ordering::Relaxed) != 0,
        };
        let outcome = evaluation.run()?;
        progress.finish();
        if outcome.stopped {
            writeln!(std::io::stderr(), "stopped; the same command goes on")?;
            return Ok(ExitCode::from(stop.load(Ordering::Relaxed)));
        }
        failed += outcome.failed.len();
        let delivery = Delivery {
            folder: &place.folder,
            suite: chosen.suite,
            loaded: &chosen.loaded,
            rows_in_files: chosen.rows_in_files,
            recipe: &recipe,
            info: &subject.info,
        };
        let (evaluated, rows) = delivery.write(&outcome)?;
        add_evidence(&store, &evaluated)?;
        let compared = match (&args.against, &against) {
            (Some(folder), Some(earlier)) => compared(folder, earlier, &evaluated, &rows)?,
            _ => None,
        };
        show(args, &evaluated, compared.as_ref(), out)?;
    }
    ensure!(
        failed == 0,
        "{failed} rows could not be completed and are in no figure; the same command asks again"
    );
    Ok(ExitCode::SUCCESS)
}

/// A suite with the rows that are measured.
struct Chosen<'r> {
    suite: &'r SuiteRecipe,
    loaded: Loaded,
    rows_in_files: u64,
}

impl<'r> Chosen<'r> {
    fn load(suite: &'r SuiteRecipe, seed: u64) -> Result<Self> {
        let mut loaded = suite::load(suite.name, &suite.data, suite.form)?;
        let rows_in_files = loaded.rows.len() as u64;
        if let Some(limit) = suite.limit {
            draw(&mut loaded.rows, limit, seed);
        }
        Ok(Self {
            suite,
            loaded,
            rows_in_files,
        })
    }

    fn has_programs(&self) -> bool {
        self.loaded.rows.iter().any(|row| row.program.is_some())
    }
}

/// Keeps `limit` rows, in their order; a larger limit keeps those of a smaller one.
fn draw(rows: &mut Vec<EvalRow>, limit: usize, seed: u64) {
    let mut lots: Vec<[u8; 32]> = rows
        .iter()
        .map(|row| stable_digest(seed, &[b"eval", row.id.as_bytes()]))
        .collect();
    let own = lots.clone();
    lots.sort_unstable();
    if let Some(last) = limit.checked_sub(1).and_then(|at| lots.get(at)) {
        let mut own = own.iter();
        rows.retain(|_| own.next().is_some_and(|lot| lot <= last));
    }
}

/// Where results go.
struct Place {
    folder: PathBuf,
    cache: PathBuf,
}

impl Place {
    fn of(args: &EvalArgs, info: &ModelInfo, store: &Path) -> Self {
        let named = || Path::new("evaluations").join(slug(&info.name));
        let cache = args.cache.clone();
        let cache = cache.unwrap_or_else(|| store.join("evaluations"));
        Self {
            folder: args.out.clone().unwrap_or_else(named),
            cache: cache.join(output::short_hash(&info.identity)),
        }
    }
}

fn compared(
    folder: &Path,
    earlier: &[Evaluated],
    evaluated: &Evaluated,
    rows: &[RowFigures],
) -> Result<Option<Comparison>> {
    let same = earlier.iter().find(|other| other.suite == evaluated.suite);
    let Some(other) = same else {
        return Ok(None);
    };
    let before = output::read_rows(folder, other)?;
    let before: Vec<RowFigures> = before.into_iter().map(|row| row.figures).collect();
    Ok(Some(compare(&before, rows, Bootstrap::default())))
}

fn show(
    args: &EvalArgs,
    evaluated: &Evaluated,
    compared: Option<&Comparison>,
    out: &mut dyn Write,
) -> Result<()> {
    if args.json {
        let figures = serde_json::json!({ "evaluated": evaluated, "compared": compared });
        writeln!(out, "{}", serde_json::to_string(&figures)?)?;
        return Ok(());
    }
    for table in tables::of(evaluated) {
        writeln!(out, "{}", table.to_text())?;
    }
    match (compared, &args.against) {
        (Some(compared), _) => writeln!(out, "{}", tables::differences(compared).to_text())?,
        (None, Some(folder)) => writeln!(
            out,
            "{} has no figures of `{}` to compare with",
            folder.display(),
            evaluated.suite
        )?,
        (None, None) => {}
    }
    Ok(())
}
