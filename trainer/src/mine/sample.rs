//! Which rows stay: a seeded sample, stratified by language and hole kind, in constant memory.
//!
//! Every hole has a number that depends on the seed and its id alone; a stratum keeps its lowest
//! numbers. That is reservoir sampling whose result does not depend on the order of the rows, on
//! the number of threads or on where a run was interrupted (bottom-k sampling, Cohen and Kaplan
//! 2007).

use std::collections::{BTreeMap, BinaryHeap};

use truefill_syntax::{HoleKind, Language};

use super::extract::Tally;
use super::recipe::Recipe;
use crate::dedup::words::{hash, mix};
use crate::stats::share_out;

/// Rows that are kept for each that is drawn where a model refuses some: it is to find others.
const SPARE: usize = 4;

/// A language and a hole kind.
pub type Stratum = (Language, HoleKind);

/// The number of a hole: low numbers stay.
pub fn priority(seed: u64, id: &str) -> u64 {
    mix(hash(id.as_bytes()) ^ mix(seed))
}

/// The lowest numbers of each stratum so far, 8 bytes a row that may stay.
#[derive(Default)]
pub struct Sampler {
    limit: usize,
    strata: BTreeMap<Stratum, Lowest>,
}

/// What is drawn of a stratum.
pub enum Drawn {
    /// Every row.
    All,
    /// So many of these numbers, the lowest first; the others are spare.
    Lowest {
        /// In order.
        numbers: Vec<u64>,
        /// Rows that are wanted.
        quota: usize,
    },
}

impl Drawn {
    /// The highest number that stays where nothing is refused.
    pub fn cut(&self) -> Option<u64> {
        match self {
            Self::All => Some(u64::MAX),
            Self::Lowest { numbers, quota } => {
                let last = (*quota).min(numbers.len()).checked_sub(1)?;
                Some(numbers[last])
            }
        }
    }
}

#[derive(Default)]
struct Lowest {
    seen: u64,
    numbers: BinaryHeap<u64>,
}

impl Sampler {
    /// A sampler for a recipe's `per_language`.
    pub fn new(recipe: &Recipe) -> Self {
        Self {
            limit: match recipe.selector.model {
                Some(_) => recipe.per_language.saturating_mul(SPARE),
                None => recipe.per_language,
            },
            strata: BTreeMap::new(),
        }
    }

    /// A row of this number could not stay any more.
    pub fn is_out(&self, stratum: Stratum, number: u64) -> bool {
        self.limit > 0
            && self.strata.get(&stratum).is_some_and(|lowest| {
                lowest.numbers.len() >= self.limit
                    && lowest
                        .numbers
                        .peek()
                        .is_some_and(|highest| number >= *highest)
            })
    }

    /// Takes a row, and says whether it may stay. Rows are counted apart, by [`Sampler::count`]:
    /// those that cannot stay are not even made.
    pub fn take(&mut self, stratum: Stratum, number: u64) -> bool {
        if self.is_out(stratum, number) {
            return false;
        }
        let numbers = &mut self.strata.entry(stratum).or_default().numbers;
        if self.limit > 0 {
            numbers.push(number);
            if numbers.len() > self.limit {
                numbers.pop();
            }
        }
        true
    }

    /// Counts rows that could be taken.
    pub fn count_all(&mut self, tally: &Tally) {
        for (language, kinds) in &tally.offered {
            for (kind, seen) in kinds {
                self.strata.entry((*language, *kind)).or_default().seen += seen;
            }
        }
    }

    /// What is drawn of each stratum: a language's rows are shared out to its kinds; what a kind
    /// cannot fill, the others get.
    pub fn draw(self, recipe: &Recipe) -> BTreeMap<Stratum, Drawn> {
        let shares: BTreeMap<HoleKind, f64> = recipe.shares().collect();
        let mut quotas = BTreeMap::new();
        for &language in &recipe.languages {
            let kinds: Vec<(HoleKind, f64, u64)> = shares
                .iter()
                .filter_map(|(&kind, &share)| {
                    let seen = self.strata.get(&(language, kind))?.seen;
                    Some((kind, share, seen))
                })
                .collect();
            for (kind, quota) in share_out(&kinds, recipe.per_language as u64) {
                quotas.insert((language, kind), quota);
            }
        }
        self.strata
            .into_iter()
            .filter_map(|(stratum, lowest)| {
                if recipe.per_language == 0 {
                    return Some((stratum, Drawn::All));
                }
                let quota = *quotas.get(&stratum)? as usize;
                let numbers = lowest.numbers.into_sorted_vec();
                Some((stratum, Drawn::Lowest { numbers, quota }))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL: Stratum = (Language::Go, HoleKind::CallSite);
    const BLOCK: Stratum = (Language::Go, HoleKind::Block);

    #[test]
    fn rows_are_shared_out_by_weight_and_supply() {
        use HoleKind::*;
        let check = |kinds: &[(HoleKind, f64, u64)], total, expected: &[(HoleKind, u64)]| {
            let mut found = share_out(kinds, total);
            found.sort_unstable();
            assert_eq!(found, expected);
        };
        check(
            &[(CallSite, 1.0, 100), (Block, 1.0, 100)],
            50,
            &[(CallSite, 25), (Block, 25)],
        );
        check(
            &[(CallSite, 1.0, 100), (Block, 1.0, 5)],
            50,
            &[(CallSite, 45), (Block, 5)],
        );
        check(
            &[(CallSite, 2.0, 100), (Block, 1.0, 100)],
            30,
            &[(CallSite, 20), (Block, 10)],
        );
        check(
            &[(CallSite, 1.0, 3), (Block, 1.0, 4)],
            50,
            &[(CallSite, 3), (Block, 4)],
        );
        check(
            &[(CallSite, 1.0, 9), (Block, 1.0, 9)],
            5,
            &[(CallSite, 3), (Block, 2)],
        );
        check(&[], 5, &[]);
    }

    #[test]
    fn the_sample_depends_on_the_seed_and_not_on_the_order() {
        let recipe = Recipe {
            per_language: 20,
            ..Recipe::default()
        };
        let sample = |seed, backwards: bool| {
            let mut sampler = Sampler::new(&recipe);
            let mut ids: Vec<String> = (0..1000).map(|id| id.to_string()).collect();
            if backwards {
                ids.reverse();
            }
            for id in &ids {
                sampler.take(CALL, priority(seed, id));
                sampler.take(BLOCK, priority(seed, id));
            }
            let kinds = [CALL, BLOCK].map(|(_, kind)| (kind, 1000));
            let tally = Tally {
                offered: [(CALL.0, kinds.into())].into(),
                ..Tally::default()
            };
            sampler.count_all(&tally);
            let drawn = sampler.draw(&recipe);
            ids.sort();
            ids.retain(|id| Some(priority(seed, id)) <= drawn[&CALL].cut());
            ids
        };
        assert_eq!(sample(1, false).len(), 10);
        assert_eq!(sample(1, false), sample(1, true));
        assert_ne!(sample(1, false), sample(2, false));
    }

    #[test]
    fn without_a_limit_everything_stays() {
        let recipe = Recipe {
            per_language: 0,
            ..Recipe::default()
        };
        let mut sampler = Sampler::new(&recipe);
        assert!(sampler.take(CALL, u64::MAX));
        assert_eq!(sampler.draw(&recipe)[&CALL].cut(), Some(u64::MAX));
    }
}
