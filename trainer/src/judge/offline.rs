//! Columns that need no panel: the resolver's findings, and difficulty from log-probabilities.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::ValueEnum;
use rayon::prelude::*;
use tempfile::TempDir;
use truefill_syntax::Language;

use super::resolve::Repository;
use crate::corpus::Item;
use crate::rows::{
    Difficulty, HallucinationType, Margin, Negative, Resolution, RowReader, RowWriter, Score,
    Written,
};
use crate::score::{Scorer, Thresholds, difficulty};
use crate::stats::Share;
use crate::table::{Cell, Table};

/// Writes scores: a first time without difficulty, which needs everyone's margins, to a temporary
/// file. Keeps four bytes for each margin.
pub struct Offline {
    resolve: bool,
    sources: Option<PathBuf>,
    scorers: Vec<Scorer>,
    margins: Vec<Vec<f32>>,
    folder: TempDir,
    first: RowWriter<Score>,
    found: Found,
}

/// Counts for the tables.
#[derive(Debug, Default)]
struct Found {
    caught: BTreeMap<(HallucinationType, String), Share>,
    golden: BTreeMap<Language, Share>,
    difficulty: BTreeMap<(HallucinationType, Difficulty), u64>,
    unscored: u64,
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
        resolve: bool,
        sources: Option<PathBuf>,
        scorers: Vec<Scorer>,
    ) -> Result<Self> {
        let parent = output
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        let parent = parent.unwrap_or(Path::new("."));
        std::fs::create_dir_all(parent)?;
        let folder = TempDir::new_in(parent)?;
        let first = RowWriter::create(&folder.path().join("scores.jsonl.zst"))?;
        Ok(Self {
            resolve,
            sources,
            margins: vec![Vec::new(); scorers.len()],
            scorers,
            folder,
            first,
            found: Found::default(),
        })
    }

    /// Scores all rows of some repositories, each of which is here with all its rows.
    ///
    /// # Errors
    /// What a scorer reports, and a full disk.
    pub fn add(&mut self, items: &[Item]) -> Result<()> {
        let mut repos: BTreeMap<&str, Vec<&Item>> = BTreeMap::new();
        for item in items {
            repos.entry(&item.context.repo).or_default().push(item);
        }
        let repos: Vec<Vec<&Item>> = repos.into_values().collect();
        let (resolve, sources) = (self.resolve, self.sources.as_deref());
        let resolved: Vec<Vec<Vec<Resolution>>> = repos
            .par_iter()
            .map(|items| match resolve {
                true => resolve_repository(sources, items),
                false => Vec::new(),
            })
            .collect();
        for (items, resolved) in repos.iter().zip(resolved) {
            let mut resolved = resolved.into_iter();
            for hole in items.iter().flat_map(|item| holes(item)) {
                self.write(&hole, resolved.next())?;
            }
        }
        Ok(())
    }

    fn write(&mut self, hole: &Hole<'_>, resolved: Option<Vec<Resolution>>) -> Result<()> {
        let (context, negatives) = hole;
        if let Some(found) = resolved.as_ref().and_then(|resolved| resolved.first()) {
            let golden = self.found.golden.entry(context.language).or_default();
            golden.add(found.golden_caught);
        }
        let margins = self.score(hole)?;
        let mut resolved = resolved.into_iter().flatten();
        for (negative, margins) in negatives.iter().zip(margins) {
            let resolver = resolved.next();
            if let Some(resolution) = &resolver {
                let key = (negative.kind, negative.generator.clone());
                self.found
                    .caught
                    .entry(key)
                    .or_default()
                    .add(resolution.caught);
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

    /// The margins of each negative of a hole; none where a scorer cannot tell.
    fn score(&mut self, (context, negatives): &Hole<'_>) -> Result<Vec<Vec<Margin>>> {
        let mut rows = vec![Vec::new(); negatives.len()];
        for scorer in &mut self.scorers {
            let golden = scorer.score(&context.prefix, &context.golden, &context.suffix)?;
            for (negative, row) in negatives.iter().zip(&mut rows) {
                let rejected =
                    scorer.score(&context.prefix, &negative.rejected, &context.suffix)?;
                if let (Some(golden), Some(rejected)) = (golden, rejected) {
                    row.push(Margin {
                        scorer: scorer.name().to_owned(),
                        golden: golden.log_probability,
                        rejected: rejected.log_probability,
                    });
                }
            }
        }
        for row in &rows {
            if row.len() == self.scorers.len() {
                for (margin, all) in row.iter().zip(&mut self.margins) {
                    all.push(margin.value() as f32);
                }
            }
        }
        Ok(rows)
    }

    /// Writes `output` with everyone's difficulty, and gives the tables by their names in the
    /// manifest.
    ///
    /// # Errors
    /// As where the disk is full.
    pub fn finish(mut self, output: &Path) -> Result<(Written, Vec<(String, Table)>)> {
        let first = self.first.finish()?;
        let thresholds: Vec<Thresholds> = self
            .margins
            .iter_mut()
            .filter_map(|margins| Thresholds::of(margins))
            .collect();
        let mut writer = RowWriter::create(output)?;
        for score in RowReader::<Score>::open(&first.path, "scores")? {
            let mut score = score?;
            // Without a vote of every scorer the rows would not be comparable.
            if !thresholds.is_empty() && score.margins.len() == thresholds.len() {
                let votes = score.margins.iter().zip(&thresholds);
                let votes = votes.map(|(margin, all)| all.vote(margin.value() as f32));
                score.difficulty = difficulty(votes.collect());
            }
            self.found.count(&score, !self.scorers.is_empty());
            writer.write(&score)?;
        }
        let written = writer.finish()?;
        drop(self.folder);
        Ok((written, self.found.tables()))
    }
}

fn resolve_repository(sources: Option<&Path>, items: &[&Item]) -> Vec<Vec<Resolution>> {
    let repository = Repository::new(sources, items);
    let mut found = Vec::new();
    for item in items {
        for (hole, negatives) in holes(item) {
            let rejected: Vec<&str> = negatives.iter().map(|row| &*row.rejected).collect();
            found.push(repository.resolve(&hole, &rejected));
        }
        repository.restore(&item.context.path);
    }
    found
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

    fn tables(self) -> Vec<(String, Table)> {
        let mut tables = Vec::new();
        if !self.caught.is_empty() {
            tables.push(("caught_by_the_resolver".to_owned(), self.caught()));
            tables.push(("golden_caught_by_the_resolver".to_owned(), self.golden()));
        }
        if !self.difficulty.is_empty() || self.unscored > 0 {
            tables.push(("difficulty".to_owned(), self.difficulty()));
        }
        tables
    }

    fn caught(&self) -> Table {
        let columns = ["type", "generator", "caught"];
        let mut table = Table::new("Negatives caught by the resolver (no verdicts)", &columns);
        let mut all = Share::default();
        for ((kind, generator), share) in &self.caught {
            table.row([
                kind.name().into(),
                generator.clone().into(),
                (*share).into(),
            ]);
            all.part += share.part;
            all.of += share.of;
        }
        table.row(["all".into(), Cell::Nothing, all.into()]);
        table
    }

    fn golden(&self) -> Table {
        let columns = ["language", "caught"];
        let mut table = Table::new(
            "Golden completions caught by the resolver, by hole",
            &columns,
        );
        for (language, share) in &self.golden {
            table.row([language.name().into(), (*share).into()]);
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
