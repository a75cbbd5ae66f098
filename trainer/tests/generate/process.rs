//! The command as a user runs it.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::corpus;

fn command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_truefill-trainer"));
    command.current_dir(folder);
    command
}

fn run(folder: &Path, args: &[&str]) -> Output {
    command(folder).args(args).output().unwrap()
}

#[test]
fn the_same_contexts_give_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    corpus::write(&folder.join("contexts.jsonl.zst"), 2);
    for out in ["a.jsonl.zst", "b.jsonl.zst"] {
        let ran = run(
            folder,
            &[
                "generate",
                "contexts.jsonl.zst",
                "--out",
                out,
                "--generators",
                "mutate",
            ],
        );
        assert!(ran.status.success(), "{ran:?}");
        let table = String::from_utf8(ran.stdout).unwrap();
        assert!(table.contains("undefined_variable"), "{table}");
    }
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    assert_eq!(read("a.jsonl.zst"), read("b.jsonl.zst"));
    let manifest: Value = serde_json::from_slice(&read("a.jsonl.zst.manifest.json")).unwrap();
    assert_eq!(manifest["step"], "generate");
    assert_eq!(manifest["recipe"]["generators"][0], "mutate");
    assert!(manifest["counts"]["kept.mutate.method"].as_u64() > Some(5));
    assert!(manifest["tables"]["generators_by_type"].is_array());
    // Another seed, other names.
    let ran = run(
        folder,
        &[
            "generate",
            "contexts.jsonl.zst",
            "--out",
            "c.jsonl.zst",
            "--seed",
            "2",
            "--types",
            "method",
            "--json",
        ],
    );
    let manifest: Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!(manifest["recipe"]["types"].as_array().unwrap().len(), 1);
    assert_ne!(read("a.jsonl.zst"), read("c.jsonl.zst"));
}

#[test]
fn errors_say_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    corpus::write(&folder.join("contexts.jsonl"), 1);
    std::fs::write(folder.join("torn.jsonl"), "{\"id\": 3}\n").unwrap();
    let table = [
        (
            &["generate", "none.jsonl", "--out", "o.jsonl"][..],
            1,
            "none.jsonl",
        ),
        (
            &["generate", "torn.jsonl", "--out", "o.jsonl"],
            1,
            "torn.jsonl:1",
        ),
        (
            &[
                "generate",
                "contexts.jsonl",
                "--out",
                "o.jsonl",
                "--generators",
                "gpt",
            ],
            2,
            "[members.NAME]",
        ),
        (
            &[
                "generate",
                "contexts.jsonl",
                "--out",
                "o.jsonl",
                "--generators",
                "local",
            ],
            2,
            "--model",
        ),
        (&["generate", "contexts.jsonl"], 2, "--out"),
        (
            &[
                "generate",
                "contexts.jsonl",
                "--out",
                "o",
                "--types",
                "style",
            ],
            2,
            "style",
        ),
    ];
    for (args, code, expected) in table {
        let ran = run(folder, args);
        let told = String::from_utf8_lossy(&ran.stderr);
        assert_eq!(ran.status.code(), Some(code), "{args:?}: {told}");
        assert!(told.contains(expected), "{args:?}: {told}");
        assert!(!folder.join("o.jsonl").exists());
    }
}

/// The checkpoint stands in the manifest once, whatever asks for it, and its samples are kept.
#[test]
fn a_checkpoint_is_sampled_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    corpus::write(&folder.join("contexts.jsonl"), 1);
    let models =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/model/tests/data/parity/gguf");
    let recipe = format!(
        "[generate]\ngenerators = ['local']\ntypes = ['method']\n[generate.local]\nmodel = '{}'\n\
         format = 'causal'\ndevice = 'cpu'\nsamples = 1\nwindow_tokens = 48\nmax_tokens = 4\n",
        models.join("llama-f32.gguf").display()
    );
    std::fs::write(folder.join("recipe.toml"), recipe).unwrap();
    let args = [
        "generate",
        "contexts.jsonl",
        "--out",
        "o.jsonl",
        "--recipe",
        "recipe.toml",
    ];
    let ran = run(folder, &args);
    assert!(ran.status.success(), "{ran:?}");
    let manifest = std::fs::read(folder.join("o.jsonl.manifest.json")).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    let inputs = manifest["inputs"].as_array().unwrap();
    let of_model = |input: &&Value| input["path"].as_str().unwrap().ends_with("llama-f32.gguf");
    assert_eq!(inputs.iter().filter(of_model).count(), 1, "{inputs:?}");
    let samples = std::fs::read_to_string(folder.join("o.jsonl.samples.jsonl")).unwrap();
    let contexts = manifest["counts"]["contexts"].as_u64().unwrap();
    assert_eq!(samples.lines().count() as u64, contexts);
}
