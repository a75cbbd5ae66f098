//! What the curated rows consist of: the tables of paper "hard negatives", Table 2 and appendix E.

use std::collections::BTreeMap;

use truefill_syntax::Language;

use super::bands::BandsRecipe;
use super::pool::{Pool, Row};
use super::splits::Split;
use crate::rows::{Difficulty, HallucinationType, PairRow};
use crate::stats::{Lengths, Share};
use crate::table::{Cell, Table, Tables};

/// Counts over the rows that are written. Keeps twelve bytes for each training pair.
#[derive(Debug, Default)]
pub struct Composition {
    seeds: BTreeMap<Language, u64>,
    pool: BTreeMap<Language, u64>,
    sft: BTreeMap<(Language, Split), u64>,
    pairs: BTreeMap<Split, u64>,
    buckets: BTreeMap<(Language, HallucinationType), u64>,
    generators: BTreeMap<String, u64>,
    licences: BTreeMap<String, u64>,
    fooled: BTreeMap<(u64, u64), u64>,
    difficulty: BTreeMap<Option<Difficulty>, u64>,
    /// Pairs that the resolver catches, that it misses, and of which it says nothing.
    resolver: [u64; 3],
    lengths: [Vec<u32>; 3],
}

impl Composition {
    /// Of nothing yet but what was read.
    pub fn new(pool: &Pool) -> Self {
        let mut found = Self::default();
        for facts in pool.contexts.facts() {
            *found.seeds.entry(facts.own.language).or_default() += 1;
        }
        for row in &pool.rows {
            let language = pool.contexts.get(row.context).own.language;
            *found.pool.entry(language).or_default() += 1;
        }
        found
    }

    /// Counts a row that is written.
    pub fn add(&mut self, split: Split, pair: &PairRow, row: &Row, sft: bool) {
        let chosen = &pair.chosen;
        *self.pairs.entry(split).or_default() += 1;
        if sft {
            *self.sft.entry((chosen.language, split)).or_default() += 1;
        }
        if split != Split::Train {
            return;
        }
        *self
            .buckets
            .entry((chosen.language, chosen.kind))
            .or_default() += 1;
        *self.generators.entry(pair.generator.clone()).or_default() += 1;
        *self.licences.entry(chosen.license.clone()).or_default() += 1;
        let fooled = row.fooled();
        *self.fooled.entry((fooled.part, fooled.of)).or_default() += 1;
        *self.difficulty.entry(row.difficulty).or_default() += 1;
        let finding = row.caught.map_or(2, |caught| usize::from(!caught));
        self.resolver[finding] += 1;
        let texts = [&pair.rejected, &chosen.prefix, &chosen.suffix];
        for (lengths, text) in self.lengths.iter_mut().zip(texts) {
            lengths.push(u32::try_from(text.chars().count()).unwrap_or(u32::MAX));
        }
    }

    /// SFT rows of a split.
    pub fn sft_rows(&self, split: Split) -> u64 {
        let of_split = self.sft.iter().filter(|((_, other), _)| *other == split);
        of_split.map(|(_, rows)| rows).sum()
    }

    /// Pairs of a split.
    pub fn pair_rows(&self, split: Split) -> u64 {
        self.pairs.get(&split).copied().unwrap_or(0)
    }

    /// The tables, by their names in the manifest.
    pub fn tables(mut self, bands: &BandsRecipe, panel: u64) -> Tables {
        let lengths = self.lengths();
        let named = [
            ("languages", self.languages()),
            ("languages_and_types", self.buckets()),
            (
                "generators",
                shares(
                    "Generators of the training pairs",
                    "generator",
                    &self.generators,
                ),
            ),
            ("lengths", lengths),
            ("fool_rate", self.fool_rate(bands, panel)),
            ("offline", self.offline()),
            (
                "licences",
                shares("Licences of the training pairs", "licence", &self.licences),
            ),
        ];
        named
            .into_iter()
            .map(|(name, table)| (name.to_owned(), table))
            .collect()
    }

    /// Table 2.
    fn languages(&self) -> Table {
        let columns = [
            "language",
            "seed rows",
            "pool rows",
            "train",
            "valid",
            "test",
        ];
        let mut table = Table::new(
            "Rows by language: contexts, negatives, curated SFT rows",
            &columns,
        );
        let mut totals = [0; 5];
        for (language, seeds) in &self.seeds {
            let count = |split| self.sft.get(&(*language, split)).copied().unwrap_or(0);
            let pool = self.pool.get(language).copied().unwrap_or(0);
            let [train, valid, test] = Split::ALL.map(count);
            let counts = [*seeds, pool, train, valid, test];
            for (total, count) in totals.iter_mut().zip(counts) {
                *total += count;
            }
            table.row(named_counts(language.name(), &counts));
        }
        table.row(named_counts("all", &totals));
        table
    }

    /// One column for each of the four types, and one for a teacher's rows where there are some.
    fn buckets(&self) -> Table {
        let mut types = HallucinationType::ALL.to_vec();
        let similar = HallucinationType::Similar;
        types.extend(
            self.buckets
                .keys()
                .any(|(_, kind)| *kind == similar)
                .then_some(similar),
        );
        let names = types.iter().map(|kind| kind.name());
        let columns: Vec<&str> = ["language"]
            .into_iter()
            .chain(names)
            .chain(["all"])
            .collect();
        let mut table = Table::new("Training pairs by language and type", &columns);
        let mut totals = vec![0; types.len() + 1];
        for language in self.seeds.keys() {
            let pairs = |kind: &HallucinationType| self.buckets.get(&(*language, *kind)).copied();
            let mut counts: Vec<u64> = types.iter().map(|kind| pairs(kind).unwrap_or(0)).collect();
            counts.push(counts.iter().sum());
            for (total, count) in totals.iter_mut().zip(&counts) {
                *total += count;
            }
            table.row(named_counts(language.name(), &counts));
        }
        table.row(named_counts("all", &totals));
        table
    }

    fn lengths(&mut self) -> Table {
        let columns = ["characters of", "median", "mean", "95th percentile"];
        let mut table = Table::new("Lengths in the training pairs", &columns);
        for (name, values) in ["rejected", "prefix", "suffix"]
            .into_iter()
            .zip(&mut self.lengths)
        {
            let cells = match Lengths::of(values) {
                None => [Cell::Nothing, Cell::Nothing, Cell::Nothing],
                Some(found) => [
                    u64::from(found.median).into(),
                    Cell::Number(found.mean, 1),
                    u64::from(found.p95).into(),
                ],
            };
            table.row(
                std::iter::once(name.into())
                    .chain(cells)
                    .collect::<Vec<_>>(),
            );
        }
        table
    }

    fn fool_rate(&self, bands: &BandsRecipe, panel: u64) -> Table {
        let columns = ["judges fooled", "band", "pairs", "share"];
        let mut table = Table::new("Blind fool rate of the training pairs", &columns);
        let judged = self
            .fooled
            .iter()
            .filter(|((_, of), _)| *of > 0)
            .map(|(_, rows)| rows)
            .sum();
        for ((part, of), rows) in &self.fooled {
            if *of == 0 {
                table.row([
                    "no verdict".into(),
                    Cell::Nothing,
                    (*rows).into(),
                    Cell::Nothing,
                ]);
                continue;
            }
            let fooled = Share {
                part: *part,
                of: *of,
            };
            let band = bands.band(fooled, panel);
            let band = band.map_or(Cell::Nothing, |band| band.name().into());
            let share = Share {
                part: *rows,
                of: judged,
            };
            let fooled = format!("{part} / {of}");
            table.row([fooled.into(), band, (*rows).into(), Cell::Part(share)]);
        }
        table
    }

    fn offline(&self) -> Table {
        let columns = ["finding", "pairs", "share"];
        let mut table = Table::new("Training pairs by what was found without a panel", &columns);
        let of = self.difficulty.values().sum();
        for (difficulty, pairs) in &self.difficulty {
            let name = difficulty.map_or("not scored", Difficulty::name);
            let share = Share { part: *pairs, of };
            let name = format!("difficulty: {name}");
            table.row([name.into(), (*pairs).into(), Cell::Part(share)]);
        }
        let [caught, missed, unknown] = self.resolver;
        for (name, part) in [
            ("caught by the resolver, the golden completion not", caught),
            ("missed by the resolver", missed),
            ("the resolver was not asked or cannot tell", unknown),
        ] {
            table.row([name.into(), part.into(), Cell::Part(Share { part, of })]);
        }
        table
    }
}

fn named_counts(name: &str, counts: &[u64]) -> Vec<Cell> {
    let counts = counts.iter().map(|count| Cell::from(*count));
    std::iter::once(name.into()).chain(counts).collect()
}

fn shares(title: &str, column: &'static str, counts: &BTreeMap<String, u64>) -> Table {
    let mut table = Table::new(title, &[column, "pairs", "share"]);
    let of = counts.values().sum();
    for (name, count) in counts {
        let share = Share { part: *count, of };
        table.row([name.clone().into(), Cell::from(*count), Cell::Part(share)]);
    }
    table
}
