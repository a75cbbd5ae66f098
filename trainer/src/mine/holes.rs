//! Good holes of one folder, for those who measure there: found, refused and judged as `mine` does.
//!
//! Whoever measures passes nothing on and trains on nothing, so licences do not matter here, nor do
//! percentiles and duplicates, which are about a corpus.

use std::ops::Range;
use std::path::Path;
use std::sync::Mutex;

use anyhow::{Result, bail};
use rayon::prelude::*;
use truefill_syntax::{HoleKind, Language, MAX_PARSE_BYTES};

use super::extract::{CodeFile, Extractor};
use super::first::declared;
use super::packages::{self, Meta, Project};
use super::recipe::Recipe;
use super::source::stream::{Code, Event, Reading};
use super::source::{Kind, Source};
use super::survey::decide::half;
use super::survey::{FileRow, survey};
use crate::dedup::Benchmarks;

/// Holes of a kind from one file: a repository of few files has enough to measure with.
const PER_FILE: usize = 8;

/// A hole and the file that it is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderHole {
    /// The same for the same place in the same text.
    pub id: String,
    /// The file's path in the folder, with forward slashes.
    pub path: String,
    /// Its language.
    pub language: Language,
    /// What the hole takes out.
    pub kind: HoleKind,
    /// Its place in the file, in bytes.
    pub range: Range<usize>,
}

/// The good holes of a folder, by file and place. Hidden files have none; `wanted` says whether a file may
/// have some by its path.
///
/// # Errors
/// Where the folder cannot be read.
pub fn holes(
    folder: &Path,
    seed: u64,
    wanted: &(dyn Fn(&str) -> bool + Sync),
) -> Result<Vec<FolderHole>> {
    let recipe = Recipe {
        seed,
        // The whole file stands around a hole.
        window_bytes: MAX_PARSE_BYTES,
        per_file: PER_FILE,
        ..Recipe::default()
    };
    let sources = [Source {
        name: folder.display().to_string(),
        path: folder.to_owned(),
        kind: Kind::Folder,
    }];
    let (files, project) = surveyed(&sources, &recipe)?;
    let stays = |number: u32| {
        let file = files.get(number as usize);
        file.filter(|file| file.refused.is_none() && wanted(&file.path))
    };
    let extractor = Extractor {
        recipe: &recipe,
        repo: "",
        project: &project,
        root: None,
    };
    let mut found = Vec::new();
    read(
        &sources,
        &recipe,
        false,
        &|number| stays(number).is_some(),
        |events| {
            let of_files: Vec<Vec<FolderHole>> = events
                .into_par_iter()
                .map(|event| match event {
                    Event::Code(code) => match stays(code.number) {
                        Some(file) => cut(&extractor, code, file),
                        None => Vec::new(),
                    },
                    _ => Vec::new(),
                })
                .collect();
            found.extend(of_files.into_iter().flatten());
        },
    )?;
    Ok(found)
}

fn cut(extractor: &Extractor<'_>, code: Code, row: &FileRow) -> Vec<FolderHole> {
    let file = CodeFile {
        path: &code.path,
        language: code.language,
        bytes: code.body.as_deref().unwrap_or_default(),
        license: String::new(),
        hash: half(&row.sha256),
    };
    let rows = extractor.extract(file, &|_, _| false).rows.into_iter();
    rows.map(|(_, row)| FolderHole {
        id: row.id,
        path: row.path,
        language: row.language,
        kind: row.hole_kind,
        range: row.span.hole_start..row.span.hole_end,
    })
    .collect()
}

/// What each file is, and what the folder declares.
fn surveyed(sources: &[Source], recipe: &Recipe) -> Result<(Vec<FileRow>, Project)> {
    enum Seen {
        Meta(Box<Meta>),
        File(Box<FileRow>),
    }
    let (mut metas, mut files) = (Vec::new(), Vec::new());
    let excluded = Benchmarks::default();
    read(sources, recipe, true, &|_| true, |events| {
        let seen: Vec<Option<Seen>> = events
            .into_par_iter()
            .map(|event| match event {
                Event::Meta { path, text } => {
                    Some(Seen::Meta(Box::new(packages::read(&path, &text))))
                }
                Event::Code(code) => Some(Seen::File(Box::new(survey(&code, &excluded)))),
                _ => None,
            })
            .collect();
        for seen in seen.into_iter().flatten() {
            match seen {
                Seen::Meta(meta) => metas.push(*meta),
                Seen::File(row) => files.push(*row),
            }
        }
    })?;
    let project = declared(metas, &mut files, recipe);
    Ok((files, project))
}

fn read(
    sources: &[Source],
    recipe: &Recipe,
    metas: bool,
    wanted: &(dyn Fn(u32) -> bool + Sync),
    mut take: impl FnMut(Vec<Event>),
) -> Result<()> {
    let gate = Mutex::new(());
    let reading = Reading {
        sources,
        from: 0,
        languages: &recipe.languages,
        limits: &recipe.limits,
        metas,
        opened: &|_| true,
        wanted: &|_, number| wanted(number),
        gate: &gate,
    };
    reading.batches(|events| {
        for event in &events {
            if let Event::End(_, Err(broken)) = event {
                bail!("{broken}");
            }
        }
        take(events);
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_holes_where_mine_would_cut_them() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            std::fs::write(path, text).expect("written");
        };
        let text = "import math\n\n\ndef area(radius):\n    squared = radius * radius\n    \
                    return math.pi * squared\n\n\ndef volume(radius, height):\n    ground = area(radius)\n    \
                    result = ground * height\n    return result\n\n\ndef report(radius, height):\n    \
                    total = volume(radius, height)\n    return format(total, '.2f')\n";
        write("shapes.py", text);
        write("vendor/shapes.py", text);
        write("skipped.py", text);
        write(
            "secret.py",
            &format!("{text}\nTOKEN = 'ghp_0123456789abcdefghijABCDEFGHIJ012345'\n"),
        );
        let found = |seed| holes(folder.path(), seed, &|path| path != "skipped.py").expect("read");
        let first = found(1);
        assert!(
            first.iter().all(|hole| hole.path == "shapes.py"),
            "{first:?}"
        );
        let golden: Vec<(HoleKind, &str)> = first
            .iter()
            .map(|hole| (hole.kind, &text[hole.range.clone()]))
            .collect();
        assert!(
            golden.contains(&(HoleKind::CallSite, "volume(radius, height)")),
            "{golden:?}"
        );
        assert_eq!(found(1), first);
        assert!(holes(&folder.path().join("missing"), 1, &|_| true).is_err());
    }
}
