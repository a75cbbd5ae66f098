//! `truefill-trainer generate`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use serde_json::json;
use truefill_remote::api::money;

use super::batches::{self, Recorder};
use super::panel::Panel;
use super::recipe::Recipe;
use super::run::{self, Work};
use super::tally::Tally;
use super::vocabulary::Vocabulary;
use crate::panel::http::Members;
use crate::progress::Progress;
use crate::rows::{HallucinationType, Input, Manifest, Written};

/// Make hard negatives for contexts: wrong in one name, argument or import
///
/// Each generator proposes one candidate for each type. What is not one line where one is due, equals
/// the golden completion, changes more than one method, argument, identifier or import, or brings a
/// name that the file has or that tells on itself, is dropped and counted.
///
/// Generators: `mutate` (rules with the repository's own words; no network; the default), `local` (a
/// checkpoint's own wrong samples), the name of a `[members.NAME]` in the recipe (an API), and
/// `teacher:NAME` (FGit's prompt: three variants, the most similar is kept).
///
/// A run that is interrupted and started again goes on: replies are kept in a ledger beside the
/// output. `--budget` bounds what all runs with one ledger spend.
///
/// Examples:
///   truefill-trainer generate contexts.jsonl.zst --out negatives.jsonl.zst
///   truefill-trainer generate contexts.jsonl --out negatives.jsonl --generators mutate,local --model DIR
///   truefill-trainer generate contexts.jsonl --out negatives.jsonl --recipe recipe.toml --budget 20
#[derive(Debug, Clone, Args)]
#[command(verbatim_doc_comment)]
pub struct GenerateArgs {
    /// Contexts, as `mine` writes them
    contexts: PathBuf,
    /// Where the negatives go; a name that ends in `.zst` is compressed
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// A recipe with `[generate]` and `[members.NAME]`
    #[arg(long, value_name = "FILE")]
    recipe: Option<PathBuf>,
    /// Types that are asked for [default: the four of the recipe]
    #[arg(long, value_delimiter = ',', value_enum)]
    types: Option<Vec<Asked>>,
    /// Generators, by commas [default: the recipe's, or mutate]
    #[arg(long, value_delimiter = ',')]
    generators: Option<Vec<String>>,
    /// Of everything that is drawn
    #[arg(long)]
    seed: Option<u64>,
    /// The checkpoint of the generator `local`
    #[arg(long, value_name = "PATH")]
    model: Option<PathBuf>,
    /// Where replies and money are written [default: beside the output]
    #[arg(long, value_name = "FILE")]
    ledger: Option<PathBuf>,
    /// Most that all runs with the ledger may spend, in the unit of the recipe's prices
    #[arg(long, value_name = "MONEY")]
    budget: Option<f64>,
    /// Ask members by OpenAI Batch: write its files and stop, or run them to the end
    #[arg(long, value_name = "WHAT")]
    batch: Option<Batch>,
    /// Where batch files lie [default: beside the output]
    #[arg(long, value_name = "FOLDER", requires = "batch")]
    batch_folder: Option<PathBuf>,
    /// Keep the replies of a batch's output file that was downloaded by other means
    #[arg(long, value_name = "MEMBER=FILE")]
    batch_output: Vec<String>,
    /// Seconds between two looks at a batch
    #[arg(long, default_value_t = 60, requires = "batch")]
    batch_poll_s: u64,
    /// Print the manifest as JSON instead of the table
    #[arg(long)]
    json: bool,
}

/// The types that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Asked {
    Method,
    Parameter,
    UndefinedVariable,
    Import,
}

/// How far a batch goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Batch {
    /// Write the files and stop
    Files,
    /// Upload, create, wait, download, and go on
    Run,
}

impl From<Asked> for HallucinationType {
    fn from(kind: Asked) -> Self {
        match kind {
            Asked::Method => Self::Method,
            Asked::Parameter => Self::Parameter,
            Asked::UndefinedVariable => Self::UndefinedVariable,
            Asked::Import => Self::Import,
        }
    }
}

impl GenerateArgs {
    /// The recipe with what the command line says in its place.
    fn recipe(&self) -> Result<(Recipe, Members)> {
        let (mut recipe, members) = match &self.recipe {
            Some(path) => Recipe::read(path)?,
            None => (Recipe::default(), Members::new()),
        };
        if let Some(types) = &self.types {
            recipe.types = types.iter().map(|kind| (*kind).into()).collect();
        }
        if let Some(generators) = &self.generators {
            recipe.generators.clone_from(generators);
        }
        recipe.seed = self.seed.unwrap_or(recipe.seed);
        recipe.budget = self.budget.or(recipe.budget);
        recipe.ledger = self.ledger.clone().or(recipe.ledger);
        recipe.local.model = self.model.clone().or(recipe.local.model);
        recipe.check()?;
        Ok((recipe, members))
    }

    /// Runs the step; the text is what goes to standard output.
    ///
    /// # Errors
    /// With what was expected, what was found and what to do.
    pub fn run(&self) -> Result<String> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()?;
        runtime.block_on(self.step())
    }

    async fn step(&self) -> Result<String> {
        let (recipe, members) = self.recipe()?;
        let input = Input::of(&self.contexts)?;
        let panel = Panel::open(&recipe, &members, &self.out)?;
        let progress = Progress::new("generate");
        progress.tell("reading the repositories' words");
        let (vocabulary, total) = Vocabulary::gather(&self.contexts)?;
        progress.total(total);
        self.read_outputs(&panel).await?;
        if let Some(batch) = self.batch {
            let files = self.write_batches(&recipe, &panel).await?;
            if batch == Batch::Files {
                return Ok(listed(&files));
            }
            let poll = Duration::from_secs(self.batch_poll_s);
            for (name, files) in &files {
                if let Some(member) = panel.members.get(name) {
                    batches::run(member, files, poll, &|line| progress.tell(line)).await?;
                }
            }
        }
        let work = Work {
            generators: panel.generators(&recipe, &Arc::new(vocabulary))?,
            kinds: recipe.types.clone().into(),
            seed: recipe.seed,
            in_flight: recipe.in_flight,
        };
        let mut seen = |tally: &Tally| progress.at(tally.contexts, &figures(tally, &panel));
        let ran = run::run(&work, &self.contexts, &self.out, &mut seen).await;
        progress.finish();
        let (written, tally) = ran?;
        let manifest = self
            .manifest(&recipe, &members, input, written, &tally, &panel)
            .await?;
        let path = manifest.write_beside(&self.out)?;
        if self.json {
            return Ok(serde_json::to_string_pretty(&manifest)? + "\n");
        }
        let mut text = tally.show();
        text.push_str(&format!(
            "\n{} rows from {} contexts in {}; figures in {}\n",
            tally.kept(),
            tally.contexts,
            self.out.display(),
            path.display()
        ));
        if tally.unanswered() > 0 {
            text.push_str(&format!(
                "{} candidates got no answer; run the same command again to ask for them\n",
                tally.unanswered()
            ));
        }
        Ok(text)
    }

    async fn read_outputs(&self, panel: &Panel) -> Result<()> {
        for given in &self.batch_output {
            let found = given
                .split_once('=')
                .and_then(|(name, path)| Some((panel.members.get(name)?, path)));
            let Some((member, path)) = found else {
                bail!(
                    "expected `--batch-output MEMBER=FILE` with a member of `generators`, found \
                     `{given}`"
                );
            };
            member.client().read_batch_output(path.as_ref()).await?;
        }
        Ok(())
    }

    /// Writes every question that has no answer yet, unless an earlier run did.
    async fn write_batches(&self, recipe: &Recipe, panel: &Panel) -> Result<Files> {
        let beside = self.out.with_extension("batches");
        let folder = self.batch_folder.clone().unwrap_or(beside);
        if let Some(files) = batches::remembered(&folder)? {
            return Ok(files);
        }
        let mut recorders = BTreeMap::new();
        for (name, member) in &panel.members {
            recorders.insert(name.clone(), Arc::new(Recorder::new(member, &folder)?));
        }
        let stand_in = |name: &str| recorders.get(name).map(batches::as_member);
        let work = Work {
            generators: panel.asking_generators(recipe, &stand_in)?,
            kinds: recipe.types.clone().into(),
            seed: recipe.seed,
            // One after the other, so that the files are the same in every run.
            in_flight: 1,
        };
        run::over(&work, &self.contexts, &mut |_| Ok(()), &mut |_| {}).await?;
        let mut files = Files::new();
        for (name, recorder) in recorders {
            files.push((name, recorder.finish().await?));
        }
        batches::remember(&folder, &files)?;
        Ok(files)
    }

    async fn manifest(
        &self,
        recipe: &Recipe,
        members: &Members,
        input: Input,
        written: Written,
        tally: &Tally,
        panel: &Panel,
    ) -> Result<Manifest> {
        let mut manifest = Manifest::new("generate", recipe)?;
        manifest.inputs.push(input);
        manifest.outputs.push(written);
        tally.write_into(&mut manifest);
        if let Some(ledger) = &panel.ledger {
            let asked: BTreeMap<_, _> = members
                .iter()
                .filter(|(name, _)| panel.members.contains_key(*name))
                .collect();
            let totals = ledger.totals().await?;
            let run = ledger.counters().snapshot();
            let similarity = panel.similarity();
            let tables = [
                ("members", json!(asked)),
                ("ledger", json!(totals)),
                ("requests_of_this_run", json!(run)),
                ("teacher_similarity", json!(similarity)),
            ];
            for (name, table) in tables {
                manifest.tables.insert(name.to_owned(), table);
            }
        }
        Ok(manifest)
    }
}

type Files = Vec<(String, Vec<truefill_remote::api::BatchFile>)>;

fn listed(files: &Files) -> String {
    let lines = files.iter().flat_map(|(name, files)| {
        files.iter().map(move |file| {
            format!(
                "{name}: {} ({} requests, at most {:.2})\n",
                file.path.display(),
                file.requests,
                money(file.most)
            )
        })
    });
    lines.collect()
}

/// What stands beside the bar.
fn figures(tally: &Tally, panel: &Panel) -> String {
    let kept = tally.kept();
    match &panel.ledger {
        None => format!("{kept} rows"),
        Some(ledger) => {
            let now = ledger.counters().snapshot();
            format!(
                "{kept} rows, {} answers, {} kept before, {} failed, spent {:.4}",
                now.answered,
                now.cached,
                now.failed,
                money(now.spent)
            )
        }
    }
}
