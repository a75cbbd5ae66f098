//! The index's thread.
//!
//! Everything that may have changed goes one way, [`Worker::reconcile`]: what is at a path now
//! is compared with what is known below it. A file belongs to the innermost of the workspace's
//! folders that holds it, and that folder's rules decide about it.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use truefill_syntax::Language;

use super::watch::Watch;
use super::{Shared, Task};
use crate::config::IndexSettings;
use crate::workspace::Rules;
use crate::workspace::ignored::is_ignore_file;
use crate::workspace::walk::{Found, walk};

/// Longest rest after a file.
const REST: Duration = Duration::from_millis(20);

/// Changes are gathered for so long before they are read.
const GATHER: Duration = Duration::from_millis(200);

/// What happens to files that are in the index already.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Known {
    /// They are read again.
    Reread,
    /// They stay as they are: only the rules changed.
    Keep,
}

pub struct Worker {
    shared: Arc<Shared>,
    settings: IndexSettings,
    rules: Arc<Rules>,
    watch: Watch,
    roots: BTreeSet<PathBuf>,
    /// The files that are in the index.
    files: BTreeSet<PathBuf>,
}

impl Worker {
    pub fn new(
        settings: IndexSettings,
        rules: Arc<Rules>,
        watch: Watch,
        shared: Arc<Shared>,
    ) -> Self {
        Self {
            shared,
            settings,
            rules,
            watch,
            roots: BTreeSet::new(),
            files: BTreeSet::new(),
        }
    }

    pub fn run(mut self, tasks: &Receiver<Task>) {
        let mut gathered = BTreeSet::new();
        let mut due = Instant::now();
        loop {
            let task = match gathered.is_empty() {
                true => tasks.recv().map_err(|_| RecvTimeoutError::Disconnected),
                false => tasks.recv_timeout(due.saturating_duration_since(Instant::now())),
            };
            match task {
                Ok(Task::Add(root)) => self.add(root),
                Ok(Task::Remove(root)) => self.remove(&root),
                Ok(Task::Changed(paths)) => {
                    // Saving one file makes several events.
                    if gathered.is_empty() {
                        due = Instant::now() + GATHER;
                    }
                    gathered.extend(paths);
                }
                Ok(Task::Rescan) => self.rescan(),
                Ok(Task::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => self.changed(std::mem::take(&mut gathered)),
            }
        }
    }

    fn add(&mut self, root: PathBuf) {
        self.roots.insert(root.clone());
        self.reconcile(&root, Known::Reread);
        self.built();
    }

    fn remove(&mut self, root: &Path) {
        self.roots.remove(root);
        // What is left of it may belong to a folder around it now.
        self.reconcile(root, Known::Reread);
        self.built();
    }

    fn rescan(&mut self) {
        self.shared.building.fetch_add(1, Ordering::AcqRel);
        for root in self.roots.clone() {
            self.reconcile(&root, Known::Reread);
        }
        self.built();
    }

    /// A work is done without which names were missing.
    fn built(&self) {
        let before = self.shared.building.fetch_sub(1, Ordering::AcqRel);
        if before == 1 {
            tracing::debug!(files = self.files.len(), "the index is complete");
        }
    }

    fn changed(&mut self, paths: BTreeSet<PathBuf>) {
        for path in paths {
            match is_ignore_file(&path) {
                true => self.rules_changed(&path),
                false => self.reconcile(&path, Known::Reread),
            }
        }
    }

    fn rules_changed(&mut self, ignore_file: &Path) {
        let Some(folder) = ignore_file.parent() else {
            return;
        };
        self.rules.forget(folder);
        self.shared.building.fetch_add(1, Ordering::AcqRel);
        self.reconcile(folder, Known::Keep);
        self.built();
    }

    /// Makes the index agree with what is at a path now.
    fn reconcile(&mut self, path: &Path, known: Known) {
        self.drop_below(path);
        let root = self.root_of(path);
        // The workspace's folders may be links, what is in them is what it is.
        let data = match self.roots.contains(path) {
            true => path.metadata(),
            false => path.symlink_metadata(),
        };
        match (root, data.map(|data| data.file_type())) {
            (Some(root), Ok(kind)) if kind.is_dir() && self.rules.indexes_folder(path, &root) => {
                self.read_folder(path, &root, known);
            }
            (Some(root), Ok(kind)) if kind.is_file() => {
                let language = Language::from_path(path);
                let language = language.filter(|_| self.rules.indexes_file(path, &root));
                if let Some(language) = language {
                    self.read_file(path, language, known);
                }
            }
            (root, _) => self.unwatch(path, root.as_deref(), &BTreeSet::new()),
        }
    }

    fn read_folder(&mut self, folder: &Path, root: &Path, known: Known) {
        let others = self.roots.iter().filter(|other| *other != root);
        let found = walk(&self.rules, folder, root, others.cloned().collect());
        let mut folders = BTreeSet::new();
        for found in found {
            if self.shared.stop.load(Ordering::Acquire) {
                return;
            }
            match found {
                Found::Folder(folder) => {
                    // Before its files are read, so that no change of them is missed. Each folder
                    // is watched, also one without files: the first one may come.
                    self.watch.folder(&folder);
                    folders.insert(folder);
                }
                Found::File(path, language) => self.read_file(&path, language, known),
            }
        }
        self.unwatch(folder, Some(root), &folders);
    }

    fn read_file(&mut self, path: &Path, language: Language, known: Known) {
        let held = self.files.contains(path);
        if held && known == Known::Keep {
            return;
        }
        if !held && self.files.len() >= self.settings.max_files {
            self.shared.left_out.store(true, Ordering::Release);
            return;
        }
        let started = Instant::now();
        match read(path, self.settings.max_file_bytes) {
            Some(text) => {
                self.shared.index.add_file(path, language, &text);
                self.files.insert(path.to_owned());
            }
            None => self.drop_file(path),
        }
        std::thread::sleep(started.elapsed().min(REST));
    }

    /// Forgets the files at and below a path that are gone or are not to be read any more.
    fn drop_below(&mut self, path: &Path) {
        let below = self.files.range(path.to_owned()..);
        let below: Vec<PathBuf> = below
            .take_while(|file| file.starts_with(path))
            .cloned()
            .collect();
        for file in below {
            if !self.keeps(&file) {
                self.drop_file(&file);
            }
        }
    }

    fn keeps(&self, file: &Path) -> bool {
        let is_file = file.symlink_metadata().is_ok_and(|data| data.is_file());
        let root = self.root_of(file).filter(|_| is_file);
        root.is_some_and(|root| self.rules.indexes_file(file, &root))
    }

    fn drop_file(&mut self, file: &Path) {
        if self.files.remove(file) {
            self.shared.index.remove_file(file);
        }
    }

    /// Stops watching the folders at and below a path that belong to `root` and are not among
    /// those that are still looked into.
    fn unwatch(&mut self, path: &Path, root: Option<&Path>, still: &BTreeSet<PathBuf>) {
        let roots = &self.roots;
        self.watch.forget(path, |folder| {
            still.contains(folder) || innermost(roots, folder) != root
        });
    }

    fn root_of(&self, path: &Path) -> Option<PathBuf> {
        innermost(&self.roots, path).map(Path::to_owned)
    }
}

/// The innermost of the folders that holds a path.
fn innermost<'a>(roots: &'a BTreeSet<PathBuf>, path: &Path) -> Option<&'a Path> {
    path.ancestors()
        .find_map(|folder| roots.get(folder).map(PathBuf::as_path))
}

/// The text of a file within the limit; `None` for any other, and for what is no UTF-8.
fn read(path: &Path, limit: usize) -> Option<String> {
    let file = std::fs::File::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    if length > limit as u64 {
        return None;
    }
    let mut text = String::new();
    // The file may grow while it is read.
    file.take(limit as u64).read_to_string(&mut text).ok()?;
    Some(text)
}
