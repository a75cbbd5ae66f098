//! What is counted beside rows: files that only some runs meet, and how fast a run was.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

use super::support::{self, Mined, data, mine};
use super::{recipe, show};

/// What C++ includes says what it uses; other languages have to declare it.
#[test]
fn a_library_of_cpp_lets_no_other_language_in() {
    let mut recipe = recipe();
    recipe.packages = vec!["numpy".into(), "abseil".into()];
    let absl = vec!["absl/".to_owned()];
    recipe.include_paths.insert("abseil".into(), absl);
    let mined = mine(
        &recipe,
        &["cpp", "python", "ruby"].map(|name| data().join(name)),
    );
    let languages: BTreeSet<&str> = mined.rows.iter().map(|row| row.language.name()).collect();
    assert_eq!(languages, BTreeSet::from(["cpp", "python"]));
    assert_eq!(mined.count("files.rejected.packages"), 2);
}

/// Python of so many lines of so many bytes.
fn lines_of(lines: usize, bytes: usize) -> String {
    let line = |at: usize| format!("name_{at} = \"{:x<1$}\"\n", "", bytes - 15);
    (1000..1000 + lines).map(line).collect()
}

#[test]
fn files_of_odd_sizes_are_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    let files = [
        ("package.json", "{\"license\": \"MIT\"}".to_owned()),
        ("one.py", lines_of(10, 40)),
        ("two.py", lines_of(11, 40)),
        ("three.py", lines_of(12, 40)),
        ("short_lines.py", lines_of(20, 20)),
        ("long_lines.py", lines_of(9, 80)),
        ("huge.py", lines_of(20_000, 60)),
    ];
    for (path, text) in &files {
        support::write(&folder.path().join(path), text.as_bytes());
    }
    let mut recipe = recipe();
    recipe.percentiles = [0.0, 75.0];
    let mined = mine(&recipe, &[folder.path().to_owned()]);
    for (reason, expected) in [("too-large", 1), ("size", 1), ("lines", 1)] {
        let count = mined.count(&format!("files.rejected.{reason}"));
        assert_eq!(count, expected, "{reason}");
    }
}

/// A run goes on over a file that is another by then, though nothing but its text says so.
#[test]
fn a_file_that_changed_between_the_readings_is_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    let source = folder.path().join("source");
    let path = source.join("orchard/harvest.py");
    for (name, bytes) in support::files(&data().join("python")) {
        support::write(&source.join(name), &bytes);
    }
    let text = std::fs::read_to_string(&path).expect("there");
    let sources = std::slice::from_ref(&source);
    let whole = support::try_mine(&recipe(), sources, folder.path(), true).expect("mined");
    let work = folder.path().join("contexts.jsonl.zst.work");
    for kept in ["rows-000000.jsonl.zst", "tally-000000.json"] {
        std::fs::remove_file(work.join(kept)).expect("removed");
    }
    let written = path.metadata().and_then(|data| data.modified());
    let other = text.replacen("return", "RETURN", 1);
    assert!(other.len() == text.len() && other != text);
    std::fs::write(&path, other).expect("written");
    let file = std::fs::File::options().write(true).open(&path);
    let set = file.and_then(|file| file.set_modified(written?));
    set.expect("as it was");
    let mined = support::try_mine(&recipe(), sources, folder.path(), false).expect("mined");
    assert_eq!(mined.read[0], 0, "not surveyed again");
    assert_eq!(mined.count("files.rejected.changed"), 1);
    let rest = |mined: &Mined| {
        let rows = mined.rows.iter().map(show);
        rows.filter(|row| !row.contains("harvest.py"))
            .collect::<Vec<_>>()
    };
    assert_eq!(rest(&mined), rest(&whole));
    assert_eq!(rest(&mined).len(), mined.rows.len());
}

/// The command prints how fast it was, to people and to programs.
#[test]
fn bench_prints_figures_that_fit_together() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_truefill-trainer"));
        let sources = ["python", "rust", "rejected"].map(|name| data().join(name));
        command.arg("mine").args(sources).args(["--bench", "--out"]);
        let out = folder.path().join("contexts.jsonl");
        let ran = command.arg(out).args(more).output().expect("runs");
        assert!(ran.status.success(), "{ran:?}");
        String::from_utf8(ran.stdout).expect("text")
    };
    let figures: Value = serde_json::from_str(&run(&["--json"])).expect("JSON");
    let (counts, rates) = (&figures["counts"], &figures["rates"]);
    let number = |name: &str| {
        let found = rates.pointer(name).and_then(Value::as_f64);
        let found = found.filter(|number| number.is_finite() && *number > 0.0);
        found.unwrap_or_else(|| panic!("{name}: {rates}"))
    };
    assert_eq!(rates["first_bytes"], counts["files.bytes"]);
    let languages = figures["tables"]["languages"].as_array().expect("a table");
    let kept: BTreeSet<&str> = languages
        .iter()
        .filter(|row| row["kept"].as_u64() > Some(0))
        .filter_map(|row| row["language"].as_str())
        .collect();
    assert_eq!(kept, BTreeSet::from(["python", "rust"]));
    assert!(number("/second_bytes") < number("/first_bytes"));
    let second = number("/second_seconds");
    let whole = number("/first_seconds") + second + number("/write_seconds");
    for (ratio, bare, seconds) in [
        ("/bare/ratio", "/bare/read_seconds", whole),
        ("/bare/ratio_second", "/bare/kept_seconds", second),
    ] {
        assert!(
            (number(ratio) - number(bare) / seconds).abs() < 1e-6,
            "{rates}"
        );
    }
    let page = run(&[]);
    for line in ["first reading", "second reading", "bare parsing", "ratio"] {
        let found = page.lines().find(|found| found.starts_with(line));
        let found = found.unwrap_or_else(|| panic!("{line}: {page}"));
        assert!(!found.contains("inf") && !found.contains("NaN"), "{found}");
    }
}
