//! What every command has in common: help that teaches, and a reader that goes away.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;

use left::text;

#[path = "support/left.rs"]
mod left;
#[path = "support/made_up.rs"]
mod made_up;

/// A few made-up rows in a folder of this test's own.
static CORPUS: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("made-up-few");
    let size = made_up::Size {
        contexts: 10,
        window: 200,
        repo: 4,
        seed: 1,
    };
    made_up::write(&folder, size, "jsonl").expect("written");
    folder
});

fn run(args: &[&str], stdout: Stdio) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_truefill-trainer"));
    let command = command.args(args).current_dir(&*CORPUS);
    let child = command.stdout(stdout).stderr(Stdio::piped()).spawn();
    child.expect("starts").wait_with_output().expect("ends")
}

/// Each command with what it prints, its files in `folder`.
fn commands(folder: &Path) -> Vec<Vec<String>> {
    let out = |name: &str| folder.join(name).display().to_string();
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/mine/python");
    let sources = sources.display().to_string();
    let rows = ["contexts.jsonl", "negatives.jsonl"];
    let table = [
        ("mine", vec![&*sources], out("mined.jsonl")),
        ("generate", rows[..1].to_vec(), out("negatives.jsonl")),
        ("judge", rows.to_vec(), out("verdicts.jsonl")),
        ("curate", rows.to_vec(), out("curated")),
    ];
    let command = |(step, inputs, out): (&str, Vec<&str>, String)| {
        let words = std::iter::once(step).chain(inputs);
        words
            .chain(["--out", &out])
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    table.into_iter().map(command).collect()
}

#[test]
fn help_teaches() {
    for step in [
        "", "mine", "generate", "judge", "curate", "train", "eval", "report", "ablate", "export",
        "import",
    ] {
        let args = [step, "--help"];
        let ran = run(&args[usize::from(step.is_empty())..], Stdio::piped());
        assert_eq!(ran.status.code(), Some(0), "{step}");
        let name = ["help", step].join("_");
        insta::assert_snapshot!(name.trim_end_matches('_'), text(&ran.stdout));
    }
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let folder = tempfile::tempdir().expect("a folder");
    for command in commands(folder.path()) {
        for json in [&["--json"][..], &[]] {
            let words = command
                .iter()
                .map(String::as_str)
                .chain(json.iter().copied());
            let (reader, writer) = std::io::pipe().expect("a pipe");
            drop(reader);
            let ran = run(&words.collect::<Vec<_>>(), writer.into());
            let told = text(&ran.stderr);
            assert_eq!(ran.status.code(), Some(0), "{command:?}: {told}");
            assert!(!told.contains("error"), "{command:?}: {told}");
        }
    }
    for output in ["negatives.jsonl", "verdicts.jsonl", "curated"] {
        let manifest = folder.path().join(format!("{output}.manifest.json"));
        let inside = folder.path().join(output).join("curated.manifest.json");
        assert!(manifest.exists() || inside.exists(), "{output}");
    }
}

/// A full disk behind standard output is not kept back.
#[cfg(target_os = "linux")]
#[test]
fn what_cannot_be_printed_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    for command in commands(folder.path()) {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        let ran = run(&words, full.expect("there").into());
        assert_eq!(ran.status.code(), Some(1), "{command:?}");
        let told = text(&ran.stderr);
        assert!(told.contains("error: standard output: "), "{told}");
    }
}

/// A cause is told once: not by what failed and again by why.
#[test]
fn no_error_says_the_same_twice() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| folder.path().join(name).display().to_string();
    let (none, torn, here) = (file("none.jsonl"), file("torn.jsonl.zst"), file("out"));
    let packed = zstd::encode_all(&b"{}\n{}\n"[..], 3).expect("packed");
    std::fs::write(&torn, &packed[..packed.len() - 3]).expect("written");
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/mine/python");
    let sources = sources.display().to_string();
    let tiny = "../crates/model/tests/data/parity/gguf/llama-f32.gguf";
    let tiny = Path::new(env!("CARGO_MANIFEST_DIR")).join(tiny);
    let tiny = tiny.display().to_string();
    let recipe = file("recipe.toml");
    let keys = format!("[train]\ndata = [{none:?}]\ncheckpoint = {tiny:?}\noutput = {here:?}\n");
    std::fs::write(&recipe, keys).expect("written");
    let (csv, gguf, below) = (file("none.csv"), file("no.gguf"), file("none/x.gguf"));
    let store = file("store");
    let full = "/dev/full/x.jsonl";
    for command in [
        &["mine", &sources, "--out", &here, "--exclude", &csv][..],
        &["mine", &sources, "--out", full],
        &["generate", &none, "--out", &here],
        &["generate", &torn, "--out", &here],
        &["generate", "contexts.jsonl", "--out", full],
        &[
            "generate",
            "contexts.jsonl",
            "--out",
            &here,
            "--generators",
            "local",
            "--model",
            &gguf,
        ],
        &["judge", &none, &none, "--out", &here],
        &["judge", "contexts.jsonl", &torn, "--out", &here],
        &["curate", "contexts.jsonl", &none, "--out", &here],
        &["train", "--recipe", &recipe, "--store", &store],
        &["train", "--recipe", &none, "--store", &store],
        &[
            "export", &gguf, "--to", "gguf", "--out", &below, "--store", &store,
        ],
        &[
            "export", &tiny, "--to", "gguf", "--out", &below, "--store", &store,
        ],
        &[
            "export", &tiny, "--to", "hub", "--out", full, "--store", &store,
        ],
        &["import", &none, "--store", &store],
        &[
            "eval", "--suite", "pairs", "--data", &none, "--model", &tiny, "--store", &store,
        ],
        &[
            "eval", "--suite", "pairs", "--data", &torn, "--model", &tiny, "--store", &store,
        ],
        &[
            "eval", "--suite", "pairs", "--data", &none, "--model", &gguf, "--store", &store,
        ],
        &["eval", "--recipe", &none, "--store", &store],
        &["ablate", &none, "--store", &store],
        &["ablate", &recipe, "--store", &store],
        &["report", &none],
        &["report", &sources],
    ] {
        let ran = run(command, Stdio::piped());
        let told = text(&ran.stderr);
        assert!(
            matches!(ran.status.code(), Some(1 | 2)),
            "{command:?}: {told}"
        );
        let error = told.lines().find_map(|line| line.strip_prefix("error: "));
        let error = error.unwrap_or_else(|| panic!("{command:?}: {told}"));
        assert!(!error.contains(".writing-"), "{error}");
        let mut phrases: Vec<&str> = error.split([':', ';', '(']).map(str::trim).collect();
        phrases.retain(|phrase| phrase.len() > 8);
        let said = phrases.len();
        phrases.sort_unstable();
        phrases.dedup();
        assert_eq!(phrases.len(), said, "{error}");
    }
}
