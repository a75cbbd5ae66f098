//! What the language server's resolver says of rows.

use std::path::Path;

use crate::left::text;
use crate::{curate, data, support, trainer};

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
