//! Models from files, folders and the hub.

use std::path::PathBuf;

use serde_json::json;

use crate::user::*;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// A folder as the hub lays models out.
fn folder(user: &User, name: &str) -> PathBuf {
    let folder = user.path(name);
    std::fs::create_dir_all(&folder).unwrap();
    for file in ["config.json", "model.safetensors"] {
        std::fs::copy(fixture("llama-tied").join(file), folder.join(file)).unwrap();
    }
    std::fs::copy(
        fixture("gguf/tokenizer-smollm.json"),
        folder.join("tokenizer.json"),
    )
    .unwrap();
    std::fs::write(folder.join("README.md"), b"no part of the model").unwrap();
    folder
}

#[test]
fn files_and_folders_are_copied_into_the_store() {
    let user = User::new();
    let path = folder(&user, "My Model v1.5");
    let outcome = user.run(&["pull", path.to_str().unwrap(), "--name", "mine"]);
    assert!(outcome.success, "{}", outcome.err);
    let id = user.id("mine");
    assert!(id.starts_with("my-model-v1.5-"), "{id}");
    assert!(
        outcome.out.contains("set `model.id = \"mine\"` in "),
        "{}",
        outcome.out
    );
    let stored = user.store().get(&id.parse().unwrap()).unwrap();
    let names: Vec<&str> = stored
        .manifest
        .files()
        .iter()
        .map(|file| file.name.as_str())
        .collect();
    assert_eq!(
        names,
        ["config.json", "model.safetensors", "tokenizer.json"]
    );
    assert!(path.join("model.safetensors").is_file());

    let gguf = fixture("gguf/llama-q4_1.gguf");
    let outcome = user.run(&["pull", gguf.to_str().unwrap()]);
    assert!(outcome.success, "{}", outcome.err);
    assert!(outcome.out.starts_with("llama-q4_1-"), "{}", outcome.out);
}

#[test]
fn programs_are_told_of_progress_in_json() {
    let user = User::new();
    let gguf = fixture("gguf/llama-q4_1.gguf");
    let outcome = user.run(&["pull", gguf.to_str().unwrap(), "--progress", "json"]);
    assert!(outcome.success, "{}", outcome.err);
    let lines: Vec<serde_json::Value> = outcome
        .err
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let step = json!({ "step": "copying into the store", "bytes": 0, "total": null });
    assert_eq!(lines, [step]);
}

#[test]
fn what_is_no_model_is_refused_and_nothing_is_installed() {
    let user = User::new();
    let broken = folder(&user, "broken");
    std::fs::write(broken.join("model.safetensors"), [0xff; 64]).unwrap();
    let text = user.path("text.gguf");
    std::fs::write(&text, b"GGUF but no more").unwrap();
    let table = [
        (broken.to_str().unwrap().to_owned(), "model.safetensors"),
        (text.to_str().unwrap().to_owned(), "text.gguf"),
        (
            "qwen".to_owned(),
            "no such file or folder; expected `default`, `hf:OWNER/REPO",
        ),
    ];
    for (target, expected) in table {
        let outcome = user.run(&["pull", &target]);
        assert!(outcome.code.is_none());
        assert!(outcome.err.contains(expected), "{}", outcome.err);
    }
    assert!(user.store().list().unwrap().checkpoints.is_empty());
    assert_eq!(
        std::fs::read_dir(user.path("data/staging"))
            .unwrap()
            .count(),
        0
    );
}

#[test]
fn a_model_of_the_hub_is_installed_from_its_cache_without_a_network() {
    let user = User::new();
    let repository = user.hub_cache.join("models--owner--tiny");
    std::fs::create_dir_all(repository.join("refs")).unwrap();
    std::fs::create_dir_all(repository.join("snapshots")).unwrap();
    std::fs::write(repository.join("refs/main"), COMMIT).unwrap();
    std::fs::rename(
        folder(&user, "model"),
        repository.join("snapshots").join(COMMIT),
    )
    .unwrap();

    let outcome = user.run(&["pull", "hf:owner/tiny"]);
    assert!(outcome.success, "{}", outcome.err);
    assert!(
        outcome.err.starts_with("fetching config.json ("),
        "{}",
        outcome.err
    );
    let id = user.id("tiny");
    let stored = user.store().get(&id.parse().unwrap()).unwrap();
    let about = stored.manifest.about();
    assert_eq!(about.source, format!("hf:owner/tiny at {COMMIT}"));
    assert_eq!(about.architecture, "llama");

    let outcome = user.run(&["pull", "hf:owner/other"]);
    assert!(outcome.code.is_none());
    assert!(
        outcome
            .err
            .starts_with("`hf:owner/other` is not on this machine"),
        "{}",
        outcome.err
    );
    assert_eq!(outcome.err.lines().count(), 1);
}
