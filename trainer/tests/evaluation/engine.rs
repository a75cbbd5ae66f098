//! A tiny model: the same figures however often it is stopped.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::rows::{command, figures, infilling, measured, model, pairs, ran, texts};

fn args<'a>(model: &'a str, suite: &'a str, data: &'a str, out: &'a str) -> Vec<&'a str> {
    let what = ["--suite", suite, "--data", data, "--out", out];
    let how = ["--model", model, "--format", "causal", "--device", "cpu"];
    let limits = ["--context-tokens", "48", "--max-tokens", "12"];
    what.into_iter().chain(how).chain(limits).collect()
}

/// Waits until a file has so many lines.
fn wait(path: &Path, lines: usize) {
    let deadline = Instant::now() + Duration::from_secs(120);
    let count = || std::fs::read_to_string(path).map_or(0, |text| text.lines().count());
    while count() < lines {
        assert!(Instant::now() < deadline, "nothing moves any more");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The one folder of kept results.
fn cache(folder: &Path) -> Option<std::path::PathBuf> {
    let mut entries = std::fs::read_dir(folder.join("store/evaluations")).ok()?;
    Some(entries.next()?.ok()?.path())
}

#[test]
fn a_killed_evaluation_goes_on_to_the_same_figures() {
    let folder = tempfile::tempdir().unwrap();
    let [whole, killed] = ["whole", "killed"].map(|name| {
        let path = folder.path().join(name);
        std::fs::create_dir(&path).unwrap();
        pairs(&path.join("p.jsonl"), 400);
        path
    });
    let model = model();
    let args = args(model.to_str().unwrap(), "pairs", "p.jsonl", "out");
    ran(&whole, &args);
    for (file, lines) in [
        ("completions.jsonl", 3),
        ("completions.jsonl", 150),
        ("likelihoods.jsonl", 100),
    ] {
        let mut child = command(&killed, &args).spawn().unwrap();
        let deadline = Instant::now() + Duration::from_secs(120);
        let found = loop {
            if let Some(found) = cache(&killed) {
                break found;
            }
            assert!(Instant::now() < deadline, "nothing moves any more");
            std::thread::sleep(Duration::from_millis(1));
        };
        wait(&found.join(file), lines);
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert!(!killed.join("out/pairs.json").exists(), "it was not done");
    ran(&killed, &args);
    let [whole_figures, killed_figures] =
        [&whole, &killed].map(|path| figures(&path.join("out"), "pairs"));
    assert_eq!(whole_figures, killed_figures);
    assert_eq!(
        texts(&whole.join("out"), "pairs"),
        texts(&killed.join("out"), "pairs")
    );
    // Once more nothing is asked, and the figures are the same to the last byte.
    let read = || std::fs::read(killed.join("out/pairs.json")).unwrap();
    let before = read();
    let kept = |name: &str| std::fs::read(cache(&killed).unwrap().join(name)).unwrap();
    let [completions, likelihoods] = ["completions.jsonl", "likelihoods.jsonl"].map(kept);
    ran(&killed, &args);
    assert_eq!(before, read());
    assert_eq!(completions, kept("completions.jsonl"));
    assert_eq!(likelihoods, kept("likelihoods.jsonl"));
    let preference = whole_figures["groups"][0]["figures"]["preference"]["rows"].as_u64();
    assert_eq!(preference, Some(400));
}

/// Neither how many are completed at a time nor their order is part of a result.
#[test]
fn completions_do_not_hang_on_their_neighbours() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    pairs(&path.join("p.jsonl"), 40);
    let model = model();
    let model = model.to_str().unwrap();
    let mut found = Vec::new();
    for (width, out) in [("1", "one"), ("7", "seven")] {
        let mut args = args(model, "pairs", "p.jsonl", out);
        args.extend(["--width", width, "--cache", out]);
        ran(path, &args);
        found.push(texts(&path.join(out), "pairs"));
    }
    assert_eq!(found[0], found[1]);
    // A draw of rows is a part of the whole.
    let mut args = args(model, "pairs", "p.jsonl", "drawn");
    args.extend(["--limit", "9", "--cache", "drawn"]);
    ran(path, &args);
    let drawn = texts(&path.join("drawn"), "pairs");
    assert_eq!(drawn.len(), 9);
    assert!(drawn.iter().all(|row| found[0].contains(row)));
}

/// How long a completion may become changes nothing in how likely one is.
#[test]
fn preferences_do_not_hang_on_the_limit_of_completions() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    pairs(&path.join("p.jsonl"), 12);
    let model = model();
    let found = [("2", "short"), ("200", "long")].map(|(most, out)| {
        let mut args = args(model.to_str().unwrap(), "pairs", "p.jsonl", out);
        let at = args.iter().position(|arg| *arg == "12").unwrap();
        args[at] = most;
        args.extend(["--cache", out]);
        ran(path, &args);
        let rows = measured(&path.join(out), "pairs");
        let both = |row: &serde_json::Value| {
            let of = |name: &str| row["result"][name]["log_probability"].as_f64().unwrap();
            [of("golden"), of("rejected")]
        };
        rows.iter().map(both).collect::<Vec<_>>()
    });
    assert_eq!(found[0], found[1]);
    assert!(found[0].iter().all(|[golden, rejected]| golden != rejected));
}

/// A prompt leaves room for the completion in a model of few positions (512), and the figures say so.
#[test]
fn a_model_of_few_positions_gets_shorter_prompts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let row = serde_json::json!({
        "context_id": "long", "repo": "o/r", "path": "a.py", "language": "python", "type": "method",
        "prefix": "value = other + 1\n".repeat(400), "golden": "call(a)", "suffix": "\n",
        "rejected": "call_all(a)",
    });
    std::fs::write(path.join("p.jsonl"), format!("{row}\n")).unwrap();
    let model = model();
    let what = ["--suite", "pairs", "--data", "p.jsonl", "--out", "out"];
    let how = [
        "--model",
        model.to_str().unwrap(),
        "--format",
        "causal",
        "--device",
        "cpu",
    ];
    ran(path, &[&what[..], &how].concat());
    let completion = &measured(&path.join("out"), "pairs")[0]["result"]["completion"];
    let count = |name: &str| completion[name].as_u64().unwrap();
    assert!(
        count("tokens") == 128 || completion["stop"] == "end",
        "{completion}"
    );
    assert!(count("prompt_tokens") + 128 < 512, "{completion}");
    assert_eq!(completion["shortened"], true);
    let notes = figures(&path.join("out"), "pairs")["notes"].to_string();
    assert!(
        notes.contains("512 positions") && notes.contains("383 tokens"),
        "{notes}"
    );
    let mut refused = command(path, &[&what[..], &how, &["--max-tokens", "500"]].concat());
    let refused = refused.output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(
        said.contains("512 positions") && said.contains("at most 495"),
        "{said}"
    );
}

/// Greedy completions hang on no seed: what was completed is not completed again.
#[test]
fn another_seed_takes_greedy_completions_from_the_cache() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    pairs(&path.join("p.jsonl"), 6);
    std::fs::write(
        path.join("r.toml"),
        "[eval.decoding]\nseed = 7\ntop_p = 0.5\n",
    )
    .unwrap();
    let model = model();
    let args = args(model.to_str().unwrap(), "pairs", "p.jsonl", "out");
    ran(path, &args);
    let kept = || std::fs::read(cache(path).unwrap().join("completions.jsonl")).unwrap();
    let before = kept();
    ran(path, &[&args[..], &["--recipe", "r.toml"]].concat());
    assert_eq!(before, kept());
    std::fs::write(path.join("r.toml"), "[eval.decoding]\ntemperature = 0.5\n").unwrap();
    ran(path, &[&args[..], &["--recipe", "r.toml"]].concat());
    assert!(kept().len() > before.len());
}

#[test]
fn a_suite_is_shown_and_its_programs_are_run() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    infilling(&path.join("h.jsonl"), 4);
    let model = model();
    let args = args(
        model.to_str().unwrap(),
        "humaneval-infilling",
        "h.jsonl",
        "out",
    );
    let table = ran(path, &args);
    assert!(
        table.contains("pass@1") && table.contains("4 of 4 rows"),
        "{table}"
    );
    let found = figures(&path.join("out"), "humaneval-infilling");
    let runs = found["runs"]["whole"].as_object().unwrap();
    let count: u64 = runs.values().filter_map(serde_json::Value::as_u64).sum();
    assert_eq!(count, 4);
    assert_eq!(found["groups"][0]["figures"]["pass"]["rows"], 4);
}
