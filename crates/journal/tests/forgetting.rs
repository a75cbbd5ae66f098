//! What a user wants forgotten, and what is too old, stands nowhere any more.

#![allow(clippy::unwrap_used, reason = "helpers of tests, too")]

mod common;

use std::path::Path;
use std::time::{Duration, Instant};

use common::*;
use truefill_journal::*;

/// A suggestion in a document, with a text that is found again, an outcome and a hole.
fn write(journal: &Journal, number: u64, path: &str) {
    let mut record = record(id(1, number));
    let document = Document {
        path: path.to_owned(),
        repository: Some("/w".to_owned()),
        policy: PathPolicy::Open,
    };
    record.document = document.clone();
    record.completion = Some(Completion {
        text: format!("completion_of_{number}_;"),
        ..Completion::default()
    });
    journal.record(Event::Suggestion(Box::new(record)));
    journal.record(outcome(id(1, number), 0, Outcome::Shown));
    journal.record(Event::Hole(Box::new(HoleRecord {
        suggestion: id(1, number),
        document,
        prefix: "fn main() {\n".to_owned(),
        golden: format!("golden_of_{number}_;"),
        suffix: "\n}\n".to_owned(),
        kind: HoleKind::Line,
        own: vec![(0, 6)],
    })));
}

/// Which suggestions' texts stand in any file of a folder.
fn found(dir: &Path, numbers: std::ops::Range<u64>) -> Vec<u64> {
    let files = std::fs::read_dir(dir).unwrap();
    let bytes: Vec<Vec<u8>> = files
        .map(|file| std::fs::read(file.unwrap().path()).unwrap())
        .collect();
    let holds = |text: String| {
        let text = text.as_bytes();
        bytes
            .iter()
            .any(|file| file.windows(text.len()).any(|w| w == text))
    };
    numbers
        .filter(|n| holds(format!("completion_of_{n}_;")) || holds(format!("golden_of_{n}_;")))
        .collect()
}

fn numbers(path: &Path) -> Vec<u64> {
    let rows = rows(path);
    assert!(
        rows.iter()
            .all(|row| row.hole.is_some() && row.outcomes.len() == 1)
    );
    rows.iter()
        .map(|row| row.id.unix_millis() - 1_700_000_000_000)
        .collect()
}

#[test]
fn what_is_forgotten_stands_nowhere() {
    let paths = [
        "/w/a/b/one.rs",
        "/w/a/b/two.rs",
        "/w/a/three.rs",
        "/w/ab/four.rs",
    ];
    let path = |path: &str| Selection::Path(path.to_owned());
    let table = [
        (path("/w/a/b/one.rs"), vec![1, 2, 3]),
        (path("/w/a/b"), vec![2, 3]),
        (path("/w/a"), vec![3]),
        (path("/w"), vec![]),
        (path("/elsewhere"), vec![0, 1, 2, 3]),
        (Selection::All, vec![]),
        (Selection::Before(UnixMicros(5_000_001)), vec![2, 3]),
    ];
    for (selection, left) in table {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("journal.db");
        let journal = open(&file, options());
        for (number, path) in paths.into_iter().enumerate() {
            write(&journal, number as u64, path);
        }
        journal.flush(PATIENCE).unwrap();
        assert_eq!(numbers(&file), [0, 1, 2, 3]);
        // The server goes on while the user asks for it.
        let forgotten = forget(&file, &selection).unwrap();
        let gone = 4 - left.len() as u64;
        assert_eq!(
            (forgotten.suggestions, forgotten.log_truncated),
            (gone, true)
        );
        assert_eq!(numbers(&file), left, "{selection:?}");
        assert_eq!(found(dir.path(), 0..4), left, "{selection:?}");
        write(&journal, 9, "/w/new.rs");
        journal.close(PATIENCE).unwrap();
        assert!(numbers(&file).contains(&9));
    }
}

#[test]
fn what_comes_after_its_suggestion_was_forgotten_is_not_written() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("journal.db");
    let journal = open(&file, options());
    write(&journal, 0, "/w/a.rs");
    journal.flush(PATIENCE).unwrap();
    forget(&file, &Selection::Path("/w".to_owned())).unwrap();
    let late = HoleRecord {
        suggestion: id(1, 0),
        document: record(id(1, 0)).document,
        prefix: String::new(),
        golden: "golden_of_0_;".to_owned(),
        suffix: String::new(),
        kind: HoleKind::Block,
        own: Vec::new(),
    };
    journal.record(Event::Hole(Box::new(late)));
    journal.record(outcome(id(1, 0), 1, Outcome::Served));
    journal.close(PATIENCE).unwrap();
    assert!(found(dir.path(), 0..1).is_empty());
    let db = rusqlite::Connection::open(&file).unwrap();
    let rows = db.query_row("SELECT count(*) FROM outcome", [], |row| {
        row.get::<_, i64>(0)
    });
    assert_eq!(rows.unwrap(), 0);
}

#[test]
fn more_rows_than_one_transaction_takes_are_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("journal.db");
    let journal = open(&file, options());
    for number in 0..1200 {
        journal.record(suggestion(id(1, number)));
    }
    journal.record(outcome(id(5, 5), 0, Outcome::Shown));
    journal.flush(PATIENCE).unwrap();
    let forgotten = forget(&file, &Selection::All).unwrap();
    assert_eq!(forgotten.suggestions, 1200);
    assert!(rows(&file).is_empty());
    let database = rusqlite::Connection::open(&file).unwrap();
    let outcomes: i64 = database
        .query_row("SELECT count(*) FROM outcome", [], |row| row.get(0))
        .unwrap();
    assert_eq!(outcomes, 0, "one without a suggestion goes, too");
}

#[test]
fn rows_go_when_they_are_too_old() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("journal.db");
    let day = 86_400_000_000;
    let written = open(&file, options());
    for number in 0..1100 {
        written.record_at(
            UnixMicros(number * day / 100),
            suggestion(id(1, number as u64)),
        );
    }
    written.close(PATIENCE).unwrap();
    let journal = open(
        &file,
        Options {
            clock: std::sync::Arc::new(move || UnixMicros(11 * day)),
            keep: Some(Duration::from_secs(2 * 86_400)),
            ..options()
        },
    );
    let until = Instant::now() + PATIENCE;
    while journal.counters().expired < 900 && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(5));
    }
    journal.close(PATIENCE).unwrap();
    let left = rows(&file);
    assert_eq!(left.len(), 200);
    assert!(left.iter().all(|row| row.at.0 >= 9 * day));
}

#[test]
fn a_damaged_journal_that_was_set_aside_is_told_of_and_purged() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("journal.db");
    let journal = open(&file, options());
    write(&journal, 0, "/w/a.rs");
    journal.close(PATIENCE).unwrap();
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[..16].fill(0);
    std::fs::write(&file, bytes).unwrap();
    let path = Selection::Path("/w/a.rs".to_owned());
    let told = forget(&file, &path).unwrap();
    assert_eq!((told.suggestions, told.set_aside.len()), (0, 1));
    assert_eq!(found(dir.path(), 0..1), [0], "it still stands there");
    assert_eq!(
        forget(&file, &Selection::All).unwrap().set_aside,
        Vec::<std::path::PathBuf>::new()
    );
    assert!(found(dir.path(), 0..1).is_empty());
}

#[test]
fn paths_are_known_by_their_names_and_where_they_lead_to() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().canonicalize().unwrap();
    std::fs::create_dir(root.join("real")).unwrap();
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let names = |path: &str| names_of(&root.join(path)).unwrap();
    assert_eq!(names("real/../real/./"), [text(&root.join("real"))]);
    assert_eq!(names("gone/../b"), [text(&root.join("b"))]);
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("real", root.join("link")).unwrap();
        assert_eq!(
            names("link"),
            [text(&root.join("link")), text(&root.join("real"))]
        );
    }
}

#[test]
fn there_must_be_a_journal() {
    let error = forget(Path::new("/nowhere/journal.db"), &Selection::All).unwrap_err();
    assert!(error.to_string().contains("expected a journal"), "{error}");
}
