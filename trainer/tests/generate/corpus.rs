//! Small files in ten languages, with holes cut into them.

use std::path::{Path, PathBuf};

use truefill_syntax::{Draw, Hole, HoleKind, Language, holes, sample_holes};
use truefill_trainer::rows::{Context, RowWriter};

pub const FILES: [&str; 10] = [
    "Inventory.java",
    "Pipeline.cs",
    "Router.php",
    "cache.rs",
    "ledger.py",
    "matrix.cpp",
    "queue.js",
    "scheduler.rb",
    "server.go",
    "store.ts",
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/reference/snippets")
}

/// Contexts of a file: `count` holes of each kind that a negative can be made for.
pub fn contexts(file: &str, count: usize) -> Vec<Context> {
    let path = folder().join(file);
    let text = std::fs::read_to_string(&path).unwrap();
    let language = Language::from_path(&path).unwrap();
    let kinds = [HoleKind::CallSite, HoleKind::Arguments, HoleKind::Statement];
    let found: Vec<Hole> = holes(language, &text)
        .into_iter()
        .filter(|hole| kinds.contains(&hole.kind))
        .collect();
    let drawn = sample_holes(&found, count, &mut Draw::new(5));
    drawn
        .into_iter()
        .map(|hole| context(file, language, &text, &hole))
        .collect()
}

fn context(file: &str, language: Language, text: &str, hole: &Hole) -> Context {
    let (start, end) = (hole.range.start, hole.range.end);
    let parts = [&text[..start], &text[start..end], &text[end..]];
    Context {
        hole_kind: hole.kind,
        ..Context::of_file(language, file, "MIT", file, parts)
    }
}

/// Writes the contexts of every file.
pub fn write(path: &Path, count: usize) -> Vec<Context> {
    let all: Vec<Context> = FILES
        .iter()
        .flat_map(|file| contexts(file, count))
        .collect();
    let mut writer = RowWriter::create(path).unwrap();
    for context in &all {
        writer.write(context).unwrap();
    }
    writer.finish().unwrap();
    all
}
