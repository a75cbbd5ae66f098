//! The files of a folder of packages, for the examples. The server has rules of its own: it passes
//! over files that hold secrets and such as the user denies, and knows no `.ignore`.

use std::path::{Path, PathBuf};

use ignore::WalkBuilder;

use truefill_syntax::Language;

/// The file beside `.gitignore` that excludes files from Truefill alone.
const IGNORE_FILE: &str = ".truefillignore";

/// The files under `root` that an example reads: with a known language, not excluded by
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
