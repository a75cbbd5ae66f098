//! Reading a workspace into the index: the files that version control and the user do not exclude.

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use ignore::WalkBuilder;

use super::Index;
use crate::language::Language;

/// The file beside `.gitignore` that excludes files from Truefill alone.
const IGNORE_FILE: &str = ".truefillignore";

/// Limits of an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuildLimits {
    /// Larger files are passed over, in bytes.
    pub file_bytes: u64,
    /// Files with a longer line are passed over (minified, generated), in bytes.
    pub line_bytes: usize,
    /// Files beyond this many are passed over.
    pub files: usize,
}

impl Default for BuildLimits {
    fn default() -> Self {
        Self {
            file_bytes: 512 << 10,
            line_bytes: 5_000,
            files: 50_000,
        }
    }
}

/// What a build did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BuildSummary {
    /// Files that are in the index now.
    pub indexed: usize,
    /// Files passed over: too large, not UTF-8, unreadable, beyond the limit.
    pub passed_over: usize,
    /// The build was cancelled.
    pub cancelled: bool,
}

/// The files under `root` that an index takes in: with a known language, not excluded by
/// `.gitignore`, `.ignore` or `.truefillignore`, not hidden. Links are not followed.
pub fn indexable_files(root: &Path) -> impl Iterator<Item = (PathBuf, Language)> {
    WalkBuilder::new(root)
        .require_git(false)
        .follow_links(false)
        .add_custom_ignore_filename(IGNORE_FILE)
        .build()
        .filter_map(Result::ok)
        .filter(|entry| entry.file_type().is_some_and(|kind| kind.is_file()))
        .filter_map(|entry| {
            let language = Language::from_path(entry.path())?;
            Some((entry.into_path(), language))
        })
}

/// Reads the files under `root` into `index`, one after the other on this thread, and calls
/// `on_file` after each with the files read so far. Stops soon after `cancel` is set.
pub fn build(
    index: &Index,
    root: &Path,
    limits: &BuildLimits,
    cancel: &AtomicBool,
    on_file: &mut dyn FnMut(&Path, &BuildSummary),
) -> BuildSummary {
    let mut summary = BuildSummary::default();
    for (path, language) in indexable_files(root) {
        if cancel.load(Ordering::Relaxed) {
            summary.cancelled = true;
            break;
        }
        let text = (summary.indexed < limits.files)
            .then(|| read(&path, limits))
            .flatten();
        match text {
            Some(text) => {
                index.add_file(&path, language, &text);
                summary.indexed += 1;
            }
            None => summary.passed_over += 1,
        }
        on_file(&path, &summary);
    }
    summary
}

/// The text of a file within the limits; `None` for any other.
fn read(path: &Path, limits: &BuildLimits) -> Option<String> {
    let file = fs::File::open(path).ok()?;
    if file.metadata().ok()?.len() > limits.file_bytes {
        return None;
    }
    let mut text = String::new();
    // The file may grow while it is read.
    file.take(limits.file_bytes)
        .read_to_string(&mut text)
        .ok()?;
    let long_line = text.split('\n').any(|line| line.len() > limits.line_bytes);
    (!long_line).then_some(text)
}
