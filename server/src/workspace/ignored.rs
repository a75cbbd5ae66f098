//! What `.gitignore` and `.truefillignore` exclude, file by file, without walking.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

/// Time after which a file's rules are looked at again; only its modification time is
/// read then.
const FRESH: Duration = Duration::from_secs(2);

/// Folders whose rules are kept; beyond this all are forgotten and read again.
const LIMIT: usize = 10_000;

/// The files of a folder that exclude, the stronger one first.
const NAMES: [&str; 2] = [".truefillignore", ".gitignore"];

/// Ignore files, read once and again when they change.
#[derive(Default)]
pub struct Ignored {
    folders: Mutex<HashMap<PathBuf, Folder>>,
}

struct Folder {
    looked: Instant,
    modified: [Option<SystemTime>; 2],
    rules: [Arc<Gitignore>; 2],
}

impl Ignored {
    /// Whether a file of `root` is excluded, by itself or by a folder on the way to it.
    /// Files outside `root` are not excluded.
    pub fn excludes(&self, path: &Path, root: &Path) -> bool {
        self.excludes_any(path, root, false)
    }

    /// As [`Ignored::excludes`], for a folder.
    pub fn excludes_folder(&self, path: &Path, root: &Path) -> bool {
        self.excludes_any(path, root, true)
    }

    fn excludes_any(&self, path: &Path, root: &Path, is_dir: bool) -> bool {
        let Ok(relative) = path.strip_prefix(root) else {
            return false;
        };
        let top = repository(root);
        let mut candidate = root.to_owned();
        relative.components().any(|part| {
            candidate.push(part);
            self.excludes_entry(&candidate, is_dir || candidate != path, &top)
        })
    }

    /// Whether the rules of the folders from `top` down exclude this one entry. The
    /// nearest rule decides, and `.truefillignore` before `.gitignore`.
    fn excludes_entry(&self, entry: &Path, is_dir: bool, top: &Path) -> bool {
        let folders = || {
            entry
                .ancestors()
                .skip(1)
                .take_while(|folder| folder.starts_with(top))
        };
        for kind in 0..NAMES.len() {
            for folder in folders() {
                let rules = self.rules(folder);
                match rules[kind].matched(entry, is_dir) {
                    Match::Ignore(_) => return true,
                    Match::Whitelist(_) => return false,
                    Match::None => {}
                }
            }
        }
        false
    }

    fn rules(&self, folder: &Path) -> [Arc<Gitignore>; 2] {
        let mut folders = self.folders.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if let Some(known) = folders.get_mut(folder) {
            let fresh = now.saturating_duration_since(known.looked) < FRESH;
            if fresh || known.modified == modified(folder) {
                known.looked = if fresh { known.looked } else { now };
                return known.rules.clone();
            }
        }
        if folders.len() >= LIMIT {
            folders.clear();
        }
        let rules = NAMES.map(|name| Arc::new(read(folder, name)));
        let known = Folder {
            looked: now,
            modified: modified(folder),
            rules: rules.clone(),
        };
        folders.insert(folder.to_owned(), known);
        rules
    }
}

/// The repository around a workspace folder, whose ignore files hold for it as well.
fn repository(root: &Path) -> PathBuf {
    root.ancestors()
        .find(|folder| folder.join(".git").exists())
        .unwrap_or(root)
        .to_owned()
}

fn modified(folder: &Path) -> [Option<SystemTime>; 2] {
    NAMES.map(|name| {
        folder
            .join(name)
            .metadata()
            .and_then(|data| data.modified())
            .ok()
    })
}

fn read(folder: &Path, name: &str) -> Gitignore {
    let mut builder = GitignoreBuilder::new(folder);
    // A malformed line excludes nothing; git ignores it as well.
    let _ = builder.add(folder.join(name));
    if name == ".gitignore" && folder.join(".git").is_dir() {
        let _ = builder.add(folder.join(".git/info/exclude"));
    }
    builder.build().unwrap_or_else(|_| Gitignore::empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_rule_decides_and_folders_hide_what_is_in_them() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        let write = |name: &str, text: &str| {
            let path = root.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write(".gitignore", "*.log\n/build/\n*.gen.rs\n");
        write("sub/.gitignore", "!keep.log\nlocal.rs\n");
        write(".truefillignore", "!api.gen.rs\nprivate/\n");
        write(".git/info/exclude", "scratch.rs\n");
        let ignored = Ignored::default();
        let excluded = |name: &str| ignored.excludes(&root.join(name), &root);
        for name in [
            "a.log",
            "sub/b.log",
            "build/x.rs",
            "build/deep/x.rs",
            "x.gen.rs",
            "sub/local.rs",
            "private/x.rs",
            "sub/private/y/x.rs",
            "scratch.rs",
        ] {
            assert!(excluded(name), "{name}");
        }
        for name in [
            "a.rs",
            "sub/keep.log",
            "sub/build/x.rs",
            "api.gen.rs",
            "local.rs",
        ] {
            assert!(!excluded(name), "{name}");
        }
        assert!(ignored.excludes_folder(&root.join("build"), &root));
        assert!(!ignored.excludes_folder(&root.join("sub"), &root));
        assert!(!ignored.excludes(Path::new("/elsewhere/a.log"), &root));
    }

    #[test]
    fn a_folder_inside_a_repository_obeys_the_repository() {
        let repository = tempfile::tempdir().unwrap();
        let repository = repository.path().canonicalize().unwrap();
        std::fs::create_dir_all(repository.join(".git")).unwrap();
        std::fs::create_dir_all(repository.join("app")).unwrap();
        std::fs::write(repository.join(".gitignore"), "*.log\n").unwrap();
        let ignored = Ignored::default();
        assert!(ignored.excludes(&repository.join("app/a.log"), &repository.join("app")));
    }
}
