//! A whole run: both readings, the sample, the output and its manifest.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};
use truefill_syntax::Language;

use super::bench::{Bare, Rates};
use super::first::First;
use super::recipe::Recipe;
use super::sample::priority;
use super::second::{Done, Second};
use super::select::ModelSelector;
use super::sidecar::Sidecar;
use super::source::{Kind, Source, discover};
use super::survey::decide::Percentiles;
use super::survey::{Repository, Store};
use super::tally::Counts;
use super::work::Work;
use crate::dedup::Benchmarks;
use crate::panel::Member;
use crate::progress::Progress;
use crate::rows::{Context, Input, Manifest, RowWriter};

/// Rows that the selector's model is asked about at a time.
const ASKED: usize = 16;

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
    /// The member of the panel that `selector.model` names.
    pub model: Option<&'a dyn Member>,
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
        ensure!(
            !sources.is_empty(),
            "no sources: expected clones, archives or folders, or `--each FOLDER`"
        );
        let mut excluded = Benchmarks::default();
        for path in &recipe.exclude {
            excluded.read(path)?;
        }
        let sidecar = recipe.repos.as_deref().map(Sidecar::read).transpose()?;
        let sidecar = sidecar.unwrap_or_default();
        let work = Work::open(self.out, recipe, &sources)?;
        let store = Store::new(work.folder());
        let mut rates = Rates::default();

        let started = Instant::now();
        let first = First {
            recipe,
            sources: &sources,
            excluded: &excluded,
            sidecar: &sidecar,
            store: &store,
            progress: self.progress,
        };
        let (mut census, repositories) = first.run()?;
        ensure!(
            repositories
                .iter()
                .any(|repository| repository.broken.is_none()),
            "none of the {} sources could be read",
            sources.len()
        );
        let limits = census.decide(recipe);
        rates.first_seconds = started.elapsed().as_secs_f64();
        rates.first_bytes = census.files.iter().map(|file| u64::from(file.bytes)).sum();

        let mut counts = Counts::default();
        counts.census(&census);
        let started = Instant::now();
        let bare = self.bench.then_some(Bare);
        let second = Second {
            recipe,
            sources: &sources,
            sidecar: &sidecar,
            store: &store,
            census: &census,
            work: &work,
            progress: self.progress,
            bare: bare.as_ref(),
        };
        let done = second.run()?;
        rates.second_seconds = (started.elapsed() - done.bare).as_secs_f64();
        rates.second_bytes = done.bytes;

        let started = Instant::now();
        let bare = bare.map(|_| done.bare);
        let written = self.write(sources.len(), &work, done, &mut counts)?;
        rates.write_seconds = started.elapsed().as_secs_f64();
        let mut manifest = self.manifest(&sources, &repositories, counts, &limits)?;
        manifest.outputs.push(written);
        manifest.write_beside(self.out)?;
        if !self.keep_work {
            work.remove()?;
        }
        self.progress.finish();
        Ok(Outcome {
            manifest,
            rates: rates.finish(bare),
        })
    }

    /// Writes the sample, shard by shard.
    fn write(
        &self,
        sources: usize,
        work: &Work,
        done: Done,
        counts: &mut Counts,
    ) -> Result<crate::rows::Written> {
        let cuts = done.sampler.cuts(self.recipe);
        counts.tally = done.tally;
        let mut writer = RowWriter::create(self.out)?;
        self.progress.begin("writing", Some(sources as u64));
        let mut asked = Vec::new();
        for source in 0..sources {
            for row in work.rows(source)? {
                let row = row?;
                let number = priority(self.recipe.seed, &row.id);
                let cut = cuts.get(&(row.language, row.hole_kind));
                if cut.is_none_or(|cut| number > *cut) {
                    continue;
                }
                if self.model.is_none() {
                    counts.row(&row);
                    writer.write(&row)?;
                    continue;
                }
                asked.push(row);
                if asked.len() >= ASKED {
                    self.ask(std::mem::take(&mut asked), &mut writer, counts)?;
                }
            }
            self.progress.at(source as u64 + 1, "");
        }
        self.ask(asked, &mut writer, counts)?;
        Ok(writer.finish()?)
    }

    /// Writes the rows of which the selector's model says that they are good.
    fn ask(
        &self,
        rows: Vec<Context>,
        writer: &mut RowWriter<Context>,
        counts: &mut Counts,
    ) -> Result<()> {
        let Some(member) = self.model else {
            return Ok(());
        };
        let selector = ModelSelector::new(member);
        let answers = rows.iter().map(|row| selector.keeps(row));
        let answers = futures::executor::block_on(futures::future::join_all(answers));
        for (row, answer) in rows.iter().zip(answers) {
            match answer? {
                Some(true) => {
                    counts.row(row);
                    writer.write(row)?;
                }
                Some(false) => counts.model[0] += 1,
                None => counts.model[1] += 1,
            }
        }
        Ok(())
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
