//! Commands of `truefill` that change the store.

use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};
use truefill_tests::{binaries, install_named, tiny_model, truefill};

use crate::{MOST, came_through, can_trace, killed_at};

/// The generation and the arms of a store, or a panic where it cannot be read.
fn served(home: &Path) -> (u64, Vec<String>) {
    let shown: Value = serde_json::from_str(&truefill(home, &["arms", "show", "--json"])).unwrap();
    let names = shown["arms"].as_array().unwrap().iter();
    let names = names.map(|arm| arm["name"].as_str().unwrap().to_owned());
    (shown["generation"].as_u64().unwrap(), names.collect())
}

#[test]
fn what_is_served_is_the_old_or_the_new_wherever_the_command_is_killed() {
    if !can_trace() {
        return;
    }
    let mut seen = [0, 0];
    for calls in [
        "write",
        "fsync,fdatasync",
        "rename,renameat,renameat2",
        "openat",
    ] {
        for number in 1.. {
            assert!(number < MOST, "{calls}");
            let home = tempfile::tempdir().unwrap();
            install_named(home.path(), "base");
            install_named(home.path(), "candidate");
            truefill(home.path(), &["arms", "set", "base=1"]);
            let mut command = killed_at(calls, number, &binaries().truefill);
            command.args(["arms", "set", "base=70", "candidate=30"]);
            let status = command
                .env("TRUEFILL_HOME", home.path())
                .stdout(Stdio::null())
                .status()
                .unwrap();
            let (generation, arms) = served(home.path());
            let expected: &[&str] = match generation {
                1 => &["base"],
                2 => &["base", "candidate"],
                other => panic!("{calls} {number}: generation {other}"),
            };
            assert_eq!(arms, expected, "{calls} {number}");
            seen[generation as usize - 1] += 1;
            // The next one is not kept out by what the killed one left.
            truefill(home.path(), &["arms", "set", "candidate=1"]);
            if came_through(status, calls) {
                assert_eq!(generation, 2, "{calls} {number}");
                break;
            }
        }
    }
    assert!(seen[0] > 3 && seen[1] >= 4, "{seen:?}");
}

#[test]
fn a_checkpoint_is_installed_whole_or_not_at_all() {
    if !can_trace() {
        return;
    }
    let pull = ["models", "pull", tiny_model().to_str().unwrap()]
        .map(str::to_owned)
        .to_vec();
    for calls in [
        "fsync,fdatasync",
        "rename,renameat,renameat2,linkat",
        "mkdir,unlink",
    ] {
        for number in 1.. {
            assert!(number < MOST, "{calls}");
            let home = tempfile::tempdir().unwrap();
            let mut command = killed_at(calls, number, &binaries().truefill);
            let status = command
                .args(&pull)
                .env("TRUEFILL_HOME", home.path())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .unwrap();
            let listed = truefill(home.path(), &["models", "list", "--json"]);
            let listed: Value = serde_json::from_str(&listed).unwrap();
            let count = listed["checkpoints"].as_array().unwrap().len();
            assert_eq!(listed["damaged"], json!([]), "{calls} {number}");
            if count > 0 {
                truefill(home.path(), &["models", "verify"]);
            }
            // Again, without a kill: it is there, whole, once.
            let again: Vec<&str> = pull.iter().map(String::as_str).collect();
            truefill(home.path(), &again);
            truefill(home.path(), &["models", "verify"]);
            if came_through(status, calls) {
                assert_eq!(count, 1, "{calls} {number}");
                break;
            }
        }
    }
}
