//! Commands of the trainer that change the store.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use truefill_tests::{binaries, tiny_model, truefill};

use crate::{MOST, came_through, can_trace, killed_at};

/// What lets any candidate pass.
const LENIENT: &str = "[eval]\ndevice = \"cpu\"\n[eval.decoding]\ncontext_tokens = 64\nmax_tokens = 4\n\
    [[promote.rule]]\nsuite = \"pairs\"\nfigure = \"exact_match\"\nrequire = \"holds\"\nby = 0.9\n\
    least_rows = 1\n";

/// A home in which the tiny model is served, and that model's folder as transformers writes one.
struct Prepared {
    folder: tempfile::TempDir,
    base: String,
}

impl Prepared {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("home");
        truefill(&home, &["models", "pull", tiny_model().to_str().unwrap()]);
        let base = checkpoints(&home).remove(0);
        truefill(&home, &["arms", "set", &format!("{base}=1")]);
        let this = Self { folder, base };
        this.run(&["export", &this.base, "--to", "hub", "--out", "hub"]);
        let rows = include_str!("../../../demo/rows/held-out.jsonl");
        let rows: Vec<&str> = rows.lines().take(2).collect();
        std::fs::write(this.path("rows.jsonl"), rows.join("\n")).unwrap();
        std::fs::write(this.path("r.toml"), LENIENT).unwrap();
        this
    }

    /// The same in a folder of its own.
    fn again(&self) -> Self {
        let folder = tempfile::tempdir().unwrap();
        copy(self.folder.path(), folder.path());
        Self {
            folder,
            base: self.base.clone(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn home(&self) -> PathBuf {
        self.path("home")
    }

    fn within<'a>(&self, command: &'a mut Command, arguments: &[&str]) -> &'a mut Command {
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env("TRUEFILL_HOME", self.home())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
    }

    fn run(&self, arguments: &[&str]) {
        let mut command = Command::new(&binaries().trainer);
        let status = self.within(&mut command, arguments).status().unwrap();
        assert!(status.success(), "{arguments:?}: {status}");
    }

    /// Runs a command that is killed at its K-th call of these; whether it came through.
    fn killed(&self, calls: &str, number: usize, arguments: &[&str]) -> bool {
        let mut command = killed_at(calls, number, &binaries().trainer);
        let status = self.within(&mut command, arguments).status().unwrap();
        came_through(status, &format!("{calls} {number}"))
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &to),
            false => drop(std::fs::copy(entry.path(), to).unwrap()),
        }
    }
}

fn listed(home: &Path) -> Value {
    serde_json::from_str(&truefill(home, &["models", "list", "--json"])).unwrap()
}

fn checkpoints(home: &Path) -> Vec<String> {
    let listed = listed(home);
    assert_eq!(listed["damaged"], json!([]));
    let all = listed["checkpoints"].as_array().unwrap().iter();
    all.map(|it| it["id"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_model_is_imported_whole_or_not_at_all() {
    if !can_trace() {
        return;
    }
    let prepared = Prepared::new();
    let import = ["import", "hub", "--base", &prepared.base, "--name", "run"];
    let mut kills = 0;
    for calls in [
        "fsync,fdatasync",
        "rename,renameat,renameat2,linkat",
        "write,mkdir,unlink",
    ] {
        for number in 1.. {
            assert!(number < MOST, "{calls}");
            let here = prepared.again();
            let whole = here.killed(calls, number, &import);
            let count = checkpoints(&here.home()).len();
            truefill(&here.home(), &["models", "verify"]);
            here.run(&import);
            assert_eq!(checkpoints(&here.home()).len(), 2, "{calls} {number}");
            truefill(&here.home(), &["models", "verify"]);
            if whole {
                assert_eq!(count, 2, "{calls} {number}");
                break;
            }
            kills += 1;
        }
    }
    assert!(kills > 6, "only {kills} kills");
}

#[test]
fn a_promotion_is_made_or_not_wherever_it_is_killed() {
    if !can_trace() {
        return;
    }
    let prepared = Prepared::new();
    prepared.run(&["import", "hub", "--base", &prepared.base, "--name", "run"]);
    let all = checkpoints(&prepared.home());
    let candidate = all.iter().find(|id| **id != prepared.base).unwrap();
    let promote = [
        "promote",
        candidate,
        "--recipe",
        "r.toml",
        "--suite",
        "pairs",
        "--data",
        "rows.jsonl",
    ];
    let mut seen = [0, 0];
    for calls in [
        "fsync,fdatasync",
        "rename,renameat,renameat2,linkat",
        "write,mkdir,unlink",
    ] {
        for number in 1.. {
            assert!(number < MOST, "{calls}");
            let here = prepared.again();
            let served = || {
                let shown = truefill(&here.home(), &["arms", "show", "--json"]);
                let shown: Value = serde_json::from_str(&shown).unwrap();
                let arms = shown["arms"].as_array().unwrap();
                assert_eq!(arms.len(), 1, "{calls} {number}: {shown}");
                (shown["generation"].clone(), arms[0]["checkpoint"].clone())
            };
            let old = (json!(1), json!(prepared.base));
            let new = (json!(2), json!(candidate));
            let whole = here.killed(calls, number, &promote);
            let found = served();
            assert!(found == old || found == new, "{calls} {number}: {found:?}");
            truefill(&here.home(), &["models", "verify"]);
            seen[usize::from(found == new)] += 1;
            // It goes on with what the killed one had measured, or finds all done.
            here.run(&promote);
            assert_eq!(served(), new, "{calls} {number}");
            if whole {
                assert_eq!(found, new, "{calls} {number}");
                break;
            }
        }
    }
    assert!(seen[0] > 20 && seen[1] >= 3, "{seen:?}");
}
