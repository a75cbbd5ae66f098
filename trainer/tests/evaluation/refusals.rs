//! What cannot be measured is refused with what to do.

use crate::rows::{command, infilling, model, pairs, run, said};

/// Programs are run in a sandbox or not at all, and it says so before the model is loaded.
#[test]
fn without_bubblewrap_nothing_is_run() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    infilling(&path.join("h.jsonl"), 2);
    let model = model();
    let suite = ["--suite", "humaneval-infilling", "--data", "h.jsonl"];
    let args = [
        &suite[..],
        &["--model", model.to_str().unwrap(), "--out", "out"],
    ]
    .concat();
    let refused = command(path, &args).env("PATH", path).output().unwrap();
    assert_eq!(refused.status.code(), Some(1), "{}", said(&refused));
    let message = said(&refused);
    assert!(
        message.contains("bwrap") && message.contains("--no-run"),
        "{message}"
    );
    assert!(!path.join("out").exists());
}

#[test]
fn a_malformed_row_is_named_by_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    pairs(&path.join("p.jsonl"), 3);
    let mut text = std::fs::read_to_string(path.join("p.jsonl")).unwrap();
    text.push_str("{\"context_id\": \"c9\"}\n");
    std::fs::write(path.join("p.jsonl"), text).unwrap();
    let refused = run(path, &["--suite", "pairs", "--data", "p.jsonl"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(said(&refused).contains("p.jsonl:4"), "{}", said(&refused));
}

#[test]
fn wrong_usage_says_what_to_change() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    pairs(&path.join("p.jsonl"), 3);
    std::fs::write(path.join("r.toml"), "[eval]\nwidth = 0\n").unwrap();
    let chat = "[eval.server]\nurl = \"http://localhost:1\"\nmodel = \"m\"\n\
                [eval.server.chat]\ntemplate = \"Do it.\"\nend = \"<end>\"\n";
    std::fs::write(path.join("chat.toml"), chat).unwrap();
    let tiny = model().display().to_string();
    let pairs = ["--suite", "pairs", "--data", "p.jsonl"];
    for (args, expected) in [
        (vec![], "expected a suite"),
        (vec!["--recipe", "r.toml"], "expected a suite"),
        (
            [&pairs[..], &["--recipe", "r.toml"]].concat(),
            "`width`: expected at least 1",
        ),
        (
            [&pairs[..], &["--context-tokens", "3"]].concat(),
            "`--context-tokens`: expected 16",
        ),
        (
            [&pairs[..], &["--width", "0"]].concat(),
            "error: `--width`: expected at least 1",
        ),
        (
            [&pairs[..], &["--test", "true"]].concat(),
            "error: `--test` of `pairs`: only `holes`",
        ),
        (
            vec!["--suite", "holes", "--data", "."],
            "error: `--suite holes`: expected the command",
        ),
        (
            [&pairs[..], &["--device", "gpu"]].concat(),
            "`--device`: expected `auto`, `cpu`",
        ),
        (
            [&pairs[..], &["--format", "nope", "--model", &tiny]].concat(),
            "unknown FIM format `nope`, expected one of: ",
        ),
        (
            [&pairs[..], &["--recipe", "chat.toml"]].concat(),
            "chat.toml: section `[eval]`: `server.chat`: expected `{{instruction}}` once in `template`",
        ),
        (
            [&pairs[..], &["--limit", "0"]].concat(),
            "`--limit` of `pairs`: expected at least 1, found 0",
        ),
    ] {
        let refused = run(path, &args);
        assert_eq!(
            refused.status.code(),
            Some(2),
            "{args:?}: {}",
            said(&refused)
        );
        assert!(
            said(&refused).contains(expected),
            "{args:?}: {}",
            said(&refused)
        );
    }
    let refused = run(path, &[&pairs[..], &["--against", "nowhere"]].concat());
    assert_eq!(refused.status.code(), Some(1));
    assert!(said(&refused).contains("nowhere"), "{}", said(&refused));
}
