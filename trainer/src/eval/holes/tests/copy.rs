//! What of a repository is copied.

use super::*;

fn taken(repository: &Path, mounted: Vec<PathBuf>) -> Result<Snapshot> {
    Snapshot::take(repository, mounted, Most::USUAL)
}

#[cfg(unix)]
#[test]
fn hostile_repositories_are_survived() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let folder = repository();
    let path = |name: &str| folder.path().join(name);
    let vault = tempfile::tempdir().expect("a folder");
    fs::write(vault.path().join("secret.py"), CODE).expect("written");
    let plain = taken(folder.path(), Vec::new()).expect("a copy");
    symlink(vault.path(), path("out")).expect("a link");
    symlink(".", path("circle")).expect("a link");
    symlink("nowhere", path("shop/broken.py")).expect("a link");
    let huge = fs::File::create(path("huge.bin")).expect("a file");
    huge.set_len(1 << 40).expect("a hole");
    fs::write(path("locked.py"), CODE).expect("written");
    fs::set_permissions(path("locked.py"), fs::Permissions::from_mode(0o000)).expect("locked");
    let fifo = std::process::Command::new("mkfifo")
        .arg(path("pipe.py"))
        .status();
    assert!(fifo.is_ok_and(|status| status.success()));
    let copy = taken(folder.path(), vec![path("test_prices.py")]).expect("a copy");
    let found = |name: &str| copy.root.join(name).symlink_metadata().is_ok();
    for there in [
        "shop/prices.py",
        ".gitignore",
        "out",
        "circle",
        "shop/broken.py",
    ] {
        assert!(found(there), "{there}");
    }
    for gone in [".git", "ignored", "huge.bin", "pipe.py", "test_prices.py"] {
        assert!(!found(gone), "{gone}");
    }
    let told = copy.left_out().expect("something");
    assert!(told.contains("huge.bin: 1099511627776 bytes"), "{told}");
    assert!(told.contains("pipe.py"), "{told}");
    assert_ne!(copy.sha256, plain.sha256);
    let holes = mine::holes(&copy.root, 1, &|_| true).expect("read");
    assert!(
        holes.iter().all(|hole| !hole.path.starts_with("out")),
        "{holes:#?}"
    );
    // The same files, the same copy.
    let other = repository();
    let other = taken(other.path(), Vec::new()).expect("a copy");
    assert_eq!(other.sha256, plain.sha256);
    fs::set_permissions(path("locked.py"), fs::Permissions::from_mode(0o600)).expect("unlocked");
}

#[test]
fn a_killed_run_leaves_nothing_for_long() {
    let folder = repository();
    let running = taken(folder.path(), Vec::new()).expect("a copy");
    let left = std::env::temp_dir().join(format!("truefill-sandbox-killed-{}", std::process::id()));
    fs::create_dir_all(left.join("copy")).expect("made");
    fs::write(left.join("lock"), "").expect("written");
    taken(folder.path(), Vec::new()).expect("a copy");
    assert!(running.root.join("test_prices.py").is_file());
    assert!(!left.exists());
}

/// Files with texts below a folder.
fn tree(folder: &Path, files: &[(&str, &str)]) {
    for (path, text) in files {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        fs::write(path, text).expect("written");
    }
}

/// The files of a copy.
fn copied(repository: &Path) -> Vec<String> {
    let copy = taken(repository, Vec::new()).expect("a copy");
    let files = content(&copy.root)
        .into_keys()
        .filter(|path| path.is_file());
    let inside = files.map(|path| path.strip_prefix(&copy.root).map(Path::to_owned));
    inside
        .map(|path| path.expect("inside").display().to_string())
        .collect()
}

/// What lies above a folder that is in no repository means something else: a home folder whose own
/// `.gitignore` has `*`.
#[test]
fn a_folder_without_git_has_its_own_rules_alone() {
    let home = tempfile::tempdir().expect("a folder");
    tree(
        home.path(),
        &[
            (".gitignore", "*\n"),
            ("work/.gitignore", "/built/\n"),
            ("work/a.py", ""),
            ("work/built/b.py", ""),
        ],
    );
    assert_eq!(copied(&home.path().join("work")), [".gitignore", "a.py"]);
}

/// The same above a repository, whose root ends the rules; a part of it has those of the root.
#[test]
fn a_repositorys_rules_end_at_its_root() {
    let home = tempfile::tempdir().expect("a folder");
    tree(
        home.path(),
        &[
            (".gitignore", "*\n"),
            ("work/.git/HEAD", "ref: refs/heads/main\n"),
            ("work/.git/info/exclude", "secret.env\n"),
            ("work/.gitignore", "/part/built/\n"),
            ("work/part/a.py", ""),
            ("work/part/built/b.py", ""),
            ("work/part/secret.env", ""),
        ],
    );
    let work = home.path().join("work");
    assert_eq!(copied(&work), [".gitignore", "part/a.py"]);
    assert_eq!(copied(&work.join("part")), ["a.py"]);
    // Of a second work tree `.git` is a file.
    tree(
        home.path(),
        &[
            ("work/.git/worktrees/two/commondir", "../..\n"),
            ("two/b.py", ""),
            ("two/secret.env", ""),
        ],
    );
    let folder = work.join(".git/worktrees/two").display().to_string();
    tree(home.path(), &[("two/.git", &format!("gitdir: {folder}\n"))]);
    assert_eq!(copied(&home.path().join("two")), ["b.py"]);
}

/// What the user has git leave out of every repository; the test runs itself with another home folder.
#[test]
fn the_users_own_rules_are_git_s() {
    let test = "eval::holes::tests::copy::the_users_own_rules_are_git_s";
    if std::env::var_os("TRUEFILL_TEST_RULES").is_some() {
        let folder = tempfile::tempdir().expect("a folder");
        tree(folder.path(), &[("a.py", ""), ("notes.private", "")]);
        assert_eq!(copied(folder.path()), ["a.py", "notes.private"]);
        tree(folder.path(), &[(".git/HEAD", "ref: refs/heads/main\n")]);
        assert_eq!(copied(folder.path()), ["a.py"]);
        return;
    }
    let home = tempfile::tempdir().expect("a folder");
    tree(home.path(), &[("git/ignore", "*.private\n")]);
    let output = std::process::Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", test])
        .env("TRUEFILL_TEST_RULES", "1")
        .env("HOME", home.path())
        .env("XDG_CONFIG_HOME", home.path())
        .output()
        .expect("this program again");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}"
    );
}

#[test]
fn files_may_be_as_large_as_is_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = "x".repeat(3000);
    tree(folder.path(), &[("a", &text), ("b", &text)]);
    let copy = |file, all| Snapshot::take(folder.path(), Vec::new(), Most { file, all });
    let left_out = |file, all| copy(file, all).expect("a copy").left_out();
    assert_eq!(left_out(3000, 6000), None);
    let told = left_out(2999, 6000).expect("both");
    assert!(told.contains("a: 3000 bytes"), "{told}");
    let error = copy(3000, 5999).err().expect("too much").to_string();
    assert!(error.contains("expected at most"), "{error}");
}
