//! Small files in ten languages, with holes cut into them.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use truefill_syntax::{Draw, Hole, HoleKind, Language, holes, sample_holes};
use truefill_trainer::rows::{Context, RowWriter, Span};

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
    let span = Span {
        file_sha256: hex::encode(Sha256::digest(text.as_bytes())),
        window_start: 0,
        hole_start: hole.range.start,
        hole_end: hole.range.end,
    };
    let [prefix, golden, suffix] = span.cut(text, &(0..text.len())).unwrap();
    Context {
        id: span.id(),
        language,
        repo: file.into(),
        license: "MIT".into(),
        path: file.into(),
        hole_kind: hole.kind,
        prefix: prefix.into(),
        golden: golden.into(),
        suffix: suffix.into(),
        span,
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
