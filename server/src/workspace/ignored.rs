//! What git's ignore files and `.truefillignore` exclude, entry by entry, without walking.

use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
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

/// A repository's own file that excludes; weaker than those in its folders.
const EXCLUDE: &str = ".git/info/exclude";

/// Bytes of a `.git` file that are read, which holds a path.
const MOST_LINK: u64 = 4096;

/// The folder in which a file excludes others, where it is such a file.
pub fn ignoring_folder(path: &Path) -> Option<&Path> {
    if path.ends_with(EXCLUDE) {
        return path.ancestors().nth(3);
    }
    let name = path.file_name()?;
    let ignores = NAMES.iter().any(|ignore_file| name == *ignore_file);
    path.parent().filter(|_| ignores)
}

/// Ignore files, read once and again when they change.
#[derive(Default)]
pub struct Ignored {
    folders: Mutex<HashMap<PathBuf, Folder>>,
    /// The user's own, for all repositories; the weakest.
    user: OnceLock<Gitignore>,
}

struct Folder {
    looked: Instant,
    modified: [Option<SystemTime>; 3],
    rules: Rules,
}

/// What each of a folder's files excludes, the stronger one first.
type Rules = [Arc<Gitignore>; 3];

impl Ignored {
    /// Whether an entry of `root` is excluded, by itself or by a folder on the way to it.
    /// What is outside of `root` is not excluded, nor is `root` itself.
    pub fn excludes(&self, path: &Path, is_dir: bool, root: &Path) -> bool {
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

    /// Whether the rules of the folders from `top` down exclude this one entry, for who knows
    /// that the folders on the way to it are not excluded. The nearest rule decides, and
    /// `.truefillignore` before `.gitignore`.
    pub fn excludes_entry(&self, entry: &Path, is_dir: bool, top: &Path) -> bool {
        let above = entry.ancestors().skip(1);
        let folders: Vec<_> = above
            .take_while(|folder| folder.starts_with(top))
            .map(|folder| self.rules(folder))
            .collect();
        let kinds = 0..NAMES.len() + 1;
        let rules = kinds.flat_map(|kind| folders.iter().map(move |of| &*of[kind]));
        for rules in rules.chain(std::iter::once(self.user())) {
            match rules.matched(entry, is_dir) {
                Match::Ignore(_) => return true,
                Match::Whitelist(_) => return false,
                Match::None => {}
            }
        }
        false
    }

    /// Reads a folder's ignore files again when they are asked for next.
    pub fn forget(&self, folder: &Path) {
        self.lock().remove(folder);
    }

    /// Files are read without the lock: a file system that hangs must not stop who asks about
    /// another one.
    fn rules(&self, folder: &Path) -> Rules {
        let now = Instant::now();
        let known = self.lock().get(folder).map(|known| {
            let fresh = now.saturating_duration_since(known.looked) < FRESH;
            (fresh, known.modified, known.rules.clone())
        });
        let before = match known {
            Some((true, _, rules)) => return rules,
            Some((false, before, rules)) => Some((before, rules)),
            None => None,
        };
        let files = files(folder);
        let modified = files.each_ref().map(|file| modified(file));
        let rules = match before {
            Some((before, rules)) if before == modified => rules,
            _ => files.map(|file| Arc::new(read(folder, &file))),
        };
        let mut folders = self.lock();
        if folders.len() >= LIMIT {
            folders.clear();
        }
        let known = Folder {
            looked: now,
            modified,
            rules: rules.clone(),
        };
        folders.insert(folder.to_owned(), known);
        rules
    }

    fn user(&self) -> &Gitignore {
        // Its patterns have no folder that they begin at, so that no absolute path is cut.
        self.user
            .get_or_init(|| GitignoreBuilder::new("").build_global().0)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<PathBuf, Folder>> {
        self.folders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The repository around a workspace folder, whose ignore files hold for it as well.
pub fn repository(root: &Path) -> PathBuf {
    root.ancestors()
        .find(|folder| folder.join(".git").exists())
        .unwrap_or(root)
        .to_owned()
}

/// A folder's files that exclude, the stronger one first.
fn files(folder: &Path) -> [PathBuf; 3] {
    let [own, git] = NAMES.map(|name| folder.join(name));
    [own, git, exclude_file(folder)]
}

/// The file of the repository in a folder. In a worktree or a submodule `.git` is a file that says
/// where the repository is, and a worktree shares what is there.
fn exclude_file(folder: &Path) -> PathBuf {
    let here = || folder.join(EXCLUDE);
    let link = read_link(&folder.join(".git"));
    let Some(target) = link
        .as_deref()
        .and_then(|link| link.strip_prefix("gitdir:"))
    else {
        return here();
    };
    let own = folder.join(target.trim());
    let shared = read_link(&own.join("commondir"));
    let shared = shared.map_or(own.clone(), |shared| own.join(shared.trim()));
    shared.join("info/exclude")
}

fn read_link(file: &Path) -> Option<String> {
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    let mut text = String::new();
    let opened = std::fs::File::open(file).ok()?;
    opened.take(MOST_LINK).read_to_string(&mut text).ok()?;
    Some(text)
}

fn modified(file: &Path) -> Option<SystemTime> {
    file.metadata().and_then(|data| data.modified()).ok()
}

fn read(folder: &Path, file: &Path) -> Gitignore {
    let mut builder = GitignoreBuilder::new(folder);
    // A malformed line excludes nothing; git ignores it as well.
    let _ = builder.add(file);
    builder.build().unwrap_or_else(|_| Gitignore::empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(root: &Path, name: &str, text: &str) {
        let path = root.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    #[test]
    fn the_nearest_rule_decides_and_folders_hide_what_is_in_them() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let write = |name: &str, text: &str| write(&root, name, text);
        write(".gitignore", "*.log\n/build/\n*.gen.rs\n");
        write("sub/.gitignore", "!keep.log\nlocal.rs\n");
        write(".truefillignore", "!api.gen.rs\nprivate/\n");
        write(".git/info/exclude", "scratch.rs\n");
        let ignored = Ignored::default();
        let excluded = |name: &str| ignored.excludes(&root.join(name), false, &root);
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
        assert!(ignored.excludes(&root.join("build"), true, &root));
        assert!(!ignored.excludes(&root.join("sub"), true, &root));
        assert!(!ignored.excludes(&root, true, &root));
        assert!(!ignored.excludes(Path::new("/elsewhere/a.log"), false, &root));
    }

    #[test]
    fn a_changed_file_is_read_again_at_once_where_it_was_forgotten() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        let ignored = Ignored::default();
        assert!(!ignored.excludes(&root.join("a.log"), false, &root));
        std::fs::write(root.join(".gitignore"), "*.log\n").unwrap();
        ignored.forget(&root);
        assert!(ignored.excludes(&root.join("a.log"), false, &root));
    }

    #[test]
    fn a_change_of_the_repositorys_own_file_is_seen() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        std::fs::create_dir_all(root.join(".git/info")).unwrap();
        let exclude = root.join(".git/info/exclude");
        assert_eq!(ignoring_folder(&exclude), Some(&*root));
        let ignored = Ignored::default();
        assert!(!ignored.excludes(&root.join("a.log"), false, &root));
        std::fs::write(&exclude, "*.log\n").unwrap();
        // As if the time were over after which it is looked at again.
        for known in ignored.lock().values_mut() {
            known.looked = Instant::now().checked_sub(FRESH).unwrap();
        }
        assert!(ignored.excludes(&root.join("a.log"), false, &root));
        // As in git, a folder's file is stronger.
        std::fs::write(root.join(".gitignore"), "!a.log\n").unwrap();
        ignored.forget(&root);
        assert!(!ignored.excludes(&root.join("a.log"), false, &root));
    }

    #[test]
    fn worktrees_and_submodules_have_their_repositorys_file() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let write = |name: &str, text: &str| write(&root, name, text);
        write("main/.git/info/exclude", "shared.rs\n");
        write("main/.git/worktrees/tree/commondir", "../..\n");
        write("main/.git/modules/sub/info/exclude", "own.rs\n");
        write("main/sub/.git", "gitdir: ../.git/modules/sub\n");
        let worktree = root.join("main/.git/worktrees/tree");
        write("tree/.git", &format!("gitdir: {}\n", worktree.display()));
        write("odd/.git", "no such line\n");
        let ignored = Ignored::default();
        for (name, folder, excluded) in [
            ("tree/shared.rs", "tree", true),
            ("tree/own.rs", "tree", false),
            ("main/sub/own.rs", "main/sub", true),
            ("main/sub/shared.rs", "main/sub", false),
            ("odd/shared.rs", "odd", false),
        ] {
            let found = ignored.excludes(&root.join(name), false, &root.join(folder));
            assert_eq!(found, excluded, "{name}");
        }
    }

    #[test]
    fn a_folder_inside_a_repository_obeys_the_repository() {
        let repository = tempfile::tempdir().unwrap();
        let repository = repository.path().canonicalize().unwrap();
        std::fs::create_dir_all(repository.join(".git")).unwrap();
        std::fs::create_dir_all(repository.join("app")).unwrap();
        std::fs::write(repository.join(".gitignore"), "*.log\n").unwrap();
        let ignored = Ignored::default();
        let file = repository.join("app/a.log");
        assert!(ignored.excludes(&file, false, &repository.join("app")));
    }
}
