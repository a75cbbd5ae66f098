//! The second pass: the text of the rows that were chosen.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

use super::composition::Composition;
use super::pool::Pool;
use super::select::Chosen;
use super::splits::Split;
use super::subsets::Subsets;
use crate::corpus::{Item, Spool, WindowCheck, negatives, partitions_for};
use crate::progress::Progress;
use crate::rows::{Context, Manifest, Negative, PairRow, RowReader, RowWriter, SftRow, Written};
use crate::usage;

/// The name by which the folder's manifest is called, and the datasheet beside it.
pub const OUTPUT: &str = "curated";
pub const DATASHEET: &str = "DATASHEET.md";

/// Where nested subsets lie.
const SUBSETS: &str = "subsets";

/// Where rows come from and go to.
pub struct Places<'a> {
    /// The contexts' file.
    pub contexts: &'a Path,
    /// The negatives' file.
    pub negatives: &'a Path,
    /// The folder for the files.
    pub folder: &'a Path,
    /// Compress them.
    pub compress: bool,
}

/// `sft.jsonl` and `pairs.jsonl` of a folder.
struct Files {
    sft: RowWriter<SftRow>,
    pairs: RowWriter<PairRow>,
}

/// Writes every file, and counts what is in them.
///
/// # Errors
/// What the file system says, and inputs that changed since the first pass.
pub fn emit(
    places: &Places<'_>,
    pool: &Pool,
    chosen: &[Chosen],
    subsets: &Subsets,
    composition: &mut Composition,
) -> Result<Vec<Written>> {
    let by_row: HashMap<usize, Chosen> =
        chosen.iter().map(|chosen| (chosen.row, *chosen)).collect();
    let spool = fill(places, pool, &by_row)?;
    clear(places)?;
    let mut files = open(places, subsets)?;
    let progress = Progress::start("writing rows", Some(chosen.len() as u64));
    let mut rows = 0;
    spool.drain(|mut items| {
        let rank = |item: &Item| {
            pool.contexts
                .place(&item.context.id)
                .map(|place| pool.contexts.get(place).own.rank)
        };
        items.sort_by_key(rank);
        for item in &items {
            rows += write_item(item, pool, &by_row, subsets, &mut files, composition)?;
            progress.add(item.negatives.len() as u64);
        }
        Ok(())
    })?;
    ensure!(
        rows == chosen.len(),
        "{}: expected the {} rows that were chosen of it, found {rows}: it or the contexts changed \
         meanwhile; run the step again",
        places.negatives.display(),
        chosen.len()
    );
    let mut written = Vec::new();
    for (_, files) in files {
        written.push(files.sft.finish()?);
        written.push(files.pairs.finish()?);
    }
    Ok(written)
}

/// Brings the chosen rows together with their contexts, which are spread over the partitions by the
/// draw: so the files come out in a drawn order.
fn fill(places: &Places<'_>, pool: &Pool, by_row: &HashMap<usize, Chosen>) -> Result<Spool> {
    let partitions = partitions_for(&[places.contexts, places.negatives]);
    let mut wanted = vec![false; pool.contexts.facts().len()];
    for row in by_row.keys() {
        wanted[pool.rows[*row].context as usize] = true;
    }
    let partition = |place: u32| (pool.contexts.get(place).own.rank % partitions as u64) as usize;
    let mut spool = Spool::beside(places.folder, partitions)?;
    let mut contexts = RowReader::<Context>::open(places.contexts, "contexts")?;
    while let Some(context) = contexts.next() {
        let context = context?;
        // Of rows with one id the first counts.
        if let Some(place) = pool.contexts.place(&context.id)
            && std::mem::take(&mut wanted[place as usize])
        {
            if WindowCheck::of(&context) != pool.contexts.get(place).window {
                let found = "a row that changed meanwhile; run the step again";
                return Err(contexts.wrong(found).into());
            }
            spool.context(partition(place), &context)?;
        }
    }
    let mut given = vec![false; pool.rows.len()];
    negatives(places.negatives, &pool.contexts, |place, negative| {
        if let Some(row) = pool.find(place, &negative)
            && by_row.contains_key(&row)
            && !std::mem::replace(&mut given[row], true)
        {
            spool.negative(partition(place), &negative)?;
        }
        Ok(())
    })?;
    Ok(spool)
}

/// The files of a folder that have the same names in every run, the manifest first.
fn fixed(folder: &Path) -> Vec<PathBuf> {
    let mut files = vec![
        Manifest::path_for(&folder.join(OUTPUT)),
        folder.join(DATASHEET),
    ];
    for split in ["", "valid", "test"] {
        for kind in ["sft", "pairs"] {
            let ends = ["jsonl", "jsonl.zst"];
            files.extend(ends.map(|end| folder.join(split).join(format!("{kind}.{end}"))));
        }
    }
    files
}

/// Refuses inputs among what a run into `folder` removes and writes.
///
/// # Errors
/// [`crate::usage::Usage`] with the file.
pub fn apart<'p>(inputs: impl IntoIterator<Item = &'p Path>, folder: &Path) -> Result<()> {
    let subsets = folder.join(SUBSETS).canonicalize().ok();
    let mut files = fixed(folder);
    let mut all = Vec::new();
    for input in inputs {
        let real = input.canonicalize().ok();
        if let (Some(real), Some(subsets)) = (real, &subsets)
            && real.starts_with(subsets)
        {
            files.push(input.to_owned());
        }
        all.push(input);
    }
    usage::apart(all, files.iter().map(|file| &**file))
}

/// Takes away what an earlier run left and this one would not replace, its manifest first: a folder
/// without one is not whole.
fn clear(places: &Places<'_>) -> Result<()> {
    let gone = |path: PathBuf, removed: std::io::Result<()>| match removed {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("{}: cannot be removed", path.display()))
        }
        _ => Ok(()),
    };
    for path in fixed(places.folder) {
        gone(path.clone(), std::fs::remove_file(&path))?;
    }
    let subsets = places.folder.join(SUBSETS);
    for entry in std::fs::read_dir(&subsets).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with("size-") || name.starts_with("band-") {
            gone(entry.path(), std::fs::remove_dir_all(entry.path()))?;
        }
    }
    Ok(())
}

/// Folders below the output, the training rows' own first.
fn open(places: &Places<'_>, subsets: &Subsets) -> Result<BTreeMap<String, Files>> {
    let mut folders = vec![String::new(), "valid".into(), "test".into()];
    folders.extend(subsets.sizes.iter().map(|size| size_folder(*size)));
    if subsets.band_rows > 0 {
        let bands = crate::rows::Difficulty::ALL;
        folders.extend(bands.map(|band| band_folder(band.name())));
    }
    let name = |kind: &str| match places.compress {
        true => format!("{kind}.jsonl.zst"),
        false => format!("{kind}.jsonl"),
    };
    let files = |folder: String| {
        let path: PathBuf = places.folder.join(&folder);
        let files = Files {
            sft: RowWriter::create(&path.join(name("sft")))?,
            pairs: RowWriter::create(&path.join(name("pairs")))?,
        };
        Ok((folder, files))
    };
    folders.into_iter().map(files).collect()
}

fn size_folder(size: usize) -> String {
    format!("{SUBSETS}/size-{size}")
}

fn band_folder(band: &str) -> String {
    format!("{SUBSETS}/band-{band}")
}

/// Writes the rows of a context, and says how many there are.
fn write_item(
    item: &Item,
    pool: &Pool,
    by_row: &HashMap<usize, Chosen>,
    subsets: &Subsets,
    files: &mut BTreeMap<String, Files>,
    composition: &mut Composition,
) -> Result<usize> {
    let Some(place) = pool.contexts.place(&item.context.id) else {
        return Ok(0);
    };
    let split = pool.contexts.get(place).own.split;
    let mut rows = 0;
    for negative in &item.negatives {
        let chosen = pool.find(place, negative).and_then(|row| by_row.get(&row));
        let Some(chosen) = chosen else { continue };
        let row = &pool.rows[chosen.row];
        let folders = folders_of(place, chosen.row, split, subsets);
        let sft = sft_row(&item.context, negative);
        let pair = PairRow {
            chosen: sft.clone(),
            rejected: negative.rejected.clone(),
            generator: negative.generator.clone(),
            prompt_version: negative.prompt_version.clone(),
            fool_rate: row.fooled().value(),
            fooled: row.fooled().part,
            judged: row.fooled().of,
            difficulty: row.difficulty,
            caught: row.caught,
        };
        composition.add(split, &pair, row, chosen.sft);
        for folder in &folders {
            let Some(files) = files.get_mut(folder) else {
                continue;
            };
            if chosen.sft {
                files.sft.write(&sft)?;
            }
            files.pairs.write(&pair)?;
        }
        rows += 1;
    }
    Ok(rows)
}

fn folders_of(context: u32, row: usize, split: Split, subsets: &Subsets) -> Vec<String> {
    if split != Split::Train {
        return vec![split.name().to_owned()];
    }
    let sizes = subsets
        .sizes
        .iter()
        .filter(|size| subsets.in_size(context, **size));
    let band = subsets.band(row).map(|band| band_folder(band.name()));
    std::iter::once(String::new())
        .chain(sizes.map(|size| size_folder(*size)))
        .chain(band)
        .collect()
}

/// The SFT row of the hole that a negative fills: for an import, the hole on the import's line.
fn sft_row(context: &Context, negative: &Negative) -> SftRow {
    let hole = negative.context(context);
    SftRow {
        context_id: context.id.clone(),
        language: hole.language,
        kind: negative.kind,
        repo: hole.repo,
        license: hole.license,
        path: hole.path,
        prefix: hole.prefix,
        golden: hole.golden,
        suffix: hole.suffix,
        span: hole.span,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::curate::{CurateRecipe, select};
    use crate::rows::HallucinationType;
    use truefill_syntax::Language;

    fn context(number: usize) -> Context {
        let prefix = format!("def f{number}(store):\n    x = ");
        let parts = [&*prefix, "store.load()", "\n    return x\n"];
        let path = format!("f{number}.py");
        Context::of_file(Language::Python, "o/r", "MIT", &path, parts)
    }

    fn write(places: &Places<'_>, count: usize) {
        let mut contexts = RowWriter::create(places.contexts).expect("begun");
        let mut negatives = RowWriter::create(places.negatives).expect("begun");
        for context in (0..count).map(context) {
            contexts.write(&context).expect("room");
            let negative = Negative {
                context_id: context.id,
                kind: HallucinationType::Method,
                generator: "g".into(),
                prompt_version: "1".into(),
                rejected: "store.lift()".into(),
                split: None,
            };
            negatives.write(&negative).expect("room");
        }
        contexts.finish().expect("whole");
        negatives.finish().expect("whole");
    }

    /// A row that is gone would leave a hole in subsets that hold each other.
    #[test]
    fn inputs_that_change_between_the_passes_are_an_error() {
        let folder = tempfile::tempdir().expect("a folder");
        let (contexts, negatives) = (folder.path().join("c.jsonl"), folder.path().join("n.jsonl"));
        let out = folder.path().join("out");
        let places = Places {
            contexts: &contexts,
            negatives: &negatives,
            folder: &out,
            compress: false,
        };
        let keys = "valid = 0.0\ntest = 0.0\nnear_duplicates = 0.0";
        let recipe: CurateRecipe = toml::from_str(keys).expect("a recipe");
        write(&places, 6);
        let pool = Pool::read(&contexts, &negatives, &recipe).expect("read");
        let chosen = select::select(&pool, &recipe).chosen;
        assert_eq!(chosen.len(), 6);
        let subsets = Subsets::form(&pool, &chosen, &recipe);
        let emitted = || {
            let mut composition = Composition::new(&pool);
            emit(&places, &pool, &chosen, &subsets, &mut composition)
        };
        assert!(emitted().is_ok());
        write(&places, 5);
        let error = emitted().expect_err("a row is gone").to_string();
        assert!(
            error.contains("6 rows") && error.contains("n.jsonl"),
            "{error}"
        );
    }
}
