//! `judge` and `curate` as processes: tables, files, exit status, messages.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

use left::text;

#[path = "../support/left.rs"]
mod left;
#[path = "../support/made_up.rs"]
mod made_up;
mod refused;
mod resolver;
#[allow(dead_code)]
#[path = "../support/mod.rs"]
mod support;

/// A made-up corpus of 50 repositories in five languages; the same in every run.
static CORPUS: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("made-up-corpus");
    let size = made_up::Size {
        contexts: 200,
        window: 500,
        repo: 4,
        seed: 1,
    };
    made_up::write(&folder, size, "jsonl").expect("written");
    folder
});

fn data(name: &str) -> PathBuf {
    CORPUS.join(format!("{name}.jsonl"))
}

fn trainer(args: &[&Path]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_truefill-trainer"));
    command.args(args).output().expect("runs")
}

/// Runs `curate` on the made-up corpus.
fn curate(out: &Path, recipe: &Path) -> Output {
    trainer(&[
        "curate".as_ref(),
        &data("contexts"),
        &data("negatives"),
        &data("verdicts"),
        &data("scores"),
        "--out".as_ref(),
        out,
        "--recipe".as_ref(),
        recipe,
    ])
}

const RECIPE: &str = "[judge]\nseed = 1\n[curate]\nseed = 4\nvalid = 0.1\ntest = 0.1\n\
                      sizes = [10, 20]\nrepo_cap = 4\n[curate.bands]\nrows = 12\n";

#[test]
fn the_made_up_corpus_has_these_tables_and_this_datasheet() {
    let folder = tempfile::tempdir().expect("a folder");
    let recipe = folder.path().join("recipe.toml");
    std::fs::write(&recipe, RECIPE).expect("written");
    let out = folder.path().join("out");
    let ran = curate(&out, &recipe);
    assert_eq!(ran.status.code(), Some(0), "{}", text(&ran.stderr));
    insta::assert_snapshot!("tables", text(&ran.stdout));
    let sheet = std::fs::read_to_string(out.join("DATASHEET.md")).expect("there");
    insta::assert_snapshot!("datasheet", sheet);
    let manifest = std::fs::read(out.join("curated.manifest.json")).expect("there");
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).expect("JSON");
    assert_eq!(manifest["inputs"].as_array().map(Vec::len), Some(4));
    assert_eq!(manifest["outputs"][0]["path"], "sft.jsonl");
    let pairs = std::fs::read_to_string(out.join("pairs.jsonl")).expect("there");
    let pair: serde_json::Value =
        serde_json::from_str(pairs.lines().next().expect("a row")).expect("JSON");
    for key in ["prompt_version", "judged", "fooled", "difficulty", "caught"] {
        assert!(!pair[key].is_null(), "{key}: {pair}");
    }
    let left: Vec<_> = std::fs::read_dir(&out).expect("there").flatten().collect();
    assert_eq!(left.len(), 7, "no temporary file is left: {left:?}");
}

#[test]
fn tables_are_json_when_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("out");
    let ran = trainer(&[
        "curate".as_ref(),
        &data("contexts"),
        &data("negatives"),
        "--out".as_ref(),
        &out,
        "--json".as_ref(),
    ]);
    assert_eq!(ran.status.code(), Some(0), "{}", text(&ran.stderr));
    let tables: serde_json::Value = serde_json::from_slice(&ran.stdout).expect("JSON");
    assert!(
        tables["languages"]
            .as_array()
            .is_some_and(|rows| rows.len() == 6)
    );
}

#[test]
fn what_a_benchmark_holds_is_left_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let (out, benchmark) = (folder.path().join("out"), folder.path().join("b.jsonl"));
    std::fs::write(&benchmark, "{\"repo\": \"Owner/Repo-3\"}\n").expect("written");
    let (contexts, negatives) = (data("contexts"), data("negatives"));
    let mut args: Vec<&Path> = vec!["curate".as_ref(), &contexts, &negatives];
    args.extend(["--out".as_ref(), &*out, "--benchmark".as_ref(), &benchmark]);
    let ran = trainer(&args);
    assert_eq!(ran.status.code(), Some(0), "{}", text(&ran.stderr));
    let read = |name: &str| std::fs::read_to_string(out.join(name)).expect("there");
    let rows = ["sft.jsonl", "valid/sft.jsonl", "test/sft.jsonl"].map(read);
    assert!(rows.iter().all(|rows| !rows.contains("owner/repo-3\"")));
    let manifest = read("curated.manifest.json");
    let dropped = "\"contexts dropped: a benchmark's repository\": 4";
    assert!(manifest.contains(dropped), "{manifest}");
    assert!(
        manifest.contains("b.jsonl"),
        "the benchmark is among the inputs"
    );
    std::fs::write(&benchmark, "{\"a\": 1}\n").expect("written");
    let ran = trainer(&args);
    assert_eq!(ran.status.code(), Some(2), "{}", text(&ran.stderr));
    assert!(text(&ran.stderr).contains("repo_url"));
}

/// What was left out on the way stands in the datasheet, as far as it is known.
#[test]
fn a_datasheet_has_the_counts_of_the_steps_before() {
    let folder = tempfile::tempdir().expect("a folder");
    let negatives = folder.path().join("negatives.jsonl");
    let made = trainer(&[
        "generate".as_ref(),
        &data("contexts"),
        "--out".as_ref(),
        &negatives,
    ]);
    assert!(made.status.success(), "{}", text(&made.stderr));
    let sheet = |out: &str| {
        let out = folder.path().join(out);
        let done = trainer(&[
            "curate".as_ref(),
            &data("contexts"),
            &negatives,
            "--out".as_ref(),
            &out,
        ]);
        assert!(done.status.success(), "{}", text(&done.stderr));
        std::fs::read_to_string(out.join("DATASHEET.md")).expect("there")
    };
    let known = sheet("known");
    let kept = known.lines().find(|line| line.starts_with("- kept: "));
    let rows = std::fs::read_to_string(&negatives).expect("there");
    assert_eq!(kept, Some(&*format!("- kept: {}", rows.lines().count())));
    assert!(
        known.contains("No manifest fits `contexts.jsonl`"),
        "{known}"
    );
    // A manifest is of the bytes that its step wrote.
    std::fs::write(&negatives, rows + "\n").expect("written");
    let other = sheet("other");
    assert!(
        other.contains("No manifest fits `negatives.jsonl`"),
        "{other}"
    );
    assert!(!other.contains("### generate"));
}

/// A row that fooled two of two is none that fooled all three, though the third never answered anything.
#[test]
fn a_judge_who_never_answered_is_one_of_the_panel() {
    let folder = tempfile::tempdir().expect("a folder");
    let verdicts = std::fs::read_to_string(data("verdicts")).expect("there");
    let mut silent = None;
    let rows = verdicts.lines().map(|line| {
        let mut row: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let judge = row["judge"].clone();
        if *silent.get_or_insert_with(|| judge.clone()) == judge {
            row["verdict"] = serde_json::Value::Null;
        }
        format!("{row}\n")
    });
    let silenced = folder.path().join("verdicts.jsonl");
    std::fs::write(&silenced, rows.collect::<String>()).expect("written");
    let recipe = folder.path().join("recipe.toml");
    std::fs::write(&recipe, RECIPE).expect("written");
    let in_bands = |verdicts: &Path, out: &str| {
        let out = folder.path().join(out);
        let done = trainer(&[
            "curate".as_ref(),
            &data("contexts"),
            &data("negatives"),
            verdicts,
            &data("scores"),
            "--out".as_ref(),
            &out,
            "--recipe".as_ref(),
            &recipe,
        ]);
        assert!(done.status.success(), "{}", text(&done.stderr));
        ["easy", "medium", "hard"].map(|band| {
            let rows = out.join(format!("subsets/band-{band}/pairs.jsonl"));
            std::fs::read_to_string(rows).map_or(0, |rows| rows.lines().count())
        })
    };
    assert!(
        in_bands(&data("verdicts"), "all")
            .iter()
            .all(|rows| *rows > 0)
    );
    assert_eq!(in_bands(&silenced, "silenced"), [0; 3]);
}
