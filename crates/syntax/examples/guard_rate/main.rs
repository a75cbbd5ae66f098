//! Measures the guard: how many real completions it blocks, and how many invented names it finds.
//!
//! ```text
//! cargo run --release -p truefill-syntax --example guard_rate -- [OPTIONS] FOLDER…
//!   --seed N         draw other holes (default 1)
//!   --files N        files drawn from each folder (default 40)
//!   --holes N        holes of each kind drawn from each file (default 2)
//!   --language NAME  only files of this language
//!   --json           the figures as JSON
//!   --evidence       unresolved names by kind of evidence, blocked or not
//!   --best-of N      time each judgement N times and keep the best (default 1)
//!   --show           print each real completion that was blocked
//! ```
//!
//! Each folder is a workspace of its own (`scripts/corpus.sh --folders` fetches some). A hole is cut
//! into a file; the index holds the other files of the folder and the file as an editor has it, with
//! the hole cut out. As in the server, a file that is too large or no text is noted as not read. The
//! golden completion is judged, and then a copy of it in which one name was
//! replaced by a name that the workspace does not have. As in the server, a module is missing only
//! where the disk has no file by its name.

#![allow(clippy::print_stdout, clippy::print_stderr)]

#[path = "../files/mod.rs"]
mod files;
mod report;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use files::indexable_files;
use report::{Figures, Options};
use truefill_syntax::{
    Draw, Finding, Hole, Index, Judge, Language, holes, invent_name, name_sites, sample_holes,
};

fn main() {
    let options = Options::parse(std::env::args().skip(1));
    let mut figures = Figures::default();
    for folder in &options.folders {
        if let Err(error) = measure(folder, &options, &mut figures) {
            eprintln!("{}: {error}", folder.display());
        }
    }
    figures.print(&options);
}

/// Bytes of the largest file that the server reads into its index.
const INDEXED: usize = 512 << 10;

struct Source {
    /// Where it lies, and where it would lie if its folder were the root.
    file: PathBuf,
    path: PathBuf,
    language: Language,
    text: String,
}

impl Source {
    fn findings(&self, [prefix, completion, suffix]: [&str; 3], index: &Index) -> Vec<Finding> {
        let mut judge = Judge::new(self.language, &self.path, prefix, suffix);
        let mut found = judge.findings(completion, index);
        for finding in &mut found {
            finding.blocks &= !finding.places.iter().any(|place| self.exists(place));
        }
        found
    }

    /// Anything has that name, with any extension.
    fn exists(&self, place: &str) -> bool {
        // Above the file's path stands its folder's.
        let depth = self.path.components().count();
        let Some(root) = self.file.ancestors().nth(depth) else {
            return false;
        };
        let place = root.join(place);
        let (Some(folder), Some(stem)) = (place.parent(), place.file_name()) else {
            return false;
        };
        let stem = stem.to_string_lossy();
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        names
            .into_iter()
            .any(|name| name.split('.').next() == Some(&stem))
    }
}

fn measure(folder: &Path, options: &Options, figures: &mut Figures) -> std::io::Result<()> {
    let folder = folder.canonicalize()?;
    let mut sources = Vec::new();
    let index = Index::new();
    for (file, language) in indexable_files(&folder) {
        // Each folder is its own root: what stands above it says nothing.
        let inside = file.strip_prefix(&folder).unwrap_or(&file);
        let name = folder.file_name().map(PathBuf::from).unwrap_or_default();
        let path = name.join(inside);
        match fs::read_to_string(&file) {
            Ok(text) if text.len() <= INDEXED => {
                index.add_file(&path, language, &text);
                sources.push(Source {
                    path,
                    file,
                    language,
                    text,
                });
            }
            _ => index.skip_file(&path, language),
        }
    }
    let mut by_language: BTreeMap<Language, Vec<&Source>> = BTreeMap::new();
    for source in &sources {
        let wanted = options
            .language
            .is_none_or(|language| language == source.language);
        let minified = source.text.lines().any(|line| line.len() > 2_000);
        if wanted && !minified && source.text.len() > 500 {
            by_language.entry(source.language).or_default().push(source);
        }
    }
    let mut draw = Draw::new(options.seed);
    for (language, mut files) in by_language {
        files.sort_by(|a, b| a.path.cmp(&b.path));
        for _ in 0..options.files.min(files.len()) {
            let source = files.swap_remove(draw.below(files.len()));
            measure_file(source, language, &index, options, &mut draw, figures);
            index.add_file(&source.path, language, &source.text);
        }
    }
    let size = index.size();
    figures.indexed(size.files, size.bytes);
    Ok(())
}

fn measure_file(
    source: &Source,
    language: Language,
    index: &Index,
    options: &Options,
    draw: &mut Draw,
    figures: &mut Figures,
) {
    let all = holes(language, &source.text);
    for hole in sample_holes(&all, options.holes, draw) {
        let (prefix, rest) = source.text.split_at(hole.range.start);
        let (golden, suffix) = rest.split_at(hole.range.len());
        index.add_file(&source.path, language, &format!("{prefix}{suffix}"));
        let mut found = Vec::new();
        let mut best = Duration::MAX;
        for _ in 0..options.best_of {
            let started = Instant::now();
            found = source.findings([prefix, golden, suffix], index);
            best = best.min(started.elapsed());
        }
        figures.took(source.text.len(), best);
        figures.golden(options, language, &hole, &source.path, golden, &found);
        mutate(source, language, &hole, index, draw, figures);
    }
}

/// Replaces one name of each kind in the golden completion, and judges each copy.
fn mutate(
    source: &Source,
    language: Language,
    hole: &Hole,
    index: &Index,
    draw: &mut Draw,
    figures: &mut Figures,
) {
    let mut sites = name_sites(language, &source.text, hole.range.clone());
    let mut done = BTreeSet::new();
    let words: BTreeSet<&str> = source
        .text
        .split(|c: char| !(c.is_alphanumeric() || c == '_'))
        .collect();
    while !sites.is_empty() {
        let site = sites.swap_remove(draw.below(sites.len()));
        if !done.insert(site.kind) {
            continue;
        }
        let name = &source.text[site.range.clone()];
        let taken = |name: &str| words.contains(name) || index.files_with(language, name) > 0;
        let Some(invented) = invent_name(name, draw, &taken) else {
            continue;
        };
        let prefix = &source.text[..hole.range.start];
        let suffix = &source.text[hole.range.end..];
        let completion = format!(
            "{}{invented}{}",
            &source.text[hole.range.start..site.range.start],
            &source.text[site.range.end..hole.range.end]
        );
        let found = source.findings([prefix, &completion, suffix], index);
        figures.mutated(language, site.kind, &invented, &found);
    }
}

/// The time that a share of `times` stays below.
fn quantile(times: &mut [Duration], share: f64) -> Duration {
    times.sort_unstable();
    let at = ((times.len() as f64 * share) as usize).min(times.len().saturating_sub(1));
    times.get(at).copied().unwrap_or_default()
}
