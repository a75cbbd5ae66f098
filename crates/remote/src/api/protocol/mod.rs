//! What is said in each dialect, and what is understood of the answer. Pure functions.

mod anthropic;
mod chat;
mod embeddings;
mod responses;

use serde_json::{Map, Value};

use super::client::{ChatReply, ChatRequest};
use super::config::{EndpointConfig, Protocol};

pub(super) use embeddings::{EMBEDDINGS_PATH, body as embeddings_body, parse as parse_embeddings};

/// What limits of tokens are called.
const LIMITS: [&str; 3] = ["max_tokens", "max_completion_tokens", "max_output_tokens"];

/// Longest text of a reply, in bytes: beyond it nothing is an answer to a question of ours.
const LONGEST_TEXT: usize = 1 << 20;

/// Tokens that a server counted, where it tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Usage {
    pub input: Option<u64>,
    pub output: Option<u64>,
}

impl Protocol {
    /// The path that chat requests go to.
    pub(super) const fn path(self) -> &'static str {
        match self {
            Self::OpenaiChat => "v1/chat/completions",
            Self::OpenaiResponses => "v1/responses",
            Self::Anthropic => "v1/messages",
        }
    }
}

/// The body of a chat request, with the recipe's own fields.
pub(super) fn body(config: &EndpointConfig, request: &ChatRequest) -> Value {
    let mut fields = match config.protocol {
        Protocol::OpenaiChat => chat::body(config, request),
        Protocol::OpenaiResponses => responses::body(request),
        Protocol::Anthropic => anthropic::body(request),
    };
    fields.insert("model".to_owned(), config.model.clone().into());
    for key in &config.omit {
        fields.remove(key);
    }
    for (key, value) in &config.extra {
        fields.insert(key.clone(), value.clone());
    }
    Value::Object(fields)
}

/// Most tokens of reply that a body asks for; nothing where it sets no bound.
pub(super) fn reply_tokens(body: &Value) -> Option<u64> {
    let choices = body.get("n").and_then(Value::as_u64).unwrap_or(1);
    let limits = LIMITS.iter().filter_map(|key| body.get(key));
    let most = limits.map(Value::as_u64).collect::<Option<Vec<_>>>()?;
    Some(most.into_iter().max()?.saturating_mul(choices.max(1)))
}

/// Refuses an endpoint whose requests, as they are sent, set no bound to their replies: a budget
/// could not be kept.
///
/// # Errors
/// A sentence that names the key.
pub(super) fn check_limit(config: &EndpointConfig) -> Result<(), String> {
    let request = ChatRequest {
        subject: String::new(),
        prompt_version: String::new(),
        system: String::new(),
        user: String::new(),
        temperature: 0.0,
        seed: None,
        max_tokens: 1,
    };
    match reply_tokens(&body(config, &request)) {
        Some(_) => Ok(()),
        None => Err(format!(
            "expected a limit of tokens ({}) in what is sent, since there is a budget to keep, found \
             none; take it out of `omit`, and give numbers in `extra`",
            LIMITS.join(", ")
        )),
    }
}

/// Reads a reply.
///
/// # Errors
/// What was expected and what was found.
pub(super) fn parse(protocol: Protocol, body: &[u8]) -> Result<(ChatReply, Usage), String> {
    let value: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    parse_value(protocol, &value)
}

/// Reads a reply that was JSON within JSON.
pub(super) fn parse_value(protocol: Protocol, value: &Value) -> Result<(ChatReply, Usage), String> {
    let (reply, usage) = match protocol {
        Protocol::OpenaiChat => chat::parse(value)?,
        Protocol::OpenaiResponses => responses::parse(value)?,
        Protocol::Anthropic => anthropic::parse(value)?,
    };
    if reply.text.len() > LONGEST_TEXT {
        return Err(format!("a text of more than {LONGEST_TEXT} bytes"));
    }
    Ok((reply, usage))
}

/// A field, or which one is missing.
fn field<'a>(value: &'a Value, key: &str) -> Result<&'a Value, String> {
    value
        .get(key)
        .filter(|value| !value.is_null())
        .ok_or_else(|| format!("expected the field `{key}`, found none"))
}

fn text<'a>(value: &'a Value, key: &str) -> Result<&'a str, String> {
    field(value, key)?
        .as_str()
        .ok_or_else(|| format!("expected text in the field `{key}`"))
}

fn items<'a>(value: &'a Value, key: &str) -> Result<&'a [Value], String> {
    field(value, key)?
        .as_array()
        .map(Vec::as_slice)
        .ok_or_else(|| format!("expected a list in the field `{key}`"))
}

fn usage(value: &Value, input: &str, output: &str) -> Usage {
    let read = |key| value.get("usage")?.get(key)?.as_u64();
    Usage {
        input: read(input),
        output: read(output),
    }
}

/// Fields from pairs.
fn fields<const N: usize>(pairs: [(&str, Value); N]) -> Map<String, Value> {
    let owned = pairs.map(|(key, value)| (key.to_owned(), value));
    owned.into_iter().collect()
}

/// A temperature as short as it was written: `0.8`, where `f32` would give `0.800000011920929`.
fn temperature(value: f32) -> Value {
    let short: f64 = value.to_string().parse().unwrap_or(0.0);
    short.into()
}

#[cfg(test)]
mod tests;
