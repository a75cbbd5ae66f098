//! A panel behind an API: a run that is killed goes on where it was.

use std::collections::HashMap;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::corpus;
use crate::process::command;
use crate::support::{Seen, Server, Step, reply};

/// What a model would say: an edit of the golden completion that mostly fulfils the contract.
fn says(system: &str, user: &str) -> String {
    let between = |open: &str, close: &str| {
        let (_, rest) = user.split_once(open)?;
        rest.split_once(close)
            .map(|(inside, _)| inside.trim_matches('\n'))
    };
    if system.contains("Original import:") {
        let file = between("<file>", "</file>").unwrap();
        let line = file
            .lines()
            .find(|line| {
                line.contains("import ") || line.contains("use ") || line.contains("require")
            })
            .unwrap_or("none");
        let invented = line.trim_end_matches([';', '\'', '"']);
        let rest = &line[invented.len()..];
        return format!("Original import: {line}\nHallucinated import: {invented}Kitx{rest}");
    }
    let golden = between("<golden>", "</golden>").unwrap_or("");
    let edited = golden.replacen('(', "Twice(", 1);
    format!("Generated completion: {edited}")
}

/// Requests of one question, and how often it was answered.
type Books = Arc<Mutex<HashMap<String, usize>>>;

fn serve(books: &Books, number: usize, seen: &Seen) -> Vec<Step> {
    let body = seen.json();
    let content = |at: usize| body["messages"][at]["content"].as_str().unwrap().to_owned();
    let (system, user) = (content(0), content(1));
    match number % 7 {
        3 => return reply("500 Oh", &[], b""),
        5 => return reply("429 Slow", &[("Retry-After", "0")], b""),
        _ => {}
    }
    *books
        .lock()
        .unwrap()
        .entry(String::from_utf8_lossy(&seen.body).into_owned())
        .or_default() += 1;
    let said = json!({
        "choices": [{"message": {"content": says(&system, &user)}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 10},
    });
    let mut steps = vec![Step::Wait(Duration::from_millis(5))];
    steps.extend(reply("200 OK", &[], said.to_string().as_bytes()));
    steps
}

fn recipe(folder: &Path, url: &str) {
    let text = format!(
        "[members.mock]\nurl = '{url}'\nprotocol = 'openai-chat'\nmodel = 'm'\nconcurrency = 4\n\
         retries = 20\nprice_input_per_million = 1.0\nprice_output_per_million = 1.0\n\
         [generate]\ngenerators = ['mock', 'mutate']\nin_flight = 4\nbudget = 5.0\n"
    );
    std::fs::write(folder.join("recipe.toml"), text).unwrap();
}

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(folder: &Path) -> Killed {
    let child = command(folder)
        .args(["generate", "contexts.jsonl", "--out", "out.jsonl"])
        .args(["--recipe", "recipe.toml"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    Killed(child)
}

async fn until(mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(120);
    while !done() {
        assert!(Instant::now() < deadline, "nothing moves any more");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Runs to the end, killed after each of these numbers of requests; gives the file and how many
/// answers were given twice.
async fn killed_at(requests: &[usize]) -> (Vec<u8>, usize, usize) {
    let books = Books::default();
    let desk = Arc::clone(&books);
    let server = Server::start(move |number, seen| serve(&desk, number, seen)).await;
    let folder = tempfile::tempdir().unwrap();
    corpus::write(&folder.path().join("contexts.jsonl"), 1);
    recipe(folder.path(), &server.url);
    let mut under_way = 0;
    for at in requests {
        let child = start(folder.path());
        until(|| server.requests().len() >= *at).await;
        drop(child);
        assert!(!folder.path().join("out.jsonl").exists());
        let database = rusqlite::Connection::open(folder.path().join("out.ledger.db")).unwrap();
        let count: i64 = database
            .query_row("SELECT count(*) FROM intents", [], |row| row.get(0))
            .unwrap();
        under_way += usize::try_from(count).unwrap();
    }
    let mut child = start(folder.path());
    until(|| child.0.try_wait().unwrap().is_some()).await;
    let file = std::fs::read(folder.path().join("out.jsonl")).unwrap();
    let duplicates = books.lock().unwrap().values().map(|count| count - 1).sum();
    (file, duplicates, under_way)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_run_gives_the_same_file_and_pays_once() {
    let (whole, none, _) = killed_at(&[]).await;
    assert_eq!(none, 0);
    let rows = String::from_utf8(whole.clone()).unwrap();
    let by_mock = rows.lines().filter(|row| row.contains("\"mock\"")).count();
    assert!(by_mock > 10, "{by_mock} rows of the mock");
    let (resumed, duplicates, under_way) = killed_at(&[9, 30, 60]).await;
    assert_eq!(resumed, whole);
    assert!(duplicates <= under_way, "{duplicates} of {under_way}");
}
