//! What a replay cannot show: how fast an edit is applied while the engine is busy, and how soon a
//! cancelled request stops using the processor.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io::Write;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::{Value, json};

use super::lsp_peer::LspPeer;
use super::replay::{Buffer, Edit, Peer};
use crate::client::Client;

/// How often each probe is made.
const ROUNDS: usize = 12;
/// How often a request is cancelled.
const CANCELS: usize = 24;
/// What the journal calls its writer's thread.
const JOURNAL_THREAD: &str = "journal";
/// Edits sent while one request runs.
const EDITS: usize = 10;
/// A rest after a cancellation that comes later is told with the thread that was busy.
const LATE: Duration = Duration::from_millis(30);

/// Round trips of an edit and a question that is answered after it, while the engine computes for
/// another document, in milliseconds.
///
/// # Errors
/// Where the server is gone.
pub fn edits_while_busy(client: &mut Client, language: &str, text: &str) -> Result<Vec<f64>> {
    let mut found = Vec::new();
    for round in 0..ROUNDS {
        let busy = format!("file:///bench/busy-{round}");
        start_work(client, &busy, language, &shuffled(text, round))?;
        let other = "file:///bench/edited";
        let mut buffer = Buffer {
            text: text.to_owned(),
            cursor: text.len(),
        };
        let mut peer = LspPeer::new(client, other, language, true);
        peer.open(&buffer)?;
        let mut times = Vec::new();
        for _ in 0..EDITS {
            let edit = Edit {
                start: buffer.cursor,
                end: buffer.cursor,
                text: "x".into(),
            };
            let start = Instant::now();
            peer.change(&buffer.text, &edit)?;
            buffer.text.push('x');
            buffer.cursor += 1;
            peer.settled()?;
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
        peer.close()?;
        close(client, &busy)?;
        found.extend(times);
    }
    Ok(found)
}

/// From cancelling a running request until the server's threads rest, in milliseconds; `None`
/// where the system does not tell the processor time of threads.
///
/// # Errors
/// Where the server is gone.
pub fn rest_after_cancel(
    client: &mut Client,
    language: &str,
    text: &str,
) -> Result<Option<Vec<f64>>> {
    let process = client.process_id();
    if busy_times(process).is_none() {
        return Ok(None);
    }
    let mut found = Vec::new();
    for round in 0..CANCELS {
        let uri = format!("file:///bench/cancelled-{round}");
        let id = start_work(client, &uri, language, &shuffled(text, round))?;
        std::thread::sleep(Duration::from_millis(25 + 5 * round as u64));
        let start = Instant::now();
        client.notify("$/cancelRequest", json!({ "id": id }))?;
        // Without this the server would go on to warm the document, which is work that is wanted.
        close(client, &uri)?;
        let (rest, thread) = until_rest(process, start);
        if rest > LATE {
            // Nobody may be listening.
            let _ = writeln!(
                std::io::stderr(),
                "after a cancellation `{thread}` was busy until {rest:.0?}"
            );
        }
        found.push(rest.as_secs_f64() * 1e3);
    }
    Ok(Some(found))
}

/// The last moment at which the threads used more than a tenth of a window of two milliseconds,
/// and the thread that used most of it.
fn until_rest(process: u32, start: Instant) -> (Duration, String) {
    const WINDOW: Duration = Duration::from_millis(2);
    let mut last_busy = (Duration::ZERO, String::new());
    let mut before = busy_times(process).unwrap_or_default();
    while start.elapsed() < Duration::from_millis(300) {
        std::thread::sleep(WINDOW);
        let now = busy_times(process).unwrap_or_default();
        let used = now.iter().map(|(thread, (name, time))| {
            let known = before.get(thread).map_or(Duration::ZERO, |(_, time)| *time);
            (time.saturating_sub(known), name)
        });
        let used: Vec<(Duration, &String)> = used.collect();
        if used.iter().map(|(time, _)| *time).sum::<Duration>() > WINDOW / 10 {
            let most = used.iter().max().map(|(_, name)| (*name).clone());
            last_busy = (start.elapsed(), most.unwrap_or_default());
        }
        before = now;
    }
    last_busy
}

/// Waits until the index of the workspace is complete, so that its building is not measured.
///
/// # Errors
/// Where the server is gone.
pub fn wait_for_index(client: &mut Client, uri: &str) -> Result<()> {
    let end = Instant::now() + Duration::from_secs(60);
    while Instant::now() < end {
        let id = client.request(
            "workspace/executeCommand",
            json!({ "command": "truefill.why", "arguments": [uri] }),
        )?;
        let why = client.wait(id, Duration::from_secs(10))?;
        if why.pointer("/index/complete").and_then(Value::as_bool) == Some(true) {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// Name and processor time of each thread of a process but the journal's, which writes down the
/// cancellation 50 ms later and has nothing to do with the request's own work.
fn busy_times(process: u32) -> Option<HashMap<OsString, (String, Duration)>> {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).ok()?;
    let mut times = HashMap::new();
    for task in tasks.flatten() {
        // A thread that has ended meanwhile has no files any more.
        let read = |file| std::fs::read_to_string(task.path().join(file));
        let (Ok(name), Ok(text)) = (read("comm"), read("schedstat")) else {
            continue;
        };
        let name = name.trim_end().to_owned();
        if name != JOURNAL_THREAD {
            let time = text.split_whitespace().next()?.parse().ok()?;
            times.insert(task.file_name(), (name, Duration::from_nanos(time)));
        }
    }
    Some(times)
}

/// Largest memory of a process so far, in bytes.
pub fn peak_memory(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes * 1024)
}

/// A text that no cache has seen.
fn shuffled(text: &str, round: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let turn = (round + 1) * 7 % lines.len().max(1);
    let turned = [&lines[turn..], &lines[..turn]].concat();
    turned.join("\n")
}

fn start_work(client: &mut Client, uri: &str, language: &str, text: &str) -> Result<i64> {
    client.notify(
        "textDocument/didOpen",
        json!({ "textDocument":
            { "uri": uri, "languageId": language, "version": 1, "text": format!("{text}\n") } }),
    )?;
    let line = text.lines().count();
    let id = client.request(
        "textDocument/inlineCompletion",
        json!({
            "textDocument": { "uri": uri },
            "position": { "line": line, "character": 0 },
            "context": { "triggerKind": 1 },
        }),
    )?;
    Ok(id)
}

fn close(client: &mut Client, uri: &str) -> Result<()> {
    client.notify(
        "textDocument/didClose",
        json!({ "textDocument": { "uri": uri } }),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shuffled_texts_differ_and_keep_their_lines() {
        let text = "a\nb\nc\nd\ne\nf\ng\nh\ni";
        let turned: Vec<String> = (0..3).map(|round| shuffled(text, round)).collect();
        assert_eq!(turned[0], "h\ni\na\nb\nc\nd\ne\nf\ng");
        assert_ne!(turned[0], turned[1]);
        assert_eq!(shuffled("", 3), "");
    }

    /// The processor time of this thread; others of the test's process come and go.
    #[cfg(target_os = "linux")]
    fn own_time() -> Duration {
        let thread = std::fs::read_link("/proc/thread-self").expect("a thread");
        let id = thread.file_name().expect("a thread's number");
        busy_times(std::process::id()).expect("times")[id].1
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_systems_counters_can_be_read() {
        assert!(peak_memory(std::process::id()).expect("memory") > 1 << 20);
        let before = own_time();
        let start = Instant::now();
        while own_time() == before {
            assert!(
                start.elapsed() < Duration::from_secs(60),
                "time stands still"
            );
        }
        assert!(own_time() > before);
    }
}
