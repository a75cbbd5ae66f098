//! Watches single folders, a bounded number of them: watching a tree would take a
//! kernel's watch for each folder of `node_modules`.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::Sender;

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use super::Task;

/// Folders that are watched at most; what changes in others is seen when it is saved.
const LIMIT: usize = 4096;

/// The system's watcher, or none where it has none to give.
pub struct Watch {
    watcher: Option<RecommendedWatcher>,
    folders: HashSet<PathBuf>,
}

impl Watch {
    /// A watcher that sends what changed and counts it as pending.
    pub fn new(tasks: Sender<Task>, pending: Arc<AtomicUsize>) -> Self {
        let send = move |event: notify::Result<Event>| {
            let Ok(event) = event else { return };
            if !matches!(event.kind, EventKind::Access(_)) {
                pending.fetch_add(1, Ordering::AcqRel);
                // The receiver is gone only when the index is.
                let _ = tasks.send(Task::Changed(event.paths));
            }
        };
        let watcher = notify::recommended_watcher(send);
        if let Err(error) = &watcher {
            tracing::warn!(%error, "changes of files are seen only when they are saved here");
        }
        Self {
            watcher: watcher.ok(),
            folders: HashSet::new(),
        }
    }

    /// Watches a folder, but not those in it.
    pub fn folder(&mut self, folder: &Path) {
        if self.folders.len() >= LIMIT || self.folders.contains(folder) {
            return;
        }
        let Some(watcher) = &mut self.watcher else {
            return;
        };
        if watcher.watch(folder, RecursiveMode::NonRecursive).is_ok() {
            self.folders.insert(folder.to_owned());
        }
    }

    /// Stops watching a folder and those in it.
    pub fn forget(&mut self, root: &Path) {
        let Some(watcher) = &mut self.watcher else {
            return;
        };
        self.folders.retain(|folder| {
            let below = folder.starts_with(root);
            if below {
                let _ = watcher.unwatch(folder);
            }
            !below
        });
    }
}
