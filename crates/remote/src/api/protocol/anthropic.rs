//! `POST /v1/messages`.

use serde_json::{Map, Value, json};

use super::{Usage, fields, items, temperature, text, usage};
use crate::api::client::{ChatReply, ChatRequest, Finish};

pub(super) fn body(request: &ChatRequest) -> Map<String, Value> {
    fields([
        ("system", request.system.clone().into()),
        (
            "messages",
            json!([{"role": "user", "content": request.user}]),
        ),
        // The protocol ends at 1.
        ("temperature", temperature(request.temperature.min(1.0))),
        ("max_tokens", request.max_tokens.into()),
    ])
}

pub(super) fn parse(value: &Value) -> Result<(ChatReply, Usage), String> {
    let finish = match text(value, "stop_reason")? {
        "max_tokens" | "model_context_window_exceeded" => Finish::Length,
        "refusal" => Finish::Blocked,
        _ => Finish::Stop,
    };
    let mut written = String::new();
    for block in items(value, "content")? {
        if block.get("type").and_then(Value::as_str) == Some("text") {
            written.push_str(text(block, "text")?);
        }
    }
    if finish == Finish::Stop && written.is_empty() {
        return Err("expected a block of text, found none".to_owned());
    }
    let usage = usage(value, "input_tokens", "output_tokens");
    Ok((ChatReply::new(&written, finish, usage), usage))
}
