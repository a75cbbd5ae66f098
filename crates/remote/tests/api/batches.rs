//! Batches: written, run, found again after a crash.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use truefill_remote::api::{BatchFile, BatchWriter, Client, Ledger};

use crate::shared::{chat_body, client, config, ledger, question};
use crate::support::{Seen, Server, Step, head, reply, until};

/// A server's batches: metadata of each, and the input that was uploaded last.
#[derive(Default)]
struct Office {
    created: Vec<Value>,
    polls: usize,
    input: String,
    /// What happens to a request that creates: done, but the answer never comes.
    mute: bool,
    /// How many batches fail, the first ones.
    failing: usize,
    /// Pauses within the output; `None` is a connection that hangs.
    pauses: Vec<Option<Duration>>,
}

impl Office {
    fn status(&mut self, number: usize) -> Value {
        let id = format!("batch-{number}");
        if number < self.failing {
            self.created[number]["status"] = "failed".into();
            let errors =
                json!({"data": [{"code": "token_limit_exceeded", "message": "queue full"}]});
            return json!({"id": id, "status": "failed", "errors": errors});
        }
        self.polls += 1;
        let done = self.polls > 2;
        let counts = json!({"total": 3, "completed": self.polls, "failed": 0});
        json!({
            "id": id,
            "status": if done { "completed" } else { "in_progress" },
            "request_counts": counts,
            "output_file_id": done.then_some("file-out"),
        })
    }
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
    let asked_for = line.strip_prefix("GET /v1/batches/batch-");
    if let Some(number) = asked_for.and_then(|rest| rest[..1].parse::<usize>().ok()) {
        return json_reply(&office.status(number));
    }
    if line.starts_with("GET /v1/files/file-out/content") {
        let output = output(&office.input).into_bytes();
        let length = output.len().to_string();
        let mut steps = vec![head("200 OK", &[("Content-Length", &length)])];
        let mut rest = &output[..];
        for pause in std::mem::take(&mut office.pauses) {
            let (now, later) = rest.split_at(rest.len() / 2);
            steps.push(Step::Send(now.to_vec()));
            steps.push(pause.map_or(Step::Hang, Step::Wait));
            rest = later;
        }
        steps.push(Step::Send(rest.to_vec()));
        return steps;
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
    let shown = ledger.counters().snapshot();
    assert_eq!((shown.answered, shown.spent), (2, 30_000));
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

/// Question and reply are priced by their bytes then, as where they are asked singly.
#[tokio::test]
async fn a_batch_of_a_server_that_does_not_count_is_paid_by_estimate() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(folder.path());
    let (client, _) = client(&config("http://127.0.0.1:1"), &ledger);
    let file = written(&client, folder.path()).await;
    let input = std::fs::read_to_string(&file.path).unwrap();
    let path = folder.path().join("output.jsonl");
    std::fs::write(&path, output(&input).replace("usage", "unused")).unwrap();
    assert_eq!(client.read_batch_output(&path).await.unwrap().kept, 2);
    // 14 bytes of reply are 5 tokens; a question has more than 90 bytes. A batch costs half.
    let spent = ledger.totals().await.unwrap().spent;
    let replies = 2 * 5 * 10_000 / 2;
    assert!(spent > replies + 2 * 30 * 1_000 / 2, "{spent}");
    assert!(spent < 2 * replies + file.most, "{spent}");
}

/// As when the account's queue is full: nothing stays reserved, and the same file makes another.
#[tokio::test]
async fn a_batch_that_failed_is_made_again() {
    let (office, server) = office().await;
    office.lock().unwrap().failing = 2;
    let folder = tempfile::tempdir().unwrap();
    // Room for one batch: what a failed one had reserved is given back.
    let path = folder.path().join("ledger.db");
    let ledger = Ledger::open(&path, Some(0.0008)).unwrap();
    let (client, _) = client(&config(&server.url), &ledger);
    let file = written(&client, folder.path()).await;
    assert!(file.most > 800_000 / 2, "{}", file.most);
    for _ in 0..2 {
        let mut ignore = |_| {};
        let run = client.run_batch(&file, Duration::ZERO, &mut ignore);
        let error = run.await.unwrap_err();
        assert!(error.to_string().contains("queue full"), "{error}");
    }
    let run = client
        .run_batch(&file, Duration::ZERO, &mut |_| {})
        .await
        .unwrap();
    assert_eq!((run.kept, run.failed), (2, 1));
    assert_eq!(office.lock().unwrap().created.len(), 3);
}

/// An output may take longer than a reply, as long as bytes come; silence is given up.
#[tokio::test]
async fn an_output_has_time_and_no_output_hangs_a_run() {
    let pause = Some(Duration::from_millis(700));
    for pauses in [vec![pause, pause, pause], vec![None]] {
        let (office, server) = office().await;
        office.lock().unwrap().pauses = pauses;
        let folder = tempfile::tempdir().unwrap();
        let ledger = ledger(folder.path());
        let (client, _) = client(&config(&server.url), &ledger);
        let file = written(&client, folder.path()).await;
        let run = client.run_batch(&file, Duration::ZERO, &mut |_| {}).await;
        assert_eq!(run.unwrap().kept, 2);
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
        tokio::select! {
            ended = client.run_batch(&file, Duration::ZERO, &mut ignore) => panic!("{ended:?}"),
            () = until(|| !second.lock().unwrap().created.is_empty()) => {}
        }
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
