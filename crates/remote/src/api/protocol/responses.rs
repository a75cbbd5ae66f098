//! `POST /v1/responses`.

use serde_json::{Map, Value};

use super::{Usage, fields, items, temperature, text, usage};
use crate::api::client::{ChatReply, ChatRequest, Finish};

pub(super) fn body(request: &ChatRequest) -> Map<String, Value> {
    // Replies are kept here and need not lie on the server too.
    fields([
        ("instructions", request.system.clone().into()),
        ("input", request.user.clone().into()),
        ("temperature", temperature(request.temperature)),
        ("max_output_tokens", request.max_tokens.into()),
        ("store", false.into()),
    ])
}

pub(super) fn parse(value: &Value) -> Result<(ChatReply, Usage), String> {
    let status = text(value, "status")?;
    let reason = value
        .get("incomplete_details")
        .and_then(|details| details.get("reason"))
        .and_then(Value::as_str);
    let mut finish = match (status, reason) {
        ("completed", _) => Finish::Stop,
        ("incomplete", Some("content_filter")) => Finish::Blocked,
        ("incomplete", _) => Finish::Length,
        (status, _) => return Err(format!("a response with the status `{status}`")),
    };
    let mut written = String::new();
    let messages = items(value, "output")?
        .iter()
        .filter(|item| item.get("type").and_then(Value::as_str) == Some("message"));
    for message in messages {
        for part in items(message, "content")? {
            match part.get("type").and_then(Value::as_str) {
                Some("output_text") => written.push_str(text(part, "text")?),
                Some("refusal") => finish = Finish::Blocked,
                _ => {}
            }
        }
    }
    if finish == Finish::Stop && written.is_empty() {
        return Err("expected a message with text, found none".to_owned());
    }
    let usage = usage(value, "input_tokens", "output_tokens");
    Ok((ChatReply::new(&written, finish, usage), usage))
}
