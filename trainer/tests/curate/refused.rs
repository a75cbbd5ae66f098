//! What no step does, and how it says so.

use std::path::Path;

use crate::left::text;
use crate::{data, trainer};

/// Runs what ends with `status` and says all of `expected`.
fn refused(args: &[&Path], status: i32, expected: &[&str]) {
    let ran = trainer(args);
    let message = text(&ran.stderr);
    assert_eq!(ran.status.code(), Some(status), "{args:?}: {message}");
    for part in expected {
        assert!(message.contains(part), "{args:?}: {message}");
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
        refused(step, 2, &["expected another file"]);
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
        refused(step, 1, &["found none"]);
    }
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
            refused(&args, status, expected);
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
        refused(&args, 2, &[expected]);
    }
}
