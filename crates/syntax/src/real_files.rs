//! The real files of the tests, in every language.

use crate::Language;

/// Each file's path, language and text; at least ten.
pub fn real_files() -> Vec<(std::path::PathBuf, Language, String)> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/real");
    let entries = std::fs::read_dir(folder).expect("there");
    let paths = entries.map(|entry| entry.expect("entry").path());
    let files: Vec<_> = paths
        .filter_map(|path| {
            let language = Language::from_path(&path)?;
            let text = std::fs::read_to_string(&path).expect("reads");
            Some((path, language, text))
        })
        .collect();
    assert!(files.len() >= 10);
    files
}
