//! The index over real folders.

use std::path::Path;
use std::time::{Duration, Instant};

use truefill_syntax::Language;

use super::*;
use crate::config::{Config, Files};

/// A folder that can be written to by relative names.
struct Folder {
    root: PathBuf,
    _held: tempfile::TempDir,
}

impl Folder {
    fn new(files: &[(&str, &str)]) -> Self {
        let held = tempfile::tempdir().unwrap();
        let root = held.path().canonicalize().unwrap();
        let folder = Self { root, _held: held };
        files
            .iter()
            .for_each(|(name, text)| folder.write(name, text));
        folder
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.root.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// A file that defines a function.
    fn define(&self, name: &str, function: &str) {
        self.write(name, &format!("def {function}():\n    pass\n"));
    }

    fn remove(&self, name: &str) {
        std::fs::remove_file(self.root.join(name)).unwrap();
    }
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < end, "{what} did not come");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn start_with(files: &Files, folders: &[&Path]) -> WorkspaceIndex {
    let rules = Arc::new(Rules::new(files));
    let folders = folders.iter().map(|folder| folder.to_path_buf());
    let index = WorkspaceIndex::start(&Config::default().index, rules, folders.collect());
    eventually("the index", || index.is_complete());
    index
}

fn start(root: &Path) -> WorkspaceIndex {
    start_with(&Files::default(), &[root])
}

fn covers(index: &WorkspaceIndex) -> bool {
    index.index().covers(Language::Python)
}

fn defined(index: &WorkspaceIndex, name: &str) -> bool {
    index.index().definitions_of(Language::Python, name) > 0
}

#[test]
fn files_are_read_and_followed() {
    let folder = Folder::new(&[(".gitignore", "ignored.py\nexcluded/\n")]);
    folder.define("a.py", "first");
    folder.define("ignored.py", "hidden");
    folder.define("id_rsa.py", "secret");
    let index = start(&folder.root);
    assert!(defined(&index, "first"));
    assert!(!defined(&index, "hidden"));
    assert!(!defined(&index, "secret"), "denied files are never read");
    folder.define("a.py", "second");
    eventually("the change", || {
        defined(&index, "second") && !defined(&index, "first")
    });
    folder.define("b.py", "third");
    eventually("the new file", || defined(&index, "third"));
    folder.define("excluded/d.py", "fifth");
    folder.define("sub/c.py", "fourth");
    eventually("the new folder", || defined(&index, "fourth"));
    assert!(!defined(&index, "fifth"));
    folder.remove("b.py");
    eventually("the removal", || !defined(&index, "third"));
    folder.write(".gitignore", "sub/\n");
    eventually("the rule", || {
        !defined(&index, "fourth") && defined(&index, "hidden")
    });
    assert!(defined(&index, "second"), "other files stay");
    index.remove(&folder.root);
    eventually("the folder's removal", || !defined(&index, "second"));
}

#[test]
fn the_limit_of_files_holds_and_what_is_left_out_is_known() {
    let folder = Folder::new(&[]);
    for number in 0..20 {
        folder.define(&format!("{number}.py"), &format!("f{number}"));
    }
    let mut config = Config::default();
    config.index.max_files = 5;
    let rules = Arc::new(Rules::new(&config.files));
    let index = WorkspaceIndex::start(&config.index, rules, vec![folder.root.clone()]);
    eventually("the index", || index.is_complete());
    assert_eq!(index.index().size().files, 5);
    assert!(!covers(&index), "a name may stand in a file left out");
    for number in 0..20 {
        folder.remove(&format!("{number}.py"));
    }
    folder.define("last.py", "last");
    eventually("room", || covers(&index) && defined(&index, "last"));
}

#[test]
fn room_is_used_when_a_folder_goes() {
    let (first, second) = (Folder::new(&[]), Folder::new(&[]));
    for number in 0..5 {
        first.define(&format!("{number}.py"), &format!("f{number}"));
        second.define(&format!("{number}.py"), &format!("g{number}"));
    }
    let mut config = Config::default();
    config.index.max_files = 5;
    let rules = Arc::new(Rules::new(&config.files));
    let index = WorkspaceIndex::start(&config.index, rules, vec![first.root.clone()]);
    index.add(second.root.clone());
    eventually("the index", || index.is_complete());
    assert!(!covers(&index) && !defined(&index, "g0"));
    index.remove(&first.root);
    eventually("the other folder", || {
        index.is_complete() && covers(&index) && defined(&index, "g4")
    });
}

#[test]
fn what_is_not_read_is_known() {
    let folder = Folder::new(&[(".gitignore", "built/\nversion.py\n")]);
    folder.define("a.py", "first");
    folder.define("built/b.py", "built");
    folder.write("notes.txt", &"x".repeat(2_000_000));
    let index = start(&folder.root);
    assert!(covers(&index), "a folder that is ignored is passed over");
    let large = "x = 1\n".repeat(200_000);
    let latin1 = [b'x', b' ', b'=', b' ', b'"', 0xe9, b'"', b'\n'];
    for (name, bytes) in [
        ("large.py", large.as_bytes()),
        ("latin1.py", &latin1[..]),
        ("version.py", b"version = 1\n"),
        ("secrets.py", b"key = 1\n"),
    ] {
        let path = folder.root.join(name);
        std::fs::write(&path, bytes).unwrap();
        index.saved(path.clone());
        eventually(name, || !covers(&index));
        std::fs::remove_file(&path).unwrap();
        index.saved(path);
        eventually("its removal", || covers(&index));
    }
    folder.define("large.py", "small");
    std::fs::write(folder.root.join("large.py"), large).unwrap();
    index.saved(folder.root.join("large.py"));
    eventually("the large file", || !covers(&index));
    folder.define("large.py", "small");
    index.saved(folder.root.join("large.py"));
    eventually("the small file", || {
        covers(&index) && defined(&index, "small")
    });
}

#[test]
fn what_cannot_be_parsed_is_known() {
    let folder = Folder::new(&[]);
    folder.define("a.py", "first");
    let large = format!("{}def last():\n    pass\n", "x = 1\n".repeat(200_000));
    folder.write("large.py", &large);
    let mut config = Config::default();
    config.index.max_file_bytes = 4 << 20;
    let rules = Arc::new(Rules::new(&config.files));
    let index = WorkspaceIndex::start(&config.index, rules, vec![folder.root.clone()]);
    eventually("the index", || index.is_complete());
    assert!(defined(&index, "first") && !defined(&index, "last"));
    assert!(!covers(&index));
    folder.remove("large.py");
    index.saved(folder.root.join("large.py"));
    eventually("its removal", || covers(&index));
}

#[test]
fn a_limit_that_was_exceeded_is_known_for_each_folder() {
    let folder = Folder::new(&[]);
    for number in 0..4 {
        folder.define(&format!("inner/{number}.py"), &format!("f{number}"));
    }
    let mut config = Config::default();
    config.index.max_files = 2;
    let rules = Arc::new(Rules::new(&config.files));
    let folders = vec![folder.root.join("inner"), folder.root.clone()];
    let index = WorkspaceIndex::start(&config.index, rules, folders);
    eventually("the index", || index.is_complete());
    assert!(!covers(&index));
    // What is read again around it says nothing about it. Changes are read in the order of their paths,
    // so the folder was when a file in it is: one that was read, since another would be left out anew.
    let read = (0..4).find(|number| defined(&index, &format!("f{number}")));
    index.saved(folder.root.clone());
    folder.define(&format!("inner/{}.py", read.unwrap()), "changed");
    eventually("the change", || defined(&index, "changed"));
    eventually("the index again", || index.is_complete());
    assert!(!covers(&index));
}

#[test]
fn without_an_index_nothing_is_complete() {
    let mut config = Config::default();
    config.index.enabled = false;
    let rules = Arc::new(Rules::new(&config.files));
    let index = WorkspaceIndex::start(&config.index, rules, Vec::new());
    assert!(!index.is_complete());
}

#[test]
fn the_index_stays_complete_while_files_are_written() {
    let folder = Folder::new(&[]);
    folder.define("a.py", "first");
    let index = start(&folder.root);
    for number in 0..30 {
        folder.write("app.log", &"line\n".repeat(number));
        folder.define("a.py", &format!("f{number}"));
        index.saved(folder.root.join("a.py"));
        std::thread::sleep(Duration::from_millis(10));
        assert!(index.is_complete(), "after {number} writes");
    }
    eventually("the last change", || defined(&index, "f29"));
}

#[test]
fn a_package_in_a_folder_without_files_is_seen() {
    let folder = Folder::new(&[("src/deep/notes.txt", "no code")]);
    let index = start(&folder.root);
    folder.define("src/deep/package/a.py", "first");
    eventually("the new package", || defined(&index, "first"));
    // A folder that comes back is watched again.
    std::fs::remove_dir_all(folder.root.join("src")).unwrap();
    eventually("the removal", || !defined(&index, "first"));
    folder.define("src/deep/package/a.py", "second");
    eventually("the package again", || defined(&index, "second"));
    folder.define("src/deep/package/b.py", "third");
    eventually("a file in it", || defined(&index, "third"));
    // As where it is made again at once, so that both are seen together.
    std::fs::remove_dir_all(folder.root.join("src")).unwrap();
    folder.define("src/deep/package/a.py", "fourth");
    eventually("the package once more", || defined(&index, "fourth"));
    folder.define("src/deep/package/b.py", "fifth");
    eventually("a file in it once more", || defined(&index, "fifth"));
}

#[test]
fn a_moved_folder_is_followed() {
    let folder = Folder::new(&[]);
    folder.define("old/a.py", "first");
    let index = start(&folder.root);
    std::fs::rename(folder.root.join("old"), folder.root.join("new")).unwrap();
    folder.define("new/b.py", "second");
    eventually("the files in the moved folder", || {
        defined(&index, "second") && defined(&index, "first")
    });
    folder.remove("new/a.py");
    eventually("the removal", || !defined(&index, "first"));
}

#[test]
fn a_file_that_changes_obeys_the_rules_of_the_walk() {
    let folder = Folder::new(&[(".git/info/exclude", "scratch.py\n")]);
    folder.define("a.py", "first");
    let index = start(&folder.root);
    folder.define(".venv/lib.py", "hidden");
    folder.define("scratch.py", "scratched");
    folder.define(".hidden.py", "dotted");
    for file in [".venv/lib.py", "scratch.py", ".hidden.py"] {
        index.saved(folder.root.join(file));
    }
    // What changed together is read in the order of the names.
    folder.define("z.py", "last");
    index.saved(folder.root.join("z.py"));
    eventually("the last file", || defined(&index, "last"));
    for name in ["hidden", "scratched", "dotted"] {
        assert!(!defined(&index, name), "{name}");
    }
}

#[cfg(unix)]
#[test]
fn a_file_that_may_not_be_read_any_more_is_forgotten() {
    let folder = Folder::new(&[(".env", "x"), (".truefillignore", "")]);
    folder.define("a.py", "first");
    folder.define("b.py", "second");
    let index = start(&folder.root);
    folder.remove("a.py");
    std::os::unix::fs::symlink(folder.root.join(".env"), folder.root.join("a.py")).unwrap();
    folder.write(".truefillignore", "b.py\n");
    eventually("the refusals", || {
        !defined(&index, "first") && !defined(&index, "second")
    });
}

#[test]
fn without_ignore_files_everything_that_is_not_hidden_is_read() {
    let folder = Folder::new(&[(".gitignore", "ignored.py\n")]);
    folder.define("ignored.py", "first");
    folder.define(".git/hook.py", "second");
    let files = Files {
        respect_ignore_files: false,
        ..Files::default()
    };
    let index = start_with(&files, &[&folder.root]);
    assert!(defined(&index, "first"));
    assert!(!defined(&index, "second"));
}

#[test]
fn a_file_belongs_to_the_innermost_folder() {
    let folder = Folder::new(&[(".gitignore", "inner/generated.py\n")]);
    folder.define("a.py", "outer");
    folder.define("inner/b.py", "both");
    folder.define("inner/generated.py", "generated");
    let inner = folder.root.join("inner");
    let index = start_with(&Files::default(), &[&folder.root, &inner]);
    assert!(defined(&index, "outer") && defined(&index, "both"));
    // Only the folder around it excludes it.
    assert!(defined(&index, "generated"));
    index.remove(&inner);
    eventually("the rules of the outer folder", || {
        index.is_complete() && !defined(&index, "generated")
    });
    assert!(defined(&index, "both"), "it belongs to the outer folder");
    folder.define("inner/b.py", "changed");
    eventually("a change in it", || defined(&index, "changed"));
    index.add(inner);
    eventually("the inner folder again", || defined(&index, "generated"));
    index.remove(&folder.root);
    eventually("the outer folder's removal", || !defined(&index, "outer"));
    assert!(defined(&index, "changed"), "the inner folder stays");
    folder.define("inner/c.py", "last");
    eventually("a change in the inner folder", || defined(&index, "last"));
}
