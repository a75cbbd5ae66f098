//! Which of the rows that may stay are written: the sample's own, or those of them that a model
//! calls good, with others in the place of those that it refuses.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;
use futures::StreamExt;

use super::sample::{Drawn, Stratum, priority};
use super::select::ModelSelector;
use super::work::Work;
use crate::panel::Roll;
use crate::progress::Progress;
use crate::rows::Context;

/// Rows that are asked about at a time; the member's own `concurrency` bounds what is sent.
const IN_FLIGHT: usize = 64;

/// The rows that are written, by their numbers.
pub enum Chosen {
    /// Up to a number in each stratum.
    Cuts(BTreeMap<Stratum, u64>),
    /// One by one.
    Numbers(BTreeSet<(Stratum, u64)>),
}

impl Chosen {
    /// What is drawn, where nobody is asked.
    pub fn all(drawn: &BTreeMap<Stratum, Drawn>) -> Self {
        let cuts = drawn.iter();
        Self::Cuts(
            cuts.filter_map(|(stratum, drawn)| Some((*stratum, drawn.cut()?)))
                .collect(),
        )
    }

    /// Whether a row is written.
    pub fn has(&self, stratum: Stratum, number: u64) -> bool {
        match self {
            Self::Cuts(cuts) => cuts.get(&stratum).is_some_and(|cut| number <= *cut),
            Self::Numbers(numbers) => numbers.contains(&(stratum, number)),
        }
    }
}

/// A model at its work.
pub struct Choosing<'a> {
    /// Who is asked.
    pub selector: &'a ModelSelector<'a>,
    /// Where the rows are.
    pub work: &'a Work,
    /// How many sources they are of.
    pub sources: usize,
    /// Of the rows' numbers.
    pub seed: u64,
    /// Shows how far it is.
    pub progress: &'a Progress,
    /// Rows that the model called good.
    pub good: BTreeSet<(Stratum, u64)>,
    /// Rows that it refused.
    pub refused: u64,
    /// Rows without an answer that can be read.
    pub missing: u64,
    /// What nobody was asked.
    pub roll: Roll,
}

/// The numbers above the first and up to the second are asked about.
type Windows = BTreeMap<Stratum, (Option<u64>, u64)>;

impl Choosing<'_> {
    /// Asks about what is drawn, and about spare rows for as many as were refused, until every
    /// stratum is full or has no rows left.
    ///
    /// # Errors
    /// Where the model refuses before it answered anything, and where rows cannot be read.
    pub async fn run(&mut self, drawn: &BTreeMap<Stratum, Drawn>) -> Result<()> {
        let mut asked: BTreeMap<Stratum, usize> = BTreeMap::new();
        loop {
            let windows = self.windows(drawn, &mut asked);
            if windows.is_empty() || self.roll.problem().is_some() {
                return Ok(());
            }
            self.ask(&windows).await?;
        }
    }

    /// What is asked about next; `asked` says how many numbers of each stratum were before.
    fn windows(
        &self,
        drawn: &BTreeMap<Stratum, Drawn>,
        asked: &mut BTreeMap<Stratum, usize>,
    ) -> Windows {
        let mut windows = Windows::new();
        for (&stratum, drawn) in drawn {
            let before = asked.entry(stratum).or_default();
            match drawn {
                Drawn::All if *before == 0 => {
                    *before = usize::MAX;
                    windows.insert(stratum, (None, u64::MAX));
                }
                Drawn::All => {}
                Drawn::Lowest { numbers, quota } => {
                    let good = self.good.range((stratum, 0)..=(stratum, u64::MAX)).count();
                    let upto = numbers.len().min(*before + quota.saturating_sub(good));
                    if upto > *before {
                        let after = before.checked_sub(1).map(|last| numbers[last]);
                        windows.insert(stratum, (after, numbers[upto - 1]));
                        *before = upto;
                    }
                }
            }
        }
        windows
    }

    async fn ask(&mut self, windows: &Windows) -> Result<()> {
        let (selector, seed) = (self.selector, self.seed);
        let number = |row: &Context| priority(seed, &row.id);
        let wanted = |row: &Context| {
            let window = windows.get(&(row.language, row.hole_kind));
            let number = number(row);
            window.is_some_and(|(after, upto)| Some(number) > *after && number <= *upto)
        };
        let stop = AtomicBool::new(false);
        let rows = (0..self.sources)
            .flat_map(|source| rows(self.work, source))
            .filter(|row| row.as_ref().map_or(true, wanted))
            .take_while(|_| !stop.load(Ordering::Relaxed));
        let answers = futures::stream::iter(rows).map(|row| async move {
            let row = row?;
            let key = ((row.language, row.hole_kind), number(&row));
            let (keeps, heard) = selector.keeps(&row).await;
            anyhow::Ok((key, keeps, heard))
        });
        let mut answers = std::pin::pin!(answers.buffered(IN_FLIGHT));
        let mut failure = None;
        while let Some(answer) = answers.next().await {
            let taken = answer.and_then(|(key, keeps, heard)| {
                self.roll.hear(selector.name(), &heard)?;
                match keeps {
                    Some(true) => drop(self.good.insert(key)),
                    Some(false) => self.refused += 1,
                    None => self.missing += 1,
                }
                Ok(())
            });
            if let Err(error) = taken {
                stop.store(true, Ordering::Relaxed);
                failure.get_or_insert(error);
            }
            let done = self.good.len() as u64 + self.refused + self.missing;
            let figures = selector.books.map(|books| format!(", {}", books.figures()));
            let figures = figures.unwrap_or_default();
            let good = self.good.len();
            self.progress
                .at(done, &format!("rows, of which {good} are good{figures}"));
        }
        failure.map_or(Ok(()), Err)
    }
}

fn rows(work: &Work, source: usize) -> Box<dyn Iterator<Item = Result<Context>>> {
    match work.rows::<Context>(source) {
        Ok(rows) => Box::new(rows.map(|row| Ok(row?))),
        Err(error) => Box::new(std::iter::once(Err(error))),
    }
}
