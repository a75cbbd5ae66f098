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

/// Contexts of a file: `count` holes of each kind that most negatives are made for, and one of each
/// other.
pub fn contexts(file: &str, count: usize) -> Vec<Context> {
    let path = folder().join(file);
    let text = std::fs::read_to_string(&path).unwrap();
    let language = Language::from_path(&path).unwrap();
    let usual = [HoleKind::CallSite, HoleKind::Arguments, HoleKind::Statement];
    let found = holes(language, &text).into_iter();
    let found = found.filter(|hole| hole.kind != HoleKind::LineEnd);
    let (usual, others): (Vec<Hole>, Vec<Hole>) =
        found.partition(|hole| usual.contains(&hole.kind));
    let mut draw = Draw::new(5);
    let mut drawn = sample_holes(&usual, count, &mut draw);
    drawn.extend(sample_holes(&others, 1, &mut draw));
    let contexts = drawn
        .iter()
        .map(|hole| context(file, language, &text, hole));
    contexts.collect()
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
