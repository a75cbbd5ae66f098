//! What is said to each kind of server, and what it answers.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{BackendError, Completed, CompletionRequest, Finish, Prompt, Protocol};

/// The path and body of a request.
pub(super) fn body(
    protocol: &Protocol,
    request: &CompletionRequest,
) -> Result<(&'static str, Value), BackendError> {
    let mut body = Map::new();
    let mut set = |key: &str, value: Value| {
        body.insert(key.to_owned(), value);
    };
    set("stream", json!(true));
    set("temperature", json!(request.temperature));
    set("top_p", json!(request.top_p));
    if let Some(seed) = request.seed {
        set("seed", json!(seed));
    }
    if !request.stop.is_empty() {
        set("stop", json!(request.stop));
    }
    let path = match (protocol, &request.prompt) {
        (Protocol::OpenAi { model }, prompt) => {
            set("model", json!(model));
            set("max_tokens", json!(request.max_tokens));
            match prompt {
                Prompt::Raw(text) => set("prompt", json!(text)),
                Prompt::Infill {
                    prefix,
                    suffix,
                    extra,
                    typed,
                } => {
                    if !extra.is_empty() {
                        return Err(BackendError::Unsupported(
                            "an OpenAI-compatible server takes no other files beside prefix and \
                             suffix: put them into a raw prompt",
                        ));
                    }
                    set("prompt", json!(format!("{prefix}{typed}")));
                    set("suffix", json!(suffix));
                }
            }
            "v1/completions"
        }
        (
            Protocol::LlamaCpp { slot },
            Prompt::Infill {
                prefix,
                suffix,
                extra,
                typed,
            },
        ) => {
            let extra: Vec<Value> = extra
                .iter()
                .map(|file| json!({"filename": file.path, "text": file.text}))
                .collect();
            set("input_prefix", json!(prefix));
            set("input_suffix", json!(suffix));
            set("input_extra", json!(extra));
            set("prompt", json!(typed));
            set("n_predict", json!(request.max_tokens));
            set("cache_prompt", json!(true));
            if let Some(slot) = slot {
                set("id_slot", json!(slot));
            }
            "infill"
        }
        (Protocol::LlamaCpp { .. }, Prompt::Raw(_)) => {
            return Err(BackendError::Unsupported(
                "llama.cpp's infill makes the prompt itself: expected prefix and suffix, found a \
                 raw prompt",
            ));
        }
    };
    Ok((path, Value::Object(body)))
}

/// One event, or a whole reply of a server that does not stream.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) text: String,
    pub(super) finish: Option<Finish>,
    pub(super) prompt_tokens: Option<u64>,
    pub(super) cached_tokens: Option<u64>,
    pub(super) generated_tokens: Option<u64>,
    pub(super) error: Option<String>,
}

impl Event {
    pub(super) fn apply(self, completed: &mut Completed) {
        if let Some(finish) = self.finish {
            completed.finish = finish;
        }
        completed.prompt_tokens = self.prompt_tokens.or(completed.prompt_tokens);
        completed.cached_tokens = self.cached_tokens.or(completed.cached_tokens);
        completed.generated_tokens = self.generated_tokens.or(completed.generated_tokens);
    }
}

// Servers add keys as they like: only what is needed is looked at.
#[derive(Deserialize)]
struct Chunk {
    error: Option<Value>,
    // OpenAI.
    choices: Option<Vec<Choice>>,
    usage: Option<Usage>,
    // llama.cpp.
    content: Option<String>,
    stop: Option<bool>,
    stop_type: Option<String>,
    tokens_evaluated: Option<u64>,
    tokens_predicted: Option<u64>,
    timings: Option<Timings>,
}

#[derive(Deserialize)]
struct Choice {
    text: Option<String>,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Usage {
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
    prompt_tokens_details: Option<UsageDetails>,
}

#[derive(Deserialize)]
struct UsageDetails {
    cached_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct Timings {
    cache_n: Option<u64>,
}

/// Reads an event.
pub(super) fn event(bytes: &[u8]) -> Result<Event, String> {
    let chunk: Chunk = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    if let Some(error) = chunk.error.filter(|error| !error.is_null()) {
        return Ok(Event {
            error: Some(error_text(&error)),
            ..Event::default()
        });
    }
    match (chunk.choices, chunk.content) {
        (Some(choices), _) => Ok(open_ai(choices, chunk.usage)),
        (None, Some(text)) => Ok(Event {
            text,
            finish: chunk.stop.filter(|stop| *stop).map(|_| {
                let reason = chunk.stop_type.as_deref().unwrap_or("eos");
                if reason == "limit" {
                    Finish::Length
                } else {
                    finish(reason)
                }
            }),
            prompt_tokens: chunk.tokens_evaluated,
            cached_tokens: chunk.timings.and_then(|timings| timings.cache_n),
            generated_tokens: chunk.tokens_predicted,
            error: None,
        }),
        (None, None) => Err("expected `choices` or `content`, found neither".to_owned()),
    }
}

fn open_ai(choices: Vec<Choice>, usage: Option<Usage>) -> Event {
    // One choice was asked for; the event that tells the usage has none.
    let first = choices.into_iter().next();
    let (text, reason) = first.map_or((None, None), |choice| (choice.text, choice.finish_reason));
    let mut event = Event {
        text: text.unwrap_or_default(),
        finish: reason
            .as_deref()
            .filter(|reason| !reason.is_empty())
            .map(finish),
        ..Event::default()
    };
    if let Some(usage) = usage {
        event.prompt_tokens = usage.prompt_tokens;
        event.generated_tokens = usage.completion_tokens;
        event.cached_tokens = usage
            .prompt_tokens_details
            .and_then(|details| details.cached_tokens);
    }
    event
}

fn finish(reason: &str) -> Finish {
    match reason {
        "stop" | "eos" | "word" | "eos_token" | "stop_sequence" => Finish::Stop,
        "length" => Finish::Length,
        other => Finish::Other(crate::message::excerpt(other)),
    }
}

fn error_text(error: &Value) -> String {
    match error.get("message").unwrap_or(error) {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_of_each_server_are_read() {
        let stop = Event {
            finish: Some(Finish::Stop),
            ..Event::default()
        };
        let text = |text: &str| Event {
            text: text.into(),
            ..Event::default()
        };
        let table = [
            (
                r#"{"choices":[{"text":"ab","index":0,"finish_reason":null}]}"#,
                text("ab"),
            ),
            (r#"{"choices":[{"text":"","finish_reason":"stop"}]}"#, stop),
            (
                r#"{"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2,
                    "prompt_tokens_details":{"cached_tokens":3}}}"#,
                Event {
                    prompt_tokens: Some(5),
                    cached_tokens: Some(3),
                    generated_tokens: Some(2),
                    ..Event::default()
                },
            ),
            (
                r#"{"choices":[{"text":"x","finish_reason":"length"}],"usage":null}"#,
                Event {
                    text: "x".into(),
                    finish: Some(Finish::Length),
                    ..Event::default()
                },
            ),
            (r#"{"content":"é","stop":false,"tokens":[1]}"#, text("é")),
            (
                r#"{"content":"","stop":true,"stop_type":"limit","tokens_evaluated":9,
                    "tokens_predicted":4,"timings":{"cache_n":7}}"#,
                Event {
                    finish: Some(Finish::Length),
                    prompt_tokens: Some(9),
                    cached_tokens: Some(7),
                    generated_tokens: Some(4),
                    ..Event::default()
                },
            ),
            (
                r#"{"error":{"code":501,"message":"no infill","type":"x"}}"#,
                Event {
                    error: Some("no infill".into()),
                    ..Event::default()
                },
            ),
            (
                r#"{"error":"busy"}"#,
                Event {
                    error: Some("busy".into()),
                    ..Event::default()
                },
            ),
        ];
        for (json, expected) in table {
            assert_eq!(event(json.as_bytes()).unwrap(), expected, "{json}");
        }
        for bad in [
            "",
            "[]",
            "{}",
            r#"{"choices":3}"#,
            r#"{"content":"a""#,
            "\u{0}",
        ] {
            assert!(event(bad.as_bytes()).is_err(), "{bad:?}");
        }
    }
}
