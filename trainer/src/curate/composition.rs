//! What the curated rows consist of: the tables of paper "hard negatives", Table 2 and appendix E.

use std::collections::BTreeMap;

use truefill_syntax::Language;

use super::bands::BandsRecipe;
use super::pool::{Pool, Row};
use super::splits::Split;
use crate::rows::{Difficulty, HallucinationType, PairRow};
use crate::stats::{Lengths, Share};
use crate::table::{Cell, Table};

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
    resolver: Share,
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
        if let Some(caught) = row.caught {
            self.resolver.add(caught);
        }
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
    pub fn tables(mut self, bands: &BandsRecipe) -> Vec<(String, Table)> {
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
            ("fool_rate", self.fool_rate(bands)),
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
            table.row(named_counts(language.name(), counts));
        }
        table.row(named_counts("all", totals));
        table
    }

    fn buckets(&self) -> Table {
        let types = HallucinationType::ALL;
        let columns = [
            "language",
            "method",
            "parameter",
            "undefined_variable",
            "import",
            "all",
        ];
        let mut table = Table::new("Training pairs by language and type", &columns);
        let mut totals = [0; 5];
        for language in self.seeds.keys() {
            let of_type =
                types.map(|kind| self.buckets.get(&(*language, kind)).copied().unwrap_or(0));
            let [method, parameter, variable, import] = of_type;
            let all = self
                .buckets
                .iter()
                .filter(|((other, _), _)| other == language);
            let all = all.map(|(_, pairs)| pairs).sum();
            let counts = [method, parameter, variable, import, all];
            for (total, count) in totals.iter_mut().zip(counts) {
                *total += count;
            }
            table.row(named_counts(language.name(), counts));
        }
        table.row(named_counts("all", totals));
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

    fn fool_rate(&self, bands: &BandsRecipe) -> Table {
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
            let band = bands.band(Share {
                part: *part,
                of: *of,
            });
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
        let columns = ["finding", "pairs"];
        let mut table = Table::new("Training pairs by what was found without a panel", &columns);
        for (difficulty, pairs) in &self.difficulty {
            let name = difficulty.map_or("not scored", Difficulty::name);
            table.row([format!("difficulty: {name}").into(), Cell::from(*pairs)]);
        }
        table.row(["caught by the resolver".into(), Cell::Part(self.resolver)]);
        table
    }
}

fn named_counts(name: &str, counts: [u64; 5]) -> Vec<Cell> {
    std::iter::once(name.into())
        .chain(counts.map(Cell::from))
        .collect()
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
