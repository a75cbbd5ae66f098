//! Where the files of the rows' repositories lie.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::mine::{SOURCES, SourceRow};
use crate::rows::Manifest;

/// Repositories and their sources, as `mine` noted them, and a folder in which they lie now.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    known: BTreeMap<String, Vec<PathBuf>>,
    folder: Option<PathBuf>,
}

/// The sources of one repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Those that are there.
    pub paths: Vec<PathBuf>,
    /// None is missing.
    pub all: bool,
}

impl Sources {
    /// Reads the manifest that stands beside `contexts`, where there is one.
    ///
    /// # Errors
    /// A manifest that is none.
    pub fn read(contexts: &Path, folder: Option<PathBuf>) -> Result<Self> {
        let path = Manifest::path_for(contexts);
        let mut known: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
        if path.exists() {
            let shown = path.display();
            let text = std::fs::read(&path).with_context(|| format!("{shown}: cannot be read"))?;
            let manifest: Manifest = serde_json::from_slice(&text)
                .with_context(|| format!("{shown}: expected the manifest of the contexts"))?;
            let none = || serde_json::Value::Array(Vec::new());
            let table = manifest.tables.get(SOURCES).cloned();
            let rows: Vec<SourceRow> = serde_json::from_value(table.unwrap_or_else(none))
                .with_context(|| format!("{shown}: expected a table `{SOURCES}` by `mine`"))?;
            for row in rows {
                known.entry(row.repo).or_default().push(row.path);
            }
        }
        Ok(Self { known, folder })
    }

    /// The sources of `repo`: each where it was mined, or by its file's name in the folder; for a
    /// repository that no manifest knows, what the folder has under its name.
    pub fn of(&self, repo: &str) -> Found {
        let Some(known) = self.known.get(repo) else {
            let named = self.folder.as_ref().and_then(|folder| inside(folder, repo));
            return Found {
                all: named.is_some(),
                paths: named.into_iter().collect(),
            };
        };
        let moved = |path: &PathBuf| Some(self.folder.as_ref()?.join(path.file_name()?));
        let now = known.iter().filter_map(|path| {
            let places = [moved(path), Some(path.clone())];
            places.into_iter().flatten().find(|path| path.exists())
        });
        let paths: Vec<PathBuf> = now.collect();
        Found {
            all: paths.len() == known.len(),
            paths,
        }
    }
}

/// The folder of the repository `name`, whole or by its last part; never one outside of `folder`.
fn inside(folder: &Path, name: &str) -> Option<PathBuf> {
    let plain = |part: Component<'_>| matches!(part, Component::Normal(_));
    let last = name.rsplit('/').next().unwrap_or(name);
    let names = [name, last].into_iter();
    let names = names.filter(|name| !name.is_empty() && Path::new(name).components().all(plain));
    let mut places = names.map(|name| folder.join(name));
    places.find(|place| place.is_dir())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_found_by_the_manifest_and_by_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        for name in ["now/clone", "now/o/n", "was/here"] {
            std::fs::create_dir_all(path(name)).expect("made");
        }
        std::fs::write(path("now/a-1.0.tgz"), "").expect("written");
        let row = |repo: &str, place: &str| SourceRow {
            repo: repo.into(),
            source: "s".into(),
            path: path(place),
        };
        let rows = [
            row("h/o/a", "gone/a-1.0.tgz"),
            row("h/o/clone", "gone/clone"),
            row("h/o/here", "was/here"),
            row("h/o/half", "was/here"),
            row("h/o/half", "gone/half"),
        ];
        let mut manifest = Manifest::default();
        let rows = serde_json::to_value(rows).expect("JSON");
        manifest.tables.insert(SOURCES.into(), rows);
        let contexts = path("contexts.jsonl");
        manifest.write_beside(&contexts).expect("written");
        let sources = Sources::read(&contexts, Some(path("now"))).expect("read");
        for (repo, expected, all) in [
            ("h/o/a", Some("now/a-1.0.tgz"), true),
            ("h/o/clone", Some("now/clone"), true),
            ("h/o/here", Some("was/here"), true),
            ("h/o/half", Some("was/here"), false),
            ("o/n", Some("now/o/n"), true),
            ("host/owner/clone", Some("now/clone"), true),
            ("../was", None, false),
            ("nothing", None, false),
        ] {
            let paths = expected.map(path).into_iter().collect();
            assert_eq!(sources.of(repo), Found { paths, all }, "{repo}");
        }
        let none = Sources::read(&path("other.jsonl"), None).expect("read");
        assert_eq!(none.of("h/o/a"), Found::default());
    }
}
