//! The background index of the workspace's symbols, which the guard asks.
//!
//! One thread reads the folders' files, then follows their changes. It rests after each
//! file for as long as it worked, so that a large workspace costs at most half a core.
//!
//! The index is complete once every folder was read, and again while an ignore file's change is
//! worked in; until then names that exist are missing from it. A change of a file does not make
//! it incomplete: editors and programs write files all the time, and the guard would hardly ever
//! be asked.
//!
//! A file of a language that is met and not read (too large, no text, denied, ignored, too many) is
//! noted, and the guard says less about that language. Folders that are ignored are passed over: they
//! hold dependencies and what was built, which code seldom names but through a module.

mod watch;
mod worker;

#[cfg(test)]
mod tests;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};

use truefill_syntax::Index;

use super::Rules;
use crate::config::IndexSettings;
use watch::Watch;
use worker::Worker;

/// What the thread is to do.
enum Task {
    /// Take in a folder.
    Add(PathBuf),
    /// Forget a folder.
    Remove(PathBuf),
    /// These paths may have changed.
    Changed(Vec<PathBuf>),
    /// Anything may have changed: the system lost count.
    Rescan,
    /// End.
    Stop,
}

/// What the thread and who asks share.
#[derive(Default)]
struct Shared {
    index: Index,
    /// Works under way or asked for without which names are missing.
    building: AtomicUsize,
    stop: AtomicBool,
}

/// The index and its thread. Dropping it stops the thread after the file in hand.
pub struct WorkspaceIndex {
    shared: Arc<Shared>,
    tasks: Option<Sender<Task>>,
}

impl WorkspaceIndex {
    /// An index of these folders. With the settings' `enabled` off it stays empty.
    pub fn start(settings: &IndexSettings, rules: Arc<Rules>, folders: Vec<PathBuf>) -> Self {
        let mut started = Self {
            shared: Arc::default(),
            tasks: None,
        };
        if !settings.enabled {
            return started;
        }
        let (sender, receiver) = channel();
        let watch = Watch::new(sender.clone());
        let worker = Worker::new(settings.clone(), rules, watch, Arc::clone(&started.shared));
        let thread = std::thread::Builder::new().name("truefill-index".into());
        let shared = Arc::clone(&started.shared);
        let run = move || {
            let run = AssertUnwindSafe(|| worker.run(&receiver));
            if catch_unwind(run).is_err() {
                // Never complete again: what changes from now on is not seen.
                shared.building.fetch_add(1, Ordering::AcqRel);
                tracing::error!("the index's thread ended; the guard stays out of it");
            }
        };
        match thread.spawn(run) {
            Ok(_) => started.tasks = Some(sender),
            Err(error) => tracing::warn!(%error, "the workspace is not indexed"),
        }
        folders.into_iter().for_each(|folder| started.add(folder));
        started
    }

    /// The symbols so far.
    pub fn index(&self) -> &Index {
        &self.shared.index
    }

    /// Whether every folder was looked into. What of a language was left out there, the index
    /// itself knows.
    pub fn is_complete(&self) -> bool {
        self.tasks.is_some() && self.shared.building.load(Ordering::Acquire) == 0
    }

    /// Takes in a folder.
    pub fn add(&self, folder: PathBuf) {
        self.build(Task::Add(folder));
    }

    /// Forgets a folder.
    pub fn remove(&self, folder: &Path) {
        self.build(Task::Remove(folder.to_owned()));
    }

    /// A file was saved; the watcher may see it late or not at all.
    pub fn saved(&self, file: PathBuf) {
        self.send(Task::Changed(vec![file]));
    }

    /// Sends what the index is not complete without.
    fn build(&self, task: Task) {
        self.shared.building.fetch_add(1, Ordering::AcqRel);
        self.send(task);
    }

    fn send(&self, task: Task) {
        if let Some(tasks) = &self.tasks {
            // The thread ends only when this is dropped.
            let _ = tasks.send(task);
        }
    }
}

impl Drop for WorkspaceIndex {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        self.send(Task::Stop);
    }
}
