//! Several threads and processes at once, processes killed while they write,
//! and disks that end.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "helpers of tests, too"
)]
#![cfg(unix)]

mod common;

use std::collections::{HashMap, HashSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use common::*;
use truefill_journal::*;

/// Events that the child acknowledges at once.
const GROUP: u64 = 5;

/// The body of a child process: writes until it is killed or its disk ends, and
/// says which of its suggestions are acknowledged.
#[test]
#[ignore = "run as a child process by the tests beside it"]
fn child() {
    let path = PathBuf::from(std::env::var("JOURNAL").unwrap());
    let writer: u64 = std::env::var("WRITER").unwrap().parse().unwrap();
    let groups: u64 = std::env::var("GROUPS").unwrap().parse().unwrap();
    let pause = Duration::from_micros(std::env::var("PAUSE_US").unwrap().parse().unwrap());
    let journal = Journal::open(
        &path,
        Options {
            clock: system_clock(),
            ..options()
        },
    );
    let mut out = std::io::stdout();
    for group in 0..groups {
        for number in group * GROUP..(group + 1) * GROUP {
            journal.record(suggestion(id(writer, number)));
            journal.record(outcome(id(writer, number), 0, Outcome::Served));
        }
        match journal.flush(PATIENCE) {
            Ok(()) => writeln!(out, "\nacknowledged {group}").unwrap(),
            Err(error) => {
                writeln!(out, "\nfailed {error}").unwrap();
                let health = journal.health();
                writeln!(out, "health {health:?} {:?}", journal.counters()).unwrap();
                break;
            }
        }
        out.flush().unwrap();
        thread::sleep(pause);
    }
    let counters = journal.counters();
    let _ = journal.close(PATIENCE);
    writeln!(out, "done {}", counters.dropped_full + counters.dropped_off).unwrap();
}

fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    command
}

fn spawn(command: &mut Command, path: &Path, writer: u64, groups: u64, pause: Duration) -> Child {
    command
        .env("JOURNAL", path)
        .env("WRITER", writer.to_string())
        .env("GROUPS", groups.to_string())
        .env("PAUSE_US", pause.as_micros().to_string())
        .spawn()
        .unwrap()
}

const CHILD: [&str; 4] = ["child", "--exact", "--ignored", "--nocapture"];

fn writer(path: &Path, writer: u64, groups: u64, pause: Duration) -> Child {
    let exe = std::env::current_exe().unwrap();
    let mut command = command(exe.to_str().unwrap());
    spawn(command.args(CHILD), path, writer, groups, pause)
}

/// The groups that a child has acknowledged, read until its output ends.
fn acknowledged(child: &mut Child) -> (HashSet<u64>, String) {
    let mut groups = HashSet::new();
    let mut rest = String::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        match line.strip_prefix("acknowledged ").map(str::parse) {
            Some(Ok(group)) => {
                groups.insert(group);
            }
            _ => rest.push_str(&format!("{line}\n")),
        }
    }
    (groups, rest)
}

/// Every acknowledged suggestion is there once with its outcome; returns how many rows there are.
fn check(path: &Path, acknowledged: &HashMap<u64, HashSet<u64>>) -> usize {
    if !path.exists() {
        // Killed before the file was made.
        assert!(acknowledged.values().all(HashSet::is_empty));
        return 0;
    }
    let rows = rows(path);
    let by_id: HashMap<_, _> = rows.iter().map(|row| (row.id, row)).collect();
    assert_eq!(by_id.len(), rows.len());
    for (&writer, groups) in acknowledged {
        for number in groups
            .iter()
            .flat_map(|group| group * GROUP..(group + 1) * GROUP)
        {
            let row = by_id.get(&id(writer, number));
            let row = row.unwrap_or_else(|| panic!("writer {writer}, suggestion {number}"));
            assert_eq!(row.outcomes.len(), 1);
        }
    }
    rows.len()
}

#[test]
fn threads_share_a_journal() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal.db");
    let journal = Arc::new(open(&path, options()));
    let threads: Vec<_> = (0..8)
        .map(|writer| {
            let journal = Arc::clone(&journal);
            thread::spawn(move || {
                for number in 0..200 {
                    assert!(matches!(
                        journal.record(suggestion(id(writer, number))),
                        Recorded::Queued(_)
                    ));
                }
            })
        })
        .collect();
    threads
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
    journal.flush(PATIENCE).unwrap();
    assert_eq!(rows(&path).len(), 1600);
    assert!(journal.counters().commits < 200);
}

#[test]
fn an_event_is_committed_without_a_flush() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal.db");
    let journal = open(
        &path,
        Options {
            gather: Options::default().gather,
            ..options()
        },
    );
    let Recorded::Queued(ticket) = journal.record(suggestion(id(1, 1))) else {
        panic!()
    };
    let begun = Instant::now();
    while journal.settled(ticket) == Settled::Pending {
        assert!(begun.elapsed() < PATIENCE);
        thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(journal.settled(ticket), Settled::Committed);
    assert_eq!(rows(&path).len(), 1);
    println!("committed after {:?}", begun.elapsed());
}

/// The body of a child process: 200 events a second, never flushed; says how long each took
/// to be acknowledged.
#[test]
#[ignore = "run as a child process by the tests beside it"]
fn paced_child() {
    let path = PathBuf::from(std::env::var("JOURNAL").unwrap());
    let writer: u64 = std::env::var("WRITER").unwrap().parse().unwrap();
    let events: u64 = std::env::var("GROUPS").unwrap().parse().unwrap();
    let defaults = Options {
        context: true,
        ..Options::default()
    };
    let journal = open(&path, defaults);
    let begun = Instant::now();
    let mut waiting = std::collections::VecDeque::new();
    let mut times = Vec::new();
    let mut number = 0;
    while number < events || !waiting.is_empty() {
        if number < events && begun.elapsed() >= Duration::from_millis(5 * number) {
            let recorded = journal.record(suggestion(id(writer, number)));
            let Recorded::Queued(ticket) = recorded else {
                panic!("{recorded:?}")
            };
            waiting.push_back((ticket, Instant::now()));
            number += 1;
        }
        while let Some(&(ticket, at)) = waiting.front() {
            match journal.settled(ticket) {
                Settled::Pending => break,
                settled => assert_eq!(settled, Settled::Committed),
            }
            waiting.pop_front();
            times.push(at.elapsed());
        }
        thread::sleep(Duration::from_micros(500));
    }
    times.sort();
    let at = |share: usize| times[(times.len() - 1) * share / 100].as_micros();
    println!("\nacknowledged within {} {} {}", at(50), at(99), at(100));
}

#[test]
fn ten_processes_lose_nothing() {
    const EVENTS: u64 = 400;
    let dir = tempfile::tempdir().unwrap();
    // All of them make the file at once.
    let path = dir.path().join("journal.db");
    let exe = std::env::current_exe().unwrap();
    let spawn = |number| {
        let mut command = command(exe.to_str().unwrap());
        command.args(["paced_child", "--exact", "--ignored", "--nocapture"]);
        spawn(&mut command, &path, number, EVENTS, Duration::ZERO)
    };
    let children: Vec<_> = (0..10).map(spawn).collect();
    let mut times = Vec::new();
    for mut child in children {
        let (_, rest) = acknowledged(&mut child);
        assert!(child.wait().unwrap().success(), "{rest}");
        let line = rest
            .lines()
            .find_map(|line| line.strip_prefix("acknowledged within "));
        let line = line.unwrap_or_else(|| panic!("{rest}"));
        times.push(
            line.split(' ')
                .map(|us| us.parse().unwrap())
                .collect::<Vec<u64>>(),
        );
    }
    let worst = |index: usize| times.iter().map(|times| times[index]).max();
    println!(
        "acknowledged, worst process, µs: p50 {:?}, p99 {:?}, longest {:?}",
        worst(0),
        worst(1),
        worst(2)
    );
    let rows = rows(&path);
    let ids: HashSet<_> = rows.iter().map(|row| row.id).collect();
    assert_eq!((rows.len(), ids.len()), (4_000, 4_000));
}

#[test]
fn killed_processes_lose_nothing_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal.db");
    let mut all = HashMap::new();
    let mut lines = 0;
    for round in 0..100 {
        // Rounds become longer until a slow machine has acknowledged something.
        if round >= 12 && lines > 0 {
            break;
        }
        let mut children: Vec<_> = (0..3)
            .map(|n| {
                (
                    round * 3 + n,
                    writer(&path, round * 3 + n, 10_000, Duration::ZERO),
                )
            })
            .collect();
        // Between the opening of the file and some hundred commits.
        thread::sleep(Duration::from_millis(20 + round * 37));
        for (_, child) in &mut children {
            child.kill().unwrap();
        }
        for (number, mut child) in children {
            let (groups, _) = acknowledged(&mut child);
            child.wait().unwrap();
            lines += groups.len();
            all.insert(number, groups);
        }
        check(&path, &all);
    }
    assert!(lines > 0, "nothing was acknowledged before the kills");
    let corrupt = std::fs::read_dir(dir.path()).unwrap();
    let names: Vec<_> = corrupt.map(|file| file.unwrap().file_name()).collect();
    assert!(
        names
            .iter()
            .all(|name| !name.to_string_lossy().contains("corrupt")),
        "{names:?}"
    );
}

/// A child whose disk has ended: off, clear about it, alive, everything acknowledged there.
fn check_full(mut child: Child, path: &Path) {
    let (groups, rest) = acknowledged(&mut child);
    assert!(child.wait().unwrap().success(), "{rest}");
    assert!(
        rest.contains("failed") && rest.contains("the journal is off"),
        "{rest}"
    );
    assert!(!groups.is_empty(), "{rest}");
    let rows = check(path, &HashMap::from([(1, groups.clone())]));
    println!(
        "{} groups acknowledged, {rows} rows there: {}",
        groups.len(),
        rest.trim()
    );
}

#[test]
fn files_that_may_not_grow() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal.db");
    // Writes beyond 256 KiB fail with EFBIG; the signal that comes with it is ignored.
    let exe = std::env::current_exe().unwrap();
    let script = "trap '' XFSZ; ulimit -f 512; exec \"$0\" \"$@\"";
    let mut command = command("sh");
    command
        .args(["-c", script, exe.to_str().unwrap()])
        .args(CHILD);
    check_full(spawn(&mut command, &path, 1, 10_000, Duration::ZERO), &path);
}

/// A small file system in memory; unmounted when dropped.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", "size=512k", "tmpfs"])
            .arg(dir.path());
        let mounted = mount
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success());
        mounted.then_some(Self(dir))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

#[test]
fn a_disk_that_is_full() {
    // Only root may mount; `files_that_may_not_grow` covers the others.
    let Some(disk) = SmallDisk::mount() else {
        return;
    };
    let path = disk.0.path().join("journal.db");
    let exe = std::env::current_exe().unwrap();
    let mut command = command(exe.to_str().unwrap());
    let mut child = spawn(command.args(CHILD), &path, 1, 10_000, Duration::ZERO);
    let (groups, rest) = acknowledged(&mut child);
    assert!(child.wait().unwrap().success(), "{rest}");
    assert!(rest.contains("disk is full"), "{rest}");
    // A reader needs room for its shared memory: the files are looked at elsewhere.
    let dir = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(disk.0.path()).unwrap() {
        let file = file.unwrap().path();
        if !file.to_string_lossy().ends_with("-shm") {
            std::fs::copy(&file, dir.path().join(file.file_name().unwrap())).unwrap();
        }
    }
    assert!(!groups.is_empty(), "{rest}");
    check(
        &dir.path().join("journal.db"),
        &HashMap::from([(1, groups)]),
    );
}

#[test]
fn recording_is_quick() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal.db");
    let journal = open(
        &path,
        Options {
            queue_events: 1 << 20,
            queue_bytes: 1 << 30,
            ..Options::default()
        },
    );
    let mut times: Vec<Duration> = (0..5_000)
        .map(|number| {
            let event = suggestion(id(1, number));
            let begun = Instant::now();
            journal.record(event);
            let time = begun.elapsed();
            // About the pace of ten fast typists.
            thread::sleep(Duration::from_micros(300));
            time
        })
        .collect();
    journal.flush(PATIENCE).unwrap();
    times.sort();
    let at = |share: usize| times[times.len() * share / 1000];
    println!(
        "record: p50 {:?}, p99 {:?}, p99.9 {:?}, longest {:?}; {:?}",
        at(500),
        at(990),
        at(999),
        times.last().unwrap(),
        journal.counters()
    );
    assert_eq!(journal.counters().committed, 5_000);
    // The time itself is reported, not asserted: a busy machine may take any.
    let mut sink = std::io::sink();
    assert_eq!(
        export(
            &Reader::open(&path).unwrap(),
            Query::default(),
            Texts::With,
            &mut sink
        )
        .unwrap(),
        5_000
    );
}

#[test]
fn a_child_that_is_killed_at_once_leaves_a_usable_journal() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal.db");
    for round in 0..15 {
        let mut child = writer(&path, round, 10_000, Duration::ZERO);
        thread::sleep(Duration::from_millis(round));
        child.kill().unwrap();
        let mut left = Vec::new();
        child.stdout.take().unwrap().read_to_end(&mut left).unwrap();
        child.wait().unwrap();
    }
    let journal = open(&path, options());
    journal.record(suggestion(id(99, 1)));
    journal.flush(PATIENCE).unwrap();
    assert_eq!(journal.counters().set_aside, 0);
    assert!(rows(&path).iter().any(|row| row.id == id(99, 1)));
}
