//! What `--against` and `--gate` refuse, warn of and decide.

use std::path::Path;
use std::process::Output;

use crate::rows::{figures, golden, pairs, rejected, run, said};
use crate::server::{args, asked, in_thread, streamed};
use crate::support::Server;

/// A server whose model `better` is right everywhere, and any other in each second row.
async fn server() -> Server {
    Server::start(|_, seen| {
        let row = asked(seen);
        let right = seen.json()["model"] == "better" || row.is_multiple_of(2);
        let text = if right { golden(row) } else { rejected(row) };
        streamed(&text, "stop")
    })
    .await
}

/// Measures `p.jsonl` with a model of the server.
fn measure(folder: &Path, url: &str, model: &str, out: &str, more: &[&str]) -> Output {
    let mut all = args(url, "pairs", "p.jsonl", out);
    all[3] = model;
    all.extend(more);
    run(folder, &all)
}

fn rule(folder: &Path, more: &str) {
    let text = format!(
        "[[promote.rule]]\nsuite = \"pairs\"\nfigure = \"exact_match\"\nrequire = \"holds\"\nby = 0.2\n{more}"
    );
    std::fs::write(folder.join("r.toml"), text).unwrap();
}

/// The base of a comparison is never written over, however its folder is named.
#[tokio::test(flavor = "multi_thread")]
async fn the_base_is_not_written_over() {
    let server = server().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    pairs(&path.join("p.jsonl"), 8);
    let url = server.url.clone();
    in_thread(move || {
        let first = measure(&path, &url, "m", "base", &[]);
        assert!(first.status.success(), "{}", said(&first));
        assert!(
            said(&first).contains("figures and rows: base"),
            "{}",
            said(&first)
        );
        let before = std::fs::read(path.join("base/pairs.json")).unwrap();
        std::fs::create_dir(path.join("x")).unwrap();
        for out in ["base", "x/../base"] {
            let refused = measure(&path, &url, "better", out, &["--against", "./base"]);
            assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
            assert!(said(&refused).contains("--against"), "{}", said(&refused));
        }
        // The folder that is written where none is named.
        let mut default = args(&url, "pairs", "p.jsonl", "unused");
        default.truncate(default.len() - 2);
        assert!(run(&path, &default).status.success());
        default.extend(["--against", "evaluations/m"]);
        let refused = run(&path, &default);
        assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
        assert_eq!(before, std::fs::read(path.join("base/pairs.json")).unwrap());
    })
    .await;
    assert_eq!(
        server.requests().len(),
        8,
        "nothing was asked after the first"
    );
}

/// What was not measured alike is said, and does not pass; the same rows do.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_measured_alike_does_not_pass() {
    let server = server().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    pairs(&path.join("p.jsonl"), 120);
    rule(&path, "");
    let url = server.url.clone();
    in_thread(move || {
        let first = measure(&path, &url, "m", "base", &[]);
        assert!(first.status.success(), "{}", said(&first));
        let gate = ["--against", "base", "--gate", "--recipe", "r.toml"];
        for (more, expected, warned) in [
            (&["--limit", "100"][..], "on other rows", "20 rows only one"),
            (&["--max-tokens", "9"], "other limits of tokens", "other limits of tokens"),
        ] {
            let out = measure(&path, &url, "better", "b", &[&gate[..], more].concat());
            assert_eq!(out.status.code(), Some(1), "{}", said(&out));
            let table = String::from_utf8_lossy(&out.stdout).into_owned();
            assert!(table.contains(expected), "{table}");
            assert!(said(&out).contains(warned), "{}", said(&out));
        }
        let passed = measure(&path, &url, "better", "b", &gate);
        assert_eq!(passed.status.code(), Some(0), "{}", said(&passed));
        assert!(!said(&passed).contains("measured with"), "{}", said(&passed));
        // Another model's figures of a suite that this run does not measure.
        let own = figures(&path.join("b"), "pairs");
        assert_eq!(own["form"], "complete");
        rule(&path, "[[promote.rule]]\nsuite = \"old\"\nfigure = \"exact_match\"\nrequire = \"holds\"\nby = 0.2\n");
        for (model, out) in [("m", "base"), ("m", "b")] {
            let text = "[[eval.suite]]\nname = \"pairs\"\ntitle = \"old\"\ndata = [\"p.jsonl\"]\n";
            std::fs::write(path.join("old.toml"), text).unwrap();
            let mut old = args(&url, "pairs", "p.jsonl", out);
            old.drain(4..8);
            old[3] = model;
            old.extend(["--recipe", "old.toml"]);
            let wrote = run(&path, &old);
            assert!(wrote.status.success(), "{}", said(&wrote));
        }
        let stale = measure(&path, &url, "better", "b", &gate);
        let table = String::from_utf8_lossy(&stale.stdout).into_owned();
        assert_eq!(stale.status.code(), Some(1), "{table}");
        assert!(table.contains("`old` is of another model"), "{table}");
    })
    .await;
}

/// `--seed` draws clusters and rows; what is greedy is not completed anew, and of a sampled completion the
/// seed is part.
#[tokio::test(flavor = "multi_thread")]
async fn the_seed_is_of_draws() {
    let server = server().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    pairs(&path.join("p.jsonl"), 60);
    std::fs::write(
        path.join("warm.toml"),
        "[eval.decoding]\ntemperature = 0.5\n",
    )
    .unwrap();
    let url = server.url.clone();
    in_thread(move || {
        assert!(measure(&path, &url, "m", "base", &[]).status.success());
        let compared = |seed: &str| {
            let more = ["--against", "base", "--seed", seed, "--json"];
            let out = measure(&path, &url, "better", "b", &more);
            assert!(out.status.success(), "{}", said(&out));
            let found: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
            assert_eq!(found["evaluated"]["decoding"]["seed"], 1);
            found
        };
        let [one, two] = ["1", "2"].map(compared);
        assert_eq!(
            one["compared"]["differences"][0]["after"],
            two["compared"]["differences"][0]["after"]
        );
        assert_eq!(two["evaluated"]["bootstrap"]["seed"], 2);
        let more = ["--seed", "7", "--recipe", "warm.toml"];
        assert!(measure(&path, &url, "m", "warm", &more).status.success());
        assert_eq!(figures(&path.join("warm"), "pairs")["decoding"]["seed"], 7);
    })
    .await;
    assert_eq!(
        server.requests().len(),
        60 * 3,
        "greedy rows were completed once"
    );
}
