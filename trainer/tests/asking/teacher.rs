//! FGit's teacher with a server's embeddings, through the command.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::process::{Bench, Step, told};
use crate::support::{Seen, Server, reply};

/// What the teacher says for the three samples of a context, in the order in which they come; one
/// context is asked about at a time.
const VARIANTS: [&str; 3] = [
    "store.load_rows(row)",
    "store.fetch_everything(row)",
    "store.lift(row)",
];

/// The one whose embedding is nearest to the golden completion's; by its letters it is the farthest.
const NEAREST: &str = VARIANTS[1];

const KEYS: &str = "[members.vectors]\nurl = 'URL'\nprotocol = 'openai-chat'\nmodel = 'e5'\n\
     price_input_per_million = 1.0\nprice_output_per_million = 0.0\n\
     [generate]\nin_flight = 1\ngenerators = ['teacher:mock']\n[generate.teacher]\nembeddings = 'vectors'\n";

fn serve(seeds: &Mutex<BTreeSet<u64>>, seen: &Seen) -> Value {
    let body = seen.json();
    if !seen.head.contains("/v1/embeddings") {
        let mut seeds = seeds.lock().unwrap();
        assert!(seeds.insert(body["seed"].as_u64().unwrap()), "asked twice");
        let text = VARIANTS[seeds.len() % 3];
        let said = format!("```python\n{text}\n```");
        return json!({"choices": [{"message": {"content": said}, "finish_reason": "stop"}]});
    }
    assert_eq!(body["model"], "e5");
    let texts = body["input"].as_array().unwrap();
    let vectors = texts.iter().enumerate().map(|(index, text)| {
        let near = [NEAREST, "store.load(row)"].contains(&text.as_str().unwrap());
        json!({"index": index, "embedding": if near { [1.0, 0.1] } else { [0.1, 1.0] }})
    });
    json!({"data": vectors.collect::<Vec<_>>(), "usage": {"prompt_tokens": 9}})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_teachers_variant_is_chosen_by_a_servers_embeddings_and_paid_once() {
    let seeds = Arc::new(Mutex::new(BTreeSet::new()));
    let desk = Arc::clone(&seeds);
    let server = Server::start(move |_, seen| {
        let body = serve(&desk, seen).to_string();
        reply("200 OK", &[], body.as_bytes())
    })
    .await;
    let bench = Bench::new(4, &server.url, &KEYS.replace("URL", &server.url));
    let ran = bench.run(Step::Generate);
    assert!(ran.status.success(), "{}", told(&ran));
    let rows = String::from_utf8(bench.read("out.jsonl")).unwrap();
    let rows: Vec<Value> = rows
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(rows.len(), 4);
    for row in &rows {
        assert_eq!(
            (&row["type"], &row["rejected"]),
            (&"similar".into(), &NEAREST.into())
        );
        assert_eq!(row["generator"], "teacher:mock");
    }
    let tables = bench.manifest()["tables"].clone();
    assert_eq!(tables["teacher_similarity"], "cosine of embeddings by e5");
    assert_eq!(tables["members"]["vectors"]["model"], "e5");
    assert_eq!(tables["prompts"].as_array().unwrap().len(), 1);
    // Three questions and one request for vectors each; a second run has all of them.
    assert_eq!(server.requests().len(), 16);
    let before = bench.read("out.jsonl");
    assert!(bench.run(Step::Generate).status.success());
    assert_eq!(server.requests().len(), 16);
    assert!(bench.read("out.jsonl") == before);
}
