//! The first reading of all sources, source by source, files in parallel.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use anyhow::Result;
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use truefill_syntax::Language;

use super::bench;
use super::licence::is_allowed;
use super::packages::{self, Meta, Project};
use super::reason::Reason;
use super::recipe::Recipe;
use super::sidecar::Sidecar;
use super::source::stream::{Event, Reading};
use super::source::{Kind, Source};
use super::survey::decide::{Census, Percentiles};
use super::survey::{FileRow, Finished, Repository, Store, survey};
use crate::dedup::Benchmarks;
use crate::progress::Progress;
use crate::rows::Input;

/// Reads all sources that have not been read yet, and gathers what stays of their files.
pub struct First<'a> {
    /// What was set.
    pub recipe: &'a Recipe,
    /// All sources.
    pub sources: &'a [Source],
    /// Benchmarks.
    pub excluded: &'a Benchmarks,
    /// What the user knows of repositories.
    pub sidecar: &'a Sidecar,
    /// Where what is found is kept.
    pub store: &'a Store,
    /// Shows how far it is.
    pub progress: &'a Progress,
    /// Measures bare parsing of the same files too.
    pub bench: bool,
}

/// What the first reading found.
pub struct Surveyed {
    /// What stays of all files.
    pub census: Census,
    /// The limits of each language's files.
    pub limits: BTreeMap<Language, Percentiles>,
    /// What each source is.
    pub repositories: Vec<Repository>,
    /// Bytes that this run surveyed; an earlier run's are not in it.
    pub bytes: u64,
    /// An earlier run surveyed some of the files.
    pub resumed: bool,
    /// Time of bare parsing of all of them that were read at all, which is not this reading's own.
    pub bare: Duration,
}

/// An event with its file read.
enum Seen {
    Begin,
    Meta(Box<Meta>),
    File(Box<FileRow>),
    End(usize, Result<(), String>),
}

/// A source that is being read.
#[derive(Default)]
struct Open {
    metas: Vec<Meta>,
    files: Vec<FileRow>,
}

impl First<'_> {
    /// Reads everything.
    ///
    /// # Errors
    /// Where what is found cannot be kept; a source that cannot be read is no error.
    pub fn run(&self) -> Result<Surveyed> {
        let mut census = Census::default();
        let mut repositories = self.restore(&mut census)?;
        let earlier = census.files.len();
        // Nobody knows yet how many files the sources have, and sources are of all sizes.
        self.progress.begin_at("reading", None, earlier as u64);
        let mut open = Open::default();
        let (gate, mut bare) = (Mutex::new(()), Duration::ZERO);
        let reading = Reading {
            sources: self.sources,
            from: repositories.len(),
            languages: &self.recipe.languages,
            limits: &self.recipe.limits,
            metas: true,
            opened: &|_| true,
            wanted: &|_, _| true,
            gate: &gate,
        };
        reading.batches(|events| {
            if self.bench {
                bare += bench::alone(&events, &gate);
            }
            let seen: Vec<Seen> = events
                .into_par_iter()
                .map(|event| self.see(event))
                .collect();
            for seen in seen {
                match seen {
                    Seen::Begin => open = Open::default(),
                    Seen::Meta(meta) => open.metas.push(*meta),
                    Seen::File(row) => open.files.push(*row),
                    Seen::End(source, result) => {
                        let finished = self.finish(source, std::mem::take(&mut open), result)?;
                        self.store.write(source, &finished)?;
                        census.add(&finished.files);
                        repositories.push(summary(finished.repository));
                        let sources = self.sources.len();
                        let figures = format!("files of {} of {sources} sources", source + 1);
                        self.progress.at(census.files.len() as u64, &figures);
                    }
                }
            }
            Ok(())
        })?;
        let read = census.files[earlier..].iter();
        Ok(Surveyed {
            bytes: read.map(|file| u64::from(file.bytes)).sum(),
            resumed: earlier > 0,
            bare,
            limits: census.decide(self.recipe),
            census,
            repositories,
        })
    }

    /// Takes over what an earlier run finished; what its sources are.
    fn restore(&self, census: &mut Census) -> Result<Vec<Repository>> {
        (0..self.sources.len())
            .take_while(|at| self.store.has(*at))
            .map(|source| {
                let finished = self.store.read(source)?;
                census.add(&finished.files);
                Ok(summary(finished.repository))
            })
            .collect()
    }

    fn see(&self, event: Event) -> Seen {
        match event {
            Event::Begin(_) => Seen::Begin,
            Event::Meta { path, text } => Seen::Meta(Box::new(packages::read(&path, &text))),
            Event::Code(code) => Seen::File(Box::new(survey(&code, self.excluded))),
            Event::End(source, result) => Seen::End(source, result),
        }
    }

    fn finish(&self, at: usize, open: Open, result: Result<(), String>) -> Result<Finished> {
        let source = &self.sources[at];
        if let Err(broken) = result {
            self.progress.say(&format!("warning: left out: {broken}"));
            let repository = Repository {
                broken: Some(broken),
                ..Repository::default()
            };
            return Ok(Finished {
                repository,
                files: Vec::new(),
            });
        }
        let mut files = open.files;
        let mut repository = Repository {
            name: packages::repository(source, &open.metas),
            root: matches!(source.kind, Kind::Archive(_))
                .then(|| root(&files))
                .flatten(),
            sha256: identity(source, &files)?,
            ..Repository::default()
        };
        repository.project = declared(open.metas, &mut files, self.recipe);
        let known = self.sidecar.of(&repository.name, &source.name);
        let refused = self.refused(source, &repository, known.stars);
        for file in &mut files {
            self.judge(file, &repository, refused, known.license.as_deref());
        }
        Ok(Finished { repository, files })
    }

    /// Why all files of a repository are left out.
    fn refused(
        &self,
        source: &Source,
        repository: &Repository,
        stars: Option<u64>,
    ) -> Option<Reason> {
        let names = [&source.name, &repository.name];
        let names = names.into_iter().chain(&repository.project.repositories);
        let packages = &self.recipe.packages;
        if self.recipe.min_stars > 0 && stars.is_none_or(|stars| stars < self.recipe.min_stars) {
            Some(Reason::Stars)
        } else if names
            .into_iter()
            .any(|name| self.excluded.has_repository(name))
        {
            Some(Reason::BenchmarkRepository)
        } else if !packages.is_empty() && !repository.project.declares(packages) {
            Some(Reason::Packages)
        } else {
            None
        }
    }

    /// Files of the language may use a wanted package that nobody declares: a C++ library of
    /// `include_paths`.
    fn is_included(&self, language: Language) -> bool {
        let mut libraries = self.recipe.include_paths.keys();
        language == Language::Cpp && libraries.any(|name| self.recipe.packages.contains(name))
    }

    fn judge(
        &self,
        file: &mut FileRow,
        repository: &Repository,
        refused: Option<Reason>,
        known: Option<&str>,
    ) {
        if file.refused.is_some_and(Reason::is_first) {
            return;
        }
        let declared_by_including =
            |reason: &Reason| *reason == Reason::Packages && self.is_included(file.language);
        let refused = refused.filter(|reason| !declared_by_including(reason));
        let licences = &repository.project.licences;
        let licence = licences.of(&file.path, file.header.as_deref());
        let licence = licence.or(known.map(str::to_owned));
        let licence = match licence {
            None => Some(Reason::NoLicence),
            Some(licence) if is_allowed(&licence, &self.recipe.licences) => None,
            Some(_) => Some(Reason::Licence),
        };
        file.refused = refused.or(licence).or(file.refused);
        if file.refused.is_some() {
            file.signature = None;
        }
    }
}

/// What a repository's manifests and files declare.
pub(super) fn declared(metas: Vec<Meta>, files: &mut [FileRow], recipe: &Recipe) -> Project {
    let mut project = Project::default();
    metas.into_iter().for_each(|meta| project.add_meta(meta));
    for file in files {
        let own = std::mem::take(&mut file.own);
        // Tests and examples of a language are no part of what a repository is imported by,
        // but harmless; copied code is somebody else's.
        if file.refused != Some(Reason::Vendored) {
            project.add_file(file.language, own);
        }
    }
    project.restrict(recipe);
    project
}

/// What is needed of a repository when its files are not read: the rest comes back from the disk.
fn summary(repository: Repository) -> Repository {
    Repository {
        name: repository.name,
        broken: repository.broken,
        sha256: repository.sha256,
        ..Repository::default()
    }
}

/// The folder around all files of an archive, if it is a release's (`name-1.0`) and no package.
fn root(files: &[FileRow]) -> Option<String> {
    let (first, _) = files.first()?.path.split_once('/')?;
    let release = first.contains(['-', '.']) || first == "package";
    let all = files.iter().all(|file| {
        file.path
            .strip_prefix(first)
            .is_some_and(|rest| rest.starts_with('/'))
    });
    (release && all).then(|| first.to_owned())
}

/// What the source is: an archive's bytes, or a folder's files in the languages.
fn identity(source: &Source, files: &[FileRow]) -> Result<String> {
    if matches!(source.kind, Kind::Archive(_)) {
        return Ok(Input::of(&source.path)?.sha256);
    }
    let mut hasher = Sha256::new();
    for file in files {
        hasher.update(file.path.as_bytes());
        hasher.update([0]);
        hasher.update(file.sha256.as_bytes());
    }
    Ok(hex::encode(hasher.finalize()))
}
