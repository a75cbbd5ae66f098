//! The first pass: of every row the few numbers that decide about it.
//!
//! A negative costs 24 bytes. A context costs about 70, and 600 more while near-duplicates are
//! looked for. So the paper's 400K contexts with 4.8M negatives take about 400 MB.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use anyhow::Result;
use clap::ValueEnum;
use truefill_syntax::Language;

use super::recipe::{CurateRecipe, ResolverFilter};
use super::splits::Split;
use crate::corpus::{ContextTable, negatives, stable_hash};
use crate::dedup::{Benchmarks, MinHash, NearDuplicates, Overlap};
use crate::rows::{
    Context, Difficulty, HallucinationType, Negative, RowReader, Score, Subject, Verdict,
    VerdictKind,
};
use crate::stats::Share;
use crate::usage::Usage;

/// Bytes to each side of a hole that are its surroundings.
const SURROUNDINGS: usize = 1000;

/// Judges that fit into a row's bits.
const MOST_JUDGES: usize = 16;

/// What is kept of a context.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// Where it stands in the draw.
    pub rank: u64,
    /// The repository's number.
    pub repo: u32,
    /// The file's language.
    pub language: Language,
    /// What its rows are for.
    pub split: Split,
    /// Why it is left out.
    pub dropped: Option<&'static str>,
    /// Hash of the file's own hash.
    file: u64,
    hole_start: usize,
    hole_end: usize,
}

/// What is kept of a negative.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The context's place.
    pub context: u32,
    /// The generator's number.
    pub generator: u16,
    /// What is wrong with it.
    pub kind: HallucinationType,
    /// From its scores.
    pub difficulty: Option<Difficulty>,
    /// Whether the resolver catches it.
    pub caught: Option<bool>,
    /// Judges with a verdict and judges that were fooled, a bit for each.
    judged: u16,
    fooled: u16,
    /// Names the hole: contexts of one file share the holes on its imports.
    pub hole: u64,
}

impl Row {
    /// Judges that were fooled, of those with a verdict.
    pub fn fooled(&self) -> Share {
        Share {
            part: u64::from(self.fooled.count_ones()),
            of: u64::from(self.judged.count_ones()),
        }
    }

    fn key(&self) -> (u32, HallucinationType, u16) {
        (self.context, self.kind, self.generator)
    }
}

/// Everything that selection looks at.
pub struct Pool {
    /// The contexts.
    pub contexts: ContextTable<About>,
    /// The negatives, sorted by context, type and generator; no two are equal in these.
    pub rows: Vec<Row>,
    /// Names of generators, by number.
    pub generators: Names,
    judges: Names,
    /// Counts for the manifest.
    pub counts: BTreeMap<String, u64>,
}

/// Names and their numbers, in the order in which they came.
#[derive(Default)]
pub struct Names {
    numbers: HashMap<String, usize>,
    names: Vec<String>,
}

impl Names {
    fn number(&mut self, name: &str) -> usize {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = self.names.len();
        self.numbers.insert(name.to_owned(), number);
        self.names.push(name.to_owned());
        number
    }

    /// All names.
    pub fn all(&self) -> &[String] {
        &self.names
    }
}

impl Pool {
    /// Reads contexts and negatives.
    ///
    /// # Errors
    /// Rows that are wrong, by file and line.
    pub fn read(contexts: &Path, rejected: &Path, recipe: &CurateRecipe) -> Result<Self> {
        let mut counts = BTreeMap::new();
        let contexts = read_contexts(contexts, recipe, &mut counts)?;
        let mut pool = Self {
            contexts,
            rows: Vec::new(),
            generators: Names::default(),
            judges: Names::default(),
            counts,
        };
        let (rows, names) = (&mut pool.rows, &mut pool.generators);
        negatives(rejected, &pool.contexts, |place, negative| {
            let generator = names.number(&negative.generator) as u16;
            rows.push(row(
                place,
                &pool.contexts.get(place).own,
                generator,
                &negative,
            ));
            Ok(())
        })?;
        let all = pool.rows.len();
        pool.rows.sort_by_key(Row::key);
        pool.rows.dedup_by_key(|row| row.key());
        pool.count("negatives", all);
        pool.count("negatives with the id of another", all - pool.rows.len());
        Ok(pool)
    }

    fn count(&mut self, name: &str, count: usize) {
        *self.counts.entry(name.to_owned()).or_default() += count as u64;
    }

    /// Adds blind verdicts on negatives; others are counted and say nothing here.
    ///
    /// # Errors
    /// Rows that are wrong, a judge with two verdicts on one row, more than 16 judges.
    pub fn read_verdicts(&mut self, path: &Path) -> Result<()> {
        let mut reader = RowReader::<Verdict>::open(path, "verdicts")?;
        while let Some(verdict) = reader.next() {
            let verdict = verdict?;
            if verdict.subject == Subject::Golden || verdict.kind != VerdictKind::Blind {
                self.count("verdicts on golden completions, or not blind", 1);
                continue;
            }
            let Some(score) = verdict.verdict else {
                self.count("verdicts that are missing", 1);
                continue;
            };
            let Some(place) = self.find_id(&verdict.row) else {
                self.count("verdicts without a row", 1);
                continue;
            };
            let judge = self.judges.number(&verdict.judge);
            if judge >= MOST_JUDGES {
                let found = format!("verdicts of more than {MOST_JUDGES} judges");
                return Err(reader.wrong(found).into());
            }
            let (bit, row) = (1 << judge, &mut self.rows[place]);
            if row.judged & bit != 0 {
                let found = format!(
                    "a second verdict of `{}` on `{}`",
                    verdict.judge, verdict.row
                );
                return Err(reader.wrong(found).into());
            }
            row.judged |= bit;
            row.fooled |= if score == 1 { bit } else { 0 };
            self.count("verdicts", 1);
        }
        Ok(())
    }

    /// Adds the offline judges' columns.
    ///
    /// # Errors
    /// Rows that are wrong.
    pub fn read_scores(&mut self, path: &Path) -> Result<()> {
        for score in RowReader::<Score>::open(path, "scores")? {
            let score = score?;
            match self.find_id(&score.row) {
                None => self.count("scores without a row", 1),
                Some(place) => {
                    let row = &mut self.rows[place];
                    row.difficulty = score.difficulty;
                    row.caught = score.resolver.map(|found| found.caught);
                    self.count("scores", 1);
                }
            }
        }
        Ok(())
    }

    /// The place of a negative among the rows.
    pub fn find(&self, context: u32, negative: &Negative) -> Option<usize> {
        let generator = *self.generators.numbers.get(&negative.generator)? as u16;
        let key = (context, negative.kind, generator);
        self.rows.binary_search_by_key(&key, Row::key).ok()
    }

    /// The place of the row with an id: context, type and generator.
    fn find_id(&self, id: &str) -> Option<usize> {
        let mut parts = id.splitn(3, '/');
        let context = self.contexts.place(parts.next()?)?;
        let kind = parts.next()?;
        let kinds = HallucinationType::value_variants();
        let kind = *kinds.iter().find(|known| known.name() == kind)?;
        let generator = *self.generators.numbers.get(parts.next()?)? as u16;
        self.rows
            .binary_search_by_key(&(context, kind, generator), Row::key)
            .ok()
    }

    /// Why a row cannot be chosen, if it cannot.
    pub fn refused(&self, row: &Row, recipe: &CurateRecipe) -> Option<&'static str> {
        let about = &self.contexts.get(row.context).own;
        if about.dropped.is_some() {
            return Some("the context was dropped");
        }
        if recipe.type_weight(row.kind) == 0.0 || recipe.language_weight(about.language) == 0.0 {
            return Some("not in the mix");
        }
        match (recipe.resolver, row.caught) {
            (ResolverFilter::Caught, Some(false)) => Some("missed by the resolver"),
            (ResolverFilter::Missed, Some(true)) => Some("caught by the resolver"),
            (ResolverFilter::Caught | ResolverFilter::Missed, None) => {
                Some("not seen by the resolver")
            }
            _ => None,
        }
    }
}

fn row(context: u32, about: &About, generator: u16, negative: &Negative) -> Row {
    let (start, end) = match &negative.split {
        Some(split) => (split.hole_start, split.hole_end),
        None => (about.hole_start, about.hole_end),
    };
    let place = [about.file, start as u64, end as u64].map(u64::to_le_bytes);
    Row {
        context,
        generator,
        kind: negative.kind,
        difficulty: None,
        caught: None,
        judged: 0,
        fooled: 0,
        hole: stable_hash(0, &[place.as_flattened()]),
    }
}

fn read_contexts(
    path: &Path,
    recipe: &CurateRecipe,
    counts: &mut BTreeMap<String, u64>,
) -> Result<ContextTable<About>> {
    let mut benchmarks = Benchmarks::default();
    for file in &recipe.benchmarks {
        benchmarks
            .add_file(file)
            .map_err(|error| Usage::error(format!("{error:#}")))?;
    }
    let looks = recipe.near_duplicates > 0.0;
    let mut near = looks.then(|| NearDuplicates::new(MinHash::default(), recipe.near_duplicates));
    let mut repos = Names::default();
    let table = ContextTable::read(path, |context| {
        let file = stable_hash(0, &[context.span.file_sha256.as_bytes()]);
        let dropped = dropped(context, file, &benchmarks, near.as_mut());
        *counts.entry("contexts".into()).or_default() += 1;
        if let Some(reason) = dropped {
            *counts
                .entry(format!("contexts dropped: {reason}"))
                .or_default() += 1;
        }
        Ok(About {
            rank: stable_hash(recipe.seed, &[b"context", context.id.as_bytes()]),
            repo: repos.number(&context.repo) as u32,
            language: context.language,
            split: Split::of(&context.repo, recipe),
            dropped,
            file,
            hole_start: context.span.hole_start,
            hole_end: context.span.hole_end,
        })
    })?;
    counts.insert("repositories".into(), repos.all().len() as u64);
    Ok(table)
}

fn dropped(
    context: &Context,
    file: u64,
    benchmarks: &Benchmarks,
    near: Option<&mut NearDuplicates>,
) -> Option<&'static str> {
    let around = surroundings(context);
    match benchmarks.overlap(&context.repo, &context.path, &around) {
        Some(Overlap::Repository) => return Some("a benchmark's repository"),
        Some(Overlap::Path) => return Some("a benchmark's path"),
        Some(Overlap::Text) => return Some("ten words of a benchmark"),
        None => {}
    }
    let seen = near.is_some_and(|near| near.seen(file, &around));
    seen.then_some("a near-duplicate in another file")
}

/// The golden completion with the text around it. All of the file would not do: its head, a licence
/// for example, says nothing about the hole.
fn surroundings(context: &Context) -> String {
    let (prefix, suffix) = (&context.prefix, &context.suffix);
    let start = prefix.ceil_char_boundary(prefix.len().saturating_sub(SURROUNDINGS));
    let end = suffix.floor_char_boundary(SURROUNDINGS.min(suffix.len()));
    [&prefix[start..], &context.golden, &suffix[..end]].concat()
}
