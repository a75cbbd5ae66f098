//! The clean-up on real code: what was really there must pass, what runs into
//! the suffix must be cut back to it. The code is this workspace's own.

use std::fs;
use std::path::{Path, PathBuf};

use super::*;
use crate::suggest::facts::LanguageFacts;
use crate::suggest::surroundings::{Shape, Trigger};

/// A hole in a text: bytes from and to.
type Hole = (usize, usize, Shape);

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        match path.is_dir() {
            true => sources(&path, found),
            false if path.extension().is_some_and(|end| end == "rs") => found.push(path),
            false => {}
        }
    }
}

/// Holes at every fifth line: the line, its rest from a word on, or the lines of its block.
fn holes(text: &str) -> Vec<Hole> {
    let all = lines::split(text);
    let filled = |line: &&lines::Line<'_>| {
        let bare = line.text.trim();
        !bare.is_empty() && !bare.starts_with(['}', ')', ']', '/'])
    };
    let mut found = Vec::new();
    for (number, line) in all
        .iter()
        .enumerate()
        .step_by(5)
        .filter(|(_, line)| filled(line))
    {
        let start = line.start + lines::leading(line.text).len();
        let rest = text[start..line.end()]
            .find(' ')
            .map_or(start, |at| start + at);
        let deep = |next: &&lines::Line<'_>| lines::columns(next.text) >= lines::columns(line.text);
        let block = all[number..]
            .iter()
            .take(6)
            .take_while(|next| filled(next))
            .take_while(deep);
        let end = block.last().map_or(line.end(), lines::Line::end);
        found.push(match number % 3 {
            0 => (start, line.end(), Shape::OneLine),
            1 => (rest, line.end(), Shape::OneLine),
            _ => (start, end, Shape::Block),
        });
    }
    found.retain(|&(from, to, _)| from < to);
    found
}

/// The suggestion that runs over by three filled lines of the suffix.
fn overrun(text: &str, from: usize, to: usize) -> &str {
    let filled = |at: &usize| {
        text[to..*at]
            .lines()
            .filter(|l| !l.trim().is_empty())
            .count()
            >= 3
    };
    let breaks = text[to..].match_indices('\n').map(|(at, _)| to + at);
    let end = breaks.into_iter().find(filled).unwrap_or(text.len());
    &text[from..end]
}

#[test]
fn real_code_passes_and_overruns_are_cut_back() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    sources(&root.join("src"), &mut files);
    sources(&root.join("../crates"), &mut files);
    files.sort();
    let facts = LanguageFacts::for_lsp_id("rust");
    let (mut total, mut passed, mut restored) = (0, 0, 0);
    for text in files
        .iter()
        .filter_map(|path| fs::read_to_string(path).ok())
    {
        for (from, to, shape) in holes(&text) {
            let golden = &text[from..to];
            let mut around = Surroundings::new(&text[..from], &text[to..], facts, shape);
            around.trigger = Trigger::Invoked;
            let gives_golden = |suggestion: &str| matches!(clean(suggestion, &around), Outcome::Kept { text, .. } if text == golden);
            total += 1;
            passed += usize::from(gives_golden(golden));
            restored += usize::from(gives_golden(overrun(&text, from, to)));
        }
    }
    let share = |part: usize| part as f64 / f64::from(u32::try_from(total).unwrap_or(1));
    println!(
        "{total} holes: {:.4} pass, {:.4} restored",
        share(passed),
        share(restored)
    );
    assert!(total > 1_000, "only {total} holes");
    assert!(
        share(passed) > 0.98,
        "only {:.4} of real code passes",
        share(passed)
    );
    assert!(
        share(restored) > 0.93,
        "only {:.4} of overruns are cut back",
        share(restored)
    );
}
