//! The command line of `truefill-trainer eval`.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use truefill_model::store::Store;

use super::backend::ServerConfig;
use super::holes::Surroundings;
use super::recipe::{EvalRecipe, SuiteRecipe};
use super::suite::{Form, Suite};
use crate::stored::Opened;
use crate::usage::Usage;

/// What all commands have that measure: `eval` and `promote`.
#[derive(Clone, Debug, Default, Args)]
pub struct Measured {
    /// The benchmark
    #[arg(long, value_name = "NAME", requires = "data")]
    pub suite: Option<Suite>,
    /// Its file, or a folder of its files (may be given several times); of `holes` a repository
    #[arg(long, value_name = "PATH", requires = "suite")]
    pub data: Vec<PathBuf>,
    /// Rows of the suite at most, drawn by the seed [default: all; 50 of `holes`]
    #[arg(long, value_name = "ROWS")]
    pub limit: Option<usize>,
    /// Rows that are completed at a time [default: 8, 64 on a GPU, 16 at a server]
    #[arg(long, value_name = "ROWS")]
    pub width: Option<usize>,
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
    /// What is measured, and where things lie
    #[command(flatten)]
    pub measured: Measured,
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
    /// Of the draws of rows and of intervals' clusters, and of completions where those are drawn
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
}

impl EvalArgs {
    /// The recipe with the flags in it.
    ///
    /// # Errors
    /// What is wrong with the file; [`Usage`].
    pub(super) fn recipe(&self) -> Result<EvalRecipe> {
        let mut recipe: EvalRecipe = crate::recipe::section(self.recipe.as_deref(), "eval")?;
        let around = Surroundings::of_process();
        for suite in &mut recipe.suite {
            for mount in &mut suite.mounts {
                *mount = around.filled(std::mem::take(mount));
            }
            let paths = suite.data.iter_mut().chain(&mut suite.mounts);
            crate::recipe::found_from(self.recipe.as_deref(), paths);
        }
        if let Some(name) = self.measured.suite {
            recipe.suite = vec![SuiteRecipe {
                name,
                data: self.measured.data.clone(),
                title: None,
                limit: None,
                form: Form::default(),
                test: self.test.clone(),
                mounts: self.mounts.clone(),
                timeout: self.timeout,
            }];
        }
        for suite in &mut recipe.suite {
            suite.limit = self.measured.limit.or(suite.limit);
            suite.form = self.form.unwrap_or(suite.form);
        }
        if let (Some(url), Some(model)) = (&self.server, &self.server_model) {
            let earlier = recipe.server.take();
            // A key is for the address that it stands beside.
            let same = earlier.as_ref().filter(|it| it.url == *url);
            recipe.server = Some(ServerConfig {
                url: url.clone(),
                model: model.clone(),
                api_key_env: same.and_then(|it| it.api_key_env.clone()),
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
        recipe.width = self.measured.width.or(recipe.width);
        if decoding.temperature > 0.0 {
            decoding.seed = self.seed.unwrap_or(decoding.seed);
        }
        recipe.seed = self.seed.unwrap_or(recipe.seed);
        recipe.device = self.device.clone().unwrap_or(recipe.device);
        recipe.run &= !self.no_run;
        recipe.python = self.python.clone().unwrap_or(recipe.python);
        if recipe.suite.is_empty() {
            return Err(Usage::error(
                "expected a suite: `--suite NAME --data PATH`, or `[[eval.suite]]` in the recipe",
            ));
        }
        recipe.sound().map_err(|why| self.blamed(&why))?;
        Ok(recipe)
    }

    /// Says which flag is wrong, or which section of the recipe.
    fn blamed(&self, why: &str) -> anyhow::Error {
        let given = [
            ("width", "width", self.measured.width.is_some()),
            ("device", "device", self.device.is_some()),
            (
                "context_tokens",
                "context-tokens",
                self.context_tokens.is_some(),
            ),
            ("max_tokens", "max-tokens", self.max_tokens.is_some()),
            ("limit", "limit", self.measured.limit.is_some()),
            ("test", "test", self.test.is_some()),
            ("mounts", "mount", !self.mounts.is_empty()),
            ("timeout", "timeout", self.timeout.is_some()),
        ];
        let quoted = why.strip_prefix('`').and_then(|it| it.split_once('`'));
        let flag = quoted.and_then(|(key, rest)| {
            let suite = self.measured.suite.map(|suite| suite.to_string());
            let mut given = given.iter().filter(|(_, _, given)| *given);
            match given.find(|(known, ..)| *known == key) {
                Some((_, flag, _)) => Some(format!("`--{flag}`{rest}")),
                None if suite.as_deref() == Some(key) => Some(format!("`--suite {key}`{rest}")),
                None => None,
            }
        });
        let wrong = Usage::error(
            flag.clone()
                .unwrap_or_else(|| format!("section `[eval]`: {why}")),
        );
        match flag {
            Some(_) => wrong,
            None => crate::recipe::named(self.recipe.as_deref())(wrong),
        }
    }

    /// The checkpoint that is named.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn opened(&self, recipe: &EvalRecipe, store: &Store) -> Result<Opened> {
        match (&self.model, &self.recipe) {
            (None, Some(path)) => Opened::of_recipe(store, path, &recipe.model, None),
            (flag, _) => Opened::open(store, flag.as_ref().unwrap_or(&recipe.model)),
        }
    }
}
