//! A run that is killed over and over gives what an undisturbed one gives, and pays once.

use std::collections::HashMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use futures::StreamExt;
use truefill_remote::api::Client;

use crate::shared::{answer, chat_body, client, config, ledger, question};
use crate::support::{Server, Step, head, mix, reply, under_way, until};

const ITEMS: usize = 1000;
const KILLS: usize = 50;
const CONCURRENCY: usize = 8;

/// The run: asks everything and writes the answers in order. Started by the test below as a
/// process of its own, which is killed.
#[tokio::test]
#[ignore = "a part of the test below"]
async fn child() {
    let Some(url) = std::env::var_os("TRUEFILL_TEST_URL") else {
        return;
    };
    let folder = std::env::var_os("TRUEFILL_TEST_FOLDER").unwrap();
    let folder = Path::new(&folder);
    let ledger = ledger(folder);
    let mut config = config(url.to_str().unwrap());
    config.concurrency = CONCURRENCY;
    config.retries = 20;
    let (client, _) = client(&config, &ledger);
    let answers = ask_everything(&client).await;
    std::fs::write(folder.join("answers.part"), answers.join("\n")).unwrap();
    std::fs::rename(folder.join("answers.part"), folder.join("answers")).unwrap();
}

async fn ask_everything(client: &Client) -> Vec<String> {
    futures::stream::iter(0..ITEMS)
        .map(|number| async move { client.chat(&question(number)).await.unwrap().text })
        .buffered(2 * CONCURRENCY)
        .collect()
        .await
}

/// Requests of one question, and of these how many were answered in full.
type Books = Arc<Mutex<HashMap<String, (usize, usize)>>>;

fn number_of(seen: &crate::support::Seen) -> String {
    let user = seen.json()["messages"][1]["content"].clone();
    user.as_str().unwrap().to_owned()
}

/// One in five requests fails, each time in another way; which ones depends on the question and
/// on how often it was asked.
fn serve(books: &Books, seen: &crate::support::Seen) -> Vec<Step> {
    let question = number_of(seen);
    let mut books = books.lock().unwrap();
    let (asked, answered) = books.entry(question.clone()).or_default();
    *asked += 1;
    let draw = mix(question.as_bytes(), *asked);
    let text = format!("answer to {question}");
    if !draw.is_multiple_of(5) {
        *answered += 1;
        return answer(&text);
    }
    let body = chat_body(&text).into_bytes();
    match (draw / 5) % 40 {
        0 => vec![Step::Hang],
        1..=5 => reply("429 Slow", &[("Retry-After", "1")], b""),
        6..=10 => reply(
            "429 Slow",
            &[("Retry-After", "Sun, 06 Nov 1994 08:49:38 GMT")],
            b"",
        ),
        11..=15 => reply("500 Oh", &[], b"boom"),
        16..=20 => reply("529 Overloaded", &[], b""),
        21..=25 => reply("200 OK", &[], &body[..30]),
        26..=30 => reply("200 OK", &[], b"[1, 2]"),
        31..=35 => vec![
            head("200 OK", &[("Content-Length", "500")]),
            Step::Send(body[..40].to_vec()),
            Step::Reset,
        ],
        _ => reply("200 OK", &[], &vec![b'x'; 64 << 10]),
    }
}

struct Kill(Child);

impl Drop for Kill {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(url: &str, folder: &Path) -> Kill {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "killed::child", "--ignored", "--quiet"])
        .env("TRUEFILL_TEST_URL", url)
        .env("TRUEFILL_TEST_FOLDER", folder)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    Kill(child)
}

fn asked(books: &Books) -> usize {
    books.lock().unwrap().values().map(|(asked, _)| asked).sum()
}

/// Kills until a run ends or `most` kills hit one; gives the kills.
async fn disturbed(most: usize) -> usize {
    let books = Books::default();
    let on_desk = Arc::clone(&books);
    let server = Server::start(move |_, seen| serve(&on_desk, seen)).await;
    let folder = tempfile::tempdir().unwrap();
    let answers = folder.path().join("answers");
    let (mut lost, mut hits) = (0, 0);
    while hits < most {
        let mut child = start(&server.url, folder.path());
        // Somewhere in the next stretch of the run.
        let target = asked(&books) + 1 + (mix(b"kill", most - hits) % 20) as usize;
        until(|| asked(&books) >= target || child.0.try_wait().unwrap().is_some()).await;
        drop(child);
        let open = under_way(&folder.path().join("ledger.db"));
        assert!(open <= CONCURRENCY, "{open} under way");
        lost += open;
        if answers.exists() {
            break;
        }
        hits += 1;
    }
    let mut child = start(&server.url, folder.path());
    until(|| child.0.try_wait().unwrap().is_some()).await;
    let found = std::fs::read_to_string(answers).unwrap();
    let expected: Vec<String> = (0..ITEMS)
        .map(|number| format!("answer to question {number}"))
        .collect();
    assert_eq!(found, expected.join("\n"));
    let books = books.lock().unwrap();
    assert_eq!(books.len(), ITEMS);
    let duplicates: usize = books.values().map(|(_, answered)| answered - 1).sum();
    assert!(
        duplicates <= lost,
        "{duplicates} answers were paid twice, {lost} were under way"
    );
    hits
}

/// As many runs as it takes until all kills hit one that was under way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_fifty_times_it_ends_with_the_same_answers_and_pays_once() {
    let mut kills = 0;
    while kills < KILLS {
        let hits = disturbed(KILLS - kills).await;
        assert!(hits > 0, "a run that no kill hits");
        kills += hits;
    }
}
