//! `truefill-trainer eval`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::Ordering;

use anyhow::{Result, ensure};
use clap::Args;
use truefill_model::store::{Store, slug};

use super::backend::ServerConfig;
use super::chosen::Chosen;
use super::deliver::Delivery;
use super::figures::{Bootstrap, Comparison, RowFigures, compare};
use super::gate::{self, GateRecipe};
use super::holes::{Choice, Surroundings};
use super::output::{self, Evaluated, ModelInfo};
use super::recipe::{EvalRecipe, SuiteRecipe};
use super::run::{Evaluation, Runner};
use super::subject::{Programs, Subject, add_evidence};
use super::suite::{Form, Suite};
use super::tables;
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
/// `holes` cuts holes into a repository of yours, completes them and runs the repository's own tests on
/// a copy of it. Holes that the tests do not notice are passed over.
///
/// What was completed is kept at once: the same command goes on where it was stopped, and another
/// checkpoint's figures do not hang on when they were made. The folder gets SUITE.json with the figures
/// and SUITE.rows.jsonl.zst with what the model wrote; `truefill-trainer report` makes pages of them.
///
/// Examples:
///   truefill-trainer eval --suite humaneval-infilling --data HumanEval-SingleLineInfilling.jsonl.gz
///   truefill-trainer eval --suite pairs --data test/pairs.jsonl --model run-7 --out eval/run-7
///   truefill-trainer eval --suite pairs --data test/pairs.jsonl --against eval/run-7
///   truefill-trainer eval --suite holes --data . --test ./run-tests.sh
///   truefill-trainer eval --recipe recipe.toml --model run-8 --against eval/run-7 --gate
///   truefill-trainer eval --suite safim --data safim --server URL --server-model qwen
#[derive(Clone, Debug, Default, Args)]
#[command(verbatim_doc_comment)]
pub struct EvalArgs {
    /// The benchmark
    #[arg(long, value_name = "NAME", requires = "data")]
    pub suite: Option<Suite>,
    /// Its file, or a folder of its files (may be given several times); of `holes` a repository
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
    /// Ask whether it may take the place of what `--against` has, by the recipe's `[promote]`; 1 where
    /// not
    #[arg(long, requires = "against")]
    pub gate: bool,
    /// Rows of the suite at most, drawn by the seed [default: all; 50 of `holes`]
    #[arg(long, value_name = "ROWS")]
    pub limit: Option<usize>,
    /// Of `holes`: the command that tests the repository, run by bash in a copy of it
    #[arg(long, value_name = "COMMAND", requires = "suite")]
    pub test: Option<String>,
    /// Of `holes`: what the tests need beside the repository and /usr, seen read-only (may be given
    /// several times)
    #[arg(long = "mount", value_name = "PATH", requires = "suite")]
    pub mounts: Vec<PathBuf>,
    /// Of `holes`: seconds that the tests may take [default: 300]
    #[arg(long, value_name = "SECONDS", requires = "suite")]
    pub timeout: Option<u64>,
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
        let around = Surroundings::of_process();
        for suite in &mut recipe.suite {
            for mount in &mut suite.mounts {
                *mount = around.filled(std::mem::take(mount));
            }
            let paths = suite.data.iter_mut().chain(&mut suite.mounts);
            crate::recipe::found_from(self.recipe.as_deref(), paths);
        }
        if let Some(name) = self.suite {
            recipe.suite = vec![SuiteRecipe {
                name,
                data: self.data.clone(),
                title: None,
                limit: None,
                form: Form::default(),
                test: self.test.clone(),
                mounts: self.mounts.clone(),
                timeout: self.timeout,
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
    let gate: GateRecipe = crate::recipe::section(args.recipe.as_deref(), "promote")?;
    gate.check()
        .map_err(crate::recipe::named(args.recipe.as_deref()))?;
    let around = Surroundings::of_process();
    let suites = recipe
        .suite
        .iter()
        .map(|suite| Chosen::load(suite, recipe.seed, &around));
    let suites: Vec<Chosen<'_>> = suites.collect::<Result<_>>()?;
    let has_programs = suites.iter().any(Chosen::has_programs);
    let programs = (recipe.run && has_programs)
        .then(|| Programs::open(&recipe))
        .transpose()?;
    let store = stored::store(args.store.as_deref())?;
    let subject = Subject::open(&recipe, || args.opened(&recipe, &store))?;
    let place = Place::of(args, &subject.info, store.root());
    let stop = signals::first("stopping; what was completed is kept. Once more ends it at once")?;
    let mut session = Session {
        args,
        recipe: &recipe,
        store: &store,
        place,
        against,
        programs,
        subject,
        progress: Progress::new("eval"),
        stop: &|| stop.load(Ordering::Relaxed) != 0,
    };
    for chosen in &suites {
        chosen.check(&session.progress)?;
    }
    let mut failed = 0;
    for chosen in &suites {
        let Some(more) = session.measure(chosen, out)? else {
            session.progress.finish();
            writeln!(std::io::stderr(), "stopped; the same command goes on")?;
            return Ok(ExitCode::from(stop.load(Ordering::Relaxed)));
        };
        failed += more;
    }
    ensure!(
        failed == 0,
        "{failed} rows could not be completed and are in no figure; the same command asks again"
    );
    match args.against.as_deref().filter(|_| args.gate) {
        Some(before) => judge(args, &gate, before, &session.place.folder, out),
        None => Ok(ExitCode::SUCCESS),
    }
}

/// Asks the gate, and ends with what it says.
fn judge(
    args: &EvalArgs,
    gate: &GateRecipe,
    before: &Path,
    after: &Path,
    out: &mut dyn Write,
) -> Result<ExitCode> {
    let judgement = gate::judge(gate, before, after)?;
    match args.json {
        true => writeln!(out, "{}", serde_json::to_string(&judgement)?)?,
        false => writeln!(out, "{}", tables::judgement(&judgement).to_text())?,
    }
    Ok(match judgement.passed {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// What the suites of a run share.
struct Session<'a> {
    args: &'a EvalArgs,
    recipe: &'a EvalRecipe,
    store: &'a Store,
    place: Place,
    against: Option<Vec<Evaluated>>,
    programs: Option<Programs>,
    subject: Subject,
    progress: Progress,
    stop: &'a (dyn Fn() -> bool + Sync),
}

impl Session<'_> {
    /// Measures with a suite, writes and shows. How many rows failed; nothing where it was told to stop.
    fn measure(&mut self, chosen: &Chosen<'_>, out: &mut dyn Write) -> Result<Option<usize>> {
        let repository = chosen.repository().map(|it| it as &dyn Runner);
        let programs = self.programs.as_ref().map(|it| it as &dyn Runner);
        // A repository's tests use all cores themselves.
        let workers = match repository {
            Some(_) => 1,
            None => truefill_model::threads::available(),
        };
        let choice = Choice {
            seed: self.recipe.seed,
            cache: &self.place.shared,
            workers: self.recipe.workers.unwrap_or(workers),
            progress: &self.progress,
            stop: self.stop,
        };
        let Some((loaded, rows_in_files)) = chosen.rows(&choice)? else {
            return Ok(None);
        };
        let evaluation = Evaluation {
            rows: &loaded.rows,
            backend: &mut *self.subject.backend,
            decoding: &self.recipe.decoding,
            cache: &self.place.cache,
            runner: repository.or(programs),
            workers: choice.workers,
            progress: &self.progress,
            stop: self.stop,
        };
        let outcome = evaluation.run()?;
        if outcome.stopped {
            return Ok(None);
        }
        self.progress.finish();
        let delivery = Delivery {
            folder: &self.place.folder,
            suite: chosen.suite,
            loaded: &loaded,
            rows_in_files,
            recipe: self.recipe,
            info: &self.subject.info,
        };
        let (evaluated, rows) = delivery.write(&outcome)?;
        add_evidence(self.store, &evaluated)?;
        let compared = match (&self.args.against, &self.against) {
            (Some(folder), Some(earlier)) => compared(folder, earlier, &evaluated, &rows)?,
            _ => None,
        };
        show(self.args, &evaluated, compared.as_ref(), out)?;
        Ok(Some(outcome.failed.len()))
    }
}

/// Where results go.
struct Place {
    folder: PathBuf,
    /// The model's own results.
    cache: PathBuf,
    /// What no model has to do with.
    shared: PathBuf,
}

impl Place {
    fn of(args: &EvalArgs, info: &ModelInfo, store: &Path) -> Self {
        let named = || Path::new("evaluations").join(slug(&info.name));
        let shared = args.cache.clone();
        let shared = shared.unwrap_or_else(|| store.join("evaluations"));
        Self {
            folder: args.out.clone().unwrap_or_else(named),
            cache: shared.join(output::short_hash(&info.identity)),
            shared,
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
    for note in &evaluated.notes {
        writeln!(out, "note: {note}")?;
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
