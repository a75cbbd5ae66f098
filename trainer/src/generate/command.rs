//! `truefill-trainer generate`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use serde::de::IgnoredAny;
use serde_json::json;
use sha2::{Digest, Sha256};
use truefill_remote::api::money;

use super::batches::{self, Files, Recorder};
use super::panel::Panel;
use super::recipe::Recipe;
use super::run::{self, Work};
use super::tally::Tally;
use super::vocabulary::Vocabulary;
use crate::panel::{http::Members, runtime};
use crate::progress::Progress;
use crate::rows::{HallucinationType, Input, Manifest, RowReader, beside};
use crate::usage::{self, Usage};

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
///   truefill-trainer generate contexts.jsonl --out own.jsonl --generators local --model DIR
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
    /// Types that are asked for, by commas [default: the recipe's, or all four]
    #[arg(long, value_delimiter = ',', value_parser = type_of(), value_name = "NAMES")]
    types: Option<Vec<HallucinationType>>,
    /// Generators, by commas [default: the recipe's, or mutate]
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    generators: Option<Vec<String>>,
    /// Of everything that is drawn: the same seed gives the same rows [default: the recipe's, or 1]
    #[arg(long, value_name = "NUMBER")]
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
    /// Keep the replies of a batch's output file that was downloaded by other means (may be given
    /// several times)
    #[arg(long, value_name = "MEMBER=FILE")]
    batch_output: Vec<String>,
    /// Seconds between two looks at a batch
    #[arg(long, default_value_t = 60, requires = "batch", value_name = "SECONDS")]
    batch_poll_s: u64,
    /// Print the manifest as JSON instead of the table
    #[arg(long)]
    json: bool,
}

/// How far a batch goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Batch {
    /// Write the files and stop
    Files,
    /// Upload, create, wait, download, and go on
    Run,
}

/// Reads one of the four types that can be asked for.
fn type_of() -> impl TypedValueParser<Value = HallucinationType> {
    let types = HallucinationType::ALL;
    PossibleValuesParser::new(types.map(HallucinationType::name)).try_map(move |name| {
        let mut types = types.into_iter();
        types.find(|kind| kind.name() == name).ok_or("no type")
    })
}

impl GenerateArgs {
    /// The recipe with what the command line says in its place.
    fn recipe(&self) -> Result<(Recipe, Members)> {
        let (mut recipe, members) = match &self.recipe {
            Some(path) => Recipe::read(path)?,
            None => (Recipe::default(), Members::new()),
        };
        if let Some(types) = &self.types {
            recipe.types.clone_from(types);
        }
        if let Some(generators) = &self.generators {
            recipe.generators.clone_from(generators);
        }
        recipe.seed = self.seed.unwrap_or(recipe.seed);
        recipe.budget = self.budget.or(recipe.budget);
        recipe.ledger = self.ledger.clone().or(recipe.ledger);
        let model = self.model.as_deref().map(crate::checkpoint::find);
        recipe.local.model = model.or(recipe.local.model);
        let named = crate::recipe::named(self.recipe.as_deref());
        recipe.check().map_err(named)?;
        Ok((recipe, members))
    }

    /// Runs the step and prints its figures.
    ///
    /// # Errors
    /// With what was expected, what was found and what to do; [`Usage`] where the command or the
    /// recipe cannot be meant. A spent budget is told after the figures of what was answered.
    pub fn run(&self, out: &mut dyn std::io::Write) -> Result<()> {
        let (text, problem) = runtime()?.block_on(self.step())?;
        out.write_all(text.as_bytes())?;
        match problem {
            Some(problem) => bail!("{problem}"),
            None => Ok(()),
        }
    }

    /// The text for standard output, and what is wrong with an output that is not whole.
    async fn step(&self) -> Result<(String, Option<String>)> {
        let (recipe, members) = self.recipe()?;
        usage::apart([&*self.contexts], [&*self.out])?;
        let input = Input::of(&self.contexts)?;
        let panel = Panel::open(&recipe, &members, &self.out);
        let panel = panel.map_err(crate::recipe::named(self.recipe.as_deref()))?;
        let progress = Progress::new("generate");
        let (vocabulary, total) = self.vocabulary(&recipe, &progress)?;
        progress.total(total);
        let mut manifest = Manifest::new("generate", &recipe)?;
        manifest.inputs.push(input);
        self.read_outputs(&panel, &mut manifest).await?;
        if let Some(batch) = self.batch {
            let questions = questions(&recipe, &panel, &manifest.inputs[0]);
            let files = self.write_batches(&recipe, &panel, &questions).await?;
            if batch == Batch::Files {
                return Ok((listed(&files), None));
            }
            self.run_batches(&recipe, &panel, &files, &progress).await?;
        }
        let work = Work {
            generators: panel.generators(&recipe, &Arc::new(vocabulary))?,
            kinds: recipe.types.clone().into(),
            seed: recipe.seed,
            in_flight: recipe.in_flight,
        };
        let mut seen = |tally: &Tally| progress.at(tally.contexts, &figures(tally, &panel));
        ensure!(
            total > 0,
            "{}: expected rows of contexts, found none",
            self.contexts.display()
        );
        let ran = run::run(&work, &self.contexts, &self.out, &mut seen).await;
        progress.finish();
        let (written, tally) = ran?;
        manifest.outputs.push(written);
        report(&mut manifest, &tally, &panel).await?;
        let path = manifest.write_beside(&self.out)?;
        let text = match self.json {
            true => serde_json::to_string_pretty(&manifest)? + "\n",
            false => self.shown(&tally, &path),
        };
        Ok((text, tally.roll.not_whole()))
    }

    /// The words of the contexts' repositories, where a generator makes names of them, and the
    /// number of contexts.
    fn vocabulary(&self, recipe: &Recipe, progress: &Progress) -> Result<(Vocabulary, u64)> {
        if recipe.has("mutate") {
            progress.tell("reading the repositories' words");
            return Ok(Vocabulary::gather(&self.contexts)?);
        }
        let rows = RowReader::<IgnoredAny>::open(&self.contexts, "contexts")?;
        let total = rows.map(|row| row.map(|_| 1)).sum::<Result<u64, _>>()?;
        Ok((Vocabulary::default(), total))
    }

    /// The table for people.
    fn shown(&self, tally: &Tally, manifest: &Path) -> String {
        let mut text = tally.show();
        text.push_str(&format!(
            "\n{} rows from {} contexts in {}; figures in {}\n",
            tally.kept(),
            tally.contexts,
            self.out.display(),
            manifest.display()
        ));
        if tally.unanswered() > 0 {
            text.push_str(&format!(
                "{} candidates got no answer ({}); run the same command again to ask for them\n",
                tally.unanswered(),
                tally.roll.failures()
            ));
        }
        text
    }

    fn batch_folder(&self) -> PathBuf {
        let beside = || beside(&self.out, "batches");
        self.batch_folder.clone().unwrap_or_else(beside)
    }

    async fn run_batches(
        &self,
        recipe: &Recipe,
        panel: &Panel,
        files: &Files,
        progress: &Progress,
    ) -> Result<()> {
        let poll = Duration::from_secs(self.batch_poll_s);
        let tell = |line: &str| progress.tell(line);
        let running = files.iter().filter_map(|(name, files)| {
            let member = panel.members.get(name)?;
            Some(batches::run(member, files, recipe.batches, poll, &tell))
        });
        // A batch takes up to a day: members wait for theirs together, and one that fails must not
        // leave another's unread.
        for ran in futures::future::join_all(running).await {
            ran?;
        }
        batches::forget(&self.batch_folder())
    }

    async fn read_outputs(&self, panel: &Panel, manifest: &mut Manifest) -> Result<()> {
        for given in &self.batch_output {
            let found = given
                .split_once('=')
                .and_then(|(name, path)| Some((panel.members.get(name)?, path)));
            let Some((member, path)) = found else {
                return Err(Usage::error(format!(
                    "expected `--batch-output MEMBER=FILE` with a member of `generators`, found \
                     `{given}`"
                )));
            };
            manifest.inputs.push(Input::of(path.as_ref())?);
            member.client().read_batch_output(path.as_ref()).await?;
        }
        Ok(())
    }

    /// Writes every question that has no answer yet, unless an earlier run did.
    async fn write_batches(
        &self,
        recipe: &Recipe,
        panel: &Panel,
        questions: &str,
    ) -> Result<Files> {
        let folder = self.batch_folder();
        if let Some(files) = batches::remembered(&folder, questions)? {
            return Ok(files);
        }
        let mut recorders = BTreeMap::new();
        for (name, member) in &panel.members {
            recorders.insert(name.clone(), Arc::new(Recorder::new(member, &folder)?));
        }
        let stand_in = |name: &str| recorders.get(name).map(batches::as_member);
        let work = Work {
            generators: panel.asking_generators(recipe, &stand_in),
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
        batches::remember(&folder, questions, &files)?;
        Ok(files)
    }
}

/// A hash of everything that the questions depend on.
fn questions(recipe: &Recipe, panel: &Panel, contexts: &Input) -> String {
    let members: BTreeMap<_, _> = panel
        .members
        .iter()
        .map(|(name, member)| {
            let of = member.client().config();
            let shape = json!([
                of.url,
                of.protocol,
                of.model,
                of.token_limit_key,
                of.omit,
                of.extra
            ]);
            (name, shape)
        })
        .collect();
    let whole = json!([
        contexts.sha256,
        recipe.seed,
        recipe.types,
        recipe.generators,
        recipe.temperature,
        recipe.max_tokens,
        recipe.side_bytes,
        recipe.teacher,
        panel.prompts(),
        members
    ]);
    hex::encode(Sha256::digest(whole.to_string().as_bytes()))
}

async fn report(manifest: &mut Manifest, tally: &Tally, panel: &Panel) -> Result<()> {
    tally.write_into(manifest);
    manifest.inputs.extend(panel.models.iter().cloned());
    let Some(books) = &panel.books else {
        return Ok(());
    };
    books.report(manifest).await?;
    let tables = &mut manifest.tables;
    tables.insert("prompts".to_owned(), panel.prompts().into());
    if let Some(measure) = panel.similarity() {
        tables.insert("teacher_similarity".to_owned(), json!(measure));
    }
    Ok(())
}

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
    let rows = format!("{} rows", tally.kept());
    match &panel.books {
        None => rows,
        Some(books) => format!("{rows}, {}", books.figures()),
    }
}
