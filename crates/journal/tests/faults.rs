//! Damaged files, full disks, newer versions, full queues.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "helpers of tests, too"
)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use common::*;
use truefill_journal::*;

fn filled(path: &Path, rows: u64) {
    let journal = open(path, options());
    (0..rows).for_each(|number| {
        journal.record(suggestion(id(1, number)));
    });
    journal.close(PATIENCE).unwrap();
}

fn corrupt_files(dir: &Path) -> Vec<PathBuf> {
    let names = fs::read_dir(dir).unwrap().map(|file| file.unwrap().path());
    names
        .filter(|path| path.to_string_lossy().contains(".corrupt-"))
        .collect()
}

#[test]
fn a_corrupt_file_is_set_aside_and_a_fresh_one_started() {
    type Damage = fn(&mut Vec<u8>);
    let damages: &[(&str, Damage)] = &[
        ("no database", |bytes| bytes[..16].fill(b'x')),
        ("text", |bytes| {
            *bytes = b"this is a text file, not a database".repeat(100)
        }),
        ("truncated", |bytes| bytes.truncate(bytes.len() / 2 + 100)),
        ("page of noise", |bytes| bytes[4096..8192].fill(0xAA)),
        ("schema page", |bytes| bytes[100..300].fill(0xFF)),
    ];
    for (name, damage) in damages {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal.db");
        filled(&path, 200);
        let mut bytes = fs::read(&path).unwrap();
        damage(&mut bytes);
        fs::write(&path, &bytes).unwrap();

        let journal = open(&path, options());
        journal.record(suggestion(id(2, 1)));
        journal.flush(PATIENCE).unwrap();
        assert_eq!(journal.counters().set_aside, 1, "{name}");
        let aside = corrupt_files(dir.path());
        assert_eq!(aside.len(), 1, "{name}: {aside:?}");
        assert_eq!(fs::read(&aside[0]).unwrap(), bytes, "{name}");
        assert_eq!(rows(&path).len(), 1, "{name}");
    }
}

#[test]
fn random_damage_never_stops_the_journal() {
    let dir = tempfile::tempdir().unwrap();
    let whole = dir.path().join("whole.db");
    filled(&whole, 100);
    let bytes = fs::read(&whole).unwrap();
    let mut seed = 0x2545_F491_4F6C_DD1D_u64;
    let mut random = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed >> 33).unwrap()
    };
    for round in 0..60 {
        let path = dir.path().join(format!("{round}.db"));
        let mut bytes = bytes.clone();
        for _ in 0..1 + random() % 8 {
            let at = random() % bytes.len();
            bytes[at] ^= 1 << (random() % 8);
        }
        if round % 3 == 0 {
            bytes.truncate(random() % bytes.len());
        }
        fs::write(&path, &bytes).unwrap();
        let journal = Journal::open(&path, options());
        let health = journal.wait_started(PATIENCE);
        journal.record(suggestion(id(2, round)));
        // A flipped application id or version looks like another program's file.
        match health {
            Health::Working => journal.flush(PATIENCE).unwrap(),
            Health::Off(reason) => assert!(
                reason.sentence.contains(".db: the journal is off"),
                "{reason:?}"
            ),
            Health::Starting => panic!("round {round} hangs"),
        }
    }
}

#[test]
fn damage_met_while_writing_replaces_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal.db");
    // More than SQLite keeps in memory.
    filled(&path, 8_000);
    let journal = open(&path, options());
    // Behind the database's back: every page but the first turns to noise.
    let mut bytes = fs::read(&path).unwrap();
    bytes[4096..].fill(0xAA);
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &bytes, 0).unwrap();
    // All over the tree.
    (0..100).for_each(|number| {
        journal.record(suggestion(id(2, number * 80)));
    });
    journal.flush(PATIENCE).unwrap();
    assert_eq!(journal.counters().set_aside, 1);
    assert_eq!(rows(&path).len(), 100);
    assert_eq!(
        corrupt_files(dir.path())
            .iter()
            .filter(
                |p| !p.to_string_lossy().ends_with("wal") && !p.to_string_lossy().ends_with("shm")
            )
            .count(),
        1
    );
}

#[test]
fn a_deleted_file_is_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal.db");
    let journal = open(&path, options());
    journal.record(suggestion(id(1, 1)));
    journal.flush(PATIENCE).unwrap();
    for name in ["journal.db", "journal.db-wal", "journal.db-shm"] {
        fs::remove_file(dir.path().join(name)).unwrap();
    }
    journal.record(suggestion(id(1, 2)));
    journal.flush(PATIENCE).unwrap();
    assert_eq!(
        rows(&path).iter().map(|row| row.id).collect::<Vec<_>>(),
        [id(1, 2)]
    );
}

#[test]
fn at_its_size_limit_the_oldest_rows_make_room() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal.db");
    let limit = 160 << 10;
    let options = Options {
        max_bytes: Some(limit),
        ..options()
    };
    let journal = open(&path, options);
    let all = 1000;
    for number in 0..all {
        journal.record(suggestion(id(1, number)));
        journal.record(outcome(id(1, number), 0, Outcome::Served));
        if number % 10 == 0 {
            journal.flush(PATIENCE).unwrap();
        }
    }
    journal.flush(PATIENCE).unwrap();
    assert_eq!(journal.health(), Health::Working);
    let counters = journal.counters();
    assert_eq!((counters.committed, counters.lost), (2 * all, 0));
    let left = rows(&path);
    assert_eq!(left.len() as u64, all - counters.shed);
    assert!(left.len() > 50, "{}", left.len());
    // The newest stay, each with its outcomes.
    assert!(
        left.iter()
            .map(|row| row.id)
            .eq((counters.shed..all).map(|n| id(1, n)))
    );
    assert!(left.iter().all(|row| row.outcomes.len() == 1));
    assert!(fs::metadata(&path).unwrap().len() <= limit);
}

#[test]
fn a_limit_without_room_for_a_row_turns_the_journal_off() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal.db");
    let options = Options {
        max_bytes: Some(160 << 10),
        ..options()
    };
    let journal = open(&path, options);
    let mut record = record(id(1, 1));
    record.language = "x".repeat(200 << 10);
    let Recorded::Queued(ticket) = journal.record(Event::Suggestion(Box::new(record))) else {
        panic!("it was not taken");
    };
    assert!(journal.flush(PATIENCE).is_err());
    assert_eq!(journal.settled(ticket), Settled::Lost);
    let Health::Off(reason) = journal.health() else {
        panic!("{:?}", journal.health())
    };
    assert!(
        reason.sentence.contains("full") && reason.retries,
        "{}",
        reason.sentence
    );
    let dropped = Recorded::Dropped(DropReason::Off);
    assert_eq!(journal.record(suggestion(id(9, 9))), dropped);
}

#[test]
fn a_journal_that_was_off_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal.db");
    // A folder in the file's place.
    fs::create_dir(&path).unwrap();
    let again = Options {
        retry_after: Duration::from_millis(20),
        ..options()
    };
    let journal = Journal::open(&path, again);
    let Health::Off(reason) = journal.wait_started(PATIENCE) else {
        panic!("not off")
    };
    assert!(
        reason
            .sentence
            .starts_with(&format!("{}: the journal is off", path.display()))
    );
    assert_eq!(
        journal.record(suggestion(id(1, 0))),
        Recorded::Dropped(DropReason::Off)
    );
    fs::remove_dir(&path).unwrap();
    while journal.health() != Health::Working {
        std::thread::sleep(Duration::from_millis(5));
    }
    journal.record(suggestion(id(1, 1)));
    journal.flush(PATIENCE).unwrap();
    assert_eq!(rows(&path).len(), 1);
}

#[test]
fn newer_and_foreign_files_are_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let change = |name: &str, sql: &str| {
        let path = dir.path().join(name);
        if name == "newer.db" {
            filled(&path, 1);
        }
        rusqlite::Connection::open(&path)
            .unwrap()
            .execute_batch(sql)
            .unwrap();
        let journal = Journal::open(&path, options());
        let Health::Off(reason) = journal.wait_started(PATIENCE) else {
            panic!("{name} is used")
        };
        assert!(!reason.retries);
        reason.sentence
    };
    let newer = change("newer.db", "PRAGMA user_version = 99");
    assert!(newer.contains("found 99; update Truefill"), "{newer}");
    let foreign = change("foreign.db", "CREATE TABLE theirs (a)");
    assert!(foreign.contains("another program"), "{foreign}");
    assert!(corrupt_files(dir.path()).is_empty());
}

#[test]
fn an_older_version_is_brought_up_with_its_rows() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal.db");
    let dump = include_str!("data/schema_1.sql");
    rusqlite::Connection::open(&path)
        .unwrap()
        .execute_batch(dump)
        .unwrap();
    // First by a reader, then by a writer.
    assert_eq!(rows(&path).len(), 2);
    let journal = open(&path, options());
    journal.record(suggestion(id(1, 1)));
    journal.close(PATIENCE).unwrap();
    let rows = rows(&path);
    assert_eq!(rows.len(), 3);
    assert_eq!(rows[0].outcomes.len(), 1);
    let db = rusqlite::Connection::open(&path).unwrap();
    let version: u32 = db
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap();
    assert_eq!(version, SCHEMA_VERSION);
}

#[test]
fn a_full_queue_drops_and_counts() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal.db");
    let small = Options {
        queue_events: 4,
        gather: PATIENCE,
        ..options()
    };
    let journal = open(&path, small);
    // Another writer holds the database: the batch cannot be committed.
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut queued = 0;
    let mut full = 0;
    for number in 0..64 {
        match journal.record(suggestion(id(1, number))) {
            Recorded::Queued(_) => queued += 1,
            Recorded::Dropped(DropReason::Full) => full += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!(full > 0);
    assert!(journal.flush(Duration::from_millis(50)).is_err());
    other.execute_batch("COMMIT").unwrap();
    journal.flush(PATIENCE).unwrap();
    let counters = journal.counters();
    assert_eq!(
        (counters.queued, counters.committed, counters.dropped_full),
        (queued, queued, full)
    );
    assert_eq!(rows(&path).len() as u64, queued);
}

#[cfg(unix)]
#[test]
fn only_the_owner_may_read() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("made/journal.db");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let journal = open(&path, options());
    journal.record(suggestion(id(1, 1)));
    journal.flush(PATIENCE).unwrap();
    for file in fs::read_dir(path.parent().unwrap()).unwrap() {
        let file = file.unwrap().path();
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    drop(journal);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    drop(open(&path, options()));
    assert_eq!(mode(&path), 0o600);
}
