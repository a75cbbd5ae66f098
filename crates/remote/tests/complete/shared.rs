//! A backend with small limits, requests for it, and streams of events.

use std::ops::ControlFlow;
use std::time::Duration;

use serde_json::json;
use truefill_remote::complete::{
    BackendConfig, BackendError, Completed, CompletionBackend, CompletionRequest, ExtraFile,
    Limits, Prompt, Protocol,
};

use crate::support::{Server, Step, head};

pub const SSE: &[(&str, &str)] = &[("Content-Type", "text/event-stream")];

pub fn config(url: &str, protocol: Protocol) -> BackendConfig {
    let limits = Limits {
        connect: Duration::from_secs(20),
        first_piece: Duration::from_secs(20),
        silence: Duration::from_secs(20),
        total: Duration::from_secs(60),
        text_bytes: 1000,
        line_bytes: 500,
        reply_bytes: 5000,
    };
    BackendConfig {
        url: url.to_owned(),
        protocol,
        api_key_env: None,
        limits,
    }
}

/// A backend that differs in its limits.
pub fn limited(server: &Server, change: impl FnOnce(&mut Limits)) -> CompletionBackend {
    let mut config = config(&server.url, open_ai());
    change(&mut config.limits);
    CompletionBackend::new(&config, &|_| None).unwrap()
}

pub fn open_ai() -> Protocol {
    Protocol::OpenAi {
        model: "coder".into(),
    }
}

pub fn llama() -> Protocol {
    Protocol::LlamaCpp { slot: Some(2) }
}

pub fn backend(server: &Server, protocol: Protocol) -> CompletionBackend {
    CompletionBackend::new(&config(&server.url, protocol), &|_| None).unwrap()
}

pub fn raw() -> CompletionRequest {
    CompletionRequest {
        prompt: Prompt::Raw("<P>a<S>b<M>".into()),
        max_tokens: 16,
        temperature: 0.0,
        top_p: 1.0,
        seed: Some(7),
        stop: vec!["\n\n".into()],
    }
}

pub fn infill() -> CompletionRequest {
    let extra = vec![ExtraFile {
        path: "b.py".into(),
        text: "y = 1".into(),
    }];
    CompletionRequest {
        prompt: Prompt::Infill {
            prefix: "def f(".into(),
            suffix: ")".into(),
            extra,
            typed: "x".into(),
        },
        seed: None,
        stop: Vec::new(),
        ..raw()
    }
}

pub async fn complete(backend: &CompletionBackend) -> Result<Completed, BackendError> {
    backend
        .complete(&raw(), &mut |_| ControlFlow::Continue(()))
        .await
}

/// A stream of these events.
pub fn events(data: &[&str]) -> Vec<Step> {
    let mut steps = vec![head("200 OK", SSE)];
    for event in data {
        steps.push(Step::Send(format!("data: {event}\n\n").into_bytes()));
    }
    steps
}

pub fn text(text: &str) -> String {
    json!({"choices": [{"text": text, "finish_reason": null}]}).to_string()
}

pub const STOP: &str = r#"{"choices":[{"text":"","finish_reason":"stop"}]}"#;
