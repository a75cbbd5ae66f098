//! What a command leaves: files, and what it printed.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::path::Path;

/// The names in a folder, sorted.
pub fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("an entry").file_name())
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The id of the checkpoint that a run put into the store.
pub fn checkpoint(out: &str) -> &str {
    let found = out.lines().find_map(|line| {
        line.strip_prefix("checkpoint ")?
            .strip_suffix(" is in the store")
    });
    found.unwrap_or_else(|| panic!("expected a checkpoint, found: {out}"))
}
