//! `POST /v1/chat/completions`.

use serde_json::{Map, Value, json};

use super::{Usage, fields, items, temperature, text, usage};
use crate::api::client::{ChatReply, ChatRequest, Finish};
use crate::api::config::{EndpointConfig, TokenLimitKey};

pub(super) fn body(config: &EndpointConfig, request: &ChatRequest) -> Map<String, Value> {
    let messages = json!([
        {"role": "system", "content": request.system},
        {"role": "user", "content": request.user},
    ]);
    let limit = match config.token_limit_key {
        TokenLimitKey::MaxTokens => "max_tokens",
        TokenLimitKey::MaxCompletionTokens => "max_completion_tokens",
    };
    let mut body = fields([
        ("messages", messages),
        ("temperature", temperature(request.temperature)),
        (limit, request.max_tokens.into()),
    ]);
    if let Some(seed) = request.seed {
        body.insert("seed".to_owned(), seed.into());
    }
    body
}

pub(super) fn parse(value: &Value) -> Result<(ChatReply, Usage), String> {
    let choice = items(value, "choices")?
        .first()
        .ok_or("expected a choice, found none")?;
    let message = super::field(choice, "message")?;
    let finish = match choice.get("finish_reason").and_then(Value::as_str) {
        Some("length") => Finish::Length,
        Some("content_filter") => Finish::Blocked,
        _ if message.get("refusal").is_some_and(Value::is_string) => Finish::Blocked,
        _ => Finish::Stop,
    };
    let content = match finish {
        // Reasoning that took every token leaves no text, a filter may leave none.
        Finish::Length | Finish::Blocked => message
            .get("content")
            .and_then(Value::as_str)
            .unwrap_or_default(),
        Finish::Stop => text(message, "content")?,
    };
    let usage = usage(value, "prompt_tokens", "completion_tokens");
    Ok((ChatReply::new(content, finish, usage), usage))
}
