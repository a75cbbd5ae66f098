//! The command line of `truefill-trainer harvest`.

use std::collections::BTreeMap;
use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::Args;
use serde::Serialize;
use sha2::{Digest, Sha256};
use truefill_journal::{
    Query, Reader, SuggestionRow, UnixMicros, imported, names_of, system_clock,
};
use truefill_model::store::Paths;

use super::recipe::HarvestRecipe;
use super::select::{Harvested, harvested};
use crate::rows::{Context, Manifest, Negative, RowWriter};
use crate::table::{Cell, Table};
use crate::usage::Usage;

/// Make contexts and wrong completions from what developers accepted and rejected
///
/// A suggestion that was turned down, or accepted and thrown away, is a wrong completion for what was
/// written in its place once that was left alone for a minute. One that was accepted and kept is a
/// right one; such text is the model's own, so it is marked (own.jsonl) and only a part of the rows may
/// be of it. Rows of what was closed or undone before it was settled are not there.
///
/// There is something to harvest only where `journal.context` is on. The folder gets contexts.jsonl and
/// negatives.jsonl, for `generate`, `judge` and `curate`, and held-out/ with the same of `hold_out`.
///
/// Examples:
///   truefill-trainer harvest --out harvest
///   truefill-trainer harvest --out harvest --days 30 --hold-out ../project
///   truefill-trainer harvest --out harvest --export alice.jsonl --export bob.jsonl
#[derive(Clone, Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct HarvestArgs {
    /// The folder for the rows
    #[arg(long, value_name = "FOLDER")]
    pub out: PathBuf,
    /// A recipe with `[harvest]`
    #[arg(long, value_name = "FILE")]
    pub recipe: Option<PathBuf>,
    /// The journal [default: the user's; none where there are exports]
    #[arg(long, value_name = "FILE")]
    pub journal: Option<PathBuf>,
    /// An export with code of another machine (may be given several times)
    #[arg(long = "export", value_name = "FILE")]
    pub exports: Vec<PathBuf>,
    /// Only the last so many days
    #[arg(long)]
    pub days: Option<u32>,
    /// A folder whose rows are kept for testing (may be given several times)
    #[arg(long, value_name = "FOLDER")]
    pub hold_out: Vec<PathBuf>,
    /// Print the manifest as JSON instead of the table
    #[arg(long)]
    pub json: bool,
}

/// A row of own.jsonl: what of a golden completion models wrote.
#[derive(Serialize)]
struct Own<'a> {
    context_id: &'a str,
    /// Byte ranges of the golden completion.
    own: &'a [(u32, u32)],
}

/// Runs the step.
///
/// # Errors
/// [`Usage`]; where the journal cannot be read or the rows cannot be written.
pub fn run(args: &HarvestArgs, out: &mut dyn Write) -> Result<()> {
    let recipe = args.recipe()?;
    let since = recipe.days.map(|days| system_clock()().days_before(days));
    let mut manifest = Manifest::new("harvest", &recipe)?;
    let mut gathered = Gathered::default();
    for source in sources(&recipe)? {
        let mut held_out = source.keys(&recipe.hold_out)?;
        source.read(since, &mut |row| {
            let mut is_held = false;
            for folder in &mut held_out {
                folder.seen |= folder.holds(&row);
                is_held |= folder.holds(&row);
            }
            gathered.take(&row, is_held, &recipe, &mut manifest)
        })?;
        unseen(&held_out)?;
    }
    let (training, testing) = gathered.parted();
    let training = limited(training, recipe.own_share, &mut manifest);
    let mut files = write(&args.out, &training)?;
    if !testing.is_empty() {
        files.extend(write(&args.out.join("held-out"), &testing)?);
    }
    manifest.count("contexts", training.len() as u64);
    let negatives = training.iter().filter(|it| it.negative.is_some()).count();
    manifest.count("negatives", negatives as u64);
    manifest.count("held_out", testing.len() as u64);
    manifest.outputs = files;
    manifest.write_beside(&args.out.join("contexts.jsonl"))?;
    show(args.json, &manifest, out)?;
    if training.is_empty() && !testing.is_empty() {
        anyhow::bail!(
            "all of the {} rows are held out: nothing is left to learn from; hold fewer folders out",
            testing.len()
        );
    }
    if training.is_empty() {
        anyhow::bail!(
            "there is nothing to harvest: of {} suggestions none has a settled place with text; \
             `journal.context` has to be on while you work",
            manifest.counts.get("suggestions").copied().unwrap_or(0)
        );
    }
    Ok(())
}

impl HarvestArgs {
    fn recipe(&self) -> Result<HarvestRecipe> {
        let mut recipe: HarvestRecipe = crate::recipe::section(self.recipe.as_deref(), "harvest")?;
        let paths = recipe.journal.iter_mut().chain(&mut recipe.exports);
        let paths = paths.chain(&mut recipe.hold_out);
        crate::recipe::found_from(self.recipe.as_deref(), paths);
        recipe.journal = self.journal.clone().or(recipe.journal.take());
        recipe.exports.extend(self.exports.iter().cloned());
        recipe.days = self.days.or(recipe.days);
        recipe.hold_out.extend(self.hold_out.iter().cloned());
        recipe
            .check()
            .map_err(crate::recipe::named(self.recipe.as_deref()))?;
        Ok(recipe)
    }
}

/// Where rows come from.
enum Source {
    Journal(PathBuf),
    Export(PathBuf),
}

fn sources(recipe: &HarvestRecipe) -> Result<Vec<Source>> {
    let mut sources: Vec<Source> = recipe.exports.iter().cloned().map(Source::Export).collect();
    match &recipe.journal {
        Some(journal) => sources.push(Source::Journal(journal.clone())),
        None if sources.is_empty() => sources.push(Source::Journal(Paths::from_env()?.journal())),
        None => {}
    }
    Ok(sources)
}

impl Source {
    /// What folders are called in it.
    fn keys(&self, folders: &[PathBuf]) -> Result<Vec<HeldOut>> {
        match self {
            Self::Journal(path) if !folders.is_empty() => {
                let reader = Reader::open(path)?;
                let held_out = |folder: &PathBuf| {
                    let names = names_of(folder)?;
                    let keys = names.iter().map(|name| reader.folder_key(name));
                    Ok(HeldOut {
                        folder: folder.clone(),
                        keys: keys.collect::<Result<_, _>>()?,
                        seen: false,
                    })
                };
                folders.iter().map(held_out).collect()
            }
            Self::Export(path) if !folders.is_empty() => Err(Usage::error(format!(
                "{}: expected the journal itself to hold out folders of, found an export, in which they \
                 have no names",
                path.display()
            ))),
            _ => Ok(Vec::new()),
        }
    }

    fn read(&self, since: Option<UnixMicros>, take: &mut dyn FnMut(SuggestionRow)) -> Result<()> {
        match self {
            Self::Journal(path) => {
                let query = Query { since, until: None };
                for row in Reader::open(path)?.suggestions(query)? {
                    take(row?);
                }
            }
            Self::Export(path) => {
                let name = path.display();
                let file = std::fs::File::open(path).with_context(|| format!("{name}"))?;
                for row in imported(BufReader::new(file)) {
                    let row = row.with_context(|| format!("{name}"))?;
                    if since.is_none_or(|since| row.at >= since) {
                        take(row);
                    }
                }
            }
        }
        Ok(())
    }
}

/// A folder whose rows are kept for testing.
struct HeldOut {
    folder: PathBuf,
    /// What it may be called in the journal.
    keys: Vec<String>,
    /// Whether a suggestion was made in it.
    seen: bool,
}

impl HeldOut {
    fn holds(&self, row: &SuggestionRow) -> bool {
        self.keys.iter().any(|key| row.folders.contains(key))
    }
}

/// A folder that is misspelt must not be learned from without a word; one in which nobody worked lately may
/// be named.
fn unseen(held_out: &[HeldOut]) -> Result<()> {
    for folder in held_out.iter().filter(|it| !it.seen) {
        let name = folder.folder.display();
        if !folder.folder.is_dir() {
            return Err(Usage::error(format!(
                "`hold_out`: there is no folder {name}, and no suggestion was made in one of that name"
            )));
        }
        let why = "no suggestion that is looked at was made in it";
        writeln!(std::io::stderr(), "warning: `hold_out`: {name}: {why}")?;
    }
    Ok(())
}

/// Rows by what they are about: of several of one place the last counts.
#[derive(Default)]
struct Gathered {
    /// Each with whether it is held out.
    rows: BTreeMap<String, (Harvested, bool)>,
}

impl Gathered {
    fn take(
        &mut self,
        row: &SuggestionRow,
        is_held: bool,
        recipe: &HarvestRecipe,
        manifest: &mut Manifest,
    ) {
        manifest.count("suggestions", 1);
        match harvested(row, recipe) {
            Ok(found) => {
                let key = place(&row.document, &found.context);
                match self.rows.get(&key) {
                    // A wrong completion is worth more than none.
                    Some((before, _)) if before.negative.is_some() && found.negative.is_none() => {
                        manifest.count("left_out/same_place", 1);
                    }
                    before => {
                        manifest.count("left_out/same_place", u64::from(before.is_some()));
                        self.rows.insert(key, (found, is_held));
                    }
                }
            }
            Err(reason) => manifest.count(format!("left_out/{}", reason.name()), 1),
        }
    }

    /// Training rows, and those that are held out.
    fn parted(self) -> (Vec<Harvested>, Vec<Harvested>) {
        let (mut training, mut testing) = (Vec::new(), Vec::new());
        for (row, is_held) in self.rows.into_values() {
            match is_held {
                true => testing.push(row),
                false => training.push(row),
            }
        }
        (training, testing)
    }
}

/// Bytes before a hole that tell its place.
const PLACE: usize = 200;

fn place(document: &str, context: &Context) -> String {
    let from = context.prefix.len().saturating_sub(PLACE);
    let before = &context.prefix[context.prefix.ceil_char_boundary(from)..];
    let mut hash = Sha256::new();
    for part in [document, before, &context.golden] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    hex::encode(hash.finalize())
}

/// Leaves rows out until at most a share of them is the model's own text; which ones hangs on their
/// places alone.
fn limited(rows: Vec<Harvested>, share: f64, manifest: &mut Manifest) -> Vec<Harvested> {
    let (own, others): (Vec<_>, Vec<_>) = rows.into_iter().partition(Harvested::is_own);
    let most = match share {
        share if share >= 1.0 => own.len(),
        share => (others.len() as f64 * share / (1.0 - share)) as usize,
    };
    manifest.count("own", own.len().min(most) as u64);
    manifest.count("left_out/own", own.len().saturating_sub(most) as u64);
    // They come in the order of their places' hashes, which is as good as drawn.
    others
        .into_iter()
        .chain(own.into_iter().take(most))
        .collect()
}

fn write(folder: &Path, rows: &[Harvested]) -> Result<Vec<crate::rows::Written>> {
    std::fs::create_dir_all(folder).with_context(|| format!("{}", folder.display()))?;
    let mut contexts = RowWriter::<Context>::create(&folder.join("contexts.jsonl"))?;
    let mut negatives = RowWriter::<Negative>::create(&folder.join("negatives.jsonl"))?;
    let mut own = RowWriter::<Own<'_>>::create(&folder.join("own.jsonl"))?;
    for row in rows {
        contexts.write(&row.context)?;
        if let Some(negative) = &row.negative {
            negatives.write(negative)?;
        }
        if !row.own.is_empty() {
            own.write(&Own {
                context_id: &row.context.id,
                own: &row.own,
            })?;
        }
    }
    Ok(vec![contexts.finish()?, negatives.finish()?, own.finish()?])
}

fn show(as_json: bool, manifest: &Manifest, out: &mut dyn Write) -> Result<()> {
    if as_json {
        writeln!(out, "{}", serde_json::to_string(manifest)?)?;
        return Ok(());
    }
    let mut table = Table::new("Harvested", &["what", "rows"]);
    for (name, count) in &manifest.counts {
        table.row([Cell::from(name.clone()), Cell::from(*count)]);
    }
    writeln!(out, "{}", table.to_text())?;
    Ok(())
}
