//! The second reading: holes of the files that stay, one shard of rows for each source.

use std::sync::Mutex;
use std::time::Duration;

use anyhow::Result;
use rayon::prelude::*;

use super::bench;
use super::extract::{CodeFile, Extracted, Extractor, Tally};
use super::licence;
use super::recipe::Recipe;
use super::sample::{Sampler, Stratum};
use super::sidecar::Sidecar;
use super::source::Source;
use super::source::stream::{Code, Event, Reading};
use super::survey::decide::Census;
use super::survey::{Repository, Store, text};
use super::tally::Facts;
use super::work::Work;
use crate::progress::Progress;
use crate::rows::{Context, Frame, RowWriter};

const MEGABYTE: u64 = 1_000_000;

/// Cuts holes into all files that stay.
pub struct Second<'a> {
    /// What was set.
    pub recipe: &'a Recipe,
    /// All sources.
    pub sources: &'a [Source],
    /// What the user knows of repositories.
    pub sidecar: &'a Sidecar,
    /// What the first reading found.
    pub store: &'a Store,
    /// Which files stay.
    pub census: &'a Census,
    /// Where rows are kept.
    pub work: &'a Work,
    /// Shows how far it is.
    pub progress: &'a Progress,
    /// Measures bare parsing of the same files beside it.
    pub bench: bool,
}

/// What the second reading found.
pub struct Done {
    /// Counts.
    pub tally: Tally,
    /// Which rows may stay.
    pub sampler: Sampler,
    /// Bytes that this run parsed; an earlier run's are not in it.
    pub bytes: u64,
    /// An earlier run did some of the sources.
    pub resumed: bool,
    /// Megabytes that it parsed.
    earlier: u64,
    /// Time of bare parsing, which is not this reading's own.
    pub bare: Duration,
}

/// An event with its file worked on.
enum Seen {
    Begin(usize),
    File(Box<Mined>),
    End(usize, Result<(), String>),
}

/// What a file gave, ready to be written.
struct Mined {
    /// The numbers of its rows in the sample.
    numbers: Vec<(Stratum, u64)>,
    rows: std::io::Result<Frame>,
    tally: Tally,
}

impl From<Extracted> for Mined {
    fn from(found: Extracted) -> Self {
        let stratum = |row: &Context| (row.language, row.hole_kind);
        let numbers = found.rows.iter();
        Self {
            numbers: numbers
                .map(|(number, row)| (stratum(row), *number))
                .collect(),
            rows: Frame::new(found.rows.iter().map(|(_, row)| row)),
            tally: found.tally,
        }
    }
}

/// A source whose files are being worked on.
struct Open {
    shard: RowWriter<Context>,
    tally: Tally,
}

impl Second<'_> {
    /// Works on everything.
    ///
    /// # Errors
    /// Where rows cannot be kept.
    pub fn run(&self) -> Result<Done> {
        let mut done = Done {
            tally: Tally::default(),
            sampler: Sampler::new(self.recipe),
            bytes: 0,
            resumed: false,
            earlier: 0,
            bare: Duration::ZERO,
        };
        let from = self.restore(&mut done)?;
        // Sources are of all sizes: only their bytes say how long it will take.
        let all = self.census.bytes_from(0) / MEGABYTE;
        done.resumed = from > 0;
        done.earlier = all.saturating_sub(self.census.bytes_from(from) / MEGABYTE);
        self.progress.begin_at("mining", Some(all), done.earlier);
        let wanted = |source: usize, number: u32| {
            let file = self.census.file(source, number);
            file.is_some_and(|file| file.refused.is_none())
        };
        let gate = Mutex::new(());
        let reading = Reading {
            sources: self.sources,
            from,
            languages: &self.recipe.languages,
            limits: &self.recipe.limits,
            metas: false,
            opened: &|source| self.census.has_files(source),
            wanted: &wanted,
            gate: &gate,
        };
        let mut open = None;
        let mut current = None;
        reading.batches(|events| {
            if self.bench {
                done.bare += bench::alone(&events, &gate);
            }
            let seen = self.see_all(events, &mut current, &done.sampler)?;
            for seen in seen {
                self.settle(seen, &mut open, &mut done)?;
            }
            Ok(())
        })?;
        Ok(done)
    }

    /// Takes over what an earlier run finished.
    fn restore(&self, done: &mut Done) -> Result<usize> {
        let from = (0..self.sources.len())
            .take_while(|at| self.work.has(*at))
            .count();
        for source in 0..from {
            let tally = self.work.tally(source)?;
            for row in self.work.rows(source)? {
                let row: Facts = row?;
                let number = super::sample::priority(self.recipe.seed, &row.id);
                done.sampler.take((row.language, row.hole_kind), number);
            }
            done.sampler.count_all(&tally);
            done.tally.add(tally);
        }
        Ok(from)
    }

    /// Works on a batch. A batch has files of several sources, each with its own repository.
    fn see_all(
        &self,
        events: Vec<Event>,
        current: &mut Option<(usize, Repository)>,
        sampler: &Sampler,
    ) -> Result<Vec<Seen>> {
        let mut repositories: Vec<(usize, Repository)> = current.take().into_iter().collect();
        let mut jobs = Vec::with_capacity(events.len());
        for event in events {
            match event {
                Event::Begin(source) => {
                    repositories.push((source, self.store.repository(source)?));
                    jobs.push(Job::Begin(source));
                }
                Event::Code(code) => jobs.push(Job::Code(repositories.len() - 1, code)),
                Event::End(source, result) => jobs.push(Job::End(source, result)),
                Event::Meta { .. } => {}
            }
        }
        let seen = jobs
            .into_par_iter()
            .map(|job| match job {
                Job::Begin(source) => Seen::Begin(source),
                Job::Code(at, code) => {
                    let (source, repository) = &repositories[at];
                    let found = self.extract(*source, repository, &code, sampler);
                    Seen::File(Box::new(found.into()))
                }
                Job::End(source, result) => Seen::End(source, result),
            })
            .collect();
        *current = repositories.pop();
        Ok(seen)
    }

    fn extract(
        &self,
        source: usize,
        repository: &Repository,
        code: &Code,
        sampler: &Sampler,
    ) -> Extracted {
        let extractor = Extractor {
            recipe: self.recipe,
            repo: &repository.name,
            project: &repository.project,
            root: repository.root.as_deref(),
        };
        let bytes = code.body.as_deref().unwrap_or_default();
        let header = std::str::from_utf8(bytes)
            .ok()
            .and_then(|body| licence::in_header(text::head(body)));
        let licences = &repository.project.licences;
        let license = licences
            .of(&code.path, header.as_deref())
            .or_else(|| {
                let name = &self.sources[source].name;
                self.sidecar.of(&repository.name, name).license
            })
            .unwrap_or_default();
        let file = CodeFile {
            path: &code.path,
            language: code.language,
            bytes,
            license,
            hash: self
                .census
                .file(source, code.number)
                .map_or(0, |file| file.hash),
        };
        extractor.extract(file, &|kind, number| {
            sampler.is_out((code.language, kind), number)
        })
    }

    /// Takes what a file or a source gave, in order.
    fn settle(&self, seen: Seen, open: &mut Option<Open>, done: &mut Done) -> Result<()> {
        match seen {
            Seen::Begin(source) => {
                *open = Some(Open {
                    shard: self.work.shard(source)?,
                    tally: Tally::default(),
                });
            }
            Seen::File(found) => {
                let Some(open) = open else { return Ok(()) };
                for (stratum, number) in &found.numbers {
                    done.sampler.take(*stratum, *number);
                }
                // Rows that cannot stay any more are left out when the sample is drawn.
                if !found.numbers.is_empty() {
                    open.shard.append(&found.rows?)?;
                }
                done.sampler.count_all(&found.tally);
                done.bytes += found
                    .tally
                    .parsed
                    .values()
                    .map(|[_, bytes]| bytes)
                    .sum::<u64>();
                open.tally.add(found.tally);
            }
            Seen::End(source, result) => {
                let Some(mut open) = open.take() else {
                    return Ok(());
                };
                // What was read before is as the first reading saw it, and stays.
                if let Err(broken) = result {
                    self.progress
                        .say(&format!("warning: only in part: {broken}"));
                    open.tally.broken.push(broken);
                }
                self.work.finish(source, open.shard, &open.tally)?;
                done.tally.add(open.tally);
                let megabytes = done.earlier + done.bytes / MEGABYTE;
                let sources = self.sources.len();
                let figures = format!("in MB, {} of {sources} sources", source + 1);
                self.progress.at(megabytes, &figures);
            }
        }
        Ok(())
    }
}

/// What is to be done for an event.
enum Job {
    Begin(usize),
    /// With the number of its repository in the batch.
    Code(usize, Code),
    End(usize, Result<(), String>),
}
