//! Rows of suites, made up, and the command over them.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

pub fn model() -> PathBuf {
    let tiny = "../crates/model/tests/data/parity/gguf/llama-f32.gguf";
    Path::new(env!("CARGO_MANIFEST_DIR")).join(tiny)
}

/// The golden completion of a pair.
pub fn golden(row: usize) -> String {
    format!("call_{row}(a)")
}

/// Its rejected one.
pub fn rejected(row: usize) -> String {
    format!("call_{row}_all(a)")
}

fn write(path: &Path, rows: impl Iterator<Item = Value>) {
    let text: String = rows.map(|row| format!("{row}\n")).collect();
    std::fs::write(path, text).unwrap();
}

/// Pairs of two languages and two types, of sixteen repositories.
pub fn pairs(path: &Path, count: usize) {
    let row = |row: usize| {
        json!({
            "context_id": format!("c{row}"), "repo": format!("o/r{}", row % 16), "path": "a.py",
            "language": if row % 4 == 3 { "go" } else { "python" },
            "type": if row.is_multiple_of(2) { "method" } else { "import" },
            "prefix": format!("row {row} = "), "golden": golden(row), "suffix": "\n",
            "rejected": rejected(row),
        })
    };
    write(path, (0..count).map(row));
}

/// Holes with tests; a right completion is `b = a + NUMBER`.
pub fn infilling(path: &Path, count: usize) {
    let row = |row: usize| {
        json!({
            "task_id": format!("SingleLineInfilling/HumanEval/{row}/L0"), "entry_point": "f",
            "prompt": format!("# row {row} =\ndef f(a):\n"), "suffix": "    return b\n",
            "canonical_solution": format!("    b = a + {row}\n"),
            "test": format!("def check(f):\n    assert f(1) == {}\n", row + 1),
        })
    };
    write(path, (0..count).map(row));
}

pub fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_truefill-trainer"));
    command
        .current_dir(folder)
        .arg("eval")
        .args(args)
        .args(["--store", "store"]);
    command
}

pub fn run(folder: &Path, args: &[&str]) -> Output {
    command(folder, args).output().unwrap()
}

/// Runs it, and gives what it prints.
pub fn ran(folder: &Path, args: &[&str]) -> String {
    let ran = run(folder, args);
    assert!(ran.status.success(), "{ran:?}");
    String::from_utf8(ran.stdout).unwrap()
}

/// A suite's figures without what differs each time.
pub fn figures(folder: &Path, suite: &str) -> Value {
    let path = folder.join(format!("{suite}.json"));
    let mut figures: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    figures["speed"] = Value::Null;
    figures
}

/// A figure of a group.
pub fn figure(figures: &Value, group: &Value, name: &str) -> Option<f64> {
    let groups = figures["groups"].as_array().unwrap();
    let found = groups.iter().find(|found| found["group"] == *group)?;
    found["figures"][name]["value"].as_f64()
}

/// The rows that were measured.
pub fn measured(folder: &Path, suite: &str) -> Vec<Value> {
    let bytes = std::fs::read(folder.join(format!("{suite}.rows.jsonl.zst"))).unwrap();
    let bytes = zstd::decode_all(&bytes[..]).unwrap();
    let rows = String::from_utf8(bytes).unwrap();
    let rows = rows.lines().map(|line| serde_json::from_str(line).unwrap());
    rows.collect()
}

/// The texts that a model wrote, by row.
pub fn texts(folder: &Path, suite: &str) -> Vec<(String, String)> {
    let text = |row: &Value| {
        let part = |value: &Value| value.as_str().unwrap().to_owned();
        (
            part(&row["figures"]["id"]),
            part(&row["result"]["completion"]["text"]),
        )
    };
    measured(folder, suite).iter().map(text).collect()
}

/// What a command wrote to standard error.
pub fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
