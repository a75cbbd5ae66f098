//! Columns that need no panel: the resolver's findings, and difficulty from log-probabilities.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use anyhow::Result;
use clap::ValueEnum;
use rayon::prelude::*;
use truefill_syntax::Language;

use super::resolve::{Repository, Seen};
use super::sources::Sources;
use crate::corpus::{Item, WorkFolder};
use crate::kept::{self, Kept, Key};
use crate::rows::{
    Difficulty, HallucinationType, HoleKind, Margin, Negative, Resolution, RowReader, RowWriter,
    Score, Written,
};
use crate::score::{Scorer, Thresholds, difficulty};
use crate::stats::{INTERVALS, Share};
use crate::table::{Cell, Table, Tables};

/// Writes scores: a first time without difficulty, which needs everyone's margins, to a temporary
/// file. Keeps four bytes for each margin in memory.
pub struct Offline {
    /// Where the repositories' files lie; nothing where the resolver is not asked.
    sources: Option<Sources>,
    likelihood: Option<Likelihood>,
    folder: WorkFolder,
    first: RowWriter<Score>,
    found: Found,
}

/// The scorers at their work.
pub struct Likelihood {
    scorers: Vec<Scorer>,
    /// What the scorers are: their checkpoints and how they are asked.
    identity: String,
    /// What they said of a hole's negatives, in an earlier run or in this one.
    kept: Kept<Vec<Vec<Margin>>>,
    /// Of all negatives so far, for each scorer.
    margins: Vec<Vec<f32>>,
}

impl Likelihood {
    /// Scorers that nobody has asked yet, but perhaps an earlier run whose margins `kept` has.
    pub fn new(scorers: Vec<Scorer>, identity: String, kept: Kept<Vec<Vec<Margin>>>) -> Self {
        Self {
            margins: vec![Vec::new(); scorers.len()],
            scorers,
            identity,
            kept,
        }
    }

    /// The margins of each negative of a hole; none where a scorer cannot tell.
    fn score(&mut self, hole: &Hole<'_>) -> Result<Vec<Vec<Margin>>> {
        let key = self.key(hole);
        let rows = match self.kept.get(&key)? {
            Some(rows) => rows,
            None => {
                let rows = self.ask(hole)?;
                self.kept.put(key, &rows)?;
                rows
            }
        };
        for row in &rows {
            if row.len() == self.scorers.len() {
                for (margin, all) in row.iter().zip(&mut self.margins) {
                    all.push(margin.value() as f32);
                }
            }
        }
        Ok(rows)
    }

    fn key(&self, (context, negatives): &Hole<'_>) -> Key {
        let around = [
            &context.path,
            &context.prefix,
            &context.golden,
            &context.suffix,
        ];
        let mut parts = vec![&*self.identity];
        parts.extend(around.map(|part| part.as_str()));
        parts.extend(negatives.iter().map(|negative| &*negative.rejected));
        kept::key(0, &parts)
    }

    fn ask(&mut self, (context, negatives): &Hole<'_>) -> Result<Vec<Vec<Margin>>> {
        let mut rows = vec![Vec::new(); negatives.len()];
        for scorer in &mut self.scorers {
            let around = |middle| [&*context.prefix, middle, &*context.suffix];
            let golden = scorer.score(&context.path, around(&context.golden))?;
            for (negative, row) in negatives.iter().zip(&mut rows) {
                let rejected = scorer.score(&context.path, around(&negative.rejected))?;
                if let (Some(golden), Some(rejected)) = (golden, rejected) {
                    row.push(Margin {
                        scorer: scorer.name().to_owned(),
                        golden: golden.log_probability,
                        rejected: rejected.log_probability,
                    });
                }
            }
        }
        Ok(rows)
    }

    /// What each scorer's margins say of difficulty.
    fn thresholds(&mut self) -> Vec<Thresholds> {
        let margins = self.margins.iter_mut();
        margins
            .filter_map(|margins| Thresholds::of(margins))
            .collect()
    }
}

/// Counts for the tables.
#[derive(Debug, Default)]
struct Found {
    caught: BTreeMap<(HallucinationType, String), Caught>,
    golden: BTreeMap<(Language, HoleKind), Share>,
    /// Repositories and negatives by how much of the repository the resolver sees; negatives in files
    /// of which only a window is known; negatives in a language with a file that could not be read.
    seen: BTreeMap<Seen, [u64; 4]>,
    /// What is caught in a language, and what where all of the repository's files in it are known.
    by_language: BTreeMap<Language, [Share; 2]>,
    difficulty: BTreeMap<(HallucinationType, Difficulty), u64>,
    unscored: u64,
}

/// What the resolver says of negatives.
#[derive(Clone, Copy, Debug, Default)]
struct Caught {
    /// It names something in them that cannot exist.
    caught: Share,
    /// And nothing in the golden completion of the hole.
    sound: Share,
}

impl Caught {
    fn add(&mut self, found: &Resolution) {
        self.caught.add(found.caught);
        self.sound.add(found.finding() == Some(true));
    }

    fn merge(&mut self, other: Self) {
        for (all, one) in [
            (&mut self.caught, other.caught),
            (&mut self.sound, other.sound),
        ] {
            all.part += one.part;
            all.of += one.of;
        }
    }
}

/// What the resolver says of a repository's holes, in their order.
struct Resolved {
    seen: Seen,
    /// Languages of which every file is known.
    covered: Vec<Language>,
    holes: Vec<Option<Vec<Resolution>>>,
}

/// What belongs to one hole: the context with that hole, and the negatives that fill it.
type Hole<'a> = (crate::rows::Context, Vec<&'a Negative>);

impl Offline {
    /// Nothing scored so far. `output` says where there is room for the temporary file.
    ///
    /// # Errors
    /// Where that cannot be made.
    pub fn new(
        output: &Path,
        sources: Option<Sources>,
        likelihood: Option<Likelihood>,
    ) -> Result<Self> {
        let folder = WorkFolder::beside(output, "scores")?;
        let first = RowWriter::create(&folder.path().join("scores.jsonl.zst"))?;
        Ok(Self {
            sources,
            likelihood,
            folder,
            first,
            found: Found::default(),
        })
    }

    /// Scores all rows of some repositories, each of which is here with all its rows.
    ///
    /// # Errors
    /// What a scorer reports, and a full disk.
    pub fn add<'i>(&mut self, items: &'i [Item]) -> Result<()> {
        let mut repos: BTreeMap<&str, Vec<&'i Item>> = BTreeMap::new();
        for item in items {
            repos.entry(&item.context.repo).or_default().push(item);
        }
        let repos: Vec<Vec<&Item>> = repos.into_values().collect();
        let read = |items: &Vec<&'i Item>| {
            let holes: Vec<Vec<Hole<'i>>> = items.iter().map(|item| holes(item)).collect();
            let sources = self.sources.as_ref();
            let resolved = sources.map(|sources| resolve_repository(sources, items, &holes));
            (holes.into_iter().flatten().collect(), resolved)
        };
        let read: Vec<(Vec<Hole<'i>>, Option<Resolved>)> = repos.par_iter().map(read).collect();
        for (holes, resolved) in read {
            if let Some(resolved) = &resolved {
                self.found.see(&holes, resolved);
            }
            let mut resolved = resolved.into_iter().flat_map(|resolved| resolved.holes);
            for hole in &holes {
                self.write(hole, resolved.next().flatten())?;
            }
        }
        Ok(())
    }

    fn write(&mut self, hole: &Hole<'_>, resolved: Option<Vec<Resolution>>) -> Result<()> {
        let (_, negatives) = hole;
        let margins = match &mut self.likelihood {
            Some(likelihood) => likelihood.score(hole)?,
            None => vec![Vec::new(); negatives.len()],
        };
        let mut resolved = resolved.into_iter().flatten();
        for (negative, margins) in negatives.iter().zip(margins) {
            let resolver = resolved.next();
            if let Some(resolution) = &resolver {
                let key = (negative.kind, negative.generator.clone());
                self.found.caught.entry(key).or_default().add(resolution);
            }
            self.first.write(&Score {
                row: negative.id(),
                resolver,
                margins,
                difficulty: None,
            })?;
        }
        Ok(())
    }

    /// Writes `output` with everyone's difficulty, and gives the tables by their names in the
    /// manifest.
    ///
    /// # Errors
    /// As where the disk is full.
    pub fn finish(mut self, output: &Path) -> Result<(Written, Tables)> {
        let first = self.first.finish()?;
        let scored = self.likelihood.is_some();
        let thresholds = match &mut self.likelihood {
            Some(likelihood) => likelihood.thresholds(),
            None => Vec::new(),
        };
        let mut writer = RowWriter::create(output)?;
        for score in RowReader::<Score>::open(&first.path, "scores")? {
            let mut score = score?;
            // Without a vote of every scorer the rows would not be comparable.
            if !thresholds.is_empty() && score.margins.len() == thresholds.len() {
                let votes = score.margins.iter().zip(&thresholds);
                let votes = votes.map(|(margin, all)| all.vote(margin.value() as f32));
                score.difficulty = difficulty(votes.collect());
            }
            self.found.count(&score, scored);
            writer.write(&score)?;
        }
        let written = writer.finish()?;
        drop(self.folder);
        Ok((written, self.found.tables()))
    }
}

fn resolve_repository(sources: &Sources, items: &[&Item], holes: &[Vec<Hole<'_>>]) -> Resolved {
    let repository = Repository::new(sources, items);
    let mut found = Vec::new();
    for (item, holes) in items.iter().zip(holes) {
        for (hole, negatives) in holes {
            let rejected: Vec<&str> = negatives.iter().map(|row| &*row.rejected).collect();
            found.push(repository.resolve(hole, &rejected));
        }
        repository.restore(&item.context);
    }
    let covered = Language::ALL.into_iter();
    Resolved {
        seen: repository.seen(),
        covered: covered
            .filter(|language| repository.covers(*language))
            .collect(),
        holes: found,
    }
}

/// The holes of an item's negatives in the order in which they first come up.
fn holes(item: &Item) -> Vec<Hole<'_>> {
    let mut holes: Vec<Hole<'_>> = Vec::new();
    for negative in &item.negatives {
        let [start, end] = match &negative.split {
            Some(split) => [split.hole_start, split.hole_end],
            None => [item.context.span.hole_start, item.context.span.hole_end],
        };
        let same =
            |(hole, _): &&mut Hole<'_>| [hole.span.hole_start, hole.span.hole_end] == [start, end];
        match holes.iter_mut().find(same) {
            Some((_, negatives)) => negatives.push(negative),
            None => holes.push((negative.context(&item.context), vec![negative])),
        }
    }
    holes
}

impl Found {
    /// Counts a repository's golden completions, each hole once: contexts of one file share its
    /// imports.
    fn see(&mut self, holes: &[Hole<'_>], resolved: &Resolved) {
        let counts = self.seen.entry(resolved.seen).or_default();
        counts[0] += 1;
        let mut known = HashSet::new();
        for ((context, negatives), found) in holes.iter().zip(&resolved.holes) {
            counts[1] += negatives.len() as u64;
            let covered = resolved.covered.contains(&context.language);
            counts[3] += if covered { 0 } else { negatives.len() as u64 };
            let Some((found, first)) = found.as_ref().and_then(|all| Some((all, all.first()?)))
            else {
                counts[2] += negatives.len() as u64;
                continue;
            };
            let [all, known_whole] = self.by_language.entry(context.language).or_default();
            for resolution in found {
                all.add(resolution.caught);
                if covered {
                    known_whole.add(resolution.caught);
                }
            }
            let found = first;
            if known.insert(&context.id) {
                let golden = self.golden.entry((context.language, context.hole_kind));
                golden.or_default().add(found.golden_caught);
            }
        }
    }

    fn count(&mut self, score: &Score, scored: bool) {
        let kind = score.row.split('/').nth(1).unwrap_or_default();
        let kinds = HallucinationType::value_variants().iter().copied();
        let kind = kinds.into_iter().find(|known| known.name() == kind);
        match (kind, score.difficulty) {
            (Some(kind), Some(difficulty)) => {
                *self.difficulty.entry((kind, difficulty)).or_default() += 1;
            }
            _ if scored => self.unscored += 1,
            _ => {}
        }
    }

    fn tables(self) -> Tables {
        let mut tables = Vec::new();
        if !self.seen.is_empty() {
            tables.push(("repositories_of_the_resolver".to_owned(), self.seen()));
        }
        if !self.caught.is_empty() {
            tables.push(("caught_by_the_resolver".to_owned(), self.caught()));
            tables.push(("caught_by_language".to_owned(), self.caught_by_language()));
            tables.push(("golden_caught_by_the_resolver".to_owned(), self.golden()));
        }
        if !self.difficulty.is_empty() || self.unscored > 0 {
            tables.push(("difficulty".to_owned(), self.difficulty()));
        }
        tables
    }

    fn caught(&self) -> Table {
        let columns = [
            "type",
            "generator",
            "negatives",
            "caught",
            "caught and the golden completion not",
        ];
        let title = format!("Negatives caught by the resolver, which is no judge ({INTERVALS})");
        let mut table = Table::new(title, &columns);
        let mut all = Caught::default();
        for ((kind, generator), found) in &self.caught {
            table.row([
                kind.name().into(),
                generator.clone().into(),
                found.caught.of.into(),
                found.caught.into(),
                found.sound.into(),
            ]);
            all.merge(*found);
        }
        let counts = [all.caught.of.into(), all.caught.into(), all.sound.into()];
        let cells = ["all".into(), Cell::Nothing].into_iter().chain(counts);
        table.row(cells.collect::<Vec<_>>());
        table
    }

    fn caught_by_language(&self) -> Table {
        let columns = [
            "language",
            "negatives",
            "caught",
            "where every file of the language is known",
        ];
        let title = format!("Negatives caught by the resolver, by language ({INTERVALS})");
        let mut table = Table::new(title, &columns);
        for (language, [all, known]) in &self.by_language {
            table.row([
                language.name().into(),
                all.of.into(),
                (*all).into(),
                (*known).into(),
            ]);
        }
        table
    }

    fn golden(&self) -> Table {
        let columns = ["language", "hole", "golden completions", "caught"];
        let title =
            format!("Golden completions caught by the resolver: false alarms ({INTERVALS})");
        let mut table = Table::new(title, &columns);
        for ((language, hole), share) in &self.golden {
            table.row([
                language.name().into(),
                name_of(*hole).into(),
                share.of.into(),
                (*share).into(),
            ]);
        }
        table
    }

    fn seen(&self) -> Table {
        let columns = [
            "the resolver sees",
            "repositories",
            "negatives",
            "not judged: only a window of the file is known",
            "judged by the rows' own files: a file of the language is not known",
        ];
        let mut table = Table::new("Repositories by what the resolver sees of them", &columns);
        for (seen, [repositories, negatives, windows, unread]) in &self.seen {
            table.row([
                seen.name().into(),
                (*repositories).into(),
                (*negatives).into(),
                (*windows).into(),
                (*unread).into(),
            ]);
        }
        table
    }

    fn difficulty(&self) -> Table {
        let columns = ["type", "easy", "medium", "hard"];
        let mut table = Table::new("Difficulty by the scorers' median vote", &columns);
        for kind in HallucinationType::value_variants() {
            let count = |difficulty| self.difficulty.get(&(*kind, difficulty)).copied();
            let counts = Difficulty::ALL.map(|difficulty| count(difficulty).unwrap_or(0));
            if counts.iter().any(|count| *count > 0) {
                let cells = std::iter::once(kind.name().into()).chain(counts.map(Cell::from));
                table.row(cells.collect::<Vec<_>>());
            }
        }
        if self.unscored > 0 {
            table.row([
                "not scored".into(),
                Cell::Nothing,
                Cell::Nothing,
                self.unscored.into(),
            ]);
        }
        table
    }
}

/// A hole kind's name in files.
fn name_of(kind: HoleKind) -> String {
    let name = serde_json::to_value(kind).unwrap_or_default();
    name.as_str().unwrap_or_default().to_owned()
}
