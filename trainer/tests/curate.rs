//! `judge` and `curate` as processes: tables, files, exit status, messages.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

use left::text;

#[path = "support/left.rs"]
mod left;
#[path = "support/made_up.rs"]
mod made_up;
#[allow(dead_code)]
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

/// Every row would be refused, without a word.
#[test]
fn a_filter_by_the_resolver_needs_scores() {
    let folder = tempfile::tempdir().expect("a folder");
    let recipe = folder.path().join("recipe.toml");
    std::fs::write(&recipe, "[curate]\nresolver = \"caught\"\n").expect("written");
    let ran = trainer(&[
        "curate".as_ref(),
        &data("contexts"),
        &data("negatives"),
        "--out".as_ref(),
        &folder.path().join("out"),
        "--recipe".as_ref(),
        &recipe,
    ]);
    assert_eq!(ran.status.code(), Some(2), "{}", text(&ran.stderr));
    assert!(text(&ran.stderr).contains("`resolver`"));
}

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

/// The finding chooses rows: caught and missed ones are parted, and what nobody can tell is in neither.
#[test]
fn the_resolver_filters_rows() {
    let folder = tempfile::tempdir().expect("a folder");
    let pairs = |filter: &str| -> std::collections::BTreeSet<String> {
        let out = folder.path().join(filter);
        let recipe = folder.path().join("recipe.toml");
        let keys = "repo_cap = 1000\nvalid = 0.0\ntest = 0.0";
        std::fs::write(
            &recipe,
            format!("[curate]\nresolver = \"{filter}\"\n{keys}\n"),
        )
        .expect("written");
        let ran = curate(&out, &recipe);
        assert_eq!(ran.status.code(), Some(0), "{}", text(&ran.stderr));
        let rows = std::fs::read_to_string(out.join("pairs.jsonl")).expect("rows");
        rows.lines().map(str::to_owned).collect()
    };
    let (caught, missed) = (pairs("caught"), pairs("missed"));
    assert!(!caught.is_empty() && !missed.is_empty());
    assert!(caught.is_disjoint(&missed));
    for (rows, found) in [(&caught, true), (&missed, false)] {
        for row in rows {
            let row: serde_json::Value = serde_json::from_str(row).expect("JSON");
            assert_eq!(row["caught"], found, "{row}");
        }
    }
}

/// No step writes over what it reads, and no step is done that had nothing to do.
#[test]
fn inputs_stay_and_are_not_empty() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let (contexts, negatives) = (path("sft.jsonl"), path("n.jsonl"));
    std::fs::copy(data("contexts"), &contexts).expect("copied");
    std::fs::copy(data("negatives"), &negatives).expect("copied");
    let (out, scores) = (Path::new("--out"), Path::new("--scores"));
    let (new, empty) = (path("new.jsonl"), path("empty.jsonl"));
    let same = path("../")
        .join(folder.path().file_name().expect("a name"))
        .join("n.jsonl");
    let steps: [Vec<&Path>; 5] = [
        vec!["generate".as_ref(), &contexts, out, &contexts],
        vec!["judge".as_ref(), &contexts, &negatives, out, &same],
        vec![
            "judge".as_ref(),
            &contexts,
            &negatives,
            out,
            &new,
            scores,
            &contexts,
        ],
        vec![
            "judge".as_ref(),
            &contexts,
            &negatives,
            out,
            &new,
            scores,
            &new,
        ],
        vec!["curate".as_ref(), &contexts, &negatives, out, folder.path()],
    ];
    for step in &steps {
        let ran = trainer(step);
        assert_eq!(
            ran.status.code(),
            Some(2),
            "{step:?}: {}",
            text(&ran.stderr)
        );
        assert!(
            text(&ran.stderr).contains("expected another file"),
            "{step:?}"
        );
    }
    let bytes = |path: &Path| std::fs::read(path).expect("there");
    assert!(bytes(&contexts) == bytes(&data("contexts")));
    assert!(bytes(&negatives) == bytes(&data("negatives")));
    assert_eq!(std::fs::read_dir(folder.path()).expect("there").count(), 2);

    std::fs::write(&empty, "").expect("written");
    let steps: [Vec<&Path>; 3] = [
        vec!["generate".as_ref(), &empty, out, &new],
        vec!["judge".as_ref(), &empty, &negatives, out, &new],
        vec!["curate".as_ref(), &empty, &negatives, out, &new],
    ];
    for step in &steps {
        let ran = trainer(step);
        assert_eq!(
            ran.status.code(),
            Some(1),
            "{step:?}: {}",
            text(&ran.stderr)
        );
        assert!(
            text(&ran.stderr).contains("found none"),
            "{step:?}: {}",
            text(&ran.stderr)
        );
    }
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
fn resolve_fills_the_scores() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("verdicts.jsonl.zst");
    let (contexts, negatives) = (data("contexts"), data("negatives"));
    let mut args: Vec<&Path> = vec!["judge".as_ref(), &contexts, &negatives];
    args.extend([
        "--judges".as_ref(),
        "resolve".as_ref(),
        "--out".as_ref(),
        &*out,
    ]);
    let ran = trainer(&args);
    assert_eq!(ran.status.code(), Some(0), "{}", text(&ran.stderr));
    insta::assert_snapshot!("resolve", text(&ran.stdout));
    for name in [
        "verdicts.jsonl.zst",
        "scores.jsonl.zst",
        "verdicts.jsonl.zst.manifest.json",
    ] {
        assert!(folder.path().join(name).exists(), "{name}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).expect("there").count(), 3);

    // What a panel was paid for is not replaced by a run that asks nobody.
    std::fs::copy(data("verdicts"), &out).expect("copied");
    let paid = |name: &str| std::fs::read(folder.path().join(name)).expect("there");
    let kept = ["verdicts.jsonl.zst", "verdicts.jsonl.zst.manifest.json"];
    let before = kept.map(paid);
    assert_eq!(trainer(&args).status.code(), Some(0));
    assert!(kept.map(paid) == before);
    assert!(
        folder
            .path()
            .join("scores.jsonl.zst.manifest.json")
            .exists()
    );
}

/// The sources that `mine` names are read again, an archive too, and nothing is left of the work.
#[test]
fn the_resolver_sees_the_sources_of_what_was_mined() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/mine/python");
    let files = support::files(&corpus);
    std::fs::create_dir(path("packed")).expect("made");
    let archive = support::tar_gz(&path("packed/orchard-1.0.tar.gz"), &files, "orchard-1.0/");
    let (contexts, negatives) = (path("contexts.jsonl"), path("negatives.jsonl"));
    let run = |args: &[&Path]| {
        let ran = trainer(args);
        assert_eq!(ran.status.code(), Some(0), "{}", text(&ran.stderr));
        text(&ran.stdout)
    };
    let out = Path::new("--out");
    run(&["mine".as_ref(), &archive, out, &contexts]);
    run(&["generate".as_ref(), &contexts, out, &negatives]);
    let verdicts = path("verdicts.jsonl");
    let judge: [&Path; 5] = ["judge".as_ref(), &contexts, &negatives, out, &verdicts];
    let seen = |tables: &str| -> (bool, bool) {
        let row = |start: &str| tables.lines().any(|line| line.starts_with(start));
        (row("all files "), row("the rows' files alone "))
    };
    let tables = run(&judge);
    assert_eq!(seen(&tables), (true, false), "{tables}");
    // It is found where it lies now, too.
    std::fs::rename(path("packed"), path("moved")).expect("moved");
    let tables = run(&judge);
    assert_eq!(seen(&tables), (false, true), "{tables}");
    let recipe = path("recipe.toml");
    std::fs::write(&recipe, "[judge]\nsources = \"moved\"\n").expect("written");
    let flag = Path::new("--recipe");
    let tables = run(&[&judge[..], &[flag, &recipe]].concat());
    assert_eq!(seen(&tables), (true, false), "{tables}");
    assert!(!path("verdicts.jsonl.work").exists());
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

/// What is wrong, the status, and what the message holds.
#[test]
fn broken_inputs_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("written");
        path
    };
    let read = |name| std::fs::read_to_string(data(name)).expect("there");
    let (contexts, negatives) = (read("contexts"), read("negatives"));
    let first = contexts.lines().next().expect("a row");
    let one = file("one.jsonl", &format!("{first}\n"));
    let import = negatives
        .lines()
        .find(|row| row.contains("\"import\""))
        .expect("an import");
    let mut torn: serde_json::Value = serde_json::from_str(import).expect("JSON");
    torn["split"]["suffix"] = "something else".into();
    let torn = file(
        "torn.jsonl",
        &format!("{}\n{torn}\n", negatives.lines().next().expect("a row")),
    );
    let moved = file(
        "moved.jsonl",
        &import.replace("\"hole_start\":0", "\"hole_start\":1"),
    );
    let wrong_place = file(
        "place.jsonl",
        &first.replacen("\"hole_end\":", "\"hole_end\":1", 1),
    );
    let recipe = file("recipe.toml", "[curate]\ncup = 3\n[judge]\nscorers = 1\n");
    let panel = file("panel.toml", "[judge]\npanel = [\"a\"]\n");
    let (good, bad, out) = (
        data("contexts"),
        data("negatives"),
        folder.path().join("out.jsonl"),
    );
    let table: [(&[&Path], i32, &[&str]); 10] = [
        (
            &[&bad, &bad],
            1,
            &["negatives.jsonl:1", "expected a row of `contexts`"],
        ),
        (
            &[&good, &good],
            1,
            &["contexts.jsonl:1", "expected a row of `negatives`"],
        ),
        (
            &[&one, &bad],
            1,
            &["negatives.jsonl:9", "not among the contexts"],
        ),
        (
            &[&good, &torn],
            1,
            &["torn.jsonl:2", "does not give the window's bytes"],
        ),
        (
            &[&good, &moved],
            1,
            &["moved.jsonl:1", "place does not fit"],
        ),
        (
            &[&wrong_place, &bad],
            1,
            &["place.jsonl:1", "expected `hole_end`"],
        ),
        (
            &[&folder.path().join("none.jsonl"), &bad],
            1,
            &["none.jsonl", "No such file"],
        ),
        (
            &[&good, &bad, "--recipe".as_ref(), &recipe],
            2,
            &["recipe.toml", "unknown field"],
        ),
        (&[&good], 2, &["<NEGATIVES>"]),
        (&[&good, &bad, "--nope".as_ref()], 2, &["--nope"]),
    ];
    for (inputs, status, expected) in table {
        for step in ["judge", "curate"] {
            let mut args: Vec<&Path> = vec![step.as_ref()];
            args.extend_from_slice(inputs);
            args.extend(["--out".as_ref(), &*out]);
            let ran = trainer(&args);
            let message = text(&ran.stderr);
            assert_eq!(
                ran.status.code(),
                Some(status),
                "{step} {inputs:?}: {message}"
            );
            for part in expected {
                assert!(message.contains(part), "{step} {inputs:?}: {message}");
            }
            assert!(!out.exists(), "{step} {inputs:?}");
        }
    }
    for (who, with, expected) in [
        ("panel", None, "`panel` in its section"),
        ("likelihood", None, "[[judge.scorer]]"),
        ("panel", Some(&panel), "panel.toml"),
    ] {
        let mut args: Vec<&Path> = vec!["judge".as_ref(), &good, &bad];
        args.extend(["--judges".as_ref(), who.as_ref(), "--out".as_ref(), &*out]);
        args.extend(
            with.iter()
                .flat_map(|recipe| ["--recipe".as_ref(), recipe.as_path()]),
        );
        let ran = trainer(&args);
        assert_eq!(ran.status.code(), Some(2), "{who}");
        assert!(
            text(&ran.stderr).contains(expected),
            "{}",
            text(&ran.stderr)
        );
    }
}
