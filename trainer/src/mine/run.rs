//! A whole run: both readings, the sample, the output and its manifest.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};
use truefill_syntax::Language;

use super::bench::Rates;
use super::draw::{Choosing, Chosen};
use super::first::{First, Surveyed};
use super::recipe::Recipe;
use super::sample::{Drawn, Stratum, priority};
use super::second::{Done, Second};
use super::select::ModelSelector;
use super::sidecar::Sidecar;
use super::source::{Kind, Source, discover};
use super::survey::decide::Percentiles;
use super::survey::{Repository, Store};
use super::tally::{Counts, Facts};
use super::work::Work;
use crate::dedup::Benchmarks;
use crate::panel::{Roll, runtime};
use crate::progress::Progress;
use crate::rows::{Context, Input, Manifest, RowWriter, Written};
use crate::usage::Usage;

/// What a run is given.
pub struct Job<'a> {
    /// What was set.
    pub recipe: &'a Recipe,
    /// The file of rows.
    pub out: &'a Path,
    /// Measures bare parsing too.
    pub bench: bool,
    /// Leaves the folder of the run's work.
    pub keep_work: bool,
    /// Asks the member that `selector.model` names.
    pub model: Option<&'a ModelSelector<'a>>,
    /// Shows how far it is.
    pub progress: &'a Progress,
}

/// The manifest's table of sources, for steps that look at their files again.
pub const SOURCES: &str = "sources";

/// A row of that table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceRow {
    /// What rows call its repository; several sources may be from one.
    pub repo: String,
    /// Its own name.
    pub source: String,
    /// Where it was.
    pub path: PathBuf,
}

/// What a run made.
pub struct Outcome {
    /// As it stands beside the output.
    pub manifest: Manifest,
    /// How fast it was.
    pub rates: Rates,
    /// What is wrong with rows that are not whole: the selector's budget was spent.
    pub problem: Option<String>,
}

impl Outcome {
    /// Rows that were written.
    pub fn rows(&self) -> u64 {
        self.manifest.counts.get("rows").copied().unwrap_or(0)
    }
}

impl Job<'_> {
    /// Runs, or goes on with a run that was interrupted.
    ///
    /// # Errors
    /// Where nothing can be read at all, or something cannot be written.
    pub fn run(&self) -> Result<Outcome> {
        let recipe = self.recipe;
        recipe.check()?;
        let sources = discover(&recipe.sources, &recipe.each)?;
        if sources.is_empty() {
            let expected = "no sources: expected clones, archives or folders, or `--each FOLDER`";
            return Err(Usage::error(expected));
        }
        let sidecar = recipe.repos.as_deref().map(Sidecar::read).transpose()?;
        let sidecar = sidecar.unwrap_or_default();
        let work = Work::open(self.out, recipe, &sources)?;
        let store = Store::new(work.folder());
        let mut rates = Rates::default();
        let mut counts = Counts::default();

        let mut excluded = Benchmarks::default();
        for path in &recipe.exclude {
            excluded.read(path)?;
        }
        counts.excluded = excluded.sizes();
        let surveyed = self.first(&sources, &excluded, &sidecar, &store, &mut rates)?;
        drop(excluded);
        let (census, repositories) = (surveyed.census, surveyed.repositories);
        counts.census(&census);
        let second = Second {
            recipe,
            sources: &sources,
            sidecar: &sidecar,
            store: &store,
            census: &census,
            work: &work,
            progress: self.progress,
            bench: self.bench,
        };
        let started = Instant::now();
        let done = second.run()?;
        rates.second_seconds = (started.elapsed() - done.bare).as_secs_f64();
        rates.second_bytes = done.bytes;
        drop(census);

        let started = Instant::now();
        let resumed = surveyed.resumed || done.resumed;
        let bare = self.compared(resumed, [surveyed.bare, done.bare]);
        let (written, problem) = self.write(sources.len(), &work, done, &mut counts)?;
        rates.write_seconds = started.elapsed().as_secs_f64();
        let mut manifest = self.manifest(&sources, &repositories, counts, &surveyed.limits)?;
        manifest.outputs.push(written);
        manifest.write_beside(self.out)?;
        // An output that is not whole goes on from what was read, without reading it again.
        if !self.keep_work && problem.is_none() {
            work.remove()?;
        }
        self.progress.finish();
        Ok(Outcome {
            manifest,
            problem,
            rates: rates.finish(bare),
        })
    }

    /// Surveys all sources and decides which files stay.
    fn first(
        &self,
        sources: &[Source],
        excluded: &Benchmarks,
        sidecar: &Sidecar,
        store: &Store,
        rates: &mut Rates,
    ) -> Result<Surveyed> {
        let started = Instant::now();
        let first = First {
            recipe: self.recipe,
            sources,
            excluded,
            sidecar,
            store,
            progress: self.progress,
            bench: self.bench,
        };
        let surveyed = first.run()?;
        rates.first_seconds = (started.elapsed() - surveyed.bare).as_secs_f64();
        rates.first_bytes = surveyed.bytes;
        let readable = |repository: &Repository| repository.broken.is_none();
        ensure!(
            surveyed.repositories.iter().any(readable),
            "none of the {} sources could be read",
            sources.len()
        );
        Ok(surveyed)
    }

    /// The times of bare parsing, where this run did all that they are compared with.
    fn compared(&self, resumed: bool, bare: [Duration; 2]) -> Option<[Duration; 2]> {
        if self.bench && resumed {
            let told = "--bench: nothing is compared, since an earlier run did a part of the work";
            self.progress.say(told);
        }
        (self.bench && !resumed).then_some(bare)
    }

    /// Writes the sample, shard by shard; gives what was wrong where a model was asked.
    fn write(
        &self,
        sources: usize,
        work: &Work,
        done: Done,
        counts: &mut Counts,
    ) -> Result<(Written, Option<String>)> {
        let drawn = done.sampler.draw(self.recipe);
        counts.tally = done.tally;
        let (chosen, problem) = match self.model {
            None => (Chosen::all(&drawn), None),
            Some(selector) => self.ask(selector, sources, work, &drawn, counts)?,
        };
        let mut writer = RowWriter::<Context>::create(self.out)?;
        self.progress.begin("writing", Some(sources as u64));
        for source in 0..sources {
            let mut rows = work.rows::<Facts>(source)?;
            while let Some(row) = rows.next().transpose()? {
                let number = priority(self.recipe.seed, &row.id);
                if chosen.has((row.language, row.hole_kind), number) {
                    counts.row(row);
                    writer.copy(rows.text())?;
                }
            }
            self.progress.at(source as u64 + 1, "");
        }
        Ok((writer.finish()?, problem))
    }

    fn ask(
        &self,
        selector: &ModelSelector<'_>,
        sources: usize,
        work: &Work,
        drawn: &BTreeMap<Stratum, Drawn>,
        counts: &mut Counts,
    ) -> Result<(Chosen, Option<String>)> {
        self.progress.begin("asking", None);
        let mut choosing = Choosing {
            selector,
            work,
            sources,
            seed: self.recipe.seed,
            progress: self.progress,
            good: BTreeSet::new(),
            refused: 0,
            missing: 0,
            roll: Roll::default(),
        };
        runtime()?.block_on(choosing.run(drawn))?;
        counts.model = [choosing.refused, choosing.missing];
        let problem = choosing.roll.not_whole();
        Ok((Chosen::Numbers(choosing.good), problem))
    }

    fn manifest(
        &self,
        sources: &[Source],
        repositories: &[Repository],
        counts: Counts,
        limits: &BTreeMap<Language, Percentiles>,
    ) -> Result<Manifest> {
        let mut manifest = Manifest::new("mine", self.recipe)?;
        for path in self.recipe.exclude.iter().chain(&self.recipe.repos) {
            manifest.inputs.push(Input::of(path)?);
        }
        let (mut broken, mut read) = (Vec::new(), Vec::new());
        for (source, repository) in sources.iter().zip(repositories) {
            manifest.count(format!("sources.{}", kind(source.kind)), 1);
            if let Some(found) = &repository.broken {
                manifest.count("sources.broken", 1);
                broken.push(serde_json::json!({"source": source.name, "found": found}));
                continue;
            }
            read.push(SourceRow {
                repo: repository.name.clone(),
                source: source.name.clone(),
                path: source.path.clone(),
            });
            manifest.inputs.push(Input {
                path: source.path.clone(),
                sha256: repository.sha256.clone(),
            });
        }
        manifest.count("sources", sources.len() as u64);
        manifest.tables.insert("broken".into(), broken.into());
        let read = serde_json::to_value(read)?;
        manifest.tables.insert(SOURCES.into(), read);
        counts.report(&mut manifest, limits);
        if let Some(selector) = self.model {
            let prompts = vec![selector.prompt().row()];
            manifest.tables.insert("prompts".into(), prompts.into());
            if let Some(books) = selector.books {
                runtime()?.block_on(books.report(&mut manifest))?;
            }
        }
        Ok(manifest)
    }
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Clone => "clones",
        Kind::Folder => "folders",
        Kind::Archive(_) => "archives",
        Kind::Unknown => "unknown",
    }
}
