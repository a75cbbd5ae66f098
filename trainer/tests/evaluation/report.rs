//! `truefill-trainer report` over folders that `eval` wrote.

use std::path::Path;
use std::process::{Command, Output};

use crate::rows::{golden, pairs, ran, rejected};
use crate::server::{args, asked, in_thread, streamed};
use crate::support::Server;

fn report(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_truefill-trainer"));
    command.current_dir(folder).arg("report").args(args);
    command.output().unwrap()
}

fn read(folder: &Path, name: &str) -> String {
    std::fs::read_to_string(folder.join(name)).unwrap()
}

/// The cells of a Markdown table's line.
fn cells<'a>(page: &'a str, start: &str) -> Vec<&'a str> {
    let line = page.lines().find(|line| line.starts_with(start));
    let line = line.unwrap_or_else(|| panic!("{start}: {page}"));
    line.split('|').map(str::trim).collect()
}

/// The base has each fourth row right, the other checkpoint all of them: 75 points of 40 rows.
#[tokio::test(flavor = "multi_thread")]
async fn two_checkpoints_are_shown_side_by_side() {
    let server = Server::start(|_, seen| {
        let row = asked(seen);
        let right = seen.json()["model"] == "better" || row.is_multiple_of(4);
        let text = if right { golden(row) } else { rejected(row) };
        streamed(&text, "stop")
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    pairs(&path.join("p.jsonl"), 40);
    let url = server.url.clone();
    let at = path.clone();
    in_thread(move || {
        for model in ["m", "better"] {
            let mut args = args(&url, "pairs", "p.jsonl", model);
            args[3] = model;
            ran(&at, &args);
        }
    })
    .await;
    let named = ["base=m", "better-10k=better"];
    let shown = report(&path, &named);
    assert!(shown.status.success(), "{shown:?}");
    let printed = String::from_utf8(shown.stdout).unwrap();
    assert_eq!(printed, "report/report.html\nreport/report.md\n");
    let markdown = read(&path, "report/report.md");
    let html = read(&path, "report/report.html");
    for (name, exact, aligned) in [("base", "25.0", "75.0"), ("better-10k", "100.0", "0.0")] {
        let cells = cells(&markdown, &format!("| {name} "));
        let first = cells.iter().position(|cell| cell.starts_with(exact));
        let second = cells.iter().position(|cell| cell.starts_with(aligned));
        assert!(first.is_some() && second.is_some(), "{cells:?}");
    }
    // What the page says of the gain, of the row that it lost and of where it all is from.
    for text in ["+75.0", "▲", &rejected(1), &golden(1), "better-10k"] {
        assert!(markdown.contains(text), "{text}: {markdown}");
        assert!(html.contains(text), "{text}");
    }
    for outside in ["<script", "<link", "src=", "@import", "http:", "https:"] {
        assert!(!html.contains(outside), "{outside}");
    }
    let again = report(&path, &[&named[..], &["--out", "again"]].concat());
    assert!(again.status.success(), "{again:?}");
    assert_eq!(html, read(&path, "again/report.html"));
    assert_eq!(markdown, read(&path, "again/report.md"));
}

#[test]
fn what_cannot_be_shown_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    std::fs::write(path.join("torn.json"), "{").unwrap();
    for (args, code, expected) in [
        (&["nowhere"][..], 1, "nowhere"),
        (&["."], 1, "torn.json"),
        (&[], 2, "FOLDER"),
        (&[".", "--sizes", "a"], 2, "NAME=ROWS"),
        (&[".", "--data", "nowhere.json"], 1, "nowhere.json"),
    ] {
        let refused = report(path, args);
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(code), "{args:?}: {said}");
        assert!(said.contains(expected), "{args:?}: {said}");
        assert!(!path.join("report").exists(), "{args:?}");
    }
}
