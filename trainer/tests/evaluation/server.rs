//! Figures that are known beforehand: a server that writes what the test says.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::rows::{figure, figures, golden, infilling, pairs, ran, rejected, run};
use crate::support::{Seen, Server, Step, reply};

/// A reply in pieces, as servers stream it.
pub fn streamed(text: &str, finish: &str) -> Vec<Step> {
    let piece = |text: &str, finish: Value| {
        let choice = json!({"choices": [{"text": text, "index": 0, "finish_reason": finish}]});
        format!("data: {choice}\n\n")
    };
    let body = piece(text, Value::Null) + &piece("", json!(finish)) + "data: [DONE]\n\n";
    let headers = [("Content-Type", "text/event-stream")];
    reply("200 OK", &headers, body.as_bytes())
}

/// The number of the row that is asked for: `row N =`.
pub fn asked(seen: &Seen) -> usize {
    let body = seen.json();
    let prompt = body["prompt"].as_str().unwrap();
    let number = prompt.split("row ").last().unwrap();
    let number = number.split_whitespace().next().unwrap();
    number.parse().unwrap()
}

pub fn args<'a>(server: &'a str, suite: &'a str, data: &'a str, out: &'a str) -> Vec<&'a str> {
    let model = ["--server", server, "--server-model", "m"];
    let what = ["--suite", suite, "--data", data, "--out", out];
    model.into_iter().chain(what).collect()
}

pub async fn in_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

fn all() -> Value {
    json!("all")
}

/// Of eight pairs two are right, two right with a line too many, two hallucinated, two cut off.
#[tokio::test(flavor = "multi_thread")]
async fn figures_are_those_of_what_was_written() {
    let server = Server::start(|_, seen| {
        let row = asked(seen);
        match row / 2 {
            0 => streamed(&golden(row), "stop"),
            1 => streamed(&format!("{}\nmore", golden(row)), "stop"),
            2 => streamed(&rejected(row), "stop"),
            _ => streamed("", "length"),
        }
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    pairs(&path.join("p.jsonl"), 8);
    let url = server.url.clone();
    let (table, found) = in_thread(move || {
        let table = ran(&path, &args(&url, "pairs", "p.jsonl", "out"));
        (table, figures(&path.join("out"), "pairs"))
    })
    .await;
    let value = |name: &str| figure(&found, &all(), name).unwrap();
    for (name, expected) in [
        ("exact_match", 0.25),
        ("exact_match+trunc", 0.5),
        ("over_generation", 0.25),
        ("ended", 0.75),
        // Two hallucinated ones, and an empty text is as far from both.
        ("hallucination_aligned", 0.375),
    ] {
        assert!(
            (value(name) - expected).abs() < 1e-9,
            "{name}: {}",
            value(name)
        );
    }
    assert!(
        figure(&found, &all(), "preference").is_none(),
        "a server cannot tell"
    );
    let method = json!({"kind": "method"});
    assert_eq!(figure(&found, &method, "exact_match"), Some(0.25));
    assert!(
        table.contains("By language") && table.contains("EM +trunc"),
        "{table}"
    );
    assert_eq!(found["rows"], 8);
    let requests = server.requests();
    assert_eq!(requests.len(), 8);
    let body = requests[0].json();
    assert_eq!(
        (&body["temperature"], &body["max_tokens"]),
        (&json!(0.0), &json!(128))
    );
    assert_eq!(body["suffix"], "\n");
}

/// Rows that fail are in no figure, are told, and are asked for again; the others are not.
#[tokio::test(flavor = "multi_thread")]
async fn what_failed_is_asked_for_again() {
    let broken = Arc::new(AtomicUsize::new(1));
    let is_broken = Arc::clone(&broken);
    let server = Server::start(move |_, seen| {
        let row = asked(seen);
        match is_broken.load(Ordering::Relaxed) == 1 && row % 3 == 1 {
            true => reply("500 Internal Server Error", &[], b"no memory"),
            false => streamed(&golden(row), "stop"),
        }
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    pairs(&path.join("p.jsonl"), 6);
    let url = server.url.clone();
    let at = path.clone();
    let first = in_thread(move || run(&at, &args(&url, "pairs", "p.jsonl", "out"))).await;
    assert_eq!(first.status.code(), Some(1));
    let said = String::from_utf8_lossy(&first.stderr).into_owned();
    assert!(said.contains("2 rows could not be completed"), "{said}");
    assert!(
        said.contains("of `pairs`") && said.contains("no memory"),
        "{said}"
    );
    let found = figures(&path.join("out"), "pairs");
    assert_eq!(found["rows"], 4);
    assert_eq!(found["failed"].as_object().unwrap().len(), 2);
    assert!(found["failed"].to_string().contains("no memory"), "{found}");
    assert_eq!(figure(&found, &all(), "exact_match"), Some(1.0));
    broken.store(0, Ordering::Relaxed);
    let url = server.url.clone();
    let at = path.clone();
    in_thread(move || ran(&at, &args(&url, "pairs", "p.jsonl", "out"))).await;
    assert_eq!(figures(&path.join("out"), "pairs")["rows"], 6);
    assert_eq!(server.requests().len(), 6 + 2, "four were kept");
}

/// What a server does not say is no figure, and stop texts are looked for here where it does not.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_leaves_out_is_done_here() {
    let server = Server::start(|_, seen| {
        let prompt = seen.json()["prompt"].as_str().unwrap().to_owned();
        let text = match prompt.contains("def f(a)") {
            true => "    return a\n\ndef other():\n    broken(",
            false => "value",
        };
        let choice = json!({"choices": [{"text": text, "index": 0, "finish_reason": null}]});
        let headers = [("Content-Type", "text/event-stream")];
        let body = format!("data: {choice}\n\ndata: [DONE]\n\n");
        reply("200 OK", &headers, body.as_bytes())
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    pairs(&path.join("p.jsonl"), 2);
    let task = json!({
        "task_id": "HumanEval/0", "prompt": "def f(a):\n", "entry_point": "f",
        "canonical_solution": "    return a\n", "test": "def check(f):\n    assert f(3) == 3\n",
    });
    std::fs::write(path.join("h.jsonl"), format!("{task}\n")).unwrap();
    let url = server.url.clone();
    in_thread(move || {
        ran(&path, &args(&url, "pairs", "p.jsonl", "out"));
        let pairs = figures(&path.join("out"), "pairs");
        assert!(figure(&pairs, &all(), "ended").is_none(), "{pairs}");
        assert!(figure(&pairs, &all(), "exact_match").is_some(), "{pairs}");
        ran(&path, &args(&url, "humaneval", "h.jsonl", "out"));
        let tasks = figures(&path.join("out"), "humaneval");
        assert_eq!(figure(&tasks, &all(), "pass"), Some(1.0), "{tasks}");
    })
    .await;
}

/// A server that is down is not asked a thousand times.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_only_fails_ends_it() {
    let server = Server::start(|_, _| reply("503 Service Unavailable", &[], b"starting")).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    pairs(&path.join("p.jsonl"), 300);
    let url = server.url.clone();
    let ended = in_thread(move || run(&path, &args(&url, "pairs", "p.jsonl", "out"))).await;
    assert_eq!(ended.status.code(), Some(1));
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(
        said.contains("8 rows failed") && said.contains("starting"),
        "{said}"
    );
    assert!(server.requests().len() < 60, "{}", server.requests().len());
}

/// Tests decide, of what was written and of its first lines; the second checkpoint is compared with the
/// first row by row.
#[tokio::test(flavor = "multi_thread")]
async fn completions_are_run_and_compared() {
    let server = Server::start(|_, seen| {
        let row = asked(seen);
        let better = seen.json()["model"] == "better";
        match row % 4 {
            0 => streamed(&format!("    b = a + {row}\n"), "stop"),
            1 if better => streamed(&format!("    b = a + {row}\n"), "stop"),
            1 | 2 => streamed(&format!("    b = a + {row}\n    b = 0\n"), "stop"),
            _ => streamed("    import os; os._exit(0)\n", "stop"),
        }
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    infilling(&path.join("h.jsonl"), 40);
    let url = server.url.clone();
    let at = path.clone();
    let table = in_thread(move || {
        ran(&at, &args(&url, "humaneval-infilling", "h.jsonl", "base"));
        let mut better = args(&url, "humaneval-infilling", "h.jsonl", "better");
        better[3] = "better";
        better.extend(["--against", "base"]);
        ran(&at, &better)
    })
    .await;
    let value = |out: &str, name: &str| {
        let found = figures(&path.join(out), "humaneval-infilling");
        figure(&found, &all(), name).unwrap()
    };
    for (out, name, expected) in [
        ("base", "pass", 0.25),
        ("base", "pass+trunc", 0.75),
        ("better", "pass", 0.5),
        ("better", "pass+trunc", 0.75),
    ] {
        let found = value(out, name);
        assert!((found - expected).abs() < 1e-9, "{out} {name}: {found}");
    }
    let line = |start: &str| {
        let found = table.lines().find(|line| line.starts_with(start));
        found
            .unwrap_or_else(|| panic!("{start}: {table}"))
            .to_owned()
    };
    let pass = line("all      pass@1  ");
    assert!(
        pass.contains("+25.0") && pass.ends_with("higher: better"),
        "{pass}"
    );
    assert!(
        line("all      pass@1 +trunc").ends_with("not told apart"),
        "{table}"
    );
    assert!(kept(&path) > 0);
    let rule = |least: u64| {
        format!(
            "[[promote.rule]]\nsuite = \"humaneval-infilling\"\nfigure = \"pass\"\nrequire = \"rises\"\n\
             least_rows = {least}\n"
        )
    };
    for (model, out, before, least, code) in [
        ("better", "better", "base", 30, 0),
        ("m", "base", "better", 30, 1),
        ("better", "better", "base", 41, 1),
    ] {
        std::fs::write(path.join("r.toml"), rule(least)).unwrap();
        let url = server.url.clone();
        let at = path.clone();
        let ended = in_thread(move || {
            let mut all = args(&url, "humaneval-infilling", "h.jsonl", out);
            all[3] = model;
            all.extend(["--recipe", "r.toml", "--against", before, "--gate"]);
            run(&at, &all)
        })
        .await;
        let said = String::from_utf8_lossy(&ended.stdout).into_owned();
        assert_eq!(ended.status.code(), Some(code), "{said}");
        let passed = said.contains("Gate: passed");
        assert_eq!(passed, code == 0, "{said}");
    }
}

/// Lines of what was kept of programs.
fn kept(folder: &Path) -> usize {
    let folders = std::fs::read_dir(folder.join("store/evaluations")).unwrap();
    let programs = folders.map(|folder| folder.unwrap().path().join("programs.jsonl"));
    let lines = programs.map(|path| std::fs::read_to_string(path).unwrap().lines().count());
    lines.sum()
}
