//! Completion servers that behave, and ones that do not.

#![allow(
    clippy::unwrap_used,
    reason = "helpers outside of test functions fail a test the same way"
)]

mod support;

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use serde_json::json;
use support::{Seen, Server, Step, head, reply};
use truefill_remote::complete::{
    BackendConfig, BackendError, Completed, CompletionBackend, CompletionRequest, ExtraFile,
    Finish, Health, Limits, Prompt, Protocol, Wait,
};

const SSE: &[(&str, &str)] = &[("Content-Type", "text/event-stream")];

fn config(url: &str, protocol: Protocol) -> BackendConfig {
    let limits = Limits {
        connect: Duration::from_secs(2),
        first_piece: Duration::from_millis(400),
        silence: Duration::from_millis(200),
        total: Duration::from_secs(5),
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

fn open_ai() -> Protocol {
    Protocol::OpenAi {
        model: "coder".into(),
    }
}

fn llama() -> Protocol {
    Protocol::LlamaCpp { slot: Some(2) }
}

fn backend(server: &Server, protocol: Protocol) -> CompletionBackend {
    CompletionBackend::new(&config(&server.url, protocol), &|_| None).unwrap()
}

fn raw() -> CompletionRequest {
    CompletionRequest {
        prompt: Prompt::Raw("<P>a<S>b<M>".into()),
        max_tokens: 16,
        temperature: 0.0,
        top_p: 1.0,
        seed: Some(7),
        stop: vec!["\n\n".into()],
    }
}

fn infill() -> CompletionRequest {
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

async fn complete(backend: &CompletionBackend) -> Result<Completed, BackendError> {
    backend
        .complete(&raw(), &mut |_| ControlFlow::Continue(()))
        .await
}

/// A stream of these events.
fn events(data: &[&str]) -> Vec<Step> {
    let mut steps = vec![head("200 OK", SSE)];
    for event in data {
        steps.push(Step::Send(format!("data: {event}\n\n").into_bytes()));
    }
    steps
}

fn text(text: &str) -> String {
    json!({"choices": [{"text": text, "finish_reason": null}]}).to_string()
}

const STOP: &str = r#"{"choices":[{"text":"","finish_reason":"stop"}]}"#;

#[tokio::test]
async fn an_open_ai_server_is_asked_and_its_pieces_handed_over() {
    let server = Server::start(|_, _| events(&[&text("a + "), &text("é"), STOP, "[DONE]"])).await;
    let mut pieces = Vec::new();
    let done = backend(&server, open_ai())
        .complete(&raw(), &mut |piece| {
            pieces.push(piece.to_owned());
            ControlFlow::Continue(())
        })
        .await
        .unwrap();
    assert_eq!(pieces, ["a + ", "é"]);
    assert_eq!((done.text.as_str(), &done.finish), ("a + é", &Finish::Stop));
    let seen: Seen = server.requests().remove(0);
    assert!(
        seen.head.starts_with("POST /v1/completions HTTP/1.1"),
        "{}",
        seen.head
    );
    assert_eq!(seen.header("authorization"), None);
    assert_eq!(
        seen.json(),
        json!({"model": "coder", "prompt": "<P>a<S>b<M>", "max_tokens": 16, "temperature": 0.0,
               "top_p": 1.0, "seed": 7, "stop": ["\n\n"], "stream": true})
    );
}

#[tokio::test]
async fn a_suffix_is_sent_as_one_where_the_server_makes_the_prompt() {
    let server = Server::start(|_, _| events(&[STOP])).await;
    let mut request = infill();
    let backend = backend(&server, open_ai());
    let refused = backend
        .complete(&request, &mut |_| ControlFlow::Continue(()))
        .await;
    assert!(matches!(refused, Err(BackendError::Unsupported(_))));
    if let Prompt::Infill { extra, .. } = &mut request.prompt {
        extra.clear();
    }
    backend
        .complete(&request, &mut |_| ControlFlow::Continue(()))
        .await
        .unwrap();
    let sent = server.requests()[0].json();
    assert_eq!(
        (&sent["prompt"], &sent["suffix"]),
        (&json!("def f(x"), &json!(")"))
    );
}

#[tokio::test]
async fn llama_cpp_is_asked_to_fill_in() {
    let server = Server::start(|_, _| {
        events(&[
            r#"{"content":", y","stop":false}"#,
            r#"{"content":"","stop":true,"stop_type":"limit","tokens_evaluated":20,
                "tokens_predicted":3,"timings":{"cache_n":18}}"#,
        ])
    })
    .await;
    let backend = backend(&server, llama());
    let done = backend
        .complete(&infill(), &mut |_| ControlFlow::Continue(()))
        .await;
    // The second event is two lines, which one `data:` cannot carry.
    assert!(
        matches!(done, Err(BackendError::Malformed { .. })),
        "{done:?}"
    );

    let server = Server::start(|_, _| {
        events(&[
            r#"{"content":", y","stop":false}"#,
            r#"{"content":"","stop":true,"stop_type":"limit","tokens_evaluated":20,"tokens_predicted":3,"timings":{"cache_n":18}}"#,
        ])
    })
    .await;
    let backend = self::backend(&server, llama());
    let done = backend
        .complete(&infill(), &mut |_| ControlFlow::Continue(()))
        .await
        .unwrap();
    assert_eq!(
        done,
        Completed {
            text: ", y".into(),
            finish: Finish::Length,
            prompt_tokens: Some(20),
            cached_tokens: Some(18),
            generated_tokens: Some(3),
        }
    );
    let seen = &server.requests()[0];
    assert!(
        seen.head.starts_with("POST /infill HTTP/1.1"),
        "{}",
        seen.head
    );
    assert_eq!(
        seen.json(),
        json!({"input_prefix": "def f(", "input_suffix": ")", "prompt": "x", "n_predict": 16,
               "input_extra": [{"filename": "b.py", "text": "y = 1"}], "cache_prompt": true,
               "temperature": 0.0, "top_p": 1.0, "stream": true, "id_slot": 2})
    );
    let refused = backend
        .complete(&raw(), &mut |_| ControlFlow::Continue(()))
        .await;
    assert!(matches!(refused, Err(BackendError::Unsupported(_))));
}

#[tokio::test]
async fn a_server_that_does_not_stream_is_understood() {
    let body = r#"{"choices":[{"text":"whole","finish_reason":"length"}],
                   "usage":{"prompt_tokens":4,"completion_tokens":1}}"#;
    let server = Server::start(move |_, _| {
        reply(
            "200 OK",
            &[("Content-Type", "application/json")],
            body.as_bytes(),
        )
    })
    .await;
    let done = complete(&backend(&server, open_ai())).await.unwrap();
    assert_eq!((done.text.as_str(), done.finish), ("whole", Finish::Length));
    assert_eq!(
        (done.prompt_tokens, done.generated_tokens),
        (Some(4), Some(1))
    );
}

#[tokio::test]
async fn the_caller_can_end_it_and_the_server_learns() {
    let server = Server::start(|_, _| {
        let mut steps = events(&[&text("one"), &text(" two")]);
        steps.push(Step::Hang);
        steps
    })
    .await;
    let backend = backend(&server, open_ai());
    let done = backend
        .complete(&raw(), &mut |_| ControlFlow::Break(()))
        .await
        .unwrap();
    assert_eq!((done.text.as_str(), done.finish), ("one", Finish::Caller));
    abandoned(&server).await;
}

#[tokio::test]
async fn a_connection_that_is_closed_in_spite_of_a_promise_costs_nothing() {
    let server = Server::start(|_, _| {
        let body = format!("data: {STOP}\n\n");
        let length = body.len().to_string();
        let head = format!(
            "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Type: text/event-stream\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        );
        // Long enough for the next request to arrive on it, unread.
        vec![
            Step::Send(head.into_bytes()),
            Step::Wait(Duration::from_millis(50)),
        ]
    })
    .await;
    let backend = backend(&server, open_ai());
    for _ in 0..3 {
        complete(&backend).await.unwrap();
    }
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn dropping_the_future_closes_the_connection() {
    for sent in [vec![], events(&[&text("one")])] {
        let server = Server::start(move |_, _| {
            let mut steps = sent.clone();
            steps.push(Step::Hang);
            steps
        })
        .await;
        let backend = backend(&server, open_ai());
        let wait = Duration::from_millis(60);
        assert!(
            tokio::time::timeout(wait, complete(&backend))
                .await
                .is_err()
        );
        abandoned(&server).await;
    }
}

/// Waits until the server has seen that nobody listens any more.
async fn abandoned(server: &Server) {
    let started = Instant::now();
    while *server.abandoned.lock().unwrap() == 0 {
        assert!(
            started.elapsed() < Duration::from_millis(150),
            "the connection stays open"
        );
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test]
async fn each_kind_of_slowness_has_its_limit() {
    let silent = Server::start(|_, _| vec![Step::Hang]).await;
    let headed = Server::start(|_, _| vec![head("200 OK", SSE), Step::Hang]).await;
    // Comments keep the connection alive, but are no text.
    let commenting = Server::start(|_, _| {
        let mut steps = vec![head("200 OK", SSE)];
        for _ in 0..100 {
            steps.extend([
                Step::Send(b": ping\n\n".to_vec()),
                Step::Wait(Duration::from_millis(20)),
            ]);
        }
        steps
    })
    .await;
    for server in [&silent, &headed, &commenting] {
        let error = complete(&backend(server, open_ai())).await.unwrap_err();
        assert!(
            matches!(
                error,
                BackendError::TimedOut {
                    wait: Wait::FirstPiece,
                    ..
                }
            ),
            "{error}"
        );
    }
    let stalling = Server::start(|_, _| {
        let mut steps = events(&[&text("one")]);
        steps.push(Step::Hang);
        steps
    })
    .await;
    let error = complete(&backend(&stalling, open_ai())).await.unwrap_err();
    assert!(
        matches!(
            error,
            BackendError::TimedOut {
                wait: Wait::NextPiece,
                ..
            }
        ),
        "{error}"
    );

    let dripping = Server::start(|_, _| {
        let mut steps = vec![head("200 OK", SSE)];
        for _ in 0..100 {
            let event = format!("data: {}\n\n", text("x"));
            steps.extend([
                Step::Send(event.into_bytes()),
                Step::Wait(Duration::from_millis(50)),
            ]);
        }
        steps
    })
    .await;
    let mut config = config(&dripping.url, open_ai());
    config.limits.total = Duration::from_millis(300);
    let backend = CompletionBackend::new(&config, &|_| None).unwrap();
    let error = complete(&backend).await.unwrap_err();
    assert!(
        matches!(
            error,
            BackendError::TimedOut {
                wait: Wait::Total,
                ..
            }
        ),
        "{error}"
    );
}

#[tokio::test]
async fn replies_that_break_off_or_make_no_sense_are_named() {
    let cut = |steps: Vec<Step>| async {
        let server = Server::start(move |_, _| steps.clone()).await;
        complete(&backend(&server, open_ai())).await.unwrap_err()
    };
    let wait = Step::Wait(Duration::from_millis(20));
    let mut reset = events(&[&text("one")]);
    reset.extend([wait, Step::Reset]);
    let error = cut(reset).await;
    assert!(matches!(error, BackendError::Cut { .. }), "{error}");

    let error = cut(events(&[&text("one")])).await;
    assert!(
        error
            .to_string()
            .contains("ended before the completion did"),
        "{error}"
    );

    let error = cut(vec![]).await;
    assert!(matches!(error, BackendError::Cut { .. }), "{error}");

    let error = cut(events(&[r#"{"choices":[{"te"#])).await;
    assert!(matches!(error, BackendError::Malformed { .. }), "{error}");

    let error = cut(reply(
        "200 OK",
        &[("Content-Type", "application/json")],
        b"{\"cho",
    ))
    .await;
    assert!(matches!(error, BackendError::Malformed { .. }), "{error}");

    let error = cut(reply("200 OK", &[("Content-Type", "text/html")], b"<html>")).await;
    assert!(matches!(error, BackendError::Malformed { .. }), "{error}");

    let error = cut(events(&[r#"{"error":{"message":"out of memory"}}"#])).await;
    assert!(
        error.to_string().ends_with("failed: out of memory"),
        "{error}"
    );

    let error = cut(vec![Step::Send(b"SSH-2.0-OpenSSH\r\n\r\n".to_vec())]).await;
    assert!(matches!(error, BackendError::Cut { .. }), "{error}");
}

#[tokio::test]
async fn nothing_oversized_is_taken() {
    let endless = Server::start(|_, _| {
        vec![
            head("200 OK", SSE),
            Step::Send(vec![b'x'; 1 << 20]),
            Step::Hang,
        ]
    })
    .await;
    let error = complete(&backend(&endless, open_ai())).await.unwrap_err();
    assert!(matches!(error, BackendError::TooLarge { .. }), "{error}");

    let long = Server::start(|_, _| {
        let piece = text(&"x".repeat(300));
        let pieces: Vec<&str> = std::iter::repeat_n(piece.as_str(), 4).collect();
        events(&pieces)
    })
    .await;
    let error = complete(&backend(&long, open_ai())).await.unwrap_err();
    let told = "more than 1000 bytes in the completion";
    assert!(error.to_string().contains(told), "{error}");

    let whole = Server::start(|_, _| {
        reply(
            "200 OK",
            &[("Content-Type", "application/json")],
            &vec![b' '; 6000],
        )
    })
    .await;
    let error = complete(&backend(&whole, open_ai())).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("more than 5000 bytes in its reply"),
        "{error}"
    );

    let refusing = Server::start(|_, _| {
        vec![
            head("500 No", &[]),
            Step::Send(vec![b'a'; 1 << 20]),
            Step::Hang,
        ]
    })
    .await;
    let error = complete(&backend(&refusing, open_ai()))
        .await
        .unwrap_err()
        .to_string();
    assert!(error.len() < 500, "{}", error.len());
}

#[tokio::test]
async fn refusals_tell_what_the_server_says_and_never_the_key() {
    let key = "sk-very-secret";
    let server = Server::start(|_, seen| {
        let key = seen.header("authorization").unwrap_or_default().to_owned();
        let body = json!({"error": {"message": format!("{key} is\n not valid"), "code": 401}});
        reply("401 Unauthorized", &[], body.to_string().as_bytes())
    })
    .await;
    let mut config = config(&server.url, open_ai());
    config.api_key_env = Some("MY_KEY".into());
    let lookup = |name: &str| (name == "MY_KEY").then(|| key.to_owned());
    let backend = CompletionBackend::new(&config, &lookup).unwrap();
    let error = complete(&backend).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "the completion server {} refused with status 401: Bearer [key] is not valid",
            server.url.trim_start_matches("http://")
        )
    );
    assert_eq!(
        server.requests()[0].header("authorization"),
        Some("Bearer sk-very-secret")
    );
    for shown in [
        format!("{backend:?}"),
        format!("{error:?}"),
        format!("{config:?}"),
    ] {
        assert!(!shown.contains("secret"), "{shown}");
    }
    let error = CompletionBackend::new(&config, &|_| None)
        .unwrap_err()
        .to_string();
    assert!(error.contains("`MY_KEY`"), "{error}");
}

#[tokio::test]
async fn code_and_key_do_not_follow_a_redirect() {
    let other = Server::start(|_, _| events(&[STOP])).await;
    let location = format!("{}/v1/completions", other.url);
    let server =
        Server::start(move |_, _| reply("307 Temporary Redirect", &[("Location", &location)], b""))
            .await;
    let error = complete(&backend(&server, open_ai())).await.unwrap_err();
    assert!(
        matches!(error, BackendError::Status { status: 307, .. }),
        "{error}"
    );
    assert!(other.requests().is_empty());
}

#[tokio::test]
async fn addresses_are_checked_and_a_server_that_is_not_there_is_called_so() {
    for (url, expected) in [
        ("localhost:8080", "found something else"),
        ("ftp://host", "found something else"),
        ("", "found something else"),
        ("http://me:pw@host", "user or password"),
        ("http://host/?key=pw", "query"),
    ] {
        let error = CompletionBackend::new(&config(url, open_ai()), &|_| None)
            .unwrap_err()
            .to_string();
        assert!(error.contains(expected) && !error.contains("pw"), "{error}");
    }
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let backend = CompletionBackend::new(&config(&url, open_ai()), &|_| None).unwrap();
    let error = complete(&backend).await.unwrap_err();
    assert!(matches!(error, BackendError::Unreachable { .. }), "{error}");
    assert!(error.to_string().ends_with("is it running?"), "{error}");
}

#[tokio::test]
async fn a_base_address_may_end_in_v1_and_may_have_a_path() {
    for suffix in ["", "/", "/v1", "/v1/"] {
        let server = Server::start(|_, _| events(&[STOP])).await;
        let config = config(&format!("{}/proxy{suffix}", server.url), open_ai());
        complete(&CompletionBackend::new(&config, &|_| None).unwrap())
            .await
            .unwrap();
        let head = &server.requests()[0].head;
        assert!(
            head.starts_with("POST /proxy/v1/completions "),
            "{suffix}: {head}"
        );
    }
}

#[tokio::test]
async fn health_tells_ready_from_loading_from_another_model() {
    let answer = |status: &'static str, body: &'static str, protocol: Protocol| async move {
        let server = Server::start(move |_, _| reply(status, &[], body.as_bytes())).await;
        let health = backend(&server, protocol).health().await;
        (health, server.requests().remove(0).head)
    };
    let models = r#"{"object":"list","data":[{"id":"coder","x":1},{"id":"other"}]}"#;
    let (health, head) = answer("200 OK", models, open_ai()).await;
    let names: Vec<String> = vec!["coder".into(), "other".into()];
    assert_eq!(
        health.unwrap(),
        Health::Ready {
            models: names.clone()
        }
    );
    assert!(head.starts_with("GET /v1/models "), "{head}");
    let (health, _) = answer("200 OK", models, Protocol::OpenAi { model: "x".into() }).await;
    assert_eq!(health.unwrap(), Health::NoSuchModel { models: names });
    let (health, _) = answer("200 OK", "<html>", open_ai()).await;
    assert!(matches!(health, Err(BackendError::Malformed { .. })));

    let (health, head) = answer("200 OK", r#"{"status":"ok"}"#, llama()).await;
    assert_eq!(health.unwrap(), Health::Ready { models: Vec::new() });
    assert!(head.starts_with("GET /health "), "{head}");
    let loading = r#"{"error":{"code":503,"message":"Loading model"}}"#;
    let (health, _) = answer("503 Unavailable", loading, llama()).await;
    assert_eq!(health.unwrap(), Health::Loading);
    let (health, _) = answer("401 No", "", llama()).await;
    assert!(matches!(
        health,
        Err(BackendError::Status { status: 401, .. })
    ));
}
