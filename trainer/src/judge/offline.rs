//! Columns that need no panel: the resolver's findings, and difficulty from log-probabilities.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use rayon::prelude::*;
use truefill_syntax::Language;

use super::found::{Found, Hole, Resolved};
use super::resolve::Repository;
use super::sources::Sources;
use crate::corpus::{Item, WorkFolder};
use crate::kept::{self, Kept, Key};
use crate::rows::{Margin, Resolution, RowReader, RowWriter, Score, Written};
use crate::score::{Scorer, Thresholds, difficulty};
use crate::table::Tables;

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

    /// Scores all rows of some repositories, each of which is here with all its rows; `done` hears of
    /// how many negatives the longest part of the work is done.
    ///
    /// # Errors
    /// What a scorer reports, and a full disk.
    pub fn add<'i>(&mut self, items: &'i [Item], done: &(dyn Fn(u64) + Sync)) -> Result<()> {
        let mut repos: BTreeMap<&str, Vec<&'i Item>> = BTreeMap::new();
        for item in items {
            repos.entry(&item.context.repo).or_default().push(item);
        }
        let repos: Vec<Vec<&Item>> = repos.into_values().collect();
        let read = |items: &Vec<&'i Item>| {
            let holes: Vec<Vec<Hole<'i>>> = items.iter().map(|item| holes(item)).collect();
            let sources = self.sources.as_ref();
            let resolved = sources.map(|sources| resolve_repository(sources, items, &holes));
            if self.likelihood.is_none() {
                done(items.iter().map(|item| item.negatives.len() as u64).sum());
            }
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
                if self.likelihood.is_some() {
                    done(hole.1.len() as u64);
                }
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
            self.first.write(&Score {
                row: negative.id(),
                resolver: resolved.next(),
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
