//! `generate --batch run` against a server's batches.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::mock;
use crate::process::{Bench, Step, told};
use crate::support::{Seen, Server, reply};
use crate::types;

/// A server's batches by their numbers; the first `failing` of them fail.
#[derive(Default)]
pub struct Office {
    pub inputs: Vec<String>,
    failing: usize,
    pub singly: usize,
    /// No batch is done before so many were uploaded.
    together: usize,
    /// Looks at a batch that is not done.
    waiting: usize,
}

pub type Shared = Arc<Mutex<Office>>;

pub async fn office(failing: usize) -> (Shared, Server) {
    let office = Shared::default();
    office.lock().unwrap().failing = failing;
    let desk = Arc::clone(&office);
    let server = Server::start(move |_, seen| serve(&mut desk.lock().unwrap(), seen)).await;
    (office, server)
}

fn serve(office: &mut Office, seen: &Seen) -> Vec<crate::support::Step> {
    let answer = |value: Value| reply("200 OK", &[], value.to_string().as_bytes());
    let line = seen.head.lines().next().unwrap();
    if line.starts_with("POST /v1/files") {
        let body = String::from_utf8_lossy(&seen.body).into_owned();
        office.inputs.push(body);
        return answer(json!({"id": format!("file-{}", office.inputs.len() - 1)}));
    }
    if line.starts_with("POST /v1/batches") {
        let id = seen.json()["input_file_id"]
            .as_str()
            .unwrap()
            .replace("file", "batch");
        return answer(json!({"id": id, "status": "validating"}));
    }
    let number = |prefix: &str| -> Option<usize> {
        let rest = line.strip_prefix(prefix)?;
        rest.split(['/', ' ']).next()?.parse().ok()
    };
    if let Some(number) = number("GET /v1/batches/batch-") {
        let id = format!("batch-{number}");
        if office.inputs.len() < office.together && office.waiting < 300 {
            office.waiting += 1;
            return answer(json!({"id": id, "status": "in_progress"}));
        }
        return answer(match number < office.failing {
            true => json!({"id": id, "status": "failed",
                           "errors": {"data": [{"message": "queue full"}]}}),
            false => json!({"id": id, "status": "completed",
                            "output_file_id": format!("out-{number}")}),
        });
    }
    if let Some(number) = number("GET /v1/files/out-") {
        return reply("200 OK", &[], output(&office.inputs[number]).as_bytes());
    }
    office.singly += 1;
    mock::whole(seen)
}

/// Answers all requests of an input but the first.
fn output(input: &str) -> String {
    let requests = input
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let lines = requests.skip(1).map(|request| {
        let seen = Seen {
            head: String::new(),
            body: request["body"].to_string().into_bytes(),
        };
        let body: Value = serde_json::from_str(&mock::answer(&seen)).unwrap();
        let response = json!({"status_code": 200, "body": body});
        json!({"custom_id": request["custom_id"], "response": response}).to_string() + "\n"
    });
    lines.collect()
}

pub const KEYS: &str = "price_input_per_million = 1.0\nprice_output_per_million = 1.0\n\
     [generate]\ngenerators = ['mock']\nbudget = 50.0\n";
pub const RUN: [&str; 4] = ["--batch", "run", "--batch-poll-s", "0"];

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_gives_the_rows_that_single_questions_give() {
    let (office, server) = office(0).await;
    let contexts: Vec<_> = (0..20).map(types::context).collect();
    let bench = Bench::of(&contexts, &server.url, KEYS);
    let ran = bench.run_with(Step::Generate, &[&RUN[..], &types::OTHERS].concat());
    assert!(ran.status.success(), "{}", told(&ran));
    // What the batch left open is asked singly.
    assert_eq!(office.lock().unwrap().singly, 1);
    let other = Bench::of(&contexts, &server.url, KEYS);
    let ran = other.run_with(Step::Generate, &types::OTHERS);
    assert!(ran.status.success(), "{}", told(&ran));
    assert!(bench.read("out.jsonl") == other.read("out.jsonl"));
    assert_eq!(office.lock().unwrap().singly, 81);
}

/// A batch takes up to a day: members' batches run at the same time.
#[tokio::test(flavor = "multi_thread")]
async fn the_batches_of_members_are_waited_for_together() {
    let (office, server) = office(0).await;
    office.lock().unwrap().together = 2;
    let keys = KEYS.replace("['mock']", "['mock', 'other']");
    let other = format!(
        "[members.other]\nurl = '{}'\nprotocol = 'openai-chat'\nmodel = 'o'\n",
        server.url
    );
    let other = other + &KEYS[..KEYS.find("[generate]").unwrap()];
    let keys = keys.replace("[generate]", &format!("{other}[generate]"));
    let bench = Bench::new(5, &server.url, &keys);
    let ran = bench.run_with(Step::Generate, &RUN);
    assert!(ran.status.success(), "{}", told(&ran));
    let office = office.lock().unwrap();
    assert_eq!(office.inputs.len(), 2);
    assert!(office.waiting < 300, "the second member had to wait");
    // What the batches were paid stands beside the bar.
    let spent = bench.manifest()["tables"]["ledger"]["spent"]
        .as_u64()
        .unwrap();
    let shown = format!("spent {:.4}", spent as f64 / 1e9);
    assert!(told(&ran).contains(&shown), "{shown}: {}", told(&ran));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_fails_is_told_and_made_again_by_the_same_command() {
    let (office, server) = office(1).await;
    let bench = Bench::new(5, &server.url, KEYS);
    let ran = bench.run_with(Step::Generate, &RUN);
    assert_eq!(ran.status.code(), Some(1), "{}", told(&ran));
    assert!(told(&ran).contains("queue full"), "{}", told(&ran));
    assert!(!bench.path("out.jsonl").exists());
    let ran = bench.run_with(Step::Generate, &RUN);
    assert!(ran.status.success(), "{}", told(&ran));
    assert_eq!(office.lock().unwrap().inputs.len(), 2);
    assert_eq!(office.lock().unwrap().singly, 1);
}

/// Else the old batches would run and the new questions be asked singly, at the full price.
#[tokio::test(flavor = "multi_thread")]
async fn batch_files_are_of_their_questions_alone() {
    let (office, server) = office(0).await;
    let bench = Bench::new(5, &server.url, KEYS);
    let ran = bench.run_with(Step::Generate, &["--batch", "files"]);
    assert!(ran.status.success(), "{}", told(&ran));
    bench.recipe(&server.url, &format!("{KEYS}seed = 9\n"));
    let ran = bench.run_with(Step::Generate, &RUN);
    assert_eq!(ran.status.code(), Some(2), "{}", told(&ran));
    assert!(told(&ran).contains("--batch-folder"), "{}", told(&ran));
    assert!(office.lock().unwrap().inputs.is_empty());
    // Another budget changes no question.
    bench.recipe(&server.url, &KEYS.replace("50.0", "60.0"));
    let ran = bench.run_with(Step::Generate, &RUN);
    assert!(ran.status.success(), "{}", told(&ran));
    assert_eq!(office.lock().unwrap().inputs.len(), 1);
}
