//! Counting what the resolver and the scorers say of rows.

use std::collections::{BTreeMap, HashSet};

use clap::ValueEnum;
use truefill_syntax::Language;

use super::resolve::Seen;
use crate::corpus::repository_hash;
use crate::rows::{Context, Difficulty, HallucinationType, HoleKind, Negative, Resolution, Score};
use crate::stats::{Clustered, INTERVALS};
use crate::table::{Cell, Table, Tables};

/// Counts for the tables.
#[derive(Debug, Default)]
pub struct Found {
    caught: BTreeMap<(HallucinationType, String), Caught>,
    all: Caught,
    golden: BTreeMap<(Language, HoleKind), Clustered>,
    /// Repositories and negatives by how much of the repository the resolver sees; negatives in files
    /// of which only a window is known; negatives in a language with a file that could not be read.
    seen: BTreeMap<Seen, [u64; 4]>,
    /// What is caught in a language, and what where all of the repository's files in it are known.
    by_language: BTreeMap<Language, [Clustered; 2]>,
    difficulty: BTreeMap<(HallucinationType, Difficulty), u64>,
    unscored: u64,
}

/// What the resolver says of negatives.
#[derive(Debug, Default)]
struct Caught {
    /// It names something in them that cannot exist.
    caught: Clustered,
    /// And nothing in the golden completion of the hole.
    sound: Clustered,
}

impl Caught {
    fn add(&mut self, repository: u64, found: &Resolution) {
        self.caught.add(repository, found.caught);
        self.sound.add(repository, found.finding() == Some(true));
    }

    /// The columns behind its name.
    fn cells(&self) -> [Cell; 3] {
        let of = self.caught.share().of;
        [of.into(), (&self.caught).into(), (&self.sound).into()]
    }
}

/// What the resolver says of a repository's holes, in their order.
pub struct Resolved {
    /// How much of it the resolver sees.
    pub seen: Seen,
    /// Languages of which every file is known.
    pub covered: Vec<Language>,
    /// What it says of each hole's negatives; nothing where only a window of the file is known.
    pub holes: Vec<Option<Vec<Resolution>>>,
}

/// What belongs to one hole: the context with that hole, and the negatives that fill it.
pub type Hole<'a> = (Context, Vec<&'a Negative>);

impl Found {
    /// Counts a repository's negatives, and its golden completions, each hole once: contexts of one
    /// file share its imports.
    pub fn see(&mut self, holes: &[Hole<'_>], resolved: &Resolved) {
        let counts = self.seen.entry(resolved.seen).or_default();
        counts[0] += 1;
        let mut known = HashSet::new();
        for ((context, negatives), found) in holes.iter().zip(&resolved.holes) {
            counts[1] += negatives.len() as u64;
            let repository = repository_hash(context);
            let covered = resolved.covered.contains(&context.language);
            counts[3] += if covered { 0 } else { negatives.len() as u64 };
            let Some((found, first)) = found.as_ref().and_then(|all| Some((all, all.first()?)))
            else {
                counts[2] += negatives.len() as u64;
                continue;
            };
            let [all, known_whole] = self.by_language.entry(context.language).or_default();
            for (negative, resolution) in negatives.iter().zip(found) {
                let key = (negative.kind, negative.generator.clone());
                self.caught
                    .entry(key)
                    .or_default()
                    .add(repository, resolution);
                self.all.add(repository, resolution);
                all.add(repository, resolution.caught);
                if covered {
                    known_whole.add(repository, resolution.caught);
                }
            }
            let found = first;
            if known.insert(&context.id) {
                let golden = self.golden.entry((context.language, context.hole_kind));
                golden.or_default().add(repository, found.golden_caught);
            }
        }
    }

    /// Counts what the scorers say of a row, where some were `scored`.
    pub fn count(&mut self, score: &Score, scored: bool) {
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

    /// The tables, by their names in the manifest.
    pub fn tables(self) -> Tables {
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
        for ((kind, generator), found) in &self.caught {
            let name = [kind.name().into(), generator.clone().into()];
            table.row(name.into_iter().chain(found.cells()).collect::<Vec<_>>());
        }
        let name = ["all".into(), Cell::Nothing];
        let all = name.into_iter().chain(self.all.cells());
        table.row(all.collect::<Vec<_>>());
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
                all.share().of.into(),
                all.into(),
                known.into(),
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
                hole.name().into(),
                share.share().of.into(),
                share.into(),
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
