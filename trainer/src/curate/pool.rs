//! The first pass: of every row the few numbers that decide about it.
//!
//! A negative costs 24 bytes. A context costs about 70, and it and each import's hole about 540 more
//! while near-duplicates are looked for. So the paper's 400K contexts with 4.8M negatives take 600 MB
//! where the generators are given the same import of a context, and 1 GB where each of three chooses
//! its own.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use anyhow::Result;
use clap::ValueEnum;
use truefill_syntax::Language;

use super::near::{Hole, Near, file_of};
use super::recipe::{CurateRecipe, ResolverFilter};
use super::splits::Split;
use crate::corpus::{ContextTable, negatives, stable_hash};
use crate::dedup::{Benchmarks, Overlap};
use crate::rows::{
    Context, Difficulty, HallucinationType, Negative, RowReader, Score, Subject, Verdict,
    VerdictKind,
};
use crate::stats::Share;
use crate::usage::Usage;

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
    /// The file's number.
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
    /// Whether the resolver catches it and not its golden completion; nothing where it catches both.
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
    /// Holes of imports that nearly stand in another file.
    near_imports: HashSet<u64>,
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
        let mut near = (recipe.near_duplicates > 0.0).then(|| Near::new(recipe.near_duplicates));
        let contexts = read_contexts(contexts, recipe, near.as_mut(), &mut counts)?;
        let mut pool = Self {
            contexts,
            rows: Vec::new(),
            generators: Names::default(),
            near_imports: HashSet::new(),
            judges: Names::default(),
            counts,
        };
        let (rows, names) = (&mut pool.rows, &mut pool.generators);
        let mut imports = HashSet::new();
        let wanted = |generator: &String| {
            recipe.generators.is_empty() || recipe.generators.contains(generator)
        };
        let mut others = 0;
        negatives(rejected, &pool.contexts, |place, negative| {
            if !wanted(&negative.generator) {
                others += 1;
                return Ok(());
            }
            let generator = names.number(&negative.generator) as u16;
            let about = &pool.contexts.get(place).own;
            let row = row(place, about, generator, &negative);
            if let (Some(split), Some(near)) = (&negative.split, &mut near)
                && about.dropped.is_none()
                && imports.insert(row.hole)
            {
                let parts = [&*split.prefix, &split.golden, &split.suffix];
                near.add(Hole::Import(row.hole), about.file, parts);
            }
            rows.push(row);
            Ok(())
        })?;
        if others > 0 {
            pool.count("negatives of generators that are not asked for", others);
        }
        pool.has_all(&recipe.generators)?;
        pool.drop_near(near);
        let all = pool.rows.len();
        pool.rows.sort_by_key(Row::key);
        pool.rows.dedup_by_key(|row| row.key());
        pool.count("negatives", all);
        pool.count(
            "negatives with an id that stood before",
            all - pool.rows.len(),
        );
        Ok(pool)
    }

    /// Refuses a generator that no negative is of: its name is a slip of the pen.
    fn has_all(&self, wanted: &[String]) -> Result<()> {
        let mut wanted = wanted.iter();
        let Some(unknown) = wanted.find(|name| !self.generators.numbers.contains_key(*name)) else {
            return Ok(());
        };
        let found: Vec<&str> = self.generators.all().iter().map(String::as_str).collect();
        Err(Usage::error(format!(
            "`generators` of `[curate]`: expected generators of the negatives, found `{unknown}`; of those \
             that are asked for there are {found:?}"
        )))
    }

    /// Drops what nearly stands in another file.
    fn drop_near(&mut self, near: Option<Near>) {
        for hole in near.into_iter().flat_map(Near::duplicates) {
            match hole {
                Hole::Import(hole) => {
                    self.near_imports.insert(hole);
                }
                Hole::Own(place) => {
                    let about = &mut self.contexts.facts_mut()[place as usize].own;
                    about.dropped = Some("a near-duplicate in another file");
                }
            }
        }
        for facts in self.contexts.facts() {
            if let Some(reason) = facts.own.dropped {
                let name = format!("contexts dropped: {reason}");
                *self.counts.entry(name).or_default() += 1;
            }
        }
        self.count(
            "holes of imports dropped: a near-duplicate in another file",
            self.near_imports.len(),
        );
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
            let Some(place) = self.find_id(&verdict.row) else {
                self.count("verdicts without a row", 1);
                continue;
            };
            let judge = self.judges.number(&verdict.judge);
            if judge >= MOST_JUDGES {
                let found = format!("verdicts of more than {MOST_JUDGES} judges");
                return Err(reader.wrong(found).into());
            }
            // A judge who never gave a verdict is one of the panel all the same.
            let Some(score) = verdict.verdict else {
                self.count("verdicts that are missing", 1);
                continue;
            };
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
                    row.caught = score.resolver.and_then(|found| found.finding());
                    self.count("scores", 1);
                }
            }
        }
        Ok(())
    }

    /// Judges with blind verdicts.
    pub fn panel(&self) -> u64 {
        self.judges.all().len() as u64
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
        if self.near_imports.contains(&row.hole) {
            return Some("the import's hole was dropped");
        }
        if recipe.type_weight(row.kind) == 0.0 || recipe.language_weight(about.language) == 0.0 {
            return Some("not in the mix");
        }
        match (recipe.resolver, row.caught) {
            (ResolverFilter::Caught, Some(false)) => Some("missed by the resolver"),
            (ResolverFilter::Missed, Some(true)) => Some("caught by the resolver"),
            (ResolverFilter::Caught | ResolverFilter::Missed, None) => {
                Some("the resolver cannot tell")
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
    mut near: Option<&mut Near>,
    counts: &mut BTreeMap<String, u64>,
) -> Result<ContextTable<About>> {
    let mut benchmarks = Benchmarks::default();
    for file in &recipe.benchmarks {
        benchmarks
            .read(file)
            .map_err(|error| Usage::error(format!("{error:#}")))?;
    }
    if !recipe.benchmarks.is_empty() {
        for (what, count) in benchmarks.sizes() {
            counts.insert(format!("{what} of benchmarks"), count as u64);
        }
    }
    let mut repos = Names::default();
    let mut place = 0;
    let table = ContextTable::read(path, |context| {
        let file = file_of(context);
        let dropped = benchmark(context, &benchmarks);
        if let (Some(near), None) = (&mut near, dropped) {
            let parts = [&*context.prefix, &context.golden, &context.suffix];
            near.add(Hole::Own(place), file, parts);
        }
        place += 1;
        Ok(About {
            rank: stable_hash(recipe.seed, &[b"context", context.id.as_bytes()]),
            repo: repos.number(&context.repo) as u32,
            language: context.language,
            split: Split::of(&context.repo, &context.path, recipe),
            dropped,
            file,
            hole_start: context.span.hole_start,
            hole_end: context.span.hole_end,
        })
    })?;
    counts.insert("contexts".into(), table.facts().len() as u64);
    counts.insert(
        "contexts with an id that stood before".into(),
        table.repeated(),
    );
    counts.insert("repositories".into(), repos.all().len() as u64);
    Ok(table)
}

/// What a context has in common with a benchmark, anywhere in its window: rows of imports have
/// their hole elsewhere, and a prompt holds all of it.
fn benchmark(context: &Context, benchmarks: &Benchmarks) -> Option<&'static str> {
    Some(
        match benchmarks.overlap(&context.repo, &context.path, &context.window())? {
            Overlap::Repository => "a benchmark's repository",
            Overlap::Path => "a benchmark's path",
            Overlap::Text => "ten words of a benchmark",
        },
    )
}
