//! Watches single folders, a bounded number of them: watching a tree would take a
//! kernel's watch for each folder of `node_modules`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;

use notify::event::{CreateKind, ModifyKind, RemoveKind};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use truefill_syntax::Language;

use super::Task;
use crate::workspace::ignored::ignoring_folder;

/// Folders that are watched at most; what changes in others is seen when it is saved.
const LIMIT: usize = 4096;

/// The system's watcher, or none where it has none to give.
pub struct Watch {
    watcher: Option<RecommendedWatcher>,
    folders: BTreeSet<PathBuf>,
    limit: usize,
    complained: bool,
}

impl Watch {
    /// A watcher that sends what changed.
    pub fn new(tasks: Sender<Task>) -> Self {
        let send = move |event: notify::Result<Event>| {
            if let Ok(event) = event
                && let Some(task) = task(event)
            {
                // The receiver is gone only when the index is.
                let _ = tasks.send(task);
            }
        };
        let watcher = notify::recommended_watcher(send);
        if let Err(error) = &watcher {
            tracing::warn!(%error, "changes of files are seen only when they are saved here");
        }
        Self {
            watcher: watcher.ok(),
            folders: BTreeSet::new(),
            limit: LIMIT,
            complained: false,
        }
    }

    /// Watches a folder, but not those in it.
    pub fn folder(&mut self, folder: &Path) {
        let Some(watcher) = &mut self.watcher else {
            return;
        };
        // A watch ends with its folder, and one that was made again in its place has none, so a
        // folder that is known is watched again. inotify takes one that it watches for the same.
        let known = self.folders.remove(folder);
        if known && cfg!(target_os = "macos") {
            // What is watched there is a path.
            self.folders.insert(folder.to_owned());
            return;
        }
        if known && cfg!(windows) {
            let _ = watcher.unwatch(folder);
        }
        let full = self.folders.len() >= self.limit;
        if !full && watcher.watch(folder, RecursiveMode::NonRecursive).is_ok() {
            self.folders.insert(folder.to_owned());
        } else if folder.is_dir() && !std::mem::replace(&mut self.complained, true) {
            tracing::warn!(
                watched = self.folders.len(),
                "more folders than can be watched; in the others changes are seen when saved here"
            );
        }
    }

    /// Stops watching a folder and those in it, but for those that are to be kept.
    pub fn forget(&mut self, folder: &Path, keep: impl Fn(&Path) -> bool) {
        let Some(watcher) = &mut self.watcher else {
            return;
        };
        let below = self.folders.range(folder.to_owned()..);
        let gone: Vec<PathBuf> = below
            .take_while(|path| path.starts_with(folder))
            .filter(|path| !keep(path))
            .cloned()
            .collect();
        for path in gone {
            // The system forgets by itself what does not exist any more.
            let _ = watcher.unwatch(&path);
            self.folders.remove(&path);
        }
    }
}

/// What is to be done about an event, if anything: programs write logs all the time.
fn task(event: Event) -> Option<Task> {
    if event.need_rescan() {
        return Some(Task::Rescan);
    }
    let Event {
        kind, mut paths, ..
    } = event;
    paths.retain(|path| matters(kind, path));
    (!paths.is_empty()).then_some(Task::Changed(paths))
}

/// Whether a change can be one of the index: of a file that it takes in, of a file that
/// excludes others, or of a folder.
fn matters(kind: EventKind, path: &Path) -> bool {
    if matches!(kind, EventKind::Access(_)) {
        return false;
    }
    let only_a_file = matches!(
        kind,
        EventKind::Create(CreateKind::File)
            | EventKind::Remove(RemoveKind::File)
            | EventKind::Modify(ModifyKind::Data(_) | ModifyKind::Metadata(_))
    );
    !only_a_file || Language::from_path(path).is_some() || ignoring_folder(path).is_some()
}

#[cfg(test)]
mod tests {
    use notify::event::{AccessKind, DataChange, Flag, RenameMode};

    use super::*;

    #[test]
    fn only_what_can_change_the_index_is_looked_at() {
        let written = EventKind::Modify(ModifyKind::Data(DataChange::Any));
        let renamed = EventKind::Modify(ModifyKind::Name(RenameMode::To));
        let opened = EventKind::Access(AccessKind::Any);
        for (kind, path, expected) in [
            (written, "/w/a.py", true),
            (written, "/w/app.log", false),
            (written, "/w/.gitignore", true),
            (written, "/w/.truefillignore", true),
            (opened, "/w/a.py", false),
            (EventKind::Create(CreateKind::File), "/w/app.log", false),
            (EventKind::Create(CreateKind::File), "/w/a.py", true),
            (EventKind::Create(CreateKind::Folder), "/w/pkg", true),
            (EventKind::Remove(RemoveKind::Folder), "/w/pkg", true),
            (EventKind::Remove(RemoveKind::File), "/w/app.log", false),
            // Not every system says whether it is a folder.
            (renamed, "/w/pkg", true),
            (EventKind::Any, "/w/pkg", true),
        ] {
            assert_eq!(matters(kind, Path::new(path)), expected, "{kind:?} {path}");
        }
        assert!(task(Event::new(written).add_path("/w/app.log".into())).is_none());
        let lost = Event::new(EventKind::Other).set_flag(Flag::Rescan);
        assert!(matches!(task(lost), Some(Task::Rescan)));
    }

    #[test]
    fn the_limit_of_folders_holds_and_what_is_forgotten_makes_room() {
        let root = tempfile::tempdir().unwrap();
        let folder = |name: &str| {
            let folder = root.path().join(name);
            std::fs::create_dir_all(&folder).unwrap();
            folder
        };
        let (sender, _receiver) = std::sync::mpsc::channel();
        let mut watch = Watch::new(sender);
        watch.limit = 2;
        let (a, inner, b) = (folder("a"), folder("a/inner"), folder("b"));
        for path in [&a, &inner, &b] {
            watch.folder(path);
        }
        assert_eq!(watch.folders, BTreeSet::from([a.clone(), inner.clone()]));
        watch.forget(&a, |path| path == inner);
        watch.folder(&b);
        assert_eq!(watch.folders, BTreeSet::from([inner, b]));
    }
}
