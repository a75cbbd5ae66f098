//! The folders that the editor has open, and which of their files may be read.

mod ignored;
pub mod index;
mod rules;

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, PoisonError, RwLock};

use tower_lsp::ls_types::Uri;

use crate::config::Files;
use crate::silence::Silence;
use ignored::Ignored;
use rules::DenyList;

/// The workspace's folders and the rules for their files.
#[derive(Default)]
pub struct Workspace {
    folders: RwLock<Vec<PathBuf>>,
    rules: RwLock<Arc<Rules>>,
}

/// Which files are left alone. Cheap to share with a thread that walks the folders.
#[derive(Default)]
pub struct Rules {
    deny: DenyList,
    ignored: Option<Ignored>,
}

impl Rules {
    /// The rules of a configuration.
    pub fn new(files: &Files) -> Self {
        let ignored = files.respect_ignore_files.then(Ignored::default);
        Self {
            deny: DenyList::new(&files.deny),
            ignored,
        }
    }

    /// Whether a file may be read, seen from the folder that it belongs to.
    ///
    /// # Errors
    /// [`Silence::Denied`] or [`Silence::Ignored`].
    pub fn check(&self, path: &Path, root: &Path) -> Result<(), Silence> {
        self.check_denied(path, root)?;
        match &self.ignored {
            Some(ignored) if ignored.excludes(path, root) => Err(Silence::Ignored),
            _ => Ok(()),
        }
    }

    /// Whether an ignore file excludes a folder.
    pub fn ignores_folder(&self, path: &Path, root: &Path) -> bool {
        self.ignored
            .as_ref()
            .is_some_and(|ignored| ignored.excludes_folder(path, root))
    }

    /// As [`Rules::check`] without the ignore files, for who walks by them.
    ///
    /// # Errors
    /// [`Silence::Denied`].
    pub fn check_denied(&self, path: &Path, root: &Path) -> Result<(), Silence> {
        // A link must not be a way around the list, so both ends of it are checked.
        let target = path.canonicalize().ok().filter(|target| target != path);
        for path in std::iter::once(path).chain(target.as_deref()) {
            if let Some(pattern) = self.deny.matching(path, root) {
                return Err(Silence::Denied { pattern });
            }
        }
        Ok(())
    }
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

    /// The innermost folder that holds a file; a file outside all of them belongs to the
    /// repository around it, else to its own folder.
    pub fn root_of(&self, path: &Path) -> PathBuf {
        let folders = self.folders();
        let innermost = folders.iter().filter(|folder| path.starts_with(folder));
        if let Some(folder) = innermost.max_by_key(|folder| folder.components().count()) {
            return folder.clone();
        }
        let parent = path.parent().unwrap_or(path);
        let repository = parent
            .ancestors()
            .find(|folder| folder.join(".git").exists());
        repository.unwrap_or(parent).to_owned()
    }

    /// Whether the document of a URI may be read. A document without a file may.
    ///
    /// # Errors
    /// As [`Rules::check`].
    pub fn check(&self, uri: &str) -> Result<(), Silence> {
        match file_path(uri) {
            Some(path) => self.rules().check(&path, &self.root_of(&path)),
            None => Ok(()),
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

/// The path of a `file:` URI; other schemes name no file.
pub fn file_path(uri: &str) -> Option<PathBuf> {
    let uri = Uri::from_str(uri).ok()?;
    let is_file = uri.scheme().as_str().eq_ignore_ascii_case("file");
    is_file
        .then(|| uri.to_file_path().map(|path| path.into_owned()))
        .flatten()
}

/// The `file:` URI of an absolute path.
pub fn file_uri(path: &Path) -> Option<String> {
    Uri::from_file_path(path).map(|uri| uri.as_str().to_owned())
}
