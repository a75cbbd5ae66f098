//! Choosing rows under caps.
//!
//! Contexts are gone through in the order of the draw. Each gives the row whose (language, type) is
//! filled least, so that types which few contexts can serve get them; among the generators of that
//! type the draw decides, so they are chosen as often as they cover contexts (the paper does not
//! rebalance them either).

use std::collections::{BTreeMap, HashMap, HashSet};

use truefill_syntax::{Draw, Language};

use super::pool::{About, Pool, Row};
use super::recipe::CurateRecipe;
use super::splits::Split;
use crate::corpus::stable_hash;
use crate::rows::HallucinationType;
use crate::stats::share_out;

/// Rounds of giving others what some buckets cannot fill.
const MOST_ROUNDS: usize = 6;

/// A row that was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// Its place in the pool.
    pub row: usize,
    /// It stands in `sft.jsonl` too: the first of its context.
    pub sft: bool,
}

/// A language and a type.
pub type Bucket = (Language, HallucinationType);

/// What was chosen, and why the others were not.
#[derive(Debug, Default)]
pub struct Selection {
    /// In the order of the draw.
    pub chosen: Vec<Chosen>,
    /// Rows that were not chosen, by reason.
    pub refused: BTreeMap<&'static str, u64>,
}

/// SFT rows of each bucket that there may be in training.
#[derive(Clone, Debug, PartialEq)]
struct Quotas(BTreeMap<Bucket, f64>);

impl Quotas {
    /// From mix, size and cap, over the buckets that the pool has; no bucket gets more than
    /// `supply` says that it can fill, where that is known.
    fn new(pool: &Pool, recipe: &CurateRecipe, supply: &BTreeMap<Bucket, u64>) -> Self {
        let mut weights = BTreeMap::new();
        for row in &pool.rows {
            let language = pool.contexts.get(row.context).own.language;
            let weight = recipe.language_weight(language) * recipe.type_weight(row.kind);
            weights.insert((language, row.kind), weight);
        }
        let Some(rows) = recipe.rows else {
            let heaviest = weights.values().copied().fold(f64::MIN_POSITIVE, f64::max);
            let quota = |weight: f64| weight / heaviest * recipe.cap as f64;
            let quotas = weights.into_iter();
            return Self(quotas.map(|(bucket, w)| (bucket, quota(w))).collect());
        };
        let limit = |bucket| {
            supply
                .get(bucket)
                .copied()
                .unwrap_or(u64::MAX)
                .min(recipe.cap)
        };
        let parts: Vec<(Bucket, f64, u64)> = weights
            .iter()
            .filter(|(_, weight)| **weight > 0.0)
            .map(|(bucket, weight)| (*bucket, *weight, limit(bucket)))
            .collect();
        let shares = share_out(&parts, rows).into_iter();
        Self(shares.map(|(bucket, rows)| (bucket, rows as f64)).collect())
    }

    /// SFT rows of a bucket that a split may have.
    fn of(&self, bucket: Bucket, split: Split, recipe: &CurateRecipe) -> u64 {
        let train = self.0.get(&bucket).copied().unwrap_or(0.0);
        // A tenth of a row too many by rounding errors is no row.
        (train * split.scale(recipe) - 1e-6).ceil().max(0.0) as u64
    }
}

/// Chooses. Where the recipe wants a number of rows and some buckets cannot fill their shares, the
/// others get what is left over, and it is chosen anew.
pub fn select(pool: &Pool, recipe: &CurateRecipe) -> Selection {
    let mut supply = BTreeMap::new();
    let mut best: Option<Choice<'_>> = None;
    for _ in 0..MOST_ROUNDS {
        let quotas = Quotas::new(pool, recipe, &supply);
        if best.as_ref().is_some_and(|best| best.quotas == quotas) {
            break;
        }
        let choice = Choice::make(pool, recipe, quotas);
        for (bucket, quota) in &choice.quotas.0 {
            let filled = choice.filled(Split::Train, *bucket);
            if filled < quota.floor() as u64 {
                supply.insert(*bucket, filled);
            }
        }
        let done = recipe.rows.is_none_or(|rows| choice.training >= rows);
        if best
            .as_ref()
            .is_none_or(|best| best.training < choice.training)
        {
            best = Some(choice);
        }
        if done {
            break;
        }
    }
    best.map(|best| best.selection).unwrap_or_default()
}

/// The rows of each context, as places in the pool, contexts in the order of the draw.
fn by_draw(pool: &Pool) -> Vec<std::ops::Range<usize>> {
    let mut ranges = Vec::new();
    let mut start = 0;
    for rows in pool.rows.chunk_by(|a, b| a.context == b.context) {
        ranges.push(start..start + rows.len());
        start += rows.len();
    }
    let rank = |range: &std::ops::Range<usize>| {
        let context = pool.rows[range.start].context;
        (pool.contexts.get(context).own.rank, context)
    };
    ranges.sort_by_key(rank);
    ranges
}

fn generator_hashes(pool: &Pool) -> Vec<u64> {
    let names = pool.generators.all().iter();
    names
        .map(|name| stable_hash(0, &[name.as_bytes()]))
        .collect()
}

struct Choice<'a> {
    pool: &'a Pool,
    recipe: &'a CurateRecipe,
    quotas: Quotas,
    generators: Vec<u64>,
    /// SFT rows of each bucket, by split.
    filled: HashMap<(Split, Bucket), u64>,
    /// SFT rows of each repository.
    repos: HashMap<u32, u64>,
    /// Holes of SFT rows: two contexts of one file may have the same import.
    holes: HashSet<u64>,
    /// SFT rows for training.
    training: u64,
    selection: Selection,
}

impl<'a> Choice<'a> {
    fn make(pool: &'a Pool, recipe: &'a CurateRecipe, quotas: Quotas) -> Self {
        let mut choice = Self {
            pool,
            recipe,
            quotas,
            generators: generator_hashes(pool),
            filled: HashMap::new(),
            repos: HashMap::new(),
            holes: HashSet::new(),
            training: 0,
            selection: Selection::default(),
        };
        for rows in by_draw(pool) {
            choice.context(rows);
        }
        choice
    }

    fn context(&mut self, rows: std::ops::Range<usize>) {
        let mut left: Vec<usize> = Vec::new();
        for place in rows {
            match self.pool.refused(&self.pool.rows[place], self.recipe) {
                Some(reason) => self.refuse(reason),
                None => left.push(place),
            }
        }
        let mut taken = 0;
        while taken < self.recipe.pairs_per_context {
            let Some(at) = self.best(&left, taken == 0) else {
                break;
            };
            self.take(left.swap_remove(at), taken == 0);
            left.sort_unstable();
            taken += 1;
        }
        for place in left {
            let full = self.full(&self.pool.rows[place], taken == 0);
            self.refuse(full.unwrap_or("another row of the context was chosen"));
        }
    }

    fn refuse(&mut self, reason: &'static str) {
        *self.selection.refused.entry(reason).or_default() += 1;
    }

    fn about(&self, row: &Row) -> &About {
        &self.pool.contexts.get(row.context).own
    }

    /// Why there is no room for a row, if there is none.
    fn full(&self, row: &Row, sft: bool) -> Option<&'static str> {
        // A further pair of a context that was taken costs no place.
        if !sft {
            return (self.fill(row).1 == 0).then_some("the language and type are full");
        }
        let about = self.about(row);
        if self.repos.get(&about.repo).copied().unwrap_or(0) >= self.recipe.repo_cap {
            return Some("the repository is full");
        }
        let complete = self.recipe.rows.is_some_and(|rows| self.training >= rows);
        if complete && about.split == Split::Train {
            return Some("there are as many training rows as the recipe wants");
        }
        let (filled, quota) = self.fill(row);
        if filled >= quota {
            return Some("the language and type are full");
        }
        self.holes
            .contains(&row.hole)
            .then_some("another context has the hole")
    }

    /// Rows of the row's bucket in its split, and how many there may be.
    fn fill(&self, row: &Row) -> (u64, u64) {
        let about = self.about(row);
        let bucket = (about.language, row.kind);
        let quota = self.quotas.of(bucket, about.split, self.recipe);
        (self.filled(about.split, bucket), quota)
    }

    fn filled(&self, split: Split, bucket: Bucket) -> u64 {
        self.filled.get(&(split, bucket)).copied().unwrap_or(0)
    }

    /// The row of `left` for which there is most room.
    fn best(&self, left: &[usize], sft: bool) -> Option<usize> {
        let open = left
            .iter()
            .enumerate()
            .filter(|(_, place)| self.full(&self.pool.rows[**place], sft).is_none());
        let best = open.min_by(|(_, a), (_, b)| {
            let (a, b) = (&self.pool.rows[**a], &self.pool.rows[**b]);
            let ((a_filled, a_quota), (b_filled, b_quota)) = (self.fill(a), self.fill(b));
            let emptier = (u128::from(a_filled) * u128::from(b_quota))
                .cmp(&(u128::from(b_filled) * u128::from(a_quota)));
            emptier.then_with(|| self.draw(a).cmp(&self.draw(b)))
        });
        best.map(|(at, _)| at)
    }

    fn draw(&self, row: &Row) -> (u64, u64) {
        let rank = self.about(row).rank;
        let kind = Draw::new(rank ^ (row.kind as u64 + 1)).next_u64();
        let generator = Draw::new(rank ^ self.generators[usize::from(row.generator)]).next_u64();
        (kind, generator)
    }

    fn take(&mut self, place: usize, sft: bool) {
        let row = &self.pool.rows[place];
        let about = *self.about(row);
        let bucket = (about.language, row.kind);
        if sft {
            *self.filled.entry((about.split, bucket)).or_default() += 1;
            *self.repos.entry(about.repo).or_default() += 1;
            self.holes.insert(row.hole);
            self.training += u64::from(about.split == Split::Train);
        }
        self.selection.chosen.push(Chosen { row: place, sft });
    }
}
