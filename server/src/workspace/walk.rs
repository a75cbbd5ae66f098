//! The folders and files under a folder that the index takes in.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ignore::{DirEntry, WalkBuilder};
use truefill_syntax::Language;

use super::Rules;
use super::ignored::repository;
use super::rules::is_hidden;

/// What a walk comes by.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// A folder, before what is in it.
    Folder(PathBuf),
    /// A file of a language with a grammar.
    File(PathBuf, Language),
    /// Such a file that is not to be read, in a folder that is looked into.
    LeftOut(PathBuf, Language),
}

/// What is under `from`, which belongs to `root` and is looked into. The folders `others` are
/// passed over, and links are not followed.
pub fn walk(
    rules: &Arc<Rules>,
    from: &Path,
    root: &Path,
    others: BTreeSet<PathBuf>,
) -> impl Iterator<Item = Found> + use<> {
    let (root, top) = (root.to_owned(), repository(root));
    let is_dir = |entry: &DirEntry| entry.file_type().is_some_and(|kind| kind.is_dir());
    let enters = {
        let (rules, top) = (Arc::clone(rules), top.clone());
        move |entry: &DirEntry| match is_dir(entry) {
            true => !others.contains(entry.path()) && rules.enters(entry.path(), &top),
            false => !is_hidden(entry.path()),
        }
    };
    let rules = Arc::clone(rules);
    let mut builder = WalkBuilder::new(from);
    // The rules are ours, so that they are the same for a file that changes later.
    builder.standard_filters(false).filter_entry(enters);
    let entries = builder.build().filter_map(Result::ok);
    entries.filter_map(move |entry| found(entry, |file| rules.reads_entry(file, &root, &top)))
}

fn found(entry: DirEntry, reads: impl Fn(&Path) -> bool) -> Option<Found> {
    // The folder that a walk begins at may be a link; others are what they are.
    if entry.depth() == 0 || entry.file_type()?.is_dir() {
        return Some(Found::Folder(entry.into_path()));
    }
    let language = Language::from_path(entry.path())?;
    entry.file_type()?.is_file().then(|| {
        let path = entry.into_path();
        match reads(&path) {
            true => Found::File(path, language),
            false => Found::LeftOut(path, language),
        }
    })
}
