//! Against a real llama.cpp server: `scripts/peer/test-remote.sh` starts one and runs this.
//!
//! `TRUEFILL_LLAMA_SERVER_URL` names the server, whose model must know how to fill in the middle.
//! Without it there is nothing to talk to, and the tests are not run.

#![allow(
    clippy::unwrap_used,
    reason = "helpers outside of test functions fail a test the same way"
)]

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use truefill_remote::complete::{
    BackendConfig, BackendError, Completed, CompletionBackend, CompletionRequest, Finish, Health,
    Limits, Prompt, Protocol,
};

fn backend(protocol: Protocol) -> CompletionBackend {
    let url = std::env::var("TRUEFILL_LLAMA_SERVER_URL")
        .expect("`TRUEFILL_LLAMA_SERVER_URL` names a running server");
    let config = BackendConfig {
        url,
        protocol,
        api_key_env: None,
        limits: Limits::default(),
    };
    CompletionBackend::new(&config, &|_| None).unwrap()
}

fn request(prompt: Prompt, max_tokens: u32) -> CompletionRequest {
    CompletionRequest {
        prompt,
        max_tokens,
        temperature: 0.0,
        top_p: 1.0,
        seed: Some(1),
        stop: Vec::new(),
    }
}

// Counting is what every model can go on with, whatever its sentinels mean to it.
fn infill() -> Prompt {
    Prompt::Infill {
        prefix: "numbers = [1, 2, 3, 4, 5, 6, 7,".into(),
        suffix: "\n".into(),
        extra: Vec::new(),
        typed: " 8, 9, 10, 11, 12, 13,".into(),
    }
}

async fn run(backend: &CompletionBackend, request: &CompletionRequest) -> (Completed, Vec<String>) {
    let mut pieces = Vec::new();
    let completed = backend
        .complete(request, &mut |piece| {
            pieces.push(piece.to_owned());
            ControlFlow::Continue(())
        })
        .await
        .unwrap();
    (completed, pieces)
}

#[tokio::test]
#[ignore = "needs a server: scripts/peer/test-remote.sh"]
async fn it_is_healthy() {
    let ready = Health::Ready { models: Vec::new() };
    assert_eq!(
        backend(Protocol::LlamaCpp { slot: None })
            .health()
            .await
            .unwrap(),
        ready
    );
    let other = backend(Protocol::OpenAi {
        model: "no such model".into(),
    });
    match other.health().await.unwrap() {
        Health::NoSuchModel { models } => {
            assert!(!models.is_empty());
            let known = backend(Protocol::OpenAi {
                model: models[0].clone(),
            });
            assert_eq!(known.health().await.unwrap(), Health::Ready { models });
        }
        found => panic!("{found:?}"),
    }
}

#[tokio::test]
#[ignore = "needs a server: scripts/peer/test-remote.sh"]
async fn infill_streams_and_its_cache_holds() {
    let backend = backend(Protocol::LlamaCpp { slot: Some(0) });
    let (first, pieces) = run(&backend, &request(infill(), 12)).await;
    assert_eq!(pieces.concat(), first.text);
    assert!(pieces.len() > 3, "{pieces:?}");
    assert_eq!(
        (first.finish, first.generated_tokens),
        (Finish::Length, Some(12))
    );
    let prompt = first.prompt_tokens.unwrap();

    let (again, _) = run(&backend, &request(infill(), 12)).await;
    assert_eq!(again.text, first.text, "greedy decoding repeats itself");
    let cached = again.cached_tokens.unwrap();
    assert!(
        cached + 2 >= prompt,
        "{cached} of {prompt} prompt tokens were cached"
    );
}

#[tokio::test]
#[ignore = "needs a server: scripts/peer/test-remote.sh"]
async fn a_raw_prompt_is_completed_as_open_ai_has_it() {
    let backend = backend(Protocol::OpenAi {
        model: "any".into(),
    });
    let prompt = Prompt::Raw("1\n2\n3\n4\n5\n6\n7\n".into());
    let mut request = request(prompt, 24);
    let (completed, pieces) = run(&backend, &request).await;
    assert!(completed.text.starts_with("8\n9\n"), "{:?}", completed.text);
    assert!(pieces.len() > 3);
    request.stop = vec!["9".into()];
    let (stopped, _) = run(&backend, &request).await;
    assert_eq!(
        (stopped.text.as_str(), stopped.finish),
        ("8\n", Finish::Stop)
    );
}

#[tokio::test]
#[ignore = "needs a server: scripts/peer/test-remote.sh"]
async fn a_dropped_request_frees_the_server() {
    let backend = backend(Protocol::LlamaCpp { slot: Some(0) });
    let long = request(infill(), 4000);
    let wait = Duration::from_millis(500);
    let cut = tokio::time::timeout(wait, run(&backend, &long)).await;
    assert!(
        cut.is_err(),
        "4,000 tokens were generated within half a second"
    );
    // The slot is the same: the next request waits for as long as the server goes on, which for
    // 4,000 tokens is half a minute on a fast machine.
    let started = Instant::now();
    run(&backend, &request(infill(), 1)).await;
    let waited = started.elapsed();
    assert!(
        waited < Duration::from_secs(10),
        "the server went on for {waited:?}"
    );
    println!("free after {waited:?}");
}

#[tokio::test]
#[ignore = "needs a server: scripts/peer/test-remote.sh"]
async fn a_refusal_is_the_servers_own_sentence() {
    let backend = backend(Protocol::LlamaCpp { slot: Some(0) });
    let prompt = Prompt::Infill {
        prefix: "x = 1\n".repeat(20_000),
        suffix: String::new(),
        extra: Vec::new(),
        typed: "y = 2\n".repeat(20_000),
    };
    let result = backend
        .complete(&request(prompt, 4), &mut |_| ControlFlow::Continue(()))
        .await;
    match result {
        Err(error @ (BackendError::Status { .. } | BackendError::Server { .. })) => {
            println!("{error}");
        }
        found => panic!("{found:?}"),
    }
}
