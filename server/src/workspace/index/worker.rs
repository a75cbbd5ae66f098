//! The index's thread.
//!
//! Everything that may have changed goes one way, [`Worker::reconcile`]: what is at a path now
//! is compared with what is known below it. A file belongs to the innermost of the workspace's
//! folders that holds it, and that folder's rules decide about it.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use truefill_syntax::Language;

use super::watch::Watch;
use super::{Shared, Task};
use crate::config::IndexSettings;
use crate::workspace::ignored::ignoring_folder;
use crate::workspace::walk::{Found, walk};
use crate::workspace::{Rules, innermost};

/// Longest rest after a file.
const REST: Duration = Duration::from_millis(20);

/// Changes are gathered for so long before they are read.
const GATHER: Duration = Duration::from_millis(200);

/// How the index holds a file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Held {
    /// Its names are known.
    Read,
    /// It is there and was not read, so a name may stand in it: it is too large, no text, takes too
    /// long to parse, or is not to be read.
    LeftOut,
}

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
    files: BTreeMap<PathBuf, Held>,
    /// How many of them were read.
    read: usize,
    /// Folders of the workspace with more files of a language than the settings allow: one note for
    /// all of them, which may be millions.
    cut: HashSet<(PathBuf, Language)>,
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
            files: BTreeMap::new(),
            read: 0,
            cut: HashSet::new(),
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
            let paths = match task {
                Ok(Task::Add(root)) => {
                    self.add(root);
                    continue;
                }
                Ok(Task::Remove(root)) => {
                    self.remove(&root);
                    continue;
                }
                Ok(Task::Changed(paths)) => paths,
                Ok(Task::Rescan) => self.roots.iter().cloned().collect(),
                Ok(Task::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {
                    self.changed(std::mem::take(&mut gathered));
                    continue;
                }
            };
            // Saving one file makes several events, and a large checkout several rescans.
            if gathered.is_empty() {
                due = Instant::now() + GATHER;
            }
            gathered.extend(paths);
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
        self.use_room();
        self.built();
    }

    /// Reads what did not fit before, where there is room now.
    fn use_room(&mut self) {
        if self.read < self.settings.max_files {
            let cut: BTreeSet<PathBuf> = self.cut.iter().map(|(root, _)| root.clone()).collect();
            for root in cut {
                self.rebuild(&root, Known::Keep);
            }
        }
    }

    /// Reads a folder whose names, or some of them, are missing until that is done.
    fn rebuild(&mut self, folder: &Path, known: Known) {
        self.shared.building.fetch_add(1, Ordering::AcqRel);
        self.reconcile(folder, known);
        self.built();
    }

    /// A work is done without which names were missing.
    fn built(&self) {
        let before = self.shared.building.fetch_sub(1, Ordering::AcqRel);
        if before == 1 {
            let left_out = self.files.len() - self.read;
            tracing::debug!(files = self.read, left_out, "the index is complete");
        }
    }

    fn changed(&mut self, paths: BTreeSet<PathBuf>) {
        for path in paths {
            if let Some(folder) = ignoring_folder(&path) {
                self.rules.forget(folder);
                self.rebuild(folder, Known::Keep);
            } else if self.roots.contains(&path) {
                self.rebuild(&path, Known::Reread);
            } else {
                self.reconcile(&path, Known::Reread);
            }
        }
        self.use_room();
    }

    /// Makes the index agree with what is at a path now.
    fn reconcile(&mut self, path: &Path, known: Known) {
        self.drop_below(path);
        self.drop_cut(path);
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
                match (self.wanted(path, &root), Language::from_path(path)) {
                    (Some(Held::Read), Some(language)) => self.read_file(path, language, known),
                    (Some(Held::LeftOut), Some(language)) => self.leave_out(path, language),
                    _ => {}
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
                Found::LeftOut(path, language) => self.leave_out(&path, language),
            }
        }
        self.unwatch(folder, Some(root), &folders);
    }

    fn read_file(&mut self, path: &Path, language: Language, known: Known) {
        let was_read = self.files.get(path) == Some(&Held::Read);
        if was_read && known == Known::Keep {
            return;
        }
        if !was_read && self.read >= self.settings.max_files {
            let root = self.root_of(path).unwrap_or_default();
            if self.cut.insert((root.clone(), language)) {
                self.shared.index.skip_file(&root, language);
            }
            return;
        }
        let started = Instant::now();
        let text = read(path, self.settings.max_file_bytes);
        let index = &self.shared.index;
        // A text that trips the reader costs itself, not the index.
        let add = |text: String| index.add_file(path, language, &text);
        match text.map(|text| catch_unwind(AssertUnwindSafe(|| add(text)))) {
            Some(Ok(true)) => {
                self.files.insert(path.to_owned(), Held::Read);
                self.read += usize::from(!was_read);
            }
            Some(Ok(false) | Err(_)) | None => self.leave_out(path, language),
        }
        std::thread::sleep(started.elapsed().min(REST));
    }

    /// Notes that a name of the language may stand where nobody looked.
    fn leave_out(&mut self, path: &Path, language: Language) {
        self.shared.index.skip_file(path, language);
        if self.files.insert(path.to_owned(), Held::LeftOut) == Some(Held::Read) {
            self.read -= 1;
        }
    }

    /// Forgets what is known of files at and below a path that are gone or are held in another way
    /// from now on.
    fn drop_below(&mut self, path: &Path) {
        let below = self.files.range(path.to_owned()..);
        let below: Vec<(PathBuf, Held)> = below
            .take_while(|(file, _)| file.starts_with(path))
            .map(|(file, held)| (file.clone(), *held))
            .collect();
        for (file, held) in below {
            let wanted = self.root_of(&file).and_then(|root| {
                let is_file = file.symlink_metadata().is_ok_and(|data| data.is_file());
                self.wanted(&file, &root).filter(|_| is_file)
            });
            // What was left out may be readable now, which reading it shows.
            let stays = wanted == Some(held) || (wanted.is_some() && held == Held::LeftOut);
            if !stays {
                self.drop_file(&file);
            }
        }
    }

    /// How the index should hold a file; not at all where it is not met, or in no language.
    fn wanted(&self, file: &Path, root: &Path) -> Option<Held> {
        Language::from_path(file).filter(|_| self.rules.meets(file, root))?;
        Some(match self.rules.check(file, root) {
            Ok(()) => Held::Read,
            Err(_) => Held::LeftOut,
        })
    }

    fn drop_file(&mut self, file: &Path) {
        match self.files.remove(file) {
            Some(Held::Read) => self.read -= 1,
            Some(Held::LeftOut) => {}
            None => return,
        }
        if let Some(language) = Language::from_path(file) {
            self.shared.index.remove_file(file, language);
        }
    }

    /// Forgets that a folder of the workspace had more files than the settings allow.
    fn drop_cut(&mut self, root: &Path) {
        let index = &self.shared.index;
        self.cut.retain(|(cut, language)| {
            let keep = cut != root;
            if !keep {
                index.remove_file(root, *language);
            }
            keep
        });
    }

    /// Stops watching the folders at and below a path that belong to `root` and are not among
    /// those that are still looked into.
    fn unwatch(&mut self, path: &Path, root: Option<&Path>, still: &BTreeSet<PathBuf>) {
        let roots = &self.roots;
        self.watch.forget(path, |folder| {
            still.contains(folder) || innermost(folder, |above| roots.contains(above)) != root
        });
    }

    fn root_of(&self, path: &Path) -> Option<PathBuf> {
        innermost(path, |above| self.roots.contains(above)).map(Path::to_owned)
    }
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
