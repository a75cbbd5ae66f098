//! What is asked and what is understood.

use std::ops::ControlFlow;

use serde_json::json;
use truefill_remote::complete::{
    BackendError, Completed, CompletionBackend, Finish, Health, Prompt, Protocol,
};

use crate::shared::{STOP, backend, complete, config, events, infill, llama, open_ai, raw, text};
use crate::support::{Seen, Server, reply};

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
