//! Batches: written, run, found again after a crash.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use truefill_remote::api::{BatchFile, BatchWriter, Client};

use crate::shared::{chat_body, client, config, ledger, question};
use crate::support::{Seen, Server, Step, reply};

/// A server's batches: metadata of each, and the input that was uploaded last.
#[derive(Default)]
struct Office {
    created: Vec<Value>,
    polls: usize,
    input: String,
    /// What happens to a request that creates: done, but the answer never comes.
    mute: bool,
}

type Shared = Arc<Mutex<Office>>;

fn json_reply(value: &Value) -> Vec<Step> {
    reply("200 OK", &[], value.to_string().as_bytes())
}

fn serve(office: &Shared, seen: &Seen) -> Vec<Step> {
    let mut office = office.lock().unwrap();
    let line = seen.head.lines().next().unwrap().to_owned();
    if line.starts_with("POST /v1/files") {
        office.input = String::from_utf8_lossy(&seen.body).into_owned();
        return json_reply(&json!({"id": "file-in"}));
    }
    if line.starts_with("POST /v1/batches") {
        let body = seen.json();
        assert_eq!(body["input_file_id"], "file-in");
        let id = format!("batch-{}", office.created.len());
        let batch = json!({"id": id, "status": "validating", "metadata": body["metadata"]});
        office.created.push(batch.clone());
        return match std::mem::take(&mut office.mute) {
            true => vec![Step::Hang],
            false => json_reply(&batch),
        };
    }
    if line.starts_with("GET /v1/batches?") {
        return json_reply(&json!({"data": office.created, "has_more": false}));
    }
    if line.starts_with("GET /v1/batches/batch-0") {
        office.polls += 1;
        let done = office.polls > 2;
        let counts = json!({"total": 3, "completed": office.polls, "failed": 0});
        return json_reply(&json!({
            "id": "batch-0",
            "status": if done { "completed" } else { "in_progress" },
            "request_counts": counts,
            "output_file_id": done.then_some("file-out"),
        }));
    }
    if line.starts_with("GET /v1/files/file-out/content") {
        return reply("200 OK", &[], output(&office.input).as_bytes());
    }
    reply("404 Not Found", &[], line.as_bytes())
}

/// Answers the requests of an input, the last one with a failure.
fn output(input: &str) -> String {
    let requests: Vec<Value> = input
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    let mut lines = String::new();
    for (number, request) in requests.iter().enumerate() {
        let body: Value = serde_json::from_str(&chat_body("from the batch")).unwrap();
        let status = if number == 2 { 500 } else { 200 };
        let response = json!({"status_code": status, "body": body});
        let line = json!({"custom_id": request["custom_id"], "response": response});
        lines.push_str(&format!("{line}\n"));
    }
    lines.push_str("{torn");
    lines
}

async fn written(client: &Client, folder: &std::path::Path) -> BatchFile {
    let mut writer = BatchWriter::new(client, folder, "gpt").unwrap();
    for number in 0..3 {
        assert!(writer.add(&question(number)).await.unwrap());
    }
    let mut files = writer.finish().unwrap();
    assert_eq!((files.len(), files[0].requests), (1, 3));
    files.remove(0)
}

async fn office() -> (Shared, Server) {
    let office = Shared::default();
    let desk = Arc::clone(&office);
    let server = Server::start(move |_, seen| serve(&desk, seen)).await;
    (office, server)
}

#[tokio::test]
async fn a_batch_fills_the_ledger() {
    let (office, server) = office().await;
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(folder.path());
    let (client, _) = client(&config(&server.url), &ledger);
    let file = written(&client, folder.path()).await;
    let mut events = Vec::new();
    let run = client
        .run_batch(&file, Duration::from_secs(60), &mut |event| {
            events.push(event)
        })
        .await
        .unwrap();
    assert_eq!((run.kept, run.failed), (2, 1));
    assert_eq!(events.len(), 5, "{events:?}");
    for number in 0..2 {
        let reply = client.chat(&question(number)).await.unwrap();
        assert_eq!(reply.text, "from the batch");
    }
    let totals = ledger.totals().await.unwrap();
    assert_eq!((totals.replies, totals.spent), (2, 30_000));
    // A second run has nothing to do, and a new file has only what failed.
    let again = client
        .run_batch(&file, Duration::from_secs(60), &mut |_| {})
        .await
        .unwrap();
    assert_eq!(again.kept, 0);
    assert_eq!(office.lock().unwrap().created.len(), 1);
    let mut writer = BatchWriter::new(&client, folder.path(), "rest").unwrap();
    for number in 0..3 {
        assert_eq!(writer.add(&question(number)).await.unwrap(), number == 2);
    }
}

#[tokio::test]
async fn a_batch_whose_id_was_lost_is_found_and_not_made_twice() {
    // The reply to the creation is lost: the same run finds it.
    let (first, server) = office().await;
    first.lock().unwrap().mute = true;
    let folder = tempfile::tempdir().unwrap();
    {
        let ledger = ledger(folder.path());
        let (client, _) = client(&config(&server.url), &ledger);
        let file = written(&client, folder.path()).await;
        let run = client
            .run_batch(&file, Duration::ZERO, &mut |_| {})
            .await
            .unwrap();
        assert_eq!(run.kept, 2);
        assert_eq!(first.lock().unwrap().created.len(), 1);
    }
    // The run ends while it creates: the next run finds it.
    let (second, server) = office().await;
    second.lock().unwrap().mute = true;
    let folder = tempfile::tempdir().unwrap();
    let file = {
        let ledger = ledger(folder.path());
        let (client, _) = client(&config(&server.url), &ledger);
        let file = written(&client, folder.path()).await;
        let mut ignore = |_| {};
        let run = client.run_batch(&file, Duration::ZERO, &mut ignore);
        assert!(
            tokio::time::timeout(Duration::from_millis(400), run)
                .await
                .is_err()
        );
        file
    };
    assert_eq!(second.lock().unwrap().created.len(), 1);
    let ledger = ledger(folder.path());
    let (client, _) = client(&config(&server.url), &ledger);
    let run = client
        .run_batch(&file, Duration::ZERO, &mut |_| {})
        .await
        .unwrap();
    assert_eq!(run.kept, 2);
    assert_eq!(second.lock().unwrap().created.len(), 1);
}
