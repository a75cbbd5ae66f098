//! The background index of the workspace's symbols, which the guard asks.
//!
//! One thread reads the folders' files, then follows their changes. It rests after each
//! file for as long as it worked, so that a large workspace costs at most half a core,
//! and it watches only folders that hold files of the index.

mod watch;

use std::collections::{BTreeSet, HashMap};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use truefill_syntax::{Index, Language, indexable_files};

use super::Rules;
use crate::config::IndexSettings;
use watch::Watch;

/// Longest rest after a file.
const REST: Duration = Duration::from_millis(20);

/// Changes are gathered for so long before they are read.
const GATHER: Duration = Duration::from_millis(200);

/// What the thread is to do.
enum Task {
    /// Take in a folder.
    Add(PathBuf),
    /// Forget a folder.
    Remove(PathBuf),
    /// These paths may have changed.
    Changed(Vec<PathBuf>),
    /// End.
    Stop,
}

/// The index and its thread. Dropping it stops the thread after the file in hand.
pub struct WorkspaceIndex {
    index: Arc<Index>,
    tasks: Option<Sender<Task>>,
    stop: Arc<AtomicBool>,
    pending: Arc<AtomicUsize>,
}

impl WorkspaceIndex {
    /// An index of these folders. With the settings' `enabled` off it stays empty.
    pub fn start(settings: &IndexSettings, rules: Arc<Rules>, folders: Vec<PathBuf>) -> Self {
        let index = Arc::new(Index::new());
        let stop = Arc::new(AtomicBool::new(false));
        let pending = Arc::new(AtomicUsize::new(0));
        let mut started = Self {
            index,
            tasks: None,
            stop,
            pending,
        };
        if !settings.enabled {
            return started;
        }
        let (sender, receiver) = channel();
        let worker = Worker {
            index: Arc::clone(&started.index),
            settings: settings.clone(),
            rules,
            watch: Watch::new(sender.clone(), Arc::clone(&started.pending)),
            files: HashMap::new(),
            stop: Arc::clone(&started.stop),
            pending: Arc::clone(&started.pending),
        };
        let thread = std::thread::Builder::new().name("truefill-index".into());
        match thread.spawn(move || worker.run(&receiver)) {
            Ok(_) => started.tasks = Some(sender),
            Err(error) => tracing::warn!(%error, "the workspace is not indexed"),
        }
        folders.into_iter().for_each(|folder| started.add(folder));
        started
    }

    /// The symbols so far.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// Whether everything that was asked for is in the index.
    pub fn is_complete(&self) -> bool {
        self.pending.load(Ordering::Acquire) == 0
    }

    /// Takes in a folder.
    pub fn add(&self, folder: PathBuf) {
        self.send(Task::Add(folder));
    }

    /// Forgets a folder.
    pub fn remove(&self, folder: &Path) {
        self.send(Task::Remove(folder.to_owned()));
    }

    /// A file was saved; the watcher may see it late or not at all.
    pub fn saved(&self, file: PathBuf) {
        self.send(Task::Changed(vec![file]));
    }

    fn send(&self, task: Task) {
        if let Some(tasks) = &self.tasks {
            self.pending.fetch_add(1, Ordering::AcqRel);
            // The thread ends only when this is dropped.
            let _ = tasks.send(task);
        }
    }
}

impl Drop for WorkspaceIndex {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(tasks) = &self.tasks {
            let _ = tasks.send(Task::Stop);
        }
    }
}

struct Worker {
    index: Arc<Index>,
    settings: IndexSettings,
    rules: Arc<Rules>,
    watch: Watch,
    /// The files of each folder that are in the index.
    files: HashMap<PathBuf, BTreeSet<PathBuf>>,
    stop: Arc<AtomicBool>,
    pending: Arc<AtomicUsize>,
}

impl Worker {
    fn run(mut self, tasks: &Receiver<Task>) {
        while let Ok(task) = tasks.recv() {
            match task {
                Task::Add(folder) => self.add(&folder),
                Task::Remove(folder) => self.remove(&folder),
                Task::Changed(paths) => {
                    let Some(more) = self.gather(tasks, paths) else {
                        return;
                    };
                    self.changed(more);
                }
                Task::Stop => return,
            }
            self.done();
        }
    }

    fn done(&self) {
        let before = self.pending.fetch_sub(1, Ordering::AcqRel);
        if before == 1 {
            let size = self.index.size();
            tracing::debug!(
                files = size.files,
                names = size.names,
                "the index is complete"
            );
        }
    }

    /// Collects the changes of the next moments: saving one file makes several events.
    fn gather(&mut self, tasks: &Receiver<Task>, first: Vec<PathBuf>) -> Option<BTreeSet<PathBuf>> {
        let mut paths = BTreeSet::from_iter(first);
        let end = Instant::now() + GATHER;
        loop {
            match tasks.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(Task::Changed(more)) => paths.extend(more),
                Ok(Task::Add(folder)) => self.add(&folder),
                Ok(Task::Remove(folder)) => self.remove(&folder),
                Ok(Task::Stop) | Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => return Some(paths),
            }
            self.done();
        }
    }

    fn add(&mut self, folder: &Path) {
        self.files.entry(folder.to_owned()).or_default();
        self.watch.folder(folder);
        for (path, language) in indexable_files(folder) {
            if self.stop.load(Ordering::Acquire) {
                return;
            }
            self.add_file(folder, &path, language);
        }
    }

    fn add_file(&mut self, folder: &Path, path: &Path, language: Language) {
        let held: usize = self.files.values().map(BTreeSet::len).sum();
        let known = self
            .files
            .get(folder)
            .is_some_and(|files| files.contains(path));
        if (!known && held >= self.settings.max_files)
            || self.rules.check_denied(path, folder).is_err()
        {
            return;
        }
        let started = Instant::now();
        match read(path, self.settings.max_file_bytes) {
            Some(text) => {
                self.index.add_file(path, language, &text);
                self.files
                    .entry(folder.to_owned())
                    .or_default()
                    .insert(path.to_owned());
                if let Some(parent) = path.parent() {
                    self.watch.folder(parent);
                }
            }
            None => self.remove_file(path),
        }
        std::thread::sleep(started.elapsed().min(REST));
    }

    fn remove_file(&mut self, path: &Path) {
        self.index.remove_file(path);
        for files in self.files.values_mut() {
            files.remove(path);
        }
    }

    fn remove(&mut self, folder: &Path) {
        self.watch.forget(folder);
        for path in self.files.remove(folder).unwrap_or_default() {
            // A folder inside another one leaves its files to that one.
            if !self.files.values().any(|files| files.contains(&path)) {
                self.index.remove_file(&path);
            }
        }
    }

    fn changed(&mut self, paths: BTreeSet<PathBuf>) {
        for path in paths {
            let Some(folder) = self.folder_of(&path) else {
                continue;
            };
            if path
                .file_name()
                .is_some_and(|name| name == ".gitignore" || name == ".truefillignore")
            {
                self.remove(&folder);
                self.add(&folder);
            } else if path.is_dir() {
                self.new_folder(&folder, &path);
            } else {
                self.changed_file(&folder, &path);
            }
        }
    }

    /// The innermost folder of the workspace that holds a path.
    fn folder_of(&self, path: &Path) -> Option<PathBuf> {
        let holding = self.files.keys().filter(|folder| path.starts_with(folder));
        holding
            .max_by_key(|folder| folder.components().count())
            .cloned()
    }

    fn new_folder(&mut self, folder: &Path, path: &Path) {
        // A walk that begins at an excluded folder would not see that it is excluded.
        if self.rules.ignores_folder(path, folder) {
            return;
        }
        for (file, language) in indexable_files(path) {
            self.add_file(folder, &file, language);
        }
    }

    fn changed_file(&mut self, folder: &Path, path: &Path) {
        let language = Language::from_path(path);
        match language.filter(|_| path.is_file()) {
            Some(_) if self.rules.check(path, folder).is_err() => {}
            Some(language) => self.add_file(folder, path, language),
            None => self.remove_below(path),
        }
    }

    /// Forgets a path that is gone: a file, or a folder with everything in it.
    fn remove_below(&mut self, gone: &Path) {
        let below: Vec<PathBuf> = self
            .files
            .values()
            .flatten()
            .filter(|path| path.starts_with(gone))
            .cloned()
            .collect();
        below.iter().for_each(|path| self.remove_file(path));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
        let end = Instant::now() + Duration::from_secs(10);
        while !holds() {
            assert!(Instant::now() < end, "{what} did not come");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn start(root: &Path) -> WorkspaceIndex {
        let config = Config::default();
        let rules = Arc::new(Rules::new(&config.files));
        let index = WorkspaceIndex::start(&config.index, rules, vec![root.to_owned()]);
        eventually("the index", || index.is_complete());
        index
    }

    fn defined(index: &WorkspaceIndex, name: &str) -> bool {
        index.index().definitions_of(Language::Python, name) > 0
    }

    #[test]
    fn files_are_read_and_followed() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        let write = |name: &str, text: &str| std::fs::write(root.join(name), text).unwrap();
        write("a.py", "def first():\n    pass\n");
        write(".gitignore", "ignored.py\nexcluded/\n");
        write("ignored.py", "def hidden():\n    pass\n");
        write("id_rsa.py", "def secret():\n    pass\n");
        let index = start(&root);
        assert!(defined(&index, "first"));
        assert!(!defined(&index, "hidden"));
        assert!(!defined(&index, "secret"), "denied files are never read");
        write("a.py", "def second():\n    pass\n");
        eventually("the change", || {
            defined(&index, "second") && !defined(&index, "first")
        });
        write("b.py", "def third():\n    pass\n");
        eventually("the new file", || defined(&index, "third"));
        std::fs::create_dir(root.join("sub")).unwrap();
        std::fs::create_dir(root.join("excluded")).unwrap();
        write("excluded/d.py", "def fifth():\n    pass\n");
        write("sub/c.py", "def fourth():\n    pass\n");
        eventually("the new folder", || defined(&index, "fourth"));
        assert!(!defined(&index, "fifth"));
        std::fs::remove_file(root.join("b.py")).unwrap();
        eventually("the removal", || !defined(&index, "third"));
        write(".gitignore", "sub/\n");
        eventually("the rule", || {
            !defined(&index, "fourth") && defined(&index, "hidden")
        });
        index.remove(&root);
        eventually("the folder's removal", || !defined(&index, "second"));
    }

    #[test]
    fn the_limit_of_files_holds() {
        let root = tempfile::tempdir().unwrap();
        for number in 0..20 {
            let text = format!("def f{number}():\n    pass\n");
            std::fs::write(root.path().join(format!("{number}.py")), text).unwrap();
        }
        let mut config = Config::default();
        config.index.max_files = 5;
        let rules = Arc::new(Rules::new(&config.files));
        let folders = vec![root.path().to_owned()];
        let index = WorkspaceIndex::start(&config.index, rules, folders);
        eventually("the index", || index.is_complete());
        assert_eq!(index.index().size().files, 5);
    }
}
