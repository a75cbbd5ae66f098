//! Clients without delays, and replies for them.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde_json::json;
use truefill_remote::api::{ChatRequest, Client, EndpointConfig, Ledger, NoDelay, Protocol};

use crate::support::{Step, reply};

/// 6 November 1994, 08:49:37: the date in the standard's examples.
pub fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777)
}

pub fn config(url: &str) -> EndpointConfig {
    EndpointConfig {
        concurrency: 4,
        timeout_s: 1,
        retries: 8,
        reply_bytes: 32 << 10,
        price_input_per_million: Some(1.0),
        price_output_per_million: Some(10.0),
        ..EndpointConfig::new(url, Protocol::OpenaiChat, "m")
    }
}

pub fn client(config: &EndpointConfig, ledger: &Ledger) -> (Client, Arc<NoDelay>) {
    let timing = Arc::new(NoDelay::at(now()));
    let client = Client::new(config, ledger, timing.clone(), &|_| {
        Some("sk-secret".into())
    });
    (client.unwrap(), timing)
}

pub fn ledger(folder: &Path) -> Ledger {
    Ledger::open(&folder.join("ledger.db"), None).unwrap()
}

pub fn question(number: usize) -> ChatRequest {
    ChatRequest {
        subject: format!("c{number}/0"),
        prompt_version: "v1".into(),
        system: "Answer.".into(),
        user: format!("question {number}"),
        temperature: 0.0,
        seed: None,
        max_tokens: 16,
    }
}

pub fn chat_body(text: &str) -> String {
    json!({
        "choices": [{"message": {"content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 2},
    })
    .to_string()
}

pub fn answer(text: &str) -> Vec<Step> {
    reply("200 OK", &[], chat_body(text).as_bytes())
}
