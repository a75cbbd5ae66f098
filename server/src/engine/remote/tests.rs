use std::io::{BufRead, BufReader, Read, Write};

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
    assert!(asked.stop.iter().any(|stop| stop == "<|file_sep|>"));
    for (kind, format) in [
        (RemoteKind::OpenAi, "auto"),
        (RemoteKind::LlamaCpp, "qwen2.5-coder"),
    ] {
        let left = engine(kind, format, "http://127.0.0.1:9");
        let asked = left.request(&request("a", "b")).expect("renders");
        assert!(matches!(asked.prompt, Prompt::Infill { .. }), "{format}");
        assert!(asked.stop.is_empty(), "{format}");
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

#[test]
fn two_servers_never_pass_for_one() {
    let checkpoint = |model: &str, url: &str| {
        let mut config = Config::default();
        config.remote.kind = RemoteKind::OpenAi;
        config.remote.url = url.into();
        config.remote.model = model.into();
        RemoteEngine::new(&config, &|_| None).map(|engine| engine.info())
    };
    let table = [
        ("", "http://localhost:8080", "remote@localhost:8080"),
        ("", "http://localhost:8081/v1", "remote@localhost:8081"),
        (
            "coder",
            "https://models.example",
            "coder@models.example:443",
        ),
    ];
    for (model, url, expected) in table {
        let info = checkpoint(model, url).expect("opens");
        assert_eq!(info.checkpoint, expected);
        assert_eq!(
            expected.split_once('@').map(|it| it.1),
            Some(info.device.as_str())
        );
    }
    let error = checkpoint("", "http://me:hunter22@localhost").expect_err("holds a password");
    assert!(!error.to_string().contains("hunter22"), "{error}");
}

/// A server that gives one answer; its address, and what it was asked.
fn answering(body: &'static str) -> (String, std::sync::mpsc::Receiver<String>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    let (sender, asked) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut reader = BufReader::new(stream.try_clone().expect("a handle"));
        let mut length = 0;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).expect("a header");
            let line = line.trim().to_lowercase();
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.parse().expect("a length");
            }
            if line.is_empty() {
                break;
            }
        }
        let mut request = vec![0; length];
        reader.read_exact(&mut request).expect("the body");
        sender
            .send(String::from_utf8_lossy(&request).into_owned())
            .expect("the test waits");
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n";
        let reply = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
        stream.write_all(reply.as_bytes()).expect("sent");
    });
    (url, asked)
}

#[test]
fn counts_are_what_the_server_tells() {
    let told = r#"{"content":"1","stop":true,"tokens_evaluated":9,"tokens_predicted":1,
        "timings":{"cache_n":0}}"#;
    let untold = r#"{"content":"1","stop":true}"#;
    for (body, expected) in [
        (told, (Some(9), Some(0), Some(1))),
        (untold, (None, None, None)),
    ] {
        let (url, _asked) = answering(body);
        let engine = engine(RemoteKind::LlamaCpp, "auto", &url);
        let made = engine
            .complete(&request("a", "b"), &CancelToken::new(), &mut |_| {
                Flow::Continue
            })
            .expect("answers");
        let counts = (
            made.prompt_tokens,
            made.cached_tokens,
            made.completion_tokens,
        );
        assert_eq!(counts, expected, "{body}");
    }
}

#[test]
fn no_secret_is_sent_whatever_asks() {
    let token = format!("gh{}_{}", "p", "a1B2c3D4e5".repeat(4));
    let chunk = crate::engine::ContextChunk {
        path: "b.py".into(),
        text: format!("t = \"{token}\""),
    };
    let prefix = "password = \"hunter22\"\n".to_owned() + &"x = 1\n".repeat(600);
    let request = EngineRequest {
        chunks: vec![chunk],
        path: Some("a.py".into()),
        ..request(
            &format!("{prefix}secret = \"half"),
            "\"\napi_key = \"k3yvalue\"\n",
        )
    };
    let (url, asked) = answering(r#"{"content":"1","stop":true}"#);
    let llama = engine(RemoteKind::LlamaCpp, "auto", &url);
    let done = llama.complete(&request, &CancelToken::new(), &mut |_| Flow::Continue);
    done.expect("answers");
    let body = asked.recv().expect("asked");
    let raw = engine(RemoteKind::OpenAi, "qwen2.5-coder", "http://127.0.0.1:9");
    let raw = shown(&raw.request(&request).expect("renders").prompt);
    for sent in [body, raw] {
        for secret in ["hunter22", "half", "k3yvalue", token.as_str()] {
            assert!(!sent.contains(secret), "{secret}: {sent}");
        }
        assert!(sent.contains("<secret value>"), "{sent}");
    }
}
