//! The user's patterns of files that are never read, whatever the editor opens.

use std::path::Path;

use globset::{Glob, GlobBuilder, GlobSet, GlobSetBuilder};

/// Patterns on file names, and on paths where they hold a `/`. Case does not matter:
/// `SERVER.KEY` is a key as well.
#[derive(Default)]
pub struct DenyList {
    patterns: Vec<String>,
    names: GlobSet,
    paths: GlobSet,
    /// Which pattern the n-th of each set is.
    name_index: Vec<usize>,
    path_index: Vec<usize>,
}

impl DenyList {
    /// A list of patterns. Malformed ones were refused with the configuration and match
    /// nothing here.
    pub fn new(patterns: &[String]) -> Self {
        let mut list = Self {
            patterns: patterns.to_vec(),
            ..Self::default()
        };
        let (mut names, mut paths) = (GlobSetBuilder::new(), GlobSetBuilder::new());
        for (index, pattern) in patterns.iter().enumerate() {
            let Some(glob) = glob(pattern) else { continue };
            if pattern.contains('/') {
                paths.add(glob);
                list.path_index.push(index);
            } else {
                names.add(glob);
                list.name_index.push(index);
            }
        }
        list.names = names.build().unwrap_or_default();
        list.paths = paths.build().unwrap_or_default();
        list
    }

    /// The pattern that a file matches, by its name or by its path from `root`.
    pub fn matching(&self, path: &Path, root: &Path) -> Option<String> {
        let name = path.file_name().map(Path::new).unwrap_or(path);
        let by_name = self
            .names
            .matches(name)
            .into_iter()
            .map(|at| self.name_index[at]);
        let relative = path.strip_prefix(root).unwrap_or(path);
        let by_path = self
            .paths
            .matches(relative)
            .into_iter()
            .map(|at| self.path_index[at]);
        let first = by_name.chain(by_path).min()?;
        self.patterns.get(first).cloned()
    }
}

fn glob(pattern: &str) -> Option<Glob> {
    GlobBuilder::new(pattern)
        .case_insensitive(true)
        .literal_separator(true)
        .build()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matching(list: &DenyList, path: &str) -> Option<String> {
        list.matching(Path::new(path), Path::new("/w"))
    }

    #[test]
    fn patterns_with_a_slash_match_the_path() {
        let list = DenyList::new(&["vendor/**".into(), "*.lock".into(), "a{".into()]);
        assert_eq!(
            matching(&list, "/w/vendor/x/y.go"),
            Some("vendor/**".into())
        );
        assert_eq!(matching(&list, "/w/x/vendor/y.go"), None);
        assert_eq!(matching(&list, "/w/x/CARGO.LOCK"), Some("*.lock".into()));
    }
}
