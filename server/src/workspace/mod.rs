//! The folders that the editor has open, and which of their files may be read.

mod deny;
mod ignored;
pub mod index;
mod rules;
mod walk;

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, PoisonError, RwLock};

use tower_lsp::ls_types::Uri;

use crate::config::Files;
use crate::silence::Silence;
use ignored::repository;
pub use rules::Rules;
use rules::is_hidden_below;

/// The workspace's folders and the rules for their files.
#[derive(Default)]
pub struct Workspace {
    folders: RwLock<Vec<PathBuf>>,
    rules: RwLock<Arc<Rules>>,
}

impl Workspace {
    /// Takes over the rules of a configuration.
    pub fn configure(&self, files: &Files) {
        *self.rules.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(Rules::new(files));
    }

    /// The rules as they are now.
    pub fn rules(&self) -> Arc<Rules> {
        Arc::clone(&self.rules.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The folders, in the editor's order.
    pub fn folders(&self) -> Vec<PathBuf> {
        self.folders
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Adds and removes folders.
    pub fn change_folders(&self, added: Vec<PathBuf>, removed: &[PathBuf]) {
        let mut folders = self.folders.write().unwrap_or_else(PoisonError::into_inner);
        folders.retain(|folder| !removed.contains(folder));
        for folder in added {
            if !folders.contains(&folder) {
                folders.push(folder);
            }
        }
    }

    /// The innermost folder that holds a file.
    pub fn folder_of(&self, path: &Path) -> Option<PathBuf> {
        let folders = self.folders();
        innermost(path, |above| folders.iter().any(|folder| folder == above)).map(Path::to_owned)
    }

    /// Whether the index takes in what is beside a file, so that a name of a file next to it is
    /// in there.
    pub fn indexes_around(&self, path: &Path) -> bool {
        let folder = self.folder_of(path);
        folder.is_some_and(|folder| !is_hidden_below(path, &folder))
    }

    /// The innermost folder that holds a file; a file outside all of them belongs to the
    /// repository around it, else to its own folder.
    pub fn root_of(&self, path: &Path) -> PathBuf {
        if let Some(folder) = self.folder_of(path) {
            return folder;
        }
        repository(path.parent().unwrap_or(path))
    }

    /// Whether the document of a URI may be read. One that is no file here is judged by the
    /// path in its URI.
    ///
    /// # Errors
    /// As [`Rules::check`].
    pub fn check(&self, uri: &str) -> Result<(), Silence> {
        match file_path(uri) {
            Some(path) => self.rules().check(&path, &self.root_of(&path)),
            None => self.rules().check_elsewhere(&path_in(uri)),
        }
    }

    /// The path as a prompt may show it: relative to the folder, with `/`.
    pub fn shown_path(&self, uri: &str) -> Option<String> {
        let path = file_path(uri)?;
        let relative = path.strip_prefix(self.root_of(&path)).ok()?.to_owned();
        let parts = relative
            .components()
            .map(|part| part.as_os_str().to_string_lossy());
        Some(parts.collect::<Vec<_>>().join("/"))
    }
}

/// The innermost folder that holds a path, or is it, among those that `is_folder` says are meant.
fn innermost(path: &Path, is_folder: impl Fn(&Path) -> bool) -> Option<&Path> {
    path.ancestors().find(|above| is_folder(above))
}

/// The path of a `file:` URI; other schemes name no file.
pub fn file_path(uri: &str) -> Option<PathBuf> {
    let uri = Uri::from_str(uri).ok()?;
    let is_file = uri.scheme().as_str().eq_ignore_ascii_case("file");
    is_file
        .then(|| uri.to_file_path().map(|path| path.into_owned()))
        .flatten()
}

/// The path in a URI of any scheme; what is no URI is its own path.
fn path_in(uri: &str) -> PathBuf {
    match Uri::from_str(uri) {
        Ok(parsed) => PathBuf::from(&*parsed.path().decode().to_string_lossy()),
        Err(_) => PathBuf::from(uri),
    }
}

/// The `file:` URI of an absolute path.
pub fn file_uri(path: &Path) -> Option<String> {
    Uri::from_file_path(path).map(|uri| uri.as_str().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn the_index_is_asked_only_where_it_looks() {
        let workspace = Workspace::default();
        assert!(!workspace.indexes_around(Path::new("/w/a.py")), "no folder");
        let folders = vec!["/w".into(), "/w/.inner".into()];
        workspace.change_folders(folders, &[]);
        for (path, looked_at) in [
            ("/w/a.py", true),
            ("/w/sub/a.py", true),
            ("/w/.github/a.py", false),
            ("/w/.inner/a.py", true),
            ("/elsewhere/a.py", false),
            ("untitled", false),
        ] {
            assert_eq!(
                workspace.indexes_around(Path::new(path)),
                looked_at,
                "{path}"
            );
        }
    }

    #[test]
    fn documents_of_every_scheme_are_checked() {
        let workspace = Workspace::default();
        workspace.configure(&Config::default().files);
        for denied in [
            "file:///w/.env",
            "file:///w/%2Eenv",
            "vscode-remote://ssh-remote%2Bhost/home/u/w/.env",
            "vscode-remote://host/w/%2Essh/config",
            "git:/w/prod.env?%7B%22ref%22%3A%22HEAD%22%7D",
            "untitled:.env",
            "zipfile:/w/a.zip::.env",
        ] {
            assert_eq!(workspace.check(denied), Err(Silence::Secret), "{denied}");
        }
        for allowed in [
            "file:///w/a.py",
            "untitled:Untitled-1",
            "vscode-remote://host/w/a.py",
            "git:/w/a.py?x=.env",
        ] {
            assert_eq!(workspace.check(allowed), Ok(()), "{allowed}");
        }
    }
}
