use super::*;
use crate::engine::Sampling;

pub(super) fn request(prefix: &str, suffix: &str) -> EngineRequest {
    EngineRequest {
        document: "file:///a.py".into(),
        prefix: prefix.into(),
        suffix: suffix.into(),
        path: None,
        repo: None,
        chunks: Vec::new(),
        window_tokens: 1024,
        suffix_share: 0.25,
        max_new_tokens: 16,
        sampling: Sampling::GREEDY,
        deadline: None,
    }
}

fn engine(kind: RemoteKind, format: &str, url: &str) -> RemoteEngine {
    let mut config = Config::default();
    config.remote.kind = kind;
    config.remote.url = url.into();
    config.model.format = format.into();
    RemoteEngine::new(&config, &|_| None).expect("opens")
}

#[test]
fn prompts_are_made_here_only_where_a_format_is_named() {
    let made = engine(RemoteKind::OpenAi, "qwen2.5-coder", "http://127.0.0.1:9");
    let asked = made.request(&request("a", "b")).expect("renders");
    let text = "<|fim_prefix|>a<|fim_suffix|>b<|fim_middle|>";
    assert_eq!(asked.prompt, Prompt::Raw(text.into()));
    for (kind, format) in [
        (RemoteKind::OpenAi, "auto"),
        (RemoteKind::LlamaCpp, "qwen2.5-coder"),
    ] {
        let left = engine(kind, format, "http://127.0.0.1:9");
        let asked = left.request(&request("a", "b")).expect("renders");
        assert!(matches!(asked.prompt, Prompt::Infill { .. }), "{format}");
    }
}

#[test]
fn a_server_that_is_not_there_is_an_error_in_a_sentence() {
    let engine = engine(RemoteKind::LlamaCpp, "auto", "http://127.0.0.1:9");
    let cancel = CancelToken::new();
    let error = engine
        .complete(&request("a", "b"), &cancel, &mut |_| Flow::Continue)
        .expect_err("nobody listens there");
    assert!(error.to_string().contains("127.0.0.1:9"), "{error}");
}

#[test]
fn a_cancelled_request_returns_at_once() {
    // It accepts the connection and never answers.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    let engine = engine(RemoteKind::LlamaCpp, "auto", &url);
    let cancel = CancelToken::new();
    cancel.cancel();
    let result = engine.complete(&request("a", "b"), &cancel, &mut |_| Flow::Continue);
    assert_eq!(result.expect("no error").stop, StopReason::Cancelled);
}
