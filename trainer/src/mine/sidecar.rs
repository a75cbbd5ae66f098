//! What is known of repositories and not in their files. Nothing is fetched: the user gives it.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Deserialize;

/// A file of repositories, in TOML or JSON: `[repos."github.com/owner/name"]`, `stars = 120`,
/// `license = "MIT"`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sidecar {
    repos: BTreeMap<String, Known>,
}

/// What is known of one repository.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Known {
    /// Stars, as some host counts them.
    pub stars: Option<u64>,
    /// The licence of files for which nothing nearer says another, as SPDX names it.
    pub license: Option<String>,
}

impl Sidecar {
    /// Reads the file.
    ///
    /// # Errors
    /// Where it cannot be read or has a key that does not exist.
    pub fn read(path: &Path) -> Result<Self> {
        let shown = path.display();
        let text = std::fs::read_to_string(path).with_context(|| format!("{shown}: not read"))?;
        let json = path.extension().is_some_and(|end| end == "json");
        let expected =
            || format!("{shown}: expected `[repos.\"host/owner/name\"]` with `stars` or `license`");
        if json {
            serde_json::from_str(&text).with_context(expected)
        } else {
            toml::from_str(&text).with_context(expected)
        }
    }

    /// What is known of a repository, by its whole name or by `owner/name`, else by the name of the
    /// source.
    pub fn of(&self, repository: &str, source: &str) -> Known {
        let short = |name: &str| name.split_once('/').map(|(_, rest)| rest.to_owned());
        let names = [repository, source].into_iter();
        let mut names = names.flat_map(|name| [Some(name.to_owned()), short(name)]);
        let found = names.find_map(|name| self.repos.get(&name?));
        found.cloned().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_are_known_by_both_names() {
        let folder = tempfile::tempdir().expect("a folder");
        let toml = folder.path().join("repos.toml");
        std::fs::write(&toml, "[repos.\"o/n\"]\nstars = 5\n").expect("written");
        let json = folder.path().join("repos.json");
        std::fs::write(&json, "{\"repos\": {\"o/n\": {\"stars\": 5}}}").expect("written");
        for path in [toml, json] {
            let sidecar = Sidecar::read(&path).expect("read");
            assert_eq!(sidecar.of("github.com/o/n", "n-1.0").stars, Some(5));
            assert_eq!(sidecar.of("n", "o/n").stars, Some(5));
            assert_eq!(sidecar.of("x", "n").stars, None);
        }
        let wrong = folder.path().join("wrong.toml");
        std::fs::write(&wrong, "[repos.\"o/n\"]\nstar = 5\n").expect("written");
        assert!(Sidecar::read(&wrong).is_err());
    }
}
